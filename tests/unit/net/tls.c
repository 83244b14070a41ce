/* TLS by memory only: handshakes that must open, handshakes that must fail with the right words, data cut anyhow, and
 * the memory of an idle connection. */
#include "base/rng.h"
#include "tls_pair.h"

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

/* Turn by turn with data once open; the bit at byte `at` of all traffic is flipped. Nothing behind a flip in a sealed
 * record may come out. True when it was in one. *ret_seen: bytes of all traffic. */
static bool flip_one(struct pair *p, size_t at, unsigned bit, size_t *ret_seen)
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
    *ret_seen = seen;
    return hit != NULL;
}

static void test_flipped_bits_are_noticed(void **state)
{
    (void)state;
    struct tls_context *client = context(false, true, "order", "ca.crt", NULL);
    struct tls_context *server = context(true, true, "payment", "ca.crt", NULL);
    struct rng r;
    int in_records = 0;
    size_t all = 0, seen;
    rng_init(&r, 3);
    for (int i = 0; i < 150; i++) {
        struct pair p;
        size_t at = all > 0 ? rng_below(&r, all) : SIZE_MAX; /* the first run only measures */
        pair_init(&p, client, server, NULL);
        in_records += flip_one(&p, at, (unsigned)rng_below(&r, 8), &seen);
        all = all > 0 ? all : seen;
        pair_fini(&p);
    }
    assert_in_range(in_records, 15, 100);
    tls_context_unref(client);
    tls_context_unref(server);
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
    assert_true(each <= (OPENSSL_version_major() == 3 && OPENSSL_version_minor() < 5 ? 21 : 36) * 1024u);
    for (int i = 0; i < N; i++)
        pair_fini(&p[i]);
    tls_context_unref(client);
    tls_context_unref(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_opens_byte_by_byte),
        cmocka_unit_test(test_server_only_asks_no_certificate),
        cmocka_unit_test(test_wildcard_matches_one_label),
        cmocka_unit_test(test_a_mebibyte_cut_anyhow),
        cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_plain_may_stop),
        cmocka_unit_test(test_flipped_bits_are_noticed),
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
