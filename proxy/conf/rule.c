/* Rules that hold inside one mapping. */
#include "conf/rule.h"

#include "conf/nearest.h"
#include "conf/schema.h"

/* Adds a problem unless exactly one of the keys is there. `choice` names them for people. */
static void exactly_one(const struct tree *t, const struct node *map, struct problems *p, const char *const *keys,
                        const char *choice)
{
    const struct node *found = NULL;
    bool misspelt = false;
    NODE_FOR(n, map)
        misspelt |= n->bad;
    for (; *keys; keys++) {
        const struct node *n = node_find(map, slice_str(*keys));
        if (n && found)
            node_key_error(t, p, n, "stands beside \"%s\", expected only one of %s", found->key.p, choice);
        found = found ? found : n;
    }
    if (!found && !misspelt)
        node_key_error(t, p, map, "none is there, expected one of %s", choice);
}

void rule_identity(const struct tree *t, const struct node *map, struct problems *p)
{
    const struct node *socket = node_find(map, SLICE("spiffe_socket"));
    if (socket && map->n > 1)
        node_key_error(t, p, socket, "stands beside other keys, expected it alone: all of the identity comes from it");
    bool certificate = node_find(map, SLICE("certificate")), key = node_find(map, SLICE("private_key"));
    if (certificate && !key)
        node_missing(t, p, map, "private_key", "missing, expected the key of the certificate");
    if (key && !certificate)
        node_missing(t, p, map, "certificate", "missing, expected the certificate of the private key");
}

static const struct node *rules_of(const struct node *allow)
{
    return allow && allow->kind == NODE_MAP ? node_get(allow, "rules") : allow;
}

/* Only connections to ports are redirected. */
static bool captures(const struct tree *t, const struct node *map, struct problems *p)
{
    const struct node *capture = node_get(map, "capture"), *listen = node_get(map, "listen");
    bool on = capture && slice_eq(capture->text, SLICE("true"));
    if (on && listen && slice_starts(listen->text, SLICE("unix:")))
        node_key_error(t, p, capture, "nothing can be redirected to a unix socket, expected listen: IP:port");
    return on;
}

void rule_inbound(const struct tree *t, const struct node *map, struct problems *p)
{
    const struct node *tls = node_get(map, "tls"), *allow = rules_of(node_get(map, "allow"));
    const struct node *client_cert = node_get(map, "forward_client_cert"), *listen = node_get(map, "listen");
    bool anonymous = tls && (schema_is_off(tls) || slice_eq(tls->text, SLICE("server")));
    const struct node *forward = node_get(map, "forward");
    bool is_unix = listen && slice_starts(listen->text, SLICE("unix:"));
    if (!captures(t, map, p) && forward && slice_eq(forward->text, SLICE("original")))
        node_error(t, p, forward, "not known without capture: true, expected that beside it, or an address");
    if (anonymous && client_cert && slice_eq(client_cert->text, SLICE("set")))
        node_key_error(t, p, client_cert, "callers show no certificate with tls: %s, expected tls: mutual or strip",
                       tls->text.p);
    NODE_FOR(rule, allow) {
        const struct node *identity = rule->bad ? NULL : node_find(rule, SLICE("identity"));
        const struct node *source = rule->bad ? NULL : node_find(rule, SLICE("source"));
        if (identity && anonymous)
            node_key_error(t, p, identity,
                           "callers prove no identity with tls: %s, expected tls: mutual or no identity", tls->text.p);
        if (source && is_unix)
            node_key_error(t, p, source, "callers of a unix socket come from no network, expected no source");
    }
}

void rule_outbound(const struct tree *t, const struct node *map, struct problems *p)
{
    bool misspelt = false;
    NODE_FOR(n, map) {
        struct nearest near;
        nearest_init(&near, n->key);
        nearest_offer(&near, "routes");
        misspelt |= n->bad && near.best;
    }
    if (!captures(t, map, p) && !node_find(map, SLICE("routes")) && !misspelt)
        node_missing(t, p, map, "routes", "missing, expected a list");
}

