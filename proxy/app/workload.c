/* The stream FetchX509SVID over app/client, and its life. */
#include "app/workload.h"

#include "app/client.h"
#include "app/process.h"
#include "base/log.h"
#include "base/must.h"
#include "base/rng.h"
#include "h2/workload.h"
#include "net/secret.h"
#include "net/tls_der.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHY_MAX = 256 };

struct workload {
    struct process *process;
    const char *name;
    workload_fn *on_answer;
    void *ctx;
    struct client *client;
    struct client_request *request; /* NULL: waits for the timer */
    struct loop_timer *timer;
    struct buf in; /* of the stream; holds keys */
    struct rng rng;
    ns_t backoff;
    uint64_t failures;
    bool answered;     /* on this stream */
    char why[WHY_MAX]; /* what the answer's fields say; "": nothing */
};

static void ask(struct workload *w);

static void wipe_input(struct workload *w)
{
    if (w->in.p)
        secret_wipe(w->in.p, w->in.cap);
    buf_fini(&w->in);
    buf_init(&w->in);
}

/* Appends; what is moved leaves nothing behind. */
static enum err take_bytes(struct workload *w, const uint8_t *p, size_t n)
{
    struct buf *in = &w->in, larger;
    size_t length = buf_len(in);
    if (in->cap - in->tail < n) {
        buf_init(&larger);
        uint8_t *to = buf_reserve(&larger, 2 * (length + n));
        if (!to)
            return ERR_NOMEM;
        if (length > 0)
            memcpy(to, buf_head(in), length);
        buf_commit(&larger, length);
        wipe_input(w);
        *in = larger;
    }
    return buf_append(in, p, n);
}

static void on_timer(void *ctx)
{
    ask(ctx);
}

/* The stream is over: another one after a while. */
static void fail(struct workload *w, const char *why)
{
    ns_t wait = w->backoff - w->backoff / 5 + (ns_t)rng_below(&w->rng, (uint64_t)w->backoff * 2 / 5);
    w->request = NULL;
    w->failures++;
    w->answered = false;
    wipe_input(w);
    log_line(LOG_WARN, "workload_api_failed", LOG_TEXT("identity", w->name), LOG_TEXT("error", why),
             LOG_NUMBER("again_in_ms", wait / NS_PER_MS));
    loop_timer_set(w->timer, ns_add(loop_now(w->process->loop), wait));
    w->backoff = ns_min(2 * w->backoff, WORKLOAD_BACKOFF_MAX_NS);
}

static void break_off(struct workload *w, const char *why)
{
    client_cancel(w->request);
    fail(w, why);
}

/* Keeps grpc-status and grpc-message, when the status is not OK. */
static void note_status(struct workload *w, const struct headers *h)
{
    const struct header *status = h ? headers_find(h, TOKEN_GRPC_STATUS) : NULL;
    const struct header *message = h ? headers_find(h, TOKEN_GRPC_MESSAGE) : NULL;
    uint32_t number;
    if (!status || status_parse_wire(header_value(status), &number) != ERR_NONE || number == STATUS_OK)
        return;
    (void)snprintf(w->why, sizeof w->why, "%s: %.*s", status_name(number), message ? (int)message->value_n : 0,
                   message ? message->value : "");
}

static void on_response(void *ctx, unsigned status, const struct headers *h)
{
    struct workload *w = ctx;
    char why[64];
    if (status == 200) {
        note_status(w, h);
        return;
    }
    (void)snprintf(why, sizeof why, "answered HTTP status %u", status);
    break_off(w, why);
}

