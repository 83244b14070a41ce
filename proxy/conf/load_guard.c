/* Who may call through an inbound listener: `allow`, compiled; and what the service is told about the caller. */
#include "conf/loader.h"
#include "conf/memory.h"
#include "core/allow.h"

static void load_identities(struct loader *l, const struct node *n, struct allow_rule *r)
{
    r->identities = memory_array(&l->s->arena, loader_count(n), sizeof *r->identities);
    for (const struct node *c = loader_first(n); c; c = c == n ? NULL : c->next)
        if (!c->bad)
            r->identities[r->identities_n++] = memory_copy(&l->s->arena, c->text);
}

static void load_sources(struct loader *l, const struct node *n, struct allow_rule *r)
{
    const char *why;
    r->sources = memory_array(&l->s->arena, loader_count(n), sizeof *r->sources);
    for (const struct node *c = loader_first(n); c; c = c == n ? NULL : c->next)
        if (!c->bad && cidr_parse(c->text, &r->sources[r->sources_n], &why) == ERR_NONE)
            r->sources_n++;
}

static void load_rule(struct loader *l, const struct node *n, struct allow_rule *r)
{
    r->place = loader_place(l, n);
    load_identities(l, node_get(n, "identity"), r);
    load_sources(l, node_get(n, "source"), r);
    r->methods = load_method_patterns(l, node_get(n, "methods"), &r->methods_n);
}

static void load_rules(struct loader *l, const struct node *list, struct allow *a)
{
    size_t methods = 0;
    if (list && list->n > ALLOW_RULES_MAX) {
        node_error(l->tree, l->p, list, "%u rules, expected at most %d: one rule may list many identities and methods",
                   list->n, ALLOW_RULES_MAX);
        return;
    }
    a->rules = memory_array(&l->s->arena, list ? list->n : 0, sizeof *a->rules);
    NODE_FOR(c, list) {
        if (c->bad)
            continue;
        load_rule(l, c, &a->rules[a->rules_n]);
        methods += a->rules[a->rules_n++].methods_n;
    }
    allow_compile(a, memory_array(&l->s->arena, methods, sizeof *a->methods));
}

static const struct allow *load_allow(struct loader *l, const struct node *n)
{
    const struct node *mode = n->kind == NODE_MAP ? node_get(n, "mode") : NULL;
    struct allow *a = memory_take(&l->s->arena, sizeof *a);
    a->place = loader_place(l, n);
    a->audit = loader_is(mode, "audit");
    if (mode)
        a->mode_place = loader_place(l, mode);
    load_rules(l, n->kind == NODE_MAP ? node_get(n, "rules") : n, a);
    return a;
}

void load_guard(struct loader *l, const struct node *n, struct listener_conf *listener)
{
    const struct node *allow = node_get(n, "allow"), *client_cert = node_get(n, "forward_client_cert");
    if (allow)
        listener->allow = load_allow(l, allow);
    listener->tells_client_cert = client_cert ? loader_is(client_cert, "set") : listener->tls == TLS_MODE_MUTUAL;
    if (client_cert)
        listener->client_cert_place = loader_place(l, client_cert);
}
