/* A client and a server connection over a real loopback socket on one loop, and what happened to each. */
#ifndef TESTS_UNIT_NET_CONN_PAIR_H
#define TESTS_UNIT_NET_CONN_PAIR_H

#include "net/conn.h"

#include "certs.h"
#include "net/sock.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* One side: a conn and what happened to it. */
struct side {
    struct conn *conn;
    int opened, ended, writable;
    enum conn_end end;
    char why[200];
    struct buf in;
    struct buf out; /* offered at the end of every turn while not blocked */
    bool blocked;
    bool close_on_bytes; /* conn_close from on_bytes */
    bool pause_on_bytes;
    const char *write_on_open; /* from on_open itself */
};

static struct loop *loop;
static struct conn_env *env;
static struct side client, server;
static struct tls_context *client_tls, *server_tls; /* NULL: clear text */
static struct tls_context *good_client, *good_server, *strange_client;
static int listen_fd, server_fd; /* server_fd: the last accepted, borrowed from its conn */
static struct address listen_address;
static bool (*until)(void);

static inline void on_open(void *ctx)
{
    struct side *s = ctx;
    assert_int_equal(s->opened++, 0);
    assert_int_equal(s->ended, 0);
    if (s->write_on_open) {
        assert_int_equal(buf_append(&s->out, s->write_on_open, strlen(s->write_on_open)), ERR_NONE);
        s->blocked = !conn_write(s->conn, &s->out);
    }
}

static inline void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct side *s = ctx;
    assert_int_equal(s->opened, 1);
    assert_int_equal(s->ended, 0);
    assert_non_null(s->conn);
    assert_true(n > 0);
    assert_int_equal(buf_append(&s->in, p, n), ERR_NONE);
    if (s->pause_on_bytes)
        conn_pause(s->conn, true);
    if (s->close_on_bytes) {
        conn_close(s->conn, false);
        s->conn = NULL;
    }
}

static inline void on_writable(void *ctx)
{
    struct side *s = ctx;
    assert_true(s->blocked);
    s->blocked = false;
    s->writable++;
}

static inline void on_end(void *ctx, enum conn_end end, const char *why)
{
    struct side *s = ctx;
    assert_int_equal(s->ended++, 0);
    s->end = end;
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    conn_close(s->conn, true);
    s->conn = NULL;
}

static const struct conn_ops ops = {on_open, on_bytes, on_writable, on_end};

static inline void flush(struct side *s)
{
    if (s->conn && !s->blocked && s->opened && buf_len(&s->out) > 0)
        s->blocked = !conn_write(s->conn, &s->out);
}

static inline void on_turn_end(void *ctx)
{
    (void)ctx;
    flush(&client);
    flush(&server);
    conn_sweep(env);
    if (until())
        loop_stop(loop);
}

static inline void run_until(bool (*condition)(void))
{
    until = condition;
    flush(&client);
    flush(&server);
    if (!condition())
        loop_run(loop);
}

static inline void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, -1), 1);
}

static inline int accept_fd(void)
{
    int fd = -1;
    wait_for(listen_fd, POLLIN);
    assert_int_equal(sock_accept(listen_fd, &fd, NULL), ERR_NONE);
    return fd;
}

static inline void start(struct tls_context *of_client, struct tls_context *of_server, const struct tls_expect *expect)
{
    client_tls = of_client;
    server_tls = of_server;
    client.conn = conn_connect(env, &listen_address, client_tls, expect, &ops, &client);
    assert_non_null(client.conn);
    server_fd = accept_fd();
    server.conn = conn_accepted(env, server_fd, server_tls, &ops, &server);
    assert_non_null(server.conn);
    assert_int_equal(client.opened + server.opened, 0);
}

static inline void side_fini(struct side *s)
{
    conn_close(s->conn, false);
    buf_fini(&s->in);
    buf_fini(&s->out);
    *s = (struct side){0};
}

static inline int setup(void **state)
{
    (void)state;
    int error;
    struct address a = {.kind = ADDRESS_IPV4, .ip = {127, 0, 0, 1}};
    loop = loop_new();
    env = conn_env_new(loop);
    loop_set_turn_end(loop, on_turn_end, NULL);
    return sock_listen(&a, false, &listen_fd, &error) == ERR_NONE &&
                   sock_local(listen_fd, &listen_address, NULL) == ERR_NONE
               ? 0
               : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    side_fini(&client);
    side_fini(&server);
    conn_env_free(env);
    loop_free(loop);
    sock_close(listen_fd);
    return 0;
}

static inline void put(struct side *s, const void *p, size_t n)
{
    assert_int_equal(buf_append(&s->out, p, n), ERR_NONE);
}

static inline bool both_open(void)
{
    return client.opened && server.opened;
}

static size_t wanted;

static inline bool server_has(void)
{
    return buf_len(&server.in) >= wanted;
}

static inline bool client_has(void)
{
    return buf_len(&client.in) >= wanted;
}

static inline bool client_ended(void)
{
    return client.ended;
}

static inline bool server_ended(void)
{
    return server.ended;
}

static inline bool server_blocked(void)
{
    return server.blocked;
}

static inline void assert_in(struct side *s, const char *text)
{
    assert_int_equal(buf_len(&s->in), strlen(text));
    assert_memory_equal(buf_head(&s->in), text, strlen(text));
}

/* Every test of this list runs in clear text and over TLS. */
static bool use_tls;

static inline void start_both(void)
{
    start(use_tls ? good_client : NULL, use_tls ? good_server : NULL, NULL);
}

static inline void write_certificates(void)
{
    struct cert ca = certs_make(&(struct cert_spec){.name = "ca", .authority = true}, NULL);
    struct cert other = certs_make(&(struct cert_spec){.name = "other", .authority = true}, NULL);
    certs_write(&ca, "ca", NULL);
    certs_leaf("client", &(struct cert_spec){.name = "client", .san = "URI:spiffe://a/client"}, &ca);
    certs_leaf("server", &(struct cert_spec){.name = "server", .san = "URI:spiffe://a/server,DNS:server.test"}, &ca);
    certs_leaf("strange", &(struct cert_spec){.name = "strange", .san = "URI:spiffe://a/client"}, &other);
    certs_free(&ca);
    certs_free(&other);
}

static inline struct tls_context *context(bool is_server, const char *crt, const char *key)
{
    char error[TLS_ERROR_MAX];
    const struct tls_config config = {.server = is_server,
                                      .mutual = true,
                                      .files.certificate = certs_path(crt),
                                      .files.private_key = certs_path(key),
                                      .files.trust = certs_path("ca.crt")};
    struct tls_context *c = tls_context_new(&config, error);
    certs_check(c != NULL, error);
    return c;
}

#endif
