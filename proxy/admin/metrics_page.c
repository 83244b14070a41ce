/* Gathers what telemetry renders: the tables and counters of all workers, limits, budgets, breakers and endpoints. */
#include "admin/admin.h"
#include "app/ready.h"
#include "app/worker.h"
#include "base/log.h"
#include "telemetry/breakers.h"
#include "telemetry/counters.h"
#include "telemetry/identities.h"
#include "telemetry/methods.h"
#include "telemetry/sources.h"
#include "telemetry/workloads.h"

#include <stdlib.h>

static size_t list_length(const struct list *l)
{
    size_t n = 0;
    LIST_FOR(at, l)
        n++;
    return n;
}

static enum err render_methods(struct prometheus *out, const struct process *p)
{
    size_t n = list_length(&p->scopes), in_n = 0, out_n = 0;
    struct methods_source *in = calloc(2 * n + 1, sizeof *in);
    if (!in)
        return ERR_NOMEM;
    struct methods_source *outbound = in + n;
    LIST_FOR(at, &p->scopes) {
        const struct scope *s = CONTAINER_OF(at, struct scope, node);
        struct methods_source source = {.target = s->name, .tables = s->tables, .tables_n = s->tables_n};
        if (s->inbound)
            in[in_n++] = source;
        else
            outbound[out_n++] = source;
    }
    enum err e = methods_render_server(out, in, in_n);
    if (e == ERR_NONE)
        e = methods_render_client(out, outbound, out_n);
    free(in);
    return e;
}

/* Sets of one service that share an endpoint: it is counted once. */
static bool is_listed(const struct counters_endpoint *endpoints, size_t n, const struct endpoint *e)
{
    for (size_t i = 0; i < n; i++)
        if (endpoints[i].endpoint == e)
            return true;
    return false;
}

struct breaker_rows {
    const char *service, *endpoint; /* that are being read */
    struct breakers_row *v;         /* owned */
    size_t n, room;
    bool failed;
};

static void take_breaker(void *ctx, const struct breaker_fact *fact)
{
    struct breaker_rows *rows = ctx;
    if (rows->n == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 64;
        struct breakers_row *v = realloc(rows->v, room * sizeof *v);
        if (!v) {
            rows->failed = true;
            return;
        }
        rows->v = v;
        rows->room = room;
    }
    rows->v[rows->n++] = (struct breakers_row){rows->service, rows->endpoint, *fact};
}

static enum err render_breakers(struct prometheus *out, const struct process *p)
{
    struct breaker_rows rows = {0};
    ns_t now = loop_now(p->loop);
    for (size_t i = 0; i < p->current->services_n; i++) {
        const struct service *s = p->current->services[i];
        const struct breaker_policy *policy = generation_conf(p->current, i)->policy->breaker;
        rows.service = s->scope->name;
        rows.endpoint = "";
        if (policy && i < p->current->snapshot->services_n)
            breaker_set_each(&s->scope->breakers, policy, NULL, now, take_breaker, &rows);
        for (size_t k = 0; policy && k < s->endpoints_n; k++) {
            rows.endpoint = s->endpoints[k]->text;
            breaker_set_each(&s->scope->breakers, policy, s->endpoints[k], now, take_breaker, &rows);
        }
    }
    breakers_render(out, rows.v, rows.n);
    free(rows.v);
    return rows.failed ? ERR_NOMEM : ERR_NONE;
}

static enum err render_budgets(struct prometheus *out, const struct process *p)
{
    const struct snapshot *snap = p->current->snapshot;
    struct counters_budget *budgets = calloc(snap->services_n + 1, sizeof *budgets);
    if (!budgets)
        return ERR_NOMEM;
    for (size_t i = 0; i < snap->services_n; i++)
        budgets[i] = (struct counters_budget){snap->services[i]->name, &p->current->services[i]->scope->budget,
                                              &snap->services[i]->policy->budget};
    counters_render_budgets(out, budgets, snap->services_n);
    free(budgets);
    return ERR_NONE;
}

static enum err render_services(struct prometheus *out, const struct process *p)
{
    const struct snapshot *snap = p->current->snapshot;
    size_t n = 0, endpoints_n = 0;
    LIST_FOR(at, &p->services)
        endpoints_n += CONTAINER_OF(at, struct service, node)->endpoints_n;
    struct counters_scope *scopes = calloc(snap->services_n + 1, sizeof *scopes);
    struct counters_endpoint *endpoints = calloc(endpoints_n + 1, sizeof *endpoints);
    if (scopes && endpoints) {
        for (size_t i = 0; i < snap->services_n; i++)
            scopes[i] = (struct counters_scope){.name = snap->services[i]->name,
                                                .limit = &p->current->services[i]->scope->limit,
                                                .policy = &snap->services[i]->policy->limits};
        LIST_FOR(at, &p->services) {
            struct service *s = CONTAINER_OF(at, struct service, node);
            for (size_t k = 0; k < s->endpoints_n; k++)
                if (!is_listed(endpoints, n, s->endpoints[k]))
                    endpoints[n++] = (struct counters_endpoint){.service = s->scope->name, .endpoint = s->endpoints[k]};
        }
        counters_render_scopes(out, scopes, snap->services_n);
        counters_render_endpoints(out, endpoints, n);
    }
    enum err e = scopes && endpoints ? ERR_NONE : ERR_NOMEM;
    free(scopes);
    free(endpoints);
    return e;
}

static enum err render_workers(struct prometheus *out, const struct process *p)
{
    const struct worker_stats **stats = calloc(p->workers_n + 1, sizeof(const struct worker_stats *));
    if (!stats)
        return ERR_NOMEM;
    stats[0] = &p->stats;
    for (uint32_t i = 0; i < p->workers_n; i++)
        stats[i + 1] = &p->workers[i]->stats;
    counters_render_workers(out, stats, p->workers_n + 1);
    free(stats);
    return ERR_NONE;
}

void metrics_page_render(struct process *p, struct buf *body)
{
    struct prometheus out;
    struct slice text;
    struct counters_process facts = {.version = OUTRIGGER_VERSION,
                                     .ready = ready_holds(p),
                                     .draining = p->draining,
                                     .workers = p->workers_n,
                                     .generation = p->current->snapshot->generation,
                                     .reloads = atomic_load(&p->reloads),
                                     .reload_failures = atomic_load(&p->reload_failures),
                                     .last_reload_failed = p->last_error != NULL,
                                     .started_wall = p->started_wall,
                                     .loaded_wall = p->loaded_wall};
    prometheus_init(&out);
    counters_render_process(&out, &facts);
    enum err e = render_workers(&out, p);
    if (e == ERR_NONE)
        e = render_services(&out, p);
    if (e == ERR_NONE)
        e = render_budgets(&out, p);
    if (e == ERR_NONE)
        e = render_breakers(&out, p);
    sources_render(&out, &p->sources, loop_now(p->loop));
    identities_render(&out, &p->identities.list);
    workloads_render(&out, &p->identities.list);
    if (e == ERR_NONE)
        e = render_methods(&out, p);
    if (e == ERR_NONE)
        e = prometheus_text(&out, &text);
    if (e == ERR_NONE)
        e = buf_append(body, text.p, text.n);
    if (e != ERR_NONE)
        log_line(LOG_ERROR, "metrics_failed", LOG_TEXT("error", err_text(e)));
    prometheus_fini(&out);
}
