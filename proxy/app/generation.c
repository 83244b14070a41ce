/* From a snapshot to something that can serve: endpoints and limits shared with what runs already, TLS contexts, and
 * the places of the listeners. */
#include "app/captured.h"
#include "app/source.h"
#include "net/resolve.h"

#include "base/must.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = 16384 };

/* An identity and its TLS, both NULL for clear text. */
struct secured {
    struct identity *identity;
    struct tls_context *tls;
};

/* One more reference to each. */
static struct secured share(struct identity *identity, struct tls_context *tls)
{
    if (identity) {
        identity->refs++;
        tls_context_ref(tls);
    }
    return (struct secured){identity, tls};
}

static struct scope *scope_get(struct process *p, const struct service_conf *conf)
{
    LIST_FOR(n, &p->scopes) {
        struct scope *s = CONTAINER_OF(n, struct scope, node);
        if (strcmp(s->name, conf->name) == 0)
            return s;
    }
    struct scope *s = must_have(calloc(1, sizeof *s));
    s->name = must_have(strdup(conf->name));
    s->inbound = conf->inbound;
    limit_init(&s->limit);
    budget_init(&s->budget);
    breaker_set_init(&s->breakers, p->workers_n > 1);
    method_names_init(&s->unnamed);
    s->tables = must_have(calloc(p->workers_n, sizeof(struct method_table *)));
    s->tables_n = p->workers_n;
    for (uint32_t i = 0; i < s->tables_n; i++)
        s->tables[i] = must_have(method_table_new(conf->policy));
    list_push_back(&p->scopes, &s->node);
    return s;
}

static void scope_unref(struct scope *s)
{
    if (--s->refs > 0)
        return;
    list_remove(&s->node);
    for (uint32_t i = 0; i < s->tables_n; i++)
        method_table_free(s->tables[i]);
    free(s->tables);
    breaker_set_fini(&s->breakers);
    method_names_fini(&s->unnamed);
    free(s->name);
    free(s);
}

static void service_unref(struct process *p, struct service *s)
{
    if (!s || --s->refs > 0)
        return;
    list_remove(&s->node);
    for (size_t i = 0; i < s->endpoints_n; i++)
        endpoint_unref(s->endpoints[i]);
    free(s->endpoints);
    free(s->ranks);
    tls_context_unref(s->tls);
    identity_unref(p, s->identity);
    scope_unref(s->scope);
    free(s->key);
    free(s);
}

uint64_t folder_fingerprint(const char *path)
{
    uint64_t h = 0;
    DIR *d = path ? opendir(path) : NULL;
    for (const struct dirent *e; d && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        if (e->d_name[0] != '.' && dot && strcmp(dot, ".yaml") == 0)
            h ^= slice_hash(slice_str(e->d_name), 1); /* in any order */
    }
    if (d)
        closedir(d);
    return h;
}

uint64_t file_fingerprint(const char *path)
{
    char chunk[4096];
    uint64_t h = 0;
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        h = slice_hash(slice_make(chunk, n), h + 1);
    fclose(f);
    return h;
}

static const char *or_dash(const char *s)
{
    return s ? s : "-";
}

/* Each address once. */
static void add_address(struct member *v, size_t *n, size_t max, const struct address *a)
{
    for (size_t i = 0; i < *n; i++)
        if (address_eq(&v[i].address, a))
            return;
    if (*n < max)
        v[(*n)++] = member_of(*a);
}

/* The addresses of a service; host names (of `forward`) are resolved. */
static enum err resolve_all(const struct service_conf *conf, struct member *ret, size_t max, size_t *ret_n, char *error)
{
    size_t n = 0;
    for (size_t i = 0; i < conf->endpoints_n && n < max; i++) {
        const struct address *a = &conf->endpoints[i];
        if (a->kind != ADDRESS_NAME) {
            add_address(ret, &n, max, a);
            continue;
        }
        struct address found[RESOLVE_MAX];
        size_t found_n = 0;
        char why[RESOLVE_ERROR_MAX];
        if (resolve_now(a, PROCESS_RESOLVE_NS, found, &found_n, why) != ERR_NONE) {
            snprintf(error, PROCESS_ERROR_MAX, "%s:%u:%u: cannot resolve %s: %s", conf->endpoints_place.file,
                     conf->endpoints_place.line, conf->endpoints_place.column, a->name, why);
            return ERR_NOT_FOUND;
        }
        for (size_t k = 0; k < found_n; k++)
            add_address(ret, &n, max, &found[k]);
    }
    *ret_n = n;
    return ERR_NONE;
}

static char *make_key(const struct service_conf *conf)
{
    static const struct identity_conf none;
    const struct identity_conf *id = conf->tls == TLS_MODE_OFF ? &none : conf->identity;
    char *key = must_have(malloc(KEY_MAX));
    snprintf(key, KEY_MAX, "%s|%d|%s|%s|%s|%s|%s|%s%s|%s|%s", conf->name, conf->tls, or_dash(conf->peer_identity),
             or_dash(conf->peer_dns), or_dash(conf->authority_name), or_dash(id->certificate), or_dash(id->private_key),
             or_dash(id->trust), id->trust_system ? "system" : "", or_dash(id->revoked), or_dash(id->spiffe_socket));
    return key;
}

