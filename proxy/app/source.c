/* Drives the DNS machine of each source: its timer, its look-up, and what to do with a new set. */
#include "app/source.h"

#include "base/log.h"

#include <stdlib.h>

static bool is_of(const struct source *s, const struct service_conf *conf)
{
    return conf->source == ENDPOINTS_DNS && strcmp(s->service, conf->name) == 0 &&
           address_eq(&s->name, conf->endpoints);
}

const struct source *source_find(const struct process *p, const struct service_conf *conf)
{
    LIST_FOR(n, &p->sources) {
        const struct source *s = CONTAINER_OF(n, struct source, node);
        if (is_of(s, conf))
            return s;
    }
    return NULL;
}

/* The first failure of a row, and each new kind of it, is told; so is the end of the row. */
static void tell_state(const struct source *s, enum lookup_status before, uint32_t failures_before)
{
    const struct dns *d = &s->dns;
    if (d->failures > 0 && (failures_before == 0 || d->error != before))
        log_line(LOG_WARN, "lookup_failed", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_TEXT("error", lookup_status_text(d->error)), LOG_NUMBER("endpoints_kept", d->n));
    else if (d->failures == 0 && failures_before > 0)
        log_line(LOG_INFO, "lookup_recovered", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_NUMBER("failures", failures_before));
}

static void arm(struct source *s)
{
    loop_timer_set(s->timer, s->dns.due);
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

static void on_doubt(void *process)
{
    struct process *p = process;
    LIST_FOR(n, &p->sources) {
        struct source *s = CONTAINER_OF(n, struct source, node);
        struct scope *scope = scope_of(s);
        if (!scope || !atomic_load(&scope->doubted) || s->lookup)
            continue;
        dns_on_doubt(&s->dns, loop_now(p->loop), &s->rng);
        arm(s);
    }
}

void source_doubt(struct process *p, struct scope *scope)
{
    if (!atomic_exchange(&scope->doubted, true) && loop_post(p->loop, on_doubt, p) != ERR_NONE)
        atomic_store(&scope->doubted, false); /* the TTL will do */
}

static void publish(struct source *s, size_t before)
{
    log_line(LOG_INFO, "endpoints_changed", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
             LOG_NUMBER("endpoints", s->dns.n), LOG_NUMBER("before", before));
    process_renew(s->process);
}

static void on_answer(void *ctx, const struct lookup_answer *answer)
{
    struct source *s = ctx;
    enum lookup_status error = s->dns.error;
    uint32_t failures = s->dns.failures;
    size_t before = s->dns.n;
    bool cut = s->dns.cut;
    bool changed = dns_on_answer(&s->dns, answer, loop_now(s->process->loop), &s->rng);
    struct scope *scope = scope_of(s);
    lookup_free(s->lookup);
    s->lookup = NULL;
    if (scope)
        atomic_store(&scope->doubted, false);
    if (s->dns.failures == 0)
        s->good_wall = clock_wall();
    tell_state(s, error, failures);
    if (s->dns.cut && !cut)
        log_line(LOG_WARN, "endpoints_cut", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_NUMBER("most", DNS_ADDRESSES_MAX));
    arm(s);
    if (changed)
        publish(s, before);
}

static void on_due(void *ctx)
{
    struct source *s = ctx;
    enum lookup_status error = s->dns.error;
    uint32_t failures = s->dns.failures;
    s->lookup = lookup_new(s->process->loop, &s->name, on_answer, s);
    if (s->lookup)
        return;
    dns_on_failure(&s->dns, LOOKUP_FAILED, loop_now(s->process->loop), &s->rng);
    tell_state(s, error, failures);
    arm(s);
}

static void *must(void *p)
{
    if (!p)
        abort(); /* a small fixed allocation: the supervisor starts the worker again */
    return p;
}

static void source_new(struct process *p, const struct service_conf *conf)
{
    struct source *s = must(calloc(1, sizeof *s));
    s->process = p;
    s->wanted = true;
    s->service = must(strdup(conf->name));
    s->name = conf->endpoints[0];
    s->name.name = must(strdup(conf->endpoints[0].name));
    address_format(&s->name, s->text, sizeof s->text);
    dns_init(&s->dns);
    rng_init(&s->rng, (uint64_t)clock_wall() ^ slice_hash(slice_str(s->text), 1));
    s->timer = must(loop_timer_new(p->loop, on_due, s));
    list_push_back(&p->sources, &s->node);
    arm(s);
}

static void source_free(struct source *s)
{
    list_remove(&s->node);
    lookup_free(s->lookup);
    loop_timer_free(s->timer);
    dns_fini(&s->dns);
    free(s->service);
    free((char *)(uintptr_t)s->name.name);
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
        else if (snap->services[i]->source == ENDPOINTS_DNS)
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
}
