/* The /config page: what is in force, where it came from, and what was refused last, as JSON. */
#include "admin/admin.h"
#include "admin/config_guard.h"
#include "admin/config_policy.h"
#include "app/captured.h"
#include "app/source.h"
#include "base/log.h"

#include <stdlib.h>
#include <time.h>

static json_t *wall(ns_t t)
{
    char text[64];
    struct tm tm;
    time_t seconds = (time_t)(t / NS_PER_S);
    if (t == 0)
        return json_null();
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static const char *tls_text(enum tls_mode mode)
{
    switch (mode) {
    case TLS_MODE_OFF:
        return "off";
    case TLS_MODE_SERVER:
        return "server";
    case TLS_MODE_MUTUAL:
        return "mutual";
    }
    return "";
}

static const char *balance_text(enum balance_kind kind)
{
    switch (kind) {
#define X(name, text)                                                                                                  \
    case BALANCE_##name:                                                                                               \
        return text;
        BALANCE_LIST(X)
#undef X
    }
    return "";
}

static json_int_t milliseconds(ns_t t)
{
    return t / NS_PER_MS;
}

static json_t *route_json(const struct route *r)
{
    json_t *targets = json_array();
    for (size_t i = 0; i < r->targets_n; i++)
        json_array_append_new(targets, json_pack("{s:s, s:I}", "service", r->targets[i].service->name, "weight",
                                                 (json_int_t)r->targets[i].weight));
    return json_pack("{s:s, s:i, s:o}", "file", r->place.file ? r->place.file : "", "line", (int)r->place.line,
                     "targets", targets);
}

static json_t *listener_json(const struct listener_conf *l)
{
    json_t *routes = json_array();
    for (size_t i = 0; i < l->routes_n; i++)
        json_array_append_new(routes, route_json(&l->routes[i]));
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:o, s:s, s:o}", "listen", l->text, "side",
                     l->inbound ? "inbound" : "outbound", "tls", tls_text(l->tls), "public", (int)l->is_public,
                     "capture", (int)l->capture, "allow", config_guard_json(l->allow), "forward_client_cert",
                     l->tells_client_cert ? "set" : "strip", "routes", routes);
}

static json_t *breaker_json(const struct breaker_fact *f, ns_t now)
{
    bool waits = f->probe_in_ns != NS_NEVER;
    return json_pack("{s:s%, s:s, s:b, s:I, s:o, s:o}", "method", f->method.p, f->method.n, "state",
                     breaker_state_name(f->state), "held", (int)f->held, "openings", (json_int_t)f->opened, "since_ms",
                     f->since > 0 ? json_integer(milliseconds(now - f->since)) : json_null(), "probe_in_ms",
                     waits ? json_integer(milliseconds(f->probe_in_ns + NS_PER_MS - 1)) : json_null());
}

struct breakers {
    json_t *list;
    ns_t now;
};

static void add_breaker(void *ctx, const struct breaker_fact *fact)
{
    struct breakers *b = ctx;
    json_array_append_new(b->list, breaker_json(fact, b->now));
}

/* Those of an endpoint, or with NULL that of the service; null when there is no such scope. */
static json_t *breakers_json(const struct process *p, const struct service_conf *conf, const struct service *s,
                             const struct endpoint *e)
{
    const struct breaker_policy *policy = conf->policy->breaker;
    if (!policy || (policy->scope == BREAKER_SCOPE_SERVICE) != (e == NULL))
        return json_null();
    struct breakers b = {json_array(), loop_now(p->loop)};
    breaker_set_each(&s->scope->breakers, policy, e, b.now, add_breaker, &b);
    return b.list;
}

static json_t *budget_json(const struct budget *b, const struct budget_policy *policy)
{
    if (!policy->present)
        return json_null();
    return json_pack("{s:f, s:f, s:b}", "tokens", budget_tokens_milli(b, policy) / 1e3, "max_tokens",
                     policy->max_milli / 1e3, "allows", (int)budget_allows(b, policy));
}

static json_t *endpoint_json(const struct process *p, const struct service_conf *conf, const struct service *s,
                             const struct endpoint *e)
{
    return json_pack("{s:s, s:i, s:i, s:o}", "address", e->text, "connections", (int)atomic_load(&e->connections),
                     "in_flight", (int)atomic_load(&e->inflight), "breakers", breakers_json(p, conf, s, e));
}

static const char *source_text(enum endpoint_source source)
{
    switch (source) {
    case ENDPOINTS_STATIC:
        break;
    case ENDPOINTS_DNS:
        return "dns";
    case ENDPOINTS_SRV:
        return "srv";
    case ENDPOINTS_FILE:
        return "file";
    case ENDPOINTS_KUBERNETES:
        return "kubernetes";
    case ENDPOINTS_ORIGINAL:
        return "original";
    }
    return "static";
}

static json_int_t next_ms(const struct source *s, ns_t now)
{
    return s->due == NS_NEVER ? -1 : s->due > now ? milliseconds(s->due - now) : 0;
}

/* Where the endpoints come from, when it is not the file. */
static json_t *discovery_json(const struct process *p, const struct service_conf *conf)
{
    const struct source *s = source_find(p, conf);
    if (!s)
        return json_null();
    return json_pack("{s:s, s:s, s:o, s:s?, s:s?, s:I, s:I, s:I}", "source", source_text(s->from), "name", s->text,
                     "last_good_at", wall(s->good_wall), "error",
                     s->error == LOOKUP_OK ? NULL : lookup_status_text(s->error), "why", s->why[0] ? s->why : NULL,
                     "failures", (json_int_t)s->failures, "changes", (json_int_t)s->changes, "next_ms",
                     next_ms(s, loop_now(p->loop)));
}