static bool has_members(const struct service *s, const struct member *v, size_t n)
{
    bool same = s->endpoints_n == n;
    for (size_t i = 0; same && i < n; i++)
        same = member_eq(&(struct member){.address = s->endpoints[i]->address, .rank = s->ranks[i]}, &v[i]);
    return same;
}

static struct service *find_service(struct process *p, const char *key, const struct member *v, size_t n)
{
    LIST_FOR(at, &p->services) {
        struct service *s = CONTAINER_OF(at, struct service, node);
        if (strcmp(s->key, key) == 0 && has_members(s, v, n))
            return s;
    }
    return NULL;
}

/* The endpoint of this address in any set of the scope. Sets are alike: the search begins at the same place. */
static struct endpoint *find_endpoint(struct process *p, const struct scope *scope, const struct address *a,
                                      size_t place)
{
    LIST_FOR(at, &p->services) {
        struct service *s = CONTAINER_OF(at, struct service, node);
        for (size_t k = 0; s->scope == scope && k < s->endpoints_n; k++) {
            struct endpoint *e = s->endpoints[(place + k) % s->endpoints_n];
            if (address_eq(&e->address, a))
                return e;
        }
    }
    return NULL;
}

/* The identity and its TLS of that kind, a reference each; false with a text. */
static bool get_tls(struct process *p, const struct identity_conf *conf, enum tls_mode mode, bool server,
                    struct secured *ret, char *error)
{
    *ret = (struct secured){NULL, NULL};
    if (mode == TLS_MODE_OFF)
        return true;
    if (!(ret->identity = identity_get(p, conf, error)))
        return false;
    ret->tls = identity_context(ret->identity, server, mode == TLS_MODE_MUTUAL, error);
    if (!ret->tls)
        identity_unref(p, ret->identity);
    return ret->tls != NULL;
}

/* Takes over the references of `secured` and the key. */
static struct service *new_service(struct process *p, struct scope *scope, struct secured secured, char *key,
                                   const struct member *v, size_t n)
{
    struct service *s = must_have(calloc(1, sizeof *s));
    s->identity = secured.identity;
    s->tls = secured.tls;
    s->key = key;
    s->scope = scope;
    s->scope->refs++;
    s->endpoints = must_have(calloc(n + 1, sizeof(struct endpoint *)));
    s->ranks = must_have(calloc(n + 1, sizeof *s->ranks));
    s->endpoints_n = n;
    for (size_t i = 0; i < n; i++) {
        struct endpoint *e = find_endpoint(p, scope, &v[i].address, i);
        s->endpoints[i] = e ? endpoint_ref(e) : must_have(endpoint_new(&v[i].address));
        s->ranks[i] = v[i].rank;
    }
    list_push_back(&p->services, &s->node);
    return s;
}

static struct service *make_service(struct process *p, const struct service_conf *conf, const struct member *v,
                                    size_t n, char *error)
{
    char *key = make_key(conf);
    struct service *s = find_service(p, key, v, n);
    struct secured secured;
    if (!s && get_tls(p, conf->identity, conf->tls, false, &secured, error))
        return new_service(p, scope_get(p, conf), secured, key, v, n);
    free(key);
    return s;
}

static struct service *get_static(struct process *p, const struct service_conf *conf, char *error)
{
    size_t max = conf->endpoints_n + RESOLVE_MAX, n = 0;
    struct member *v = must_have(calloc(max, sizeof *v));
    struct service *s = NULL;
    if (resolve_all(conf, v, max, &n, error) == ERR_NONE)
        s = make_service(p, conf, v, n, error);
    free(v);
    return s;
}

/* The service of this name in force, when its connections are made alike; NULL otherwise. */
static struct service *service_before(const struct process *p, const struct service_conf *conf)
{
    struct service *found = NULL;
    char *key = make_key(conf);
    for (size_t i = 0; p->current && i < p->current->snapshot->services_n; i++)
        if (strcmp(p->current->services[i]->key, key) == 0)
            found = p->current->services[i];
    free(key);
    return found;
}

/* Where nobody knows yet: a file was read with the configuration; otherwise the endpoints that the service had; else
 * the name of what is asked, which has no connections, and calls wait for it. */
static struct service *get_unknown(struct process *p, const struct service_conf *conf, char *error)
{
    if (conf->source == ENDPOINTS_FILE)
        return make_service(p, conf, conf->members, conf->members_n, error);
    struct service *before = service_before(p, conf);
    struct member name = member_of(conf->endpoints[0]);
    return before ? before : make_service(p, conf, &name, 1, error);
}

static struct service *service_get(struct process *p, const struct service_conf *conf, char *error)
{
    const struct source *source = source_find(p, conf);
    struct service *s;
    if (conf->source == ENDPOINTS_ORIGINAL)
        s = make_service(p, conf, NULL, 0, error);
    else if (conf->source == ENDPOINTS_STATIC)
        s = get_static(p, conf, error);
    else if (source && source->known && conf->source != ENDPOINTS_FILE)
        s = make_service(p, conf, source->v, source->n, error);
    else
        s = get_unknown(p, conf, error);
    if (s)
        s->refs++;
    return s;
}

