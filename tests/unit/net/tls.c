/* TLS by memory only: handshakes that must open, handshakes that must fail with the right words, data cut anyhow, and
 * the memory of an idle connection. */
#include "net/tls_context.h"

#include "base/rng.h"
#include "certs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PAYMENT "spiffe://shop.example/ns/shop/sa/payment"
#define ORDER   "spiffe://shop.example/ns/shop/sa/order"

struct side {
    struct tls *tls;
    struct buf out, plain;
    enum err err; /* of the last tls_feed that failed */
};

struct pair {
    struct side client, server;
    size_t step; /* bytes fed at once; 0: all */
};

static size_t ssl_bytes; /* what OpenSSL holds now */

static void *count_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    size_t *p = malloc(n + 16);
    if (!p)
        return NULL;
    *p = n;
    ssl_bytes += n;
    return (char *)p + 16;
}

static void count_free(void *q, const char *file, int line)
{
    (void)file, (void)line;
    if (!q)
        return;
    size_t *p = (size_t *)(void *)((char *)q - 16);
    ssl_bytes -= *p;
    free(p);
}

static void *count_realloc(void *q, size_t n, const char *file, int line)
{
    void *to = n ? count_malloc(n, file, line) : NULL;
    if (to && q) {
        size_t had = *(size_t *)(void *)((char *)q - 16);
        memcpy(to, q, had < n ? had : n);
    }
    if (to || n == 0)
        count_free(q, file, line);
    return to;
}

static struct tls_context *context(bool server, bool mutual, const char *name, const char *trust, const char *revoked)
{
    char error[TLS_ERROR_MAX], crt[64], key[64];
    (void)snprintf(crt, sizeof crt, "%s.crt", name ? name : "");
    (void)snprintf(key, sizeof key, "%s.key", name ? name : "");
    const struct tls_config config = {.server = server,
                                      .mutual = mutual,
                                      .certificate = name ? certs_path(crt) : NULL,
                                      .private_key = name ? certs_path(key) : NULL,
                                      .trust = trust ? certs_path(trust) : NULL,
                                      .revoked = revoked ? certs_path(revoked) : NULL};
    struct tls_context *c = tls_context_new(&config, error);
    if (!c)
        fail_msg("%s", error);
    return c;
}

static bool on_plain(void *ctx, const uint8_t *p, size_t n)
{
    struct buf *plain = ctx;
    assert_int_equal(buf_append(plain, p, n), ERR_NONE);
    return true;
}

static void pair_init(struct pair *p, struct tls_context *client, struct tls_context *server,
                      const struct tls_expect *expect)
{
    *p = (struct pair){0};
    p->client.tls = tls_new(client, expect);
    p->server.tls = tls_new(server, NULL);
    assert_non_null(p->client.tls);
    assert_non_null(p->server.tls);
    assert_int_equal(tls_start(p->client.tls, &p->client.out), ERR_NONE);
}

static void side_fini(struct side *s)
{
    tls_free(s->tls);
    buf_fini(&s->out);
    buf_fini(&s->plain);
}

static void pair_fini(struct pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
}

static void carry(struct side *from, struct side *to, size_t step)
{
    struct buf moving = from->out;
    buf_init(&from->out);
    while (buf_len(&moving) > 0) {
        size_t n = step > 0 && step < buf_len(&moving) ? step : buf_len(&moving);
        enum err e = tls_feed(to->tls, buf_head(&moving), n, &to->out, on_plain, &to->plain);
        if (e != ERR_NONE && to->err == ERR_NONE)
            to->err = e;
        buf_consume(&moving, n);
    }
    buf_fini(&moving);
}

/* Carries bytes both ways until both are silent. */
static void run(struct pair *p)
{
    while (buf_len(&p->client.out) + buf_len(&p->server.out) > 0) {
        carry(&p->client, &p->server, p->step);
        carry(&p->server, &p->client, p->step);
    }
}