static void add_endpoints(json_t *to, const struct process *p, const struct service_conf *conf, const struct service *s)
{
    for (size_t i = 0; i < s->endpoints_n; i++)
        json_array_append_new(to, endpoint_json(p, conf, s, s->endpoints[i]));
}

static json_t *service_json(const struct process *p, const struct service_conf *conf, const struct service *s)
{
    const struct generation *g = p->current;
    json_t *endpoints = json_array();
    add_endpoints(endpoints, p, conf, s);
    for (size_t i = 0; i < g->passages_n; i++)
        if (g->passages[i].service == conf->index)
            add_endpoints(endpoints, p, conf, g->services[g->snapshot->services_n + i]);
    return json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "name", conf->name, "tls",
                     tls_text(conf->tls), "peer_identity", conf->peer_identity, "peer_dns", conf->peer_dns, "authority",
                     conf->authority_name, "balance", balance_text(conf->balance), "policy", conf->policy->name,
                     "requests_active", (int)atomic_load(&s->scope->limit.active), "requests_waiting",
                     (int)atomic_load(&s->scope->limit.pending), "discovery", discovery_json(p, conf), "endpoints",
                     endpoints, "retry_budget", budget_json(&s->scope->budget, &conf->policy->budget), "breakers",
                     breakers_json(p, conf, s, NULL));
}

static json_t *bounds_json(const struct bounds *b)
{
    json_t *out = json_object();
#define SCALE_COUNT 1
#define SCALE_SIZE  1
#define SCALE_TIME  NS_PER_MS
#define NAME_COUNT  ""
#define NAME_SIZE   "_bytes"
#define NAME_TIME   "_ms"
#define X(field, kind, otherwise, least, most, doc)                                                                    \
    json_object_set_new(out, #field NAME_##kind, json_integer(b->field / SCALE_##kind));
    BOUNDS_VALUES(X)
#undef X
#define X(field, at_once, refill, doc)                                                                                 \
    json_object_set_new(                                                                                               \
        out, #field, json_pack("{s:i, s:i}", "burst", (int)b->field.burst, "per_second", (int)b->field.per_second));
    BOUNDS_RATES(X)
#undef X
    return out;
}

static json_t *identities_json(const struct list *identities)
{
    json_t *out = json_array();
    LIST_FOR(n, identities) {
        const struct identity *id = CONTAINER_OF(n, const struct identity, node);
        for (int i = 0; i < TLS_PART_COUNT; i++) {
            ns_t end = tls_material_end(id->material, (enum tls_part)i);
            json_array_append_new(out,
                                  json_pack("{s:s, s:s, s:o, s:I, s:I, s:b}", "identity", id->name, "part",
                                            tls_part_text((enum tls_part)i), "ends_at", wall(end == NS_NEVER ? 0 : end),
                                            "rotations", (json_int_t)id->rotations[i], "rotation_failures",
                                            (json_int_t)id->failures[i], "refused", id->seen[i] != id->used[i]));
        }
    }
    return out;
}

static json_t *in_force(const struct process *p)
{
    const struct snapshot *s = p->current->snapshot;
    json_t *listeners = json_array(), *services = json_array(), *policies = json_array();
    for (size_t i = 0; i < s->listeners_n; i++)
        json_array_append_new(listeners, listener_json(&s->listeners[i]));
    for (size_t i = 0; i < s->services_n; i++)
        json_array_append_new(services, service_json(p, s->services[i], p->current->services[i]));
    for (size_t i = 0; i < s->policies_n; i++)
        json_array_append_new(policies, config_policy_json(s->policies[i]));
    return json_pack("{s:i, s:{s:s, s:s, s:s}, s:{s:I, s:I}, s:s?, s:o, s:o, s:o, s:o, s:o}", "workers",
                     (int)s->workers, "node", "service", s->node.service, "namespace", s->node.name_space, "zone",
                     s->node.zone, "drain", "window_ms", milliseconds(s->drain.window), "deadline_ms",
                     milliseconds(s->drain.deadline), "policy_dir", s->policy_dir, "listeners", listeners, "services",
                     services, "policies", policies, "bounds", bounds_json(&s->bounds), "identities",
                     identities_json(&p->identities.list));
}

void config_page_render(const struct process *p, struct buf *body)
{
    json_t *refused =
        p->last_error ? json_pack("{s:o, s:s}", "at", wall(p->failed_wall), "error", p->last_error) : json_null();
    json_t *page = json_pack("{s:s, s:I, s:o, s:I, s:I, s:o, s:o}", "file", p->options->config, "generation",
                             (json_int_t)p->current->snapshot->generation, "loaded_at", wall(p->loaded_wall), "reloads",
                             (json_int_t)atomic_load(&p->reloads), "reload_failures",
                             (json_int_t)atomic_load(&p->reload_failures), "refused", refused, "config", in_force(p));
    char *text = page ? json_dumps(page, JSON_INDENT(2)) : NULL;
    if (!text || buf_append(body, text, strlen(text)) != ERR_NONE || buf_append(body, "\n", 1) != ERR_NONE)
        log_line(LOG_ERROR, "config_page_failed", LOG_TEXT("error", "out of memory or bytes that are no text"));
    free(text);
    json_decref(page);
}