/* The same service with what its source knows now. */
static struct service *service_renew(struct process *p, struct service *s, const struct service_conf *conf)
{
    const struct source *source = source_find(p, conf);
    if (source && source->known && !has_members(s, source->v, source->n)) {
        struct service *known = find_service(p, s->key, source->v, source->n);
        s = known
                ? known
                : new_service(p, s->scope, share(s->identity, s->tls), must_have(strdup(s->key)), source->v, source->n);
    }
    s->refs++;
    return s;
}

/* The service of a passage: limits, breakers, statistics, identity and TLS are those of the one it goes through. */
static struct service *passage_get(struct process *p, struct service *through, const struct service_conf *conf,
                                   const struct address *original)
{
    char text[ADDRESS_TEXT_MAX], *key = must_have(malloc(KEY_MAX));
    struct member only = member_of(original_endpoint(conf->inbound, original));
    snprintf(key, KEY_MAX, "%s|%s", through->key, address_format(&only.address, text, sizeof text));
    struct service *s = find_service(p, key, &only, 1);
    if (s)
        free(key);
    else
        s = new_service(p, through->scope, share(through->identity, through->tls), key, &only, 1);
    s->refs++;
    return s;
}

/* All but the passages are there. */
static void add_passages(struct process *p, struct generation *g)
{
    size_t n = g->services_n;
    g->passages_n = captured_passages(p, g->snapshot, &g->passages);
    g->services = must_have(realloc(g->services, (n + g->passages_n + 1) * sizeof(struct service *)));
    for (size_t i = 0; i < g->passages_n; i++) {
        uint32_t through = g->passages[i].service;
        g->services[g->services_n++] =
            passage_get(p, g->services[through], g->snapshot->services[through], &g->passages[i].original);
    }
}

const struct service_conf *generation_conf(const struct generation *g, size_t index)
{
    size_t n = g->snapshot->services_n;
    return g->snapshot->services[index < n ? index : g->passages[index - n].service];
}

static void generation_free(void *generation)
{
    struct generation *g = generation;
    for (size_t i = 0; i < g->services_n; i++)
        service_unref(g->process, g->services[i]);
    free(g->passages);
    for (size_t i = 0; i < g->listeners_n; i++) {
        tls_context_unref(g->listeners[i].tls);
        identity_unref(g->process, g->listeners[i].identity);
    }
    free(g->services);
    free(g->listeners);
    snapshot_unref(g->snapshot);
    free(g);
}

/* Takes the snapshot over. */
static struct generation *empty(struct process *p, struct snapshot *snapshot)
{
    struct generation *g = must_have(calloc(1, sizeof *g));
    atomic_init(&g->refs, 1);
    g->process = p;
    g->snapshot = snapshot;
    g->services = must_have(calloc(snapshot->services_n + 1, sizeof(struct service *)));
    g->listeners = must_have(calloc(snapshot->listeners_n + 1, sizeof *g->listeners));
    return g;
}

struct generation *generation_new(struct process *p, struct snapshot *snapshot, char *error)
{
    struct generation *g = empty(p, snapshot);
    for (size_t i = 0; i < snapshot->services_n; i++) {
        snapshot->services[i]->index = (uint32_t)i;
        g->services[i] = service_get(p, snapshot->services[i], error);
        if (!g->services[i])
            goto fail;
        g->services_n++;
    }
    add_passages(p, g);
    for (size_t i = 0; i < snapshot->listeners_n; i++) {
        struct listener_runtime *l = &g->listeners[g->listeners_n++];
        l->conf = &snapshot->listeners[i];
        struct secured secured;
        if (!get_tls(p, l->conf->identity, l->conf->tls, true, &secured, error))
            goto fail;
        l->identity = secured.identity;
        l->tls = secured.tls;
    }
    return g;
fail:
    generation_free(g);
    return NULL;
}

struct generation *generation_renew(struct process *p)
{
    const struct generation *old = p->current;
    struct generation *g = empty(p, snapshot_ref(old->snapshot));
    for (size_t i = 0; i < old->snapshot->services_n; i++)
        g->services[g->services_n++] = service_renew(p, old->services[i], old->snapshot->services[i]);
    add_passages(p, g);
    for (size_t i = 0; i < old->listeners_n; i++) {
        struct listener_runtime *l = &g->listeners[g->listeners_n++];
        *l = old->listeners[i];
        (void)share(l->identity, l->tls);
    }
    return g;
}

struct generation *generation_ref(struct generation *g)
{
    atomic_fetch_add(&g->refs, 1);
    return g;
}

void generation_unref(struct generation *g)
{
    if (!g || atomic_fetch_sub(&g->refs, 1) > 1)
        return;
    if (g->process->stopping || loop_post(g->process->loop, generation_free, g) != ERR_NONE)
        generation_free(g);
}
