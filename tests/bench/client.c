/* Connections and calls over nghttp2. Request headers are those of grpc-go, in its order, with a grpc-timeout that
 * differs from call to call as grpc-go's does; nghttp2 never puts :path into the HPACK table, so unlike grpc-go's it
 * comes as a literal every time. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_PREFIX = 5, STAMP_BYTES = 8, CONNECTING_MAX = 32 };

const char *const outcome_names[OUTCOME_COUNT] = {
#define X(name, text) [OUTCOME_##name] = text,
    OUTCOMES(X)
#undef X
};

static uint8_t *message_new(size_t payload)
{
    uint8_t *message = malloc(payload + MESSAGE_PREFIX);
    if (!message)
        abort();
    uint32_t length = htonl((uint32_t)payload);
    message[0] = 0;
    memcpy(message + 1, &length, sizeof length);
    for (size_t i = 0; i < payload; i++)
        message[MESSAGE_PREFIX + i] = (uint8_t)(i * 31 + 7);
    return message;
}

/* The request message as this call sends it. */
static const uint8_t *stamped(const struct client *c, const struct call *call)
{
    size_t payload = c->settings->payload;
    memcpy(c->request + MESSAGE_PREFIX, &call->id, payload < STAMP_BYTES ? payload : STAMP_BYTES);
    return c->request;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream_id, uint8_t *bytes, size_t capacity,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct call *call = source->ptr;
    const struct client *c = call->connection->client;
    (void)session, (void)stream_id, (void)user;
    if (call->held)
        return NGHTTP2_ERR_DEFERRED;
    size_t length = c->request_length - call->sent;
    if (length > capacity)
        length = capacity;
    memcpy(bytes, stamped(c, call) + call->sent, length);
    call->sent += length;
    if (call->sent == c->request_length)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes, size_t length,
                   void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    const struct client *c = ((struct client_connection *)user)->client;
    (void)flags;
    if (!call)
        return 0;
    const uint8_t *expected = c->settings->expected == SIZE_MAX ? stamped(c, call) : c->response;
    while (length > 0) {
        size_t offset = call->received % c->response_length, part = c->response_length - offset;
        if (part > length)
            part = length;
        /* A message that the backend made is zeros behind its prefix; `response` holds the same. */
        if (memcmp(bytes, expected + offset, part) != 0)
            call->body_wrong = true;
        call->received += part;
        bytes += part;
        length -= part;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags, (void)user, (void)value_length;
    if (!call)
        return 0;
    int number = (int)strtol((const char *)value, NULL, 10);
    if (name_length == 7 && memcmp(name, ":status", 7) == 0)
        call->http_status = number;
    else if (name_length == 11 && memcmp(name, "grpc-status", 11) == 0)
        call->grpc_status = number;
    return 0;
}

static void on_settings(struct client_connection *connection)
{
    struct client *c = connection->client;
    uint32_t streams =
        nghttp2_session_get_remote_settings(connection->peer.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (!connection->ready)
        c->ready++;
    connection->ready = true;
    connection->limit = streams < c->settings->streams ? streams : c->settings->streams;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct client_connection *connection = user;
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        on_settings(connection);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        connection->limit = 0;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !call->headers_seen) {
        call->headers_seen = true;
        if (connection->client->on_headers)
            connection->client->on_headers(call, connection->client->user);
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        call->ended = true;
        call->trailers_seen = frame->hd.type == NGHTTP2_HEADERS;
    }
    return 0;
}

static enum outcome judge(const struct client *c, const struct call *call, uint32_t error_code)
{
    if (error_code != NGHTTP2_NO_ERROR || !call->ended)
        return OUTCOME_RESET;
    if (call->http_status != 200)
        return OUTCOME_HTTP_STATUS;
    if (!call->trailers_seen || call->grpc_status < 0)
        return OUTCOME_NO_TRAILERS;
    if (call->grpc_status != 0)
        return OUTCOME_GRPC_STATUS;
    if (call->body_wrong || call->received != c->response_length * c->settings->replies)
        return OUTCOME_BODY;
    return OUTCOME_OK;
}

static void finish(struct call *call, enum outcome outcome)
{
    struct client_connection *connection = call->connection;
    struct client *c = connection->client;
    connection->in_flight--;
    c->in_flight--;
    c->on_done(call, outcome, c->user);
    call->connection = NULL;
    list_remove(&call->member);
    list_push_back(&c->unused, &call->member);
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    const struct client_connection *connection = user;
    if (call)
        finish(call, judge(connection->client, call, error_code));
    return 0;
}

static void on_gone(struct peer *p)
{
    struct client_connection *connection = (struct client_connection *)p;
    if (!connection->ready)
        connection->client->ready++;
    connection->ready = true;
    connection->client->lost++;
    connection->limit = 0;
    LIST_FOR_SAFE(node, &connection->calls)
        finish(CONTAINER_OF(node, struct call, member), OUTCOME_CONNECTION);
    peer_fini(p);
}

static nghttp2_session *session_new(struct client_connection *connection)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    if (nghttp2_session_client_new(&session, callbacks, connection) != 0)
        abort();
    nghttp2_session_callbacks_del(callbacks);
    peer_submit_settings(session, 0);
    return session;
}

