/* bench_echo: a gRPC backend for measurements. Whatever the path, it answers with response headers, the request's bytes
 * as they came (or messages made here) and the trailer grpc-status. It checks nothing: bench_load does. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 64 << 20, MESSAGE_PREFIX = 5 };

struct behaviour {
    int64_t delay_ns;
    unsigned replies; /* how often the message is sent back */
    size_t size;      /* of a message made here; 0: echo */
    char status[4];   /* grpc-status; other than 0 is sent trailers-only */
    bool no_trailers; /* end with the data */
    bool early;       /* response headers at once, before the request has ended */
    uint32_t streams_max;
    SSL_CTX *tls; /* NULL: in the clear */
};

/* Owned by: main. Lives as long as the process. */
struct listener {
    struct source source;
    int fd;
    struct loop *loop;
    struct behaviour behaviour;
    uint8_t *made;       /* the message of `size` bytes with its prefix */
    struct list delayed; /* exchanges in the order in which they fall due */
    struct listener *next;
};

/* Owned by: itself, until its peer is gone. Borrows: listener. */
struct connection {
    struct peer peer;
    struct listener *listener;
    struct list exchanges;
};

/* Owned by: connection. */
struct exchange {
    struct list member, delayed;
    struct connection *connection;
    int32_t stream_id;
    bool complete, answered;
    uint8_t *request;
    size_t request_length, request_capacity;
    size_t sent, total;
    int64_t due;
};

#define FIELD(name, value)                                                                                             \
    (nghttp2_nv)                                                                                                       \
    {                                                                                                                  \
        (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE                       \
    }

static struct list spare_exchanges;

static struct exchange *exchange_new(struct connection *c, int32_t stream_id)
{
    struct list *spare = list_pop(&spare_exchanges);
    struct exchange *x = spare ? CONTAINER_OF(spare, struct exchange, member) : calloc(1, sizeof *x);
    if (!x)
        abort();
    uint8_t *request = x->request;
    size_t capacity = x->request_capacity;
    *x = (struct exchange){.connection = c, .stream_id = stream_id, .request = request, .request_capacity = capacity};
    list_init(&x->delayed);
    list_push_back(&c->exchanges, &x->member);
    return x;
}

static void exchange_free(struct exchange *x)
{
    list_remove(&x->delayed);
    list_remove(&x->member);
    list_push_back(&spare_exchanges, &x->member);
}

static bool exchange_append(struct exchange *x, const uint8_t *bytes, size_t length)
{
    if (x->request_length + length > REQUEST_BYTES_MAX)
        return false;
    if (x->request_length + length > x->request_capacity) {
        while (x->request_length + length > x->request_capacity)
            x->request_capacity = x->request_capacity ? x->request_capacity * 2 : 1024;
        x->request = realloc(x->request, x->request_capacity);
        if (!x->request)
            abort();
    }
    memcpy(x->request + x->request_length, bytes, length);
    x->request_length += length;
    return true;
}

/* nghttp2_data_source_read_callback: the message over and over, then the trailers. */
static ssize_t read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *bytes, size_t capacity,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct exchange *x = source->ptr;
    const struct listener *l = x->connection->listener;
    (void)user;
    if (!x->complete)
        return NGHTTP2_ERR_DEFERRED;
    const uint8_t *message = l->made ? l->made : x->request;
    size_t length = l->made ? l->behaviour.size + MESSAGE_PREFIX : x->request_length, given = 0;
    while (given < capacity && x->sent < x->total) {
        size_t offset = x->sent % length, part = length - offset;
        if (part > capacity - given)
            part = capacity - given;
        memcpy(bytes + given, message + offset, part);
        given += part;
        x->sent += part;
    }
    if (x->sent == x->total) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (l->behaviour.no_trailers)
            return (ssize_t)given;
        nghttp2_nv trailer = FIELD("grpc-status", "0");
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, stream_id, &trailer, 1);
    }
    return (ssize_t)given;
}

static void submit_headers(struct exchange *x)
{
    nghttp2_nv fields[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc")};
    nghttp2_data_provider provider = {.source.ptr = x, .read_callback = read_answer};
    x->answered = true;
    nghttp2_submit_response(x->connection->peer.session, x->stream_id, fields, 2, &provider);
}

static void answer(struct exchange *x)
{
    const struct listener *l = x->connection->listener;
    const struct behaviour *b = &l->behaviour;
    nghttp2_session *session = x->connection->peer.session;
    x->complete = true;
    x->total = (l->made ? b->size + MESSAGE_PREFIX : x->request_length) * b->replies;
    peer_touch(&x->connection->peer);
    if (x->answered) {
        nghttp2_session_resume_data(session, x->stream_id);
    } else if (strcmp(b->status, "0") != 0) {
        nghttp2_nv fields[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc"),
                               FIELD("grpc-status", b->status), FIELD("grpc-message", "as asked")};
        nghttp2_submit_response(session, x->stream_id, fields, 4, NULL);
    } else {
        submit_headers(x);
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct connection *c = user;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange_new(c, frame->hd.stream_id));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes, size_t length,
                   void *user)
{
    struct exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)flags, (void)user;
    if (x && !exchange_append(x, bytes, length))
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct connection *c = user;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!x || x->complete)
        return 0;
    if (c->listener->behaviour.early && !x->answered)
        submit_headers(x);
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    if (c->listener->behaviour.delay_ns == 0) {
        answer(x);
    } else {
        x->due = c->peer.loop->now + c->listener->behaviour.delay_ns;
        list_push_back(&c->listener->delayed, &x->delayed);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user)
{
    struct exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)error_code, (void)user;
    if (x)
        exchange_free(x);
    return 0;
}

