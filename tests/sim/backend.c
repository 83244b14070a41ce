/* Endpoints: treat each call as its plan says, and count who was handed what. */
#include "sim.h"

#include "net/listener.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALL_WINDOW_MIN = 200, SMALL_WINDOW_MAX = 9000, FEW_STREAMS_MAX = 4, FIELDS_MAX = 5 };
#define SLOW_WORK_NS (200 * NS_PER_MS)

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
    struct turn turn; /* how this attempt is treated */
    int previous;     /* grpc-previous-rpc-attempts, -1: absent */
    size_t received, sent;
    ns_t answer_at;
    bool scheduled, answering, ended, over;
    bool turned_away; /* the application never saw it */
    char status[8];
};

struct backend {
    struct sim *sim;
    unsigned index;
    struct address address;
    struct listener *listener;
    struct list conns, all;
    ns_t sick_until, slow_until;
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
    if (x->scheduled || x->turn.behaviour == BEHAVE_SILENT)
        return;
    x->scheduled = true;
    world_at(world_now() + x->turn.think, answer, x);
}

/* Before the application has seen it: refused, or handed back by a sidecar whose word counts. */
static bool turn_away(struct served *x)
{
    struct sim *s = x->conn->backend->sim;
    struct sim_call *c = x->call;
    bool refused = c->refused < c->refusals;
    bool handed_back = x->turn.behaviour == BEHAVE_HAND_BACK && s->endpoint_tls && c->refused < PLAN_TURNS_MAX;
    if (!refused && !handed_back)
        return false;
    x->turned_away = true;
    c->refused++;
    sim_say(s, c, refused ? "refused by endpoint" : "handed back by endpoint", x->conn->backend->index);
    if (!refused) {
        x->turn.think = 0;
        schedule(x);
        return true;
    }
    x->scheduled = true;
    reset(x, NGHTTP2_REFUSED_STREAM);
    return true;
}

/* Each attempt says how many were before it, on top of what the caller said; no two say the same, and none says more
 * than the policy allows. They may come late, and out of order. */
static void check_previous(const struct sim *s, struct served *x)
{
    struct sim_call *c = x->call;
    int own = c->previous ? (int)strtol(c->previous, NULL, 10) : 0, before = x->previous < 0 ? 0 : x->previous - own;
    if (before < 0 || before >= (int)plan_executions(&s->plan, c))
        sim_violate(s, c, "grpc-previous-rpc-attempts is out of range");
    if (c->tried_before & 1u << before)
        sim_violate(s, c, "two attempts say that as many were before them");
    if (x->previous == 0 && !c->previous)
        sim_violate(s, c, "grpc-previous-rpc-attempts is 0");
    c->tried_before |= 1u << before;
}

static void on_request(struct served *x)
{
    const struct backend *v = x->conn->backend;
    struct sim *s = v->sim;
    struct sim_call *c = x->call;
    x->turn = c->turns[c->seen < c->turns_n ? c->seen : c->turns_n - 1];
    if (turn_away(x))
        return;
    if (world_now() < v->sick_until)
        x->turn = (struct turn){.behaviour = c->id % 2 ? BEHAVE_TRAILERS : BEHAVE_TRAILERS_ONLY, .status = 14};
    if (world_now() < v->slow_until)
        x->turn.think += SLOW_WORK_NS;
    sim_say(s, c, "seen by endpoint", v->index);
    if (++c->seen > plan_executions(&s->plan, c))
        sim_violate(s, c, "an application was handed a call more often than its policy allows");
    check_previous(s, x);
    if (x->turn.behaviour == BEHAVE_EARLY || c->kind == KIND_BIDI ||
        (x->turn.behaviour == BEHAVE_RST && !x->turn.midway))
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
    *x = (struct served){.conn = conn, .stream = frame->hd.stream_id, .previous = -1};
    list_push_back(&conn->backend->all, &x->node);
    (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, x);
    return 0;
}

