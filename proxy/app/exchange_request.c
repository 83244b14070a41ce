/* From a request block to a call: judging it, finding its service, and keeping what is sent upstream. */
#include "app/downstream.h"
#include "app/exchange.h"
#include "app/upstream.h"
#include "core/deadline.h"
#include "core/route.h"

#include <assert.h>
#include <stdio.h>

enum { PREVIOUS_DIGITS_MAX = 6 };

static bool metadata_at(const void *headers, size_t i, struct slice *ret_name, struct slice *ret_value)
{
    const struct headers *h = headers;
    if (i >= h->n)
        return false;
    *ret_name = header_name(&h->v[i]);
    *ret_value = header_value(&h->v[i]);
    return true;
}

static struct slice value_of(const struct headers *h, enum token t)
{
    const struct header *f = headers_find(h, t);
    return f ? header_value(f) : SLICE("");
}

static struct slice authority_of(const struct headers *h)
{
    struct slice a = value_of(h, TOKEN_AUTHORITY);
    return a.n > 0 ? a : value_of(h, TOKEN_HOST);
}

/* How much of a caller's text a message quotes. */
static int shown(struct slice s)
{
    return (int)(s.n < 128 ? s.n : 128);
}

/* Asks the gate of an inbound listener; false after the caller was answered. */
static bool admit(struct exchange *x, const struct listener_conf *l, struct slice path)
{
    char text[512];
    enum reason denial = gate_judge(x->downstream, l, path);
    if (denial == REASON_NONE)
        return true;
    exchange_refuse(x, allow_status(denial), denial, gate_text(x->downstream, denial, path, text, sizeof text), "200");
    return false;
}

/* The place of a service in the view; of one that says `original` that of its passage for this connection. False after
 * the caller was answered. */
static bool find_place(struct exchange *x, const struct service_conf *service, size_t *ret)
{
    const struct downstream *d = x->downstream;
    const struct generation *g = x->worker->view->generation;
    *ret = service->index;
    if (service->source != ENDPOINTS_ORIGINAL)
        return true;
    for (size_t i = 0; d->captured && i < g->passages_n; i++) {
        if (g->passages[i].captured != d->captured->id || g->passages[i].service != service->index)
            continue;
        *ret = g->snapshot->services_n + i;
        return true;
    }
    exchange_refuse(x, STATUS_UNAVAILABLE, REASON_NO_ENDPOINT,
                    d->captured ? "the connection is older than the route to its original destination"
                                : original_text(d->flaw),
                    "200");
    return false;
}

/* Finds the service and the policy of the method; false after the caller was answered. */
static bool route(struct exchange *x, const struct headers *h)
{
    const struct listener_runtime *l = worker_listener(x->worker, x->downstream->bound);
    struct route_query q = {
        .authority = authority_of(h), .path = value_of(h, TOKEN_PATH), .metadata = metadata_at, .headers = h};
    size_t place;
    char text[400];
    if (x->downstream->captured)
        q.original = &x->downstream->captured->original;
    if (l && gate_is_there(&x->downstream->gate, l->conf) && !admit(x, l->conf, q.path))
        return false;
    const struct route *r = l ? route_find(l->conf->routes, l->conf->routes_n, &q) : NULL;
    if (!r) {
        snprintf(text, sizeof text, "no route for authority \"%.*s\" and method %.*s", shown(q.authority),
                 q.authority.p, shown(q.path), q.path.p);
        exchange_refuse(x, STATUS_UNIMPLEMENTED, REASON_NO_ROUTE, text, "200");
        return false;
    }
    if (!find_place(x, route_pick(r, &x->worker->rng), &place))
        return false;
    x->view = x->worker->view;
    view_enter(x->view);
    x->upstream = x->view->upstreams[place];
    x->upstream->calls++;
    struct method_entry *entry = method_table_find(x->upstream->methods, q.path, &x->method);
    x->policy = x->upstream->conf->policy;
    if (x->policy->breaker)
        x->breaker = breaker_set_view(&x->upstream->service->scope->breakers, x->policy, entry);
    x->entry = entry->counted;
    counter_add(&x->entry->calls.started, 1);
    if (x->upstream->sni[0] == '\0' && x->upstream->service->tls) {
        struct slice host = address_is_ip_text(route_host(q.authority)) ? SLICE("") : route_host(q.authority);
        snprintf(x->upstream->sni, sizeof x->upstream->sni, "%.*s", (int)(host.n < 255 ? host.n : 255), host.p);
    }
    return true;
}

