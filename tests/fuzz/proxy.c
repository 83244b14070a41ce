/* Both sides of the whole proxy at once, in the simulated world of tests/sim/net: the input is a play of a caller and
 * its endpoint, who send what is right, what is wrong and any bytes, come, go and stop reading while time passes, under
 * retries, timeouts and a breaker. However it goes, nothing is left when all have gone and the proxy has drained. */
#include "app/drain.h"
#include "app/process.h"
#include "app/worker.h"
#include "base/log.h"
#include "conf/load.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/sock.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum {
    SIDES = 16,
    INPUT_MAX = 512,
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    GOAWAY = 7,
    WINDOW_UPDATE = 8
};
#define REST_NS (3 * NS_PER_S) /* both GOAWAYs are out, lingering connections have gone */

static const char config[] =
    "version: 1\n"
    "outbound: [ { listen: \"127.0.0.1:15001\", routes: [ { service: s } ] } ]\n"
    "services: { s: { endpoints: { static: [ \"127.0.0.1:9001\" ] }, tls: off, policy: p } }\n"
    "policies:\n"
    "  p:\n"
    "    circuit_breaker: { consecutive_failures: 3 }\n"
    "    methods:\n"
    "      a.B/R: { timeout: 200ms, retry: { max_attempts: 3, on: [ UNAVAILABLE ], backoff: { initial: 1ms, max: 4ms } "
    "} }\n"
    "      a.B/*: { timeout: 50ms }\n";

static const struct address caller_at = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}, .port = 15001};
static const struct address endpoint_at = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}, .port = 9001};

/* One connection of a caller or an endpoint. */
struct side {
    struct conn *conn;
    struct buf out;
    bool open, paused;
};

struct play {
    struct process process;
    struct process_options options;
    struct loop *loop;
    struct conn_env *conns;
    struct listener *listener;
    struct side sides[SIDES];
    size_t used;
    struct side *caller, *endpoint; /* the newest of each; NULL: none yet */
    const uint8_t *p, *end;
};

static void flush(struct side *s)
{
    size_t before;
    if (!s->conn || !s->open)
        return;
    do
        before = buf_len(&s->out);
    while (before > 0 && conn_write(s->conn, &s->out) && buf_len(&s->out) < before);
}

static void on_open(void *ctx)
{
    struct side *s = ctx;
    s->open = true;
    flush(s);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
}

static void on_writable(void *ctx)
{
    flush(ctx);
}

static void close_side(struct side *s)
{
    if (s && s->conn)
        conn_close(s->conn, false);
    if (s)
        s->conn = NULL;
}

static void on_end(void *ctx, enum conn_end end, const char *why)
{
    (void)end, (void)why;
    close_side(ctx);
}

static const struct conn_ops side_ops = {on_open, on_bytes, on_writable, on_end};

static void put(struct side *s, const void *p, size_t n)
{
    if (!s || !s->conn)
        return;
    CHECK(n == 0 || buf_append(&s->out, p, n) == ERR_NONE);
    flush(s);
}

static void put_frame(struct side *s, uint8_t type, uint8_t flags, uint32_t id, const void *p, uint8_t n)
{
    uint8_t head[] = {0, 0, n, type, flags, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    put(s, head, sizeof head);
    put(s, p, n);
}

static void on_accept(void *ctx, int fd, const struct address *from)
{
    struct play *y = ctx;
    (void)from;
    if (y->used == SIDES) {
        sock_close(fd);
        return;
    }
    struct side *s = &y->sides[y->used++];
    CHECK((s->conn = conn_accepted(y->conns, fd, NULL, &side_ops, s)));
    s->open = true;
    y->endpoint = s;
    put_frame(s, SETTINGS, 0, 0, NULL, 0);
    put_frame(s, SETTINGS, 1, 0, NULL, 0);
}

static void on_pressure(void *ctx, bool paused)
{
    (void)ctx, (void)paused;
}

static const struct listener_ops listener_ops = {on_accept, on_pressure};

static void listen_again(struct play *y)
{
    int fd, error;
    if (y->listener)
        listener_free(y->listener);
    CHECK(sock_listen(&endpoint_at, true, &fd, &error) == ERR_NONE);
    CHECK((y->listener = listener_new(y->loop, fd, &listener_ops, y)));
}

static void connect_caller(struct play *y)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (y->used == SIDES)
        return;
    y->caller = &y->sides[y->used++];
    y->caller->conn = conn_connect(y->conns, &caller_at, NULL, NULL, &side_ops, y->caller);
    CHECK(y->caller->conn);
    put(y->caller, preface, sizeof preface - 1);
    put_frame(y->caller, SETTINGS, 0, 0, NULL, 0);
    put_frame(y->caller, SETTINGS, 1, 0, NULL, 0);
}

