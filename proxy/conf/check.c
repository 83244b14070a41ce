/* Rules that need more than one section of the configuration. */
#include "conf/check.h"

#include "conf/loader.h"
#include "conf/memory.h"

#include <stdlib.h>

static void check_outbound_reach(struct loader *l, const struct listener_conf *listener, const struct node *listen)
{
    if (!listener->is_public && !address_is_loopback(&listener->address))
        node_error(
            l->tree, l->p, listen,
            "%s can be reached by strangers, who would speak with our identity; expected loopback or unix:PATH, or "
            "public: true beside it",
            listener->text);
}

static void check_inbound_reach(struct loader *l, const struct listener_conf *listener, const struct node *listen)
{
    if (listener->tls == TLS_MODE_OFF && !listener->is_public && !address_is_loopback(&listener->address))
        node_warn(l->tree, l->p, listen,
                  "%s takes calls in clear text from whoever reaches it; tls: mutual guards it, public: true says it "
                  "is meant",
                  listener->text);
}

static void check_admin(struct loader *l)
{
    const struct admin_conf *admin = &l->s->admin;
    const struct node *listen = node_get(node_get(l->tree->root, "admin"), "listen");
    if (admin->present && !admin->is_public && !address_is_loopback(&admin->address))
        node_error(
            l->tree, l->p, listen,
            "%s can be reached by strangers, who would read our state; expected loopback or unix:PATH, or public: "
            "true beside it",
            admin->text);
}

/* A listening address and the node that names it. */
struct bound {
    const struct address *address;
    const struct node *listen;
};

