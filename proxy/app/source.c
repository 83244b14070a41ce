/* What all sources have in common: their beginning and end, the last good set, counting and telling. */
#include "app/source_kind.h"

#include "base/log.h"
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

static const struct source_kind *kind_of(enum endpoint_source from)
{
    switch (from) {
    case ENDPOINTS_STATIC:
    case ENDPOINTS_ORIGINAL:
        break;
    case ENDPOINTS_DNS:
        return &source_dns;
    case ENDPOINTS_SRV:
        return &source_srv;
    case ENDPOINTS_FILE:
        return &source_file;
    case ENDPOINTS_KUBERNETES:
        return &source_kubernetes;
    }
    return NULL;
}

static bool is_of(const struct source *s, const struct service_conf *conf)
{
    return conf->source == s->from && strcmp(s->service, conf->name) == 0 && strcmp(s->key, conf->source_key) == 0;
}

const struct source *source_find(const struct process *p, const struct service_conf *conf)
{
    if (!service_has_source(conf))
        return NULL;
    LIST_FOR(n, &p->sources) {
        const struct source *s = CONTAINER_OF(n, struct source, node);
        if (is_of(s, conf))
            return s;
    }
    return NULL;
}

bool source_all_known(const struct process *p)
{
    LIST_FOR(n, &p->sources)
        if (!CONTAINER_OF(n, struct source, node)->known)
            return false;
    return true;
}

static struct scope *scope_of(const struct source *s)
{
    LIST_FOR(n, &s->process->scopes) {
        struct scope *scope = CONTAINER_OF(n, struct scope, node);
        if (strcmp(scope->name, s->service) == 0)
            return scope;
    }
    return NULL;
}

void source_arm(struct source *s, ns_t at)
{
    s->due = at;
    loop_timer_set(s->timer, at);
}

void source_on_asked(struct source *s)
{
    struct scope *scope = scope_of(s);
    if (scope)
        atomic_store(&scope->doubted, false);
}

static void on_doubt(void *process)
{
    struct process *p = process;
    LIST_FOR(n, &p->sources) {
        struct source *s = CONTAINER_OF(n, struct source, node);
        struct scope *scope = scope_of(s);
        if (scope && atomic_load(&scope->doubted) && s->kind->on_doubt)
            s->kind->on_doubt(s);
    }
}

void source_doubt(struct process *p, struct scope *scope)
{
    if (!atomic_exchange(&scope->doubted, true) && loop_post(p->loop, on_doubt, p) != ERR_NONE)
        atomic_store(&scope->doubted, false); /* the TTL will do */
}

void source_look(struct process *p)
{
    LIST_FOR(n, &p->sources) {
        struct source *s = CONTAINER_OF(n, struct source, node);
        if (s->kind->look)
            s->kind->look(s);
    }
}

static void on_renew(void *process)
{
    struct process *p = process;
    p->renewed_at = loop_now(p->loop);
    process_renew(p);
}

/* Changes that come together become one generation. */
static void renew_soon(struct process *p)
{
    if (!p->renew_timer)
        p->renew_timer = must_have(loop_timer_new(p->loop, on_renew, p));
    ns_t now = loop_now(p->loop), next = ns_add(p->renewed_at, SOURCE_MERGE_NS);
    loop_timer_set(p->renew_timer, p->renewed_at == 0 || next < now ? now : next);
}

static bool is_same(const struct source *s, const struct member *v, size_t n)
{
    bool same = s->known && s->n == n;
    for (size_t i = 0; same && i < n; i++)
        same = member_eq(&s->v[i], &v[i]);
    return same;
}

static void publish(struct source *s, const struct member *v, size_t n)
{
    struct member *copy = must_have(calloc(n + 1, sizeof *copy));
    size_t before = s->n;
    if (n > 0)
        memcpy(copy, v, n * sizeof *copy);
    free(s->v);
    s->v = copy;
    s->n = n;
    s->known = true;
    s->changes++;
    log_line(LOG_INFO, "endpoints_changed", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
             LOG_NUMBER("endpoints", n), LOG_NUMBER("before", before));
    renew_soon(s->process);
}

void source_on_good(struct source *s, const struct member *v, size_t n)
{
    if (s->failures > 0)
        log_line(LOG_INFO, "lookup_recovered", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_NUMBER("failures", s->failures));
    s->failures = 0;
    s->error = LOOKUP_OK;
    s->why[0] = '\0';
    s->updates++;
    s->good_at = loop_now(s->process->loop);
    s->good_wall = clock_wall();
    if (n > SOURCE_ENDPOINTS_MAX) {
        log_line(LOG_WARN, "endpoints_cut", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_NUMBER("most", SOURCE_ENDPOINTS_MAX));
        n = SOURCE_ENDPOINTS_MAX;
    }
    if (!is_same(s, v, n))
        publish(s, v, n);
}

/* The first failure of a row, and each new kind of it, is told; source_on_good tells the end of the row. */
void source_on_failed(struct source *s, enum lookup_status error, const char *why)
{
    bool told = s->failures > 0 && s->error == error && (!why || strcmp(s->why, why) == 0);
    if (s->failures < UINT32_MAX)
        s->failures++;
    s->failed[error]++;
    s->error = error;
    snprintf(s->why, sizeof s->why, "%s", why ? why : "");
    if (!told)
        log_line(LOG_WARN, "lookup_failed", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_TEXT("error", lookup_status_text(error)), LOG_TEXT("why", s->why),
                 LOG_NUMBER("endpoints_kept", s->n));
}

static void on_timer(void *ctx)
{
    struct source *s = ctx;
    s->kind->on_timer(s);
}

static void source_new(struct process *p, const struct service_conf *conf)
{
    struct source *s = must_have(calloc(1, sizeof *s));
    s->process = p;
    s->wanted = true;
    s->from = conf->source;
    s->kind = kind_of(conf->source);
    s->service = must_have(strdup(conf->name));
    s->key = must_have(strdup(conf->source_key));
    s->text = must_have(strdup(conf->source_text));
    s->good_at = s->due = NS_NEVER;
    rng_init(&s->rng, (uint64_t)clock_wall() ^ slice_hash(slice_str(s->key), 1));
    s->timer = must_have(loop_timer_new(p->loop, on_timer, s));
    list_push_back(&p->sources, &s->node);
    s->kind->start(s, conf);
}

static void source_free(struct source *s)
{
    list_remove(&s->node);
    s->kind->stop(s);
    loop_timer_free(s->timer);
    free(s->v);
    free(s->service);
    free(s->key);
    free(s->text);
    free(s);
}

void source_sync(struct process *p)
{
    const struct snapshot *snap = p->current->snapshot;
    LIST_FOR(n, &p->sources)
        CONTAINER_OF(n, struct source, node)->wanted = false;
    for (size_t i = 0; i < snap->services_n; i++) {
        struct source *s = (struct source *)(uintptr_t)source_find(p, snap->services[i]);
        if (s)
            s->wanted = true;
        else if (service_has_source(snap->services[i]))
            source_new(p, snap->services[i]);
    }
    LIST_FOR_SAFE(n, &p->sources) {
        struct source *s = CONTAINER_OF(n, struct source, node);
        if (!s->wanted)
            source_free(s);
    }
}

void source_free_all(struct process *p)
{
    LIST_FOR_SAFE(n, &p->sources)
        source_free(CONTAINER_OF(n, struct source, node));
    loop_timer_free(p->renew_timer);
}
