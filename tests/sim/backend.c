/* Endpoints: treat each call as its plan says, and count who was handed what. */
#include "sim.h"

#include "net/listener.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALL_WINDOW_MIN = 200, SMALL_WINDOW_MAX = 9000, FEW_STREAMS_MAX = 4, HEADERS_N = 3 };

struct backend_conn {
    struct wire wire; /* first */
    struct list node; /* in backend->conns */
    struct backend *backend;
};

/* A call that came. Kept until the end of the run, as wakes may still point here. */
struct served {
    struct list node; /* in backend->all */
    struct backend_conn *conn;
    struct sim_call *call; /* NULL: not known yet */
    int32_t stream;
    size_t received, sent;
    ns_t answer_at;
    bool scheduled, answering, ended, over;
    char status[8];
};

struct backend {
    struct sim *sim;
    unsigned index;
    struct address address;
    struct listener *listener;
    struct list conns, all;
};

static void answer(void *ctx);
static void resume(void *ctx);

static bool is_alive(const struct served *x)
{
    return !x->over && x->conn->wire.conn;
}

static void act(struct served *x)
{
    wire_mark(&x->conn->wire);
    wires_flush(x->conn->wire.wires);
}

static void reset(struct served *x, uint32_t code)
{
    (void)nghttp2_submit_rst_stream(x->conn->wire.session, NGHTTP2_FLAG_NONE, x->stream, code);
    wire_mark(&x->conn->wire);
}

static void schedule(struct served *x)
{
    if (x->scheduled || x->call->behaviour == BEHAVE_SILENT)
        return;
    x->scheduled = true;
    world_at(world_now() + x->call->think, answer, x);
}

static void on_request(struct served *x)
{
    struct sim *s = x->conn->backend->sim;
    struct sim_call *c = x->call;
    if (c->refused < c->refusals) {
        c->refused++;
        sim_say(s, c, "refused by endpoint", x->conn->backend->index);
        x->scheduled = true;
        reset(x, NGHTTP2_REFUSED_STREAM);
        return;
    }
    sim_say(s, c, "seen by endpoint", x->conn->backend->index);
    if (++c->seen > 1)
        sim_violate(s, c, "an application was handed the same call twice");
    c->request_received = 0;
    if (c->behaviour == BEHAVE_EARLY || c->kind == KIND_BIDI || (c->behaviour == BEHAVE_RST && !c->midway))
        schedule(x);
}

static void on_whole(struct served *x)
{
    struct sim *s = x->conn->backend->sim;
    if (x->received != plan_size(plan_request(x->call)))
        sim_violate(s, x->call, "the endpoint got the end of the request without all of its bytes");
    x->call->request_whole = true;
    sim_say(s, x->call, "request is whole", (long long)x->received);
    schedule(x);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct backend_conn *conn = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct served *x = calloc(1, sizeof *x);
    if (!x)
        abort();
    *x = (struct served){.conn = conn, .stream = frame->hd.stream_id};
    list_push_back(&conn->backend->all, &x->node);
    (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, x);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
    struct backend_conn *conn = ctx;
    struct served *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    size_t id = 0;
    (void)flags;
    if (!x || !slice_eq(slice_make(name, name_n), SLICE("x-call-id")))
        return 0;
    for (size_t i = 0; i < value_n; i++)
        id = id * 10 + (size_t)(value[i] - '0');
    x->call = &conn->backend->sim->plan.calls[id % conn->backend->sim->plan.calls_n];
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct served *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)ctx;
    if (!x || !x->call)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        on_request(x);
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (ends && !(x->scheduled && x->call->seen == 0))
        on_whole(x);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *ctx)
{
    struct backend_conn *conn = ctx;
    struct served *x = nghttp2_session_get_stream_user_data(session, stream);
    (void)flags;
    for (size_t i = 0; x && i < n; i++)
        if (p[i] != plan_byte(plan_request(x->call), x->received + i))
            sim_violate(conn->backend->sim, x->call, "the endpoint got bytes that the caller did not send");
    if (x)
        x->received += n;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *ctx)
{
    struct backend_conn *conn = ctx;
    struct served *x = nghttp2_session_get_stream_user_data(session, stream);
    if (!x)
        return 0;
    x->over = true;
    if (x->call)
        sim_say(conn->backend->sim, x->call, "closed at the endpoint with code", code);
    return 0;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)(uintptr_t)value,
                        .valuelen = strlen(value)};
}

/* What comes behind the last byte. */
static void end_response(struct served *x, uint32_t *flags)
{
    struct sim_call *c = x->call;
    x->ended = true;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (c->behaviour == BEHAVE_FOREIGN || (c->behaviour == BEHAVE_FORGET && c->midway))
        return;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    bool forgets = c->behaviour == BEHAVE_FORGET;
    (void)snprintf(x->status, sizeof x->status, "%u", c->status);
    nghttp2_nv v = forgets ? field("x-nothing", "here") : field("grpc-status", x->status);
    if (!forgets && c->status == 0)
        c->said_ok = true;
    (void)nghttp2_submit_trailer(x->conn->wire.session, x->stream, &v, 1);
}

