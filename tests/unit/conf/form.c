/* Forms of addresses, names, patterns: what passes and what does not. */
#include "conf/form.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef const char *form(struct slice text);

static void expect(form *f, const char *const *texts, bool good)
{
    for (; *texts; texts++)
        if ((f(slice_str(*texts)) == NULL) != good)
            fail_msg("\"%s\": %s", *texts, good ? f(slice_str(*texts)) : "taken");
}

#define GOOD(f, ...) expect((f), (const char *const[]){__VA_ARGS__, NULL}, true)
#define BAD(f, ...)  expect((f), (const char *const[]){__VA_ARGS__, NULL}, false)

static void test_addresses(void **state)
{
    (void)state;
    GOOD(form_listen, "127.0.0.1:80", "[::1]:80", "0.0.0.0:65535", "unix:/run/a.sock", "unix:a");
    BAD(form_listen, "", "localhost:80", "127.0.0.1", ":80", "*:80", "::1:80", "[::1]", "127.0.0.1:0",
        "127.0.0.1:65536", "127.0.0.1:080", "1.2.3:80", "unix:", "unix:a\nb", "[1.2.3.4]:80", "127.0.0.1:80 ",
        "http://127.0.0.1:80");
    GOOD(form_forward, "localhost:80", "payment.shop:80", "127.0.0.1:80", "unix:a");
    BAD(form_forward, "localhost", "localhost:http", "-a:80", "a b:80", "::1:80");
    GOOD(form_endpoint, "10.0.0.1:80", "[fd00::8]:8443", "unix:a");
    BAD(form_endpoint, "payment:80", "10.0.0.1");
    GOOD(form_host_port, "payment.shop:80");
    BAD(form_host_port, "payment.shop", "10.0.0.1:80", "unix:a");
    GOOD(form_srv, "_grpc._tcp.payment.shop");
    BAD(form_srv, "payment.shop", "_grpc", "_");
}

static void test_patterns(void **state)
{
    (void)state;
    GOOD(form_method, "a.B/C", "B/C", "a.B/*", "*");
    BAD(form_method, "", "C", "/a.B/C", "a.B/", "/C", "a.B/C/D", "a.B/Get*", "a.*", "*/C", "a.B/**", "a b/C");
    BAD(form_method_section, "*");
    GOOD(form_authority_pattern, "*", "payment*", "payment.shop", "payment.shop:443", "[::1]:80");
    BAD(form_authority_pattern, "", "*.shop", "a*b", "a b*", "http://a");
    GOOD(form_authority, "payment.shop:443");
    BAD(form_authority, "", "payment*", "a/b");
    GOOD(form_identity, "spiffe://shop.example/ns/shop/sa/payment", "https://a");
    BAD(form_identity, "", "payment", "spiffe:///a", "spiffe://", "://a", "spiffe://a/*", "spiffe://a b");
    BAD(form_identity, "spiffe://A/b", "spiffe://a", "spiffe://a/b/", "SPIFFE://a/b", "https://a/*");
    GOOD(form_identity_pattern, "spiffe://a/*", "spiffe://a/ns/*/sa/b", "https://a");
    BAD(form_identity_pattern, "*", "spiffe://*/a", "spiffe://a", "spiffe://a/b*", "https://a/*");
}

static void test_names(void **state)
{
    static char at_bound[129], past[130];
    (void)state;
    memset(at_bound, 'a', 128);
    memset(past, 'a', 129);
    GOOD(form_name, "payment-v2", "a.b_c", at_bound);
    BAD(form_name, "", "a b", "inbound/a", "a*", past);
    GOOD(form_dns, "payment.shop", "localhost");
    BAD(form_dns, "", ".a", "-a", "a:80", "a/b", "*.shop");
    GOOD(form_metadata_name, "x-canary", "X_Y.z");
    BAD(form_metadata_name, "", ":path", "a b");
    GOOD(form_path, "tls/a.crt", "/a b");
    BAD(form_path, "", "a\nb");
    GOOD(form_text, "anything at all, even ü");
    BAD(form_text, "", "a\x07");
    GOOD(form_port, "grpc", "8443");
    BAD(form_port, "", "a b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_patterns),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
