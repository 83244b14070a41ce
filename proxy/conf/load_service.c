/* The section `services`: endpoints, TLS, peer, authority, balance. */
#include "conf/endpoints_file.h"
#include "conf/loader.h"
#include "conf/memory.h"

#include <errno.h>
#include <unistd.h>

/* What stands for the endpoints until they are known. */
static void add_name(struct loader *l, struct service_conf *service, struct address a)
{
    service->endpoints = memory_array(&l->s->arena, 1, sizeof *service->endpoints);
    service->endpoints[service->endpoints_n++] = a;
}

static void set_source(struct loader *l, const struct node *n, struct service_conf *service, const char *text)
{
    service->source_text = text;
    service->source_key = text;
    service->endpoints_place = loader_place(l, n);
    if (service->endpoints_n == 0)
        add_name(l, service, (struct address){.kind = ADDRESS_NAME, .name = text});
}

/* The name stands where the addresses will: looked up while it is in force. */
static void load_dns(struct loader *l, const struct node *n, struct service_conf *service)
{
    service->source = ENDPOINTS_DNS;
    if (!n->bad)
        add_name(l, service, loader_address(l, n));
    set_source(l, n, service, loader_text(l, n));
}

static void load_srv(struct loader *l, const struct node *n, struct service_conf *service)
{
    service->source = ENDPOINTS_SRV;
    set_source(l, n, service, loader_text(l, n));
}

static void load_file_source(struct loader *l, const struct node *n, struct service_conf *service)
{
    service->source = ENDPOINTS_FILE;
    service->file = loader_path(l, n);
    set_source(l, n, service, service->file);
    if (l->skip_files || n->bad)
        return;
    size_t errors = l->p->errors;
    if (access(service->file, R_OK) != 0) {
        node_error(l->tree, l->p, n, "%s cannot be read: %s", service->file, strerror(errno));
        return;
    }
    endpoints_file_load(service->file, l->s->node.zone, &l->s->arena, &service->members, &service->members_n, l->p);
    if (l->p->errors > errors)
        node_error(l->tree, l->p, n, "%s is no file of endpoints", service->file);
}

static void load_original(struct loader *l, const struct node *n, struct service_conf *service)
{
    service->source = ENDPOINTS_ORIGINAL;
    service->source_text = "the original destination";
    service->endpoints_place = loader_place(l, n);
}

static const char *optional(struct loader *l, const struct node *n)
{
    return n ? loader_text(l, n) : NULL;
}

static const char *or_none(const char *s)
{
    return s ? s : "";
}

static void load_kubernetes(struct loader *l, const struct node *n, struct service_conf *service)
{
    struct kubernetes_conf *k = &service->kubernetes;
    struct arena *a = &l->s->arena;
    service->source = ENDPOINTS_KUBERNETES;
    k->service = loader_text(l, node_get(n, "service"));
    k->name_space = optional(l, node_get(n, "namespace"));
    k->port = loader_text(l, node_get(n, "port"));
    k->api = optional(l, node_get(n, "api"));
    k->token = loader_path(l, node_get(n, "token"));
    k->ca = loader_path(l, node_get(n, "ca"));
    set_source(l, n, service,
               memory_format(a, "%s%s%s:%s", or_none(k->name_space), k->name_space ? "/" : "", k->service, k->port));
    service->source_key = memory_format(a, "%s|%s|%s|%s|%s", service->source_text, or_none(k->api), or_none(k->token),
                                        or_none(k->ca), l->s->node.zone);
}

static void load_static(struct loader *l, const struct node *n, struct service_conf *service)
{
    const struct node *list = node_get(n, "static");
    service->endpoints = memory_array(&l->s->arena, list ? list->n : 0, sizeof *service->endpoints);
    if (n)
        service->endpoints_place = loader_place(l, list ? list : n);
    NODE_FOR(child, list)
        if (!child->bad)
            service->endpoints[service->endpoints_n++] = loader_address(l, child);
}

static void load_endpoints(struct loader *l, const struct node *n, struct service_conf *service)
{
    static const struct {
        const char *key;
        void (*load)(struct loader *l, const struct node *n, struct service_conf *service);
    } sources[] = {{"dns", load_dns},
                   {"srv", load_srv},
                   {"file", load_file_source},
                   {"kubernetes", load_kubernetes},
                   {"original", load_original}};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        const struct node *found = node_get(n, sources[i].key);
        if (!found)
            continue;
        sources[i].load(l, found, service);
        return;
    }
    load_static(l, n, service);
}

