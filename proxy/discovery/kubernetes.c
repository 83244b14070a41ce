/* What to ask next, and the slices in force. */
#include "discovery/kubernetes.h"

#include <stdio.h>
#include <stdlib.h>

void kubernetes_init(struct kubernetes *k, const struct slice_query *q)
{
    *k = (struct kubernetes){.query = *q, .want = KUBERNETES_LIST, .page = KUBERNETES_PAGE};
}

static void clear(struct kubernetes_slices *s)
{
    for (size_t i = 0; i < s->n; i++)
        endpoint_slice_fini(&s->v[i]);
    free(s->v);
    *s = (struct kubernetes_slices){0};
}

void kubernetes_fini(struct kubernetes *k)
{
    clear(&k->slices);
    clear(&k->listed);
    free(k->next);
}

/* The first page is next. */
static void list_again(struct kubernetes *k)
{
    k->want = KUBERNETES_LIST;
    k->version[0] = '\0';
    clear(&k->listed);
    free(k->next);
    k->next = NULL;
}

static ns_t by_chance(ns_t most, struct rng *rng)
{
    return (ns_t)rng_below(rng, (uint64_t)most + 1);
}

static void wait_longer(struct kubernetes *k, ns_t at_least, ns_t now, struct rng *rng)
{
    ns_t wait = KUBERNETES_BACKOFF_MIN_NS;
    for (uint32_t i = 0; i < k->failures && wait < KUBERNETES_BACKOFF_MAX_NS; i++)
        wait *= 2;
    if (k->failures < UINT32_MAX)
        k->failures++;
    wait = ns_min(wait + by_chance(wait, rng), KUBERNETES_BACKOFF_MAX_NS);
    k->due = ns_add(now, wait > at_least ? wait : at_least + by_chance(KUBERNETES_BACKOFF_MIN_NS, rng));
}

static void fail(struct kubernetes *k, enum lookup_status error, ns_t now, struct rng *rng)
{
    k->error = error;
    if (k->want == KUBERNETES_LIST)
        list_again(k);
    wait_longer(k, 0, now, rng);
}

void kubernetes_on_failed(struct kubernetes *k, enum lookup_status error, ns_t now, struct rng *rng)
{
    fail(k, error, now, rng);
}

void kubernetes_on_too_big(struct kubernetes *k, ns_t now, struct rng *rng)
{
    list_again(k);
    k->page = k->page > 4 ? k->page / 4 : 1;
    fail(k, LOOKUP_MALFORMED, now, rng);
}

static enum lookup_status status_of(unsigned status)
{
    if (status == 401 || status == 403)
        return LOOKUP_FORBIDDEN;
    return status == 404 ? LOOKUP_NXDOMAIN : status >= 500 ? LOOKUP_SERVFAIL : LOOKUP_REFUSED;
}

/* Our version is too old: all over again, at once the first time. */
static void on_gone(struct kubernetes *k, ns_t now, struct rng *rng)
{
    bool healthy = k->failures == 0;
    list_again(k);
    k->error = LOOKUP_REFUSED;
    wait_longer(k, 0, now, rng);
    if (healthy)
        k->due = ns_add(now, by_chance(KUBERNETES_AGAIN_NS, rng));
}

void kubernetes_on_refused(struct kubernetes *k, unsigned status, ns_t retry_after_ns, ns_t now, struct rng *rng)
{
    if (status == 410) {
        on_gone(k, now, rng);
        return;
    }
    fail(k, status_of(status), now, rng);
    ns_t least = ns_add(now, ns_min(retry_after_ns, KUBERNETES_RETRY_AFTER_NS));
    if (k->due < least)
        k->due = ns_add(least, by_chance(KUBERNETES_BACKOFF_MIN_NS, rng));
}

void kubernetes_refusal(const struct kubernetes *k, unsigned status, const char *name_space, char *out, size_t size)
{
    if (status == 401)
        snprintf(out, size, "the API server answered 401: it does not take the token");
    else if (status == 403)
        snprintf(out, size, "the API server answered 403: may not %s endpointslices.discovery.k8s.io in namespace %s",
                 k->want == KUBERNETES_LIST ? "list" : "watch", name_space);
    else
        snprintf(out, size, "the API server answered %u", status);
}

void kubernetes_on_asked(struct kubernetes *k, ns_t now)
{
    k->asked_at = now;
    k->worked = false;
}

void kubernetes_on_watch_end(struct kubernetes *k, ns_t now, struct rng *rng)
{
    if (!k->worked && now - k->asked_at < KUBERNETES_WORKED_NS) {
        fail(k, LOOKUP_FAILED, now, rng);
        return;
    }
    k->failures = 0;
    k->due = ns_add(now, by_chance(KUBERNETES_AGAIN_NS, rng));
}

static struct endpoint_slice *find(const struct kubernetes_slices *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].name, name) == 0)
            return &s->v[i];
    return NULL;
}

