/* Follows one call through a snapshot: the listener and its route; explain_target.c has the rest of the way. */
#include "conf/explain.h"

#include "conf/explain_internal.h"
#include "conf/memory.h"
#include "core/route.h"

const char *explain_from(struct arena *a, struct place place)
{
    return place.line ? memory_format(a, "%s:%u", place.file, place.line) : "default";
}

void explain_row(struct explain_row *rows, size_t *n, struct explain_row row)
{
    if (*n < EXPLAIN_ROWS_MAX)
        rows[(*n)++] = row;
}

static bool metadata_at(const void *headers, size_t i, struct slice *ret_name, struct slice *ret_value)
{
    const struct explain_query *q = headers;
    if (i >= q->metadata_n)
        return false;
    *ret_name = q->metadata[i].name;
    *ret_value = q->metadata[i].value;
    return true;
}

static struct route_query route_query_of(const struct explain_query *q, const char *authority)
{
    return (struct route_query){.authority = slice_str(authority),
                                .path = slice_str(q->path),
                                .metadata = metadata_at,
                                .headers = q,
                                .original = q->original};
}

/* Finds the condition that keeps a route from matching by asking with the others taken away. */
static const char *why_not(struct arena *a, const struct route *r, const struct route_query *q)
{
    struct route only = *r;
    only.methods_n = only.metadata_n = only.addresses_n = 0;
    if (!route_find(&only, 1, q))
        return memory_format(a, "authority %.*s is not among its authorities", (int)q->authority.n, q->authority.p);
    only.addresses_n = r->addresses_n;
    if (!route_find(&only, 1, q))
        return q->original ? "the original destination is not among its addresses"
                           : "it asks for an original destination, see --original";
    only.methods_n = r->methods_n;
    if (!route_find(&only, 1, q))
        return "the method is not among its methods";
    return "the metadata it asks for is not there";
}