/* The next byte of the input, 0 at its end. */
static uint8_t next(struct play *y)
{
    return y->p < y->end ? *y->p++ : 0;
}

static void put_raw(struct play *y, struct side *s, size_t n)
{
    size_t left = (size_t)(y->end - y->p);
    n = n < left ? n : left;
    put(s, y->p, n);
    y->p += n;
}

/* The next byte: which method, whether with a timeout of its own, whether it is all of the request. */
static void put_request(struct play *y, uint32_t id)
{
    static const char methods[] = "RHXR";
    uint8_t how = next(y);
    char block[] = "\x83\x86\x04\x06/a.B/?\x01\x01"
                   "a\x0f\x10\x10"
                   "application/grpc\x00\x02te\x08trailers\x00\x0cgrpc-timeout\x03"
                   "20m";
    size_t without = sizeof block - 1 - (1 + 1 + 12 + 1 + 3);
    block[9] = methods[how & 3];
    put_frame(y->caller, HEADERS, how & 4 ? 5 : 4, id, block, (uint8_t)(how & 8 ? sizeof block - 1 : without));
}

/* The next byte: the status. */
static void put_status(struct play *y, uint32_t id, bool only)
{
    uint8_t status = next(y);
    char block[64] = "\x88\x0f\x10\x10"
                     "application/grpc\x00\x0bgrpc-status\x02"
                     "00\x00\x16grpc-retry-pushback-ms\x01"
                     "1";
    enum { ANSWER = 20, STATUS = 16, PUSHBACK = 26 };
    block[ANSWER + STATUS - 2] = (char)('0' + status % 20 / 10);
    block[ANSWER + STATUS - 1] = (char)('0' + status % 10);
    size_t n = STATUS + (status & 128 ? PUSHBACK : 0);
    if (status % 20 < 10) { /* one digit */
        block[ANSWER + STATUS - 3] = 1;
        block[ANSWER + STATUS - 2] = block[ANSWER + STATUS - 1];
        memmove(block + ANSWER + STATUS - 1, block + ANSWER + STATUS, PUSHBACK);
        n--;
    }
    put_frame(y->endpoint, HEADERS, 5, id, only ? block : block + ANSWER, (uint8_t)(only ? ANSWER + n : n));
}

static void put_number(struct side *s, uint8_t type, uint32_t id, uint32_t number)
{
    const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    put_frame(s, type, 0, id, bytes, sizeof bytes);
}

static void leave(struct play *y, uint8_t how)
{
    if (how & 1)
        close_side(y->caller);
    if (how & 2)
        close_side(y->endpoint);
    if (how & 4 && y->listener) {
        listener_free(y->listener);
        y->listener = NULL;
    }
    if (how & 8)
        listen_again(y);
}

static void stop_or_read(struct side *s)
{
    if (!s || !s->conn || !s->open)
        return;
    s->paused = !s->paused;
    conn_pause(s->conn, s->paused);
}