static void seal(struct side *s, const void *p, size_t n)
{
    assert_int_equal(tls_seal(s->tls, p, n, &s->out), ERR_NONE);
}

static void assert_plain(struct side *s, const void *p, size_t n)
{
    assert_int_equal(buf_len(&s->plain), n);
    assert_memory_equal(buf_head(&s->plain), p, n);
    buf_clear(&s->plain);
}

static void assert_both_open(struct pair *p)
{
    if (!tls_is_open(p->client.tls) || !tls_is_open(p->server.tls))
        fail_msg("client: %s, server: %s", tls_error(p->client.tls), tls_error(p->server.tls));
    seal(&p->client, "to the server", 13);
    seal(&p->server, "to the client", 13);
    run(p);
    assert_plain(&p->server, "to the server", 13);
    assert_plain(&p->client, "to the client", 13);
}

static void open_at(int version, size_t step)
{
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    const struct tls_expect expect = {.server_name = "payment.shop", .identity = PAYMENT, .dns = "payment.shop"};
    struct pair p;
    assert_int_equal(SSL_CTX_set_max_proto_version(client->ssl, version), 1);
    pair_init(&p, client, server, &expect);
    p.step = step;
    assert_string_equal(tls_peer_identity(p.client.tls), "");
    run(&p);
    assert_both_open(&p);
    assert_string_equal(tls_peer_identity(p.client.tls), PAYMENT);
    assert_string_equal(tls_peer_dns(p.client.tls), "payment.shop");
    assert_string_equal(tls_peer_identity(p.server.tls), ORDER);
    assert_string_equal(tls_peer_dns(p.server.tls), "");
    assert_string_equal(tls_error(p.client.tls), "");
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

static void test_opens(void **state)
{
    (void)state;
    open_at(TLS1_3_VERSION, 0);
    open_at(TLS1_2_VERSION, 0);
}

static void test_opens_byte_by_byte(void **state)
{
    (void)state;
    open_at(TLS1_3_VERSION, 1);
    open_at(TLS1_2_VERSION, 1);
}

static void test_server_only_asks_no_certificate(void **state)
{
    (void)state;
    struct tls_context *client = context(false, false, NULL, "ca.crt", NULL);
    struct tls_context *server = context(true, false, "payment", NULL, NULL);
    const struct tls_expect expect = {.dns = "payment.shop"};
    struct pair p;
    pair_init(&p, client, server, &expect);
    run(&p);
    assert_both_open(&p);
    assert_string_equal(tls_peer_identity(p.server.tls), "");
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

/* A handshake that must fail: who the sides are, and the words that each side's error must hold. */
struct refusal {
    const char *what;
    const char *client, *server; /* key pairs, NULL: none */
    const char *client_trust, *server_trust, *client_revoked, *server_revoked;
    struct tls_expect expect;
    void (*change)(struct tls_context *client, struct tls_context *server);
    const char *client_error, *server_error;
};

static void offer_http1(struct tls_context *client, struct tls_context *server)
{
    (void)server;
    assert_int_equal(SSL_CTX_set_alpn_protos(client->ssl, (const unsigned char *)"\x08http/1.1", 9), 0);
}

static void offer_nothing(struct tls_context *client, struct tls_context *server)
{
    (void)server;
    assert_int_equal(SSL_CTX_set_alpn_protos(client->ssl, NULL, 0), 0);
}

static int choose_nothing(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                          unsigned in_n, void *arg)
{
    (void)ssl, (void)out, (void)out_n, (void)in, (void)in_n, (void)arg;
    return SSL_TLSEXT_ERR_NOACK;
}

static void choose_no_protocol(struct tls_context *client, struct tls_context *server)
{
    (void)client;
    SSL_CTX_set_alpn_select_cb(server->ssl, choose_nothing, NULL);
}

static void offer_cbc(struct tls_context *client, struct tls_context *server)
{
    (void)server;
    assert_int_equal(SSL_CTX_set_max_proto_version(client->ssl, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(client->ssl, "ECDHE-ECDSA-AES128-SHA"), 1);
}

static void offer_tls11(struct tls_context *client, struct tls_context *server)
{
    (void)server;
    SSL_CTX_set_security_level(client->ssl, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(client->ssl, TLS1_1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(client->ssl, TLS1_1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(client->ssl, "ALL"), 1);
}

static const struct refusal refusals[] = {
    {.what = "other protocol",
     .client = "order",
     .change = offer_http1,
     .client_error = "no application protocol",
     .server_error = "no application protocol h2: the client offers others"},
    {.what = "no protocol",
     .client = "order",
     .change = offer_nothing,
     .client_error = "no application protocol",
     .server_error = "no application protocol h2: the client offers none"},
    {.what = "server chooses no protocol",
     .client = "order",
     .change = choose_no_protocol,
     .client_error = "no application protocol h2: the server chose none"},
    {.what = "CBC cipher",
     .client = "order",
     .change = offer_cbc,
     .client_error = "handshake failure",
     .server_error = "no shared cipher"},
    {.what = "TLS 1.1",
     .client = "order",
     .change = offer_tls11,
     .client_error = "protocol version",
     .server_error = "unsupported protocol"},
    {.what = "no client certificate", .server_error = "peer did not return a certificate"},
    {.what = "client of another authority", .client = "stranger", .server_error = "unable to get local issuer"},
    {.what = "expired client", .client = "order", .server_trust = "old-ca.crt", .server_error = "certificate"},
    {.what = "client shows a server's certificate",
     .client = "server-only",
     .server_error = "unsuitable certificate purpose"},
    {.what = "client shows a self-signed certificate", .client = "self", .server_error = "self-signed certificate"},
    {.what = "client was revoked",
     .client = "order",
     .server_revoked = "order.crl",
     .server_error = "certificate revoked"},
    {.what = "no list of the client's issuer", .client = "order", .server_revoked = "other.crl", .server_error = "CRL"},
    {.what = "server of another authority",
     .client = "order",
     .server = "stranger",
     .client_error = "unable to get local issuer",
     .server_error = "the peer refused: unknown CA"},
    {.what = "other identity",
     .client = "order",
     .expect = {.identity = PAYMENT "2"},
     .client_error = "peer is " PAYMENT ", expected " PAYMENT "2",
     .server_error = "the peer refused"},
    {.what = "prefix of the identity",
     .client = "order",
     .expect = {.identity = "spiffe://shop.example"},
     .client_error = "peer is " PAYMENT ", expected spiffe://shop.example"},
    {.what = "no identity",
     .client = "order",
     .server = "nameless",
     .expect = {.identity = PAYMENT},
     .client_error = "has no identity (URI SAN), expected " PAYMENT},
    {.what = "two identities",
     .client = "order",
     .server = "two",
     .expect = {.identity = PAYMENT},
     .client_error = "has no single valid identity"},
    {.what = "NUL in the identity",
     .client = "order",
     .server = "nul",
     .expect = {.identity = PAYMENT},
     .client_error = "has no single valid identity"},
    {.what = "an authority as the peer",
     .client = "order",
     .server = "ca-leaf",
     .expect = {.identity = PAYMENT},
     .client_error = "certificate of an authority"},
    {.what = "other DNS name",
     .client = "order",
     .expect = {.dns = "order.shop"},
     .client_error = "is not for the DNS name order.shop"},
    {.what = "DNS name only as common name",
     .client = "order",
     .server = "nameless",
     .expect = {.dns = "nameless.shop"},
     .client_error = "is not for the DNS name nameless.shop"},
    {.what = "wildcard over two labels",
     .client = "order",
     .server = "wild",
     .expect = {.dns = "a.b.wild.shop"},
     .client_error = "is not for the DNS name a.b.wild.shop"},
    {.what = "server was revoked",
     .client = "order",
     .client_revoked = "payment.crl",
     .client_error = "certificate revoked"},
};

static void refuse(const struct refusal *r)
{
    struct tls_context *client =
        context(false, r->client != NULL, r->client, r->client_trust ? r->client_trust : "ca.crt", r->client_revoked);
    struct tls_context *server = context(true, true, r->server ? r->server : "payment",
                                         r->server_trust ? r->server_trust : "ca.crt", r->server_revoked);
    struct pair p;
    if (r->change)
        r->change(client, server);
    pair_init(&p, client, server, &r->expect);
    run(&p);
    const char *c = tls_error(p.client.tls), *s = tls_error(p.server.tls);
    if ((r->client_error && !strstr(c, r->client_error)) || (r->server_error && !strstr(s, r->server_error)))
        fail_msg("%s: client says \"%s\", server says \"%s\"", r->what, c, s);
    if (r->client_error && (tls_is_open(p.client.tls) || p.client.err != ERR_TLS))
        fail_msg("%s: the client must be broken", r->what);
    if (r->server_error && (tls_is_open(p.server.tls) || p.server.err != ERR_TLS))
        fail_msg("%s: the server must be broken", r->what);
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

static void test_refusals_say_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        refuse(&refusals[i]);
}

static void test_wildcard_matches_one_label(void **state)
{
    (void)state;
    struct tls_context *client = context(false, false, NULL, "ca.crt", NULL);
    struct tls_context *server = context(true, false, "wild", NULL, NULL);
    const struct tls_expect expect = {.dns = "a.wild.shop"};
    struct pair p;
    pair_init(&p, client, server, &expect);
    run(&p);
    assert_both_open(&p);
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

static ns_t in_three_days(void)
{
    return clock_wall() + 3LL * CERT_DAY * NS_PER_S;
}

static void test_clock_rules_over_validity(void **state)
{
    (void)state;
    char error[TLS_ERROR_MAX];
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    struct tls_config config = {.certificate = certs_path("order.crt"), .private_key = certs_path("order.key")};
    struct pair p;
    tls_set_wall_clock(in_three_days);
    pair_init(&p, client, server, NULL);
    run(&p);
    assert_non_null(strstr(tls_error(p.client.tls), "certificate has expired"));
    assert_non_null(strstr(tls_error(p.server.tls), "the peer refused: certificate expired"));
    assert_null(tls_context_new(&config, error));
    tls_set_wall_clock(NULL);
    assert_non_null(strstr(error, "order.crt: certificate expired on 20"));
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

static struct pair opened(struct tls_context **client, struct tls_context **server)
{
    struct pair p;
    *client = context(false, true, "order", "ca.crt", NULL);
    *server = context(true, true, "payment", "ca.crt", NULL);
    pair_init(&p, *client, *server, NULL);
    run(&p);
    assert_both_open(&p);
    return p;
}

static void close_pair(struct pair *p, struct tls_context *client, struct tls_context *server)
{
    pair_fini(p);
    tls_context_unref(client);
    tls_context_unref(server);
}

static void test_a_mebibyte_cut_anyhow(void **state)
{
    (void)state;
    enum { ALL = 1 << 20 };
    struct tls_context *client, *server;
    struct pair p = opened(&client, &server);
    uint8_t *data = malloc(ALL);
    struct rng r;
    rng_init(&r, 11);
    for (int i = 0; i < ALL; i++)
        data[i] = (uint8_t)rng_next(&r);
    static const size_t steps[] = {0, 1, 4093, 16384 + 22, 65536};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        p.step = steps[i];
        seal(&p.client, data, ALL);
        assert_true(buf_len(&p.client.out) < ALL + (ALL / 16384 + 1) * 64);
        run(&p);
        assert_plain(&p.server, data, ALL);
        tls_release_buffers(p.client.tls);
        tls_release_buffers(p.server.tls);
    }
    free(data);
    close_pair(&p, client, server);
}

static void test_close_notify(void **state)
{
    (void)state;
    struct tls_context *client, *server;
    struct pair p = opened(&client, &server);
    seal(&p.client, "last", 4);
    tls_close(p.client.tls, &p.client.out);
    assert_true(buf_len(&p.client.out) > 4);
    run(&p);
    assert_plain(&p.server, "last", 4);
    assert_int_equal(p.server.err, ERR_CLOSED);
    assert_int_equal(tls_feed(p.server.tls, (const uint8_t *)"x", 1, &p.server.out, on_plain, &p.server.plain),
                     ERR_CLOSED);
    close_pair(&p, client, server);
}

static bool stop_at_once(void *ctx, const uint8_t *p, size_t n)
{
    (void)p, (void)n;
    ++*(int *)ctx;
    return false;
}

static void test_plain_may_stop(void **state)
{
    (void)state;
    struct tls_context *client, *server;
    struct pair p = opened(&client, &server);
    int calls = 0;
    seal(&p.client, "one", 3);
    seal(&p.client, "two", 3);
    assert_int_equal(
        tls_feed(p.server.tls, buf_head(&p.client.out), buf_len(&p.client.out), &p.server.out, stop_at_once, &calls),
        ERR_NONE);
    assert_int_equal(calls, 1);
    close_pair(&p, client, server);
}

static void test_garbage_is_not_tls(void **state)
{
    (void)state;
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                        "\x16\x03\x01\xff\xff\xff\xff\xff\xff",
                                        "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"};
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    struct buf out, plain;
    buf_init(&out);
    buf_init(&plain);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tls *t = tls_new(server, NULL);
        assert_int_equal(tls_feed(t, (const uint8_t *)texts[i], strlen(texts[i]), &out, on_plain, &plain), ERR_TLS);
        assert_true(strlen(tls_error(t)) > 0);
        if (i < 2)
            assert_string_equal(tls_error(t), "the peer does not speak TLS");
        assert_int_equal(tls_seal(t, (const uint8_t *)"x", 1, &out), ERR_TLS);
        tls_free(t);
    }
    assert_int_equal(buf_len(&plain), 0);
    buf_fini(&out);
    buf_fini(&plain);
    tls_context_unref(server);
}

/* Turn by turn with data once open; the bit at byte `at` of all traffic is flipped. Nothing behind a flip in a sealed
 * record may come out. True when it was in one. */
static bool flip_one(struct pair *p, size_t at, unsigned bit)
{
    static const char data[] = "datadatadatadatadatadatadatadatadatadatadatadatadatadatadatadata";
    struct side *hit = NULL;
    size_t seen = 0, had = 0;
    for (int turn = 0; turn < 12; turn++) {
        struct side *from = turn % 2 ? &p->server : &p->client, *to = turn % 2 ? &p->client : &p->server;
        if (tls_is_open(from->tls) && turn > 3)
            seal(from, data, sizeof data - 1);
        size_t n = buf_len(&from->out);
        if (at >= seen && at < seen + n) {
            buf_head(&from->out)[at - seen] ^= (uint8_t)(1u << bit);
            hit = tls_is_open(to->tls) ? to : NULL;
            had = buf_len(&to->plain);
        }
        seen += n;
        carry(from, to, 0);
    }
    if (hit)
        assert_int_equal(buf_len(&hit->plain), had);
    for (size_t i = 0; i < buf_len(&p->server.plain); i += 4)
        assert_memory_equal(buf_head(&p->server.plain) + i, "data", 4);
    return hit != NULL;
}

static void test_flipped_bits_are_noticed(void **state)
{
    (void)state;
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    struct rng r;
    int in_records = 0;
    rng_init(&r, 3);
    for (int i = 0; i < 150; i++) {
        struct pair p;
        pair_init(&p, client, server, NULL);
        in_records += flip_one(&p, rng_below(&r, 2800), (unsigned)rng_below(&r, 8));
        pair_fini(&p);
    }
    assert_in_range(in_records, 15, 100);
    tls_context_unref(client);
    tls_context_unref(server);
}

static void test_contexts_say_what_is_wrong_with_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *crt, *key, *trust, *revoked, *error;
    } rows[] = {
        {"absent.crt", "order.key", "ca.crt", NULL, "absent.crt: No such file or directory"},
        {"text", "order.key", "ca.crt", NULL, "text: holds no PEM certificate"},
        {"order.key", "order.key", "ca.crt", NULL, "order.key: holds no PEM certificate"},
        {"empty", "order.key", "ca.crt", NULL, "empty: empty"},
        {"expired.crt", "expired.key", "ca.crt", NULL, "expired.crt: certificate expired on 20"},
        {"order.crt", "absent.key", "ca.crt", NULL, "absent.key: No such file or directory"},
        {"order.crt", "text", "ca.crt", NULL, "text: holds no PEM private key"},
        {"order.crt", "locked.key", "ca.crt", NULL, "locked.key: the private key is encrypted"},
        {"order.crt", "payment.key", "ca.crt", NULL, "payment.key: the private key does not match the certificate in"},
        {"cut.crt", "order.key", "ca.crt", NULL, "cut.crt: a certificate behind the first is broken"},
        {"order.crt", "order.key", "absent", NULL, "absent: No such file or directory"},
        {"order.crt", "order.key", "order.key", NULL, "order.key: holds no PEM certificate"},
        {"order.crt", "order.key", "cut.crt", NULL, "cut.crt: a certificate is broken"},
        {"order.crt", "order.key", "ca.crt", "text", "text: holds no PEM revocation list"},
        {"order.crt", "order.key", "ca.crt", "absent", "absent: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[TLS_ERROR_MAX];
        const struct tls_config config = {.server = true,
                                          .mutual = true,
                                          .certificate = certs_path(rows[i].crt),
                                          .private_key = certs_path(rows[i].key),
                                          .trust = certs_path(rows[i].trust),
                                          .revoked = rows[i].revoked ? certs_path(rows[i].revoked) : NULL};
        assert_null(tls_context_new(&config, error));
        if (!strstr(error, rows[i].error))
            fail_msg("expected \"%s\", got \"%s\"", rows[i].error, error);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void test_not_after(void **state)
{
    (void)state;
    struct tls_context *c = context(true, true, "payment", "ca.crt", NULL),
                       *none = context(false, false, NULL, "ca.crt", NULL);
    ns_t left = tls_context_not_after(c) - clock_wall();
    assert_true(left > (CERT_DAY - 600) * NS_PER_S && left <= CERT_DAY * NS_PER_S);
    assert_int_equal(tls_context_not_after(none), 0);
    assert_ptr_equal(tls_context_ref(c), c);
    tls_context_unref(c);
    assert_true(tls_context_not_after(c) > 0);
    tls_context_unref(c);
    tls_context_unref(none);
}

static void test_memory_of_an_idle_connection(void **state)
{
    (void)state;
    enum { N = 20 };
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    struct pair p[N];
    size_t before = ssl_bytes;
    for (int i = 0; i < N; i++) {
        pair_init(&p[i], client, server, NULL);
        run(&p[i]);
        assert_both_open(&p[i]);
        tls_release_buffers(p[i].client.tls);
        tls_release_buffers(p[i].server.tls);
    }
    size_t each = (ssl_bytes - before) / (2 * N);
    print_message("OpenSSL keeps %zu bytes for an idle mTLS connection\n", each);
    assert_true(each <= 21 * 1024);
    for (int i = 0; i < N; i++)
        pair_fini(&p[i]);
    tls_context_unref(client);
    tls_context_unref(server);
}

static void write_cut(void)
{
    char text[8192];
    FILE *in = fopen(certs_path("order.crt"), "re");
    size_t n = fread(text, 1, sizeof text - 1, in);
    (void)fclose(in);
    text[n] = '\0';
    FILE *out = certs_open("cut.crt");
    certs_check(fprintf(out, "%s-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n", text) > 0, "cut.crt");
    (void)fclose(out);
}

static void write_all(void)
{
    struct cert ca = certs_make(&(struct cert_spec){.name = "ca", .authority = true}, NULL);
    struct cert other = certs_make(&(struct cert_spec){.name = "other-ca", .authority = true}, NULL);
    struct cert old = certs_make(
        &(struct cert_spec){.name = "ca", .authority = true, .from = -3 * CERT_DAY, .until = -CERT_DAY}, NULL);
    struct cert order = certs_make(&(struct cert_spec){.name = "order", .san = "URI:" ORDER}, &ca);
    struct cert payment =
        certs_make(&(struct cert_spec){.name = "payment", .san = "DNS:payment.shop,URI:" PAYMENT}, &ca);
    certs_write(&ca, "ca", NULL);
    certs_write(&old, "old-ca", NULL);
    certs_write(&order, "order", NULL);
    certs_write(&payment, "payment", NULL);
    certs_leaf("stranger", &(struct cert_spec){.name = "stranger", .san = "URI:" ORDER}, &other);
    certs_leaf("server-only", &(struct cert_spec){.name = "order", .san = "URI:" ORDER, .usage = "serverAuth"}, &ca);
    certs_leaf("self", &(struct cert_spec){.name = "self", .san = "URI:" ORDER}, NULL);
    certs_leaf("nameless", &(struct cert_spec){.name = "nameless.shop"}, &ca);
    certs_leaf("wild", &(struct cert_spec){.name = "wild", .san = "DNS:*.wild.shop"}, &ca);
    certs_leaf("two", &(struct cert_spec){.name = "two", .san = "URI:" PAYMENT ",URI:" ORDER}, &ca);
    certs_leaf("nul", &(struct cert_spec){.name = "nul", .uri = PAYMENT "\0.evil", .uri_n = sizeof PAYMENT + 5}, &ca);
    certs_leaf("ca-leaf", &(struct cert_spec){.name = "ca-leaf", .san = "URI:" PAYMENT, .authority = true}, &ca);
    certs_leaf("expired",
               &(struct cert_spec){.name = "order", .san = "URI:" ORDER, .from = -2 * CERT_DAY, .until = -60}, &ca);
    certs_write_crl(&ca, &order, "order.crl");
    certs_write_crl(&ca, &payment, "payment.crl");
    certs_write_crl(&other, NULL, "other.crl");
    certs_write_text("text", "this is no PEM file\n");
    certs_write_text("empty", "");
    write_cut();
    FILE *f = certs_open("locked.key");
    certs_check(PEM_write_PrivateKey(f, order.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL) ==
                    1,
                "locked");
    (void)fclose(f);
    struct cert *all[] = {&ca, &other, &old, &order, &payment};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        certs_free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_opens_byte_by_byte),
        cmocka_unit_test(test_server_only_asks_no_certificate),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_wildcard_matches_one_label),
        cmocka_unit_test(test_clock_rules_over_validity),
        cmocka_unit_test(test_a_mebibyte_cut_anyhow),
        cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_plain_may_stop),
        cmocka_unit_test(test_garbage_is_not_tls),
        cmocka_unit_test(test_flipped_bits_are_noticed),
        cmocka_unit_test(test_contexts_say_what_is_wrong_with_a_file),
        cmocka_unit_test(test_not_after),
        cmocka_unit_test(test_memory_of_an_idle_connection),
    };
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
        return 1;
    certs_init();
    write_all();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    certs_fini();
    return failed;
}