static bool has_two(const struct headers *h, enum token t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->n; i++)
        n += h->v[i].token == t;
    return n > 1;
}

/* Answers requests that cannot become calls. */
static bool judge(struct exchange *x, const struct headers *h, bool oversize, ns_t *ret_timeout)
{
    const struct header *timeout = headers_find(h, TOKEN_GRPC_TIMEOUT);
    *ret_timeout = NS_NEVER;
    if (oversize) {
        exchange_refuse(x, STATUS_RESOURCE_EXHAUSTED, REASON_BAD_REQUEST,
                        "request metadata over 100 fields or 16384 bytes (name + value + 32 each)", "200");
        return false;
    }
    switch (grpc_judge_request(h)) {
    case GRPC_REQUEST_OK:
        break;
    case GRPC_REQUEST_BAD_METHOD:
        x->head_only = slice_eq(value_of(h, TOKEN_METHOD), SLICE("HEAD"));
        exchange_answer_http(x, "405", "gRPC requests use POST; this method is not allowed here.\n");
        return false;
    case GRPC_REQUEST_BAD_CONTENT_TYPE:
        exchange_answer_http(x, "415", "gRPC requests have the content type application/grpc.\n");
        return false;
    case GRPC_REQUEST_BAD_PATH:
        exchange_refuse(x, STATUS_UNIMPLEMENTED, REASON_NO_ROUTE, "the path is not /package.Service/Method", "200");
        return false;
    }
    if (timeout && (has_two(h, TOKEN_GRPC_TIMEOUT) || deadline_parse(header_value(timeout), ret_timeout) != ERR_NONE)) {
        exchange_refuse(x, STATUS_INTERNAL, REASON_BAD_REQUEST, "malformed grpc-timeout", "400");
        return false;
    }
    return true;
}

void exchange_on_request(struct exchange *x, const struct headers *h, bool end, bool oversize)
{
    ns_t timeout;
    x->call.request_ended = end;
    x->call.request_ended_at = x->worker->now;
    if (!judge(x, h, oversize, &timeout) || !route(x, h))
        return;
    x->own_deadline = timeout != NS_NEVER && (x->method->timeout_ns == 0 || timeout <= x->method->timeout_ns);
    x->has_deadline = timeout != NS_NEVER || x->method->timeout_ns > 0;
    if (exchange_keep_request(x, h, x->upstream->service->tls ? "https" : "http") != ERR_NONE) {
        exchange_refuse(x, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED, "out of memory", "200");
        return;
    }
    x->timeout = timeout;
    if (session_is_suspect(&x->downstream->link.session)) /* what is reset in this turn never goes up */
        list_push_back(&x->worker->deferred, &x->queue);
    else
        exchange_start_deferred(x);
}

void exchange_start_deferred(struct exchange *x)
{
    exchange_step(x, (struct call_event){.kind = CALL_EV_START, .timeout_ns = x->timeout});
}

bool exchange_keep_field(struct exchange *x, const struct header *f, struct header *to)
{
    struct slice value = arena_copy(&x->arena, header_value(f));
    *to = *f;
    to->value = value.p;
    if (f->token != TOKEN_NONE) {
        to->name = token_name((enum token)f->token).p;
        return value.p;
    }
    to->name = arena_copy(&x->arena, header_name(f)).p;
    return value.p && to->name;
}

static struct slice forwarded_authority(const struct exchange *x, const struct headers *h)
{
    const struct service_conf *conf = x->upstream->conf;
    return conf->authority == AUTHORITY_KEEP ? authority_of(h) : slice_str(conf->authority_name);
}

