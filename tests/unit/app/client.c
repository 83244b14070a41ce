/* The client against a server of our own session on the same loop: answers, failures, bounds, and ends from inside
 * callbacks. */
#include "app/client.h"

#include "../net/certs.h"
#include "h2/session.h"
#include "net/conn.h"
#include "net/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

/* c-ares 1.18 forgets the name it found in the hosts file. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcares";
}

enum { PEERS = 8, CALLS = 300, BIG = 300000 };

/* An accepted connection, and what is asked on it. */
struct peer {
    struct conn *conn;
    struct session session;
    bool open, closing;
};

struct served {
    struct stream stream;
    struct peer *peer;
    struct buf body;
    char path[64];
    struct header trailer;
};

static struct loop *loop;
static struct client_env *env;
static struct client *client;
static struct conn_env *peer_conns;
static struct session_env peer_sessions;
static struct worker_stats peer_stats;
static struct listener *listener;
static struct address address;
static struct tls_context *server_tls;
static struct peer peers[PEERS];
static struct served served[CALLS];
static size_t peers_n, served_n;
static bool refuse_next; /* the next request is behind a GOAWAY */

/* What happened to a request of ours. */
struct asked {
    unsigned status;
    size_t bytes;
    int ended;
    enum client_end end;
    char why[200], trailer[64], type[64];
    bool free_on_data, cancel_on_response;
    struct client_request *request;
};

static int waiting; /* ends that are still to come */

static void serve_flush(struct peer *p)
{
    if (!p->open || !p->conn)
        return;
    session_pump(&p->session);
    size_t before = buf_len(&p->session.out);
    if (before > 0 && conn_write(p->conn, &p->session.out))
        session_on_flushed(&p->session, before);
}

static struct stream *on_request(void *ctx)
{
    struct served *s = &served[served_n++];
    assert_true(served_n <= CALLS);
    *s = (struct served){.peer = ctx};
    return &s->stream;
}

static void respond(struct served *s)
{
    static uint8_t big[BIG];
    struct header v[] = {header_make(TOKEN_STATUS, SLICE("200")), header_make(TOKEN_CONTENT_TYPE, SLICE("text/plain"))};
    size_t sent;
    if (strcmp(s->path, "/hang") == 0)
        return;
    if (strcmp(s->path, "/reset") == 0) {
        stream_reset(&s->stream, H2_INTERNAL_ERROR);
        return;
    }
    if (strcmp(s->path, "/cut") == 0) {
        s->peer->closing = true;
        return;
    }
    if (strcmp(s->path, "/empty") == 0) {
        v[0].value = "404";
        assert_int_equal(stream_respond(&s->stream, v, 2, true), ERR_NONE);
        return;
    }
    assert_int_equal(stream_respond(&s->stream, v, 2, false), ERR_NONE);
    if (strcmp(s->path, "/big") == 0) {
        assert_int_equal(stream_send(&s->stream, big, BIG, true, &sent), ERR_NONE);
        return;
    }
    assert_int_equal(stream_send(&s->stream, buf_head(&s->body), buf_len(&s->body), false, &sent), ERR_NONE);
    s->trailer = header_make(TOKEN_GRPC_STATUS, SLICE("0"));
    assert_int_equal(stream_send_trailers(&s->stream, &s->trailer, 1), ERR_NONE);
}

static struct served *of(struct stream *s)
{
    return CONTAINER_OF(s, struct served, stream);
}

static void serve_headers(struct stream *st, const struct headers *h, bool end, bool oversize)
{
    struct served *s = of(st);
    const struct header *path = headers_find(h, TOKEN_PATH);
    assert_false(oversize);
    (void)snprintf(s->path, sizeof s->path, "%.*s", (int)path->value_n, path->value);
    if (refuse_next) {
        refuse_next = false;
        s->peer->session.last_peer_id = 0;
        session_goaway(&s->peer->session, H2_NO_ERROR, NULL);
        return;
    }
    if (end)
        respond(s);
}

static void serve_data(struct stream *st, const uint8_t *p, size_t n, bool end)
{
    struct served *s = of(st);
    assert_int_equal(buf_append(&s->body, p, n), ERR_NONE);
    stream_consume(st, n);
    if (end)
        respond(s);
}

static void serve_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    (void)s, (void)h, (void)oversize;
}

static void serve_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    (void)s, (void)code, (void)how;
}