static bool is_before(const struct node *a, const struct node *b)
{
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* Same addresses become neighbours; the one that means all addresses of a port stands before the others. */
static int compare_bound(const void *left, const void *right)
{
    const struct bound *x = left, *y = right;
    const struct address *a = x->address, *b = y->address;
    int by_address = a->kind != b->kind        ? (a->kind < b->kind ? -1 : 1)
                     : a->kind == ADDRESS_UNIX ? strcmp(a->name, b->name)
                     : a->port != b->port      ? (a->port < b->port ? -1 : 1)
                                               : memcmp(a->ip, b->ip, sizeof a->ip);
    return by_address ? by_address : is_before(x->listen, y->listen) ? -1 : 1;
}

static bool covers(const struct address *a, const struct address *b)
{
    return address_eq(a, b) || (address_is_any(a) && a->kind == b->kind && a->port == b->port);
}

static void check_bound_twice(struct loader *l, struct bound *v, size_t n)
{
    size_t first = 0; /* of the group that may cover what follows */
    if (n > 1)
        qsort(v, n, sizeof *v, compare_bound);
    for (size_t i = 1; i < n; i++) {
        if (!covers(v[first].address, v[i].address) && !covers(v[i - 1].address, v[i].address)) {
            first = i;
            continue;
        }
        bool later = is_before(v[first].listen, v[i].listen);
        const struct node *again = later ? v[i].listen : v[first].listen,
                          *other = later ? v[first].listen : v[i].listen;
        node_error(l->tree, l->p, again, "%s is taken by line %u (%s), expected an address of its own", again->text.p,
                   other->line, other->text.p);
    }
}

static void check_addresses(struct loader *l)
{
    const struct snapshot *s = l->s;
    struct bound *v = memory_array(&l->tree->arena, s->listeners_n + 1, sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < s->listeners_n; i++) {
        const struct node *listen = node_get(l->listener_nodes[i], "listen");
        if (!listen)
            continue;
        v[n++] = (struct bound){&s->listeners[i].address, listen};
        (s->listeners[i].inbound ? check_inbound_reach : check_outbound_reach)(l, &s->listeners[i], listen);
    }
    if (s->admin.present)
        v[n++] = (struct bound){&s->admin.address, node_get(node_get(l->tree->root, "admin"), "listen")};
    check_bound_twice(l, v, n);
}

/* What of the identity a user of TLS lacks, as text, or NULL. What is written but wrong has been reported. */
static const char *lacking(const struct node *identity, bool key, bool trust)
{
    if (node_find(identity, SLICE("spiffe_socket")))
        return NULL;
    bool no_key = key && !node_find(identity, SLICE("certificate")) && !node_find(identity, SLICE("private_key"));
    bool no_trust = trust && !node_find(identity, SLICE("trust"));
    if (no_key && no_trust)
        return "identity.certificate, identity.private_key and identity.trust";
    if (no_key)
        return "identity.certificate and identity.private_key";
    return no_trust ? "identity.trust" : NULL;
}

/* `owner` is the mapping that holds the key tls, which may be absent. */
static void check_identity_for(struct loader *l, const struct node *owner, enum tls_mode tls, bool inbound)
{
    const struct node *n = node_find(owner, SLICE("tls"));
    const char *mode = tls == TLS_MODE_MUTUAL ? n ? "mutual" : "mutual (the default)" : "server";
    const struct node *own = node_find(owner, SLICE("identity"));
    const struct node *written = own ? own : node_find(l->tree->root, SLICE("identity"));
    const char *missing = lacking(written, inbound || tls == TLS_MODE_MUTUAL, !inbound || tls == TLS_MODE_MUTUAL);
    if (tls == TLS_MODE_OFF && own && !(n && n->bad))
        node_warn(l->tree, l->p, own, "not used, as tls is off");
    if (tls == TLS_MODE_OFF || !missing || (n && n->bad) || (written && written->bad))
        return;
    node_problem(l->p, PROBLEM_ERROR, n ? node_place(l->tree, n) : node_key_place(l->tree, owner), owner, "tls",
                 "%s needs %s", mode, missing);
}

/* Whether the owner of a key tls uses the identity of the whole file. */
static bool uses_main(const struct node *owner, enum tls_mode tls)
{
    return tls != TLS_MODE_OFF && !node_find(owner, SLICE("identity"));
}

static void check_identity(struct loader *l)
{
    const struct node *identity = node_get(l->tree->root, "identity");
    bool used = false;
    for (size_t i = 0; i < l->s->listeners_n; i++) {
        if (!l->s->listeners[i].inbound)
            continue;
        used |= uses_main(l->listener_nodes[i], l->s->listeners[i].tls);
        check_identity_for(l, l->listener_nodes[i], l->s->listeners[i].tls, true);
    }
    NODE_FOR(n, l->services) {
        if (n->bad)
            continue;
        used |= uses_main(n, l->s->services[n->index]->tls);
        check_identity_for(l, n, l->s->services[n->index]->tls, false);
    }
    if (identity && !used)
        node_warn(l->tree, l->p, identity, "no listener and no service uses it");
}

static void check_peer(struct loader *l, const struct node *n, const struct service_conf *service)
{
    const struct node *peer = node_find(n, SLICE("peer")), *endpoints = node_find(n, SLICE("endpoints"));
    const struct node *tls = node_find(n, SLICE("tls")), *authority = node_get(n, "authority");
    bool dns = node_find(endpoints, SLICE("dns"));
    if (tls && tls->bad)
        return;
    if (service->tls == TLS_MODE_OFF && peer)
        node_warn(l->tree, l->p, peer, "not checked, as tls is off");
    if (service->tls != TLS_MODE_OFF && !peer && !dns && endpoints)
        node_missing(l->tree, l->p, n, "peer",
                     "missing, expected whom the endpoints must prove to be: { identity: URI } or { dns: NAME }");
    if (service->authority == AUTHORITY_SERVICE && !dns &&
        (service->tls == TLS_MODE_OFF || (peer && !service->peer_dns)))
        node_error(l->tree, l->p, authority,
                   "no DNS name is checked here, expected keep or a name, or peer: { dns: NAME }");
}

static int compare_text(const void *left, const void *right)
{
    const struct node *a = *(const struct node *const *)left, *b = *(const struct node *const *)right;
    int by_text = strcmp(a->text.p, b->text.p);
    return by_text ? by_text : a->index < b->index ? -1 : a->index > b->index;
}

static void check_endpoints(struct loader *l, const struct node *n)
{
    const struct node *list = node_get(node_get(n, "endpoints"), "static");
    const struct node **v = memory_array(&l->tree->arena, list ? list->n : 0, sizeof *v);
    size_t found = 0;
    NODE_FOR(c, list)
        if (!c->bad)
            v[found++] = c;
    if (found > 1)
        qsort(v, found, sizeof *v, compare_text);
    for (size_t i = 1; i < found; i++)
        if (strcmp(v[i]->text.p, v[i - 1]->text.p) == 0)
            node_warn(l->tree, l->p, v[i], "%s stands here twice, it counts once", v[i]->text.p);
}

static void check_services(struct loader *l)
{
    NODE_FOR(n, l->services) {
        if (n->bad)
            continue;
        check_peer(l, n, l->s->services[n->index]);
        check_endpoints(l, n);
        if (!l->service_used[n->index])
            node_warn(l->tree, l->p, n, "no route leads to this service");
    }
}

static bool takes_everything(const struct route *r)
{
    bool authority = r->authorities_n == 0, method = r->methods_n == 0;
    for (size_t i = 0; i < r->authorities_n; i++)
        authority |= r->authorities[i].prefix && r->authorities[i].text.n == 0;
    for (size_t i = 0; i < r->methods_n; i++)
        method |= r->methods[i].any;
    return authority && method && r->metadata_n == 0 && r->addresses_n == 0;
}

static void check_routes(struct loader *l, const struct listener_conf *listener, const struct node *routes)
{
    const struct node *n = routes ? routes->first : NULL;
    for (size_t i = 0; n && i + 1 < listener->routes_n; n = n->next) {
        if (n->bad)
            continue;
        if (takes_everything(&listener->routes[i++]) && n->next) {
            node_warn(l->tree, l->p, n->next, "never reached, as the route in line %u takes everything", n->line);
            return;
        }
    }
}

/* What only captured connections have. */
static void check_original(struct loader *l, const struct listener_conf *listener, const struct node *n,
                           const struct route *r)
{
    const struct node *address = node_find(n, SLICE("address"));
    if (address)
        node_key_error(l->tree, l->p, address, "not known here, expected capture: true on the listener %s",
                       listener->text);
    for (size_t i = 0; i < r->targets_n; i++)
        if (r->targets[i].service && r->targets[i].service->source == ENDPOINTS_ORIGINAL)
            node_error(l->tree, l->p, n,
                       "leads to the service \"%s\", whose endpoints are original: expected capture: true on the "
                       "listener %s",
                       r->targets[i].service->name, listener->text);
}

static void check_not_captured(struct loader *l, const struct listener_conf *listener, const struct node *routes)
{
    size_t i = 0;
    NODE_FOR(n, routes)
        if (!n->bad && !listener->capture)
            check_original(l, listener, n, &listener->routes[i++]);
}

static void check_listeners(struct loader *l)
{
    for (size_t i = 0; i < l->s->listeners_n; i++) {
        const struct listener_conf *listener = &l->s->listeners[i];
        const struct node *forward = node_get(l->listener_nodes[i], "forward");
        const struct service_conf *behind = listener->inbound ? listener->routes[0].targets[0].service : NULL;
        if (forward && behind->endpoints_n && listener->text[0] &&
            address_eq(&listener->address, &behind->endpoints[0]))
            node_error(l->tree, l->p, forward, "%s is this listener itself, expected the address of the service",
                       forward->text.p);
        const struct node *routes = listener->inbound ? NULL : node_get(l->listener_nodes[i], "routes");
        check_routes(l, listener, routes);
        check_not_captured(l, listener, routes);
    }
    if (!node_find(l->tree->root, SLICE("inbound")) && !node_find(l->tree->root, SLICE("outbound")))
        node_warn(l->tree, l->p, l->tree->root, "there is no listener, expected inbound or outbound");
}

void check_all(struct loader *l)
{
    check_admin(l);
    check_addresses(l);
    check_identity(l);
    check_services(l);
    check_policies(l);
    check_listeners(l);
}
