/* TLS by memory only: what must be refused, and that both sides say why in words. */
#include "tls_pair.h"

/* A handshake that must fail: who the sides are, and the words that each side's error must hold. */
struct refused {
    const char *what;
    const char *client, *server; /* key pairs, NULL: none */
    const char *client_trust, *server_trust, *client_revoked, *server_revoked;
    struct tls_expect expect;
    void (*change)(struct tls_context *client, struct tls_context *server);
    const char *client_error, *server_error;
    enum refusal kind; /* on the side that refuses */
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

static const struct refused refusals[] = {
    {.what = "other protocol",
     .kind = REFUSAL_NO_PROTOCOL,
     .client = "order",
     .change = offer_http1,
     .client_error = "no application protocol",
     .server_error = "no application protocol h2: the client offers others"},
    {.what = "no protocol",
     .kind = REFUSAL_NO_PROTOCOL,
     .client = "order",
     .change = offer_nothing,
     .client_error = "no application protocol",
     .server_error = "no application protocol h2: the client offers none"},
    {.what = "server chooses no protocol",
     .kind = REFUSAL_NO_PROTOCOL,
     .client = "order",
     .change = choose_no_protocol,
     .client_error = "no application protocol h2: the server chose none"},
    {.what = "CBC cipher",
     .kind = REFUSAL_OTHER,
     .client = "order",
     .change = offer_cbc,
     .client_error = "handshake failure",
     .server_error = "no shared cipher"},
    {.what = "TLS 1.1",
     .kind = REFUSAL_OTHER,
     .client = "order",
     .change = offer_tls11,
     .client_error = "protocol version",
     .server_error = "unsupported protocol"},
    {.what = "no client certificate",
     .kind = REFUSAL_NO_CERTIFICATE,
     .server_error = "peer did not return a certificate"},
    {.what = "client of another authority",
     .kind = REFUSAL_UNTRUSTED,
     .client = "stranger",
     .server_error = "unable to get local issuer"},
    {.what = "client shows a server's certificate",
     .kind = REFUSAL_WRONG_PURPOSE,
     .client = "server-only",
     .server_error = "unsuitable certificate purpose"},
    {.what = "client shows a self-signed certificate",
     .kind = REFUSAL_UNTRUSTED,
     .client = "self",
     .server_error = "self-signed certificate"},
    {.what = "client was revoked",
     .kind = REFUSAL_REVOKED,
     .client = "order",
     .server_revoked = "order.crl",
     .server_error = "certificate revoked"},
    {.what = "no list of the client's issuer",
     .kind = REFUSAL_REVOCATION_UNKNOWN,
     .client = "order",
     .server_revoked = "other.crl",
     .server_error = "CRL"},
    {.what = "server of another authority",
     .kind = REFUSAL_UNTRUSTED,
     .client = "order",
     .server = "stranger",
     .client_error = "unable to get local issuer",
     .server_error = "the peer refused: unknown CA"},
    {.what = "other identity",
     .kind = REFUSAL_WRONG_PEER,
     .client = "order",
     .expect = {.identity = PAYMENT "2"},
     .client_error = "peer is " PAYMENT ", expected " PAYMENT "2",
     .server_error = "the peer refused"},
    {.what = "prefix of the identity",
     .kind = REFUSAL_WRONG_PEER,
     .client = "order",
     .expect = {.identity = "spiffe://shop.example"},
     .client_error = "peer is " PAYMENT ", expected spiffe://shop.example"},
    {.what = "no identity",
     .kind = REFUSAL_NO_IDENTITY,
     .client = "order",
     .server = "nameless",
     .expect = {.identity = PAYMENT},
     .client_error = "neither an identity (URI SAN) nor a DNS name, expected " PAYMENT},
    {.what = "two identities",
     .kind = REFUSAL_BAD_IDENTITY,
     .client = "order",
     .server = "two",
     .expect = {.identity = PAYMENT},
     .client_error = "has 2 identities (URI SANs), expected one"},
    {.what = "NUL in the identity",
     .kind = REFUSAL_BAD_NAME,
     .client = "order",
     .server = "nul",
     .expect = {.identity = PAYMENT},
     .client_error = "other than visible ASCII"},
    {.what = "an authority as the peer",
     .kind = REFUSAL_AUTHORITY,
     .client = "order",
     .server = "ca-leaf",
     .expect = {.identity = PAYMENT},
     .client_error = "certificate of an authority"},
    {.what = "other DNS name",
     .kind = REFUSAL_WRONG_PEER,
     .client = "order",
     .expect = {.dns = "order.shop"},
     .client_error = "is not for the DNS name order.shop"},
    {.what = "DNS name only as common name",
     .kind = REFUSAL_WRONG_PEER,
     .client = "order",
     .server = "nameless",
     .expect = {.dns = "nameless.shop"},
     .client_error = "is not for the DNS name nameless.shop"},
    {.what = "wildcard over two labels",
     .kind = REFUSAL_WRONG_PEER,
     .client = "order",
     .server = "wild",
     .expect = {.dns = "a.b.wild.shop"},
     .client_error = "is not for the DNS name a.b.wild.shop"},
    {.what = "server was revoked",
     .kind = REFUSAL_REVOKED,
     .client = "order",
     .client_revoked = "payment.crl",
     .client_error = "certificate revoked"},
};

static void refuse(const struct refused *r)
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
    enum refusal kind = tls_refusal(r->client_error && !strstr(c, "the peer refused") && !(r->server_error && r->change)
                                        ? p.client.tls
                                        : p.server.tls);
    if (kind != r->kind)
        fail_msg("%s: counted as %s, expected %s", r->what, refusal_text(kind), refusal_text(r->kind));
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
    struct tls_config config = {.files.certificate = certs_path("order.crt"),
                                .files.private_key = certs_path("order.key")};
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
        {"order.crt", "order.key", "old-ca.crt", NULL, "old-ca.crt: all trusted certificates have expired"},
        {"order.crt", "order.key", "open.crt", NULL, "open.crt: everybody may write to it"},
        {"pipe", "order.key", "ca.crt", NULL, "pipe: is no regular file"},
        {"order.crt", "order.key", "ca.crt", "text", "text: holds no PEM revocation list"},
        {"order.crt", "order.key", "ca.crt", "absent", "absent: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[TLS_ERROR_MAX];
        const struct tls_config config = {.server = true,
                                          .mutual = true,
                                          .files.certificate = certs_path(rows[i].crt),
                                          .files.private_key = certs_path(rows[i].key),
                                          .files.trust = certs_path(rows[i].trust),
                                          .files.revoked = rows[i].revoked ? certs_path(rows[i].revoked) : NULL};
        assert_null(tls_context_new(&config, error));
        if (!strstr(error, rows[i].error))
            fail_msg("expected \"%s\", got \"%s\"", rows[i].error, error);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* A peer may change its keys now and then; 10,000 times without an end it may not. */
static void test_key_updates_are_bounded(void **state)
{
    (void)state;
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    struct pair p;
    int updates = 0;
    pair_init(&p, client, server, NULL);
    run(&p);
    assert_both_open(&p);
    for (; updates < 10000 && p.server.err == ERR_NONE; updates++) {
        assert_int_equal(SSL_key_update(p.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        seal(&p.client, "x", 1);
        run(&p);
    }
    assert_in_range(updates, 64, 1000);
    assert_int_equal(p.server.err, ERR_TLS);
    assert_int_equal(tls_refusal(p.server.tls), REFUSAL_TOO_BUSY);
    assert_true(buf_len(&p.server.plain) >= 64);
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

static struct tls_material *material(const char *crt, const char *key, const char *trust, const char *revoked,
                                     unsigned fresh, const struct tls_material *old, char *error)
{
    struct tls_bytes bytes;
    struct tls_files files = {certs_path(crt), certs_path(key), certs_path(trust), false,
                              revoked ? certs_path(revoked) : NULL};
    tls_bytes_read(&bytes, &files);
    struct tls_material *m = tls_material_new(&bytes, fresh, old, error);
    tls_bytes_fini(&bytes);
    return m;
}

/* Parts come fresh or from before; a connection that is open stays and is asked again about its peer. */
static void test_material_is_replaced_under_connections(void **state)
{
    (void)state;
    char error[TLS_ERROR_MAX];
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", "other.crl");
    struct tls_material *first = material("payment.crt", "payment.key", "ca.crt", NULL, TLS_PART_ALL, NULL, error);
    struct pair p;
    tls_context_renew(server, first, true);
    pair_init(&p, client, server, NULL);
    run(&p);
    assert_both_open(&p);
    assert_false(tls_is_stale(p.server.tls));
    assert_true(tls_peer_left(p.server.tls) > (CERT_DAY - 600) * NS_PER_S);
    assert_null(material("order.crt", "payment.key", "text", NULL, TLS_PART_BIT(TLS_PAIR), first, error));
    struct tls_material *pair = material("wild.crt", "wild.key", "text", NULL, TLS_PART_BIT(TLS_PAIR), first, error);
    assert_non_null(pair);
    tls_context_renew(server, pair, false);
    assert_false(tls_is_stale(p.server.tls));
    struct tls_material *revoked =
        material("text", "text", "text", "order.crl", TLS_PART_BIT(TLS_REVOKED), pair, error);
    assert_non_null(revoked);
    assert_int_equal(tls_material_end(revoked, TLS_PAIR), tls_material_end(pair, TLS_PAIR));
    tls_context_renew(server, revoked, true);
    assert_true(tls_is_stale(p.server.tls));
    assert_false(tls_recheck(p.server.tls));
    assert_false(tls_is_stale(p.server.tls));
    assert_int_equal(tls_refusal(p.server.tls), REFUSAL_REVOKED);
    assert_true(tls_is_open(p.server.tls));
    tls_material_unref(first);
    tls_material_unref(pair);
    tls_material_unref(revoked);
    pair_fini(&p);
    tls_context_unref(client);
    tls_context_unref(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_clock_rules_over_validity),
        cmocka_unit_test(test_garbage_is_not_tls),
        cmocka_unit_test(test_key_updates_are_bounded),
        cmocka_unit_test(test_material_is_replaced_under_connections),
        cmocka_unit_test(test_contexts_say_what_is_wrong_with_a_file),
    };
    certs_init();
    write_all();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    certs_fini();
    return failed;
}