static void serve_sent(struct stream *s, size_t n)
{
    (void)s, (void)n;
}

static void serve_done(struct stream *s)
{
    (void)s;
}

static void serve_nothing(void *ctx)
{
    (void)ctx;
}

static void serve_goaway(void *ctx, uint32_t last, uint32_t code)
{
    (void)ctx, (void)last, (void)code;
}

static const struct session_ops peer_ops = {.on_request = on_request,
                                            .on_headers = serve_headers,
                                            .on_trailers = serve_trailers,
                                            .on_data = serve_data,
                                            .on_reset = serve_reset,
                                            .on_sent = serve_sent,
                                            .on_done = serve_done,
                                            .on_ready = serve_nothing,
                                            .on_limit = serve_nothing,
                                            .on_goaway = serve_goaway,
                                            .on_pong = serve_nothing,
                                            .on_weary = serve_nothing};

static void peer_open(void *ctx)
{
    struct peer *p = ctx;
    p->open = true;
    serve_flush(p);
}

static void peer_close(struct peer *p)
{
    if (!p->conn)
        return;
    session_abandon(&p->session);
    session_fini(&p->session);
    conn_close(p->conn, false);
    p->conn = NULL;
}

static void peer_bytes(void *ctx, const uint8_t *bytes, size_t n)
{
    struct peer *p = ctx;
    if (!p->conn)
        return;
    assert_int_equal(session_feed(&p->session, bytes, n), ERR_NONE);
    serve_flush(p);
    if (p->closing)
        peer_close(p);
}

static void peer_writable(void *ctx)
{
    serve_flush(ctx);
}

static void peer_end(void *ctx, enum conn_end end, const char *why)
{
    (void)end, (void)why;
    peer_close(ctx);
}

static const struct conn_ops peer_conn_ops = {peer_open, peer_bytes, peer_writable, peer_end};

static void on_accept(void *ctx, int fd, const struct address *from)
{
    struct peer *p = &peers[peers_n++];
    (void)ctx, (void)from;
    assert_true(peers_n <= PEERS);
    *p = (struct peer){0};
    session_init(&p->session, &peer_sessions, true, CALLS, &peer_ops, p);
    p->conn = conn_accepted(peer_conns, fd, server_tls, &peer_conn_ops, p);
    assert_non_null(p->conn);
}

static const struct listener_ops listener_ops = {.on_accept = on_accept};

static void listen_at(const struct address *at)
{
    int fd, error;
    assert_int_equal(sock_listen(at, false, &fd, &error), ERR_NONE);
    address = *at;
    if (at->kind != ADDRESS_UNIX)
        assert_int_equal(sock_local(fd, &address, NULL), ERR_NONE);
    listener = listener_new(loop, fd, &listener_ops, NULL);
    assert_non_null(listener);
}

static void make_client(const struct address *at, struct tls_context *tls, const struct tls_expect *expect)
{
    static const struct tls_expect nobody;
    client = client_new(env, &(struct client_target){
                                 .address = *at, .authority = "here", .tls = tls, .expect = expect ? *expect : nobody});
    assert_non_null(client);
}

static int setup(void **state)
{
    static const struct address any = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};
    (void)state;
    peers_n = served_n = 0;
    waiting = 0;
    loop = loop_new();
    env = client_env_new(loop);
    peer_conns = conn_env_new(loop);
    session_env_init(&peer_sessions, &peer_stats);
    listen_at(&any);
    make_client(&address, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_env_free(env);
    for (size_t i = 0; i < peers_n; i++)
        peer_close(&peers[i]);
    for (size_t i = 0; i < served_n; i++)
        buf_fini(&served[i].body);
    if (listener)
        listener_free(listener);
    conn_env_free(peer_conns);
    session_env_fini(&peer_sessions);
    loop_free(loop);
    return 0;
}

static void on_response(void *ctx, unsigned status, const struct headers *h)
{
    struct asked *a = ctx;
    const struct header *type = headers_find(h, TOKEN_CONTENT_TYPE);
    assert_int_equal(a->status, 0);
    a->status = status;
    if (type)
        (void)snprintf(a->type, sizeof a->type, "%.*s", (int)type->value_n, type->value);
    if (!a->cancel_on_response)
        return;
    client_cancel(a->request);
    if (--waiting == 0)
        loop_stop(loop);
}