static size_t number_of(const uint8_t *value, size_t n)
{
    size_t number = 0;
    for (size_t i = 0; i < n && value[i] >= '0' && value[i] <= '9'; i++)
        number = number * 10 + (size_t)(value[i] - '0');
    return number;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
    struct backend_conn *conn = ctx;
    struct served *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const struct plan *plan = &conn->backend->sim->plan;
    (void)flags;
    if (!x)
        return 0;
    if (slice_eq(slice_make(name, name_n), SLICE("grpc-previous-rpc-attempts")))
        x->previous = (int)number_of(value, value_n);
    if (slice_eq(slice_make(name, name_n), SLICE("x-call-id")))
        x->call = &plan->calls[number_of(value, value_n) % (plan->calls_n + PLAN_LAST)];
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
    if (ends && !x->turned_away)
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

/* grpc-status and what goes with it. Returns the number of fields. */
static size_t status_fields(struct served *x, nghttp2_nv *v)
{
    size_t n = 0;
    (void)snprintf(x->status, sizeof x->status, "%u", x->turn.status);
    v[n++] = field("grpc-status", x->status);
    if (x->turn.pushback)
        v[n++] = field("grpc-retry-pushback-ms", x->turn.pushback);
    if (x->turn.behaviour == BEHAVE_HAND_BACK)
        v[n++] = field("outrigger-unprocessed", "1");
    if (x->turn.status == 0)
        x->call->ok_by |= 1u << x->turn.behaviour;
    return n;
}

/* What comes behind the last byte. */
static void end_response(struct served *x, uint32_t *flags)
{
    nghttp2_nv v[FIELDS_MAX] = {field("x-nothing", "here")};
    bool forgets = x->turn.behaviour == BEHAVE_FORGET;
    x->ended = true;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (x->turn.behaviour == BEHAVE_FOREIGN || (forgets && x->turn.midway))
        return;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    (void)nghttp2_submit_trailer(x->conn->wire.session, x->stream, v, forgets ? 1 : status_fields(x, v));
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
    reset(x, x->turn.code);
    act(x);
}

static void answer_only(struct served *x)
{
    nghttp2_nv v[FIELDS_MAX] = {field(":status", "200"), field("content-type", "application/grpc")};
    x->ended = true;
    (void)nghttp2_submit_response(x->conn->wire.session, x->stream, v, 2 + status_fields(x, v + 2), NULL);
}

static void answer_trailers(void *ctx)
{
    struct served *x = ctx;
    nghttp2_nv v[FIELDS_MAX];
    if (!is_alive(x) || x->ended)
        return;
    x->ended = true;
    (void)nghttp2_submit_headers(x->conn->wire.session, NGHTTP2_FLAG_END_STREAM, x->stream, NULL, v,
                                 status_fields(x, v), NULL);
    act(x);
}

/* The response's headers, and what follows them. */
static void answer_headers(struct served *x)
{
    bool foreign = x->turn.behaviour == BEHAVE_FOREIGN;
    nghttp2_session *session = x->conn->wire.session;
    nghttp2_nv v[] = {field(":status", foreign ? "503" : "200"),
                      field("content-type", foreign ? "text/html" : "application/grpc")};
    nghttp2_data_provider body = {.source.ptr = x, .read_callback = read_response};
    if (x->turn.behaviour == BEHAVE_TRAILERS) {
        (void)nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, x->stream, NULL, v, 2, NULL);
        world_at(world_now() + NS_PER_MS, answer_trailers, x);
    } else {
        (void)nghttp2_submit_response(session, x->stream, v, 2, &body);
    }
    if (x->turn.behaviour == BEHAVE_RST)
        world_at(world_now() + NS_PER_MS, break_off, x);
}

static void answer(void *ctx)
{
    struct served *x = ctx;
    enum behaviour how = x->turn.behaviour;
    if (!is_alive(x))
        return;
    x->answering = true;
    x->answer_at = world_now();
    if (how == BEHAVE_BREAK) {
        wire_close(&x->conn->wire);
        return;
    }
    if (how == BEHAVE_RST && !x->turn.midway)
        reset(x, x->turn.code);
    else if (how == BEHAVE_TRAILERS_ONLY || how == BEHAVE_HAND_BACK)
        answer_only(x);
    else
        answer_headers(x);
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

void backend_sicken(struct backend *v, ns_t until)
{
    v->sick_until = until;
}

void backend_slow_down(struct backend *v, ns_t until)
{
    v->slow_until = until;
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