void rule_allow(const struct tree *t, const struct node *map, struct problems *p)
{
    if (map->n == 0)
        node_error(t, p, map, "empty, which is everybody and everything, expected identity, methods or source");
}

void rule_route(const struct tree *t, const struct node *map, struct problems *p)
{
    static const char *const keys[] = {"service", "split", NULL};
    exactly_one(t, map, p, keys, "service and split");
}

void rule_one_source(const struct tree *t, const struct node *map, struct problems *p)
{
    static const char *const keys[] = {"static", "dns", "srv", "file", "kubernetes", "original", NULL};
    const struct node *original = node_get(map, "original");
    exactly_one(t, map, p, keys, "static, dns, srv, file, kubernetes and original");
    if (original && !slice_eq(original->text, SLICE("true")))
        node_error(t, p, original, "found \"%s\", expected true, or another key", original->text.p);
}

void rule_one_peer(const struct tree *t, const struct node *map, struct problems *p)
{
    static const char *const keys[] = {"identity", "dns", NULL};
    exactly_one(t, map, p, keys, "identity and dns");
}

void rule_one_balancer(const struct tree *t, const struct node *map, struct problems *p)
{
    if (map->n != 1)
        node_key_error(t, p, map, "found %u keys, expected the name of one balancer and its options", map->n);
}

void rule_retry_or_hedge(const struct tree *t, const struct node *map, struct problems *p)
{
    const struct node *retry = node_get(map, "retry"), *hedge = node_get(map, "hedge");
    if (retry && hedge && !schema_is_off(retry) && !schema_is_off(hedge))
        node_key_error(t, p, hedge, "stands beside \"retry\", expected only one of retry and hedge");
}

/* Adds a problem when both are written and low > high. */
static void in_order(const struct tree *t, const struct node *map, struct problems *p, enum schema_type type,
                     const char *low, const char *high)
{
    const struct node *a = node_get(map, low), *b = node_get(map, high);
    if (a && b && schema_value(type, a) > schema_value(type, b))
        node_error(t, p, a, "%s is more than %s: %s, expected at most that", a->text.p, high, b->text.p);
}

/* The same of durations that have defaults: one of them is enough. */
static void in_order_by_default(const struct tree *t, const struct node *map, struct problems *p, const char *low,
                                const char *low_default, const char *high, const char *high_default)
{
    const struct node *a = node_get(map, low), *b = node_get(map, high);
    const struct node low_node = {.text = slice_str(low_default)}, high_node = {.text = slice_str(high_default)};
    if (a && b)
        in_order(t, map, p, SCHEMA_DURATION, low, high);
    else if (a && !node_find(map, slice_str(high)) &&
             schema_value(SCHEMA_DURATION, a) > schema_value(SCHEMA_DURATION, &high_node))
        node_error(t, p, a, "%s is more than %s: %s (the default), expected at most that", a->text.p, high,
                   high_default);
    else if (b && !node_find(map, slice_str(low)) &&
             schema_value(SCHEMA_DURATION, b) < schema_value(SCHEMA_DURATION, &low_node))
        node_error(t, p, b, "%s is less than %s: %s (the default), expected at least that", b->text.p, low,
                   low_default);
}

void rule_backoff(const struct tree *t, const struct node *map, struct problems *p)
{
    in_order_by_default(t, map, p, "initial", "25ms", "max", "250ms");
}

void rule_drain(const struct tree *t, const struct node *map, struct problems *p)
{
    in_order_by_default(t, map, p, "window", "5s", "deadline", "30s");
}

void rule_open(const struct tree *t, const struct node *map, struct problems *p)
{
    in_order_by_default(t, map, p, "base", "1s", "max", "60s");
}

void rule_outlier(const struct tree *t, const struct node *map, struct problems *p)
{
    in_order(t, map, p, SCHEMA_DURATION, "base_ejection", "max_ejection");
}

void rule_adaptive(const struct tree *t, const struct node *map, struct problems *p)
{
    in_order(t, map, p, SCHEMA_INT, "min", "max");
}

void rule_ring_hash(const struct tree *t, const struct node *map, struct problems *p)
{
    in_order(t, map, p, SCHEMA_INT, "min_ring_size", "max_ring_size");
}