static void on_data(void *ctx, const uint8_t *p, size_t n)
{
    struct asked *a = ctx;
    (void)p;
    a->bytes += n;
    if (!a->free_on_data)
        return;
    client_free(client);
    if (--waiting == 0)
        loop_stop(loop);
}

static void on_end(void *ctx, enum client_end end, const struct headers *trailers, const char *why)
{
    struct asked *a = ctx;
    assert_int_equal(a->ended++, 0);
    a->end = end;
    (void)snprintf(a->why, sizeof a->why, "%s", why);
    const struct header *t = trailers ? headers_find(trailers, TOKEN_GRPC_STATUS) : NULL;
    if (t)
        (void)snprintf(a->trailer, sizeof a->trailer, "%.*s", (int)t->value_n, t->value);
    if (--waiting == 0)
        loop_stop(loop);
}

static const struct client_events events = {on_response, on_data, on_end};

static bool ask(struct asked *a, const struct client_call *call)
{
    a->request = client_open(client, call, &events, a);
    waiting += a->request != NULL;
    return a->request != NULL;
}

static bool get(struct asked *a, const char *path)
{
    return ask(a, &(struct client_call){.method = "GET", .path = slice_str(path)});
}

static void test_answers(void **state)
{
    static uint8_t body[200000];
    struct asked a = {0}, b = {0}, c = {0};
    struct header field = client_field("x-token", SLICE("secret"));
    (void)state;
    assert_true(ask(&a, &(struct client_call){.method = "POST",
                                              .path = SLICE("/echo"),
                                              .fields = &field,
                                              .fields_n = 1,
                                              .body = slice_make(body, sizeof body)}));
    assert_true(get(&b, "/empty"));
    assert_true(get(&c, "/big"));
    loop_run(loop);
    assert_int_equal(a.end, CLIENT_END_DONE);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.bytes, sizeof body);
    assert_string_equal(a.trailer, "0");
    assert_string_equal(a.type, "text/plain");
    assert_int_equal(b.status, 404);
    assert_int_equal(b.end, CLIENT_END_DONE);
    assert_int_equal(c.bytes, BIG);
    assert_int_equal(peers_n, 1);
}

static void test_unix_path(void **state)
{
    char path[64];
    struct asked a = {0};
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/outrigger-client-%ld", (long)getpid());
    struct address at = {.kind = ADDRESS_UNIX, .name = path};
    listener_free(listener);
    client_free(client);
    listen_at(&at);
    make_client(&at, NULL, NULL);
    assert_true(get(&a, "/empty"));
    loop_run(loop);
    assert_int_equal(a.status, 404);
    sock_remove_file(&at);
}

static void test_name(void **state)
{
    struct address at = {.kind = ADDRESS_NAME, .name = "localhost", .port = address.port};
    struct asked a = {0};
    (void)state;
    client_free(client);
    make_client(&at, NULL, NULL);
    assert_true(get(&a, "/empty"));
    loop_run(loop);
    assert_int_equal(a.status, 404);
}

static void test_nobody_there(void **state)
{
    struct asked a = {0}, b = {0};
    (void)state;
    listener_free(listener);
    listener = NULL;
    assert_true(get(&a, "/empty"));
    assert_true(get(&b, "/empty"));
    loop_run(loop);
    assert_int_equal(a.end, CLIENT_END_CONNECT);
    assert_int_equal(b.end, CLIENT_END_CONNECT);
    assert_true(strlen(a.why) > 0);
}

static void test_failures(void **state)
{
    struct asked reset = {0}, hang = {0}, cut = {0}, after = {0};
    (void)state;
    assert_true(get(&reset, "/reset"));
    loop_run(loop);
    assert_int_equal(reset.end, CLIENT_END_RESET);
    assert_true(ask(&hang, &(struct client_call){.method = "GET", .path = SLICE("/hang"), .timeout_ns = NS_PER_MS}));
    loop_run(loop);
    assert_int_equal(hang.end, CLIENT_END_TIMEOUT);
    assert_true(get(&cut, "/cut"));
    loop_run(loop);
    assert_int_equal(cut.end, CLIENT_END_LOST);
    assert_true(get(&after, "/empty"));
    loop_run(loop);
    assert_int_equal(after.status, 404);
    assert_int_equal(peers_n, 2);
}

