/* Gathers what telemetry renders: the tables and counters of all workers, limits and endpoints. */
#include "admin/admin.h"
#include "app/worker.h"
#include "base/log.h"
#include "telemetry/counters.h"
#include "telemetry/methods.h"
#include "telemetry/sources.h"

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
                                     .ready = p->ready,
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
    sources_render(&out, &p->sources, loop_now(p->loop));
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