static void on_gone(struct peer *p)
{
    struct connection *c = (struct connection *)p;
    LIST_FOR_SAFE(node, &c->exchanges)
        exchange_free(CONTAINER_OF(node, struct exchange, member));
    peer_fini(p);
    free(c);
}

static nghttp2_session *session_new(struct connection *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_closed_streams(option, 1);
    if (nghttp2_session_server_new2(&session, callbacks, c, option) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    peer_submit_settings(session, c->listener->behaviour.streams_max);
    return session;
}

static void on_accept(struct source *source, uint32_t events)
{
    struct listener *l = (struct listener *)source;
    int fd;
    (void)events;
    while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        if (!c)
            abort();
        c->listener = l;
        list_init(&c->exchanges);
        wire_init(&c->peer.wire, fd, l->behaviour.tls, true, NULL);
        c->peer.session = session_new(c);
        peer_start(&c->peer, l->loop, on_gone);
    }
}

/* Opens one listener on the loopback and tells its port on stdout. */
static struct listener *listener_open(struct loop *loop, uint16_t port, const struct behaviour *b,
                                      struct listener *next)
{
    struct listener *l = calloc(1, sizeof *l);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (!l)
        abort();
    l->source.on_ready = on_accept;
    l->loop = loop;
    l->behaviour = *b;
    l->next = next;
    list_init(&l->delayed);
    if (b->size) {
        l->made = calloc(1, b->size + MESSAGE_PREFIX);
        uint32_t prefix = htonl((uint32_t)b->size);
        memcpy(l->made + 1, &prefix, sizeof prefix);
    }
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(l->fd, (struct sockaddr *)&address, length) < 0 || listen(l->fd, 4096) < 0 ||
        getsockname(l->fd, (struct sockaddr *)&address, &length) < 0 || !loop_watch(loop, l->fd, &l->source)) {
        fprintf(stderr, "bench_echo: port %u: %s\n", port, strerror(errno));
        exit(2);
    }
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return l;
}

/* Answers what has fallen due; nanoseconds until the next, -1 when nothing waits. */
static int64_t answer_due(struct listener *listeners)
{
    int64_t now = loop_clock(), wait = -1;
    for (struct listener *l = listeners; l; l = l->next) {
        while (!list_is_empty(&l->delayed)) {
            struct exchange *x = CONTAINER_OF(l->delayed.next, struct exchange, delayed);
            if (x->due > now) {
                wait = wait < 0 || x->due - now < wait ? x->due - now : wait;
                break;
            }
            list_remove(&x->delayed);
            answer(x);
        }
    }
    return wait;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: bench_echo [OPTIONS] --port P [[OPTIONS] --port P]...\n"
                 "Options hold for the ports named after them; port 0 takes a free one. Ports are told on stdout.\n"
                 "  --delay MS       wait so long before answering\n"
                 "  --stream N       send the message N times\n"
                 "  --size BYTES     send a message of this size instead of the request's; 0 echoes again\n"
                 "  --status CODE    end with this grpc-status, trailers-only\n"
                 "  --early 0|1      response headers as soon as the request's arrive\n"
                 "  --trailers 0|1   0: end without trailers, as no gRPC server may\n"
                 "  --streams N      SETTINGS_MAX_CONCURRENT_STREAMS (100000)\n"
                 "  --cert F --key F [--trust F]   TLS; with --trust a client certificate is required\n");
}

/* Values that hold for the next --port. */
struct template
{
    struct behaviour behaviour;
    const char *certificate, *key, *trust;
};

/* Applies one option that is not --port; false when there is no such option. */
static bool template_set(struct template *t, const char *name, const char *value)
{
    struct behaviour *b = &t->behaviour;
    if (strcmp(name, "--delay") == 0)
        b->delay_ns = (int64_t)(strtod(value, NULL) * 1e6);
    else if (strcmp(name, "--stream") == 0)
        b->replies = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--size") == 0)
        b->size = strtoul(value, NULL, 10);
    else if (strcmp(name, "--status") == 0)
        snprintf(b->status, sizeof b->status, "%s", value);
    else if (strcmp(name, "--early") == 0)
        b->early = strcmp(value, "1") == 0;
    else if (strcmp(name, "--trailers") == 0)
        b->no_trailers = strcmp(value, "0") == 0;
    else if (strcmp(name, "--streams") == 0)
        b->streams_max = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--cert") == 0)
        t->certificate = value;
    else if (strcmp(name, "--key") == 0)
        t->key = value;
    else if (strcmp(name, "--trust") == 0)
        t->trust = value;
    else
        return false;
    return true;
}

static struct listener *open_listeners(struct loop *loop, int argc, char **argv)
{
    struct template t = {.behaviour = {.replies = 1, .status = "0", .streams_max = 100000}};
    struct listener *listeners = NULL;
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) {
            usage(stderr);
            exit(2);
        }
        if (strcmp(name, "--port") == 0) {
            t.behaviour.tls = t.key ? wire_context(true, t.certificate, t.key, t.trust) : NULL;
            listeners = listener_open(loop, (uint16_t)strtoul(value, NULL, 10), &t.behaviour, listeners);
        } else if (!template_set(&t, name, value)) {
            usage(stderr);
            exit(2);
        }
    }
    return listeners;
}

int main(int argc, char **argv)
{
    struct loop loop;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    list_init(&spare_exchanges);
    loop_init(&loop);
    struct listener *listeners = open_listeners(&loop, argc, argv);
    if (!listeners) {
        usage(stderr);
        return 2;
    }
    for (;;)
        loop_turn(&loop, answer_due(listeners));
}
