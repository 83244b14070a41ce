/* Leaves against the rules of X509-SVID (sections 2 to 5) and of names; base/spiffe has the vectors of ids alone. */
#include "net/tls_peer.h"

#include "certs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GOOD "URI:spiffe://shop.example/ns/shop/sa/order"

enum { TAKEN = REFUSAL_COUNT };

static const struct {
    const char *what;
    struct cert_spec spec;
    int named, other; /* the refusal when somebody is needed, and when only a name is checked; TAKEN: none */
} rows[] = {
    {"an SVID", {.san = GOOD}, TAKEN, TAKEN},
    {"an SVID with DNS names", {.san = GOOD ",DNS:a.shop,DNS:b.shop"}, TAKEN, TAKEN},
    {"both extended usages", {.san = GOOD, .usage = "serverAuth,clientAuth"}, TAKEN, TAKEN},
    {"more extended usages", {.san = GOOD, .usage = "serverAuth,clientAuth,codeSigning"}, TAKEN, TAKEN},
    {"key encipherment too", {.san = GOOD, .key_usage = "critical,digitalSignature,keyEncipherment"}, TAKEN, TAKEN},
    {"key agreement too", {.san = GOOD, .key_usage = "critical,digitalSignature,keyAgreement"}, TAKEN, TAKEN},
    {"no key usage stated", {.san = GOOD, .key_usage = ""}, TAKEN, TAKEN},
    {"key usage not critical",
     {.san = GOOD, .key_usage = "digitalSignature"},
     REFUSAL_WRONG_PURPOSE,
     REFUSAL_WRONG_PURPOSE},
    {"no digitalSignature",
     {.san = GOOD, .key_usage = "critical,keyEncipherment"},
     REFUSAL_WRONG_PURPOSE,
     REFUSAL_WRONG_PURPOSE},
    {"keyCertSign",
     {.san = GOOD, .key_usage = "critical,digitalSignature,keyCertSign"},
     REFUSAL_AUTHORITY,
     REFUSAL_AUTHORITY},
    {"cRLSign", {.san = GOOD, .key_usage = "critical,digitalSignature,cRLSign"}, REFUSAL_AUTHORITY, REFUSAL_AUTHORITY},
    {"cA",
     {.san = GOOD, .authority = true, .key_usage = "critical,digitalSignature"},
     REFUSAL_AUTHORITY,
     REFUSAL_AUTHORITY},
    {"for servers only", {.san = GOOD, .usage = "serverAuth"}, REFUSAL_WRONG_PURPOSE, REFUSAL_WRONG_PURPOSE},
    {"for clients only", {.san = GOOD, .usage = "clientAuth"}, REFUSAL_WRONG_PURPOSE, REFUSAL_WRONG_PURPOSE},
    {"two ids", {.san = GOOD ",URI:spiffe://shop.example/b"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"the same id twice", {.san = GOOD "," GOOD}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"an id and another URI", {.san = GOOD ",URI:https://a/b"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"another URI and an id", {.san = "URI:https://a/b," GOOD}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"the id of a trust domain", {.san = "URI:spiffe://shop.example"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"an id with a slash behind it", {.san = "URI:spiffe://a/b/"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"upper case scheme", {.san = "URI:SPIFFE://a/b"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"upper case trust domain", {.san = "URI:spiffe://A/b"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"a port", {.san = "URI:spiffe://a:1/b"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"a query", {.san = "URI:spiffe://a/b?c"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"percent signs", {.san = "URI:spiffe://a/%62"}, REFUSAL_BAD_IDENTITY, REFUSAL_BAD_IDENTITY},
    {"another URI", {.san = "URI:https://a/b"}, TAKEN, TAKEN},
    {"two other URIs", {.san = "URI:https://a/b,URI:https://a/c"}, REFUSAL_BAD_IDENTITY, TAKEN},
    {"a DNS name only", {.san = "DNS:order.shop"}, TAKEN, TAKEN},
    {"a DNS name of an authority", {.san = "DNS:order.shop", .authority = true}, REFUSAL_AUTHORITY, TAKEN},
    {"an address only", {.san = "IP:10.0.0.1"}, REFUSAL_NO_IDENTITY, TAKEN},
    {"a common name only", {.san = NULL}, REFUSAL_NO_IDENTITY, TAKEN},
    {"NUL in the id", {.uri = "spiffe://a/b\0.evil", .uri_n = 18}, REFUSAL_BAD_NAME, REFUSAL_BAD_NAME},
    {"NUL at its end", {.uri = "spiffe://a/b\0", .uri_n = 13}, REFUSAL_BAD_NAME, REFUSAL_BAD_NAME},
    {"a new line in the id", {.uri = "spiffe://a/b\n", .uri_n = 13}, REFUSAL_BAD_NAME, REFUSAL_BAD_NAME},
    {"a space in the id", {.uri = "spiffe://a/b c", .uri_n = 14}, REFUSAL_BAD_NAME, REFUSAL_BAD_NAME},
};

static void assert_verdict(X509 *leaf, bool named, int expected, const char *what)
{
    struct tls_peer peer;
    struct tls_fault fault = {.text = "taken"};
    bool taken = tls_peer_read(&peer, leaf, named, &fault);
    int found = taken ? TAKEN : (int)fault.refusal;
    if (found != expected)
        fail_msg("%s, named %d: %s", what, named, fault.text);
    if (!taken)
        assert_true(!peer.identity && !peer.dns && strlen(fault.text) > 0);
    tls_peer_fini(&peer);
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cert_spec spec = rows[i].spec;
        spec.name = "order";
        struct cert c = certs_make(&spec, NULL);
        assert_verdict(c.x, true, rows[i].named, rows[i].what);
        assert_verdict(c.x, false, rows[i].other, rows[i].what);
        certs_free(&c);
    }
}

static void test_names_are_told(void **state)
{
    (void)state;
    struct tls_peer peer;
    struct tls_fault fault;
    struct cert c = certs_make(&(struct cert_spec){.name = "order", .san = "DNS:a.shop,DNS:b.shop," GOOD}, NULL);
    assert_true(tls_peer_read(&peer, c.x, true, &fault));
    assert_string_equal(peer.identity, GOOD + 4);
    assert_string_equal(peer.dns, "a.shop");
    tls_peer_fini(&peer);
    certs_free(&c);
}

static void test_names_are_bounded(void **state)
{
    (void)state;
    char san[TLS_PEER_NAMES_MAX * 16] = GOOD;
    size_t n = strlen(san);
    for (int i = 1; i < TLS_PEER_NAMES_MAX; i++)
        n += (size_t)snprintf(san + n, sizeof san - n, ",DNS:a%d", i);
    struct cert c = certs_make(&(struct cert_spec){.name = "order", .san = san}, NULL);
    assert_verdict(c.x, true, TAKEN, "as many names as may be");
    certs_free(&c);
    (void)snprintf(san + n, sizeof san - n, ",DNS:b");
    c = certs_make(&(struct cert_spec){.name = "order", .san = san}, NULL);
    assert_verdict(c.x, true, REFUSAL_TOO_LARGE, "one name more");
    certs_free(&c);
}

/* An extension that is there twice, or is no list of names, hides names: neither is taken for "none". */
static void test_unreadable_names(void **state)
{
    (void)state;
    struct cert c = certs_make(&(struct cert_spec){.name = "order", .san = "DNS:a.shop"}, NULL);
    certs_add(c.x, c.x, NID_subject_alt_name, "URI:spiffe://a/b");
    assert_verdict(c.x, true, REFUSAL_BAD_NAME, "two extensions");
    assert_verdict(c.x, false, REFUSAL_BAD_NAME, "two extensions");
    certs_free(&c);
    c = certs_make(&(struct cert_spec){.name = "order"}, NULL);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(data, (const unsigned char *)"\x30\x05\x82", 3), 1);
    X509_EXTENSION *e = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, data);
    assert_int_equal(X509_add_ext(c.x, e, -1), 1);
    assert_verdict(c.x, true, REFUSAL_BAD_NAME, "no list of names");
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(data);
    certs_free(&c);
    ERR_clear_error();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_names_are_told),
        cmocka_unit_test(test_names_are_bounded),
        cmocka_unit_test(test_unreadable_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