/* The upper half of the first byte says what, the lower half with which stream or how much. */
static void act(struct play *y)
{
    static const char message[300] = {[4] = 3, 'a', 'b', 'c'};
    static const uint8_t goaway[8] = {[3] = 1};
    uint8_t op = next(y), few = op & 15;
    uint32_t id = 2u * few + 1;
    switch (op >> 4) {
    case 0:
        put_raw(y, y->caller, few);
        break;
    case 1:
        put_raw(y, y->endpoint, few);
        break;
    case 2:
    case 3:
        put_request(y, id);
        break;
    case 4:
        put_frame(y->caller, DATA, next(y) & 1, id, message, 8);
        break;
    case 5:
        put_number(y->caller, RST_STREAM, id, next(y));
        break;
    case 6:
        put_frame(y->endpoint, HEADERS, 4, id,
                  "\x88\x0f\x10\x10"
                  "application/grpc",
                  20);
        break;
    case 7:
        put_frame(y->endpoint, DATA, next(y) & 1, id, message, 255);
        break;
    case 8:
        put_status(y, id, false);
        break;
    case 9:
        put_status(y, id, true);
        break;
    case 10:
        put_number(y->endpoint, RST_STREAM, id, next(y));
        break;
    case 11:
        put_frame(y->endpoint, GOAWAY, 0, 0, goaway, sizeof goaway);
        break;
    case 12:
        world_run_until(world_now() + (NS_PER_MS << few % 12));
        break;
    case 13:
        leave(y, few);
        break;
    case 14:
        stop_or_read(few & 1 ? y->caller : y->endpoint);
        put_number(few & 2 ? y->caller : y->endpoint, WINDOW_UPDATE, few & 4 ? id : 0, 1u << few);
        break;
    default:
        connect_caller(y);
        break;
    }
    world_settle();
}

static void on_turn_end(void *ctx)
{
    conn_sweep(ctx);
}

static void begin(struct play *y)
{
    char error[PROCESS_ERROR_MAX] = "";
    const struct load_env env = {.cores = 1, .skip_files = true};
    struct problems problems;
    problems_init(&problems);
    struct snapshot *snapshot = load_text("fuzz.yaml", slice_make(config, sizeof config - 1), &env, &problems);
    if (!snapshot)
        problems_print(&problems, stderr);
    CHECK(snapshot);
    problems_fini(&problems);
    y->options = (struct process_options){.config = "fuzz.yaml"};
    CHECK(process_init(&y->process, &y->options, snapshot, error) == ERR_NONE);
    for (uint32_t i = 0; i < y->process.workers_n; i++)
        rng_init(&y->process.workers[i]->rng, i + 1);
    y->process.ready = true;
    CHECK((y->loop = loop_new()) && (y->conns = conn_env_new(y->loop)));
    loop_set_turn_end(y->loop, on_turn_end, y->conns);
    listen_again(y);
    connect_caller(y);
    world_settle();
}

static void end(struct play *y)
{
    for (size_t i = 0; i < y->used; i++)
        close_side(&y->sides[i]);
    if (y->listener)
        listener_free(y->listener);
    y->listener = NULL;
    drain_begin(&y->process, DRAIN_NOW);
    world_run_until(world_now() + REST_NS);
    for (uint32_t i = 0; i < y->process.workers_n; i++)
        CHECK(list_is_empty(&y->process.workers[i]->live) && list_is_empty(&y->process.workers[i]->downstreams));
    process_fini(&y->process);
    for (size_t i = 0; i < y->used; i++) {
        close_side(&y->sides[i]);
        buf_fini(&y->sides[i].out);
    }
    conn_env_free(y->conns);
    loop_free(y->loop);
    CHECK(world_live_sockets() == 0 && world_live_loops() == 0 && world_live_watches() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct play y;
    if (n > INPUT_MAX)
        return 0;
    log_to(-1);
    memset(&y, 0, sizeof y);
    y.p = p;
    y.end = p + n;
    world_open(1);
    begin(&y);
    while (y.p < y.end)
        act(&y);
    end(&y);
    world_close();
    return 0;
}