static ssize_t read_response(nghttp2_session *session, int32_t stream, uint8_t *to, size_t n, uint32_t *flags,
                             nghttp2_data_source *source, void *ctx)
{
    struct served *x = source->ptr;
    const struct sim_call *c = x->call;
    ns_t after = world_now() - x->answer_at;
    size_t ready = plan_released(plan_response(c), c->gap, after);
    size_t part = ready - x->sent < n ? ready - x->sent : n;
    (void)session, (void)stream, (void)ctx;
    for (size_t i = 0; i < part; i++)
        to[i] = plan_byte(plan_response(c), x->sent + i);
    x->sent += part;
    if (x->sent == plan_size(plan_response(c)) && after >= plan_release_end(c->response_parts, c->gap)) {
        end_response(x, flags);
        return (ssize_t)part;
    }
    if (part > 0)
        return (ssize_t)part;
    world_at(world_now() + (c->gap > 0 ? c->gap : NS_PER_MS), resume, x);
    return NGHTTP2_ERR_DEFERRED;
}

static void resume(void *ctx)
{
    struct served *x = ctx;
    if (!is_alive(x) || x->ended)
        return;
    (void)nghttp2_session_resume_data(x->conn->wire.session, x->stream);
    act(x);
}

static void break_off(void *ctx)
{
    struct served *x = ctx;
    if (!is_alive(x) || x->ended)
        return;
    x->ended = true;
    reset(x, x->call->code);
    act(x);
}

static void answer_only(struct served *x)
{
    (void)snprintf(x->status, sizeof x->status, "%u", x->call->status);
    nghttp2_nv v[HEADERS_N] = {field(":status", "200"), field("content-type", "application/grpc"),
                               field("grpc-status", x->status)};
    x->ended = true;
    if (x->call->status == 0)
        x->call->said_ok = true;
    (void)nghttp2_submit_response(x->conn->wire.session, x->stream, v, HEADERS_N, NULL);
}

static void answer(void *ctx)
{
    struct served *x = ctx;
    struct sim_call *c = x->call;
    if (!is_alive(x))
        return;
    x->answering = true;
    x->answer_at = world_now();
    bool foreign = c->behaviour == BEHAVE_FOREIGN;
    nghttp2_nv v[] = {field(":status", foreign ? "503" : "200"),
                      field("content-type", foreign ? "text/html" : "application/grpc")};
    nghttp2_data_provider body = {.source.ptr = x, .read_callback = read_response};
    if (c->behaviour == BEHAVE_RST && !c->midway)
        reset(x, c->code);
    else if (c->behaviour == BEHAVE_TRAILERS_ONLY)
        answer_only(x);
    else
        (void)nghttp2_submit_response(x->conn->wire.session, x->stream, v, 2, &body);
    if (c->behaviour == BEHAVE_RST && c->midway)
        world_at(world_now() + NS_PER_MS, break_off, x);
    act(x);
}

static void on_lost(struct wire *w)
{
    (void)w;
}

static void on_accept(void *ctx, int fd, const struct address *from)
{
    static nghttp2_session_callbacks *callbacks;
    struct backend *v = ctx;
    const bool *faults = v->sim->plan.faults;
    uint32_t window =
        faults[FAULT_SLOW_ENDPOINT] ? SMALL_WINDOW_MIN + (uint32_t)rng_below(world_rng(), SMALL_WINDOW_MAX) : 65535;
    uint32_t streams = faults[FAULT_FEW_STREAMS] ? 1 + (uint32_t)rng_below(world_rng(), FEW_STREAMS_MAX) : 100;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
                                         {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams}};
    (void)from;
    if (!callbacks) {
        (void)nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    }
    struct backend_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        abort();
    conn->backend = v;
    list_push_back(&v->conns, &conn->node);
    wire_init(&conn->wire, &v->sim->wires, callbacks, true, settings, 2, on_lost);
    conn->wire.conn = conn_accepted(v->sim->wires.conns, fd, v->sim->endpoint_tls, &wire_ops, conn);
}

static void on_pressure(void *ctx, bool paused)
{
    (void)ctx, (void)paused;
}

void backend_start(struct backend *v)
{
    static const struct listener_ops ops = {.on_accept = on_accept, .on_pressure = on_pressure};
    int fd, why;
    if (v->listener)
        return;
    if (sock_listen(&v->address, true, &fd, &why) != ERR_NONE ||
        !(v->listener = listener_new(v->sim->wires.loop, fd, &ops, v)))
        abort();
}

void backend_stop(struct backend *v)
{
    if (v->listener)
        listener_free(v->listener);
    v->listener = NULL;
    LIST_FOR(n, &v->conns)
        wire_close(&CONTAINER_OF(n, struct backend_conn, node)->wire);
}

void backend_go_away(struct backend *v)
{
    LIST_FOR(n, &v->conns) {
        struct wire *w = &CONTAINER_OF(n, struct backend_conn, node)->wire;
        if (!w->conn || !w->open || buf_len(&w->out) > 0)
            continue; /* the last stream id would be stale by the time it leaves */
        (void)nghttp2_submit_goaway(w->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(w->session),
                                    NGHTTP2_NO_ERROR, NULL, 0);
        wire_mark(w);
    }
    wires_flush(&v->sim->wires);
}

struct backend *backend_new(struct sim *s, unsigned index, const struct address *a)
{
    struct backend *v = calloc(1, sizeof *v);
    if (!v)
        abort();
    *v = (struct backend){.sim = s, .index = index, .address = *a};
    list_init(&v->conns);
    list_init(&v->all);
    backend_start(v);
    return v;
}

void backend_free(struct backend *v)
{
    struct list *n;
    backend_stop(v);
    while ((n = list_pop(&v->conns)) != NULL) {
        struct backend_conn *conn = CONTAINER_OF(n, struct backend_conn, node);
        wire_fini(&conn->wire);
        free(conn);
    }
    while ((n = list_pop(&v->all)) != NULL)
        free(CONTAINER_OF(n, struct served, node));
    free(v);
}
