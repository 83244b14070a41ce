/* Callers: open calls as planned, send and check bytes, note what they hear. */
#include "sim.h"

#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALL_WINDOW_MIN = 200, SMALL_WINDOW_MAX = 9000, FIELDS_MAX = 9 };

struct caller_conn;

/* A call on a connection. Kept until the end of the run, as wakes may still point here. */
struct calling {
    struct list node; /* in caller->all */
    struct caller_conn *conn;
    struct sim_call *call;
    int32_t stream;
    size_t sent;
    int status; /* of the block that is being received, -1: none */
    bool closed, wake_set;
};

struct caller_conn {
    struct wire wire; /* first */
    struct list node; /* in caller->conns */
    struct caller *caller;
};

struct caller {
    struct sim *sim;
    unsigned index;
    struct caller_conn *current; /* NULL: none */
    struct list conns, all;
    uint64_t link;
    bool paused;
};

static void close_call(struct calling *k)
{
    struct sim *s = k->conn->caller->sim;
    if (k->closed)
        return;
    k->closed = k->call->closed = true;
    s->open--;
    judge_final(s, k->call);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
    struct calling *k = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags, (void)ctx;
    if (k && slice_eq(slice_make(name, name_n), SLICE("grpc-status"))) {
        k->status = 0;
        for (size_t i = 0; i < value_n; i++)
            k->status = k->status * 10 + (value[i] - '0');
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct caller_conn *conn = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct calling *k = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!k || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || k->status < 0)
        return 0;
    k->call->finals++;
    k->call->final = k->status;
    k->call->final_at = world_now();
    sim_say(conn->caller->sim, k->call, "final status", k->status);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *ctx)
{
    struct caller_conn *conn = ctx;
    struct calling *k = nghttp2_session_get_stream_user_data(session, stream);
    (void)flags;
    for (size_t i = 0; k && i < n; i++)
        if (p[i] != plan_byte(plan_response(k->call), k->call->received + i))
            sim_violate(conn->caller->sim, k->call, "the caller got bytes that the endpoint did not send");
    if (k)
        k->call->received += n;
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct calling *k = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)ctx;
    if (k && frame->hd.type == NGHTTP2_HEADERS)
        k->call->submitted_at = world_now();
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *ctx)
{
    struct caller_conn *conn = ctx;
    struct calling *k = nghttp2_session_get_stream_user_data(session, stream);
    if (!k)
        return 0;
    sim_say(conn->caller->sim, k->call, "closed with code", code);
    if (code == NGHTTP2_REFUSED_STREAM && k->call->finals == 0)
        k->call->lost = true; /* the connection drains */
    k->call->close_code = code;
    close_call(k);
    return 0;
}

static void wake(void *ctx)
{
    struct calling *k = ctx;
    k->wake_set = false;
    if (k->closed || !k->conn->wire.conn)
        return;
    (void)nghttp2_session_resume_data(k->conn->wire.session, k->stream);
    wire_mark(&k->conn->wire);
    wires_flush(k->conn->wire.wires);
}

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *to, size_t n, uint32_t *flags,
                            nghttp2_data_source *source, void *ctx)
{
    struct calling *k = source->ptr;
    const struct sim_call *c = k->call;
    ns_t after = world_now() - c->submitted_at;
    size_t ready = plan_released(plan_request(c), c->gap, after);
    size_t part = ready - k->sent < n ? ready - k->sent : n;
    (void)session, (void)stream, (void)ctx;
    for (size_t i = 0; i < part; i++)
        to[i] = plan_byte(plan_request(c), k->sent + i);
    k->sent += part;
    if (k->sent == plan_size(plan_request(c)) && after >= plan_release_end(c->request_parts, c->gap)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)part;
    }
    if (part > 0)
        return (ssize_t)part;
    if (!k->wake_set)
        world_at(world_now() + (c->gap > 0 ? c->gap : NS_PER_MS), wake, k);
    k->wake_set = true;
    return NGHTTP2_ERR_DEFERRED;
}

static void on_lost(struct wire *w)
{
    struct caller_conn *conn = (struct caller_conn *)(void *)w;
    struct caller *c = conn->caller;
    if (c->current == conn)
        c->current = NULL;
    LIST_FOR(n, &c->all) {
        struct calling *k = CONTAINER_OF(n, struct calling, node);
        if (k->conn != conn || k->closed)
            continue;
        k->call->lost = true;
        sim_say(c->sim, k->call, "caller's connection lost", 0);
        close_call(k);
    }
}