enum err exchange_keep_request(struct exchange *x, const struct headers *h, const char *scheme)
{
    struct slice authority = forwarded_authority(x, h);
    struct header path = header_make(TOKEN_PATH, value_of(h, TOKEN_PATH));
    struct header host = header_make(TOKEN_AUTHORITY, authority);
    uint16_t n = 0;
    x->request = arena_alloc(&x->arena, (h->n + 5) * sizeof *x->request);
    if (!x->request)
        return ERR_NOMEM;
    x->request[n++] = header_make(TOKEN_METHOD, SLICE("POST"));
    x->request[n++] = header_make(TOKEN_SCHEME, slice_str(scheme));
    assert(n == EXCHANGE_PATH_AT);
    if (!exchange_keep_field(x, &path, &x->request[n++]) ||
        (authority.n > 0 && !exchange_keep_field(x, &host, &x->request[n++])))
        return ERR_NOMEM;
    x->timeout_at = n;
    if (x->has_deadline)
        n++;
    for (uint32_t i = 0; i < h->n; i++) {
        const struct header *f = &h->v[i];
        bool replaced = f->token == TOKEN_GRPC_TIMEOUT && x->has_deadline; /* else it is for ever: as it was sent */
        if (f->name[0] == ':' || replaced || !grpc_passes(f, true))
            continue;
        if (!exchange_keep_field(x, f, &x->request[n++]))
            return ERR_NOMEM;
    }
    if (x->downstream->gate.client_cert.n > 0) /* lives as long as its connection, and so at least as this call */
        x->request[n++] = header_make(TOKEN_X_FORWARDED_CLIENT_CERT, x->downstream->gate.client_cert);
    x->request_n = n;
    return ERR_NONE;
}

static void write_timeout(struct exchange *x)
{
    ns_t left = x->call.deadline - x->worker->now;
    size_t n = deadline_format(left > 0 ? left : 1, x->timeout_text);
    x->request[x->timeout_at] = header_make(TOKEN_GRPC_TIMEOUT, slice_make(x->timeout_text, n));
}

/* What the caller said of attempts of its own; no number counts as none. */
static unsigned number_of(struct slice value)
{
    unsigned v = 0;
    if (value.n == 0 || value.n > PREVIOUS_DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return 0;
        v = v * 10 + (unsigned)(value.p[i] - '0');
    }
    return v;
}

/* Takes out what the caller said, and remembers it. */
static void take_previous(struct exchange *x)
{
    for (uint16_t i = 0; i < x->request_n; i++)
        if (x->request[i].token == TOKEN_GRPC_PREVIOUS_RPC_ATTEMPTS) {
            x->callers_previous = number_of(header_value(&x->request[i]));
            x->request[i--] = x->request[--x->request_n];
        }
}

/* Tells how often it was tried before (gRFC A6): by us, on top of what the caller tells of itself. */
static void write_previous(struct exchange *x)
{
    bool again = x->previous_text[0] != '\0';
    if (x->call.previous == 0)
        return;
    if (!again)
        take_previous(x);
    int n = snprintf(x->previous_text, sizeof x->previous_text, "%u", x->callers_previous + x->call.previous);
    if (again)
        x->request_n--; /* ours is the last one */
    x->request[x->request_n++] = header_make(TOKEN_GRPC_PREVIOUS_RPC_ATTEMPTS, slice_make(x->previous_text, (size_t)n));
}

enum err exchange_send_request(struct exchange *x, struct upconn *c)
{
    if (x->has_deadline)
        write_timeout(x);
    replay_rewind(&x->replay);
    bool empty = x->call.request_ended && replay_left(&x->replay) == 0;
    write_previous(x);
    enum err e = stream_open(&c->link.session, &x->up, x->request, x->request_n, empty);
    link_mark(&c->link);
    if (e == ERR_NONE) {
        exchange_commit_if_full(x);
        e = exchange_feed(x);
    }
    if (e != ERR_NONE)
        stream_reset(&x->up, H2_INTERNAL_ERROR);
    return e;
}
