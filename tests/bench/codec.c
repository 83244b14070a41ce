/* bench_codec: the HTTP/2 work of one proxied unary call and nothing else. Four sessions in memory (caller, the proxy's
 * two, backend); the proxy's two forward headers, data and trailers to each other. Run under callgrind with
 * --toggle-collect=proxy_turn it counts instructions; alone it tells nanoseconds. No TLS, no policy, no sockets. */
#include "h2/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STREAMS_MAX = 100, MESSAGE_BYTES = 105 };

/* The two sides of a call in the proxy. */
struct pair {
    struct stream down, up;
    struct list spare;
};

struct bench {
    struct session_env env;
    struct worker_stats stats;
    struct session caller, down, up, backend;
    struct pair pairs[STREAMS_MAX];
    struct stream calls[STREAMS_MAX], served[STREAMS_MAX];
    struct list spare;
    unsigned served_n;
    uint64_t good;
};

static struct bench bench;
static const uint8_t message[MESSAGE_BYTES];

static void must(enum err e)
{
    if (e != ERR_NONE)
        abort();
}

static struct header field(const char *name, const char *value)
{
    struct header h = {
        .name = name, .value = value, .name_n = (uint32_t)strlen(name), .value_n = (uint32_t)strlen(value)};
    h.token = (uint16_t)token_find(name, h.name_n);
    return h;
}

static void forward_data(struct stream *from, struct stream *to, const uint8_t *p, size_t n, bool end)
{
    size_t sent;
    must(stream_send(to, p, n, end, &sent));
    if (sent != n)
        abort();
    stream_consume(from, n);
}

/* ---- the proxy's side towards the caller */

static struct stream *down_on_request(void *ctx)
{
    (void)ctx;
    struct pair *pair = CONTAINER_OF(list_pop(&bench.spare), struct pair, spare);
    stream_init(&pair->down);
    stream_init(&pair->up);
    return &pair->down;
}

static void down_on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    (void)oversize;
    must(stream_open(&bench.up, &CONTAINER_OF(s, struct pair, down)->up, h->v, h->n, end));
}

static void down_on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    forward_data(s, &CONTAINER_OF(s, struct pair, down)->up, p, n, end);
}

/* ---- the proxy's side towards the backend */

static void up_on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    (void)oversize;
    must(stream_respond(&CONTAINER_OF(s, struct pair, up)->down, h->v, h->n, end));
}

static void up_on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    forward_data(s, &CONTAINER_OF(s, struct pair, up)->down, p, n, end);
}

static void up_on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    struct pair *pair = CONTAINER_OF(s, struct pair, up);
    (void)oversize;
    must(stream_send_trailers(&pair->down, h->v, h->n));
    list_push_back(&bench.spare, &pair->spare);
}

/* ---- backend and caller */

static struct stream *backend_on_request(void *ctx)
{
    (void)ctx;
    struct stream *s = &bench.served[bench.served_n++ % STREAMS_MAX];
    stream_init(s);
    return s;
}

static void backend_on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    const struct header answer[] = {field(":status", "200"), field("content-type", "application/grpc")};
    const struct header trailers[] = {field("grpc-status", "0"), field("grpc-message", "")};
    size_t sent;
    stream_consume(s, n);
    if (!end)
        return;
    must(stream_respond(s, answer, 2, false));
    must(stream_send(s, p, n, false, &sent));
    must(stream_send_trailers(s, trailers, 2));
}

static void caller_on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    (void)end;
    if (n != MESSAGE_BYTES || memcmp(p, message, n) != 0)
        abort();
    stream_consume(s, n);
}

static void caller_on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    const struct header *status = headers_find(h, TOKEN_GRPC_STATUS);
    (void)s, (void)oversize;
    bench.good += status && status->value_n == 1 && status->value[0] == '0';
}

static void on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    (void)s, (void)h, (void)end, (void)oversize;
}

static void on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    (void)s;
    fprintf(stderr, "bench_codec: reset, code %u, how %d\n", code, (int)how);
    abort();
}

static void on_sent(struct stream *s, size_t n)
{
    (void)s, (void)n;
}

static void on_done(struct stream *s)
{
    (void)s;
}

static void on_event(void *ctx)
{
    (void)ctx;
}

