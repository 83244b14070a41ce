/* The sections `inbound` and `outbound`: listeners, the implicit service behind an inbound one, routes. */
#include "conf/loader.h"
#include "conf/memory.h"
#include "core/route.h"

size_t loader_count(const struct node *n)
{
    if (!n)
        return 0;
    return n->kind == NODE_SCALAR ? 1 : n->n;
}

const struct node *loader_first(const struct node *n)
{
    return n && n->kind == NODE_LIST ? n->first : n;
}

/* The text in lower case, its port and final star cut off. */
static struct authority_pattern authority_pattern(struct loader *l, struct slice text)
{
    bool prefix = text.n > 0 && text.p[text.n - 1] == '*';
    struct slice host = prefix ? slice_sub(text, 0, text.n - 1) : route_host(text);
    host = memory_copy(&l->s->arena, host);
    for (char *c = (char *)host.p; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return (struct authority_pattern){.text = host, .prefix = prefix};
}

static struct method_pattern method_pattern(struct loader *l, struct slice text)
{
    if (slice_eq(text, SLICE("*")))
        return (struct method_pattern){.any = true};
    struct slice copy = memory_copy(&l->s->arena, text);
    size_t slash = slice_find(copy, '/');
    struct slice method = slice_sub(copy, slash + 1, copy.n);
    return (struct method_pattern){.service = slice_sub(copy, 0, slash),
                                   .method = slice_eq(method, SLICE("*")) ? slice_sub(copy, copy.n, copy.n) : method};
}

struct method_pattern *load_method_patterns(struct loader *l, const struct node *n, size_t *ret_n)
{
    struct method_pattern *v = memory_array(&l->s->arena, loader_count(n), sizeof *v);
    *ret_n = 0;
    for (const struct node *c = loader_first(n); c; c = c == n ? NULL : c->next)
        if (!c->bad)
            v[(*ret_n)++] = method_pattern(l, c->text);
    return v;
}

static struct address_pattern original_pattern(struct slice text)
{
    struct address_pattern pattern;
    const char *why;
    (void)!address_pattern_parse(text, &pattern, &why); /* the schema found it good */
    return pattern;
}

static void load_addresses(struct loader *l, const struct node *n, struct route *r)
{
    r->addresses = memory_array(&l->s->arena, loader_count(n), sizeof *r->addresses);
    for (const struct node *c = loader_first(n); c; c = c == n ? NULL : c->next)
        if (!c->bad)
            r->addresses[r->addresses_n++] = original_pattern(c->text);
}

static void load_conditions(struct loader *l, const struct node *n, struct route *r)
{
    const struct node *authority = node_get(n, "authority"), *methods = node_get(n, "methods");
    const struct node *metadata = node_get(n, "metadata");
    r->authorities = memory_array(&l->s->arena, loader_count(authority), sizeof *r->authorities);
    for (const struct node *c = loader_first(authority); c; c = c == authority ? NULL : c->next)
        if (!c->bad)
            r->authorities[r->authorities_n++] = authority_pattern(l, c->text);
    r->methods = load_method_patterns(l, methods, &r->methods_n);
    r->metadata = memory_array(&l->s->arena, metadata ? metadata->n : 0, sizeof *r->metadata);
    NODE_FOR(c, metadata)
        if (!c->bad)
            r->metadata[r->metadata_n++] = (struct metadata_match){.name = authority_pattern(l, c->key).text,
                                                                   .value = memory_copy(&l->s->arena, c->text)};
    load_addresses(l, node_get(n, "address"), r);
}

static void add_target(struct route *r, const struct service_conf *service, uint32_t weight)
{
    r->targets[r->targets_n++] = (struct route_target){.service = service, .weight = weight};
    r->weight_sum += weight;
}

static void load_targets(struct loader *l, const struct node *n, struct route *r)
{
    const struct node *service = node_get(n, "service"), *split = node_get(n, "split");
    r->targets = memory_array(&l->s->arena, split ? split->n : 1, sizeof *r->targets);
    if (service && !split) {
        add_target(r, loader_service(l, service, service->text, node_place(l->tree, service)), 1);
        return;
    }
    NODE_FOR(c, split)
        if (!c->bad)
            add_target(r, loader_service(l, c, c->key, node_key_place(l->tree, c)),
                       (uint32_t)schema_value(SCHEMA_INT, c));
}

static void load_route(struct loader *l, const struct node *n, struct route *r)
{
    r->place = loader_place(l, n);
    load_conditions(l, n, r);
    load_targets(l, n, r);
}

static struct listener_conf *new_listener(struct loader *l, const struct node *n)
{
    const struct node *listen = node_get(n, "listen"), *capture = node_get(n, "capture");
    struct listener_conf *listener = &l->s->listeners[l->s->listeners_n];
    l->listener_nodes[l->s->listeners_n++] = n;
    listener->place = loader_place(l, n);
    listener->is_public = loader_is(node_get(n, "public"), "true");
    listener->capture = loader_is(capture, "true");
    if (capture)
        listener->capture_place = loader_place(l, capture);
    listener->text = loader_text(l, listen);
    listener->identity = loader_identity(l, node_get(n, "identity"));
    if (listen)
        listener->address = loader_address(l, listen);
    return listener;
}

/* Clear text, and no policy but the built-in one. */
static struct service_conf *implicit_service(struct loader *l, const char *kind, const struct listener_conf *listener)
{
    struct service_conf *service = memory_take(&l->s->arena, sizeof *service);
    service->name = memory_format(&l->s->arena, "%s/%s", kind, listener->text);
    service->place = listener->place;
    service->inbound = listener->inbound;
    service->endpoints = memory_array(&l->s->arena, 1, sizeof *service->endpoints);
    service->tls = TLS_MODE_OFF;
    service->identity = &l->s->identity;
    service->balance = BALANCE_LEAST_REQUEST;
    service->policy = loader_policy(l, NULL);
    service->index = (uint32_t)l->s->services_n;
    l->s->services[l->s->services_n++] = service;
    return service;
}

static void set_original(struct service_conf *service, struct place place)
{
    service->source = ENDPOINTS_ORIGINAL;
    service->source_text = service->inbound ? "the original port, on loopback" : "the original destination";
    service->endpoints_place = place;
}

static const struct service_conf *guarded_service(struct loader *l, const struct node *n,
                                                  const struct listener_conf *listener)
{
    const struct node *forward = node_get(n, "forward"), *policy = node_get(n, "policy");
    struct service_conf *service = implicit_service(l, "inbound", listener);
    if (forward && loader_is(forward, "original")) {
        set_original(service, loader_place(l, forward));
    } else if (forward) {
        service->endpoints[0] = loader_address(l, forward);
        service->endpoints_n = 1;
        service->endpoints_place = loader_place(l, forward);
    }
    service->policy = loader_policy(l, policy);
    if (policy)
        service->policy_place = loader_place(l, policy);
    return service;
}

static void only_target(struct loader *l, struct route *r, struct place place, const struct service_conf *service)
{
    r->place = place;
    r->targets = memory_array(&l->s->arena, 1, sizeof *r->targets);
    add_target(r, service, 1);
}

static void load_inbound(struct loader *l, const struct node *n)
{
    struct listener_conf *listener = new_listener(l, n);
    const struct node *tls = node_get(n, "tls");
    listener->inbound = true;
    listener->tls = loader_tls(tls);
    if (tls)
        listener->tls_place = loader_place(l, tls);
    load_guard(l, n, listener);
    listener->routes = memory_array(&l->s->arena, 1, sizeof *listener->routes);
    listener->routes_n = 1;
    only_target(l, &listener->routes[0], listener->place, guarded_service(l, n, listener));
}

static void load_outbound(struct loader *l, const struct node *n)
{
    const struct node *routes = node_get(n, "routes");
    struct listener_conf *listener = new_listener(l, n);
    listener->tls = TLS_MODE_OFF;
    listener->routes = memory_array(&l->s->arena, (routes ? routes->n : 0) + 1, sizeof *listener->routes);
    NODE_FOR(c, routes)
        if (!c->bad)
            load_route(l, c, &listener->routes[listener->routes_n++]);
    if (!listener->capture)
        return;
    struct service_conf *rest = implicit_service(l, "original", listener);
    set_original(rest, listener->capture_place);
    only_target(l, &listener->routes[listener->routes_n++], listener->capture_place, rest);
}

void load_listeners(struct loader *l, const struct node *inbound, const struct node *outbound)
{
    size_t n = (inbound ? inbound->n : 0) + (outbound ? outbound->n : 0);
    l->s->listeners = memory_array(&l->s->arena, n, sizeof *l->s->listeners);
    l->listener_nodes = memory_array(&l->tree->arena, n, sizeof(struct node *));
    NODE_FOR(c, inbound)
        if (!c->bad)
            load_inbound(l, c);
    NODE_FOR(c, outbound)
        if (!c->bad)
            load_outbound(l, c);
}