static void open_connection(struct client *c, struct client_connection *connection)
{
    const struct client_settings *s = c->settings;
    int fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, (const struct sockaddr *)&s->address, s->address_length) < 0 && errno != EINPROGRESS)) {
        perror("bench_load: connect");
        exit(2);
    }
    connection->client = c;
    list_init(&connection->calls);
    wire_init(&connection->peer.wire, fd, s->tls, false, s->server_name);
    connection->peer.session = session_new(connection);
    peer_start(&connection->peer, c->loop, on_gone);
}

void client_init(struct client *c, struct loop *loop, const struct client_settings *settings)
{
    *c = (struct client){.loop = loop, .settings = settings};
    size_t calls = (size_t)settings->connections * settings->streams;
    c->connections = calloc(settings->connections, sizeof *c->connections);
    c->calls = calloc(calls, sizeof *c->calls);
    if (!c->connections || !c->calls)
        abort();
    list_init(&c->unused);
    for (size_t i = 0; i < calls; i++)
        list_push_back(&c->unused, &c->calls[i].member);
    c->request = message_new(settings->payload);
    c->request_length = settings->payload + MESSAGE_PREFIX;
    size_t expected = settings->expected == SIZE_MAX ? settings->payload : settings->expected;
    c->response = message_new(expected);
    memset(c->response + MESSAGE_PREFIX, 0, expected);
    c->response_length = expected + MESSAGE_PREFIX;
}

void client_fini(struct client *c)
{
    for (unsigned i = 0; i < c->opened; i++) {
        if (c->connections[i].peer.session)
            peer_fini(&c->connections[i].peer);
    }
    free(c->connections);
    free(c->calls);
    free(c->request);
    free(c->response);
}

bool client_connect(struct client *c)
{
    while (c->opened < c->settings->connections && c->opened - c->ready < CONNECTING_MAX)
        open_connection(c, &c->connections[c->opened++]);
    return c->ready == c->settings->connections;
}

static int32_t submit(struct client_connection *connection, struct call *call)
{
    const struct client_settings *s = connection->client->settings;
    char timeout[16];
    int timeout_length = snprintf(timeout, sizeof timeout, "%uu", s->timeout_us - (unsigned)(call->id * 7 % 1000));
    const char *scheme = s->tls ? "https" : "http";
#define FIELD(name, value, length)                                                                                     \
    {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, (length), NGHTTP2_NV_FLAG_NONE}
    nghttp2_nv fields[] = {
        FIELD(":method", "POST", 4),
        FIELD(":scheme", scheme, strlen(scheme)),
        FIELD(":path", s->path, strlen(s->path)),
        FIELD(":authority", s->authority, strlen(s->authority)),
        FIELD("content-type", "application/grpc", 16),
        FIELD("user-agent", "grpc-go/1.76.0", 14),
        FIELD("te", "trailers", 8),
        FIELD("grpc-timeout", timeout, (size_t)timeout_length),
    };
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_request};
    size_t count = sizeof fields / sizeof fields[0] - (s->timeout_us == 0 ? 1 : 0);
    return nghttp2_submit_request(connection->peer.session, NULL, fields, count, &provider, call);
}

struct call *client_call_on(struct client_connection *connection, uint64_t id, int64_t intended, bool held)
{
    struct client *c = connection->client;
    struct list *node = list_pop(&c->unused);
    if (!node)
        return NULL;
    struct call *call = CONTAINER_OF(node, struct call, member);
    *call = (struct call){
        .connection = connection, .id = id, .intended = intended, .http_status = -1, .grpc_status = -1, .held = held};
    call->stream_id = submit(connection, call);
    if (call->stream_id < 0) {
        fprintf(stderr, "bench_load: %s\n", nghttp2_strerror(call->stream_id));
        exit(2);
    }
    list_push_back(&connection->calls, &call->member);
    connection->in_flight++;
    c->in_flight++;
    peer_touch(&connection->peer);
    return call;
}

struct call *client_call(struct client *c, uint64_t id, int64_t intended, bool held)
{
    for (unsigned tried = 0; tried < c->settings->connections; tried++) {
        struct client_connection *connection = &c->connections[c->next];
        c->next = (c->next + 1) % c->settings->connections;
        if (connection->in_flight < connection->limit)
            return client_call_on(connection, id, intended, held);
    }
    return NULL;
}