static void make_conn(struct caller *c)
{
    static nghttp2_session_callbacks *callbacks;
    struct sim *s = c->sim;
    uint32_t window = s->plan.faults[FAULT_SLOW_CALLER]
                          ? SMALL_WINDOW_MIN + (uint32_t)rng_below(world_rng(), SMALL_WINDOW_MAX)
                          : 65535;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
                                         {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    if (!callbacks) {
        (void)nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    }
    struct caller_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        abort();
    conn->caller = c;
    list_push_back(&c->conns, &conn->node);
    wire_init(&conn->wire, &s->wires, callbacks, false, settings, 2, on_lost);
    struct tls_expect expect = {.server_name = "payment.shop"};
    conn->wire.conn = conn_connect(s->wires.conns, &s->entry, s->caller_tls, &expect, &wire_ops, conn);
    c->link = world_links();
    c->current = conn;
    if (c->paused)
        conn_pause(conn->wire.conn, true);
}

/* A field that is copied. */
static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)(uintptr_t)value,
                        .valuelen = strlen(value)};
}

static bool can_begin(const struct caller *c)
{
    return c->current && nghttp2_session_check_request_allowed(c->current->wire.session) != 0;
}

void caller_start(struct caller *c, struct sim_call *call)
{
    char id[16], timeout[24];
    if (!can_begin(c)) {
        c->current = NULL; /* the old one ends when its streams have */
        make_conn(c);
    }
    struct calling *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    *k = (struct calling){.conn = c->current, .call = call, .status = -1};
    list_push_back(&c->all, &k->node);
    (void)snprintf(id, sizeof id, "%u", call->id);
    (void)snprintf(timeout, sizeof timeout, "%lldu", (long long)(call->timeout / 1000));
    nghttp2_nv v[FIELDS_MAX] = {
        field(":method", "POST"),   field(":scheme", "http"), field(":path", target_path(call->target)),
        field(":authority", "sim"), field("te", "trailers"),  field("content-type", "application/grpc"),
        field("x-call-id", id)};
    size_t n = 7;
    if (call->timeout > 0)
        v[n++] = field("grpc-timeout", timeout);
    if (call->previous)
        v[n++] = field("grpc-previous-rpc-attempts", call->previous);
    nghttp2_data_provider body = {.source.ptr = k, .read_callback = read_request};
    call->submitted = true;
    call->submitted_at = world_now();
    c->sim->open++;
    sim_say(c->sim, call, "begins", (long long)call->timeout);
    k->stream = nghttp2_submit_request(c->current->wire.session, NULL, v, n, &body, k);
    if (k->stream < 0)
        abort();
    wire_mark(&c->current->wire);
    wires_flush(&c->sim->wires);
}

void caller_cancel(struct caller *c, struct sim_call *call)
{
    LIST_FOR(n, &c->all) {
        struct calling *k = CONTAINER_OF(n, struct calling, node);
        if (k->call != call || k->closed)
            continue;
        call->cancelled = true;
        sim_say(c->sim, call, "cancels", 0);
        (void)nghttp2_submit_rst_stream(k->conn->wire.session, NGHTTP2_FLAG_NONE, k->stream, NGHTTP2_CANCEL);
        wire_mark(&k->conn->wire);
        wires_flush(&c->sim->wires);
        return;
    }
}

void caller_break(struct caller *c)
{
    if (c->current)
        world_reset(c->link);
}

void caller_pause(struct caller *c, bool paused)
{
    c->paused = paused;
    LIST_FOR(n, &c->conns) {
        const struct caller_conn *conn = CONTAINER_OF(n, struct caller_conn, node);
        if (conn->wire.conn)
            conn_pause(conn->wire.conn, paused);
    }
}

struct caller *caller_new(struct sim *s, unsigned index)
{
    struct caller *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct caller){.sim = s, .index = index};
    list_init(&c->conns);
    list_init(&c->all);
    return c;
}

void caller_free(struct caller *c)
{
    struct list *n;
    while ((n = list_pop(&c->conns)) != NULL) {
        struct caller_conn *conn = CONTAINER_OF(n, struct caller_conn, node);
        wire_fini(&conn->wire);
        free(conn);
    }
    while ((n = list_pop(&c->all)) != NULL)
        free(CONTAINER_OF(n, struct calling, node));
    free(c);
}
