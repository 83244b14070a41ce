/* One object a probe under way: a call over our own client, a GET, or a connection. */
#include "admin/probe.h"

#include "app/client.h"
#include "base/must.h"
#include "base/probe_path.h"
#include "net/http_get.h"
#include "net/sock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVICE_MAX = 255, TEXT_MAX = 300, MESSAGE_MAX = 1024, MESSAGE_HEAD = 5, SERVING = 1 };

/* Owned by: the admin pages. */
struct probes {
    struct process *process;
    const char *listed; /* of the environment; NULL: none */
    struct list running;
    uint32_t running_n;
};

/* Owned by: probes.running. */
struct probe {
    struct probes *all;
    struct http_later *later;
    struct loop_timer *timer; /* the end of time; once it is judged, its own end, out of every callback */
    bool judged;
    struct client *client; /* grpc */
    struct buf message;    /* of the answer */
    char status[64];       /* the call's own, when it is not OK */
    struct http_get *get;  /* http */
    int fd;                /* tcp; -1: none */
    struct loop_io *io;
    struct list node;
};

struct probes *probes_new(struct process *p)
{
    struct probes *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->process = p;
    s->listed = getenv(PROBE_VARIABLE);
    list_init(&s->running);
    return s;
}

static void probe_free(struct probe *r)
{
    list_remove(&r->node);
    r->all->running_n--;
    client_free(r->client);
    http_get_free(r->get);
    if (r->io)
        loop_io_free(r->io);
    if (r->fd >= 0)
        sock_close(r->fd);
    loop_timer_free(r->timer);
    buf_fini(&r->message);
    free(r);
}

void probes_free(struct probes *s)
{
    if (!s)
        return;
    LIST_FOR_SAFE(n, &s->running)
        probe_free(CONTAINER_OF(n, struct probe, node));
    free(s);
}

static void put(struct http_answer *a, int status, const char *text)
{
    a->status = status;
    a->content_type = "text/plain; charset=utf-8";
    if (buf_append(&a->body, text, strlen(text)) != ERR_NONE || buf_append(&a->body, "\n", 1) != ERR_NONE)
        a->status = 503;
}

/* Answers; what is left goes when the loop comes back. */
static void judge(struct probe *r, bool well, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void judge(struct probe *r, bool well, const char *format, ...)
{
    struct http_answer answer = {0};
    char text[TEXT_MAX];
    va_list list;
    if (r->judged)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    r->judged = true;
    put(&answer, well ? 200 : 503, text);
    http_answer_later(r->later, &answer);
    loop_timer_set(r->timer, loop_now(r->all->process->loop));
}

static void on_timer(void *ctx)
{
    struct probe *r = ctx;
    if (r->judged)
        probe_free(r);
    else
        judge(r, false, "no answer within %lld s", (long long)(PROBE_NS / NS_PER_S));
}

static void note_status(struct probe *r, const struct headers *h)
{
    const struct header *status = h ? headers_find(h, TOKEN_GRPC_STATUS) : NULL;
    uint32_t number;
    if (status && status_parse_wire(header_value(status), &number) == ERR_NONE && number != STATUS_OK)
        snprintf(r->status, sizeof r->status, "grpc-status %s", status_name(number));
}

static void on_response(void *ctx, unsigned status, const struct headers *h)
{
    struct probe *r = ctx;
    if (status != 200)
        snprintf(r->status, sizeof r->status, "HTTP status %u", status);
    else
        note_status(r, h);
}

static void on_data(void *ctx, const uint8_t *p, size_t n)
{
    struct probe *r = ctx;
    if (buf_len(&r->message) + n > MESSAGE_MAX || buf_append(&r->message, p, n) != ERR_NONE)
        snprintf(r->status, sizeof r->status, "an answer that is too long");
}

/* Field 1 of HealthCheckResponse, the last one that is there; 0 (UNKNOWN) without it. Negative when it is none. */
static int health_of(const uint8_t *p, size_t n)
{
    int health = 0;
    if (n < MESSAGE_HEAD || p[0] != 0)
        return -1;
    for (size_t i = MESSAGE_HEAD; i + 1 < n; i += 2) {
        if (p[i] != 0x08 || p[i + 1] > 0x7f)
            return -1;
        health = p[i + 1];
    }
    return health;
}

static void on_end(void *ctx, enum client_end end, const struct headers *trailers, const char *why)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    struct probe *r = ctx;
    note_status(r, trailers);
    int health = health_of(buf_head(&r->message), buf_len(&r->message));
    if (end != CLIENT_END_DONE)
        judge(r, false, "%s", why);
    else if (r->status[0])
        judge(r, false, "%s", r->status);
    else if (health < 0 || health > 3)
        judge(r, false, "no answer of grpc.health.v1");
    else
        judge(r, health == SERVING, "%s", names[health]);
}

static const struct client_events events = {.on_response = on_response, .on_data = on_data, .on_end = on_end};