static void test_goaway(void **state)
{
    struct asked a = {0};
    (void)state;
    refuse_next = true;
    assert_true(get(&a, "/empty"));
    loop_run(loop);
    assert_int_equal(a.end, CLIENT_END_DONE);
    assert_int_equal(a.status, 404);
    assert_int_equal(peers_n, 2);
}

static void test_end_from_inside(void **state)
{
    struct asked cancelled = {.cancel_on_response = true}, freed = {.free_on_data = true}, quiet = {0};
    (void)state;
    assert_true(get(&cancelled, "/big"));
    loop_run(loop);
    assert_int_equal(cancelled.ended, 0);
    assert_int_equal(cancelled.bytes, 0);
    assert_true(get(&quiet, "/hang"));
    waiting--;
    assert_true(get(&freed, "/big"));
    loop_run(loop);
    assert_int_equal(freed.ended, 0);
    assert_int_equal(quiet.ended, 0);
}

static void test_bounds(void **state)
{
    static struct asked many[CLIENT_REQUESTS_MAX + 1];
    static uint8_t body[CLIENT_BODY_MAX + 1];
    struct header fields[CLIENT_FIELDS_MAX + 1];
    (void)state;
    for (size_t i = 0; i <= CLIENT_FIELDS_MAX; i++)
        fields[i] = client_field("x-many", SLICE("1"));
    struct client_call call = {.method = "GET", .path = SLICE("/empty"), .fields = fields};
    call.fields_n = CLIENT_FIELDS_MAX + 1;
    assert_false(ask(&many[0], &call));
    call.fields_n = CLIENT_FIELDS_MAX;
    assert_true(ask(&many[0], &call));
    call.body = slice_make(body, sizeof body);
    assert_false(ask(&many[1], &call));
    call.body.n--;
    assert_true(ask(&many[1], &call));
    for (size_t i = 2; i < CLIENT_REQUESTS_MAX; i++)
        assert_true(get(&many[i], "/empty"));
    assert_false(get(&many[CLIENT_REQUESTS_MAX], "/empty"));
    loop_run(loop);
    for (size_t i = 0; i < CLIENT_REQUESTS_MAX; i++)
        assert_int_equal(many[i].end, CLIENT_END_DONE);
}

static struct tls_context *context(bool server, const char *error_of)
{
    char key[FOLDER_MAX + 20], cert[FOLDER_MAX + 20], trust[FOLDER_MAX + 20], error[TLS_ERROR_MAX];
    (void)snprintf(key, sizeof key, "%s", certs_path("api.key"));
    (void)snprintf(cert, sizeof cert, "%s", certs_path("api.crt"));
    (void)snprintf(trust, sizeof trust, "%s", certs_path("ca.crt"));
    struct tls_config config = {.server = server,
                                .files.certificate = server ? cert : NULL,
                                .files.private_key = server ? key : NULL,
                                .files.trust = trust};
    struct tls_context *c = tls_context_new(&config, error);
    if (!c)
        fprintf(stderr, "%s: %s\n", error_of, error);
    assert_non_null(c);
    return c;
}

static void ask_over_tls(struct asked *a, struct tls_context *tls, const char *ip)
{
    client_free(client);
    make_client(&address, tls, &(struct tls_expect){.ip = ip});
    assert_true(get(a, "/empty"));
    loop_run(loop);
}

static void test_tls(void **state)
{
    struct asked right = {0}, wrong = {0}, again = {0};
    (void)state;
    certs_init();
    struct cert ca = certs_make(&(struct cert_spec){.name = "ca", .authority = true}, NULL);
    certs_write(&ca, "ca", NULL);
    certs_leaf("api", &(struct cert_spec){.name = "api", .san = "IP:127.0.0.1", .usage = "serverAuth"}, &ca);
    server_tls = context(true, "server");
    struct tls_context *first = context(false, "client"), *second = context(false, "client");
    ask_over_tls(&right, first, "127.0.0.1");
    assert_int_equal(right.status, 404);
    client_set_tls(client, first);
    client_set_tls(client, second);
    assert_true(get(&again, "/empty"));
    loop_run(loop);
    assert_int_equal(again.status, 404);
    assert_int_equal(peers_n, 2);
    ask_over_tls(&wrong, first, "127.0.0.2");
    assert_int_equal(wrong.end, CLIENT_END_CONNECT);
    tls_context_unref(first);
    tls_context_unref(second);
    tls_context_unref(server_tls);
    server_tls = NULL;
    certs_free(&ca);
    certs_fini();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goaway, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_from_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