static void drop(struct kubernetes_slices *s, struct endpoint_slice *e)
{
    s->pieces -= e->n;
    endpoint_slice_fini(e);
    *e = s->v[--s->n];
}

/* Takes e over. False when a bound is passed or memory is out. */
static bool put(struct kubernetes_slices *s, struct endpoint_slice *e)
{
    struct endpoint_slice *old = find(s, e->name);
    if (old)
        drop(s, old);
    if (s->n == s->room && s->n < KUBERNETES_SLICES_MAX) {
        size_t room = s->room ? 2 * s->room : 4;
        struct endpoint_slice *v = realloc(s->v, room * sizeof *v);
        s->room = v ? room : s->room;
        s->v = v ? v : s->v;
    }
    if (s->n == s->room || s->n >= KUBERNETES_SLICES_MAX || s->pieces + e->n > ENDPOINT_SLICE_PIECES_MAX) {
        endpoint_slice_fini(e);
        return false;
    }
    s->pieces += e->n;
    s->v[s->n++] = *e;
    return true;
}

static json_t *parse(struct slice text)
{
    json_error_t error;
    return text.n > 0 ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error) : NULL;
}

static bool take_items(struct kubernetes *k, const json_t *list)
{
    const json_t *items = json_object_get(list, "items");
    size_t i;
    json_t *item;
    if (!json_is_object(list) || (items && !json_is_array(items) && !json_is_null(items)))
        return false;
    json_array_foreach(items, i, item)
    {
        struct endpoint_slice e;
        if (!endpoint_slice_parse(&e, item, &k->query))
            return false;
        k->cut |= !put(&k->listed, &e);
    }
    return true;
}

static bool complete(struct kubernetes *k, const char *version, ns_t now)
{
    clear(&k->slices);
    k->slices = k->listed;
    k->listed = (struct kubernetes_slices){0};
    snprintf(k->version, sizeof k->version, "%s", version);
    free(k->next);
    k->next = NULL;
    k->want = KUBERNETES_WATCH;
    k->due = now;
    k->failures = 0;
    k->error = LOOKUP_OK;
    k->known = true;
    return true;
}

bool kubernetes_on_page(struct kubernetes *k, struct slice body, ns_t now, struct rng *rng)
{
    json_t *list = parse(body);
    const char *next = json_string_value(json_object_get(json_object_get(list, "metadata"), "continue"));
    const char *version = endpoint_slice_version(list);
    bool whole = false;
    if (!k->next)
        k->cut = false;
    if (!take_items(k, list) || !version[0] || (next && strlen(next) > KUBERNETES_CONTINUE_MAX)) {
        fail(k, LOOKUP_MALFORMED, now, rng);
    } else if (next && next[0]) {
        free(k->next);
        k->next = strdup(next);
        k->due = now;
        if (!k->next)
            fail(k, LOOKUP_FAILED, now, rng);
    } else {
        whole = complete(k, version, now);
    }
    json_decref(list);
    return whole;
}

/* True when the event was understood. */
static bool apply(struct kubernetes *k, const char *type, const json_t *object, bool *ret_changed)
{
    struct endpoint_slice e;
    bool gone = strcmp(type, "DELETED") == 0;
    if (!gone && strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0)
        return false;
    if (!endpoint_slice_parse(&e, object, &k->query))
        return false;
    *ret_changed = true;
    struct endpoint_slice *old = find(&k->slices, e.name);
    if (gone) {
        if (old)
            drop(&k->slices, old);
        endpoint_slice_fini(&e);
    } else {
        k->cut |= !put(&k->slices, &e);
    }
    return true;
}

static bool is_gone(const char *type, const json_t *object)
{
    return type && strcmp(type, "ERROR") == 0 && json_integer_value(json_object_get(object, "code")) == 410;
}

enum kubernetes_event kubernetes_on_line(struct kubernetes *k, struct slice line, ns_t now, struct rng *rng)
{
    json_t *event = parse(line);
    const json_t *object = json_object_get(event, "object");
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *version = endpoint_slice_version(object);
    bool changed = false;
    enum kubernetes_event result = KUBERNETES_BROKEN;
    if (is_gone(type, object)) {
        on_gone(k, now, rng);
    } else if (type && version[0] && (strcmp(type, "BOOKMARK") == 0 || apply(k, type, object, &changed))) {
        snprintf(k->version, sizeof k->version, "%s", version);
        k->worked = true;
        k->failures = 0;
        k->error = LOOKUP_OK;
        result = changed ? KUBERNETES_CHANGED : KUBERNETES_SAME;
    } else {
        list_again(k);
        fail(k, type && strcmp(type, "ERROR") == 0 ? LOOKUP_SERVFAIL : LOOKUP_MALFORMED, now, rng);
    }
    json_decref(event);
    return result;
}