static void hand_over(struct workload *w, const struct workload_svid *svid)
{
    struct tls_der_bundle bundles[WORKLOAD_BUNDLES_MAX];
    struct tls_bytes bytes;
    char why[TLS_DER_WHY_MAX];
    for (size_t i = 0; i < svid->federated_n; i++)
        bundles[i] = (struct tls_der_bundle){svid->federated[i].domain, svid->federated[i].der};
    const struct tls_der der = {.name = w->name,
                                .chain = svid->chain,
                                .key = svid->key,
                                .roots = svid->bundle,
                                .id = svid->id,
                                .bundles = bundles,
                                .bundles_n = svid->federated_n,
                                .lists = svid->lists,
                                .lists_n = svid->lists_n};
    bool good = tls_bytes_of_der(&bytes, &der, why);
    w->on_answer(w->ctx, good ? &bytes : NULL, good ? "" : why);
    tls_bytes_fini(&bytes);
}

static void take_message(struct workload *w, struct slice message)
{
    struct workload_svid svid;
    const char *why;
    w->answered = true;
    w->backoff = WORKLOAD_BACKOFF_NS;
    if (workload_parse(message, &svid, &why) != ERR_NONE) {
        w->on_answer(w->ctx, NULL, why);
        return;
    }
    hand_over(w, &svid);
    workload_fini(&svid);
}

static void on_data(void *ctx, const uint8_t *p, size_t n)
{
    struct workload *w = ctx;
    struct slice message;
    enum err e = take_bytes(w, p, n);
    while (e == ERR_NONE && (e = workload_next(&w->in, &message)) == ERR_NONE) {
        take_message(w, message);
        size_t whole = (size_t)(message.p - (const char *)buf_head(&w->in)) + message.n;
        secret_wipe(buf_head(&w->in), whole);
        buf_consume(&w->in, whole);
    }
    if (e != ERR_AGAIN)
        break_off(w, e == ERR_NOMEM   ? "out of memory"
                     : e == ERR_LIMIT ? "a message over 4 MiB"
                                      : "a compressed message, which was not asked for");
}

static void on_end(void *ctx, enum client_end end, const struct headers *trailers, const char *why)
{
    struct workload *w = ctx;
    note_status(w, trailers);
    fail(w, end != CLIENT_END_DONE ? why : w->why[0] ? w->why : "the stream ended");
}

static const struct client_events events = {.on_response = on_response, .on_data = on_data, .on_end = on_end};

static void ask(struct workload *w)
{
    static const uint8_t nothing[5]; /* a gRPC message of no bytes */
    const struct header fields[] = {client_field("content-type", SLICE("application/grpc")),
                                    client_field("te", SLICE("trailers")),
                                    client_field(WORKLOAD_HEADER, SLICE("true"))};
    const struct client_call call = {.method = "POST",
                                     .path = SLICE(WORKLOAD_PATH),
                                     .fields = fields,
                                     .fields_n = sizeof fields / sizeof fields[0],
                                     .body = slice_make(nothing, sizeof nothing)};
    w->why[0] = '\0';
    w->request = client_open(w->client, &call, &events, w);
    if (!w->request)
        fail(w, "out of memory");
}

struct workload *workload_new(struct process *p, const char *path, const char *name, workload_fn *on_answer, void *ctx)
{
    struct workload *w = must_have(calloc(1, sizeof *w));
    const struct client_target target = {
        .address = {.kind = ADDRESS_UNIX, .name = path}, .authority = "localhost", .secret = true};
    *w = (struct workload){
        .process = p, .name = name, .on_answer = on_answer, .ctx = ctx, .backoff = WORKLOAD_BACKOFF_NS};
    if (!p->clients)
        p->clients = must_have(client_env_new(p->loop));
    w->client = must_have(client_new(p->clients, &target));
    w->timer = must_have(loop_timer_new(p->loop, on_timer, w));
    rng_init(&w->rng, (uint64_t)clock_wall() ^ slice_hash(slice_str(path), 0));
    loop_timer_set(w->timer, loop_now(p->loop));
    return w;
}

void workload_free(struct workload *w)
{
    if (!w)
        return;
    client_free(w->client);
    loop_timer_free(w->timer);
    wipe_input(w);
    free(w);
}

uint64_t workload_failures(const struct workload *w)
{
    return w->failures;
}

bool workload_is_connected(const struct workload *w)
{
    return w->answered;
}