static struct address loopback(uint16_t port)
{
    return (struct address){.kind = ADDRESS_IPV4, .port = port, .ip = {127, 0, 0, 1}};
}

/* HealthCheckRequest { service = 1 }. */
static bool ask_grpc(struct probe *r, uint16_t port, struct slice service)
{
    struct process *p = r->all->process;
    uint8_t body[MESSAGE_HEAD + 3 + SERVICE_MAX] = {0};
    size_t n = MESSAGE_HEAD;
    const struct header fields[] = {client_field("content-type", SLICE("application/grpc")),
                                    client_field("te", SLICE("trailers"))};
    if (service.n > SERVICE_MAX)
        return false;
    if (service.n > 0) {
        body[n++] = 0x0a;
        if (service.n > 0x7f)
            body[n++] = (uint8_t)(0x80 | (service.n & 0x7f));
        body[n++] = (uint8_t)(service.n > 0x7f ? service.n >> 7 : service.n);
        memcpy(body + n, service.p, service.n);
        n += service.n;
    }
    body[3] = (uint8_t)((n - MESSAGE_HEAD) >> 8);
    body[4] = (uint8_t)(n - MESSAGE_HEAD);
    if (!p->clients)
        p->clients = must_have(client_env_new(p->loop));
    r->client = client_new(p->clients, &(struct client_target){.address = loopback(port), .authority = "localhost"});
    const struct client_call call = {.method = "POST",
                                     .path = SLICE("/grpc.health.v1.Health/Check"),
                                     .fields = fields,
                                     .fields_n = sizeof fields / sizeof fields[0],
                                     .body = slice_make(body, n),
                                     .timeout_ns = PROBE_NS};
    return r->client && client_open(r->client, &call, &events, r);
}

static void on_status(void *ctx, int status)
{
    if (status == 0)
        judge(ctx, false, "no answer over HTTP/1.1");
    else
        judge(ctx, status >= 200 && status < 400, "HTTP status %d", status);
}

static void on_connected(void *ctx, unsigned what)
{
    struct probe *r = ctx;
    int e = sock_connect_result(r->fd);
    (void)what;
    loop_io_want(r->io, 0);
    judge(r, e == 0, "%s", e == 0 ? "connected" : strerror(e));
}

static bool ask_tcp(struct probe *r, uint16_t port)
{
    struct address a = loopback(port);
    int number;
    if (sock_connect(&a, &r->fd, &number) != ERR_NONE) {
        r->fd = -1;
        judge(r, false, "%s", strerror(number));
        return true;
    }
    r->io = loop_io_new(r->all->process->loop, r->fd, on_connected, r);
    if (r->io)
        loop_io_want(r->io, LOOP_WRITE);
    return r->io != NULL;
}

static bool ask(struct probe *r, struct slice what)
{
    struct probe_path path;
    if (!probe_path_parse(what, &path))
        return false;
    switch (path.kind) {
    case PROBE_GRPC:
        return ask_grpc(r, path.port, slice_sub(path.rest, path.rest.n > 0, path.rest.n));
    case PROBE_TCP:
        return ask_tcp(r, path.port);
    case PROBE_HTTP:
        break;
    }
    r->get = http_get_new(r->all->process->loop, "127.0.0.1", path.port, path.rest.n ? path.rest.p : "/", PROBE_NS,
                          on_status, r);
    return r->get != NULL;
}

static bool is_listed(const char *listed, struct slice path)
{
    for (const char *at = listed; at && *at;) {
        size_t n = strcspn(at, " ");
        if (slice_eq(slice_make(at, n), path))
            return true;
        at += n + strspn(at + n, " ");
    }
    return false;
}

void probes_handle(struct probes *s, const char *path, const char *query, struct http_answer *answer)
{
    char whole[2048];
    int n = snprintf(whole, sizeof whole, "%s%s%s", path, *query ? "?" : "", query);
    if (n < 0 || (size_t)n >= sizeof whole || !is_listed(s->listed, slice_str(whole))) {
        put(answer, 404, "not among the probes of " PROBE_VARIABLE);
        return;
    }
    if (s->running_n == PROBES_MAX) {
        put(answer, 503, "too many probes under way");
        return;
    }
    struct probe *r = must_have(calloc(1, sizeof *r));
    r->all = s;
    r->later = answer->later;
    r->fd = -1;
    r->timer = must_have(loop_timer_new(s->process->loop, on_timer, r));
    list_push_back(&s->running, &r->node);
    s->running_n++;
    loop_timer_set(r->timer, ns_add(loop_now(s->process->loop), PROBE_NS));
    if (!ask(r, slice_str(whole + strlen(PROBE_PATH_PREFIX))) && !r->judged) {
        probe_free(r);
        put(answer, 503,
            "cannot be asked: expected " PROBE_PATH_PREFIX "grpc/PORT/SERVICE, http/PORT/PATH or tcp/PORT");
    }
}