static void list_misses(struct arena *a, struct explain_listener *e, const struct route_query *q)
{
    const struct listener_conf *l = e->listener;
    size_t n = e->route ? (size_t)(e->route - l->routes) : l->routes_n;
    e->misses = memory_array(a, n, sizeof *e->misses);
    for (; e->misses_n < n; e->misses_n++) {
        const struct route *r = &l->routes[e->misses_n];
        e->misses[e->misses_n] = (struct explain_miss){explain_from(a, r->place), why_not(a, r, q)};
    }
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

/* Whom the listener lets in, and what becomes of the identity that was asked about. */
static struct explain_row caller_row(struct arena *a, const struct listener_conf *l, const struct explain_query *q)
{
    const char *identity = q->identity ? q->identity : "not told";
    struct explain_row row = {"caller", identity, "caller", ""};
    if (!l->inbound)
        row.why = q->identity ? "an outbound listener does not look at it" : "whoever reaches this address";
    else if (l->tls == TLS_MODE_MUTUAL && l->allow)
        row.why = "verified by the trusted authorities";
    else if (l->tls == TLS_MODE_MUTUAL)
        row.why = "let in, as every peer is that the trusted authorities verify";
    else
        row.why = memory_format(a, "not asked for, as tls is %s", tls_text(l->tls));
    return row;
}

/* The conditions of a route as the file has them. */
static const char *conditions_text(struct arena *a, const struct route *r)
{
    const char *text = "";
    for (size_t i = 0; i < r->authorities_n; i++)
        text = memory_format(a, "%s%s%.*s%s", text, i ? " or " : "authority ", (int)r->authorities[i].text.n,
                             r->authorities[i].text.p, r->authorities[i].prefix ? "*" : "");
    for (size_t i = 0; i < r->methods_n; i++) {
        const struct method_pattern *m = &r->methods[i];
        text = memory_format(a, "%s%s%.*s%s%.*s", text,
                             i       ? " or "
                             : *text ? ", method "
                                     : "method ",
                             (int)m->service.n, m->service.p,
                             m->any        ? "*"
                             : m->method.n ? "/"
                                           : "/*",
                             (int)m->method.n, m->method.p);
    }
    for (size_t i = 0; i < r->metadata_n; i++)
        text = memory_format(a, "%s%smetadata %.*s: %.*s", text, *text ? ", " : "", (int)r->metadata[i].name.n,
                             r->metadata[i].name.p, (int)r->metadata[i].value.n, r->metadata[i].value.p);
    for (size_t i = 0; i < r->addresses_n; i++) {
        char pattern[ADDRESS_PATTERN_TEXT_MAX];
        text = memory_format(a, "%s%s%s", text,
                             i       ? " or "
                             : *text ? ", address "
                                     : "address ",
                             address_pattern_format(&r->addresses[i], pattern));
    }
    return *text ? text : "takes every call";
}

static struct explain_row route_row(struct arena *a, const struct listener_conf *l, const struct route *r)
{
    if (l->inbound)
        return (struct explain_row){"route", "forward", explain_from(a, r->place), ""};
    const char *number = memory_format(a, "%zu", (size_t)(r - l->routes) + 1);
    return (struct explain_row){"route", number, explain_from(a, r->place), conditions_text(a, r)};
}

static struct explain_row original_row(struct arena *a, const struct listener_conf *l, const struct explain_query *q)
{
    char text[ADDRESS_TEXT_MAX] = "not told";
    const char *why = q->original ? "" : "a captured connection brings it, see --original";
    if (q->original)
        address_format(q->original, text, sizeof text);
    return (struct explain_row){"original", memory_copy(a, slice_str(text)).p,
                                q->original ? "caller" : explain_from(a, l->capture_place), why};
}

static void explain_listener(struct arena *a, const struct snapshot *s, const struct explain_query *q,
                             struct explain_listener *e)
{
    const struct listener_conf *l = e->listener;
    const char *authority = q->authority ? q->authority : l->address.kind == ADDRESS_UNIX ? "localhost" : l->text;
    struct route_query query = route_query_of(q, authority);
    (void)s;
    explain_row(e->rows, &e->rows_n, (struct explain_row){"listener", l->text, explain_from(a, l->place), ""});
    if (l->inbound)
        explain_row(e->rows, &e->rows_n,
                    (struct explain_row){"listener.tls", tls_text(l->tls), explain_from(a, l->tls_place), ""});
    explain_row(e->rows, &e->rows_n, caller_row(a, l, q));
    if (l->inbound)
        explain_guard(a, e, q);
    explain_row(e->rows, &e->rows_n,
                (struct explain_row){"authority", authority, q->authority ? "caller" : "default",
                                     q->authority ? "" : "clients that dial the listener send its address"});
    if (l->capture)
        explain_row(e->rows, &e->rows_n, original_row(a, l, q));
    e->route = route_find(l->routes, l->routes_n, &query);
    list_misses(a, e, &query);
    if (!e->route) {
        explain_row(e->rows, &e->rows_n,
                    (struct explain_row){"route", "none", "", "answered UNIMPLEMENTED, reason NO_ROUTE"});
        return;
    }
    explain_row(e->rows, &e->rows_n, route_row(a, l, e->route));
    e->targets_n = e->route->targets_n;
    e->targets = memory_array(a, e->targets_n, sizeof *e->targets);
    for (size_t i = 0; i < e->targets_n; i++)
        explain_target(a, e->route, i, q, &e->targets[i]);
}

void explain_call(struct explanation *e, const struct snapshot *s, const struct explain_query *q)
{
    *e = (struct explanation){0};
    arena_init(&e->arena, NULL, 0);
    e->listeners = memory_array(&e->arena, s->listeners_n, sizeof *e->listeners);
    for (size_t i = 0; i < s->listeners_n; i++) {
        if (s->listeners[i].inbound != q->inbound)
            continue;
        struct explain_listener *l = &e->listeners[e->listeners_n++];
        l->listener = &s->listeners[i];
        explain_listener(&e->arena, s, q, l);
    }
}

void explanation_fini(struct explanation *e)
{
    arena_fini(&e->arena);
    *e = (struct explanation){0};
}
