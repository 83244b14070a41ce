/* SPIFFE ids as the specification has them (SPIFFE-ID sections 2.1 to 2.4, X509-SVID 5.2), and patterns of them. */
#include "base/spiffe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum verdict {
    WORKLOAD, /* an id with a path */
    DOMAIN,   /* an id that names the trust domain alone */
    NOT       /* none */
};

static const struct {
    struct slice text;
    enum verdict verdict;
} vectors[] = {
    {SLICE("spiffe://shop.example/ns/shop/sa/order"), WORKLOAD},
    {SLICE("spiffe://shop.example/a"), WORKLOAD},
    {SLICE("spiffe://shop.example/A-Z_0.9"), WORKLOAD},
    {SLICE("spiffe://shop.example/..."), WORKLOAD},
    {SLICE("spiffe://shop.example/.a/a./a..b"), WORKLOAD},
    {SLICE("spiffe://10.0.0.7/a"), WORKLOAD},
    {SLICE("spiffe://a_b-c.d/a"), WORKLOAD},
    {SLICE("spiffe://-/a"), WORKLOAD},
    {SLICE("spiffe://./a"), WORKLOAD},
    {SLICE("spiffe://shop.example"), DOMAIN},
    /* scheme */
    {SLICE(""), NOT},
    {SLICE("spiffe"), NOT},
    {SLICE("spiffe:"), NOT},
    {SLICE("spiffe:/shop.example/a"), NOT},
    {SLICE("spiffe:shop.example/a"), NOT},
    {SLICE("SPIFFE://shop.example/a"), NOT},
    {SLICE("Spiffe://shop.example/a"), NOT},
    {SLICE("spiffes://shop.example/a"), NOT},
    {SLICE("https://shop.example/a"), NOT},
    {SLICE("//shop.example/a"), NOT},
    {SLICE("shop.example/a"), NOT},
    {SLICE(" spiffe://shop.example/a"), NOT},
    /* trust domain */
    {SLICE("spiffe://"), NOT},
    {SLICE("spiffe:///a"), NOT},
    {SLICE("spiffe:////a"), NOT},
    {SLICE("spiffe://Shop.example/a"), NOT},
    {SLICE("spiffe://SHOP.EXAMPLE/a"), NOT},
    {SLICE("spiffe://shop.example:8443/a"), NOT},
    {SLICE("spiffe://shop.example:/a"), NOT},
    {SLICE("spiffe://user@shop.example/a"), NOT},
    {SLICE("spiffe://user:word@shop.example/a"), NOT},
    {SLICE("spiffe://@shop.example/a"), NOT},
    {SLICE("spiffe://[::1]/a"), NOT},
    {SLICE("spiffe://shop%2eexample/a"), NOT},
    {SLICE("spiffe://shop example/a"), NOT},
    {SLICE("spiffe://sh\xc3\xb6p.example/a"), NOT},
    {SLICE("spiffe://shop.example\0.evil/a"), NOT},
    {SLICE("spiffe://*/a"), NOT},
    {SLICE("spiffe://shop.example?a"), NOT},
    {SLICE("spiffe://shop.example#a"), NOT},
    /* path */
    {SLICE("spiffe://shop.example/"), NOT},
    {SLICE("spiffe://shop.example/a/"), NOT},
    {SLICE("spiffe://shop.example//"), NOT},
    {SLICE("spiffe://shop.example//a"), NOT},
    {SLICE("spiffe://shop.example/a//b"), NOT},
    {SLICE("spiffe://shop.example/./a"), NOT},
    {SLICE("spiffe://shop.example/../a"), NOT},
    {SLICE("spiffe://shop.example/a/."), NOT},
    {SLICE("spiffe://shop.example/a/.."), NOT},
    {SLICE("spiffe://shop.example/a/../b"), NOT},
    {SLICE("spiffe://shop.example/a%20b"), NOT},
    {SLICE("spiffe://shop.example/%61"), NOT},
    {SLICE("spiffe://shop.example/%2e%2e/a"), NOT},
    {SLICE("spiffe://shop.example/a b"), NOT},
    {SLICE("spiffe://shop.example/a\0b"), NOT},
    {SLICE("spiffe://shop.example/a\n"), NOT},
    {SLICE("spiffe://shop.example/\xc3\xb6"), NOT},
    {SLICE("spiffe://shop.example/a?q=1"), NOT},
    {SLICE("spiffe://shop.example/a?"), NOT},
    {SLICE("spiffe://shop.example/a#f"), NOT},
    {SLICE("spiffe://shop.example/a#"), NOT},
    {SLICE("spiffe://shop.example/*"), NOT},
    {SLICE("spiffe://shop.example/a:b"), NOT},
    {SLICE("spiffe://shop.example/a@b"), NOT},
    {SLICE("spiffe://shop.example/a\\b"), NOT},
};

