/* What x-forwarded-client-cert says of certificates. */
#include "net/client_cert.h"

#include "certs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The text without "By=..;" when `ours` is NULL, and with the hash replaced by #. */
static char *text_of(const struct cert *peer, const struct cert *ours)
{
    char *text = client_cert_text(peer->x, ours ? ours->x : NULL);
    assert_non_null(text);
    char *hash = strstr(text, "Hash=");
    assert_non_null(hash);
    assert_int_equal(strspn(hash + 5, "0123456789abcdef"), 64);
    memmove(hash + 6, hash + 5 + 64, strlen(hash + 5 + 64) + 1);
    hash[5] = '#';
    return text;
}

static void check(const struct cert_spec *spec, const struct cert *ours, const char *expected)
{
    struct cert peer = certs_make(spec, NULL);
    char *text = text_of(&peer, ours);
    assert_string_equal(text, expected);
    free(text);
    certs_free(&peer);
}

static void test_names(void **state)
{
    (void)state;
    struct cert ours = certs_make(&(struct cert_spec){.name = "o", .san = "URI:spiffe://a/ours,DNS:o.shop"}, NULL);
    check(&(struct cert_spec){.name = "p", .san = "URI:spiffe://a/b"}, &ours,
          "By=spiffe://a/ours;Hash=#;URI=spiffe://a/b");
    check(&(struct cert_spec){.name = "p", .san = "DNS:a.shop,URI:spiffe://a/b,DNS:*.b.shop"}, NULL,
          "Hash=#;URI=spiffe://a/b;DNS=a.shop;DNS=*.b.shop");
    check(&(struct cert_spec){.name = "p", .san = NULL}, NULL, "Hash=#");
    certs_free(&ours);
}

/* A name can neither begin another element nor cut the field short. */
static void test_hostile_names(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *expected;
        size_t n;
    } rows[] = {
        {"spiffe://a/b;URI=spiffe://a/admin", "Hash=#;URI=\"spiffe://a/b;URI=spiffe://a/admin\"", 33},
        {"spiffe://a/b,By=x", "Hash=#;URI=\"spiffe://a/b,By=x\"", 17},
        {"spiffe://a/\"b", "Hash=#;URI=\"spiffe://a/\\\"b\"", 13},
        {"spiffe://a/b\0c", "Hash=#", 14},
        {"spiffe://a/b\r\nx: y", "Hash=#", 18},
        {"spiffe://a/\xc3\xa4", "Hash=#", 13},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(&(struct cert_spec){.name = "p", .uri = rows[i].uri, .uri_n = rows[i].n}, NULL, rows[i].expected);
}

/* The hash is that of the certificate as it is on the wire. */
static void test_hash(void **state)
{
    (void)state;
    struct cert peer = certs_make(&(struct cert_spec){.name = "p"}, NULL);
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    char expected[2 * EVP_MAX_MD_SIZE + 16] = "Hash=";
    int n = i2d_X509(peer.x, &der);
    assert_int_equal(EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL), 1);
    for (int i = 0; i < 32; i++)
        (void)snprintf(expected + 5 + 2 * i, 3, "%02x", digest[i]);
    char *text = client_cert_text(peer.x, NULL);
    assert_non_null(strstr(text, expected));
    free(text);
    OPENSSL_free(der);
    certs_free(&peer);
}

/* Names go in as long as there is room: the longest that fits, and one byte more. */
static void test_bound(void **state)
{
    (void)state;
    static char uri[CLIENT_CERT_MAX + 1];
    size_t room = CLIENT_CERT_MAX - (5 + 64) - 1 - 4; /* Hash=.., ;, URI= */
    memset(uri, 'u', sizeof uri);
    for (size_t more = 0; more < 2; more++) {
        struct cert peer = certs_make(&(struct cert_spec){.name = "p", .uri = uri, .uri_n = room + more}, NULL);
        char *text = client_cert_text(peer.x, NULL);
        assert_int_equal(strlen(text), more ? 5 + 64 : CLIENT_CERT_MAX);
        free(text);
        certs_free(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
