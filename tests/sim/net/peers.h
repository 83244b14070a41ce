/* Clients and servers in a simulated world, each side on a loop of its own: they send a pattern, check what comes,
 * pause at random, and note how they end. */
#ifndef TESTS_SIM_NET_PEERS_H
#define TESTS_SIM_NET_PEERS_H

#include "world.h"

#include "certs.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/resolve.h"
#include "net/sock.h"
#include "net/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PEERS = 6 };

static const struct address server_at = {.kind = ADDRESS_IPV4, .ip = {10, 0, 0, 7}, .port = 8443};
static const struct address unix_at = {.kind = ADDRESS_UNIX, .name = "/run/world.sock"};

/* A side that sends a pattern and checks that what it gets is the pattern, too. */
struct side {
    struct conn *conn;
    uint8_t seed, peer_seed;
    size_t to_send, got;
    struct buf out;
    bool open, blocked;
    int ended;
    enum conn_end end;
    char why[200];
    ns_t opened_at, ended_at;
};

static struct loop *client_loop, *server_loop;
static struct conn_env *client_env, *server_env;
static struct listener *listener;
static struct side clients[PEERS], servers[PEERS];
static int servers_n;
static struct tls_context *client_tls, *server_tls, *in_use_client, *in_use_server;

static inline uint8_t pattern(uint8_t seed, size_t i)
{
    return (uint8_t)(seed + i * 31 + i / 253);
}

static inline void on_open(void *ctx)
{
    struct side *s = ctx;
    assert_false(s->open);
    assert_int_equal(s->ended, 0);
    s->open = true;
    s->opened_at = world_now();
}

static inline void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct side *s = ctx;
    assert_true(s->open);
    assert_int_equal(s->ended, 0);
    for (size_t i = 0; i < n; i++)
        if (p[i] != pattern(s->peer_seed, s->got++))
            fail_msg("byte %zu is wrong", s->got - 1);
    if (rng_below(world_rng(), 8) == 0)
        conn_pause(s->conn, true);
}

static inline void on_writable(void *ctx)
{
    struct side *s = ctx;
    assert_true(s->blocked);
    s->blocked = false;
}

static inline void on_end(void *ctx, enum conn_end end, const char *why)
{
    struct side *s = ctx;
    assert_int_equal(s->ended++, 0);
    s->end = end;
    s->ended_at = world_now();
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    conn_close(s->conn, rng_below(world_rng(), 2));
    s->conn = NULL;
}

static const struct conn_ops ops = {on_open, on_bytes, on_writable, on_end};

static inline void flush(struct side *s)
{
    if (!s->conn || !s->open)
        return;
    conn_pause(s->conn, false);
    while (buf_len(&s->out) < 40000 && s->to_send > 0) {
        uint8_t c = pattern(s->seed, conn_offered(s->conn) + buf_len(&s->out));
        assert_int_equal(buf_append(&s->out, &c, 1), ERR_NONE);
        s->to_send--;
    }
    while (!s->blocked && buf_len(&s->out) > 0) {
        size_t had = buf_len(&s->out);
        s->blocked = !conn_write(s->conn, &s->out);
        assert_true(s->blocked || buf_len(&s->out) < had);
    }
}

static inline void on_client_turn(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < PEERS; i++)
        flush(&clients[i]);
    conn_sweep(client_env);
}

static inline void on_server_turn(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < servers_n; i++)
        flush(&servers[i]);
    conn_sweep(server_env);
}

static size_t server_sends;

static inline void on_accept(void *ctx, int fd, const struct address *peer)
{
    (void)ctx, (void)peer;
    assert_in_range(servers_n, 0, PEERS - 1);
    struct side *s = &servers[servers_n++];
    *s = (struct side){.seed = 100, .peer_seed = 7, .to_send = server_sends};
    s->conn = conn_accepted(server_env, fd, in_use_server, &ops, s);
    assert_non_null(s->conn);
}

static int pressure;

static inline void on_pressure(void *ctx, bool paused)
{
    (void)ctx;
    pressure = paused;
}

static const struct listener_ops listener_ops = {on_accept, on_pressure};

static inline void start(uint64_t seed, bool tls)
{
    int fd, error;
    world_open(seed);
    in_use_client = tls ? client_tls : NULL;
    in_use_server = tls ? server_tls : NULL;
    servers_n = pressure = 0;
    server_sends = 0;
    memset(clients, 0, sizeof clients);
    client_loop = loop_new();
    server_loop = loop_new();
    client_env = conn_env_new(client_loop);
    server_env = conn_env_new(server_loop);
    loop_set_turn_end(client_loop, on_client_turn, NULL);
    loop_set_turn_end(server_loop, on_server_turn, NULL);
    assert_int_equal(sock_listen(&server_at, false, &fd, &error), ERR_NONE);
    listener = listener_new(server_loop, fd, &listener_ops, NULL);
}

static inline void connect_one(int i, size_t to_send)
{
    clients[i] = (struct side){.seed = 7, .peer_seed = 100, .to_send = to_send};
    clients[i].conn = conn_connect(client_env, &server_at, in_use_client, NULL, &ops, &clients[i]);
    assert_non_null(clients[i].conn);
}

/* Closes all, and proves that nothing is left. */
static inline void finish(void)
{
    for (int i = 0; i < PEERS; i++) {
        conn_close(clients[i].conn, false);
        clients[i].conn = NULL;
        buf_fini(&clients[i].out);
    }
    for (int i = 0; i < servers_n; i++) {
        conn_close(servers[i].conn, true);
        servers[i].conn = NULL;
        buf_fini(&servers[i].out);
    }
    listener_free(listener);
    world_run_until(world_now() + 2 * NS_PER_S);
    assert_int_equal(world_live_sockets(), 0);
    conn_env_free(client_env);
    conn_env_free(server_env);
    assert_int_equal(world_live_watches(), 0);
    assert_int_equal(world_live_loops(), 2);
    loop_free(client_loop);
    loop_free(server_loop);
    world_close();
}

static inline void write_certificates(void)
{
    struct cert ca = certs_make(&(struct cert_spec){.name = "ca", .authority = true}, NULL);
    certs_write(&ca, "ca", NULL);
    certs_leaf("client", &(struct cert_spec){.name = "client", .san = "URI:spiffe://a/client"}, &ca);
    certs_leaf("server", &(struct cert_spec){.name = "server", .san = "URI:spiffe://a/server"}, &ca);
    certs_free(&ca);
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