static void on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    (void)ctx, (void)last_id, (void)code;
    abort();
}

#define OPS                                                                                                            \
    .on_reset = on_reset, .on_sent = on_sent, .on_done = on_done, .on_ready = on_event, .on_limit = on_event,          \
    .on_goaway = on_goaway, .on_pong = on_event, .on_weary = on_event

static const struct session_ops down_ops = {
    .on_request = down_on_request, .on_headers = down_on_headers, .on_data = down_on_data, OPS};
static const struct session_ops up_ops = {
    .on_headers = up_on_headers, .on_data = up_on_data, .on_trailers = up_on_trailers, OPS};
static const struct session_ops backend_ops = {
    .on_request = backend_on_request, .on_headers = on_headers, .on_data = backend_on_data, OPS};
static const struct session_ops caller_ops = {
    .on_headers = on_headers, .on_data = caller_on_data, .on_trailers = caller_on_trailers, OPS};

/* Hands all output of one session to the next. */
static void carry(struct session *from, struct session *to)
{
    session_pump(from);
    size_t n = buf_len(&from->out);
    if (n == 0)
        return;
    must(session_feed(to, buf_head(&from->out), n));
    buf_consume(&from->out, n);
    session_on_flushed(from, n);
}

/* What is counted: the proxy takes the requests of a turn, or the answers. */
__attribute__((noinline, noclone)) void proxy_turn(struct session *from, struct session *to);
void proxy_turn(struct session *from, struct session *to)
{
    carry(from, to);
    session_pump(&bench.up);
    session_pump(&bench.down);
}

static void settle(void)
{
    for (int i = 0; i < 4; i++) {
        carry(&bench.caller, &bench.down);
        carry(&bench.up, &bench.backend);
        carry(&bench.backend, &bench.up);
        carry(&bench.down, &bench.caller);
    }
}

static void call_turn(unsigned streams, unsigned turn)
{
    char timeout[16];
    for (unsigned i = 0; i < streams; i++) {
        snprintf(timeout, sizeof timeout, "%uu", 4999000 + (turn * streams + i) * 7 % 1000);
        struct header request[] = {
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":path", "/bench.Echo/Unary"),
            field(":authority", "127.0.0.1:50051"),
            field("content-type", "application/grpc"),
            field("user-agent", "grpc-go/1.76.0"),
            field("te", "trailers"),
            field("grpc-timeout", timeout),
        };
        size_t sent;
        stream_init(&bench.calls[i]);
        must(stream_open(&bench.caller, &bench.calls[i], request, sizeof request / sizeof request[0], false));
        must(stream_send(&bench.calls[i], message, sizeof message, true, &sent));
    }
    proxy_turn(&bench.caller, &bench.down);
    carry(&bench.up, &bench.backend);
    proxy_turn(&bench.backend, &bench.up);
    carry(&bench.down, &bench.caller);
}

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    unsigned turns = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
    unsigned streams = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    if (streams == 0 || streams > STREAMS_MAX) {
        fprintf(stderr, "usage: bench_codec TURNS STREAMS-PER-TURN (1..%d)\n", STREAMS_MAX);
        return 2;
    }
    session_env_init(&bench.env, &bench.stats);
    list_init(&bench.spare);
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        list_push_back(&bench.spare, &bench.pairs[i].spare);
    session_init(&bench.caller, &bench.env, false, 0, &caller_ops, NULL);
    session_init(&bench.down, &bench.env, true, STREAMS_MAX, &down_ops, NULL);
    session_init(&bench.up, &bench.env, false, 0, &up_ops, NULL);
    session_init(&bench.backend, &bench.env, true, STREAMS_MAX, &backend_ops, NULL);
    settle();
    int64_t start = clock_ns();
    for (unsigned turn = 0; turn < turns; turn++)
        call_turn(streams, turn);
    double took = (double)(clock_ns() - start);
    uint64_t calls = (uint64_t)turns * streams;
    printf("%.0f ns a call, all four sessions, %u streams a turn\n", took / (double)calls, streams);
    session_fini(&bench.caller);
    session_fini(&bench.down);
    session_fini(&bench.up);
    session_fini(&bench.backend);
    session_env_fini(&bench.env);
    return bench.good == calls ? 0 : 1;
}