static void assert_verdict(struct slice text, enum verdict verdict)
{
    struct spiffe id;
    const char *wrong = spiffe_parse(text, &id);
    enum verdict found = wrong ? NOT : id.path.n > 0 ? WORKLOAD : DOMAIN;
    if (found != verdict)
        print_message("\"%.*s\": %s\n", (int)text.n, text.p, wrong ? wrong : "taken");
    assert_int_equal(found, verdict);
    assert_int_equal(spiffe_check_workload(text) == NULL, verdict == WORKLOAD);
    assert_int_equal(spiffe_check_pattern(text) == NULL,
                     verdict == WORKLOAD || slice_eq(text, SLICE("spiffe://shop.example/*")));
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_verdict(vectors[i].text, vectors[i].verdict);
}

/* spiffe://<domain_n times d>/<the rest p>, `all` bytes long; freed by the caller. */
static struct slice make_id(size_t domain_n, size_t all)
{
    char *text = malloc(all);
    assert_non_null(text);
    memset(text, 'p', all);
    memcpy(text, "spiffe://", 9);
    memset(text + 9, 'd', domain_n);
    text[9 + domain_n] = '/';
    return slice_make(text, all);
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t domain_n, all;
        enum verdict verdict;
    } rows[] = {{10, 2048, WORKLOAD}, {10, 2049, NOT}, {255, 300, WORKLOAD}, {256, 300, NOT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice text = make_id(rows[i].domain_n, rows[i].all);
        assert_verdict(text, rows[i].verdict);
        free((char *)text.p);
    }
}

static void test_parts(void **state)
{
    (void)state;
    struct spiffe id;
    assert_null(spiffe_parse(SLICE("spiffe://shop.example/ns/shop"), &id));
    assert_true(slice_eq(id.domain, SLICE("shop.example")));
    assert_true(slice_eq(id.path, SLICE("/ns/shop")));
    assert_true(spiffe_is(SLICE("SPIFFE:x")));
    assert_false(spiffe_is(SLICE("spiffe")));
    assert_false(spiffe_is(SLICE("spiffes://x/a")));
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool good;
    } rows[] = {
        {"spiffe://td/ns/*/sa/x", true}, {"spiffe://td/*", true},       {"spiffe://td/*/*", true},
        {"spiffe://td/ns/a*", false},    {"spiffe://td/ns/*a", false},  {"spiffe://td/ns/**", false},
        {"spiffe://*/ns/x", false},      {"spiffe://td*/ns/x", false},  {"spiffe://td", false},
        {"spiffe://td/*/", false},       {"spiffe://td/*/../x", false}, {"*", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(spiffe_check_pattern(slice_str(rows[i].pattern)) == NULL, rows[i].good);
}

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *id;
        bool taken;
    } rows[] = {
        {"spiffe://td/ns/*/sa/x", "spiffe://td/ns/shop/sa/x", true},
        {"spiffe://td/ns/*/sa/x", "spiffe://td/ns/shop/sa/y", false},
        {"spiffe://td/ns/*/sa/x", "spiffe://td/ns/shop/team/sa/x", false},
        {"spiffe://td/ns/*/sa/x", "spiffe://td/ns/sa/x", false},
        {"spiffe://td/ns/*/sa/x", "spiffe://td/ns/shop/sa/x/y", false},
        {"spiffe://td/ns/*/sa/x", "spiffe://td/ns//sa/x", false},
        {"spiffe://td/ns/*/sa/x", "spiffe://other/ns/shop/sa/x", false},
        {"spiffe://td/ns/*", "spiffe://td/ns/shop", true},
        {"spiffe://td/ns/*", "spiffe://td/ns", false},
        {"spiffe://td/ns/*", "spiffe://td/ns/shop/sa/x", false},
        {"spiffe://td/a", "spiffe://td/a", true},
        {"spiffe://td/a", "spiffe://td/A", false},
        {"spiffe://td/a", "spiffe://td/ab", false},
        {"spiffe://td/a", "spiffe://td.evil/a", false},
        {"spiffe://td/*", "https://td/a", false},
        {"spiffe://td/*", "", false},
        {"spiffe://td/*", "spiffe://td", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(spiffe_matches(slice_str(rows[i].pattern), slice_str(rows[i].id)), rows[i].taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),  cmocka_unit_test(test_lengths), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