/* Without a peer the name that is looked up is what an endpoint must prove, as certificates write it: without the dot
 * that may end it. */
static void check_name(struct loader *l, struct service_conf *service)
{
    struct slice name = slice_str(service->endpoints[0].name);
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    service->peer_dns = memory_copy(&l->s->arena, name).p;
    service->peer_place = service->endpoints_place;
}

static void load_peer(struct loader *l, const struct node *n, struct service_conf *service)
{
    const struct node *identity = node_get(n, "identity"), *dns = node_get(n, "dns");
    if (identity)
        service->peer_identity = loader_text(l, identity);
    if (dns)
        service->peer_dns = loader_text(l, dns);
    if (identity || dns)
        service->peer_place = loader_place(l, identity ? identity : dns);
    else if (service->source == ENDPOINTS_DNS && service->tls != TLS_MODE_OFF && service->endpoints_n > 0)
        check_name(l, service);
}

static void load_authority(struct loader *l, const struct node *n, struct service_conf *service)
{
    service->authority = AUTHORITY_KEEP;
    if (!n)
        return;
    service->authority_place = loader_place(l, n);
    if (loader_is(n, "keep"))
        return;
    bool checked = loader_is(n, "service");
    service->authority = checked ? AUTHORITY_SERVICE : AUTHORITY_NAME;
    service->authority_name = checked ? service->peer_dns : loader_text(l, n);
}

static enum balance_kind balance_of(struct slice word)
{
    static const char *const names[] = {
#define X(name, text) [BALANCE_##name] = text,
        BALANCE_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq(word, slice_str(names[i])))
            return (enum balance_kind)i;
    return BALANCE_LEAST_REQUEST;
}

/* A word, or a mapping of one word to its options. */
static void load_balance(struct loader *l, const struct node *n, struct service_conf *service)
{
    const struct node *options = n && n->kind == NODE_MAP && node_is_good(n->first) ? n->first : NULL;
    service->balance = BALANCE_LEAST_REQUEST;
    if (!n)
        return;
    service->balance = balance_of(options ? options->key : n->text);
    service->balance_place = loader_key_place(l, n);
    struct balance_options *o = &service->balance_options;
    o->ewma_decay_ns = 10 * NS_PER_S;
    o->ewma_initial_ns = 30 * NS_PER_MS;
    o->failure_counts_ns = NS_PER_S;
    loader_set_duration(l, node_get(options, "slow_start"), &o->slow_start_ns, &o->slow_start_place);
    loader_set_duration(l, node_get(options, "decay"), &o->ewma_decay_ns, &o->decay_place);
    loader_set_duration(l, node_get(options, "initial"), &o->ewma_initial_ns, &o->initial_place);
    loader_set_duration(l, node_get(options, "failure_counts"), &o->failure_counts_ns, &o->failure_counts_place);
}

static struct service_conf *load_service(struct loader *l, const struct node *n)
{
    struct service_conf *service = memory_take(&l->s->arena, sizeof *service);
    const struct node *map = n->bad ? NULL : n;
    const struct node *tls = node_get(map, "tls"), *balance = node_get(map, "balance"),
                      *policy = node_get(map, "policy");
    service->name = memory_copy(&l->s->arena, n->key).p;
    service->place = loader_key_place(l, n);
    load_endpoints(l, node_get(map, "endpoints"), service);
    service->tls = loader_tls(tls);
    service->identity = loader_identity(l, node_get(map, "identity"));
    if (tls)
        service->tls_place = loader_place(l, tls);
    load_peer(l, node_get(map, "peer"), service);
    load_authority(l, node_get(map, "authority"), service);
    load_balance(l, balance, service);
    service->policy = loader_policy(l, policy);
    if (policy)
        service->policy_place = loader_place(l, policy);
    return service;
}

void load_services(struct loader *l, size_t implicit_n)
{
    size_t n = l->services ? l->services->n : 0;
    l->s->services = memory_array(&l->s->arena, n + implicit_n, sizeof *l->s->services);
    l->service_used = memory_array(&l->tree->arena, n, sizeof *l->service_used);
    NODE_FOR(child, l->services) {
        struct service_conf *service = load_service(l, child);
        service->index = (uint32_t)l->s->services_n;
        l->s->services[l->s->services_n++] = service;
    }
}
