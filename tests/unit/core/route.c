/* Routes: hosts, authority patterns, methods, metadata, first match, and the shares of a split. */
#include "core/route.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_host(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"payment", "payment"},
        {"payment:8443", "payment"},
        {"Payment.Shop:1", "Payment.Shop"},
        {"1.2.3.4:80", "1.2.3.4"},
        {"[::1]:80", "[::1]"},
        {"[::1]", "[::1]"},
        {"[::1", "[::1"},
        {"[::1]x", "[::1]x"},
        {"::1", "::1"},
        {"fd00::8:443", "fd00::8:443"},
        {"payment:", "payment"},
        {"payment:http", "payment:http"},
        {"", ""},
        {":80", ""},
        {"[", "["},
        {"[]:1", "[]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_eq(route_host(slice_str(rows[i][0])), slice_str(rows[i][1])));
}

struct header {
    struct slice name, value;
};

static const struct header headers[] = {
    {SLICE("x-canary"), SLICE("1")},
    {SLICE("x-many"), SLICE("a")},
    {SLICE("x-many"), SLICE("b")},
    {SLICE("x-empty"), SLICE("")},
};

static bool get_header(const void *from, size_t i, struct slice *ret_name, struct slice *ret_value)
{
    const struct header *h = from;
    if (i >= sizeof headers / sizeof headers[0])
        return false;
    *ret_name = h[i].name;
    *ret_value = h[i].value;
    return true;
}

static bool matches(const struct route *r, const char *authority, const char *path)
{
    const struct route_query q = {slice_str(authority), slice_str(path), get_header, headers, NULL};
    return route_find(r, 1, &q) == r;
}

static void test_authority(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool prefix;
        const char *authority;
        bool match;
    } rows[] = {
        {"payment", false, "payment", true},
        {"payment", false, "PAYMENT:8443", true},
        {"payment", false, "payment.shop", false},
        {"payment", false, "paymen", false},
        {"payment", false, "", false},
        {"payment", true, "payment", true},
        {"payment", true, "Payment.shop.svc:80", true},
        {"payment", true, "paymen", false},
        {"payment", true, "xpayment", false},
        {"", true, "anything:1", true},
        {"", true, "", true},
        {"[fd00::8]", false, "[FD00::8]:8443", true},
        {"[fd00::8]", false, "[fd00::8]", true},
        {"[fd00::8]", false, "[fd00::9]", false},
        {"1.2.3.4", false, "1.2.3.4:80", true},
        {"1.2.3", true, "1.2.3.4:80", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct authority_pattern p = {slice_str(rows[i].pattern), rows[i].prefix};
        const struct route r = {.authorities = &p, .authorities_n = 1};
        assert_int_equal(matches(&r, rows[i].authority, "/a/b"), rows[i].match);
    }
}

static void test_method(void **state)
{
    (void)state;
    static const struct {
        struct method_pattern pattern;
        const char *path;
        bool match;
    } rows[] = {
        {{SLICE("p.Pay"), SLICE("Charge"), false}, "/p.Pay/Charge", true},
        {{SLICE("p.Pay"), SLICE("Charge"), false}, "/p.Pay/charge", false},
        {{SLICE("p.Pay"), SLICE("Charge"), false}, "/p.Pay/ChargeX", false},
        {{SLICE("p.Pay"), SLICE("Charge"), false}, "/p.Pa/Charge", false},
        {{SLICE("p.Pay"), {NULL, 0}, false}, "/p.Pay/Charge", true},
        {{SLICE("p.Pay"), {NULL, 0}, false}, "/p.Pay/Any", true},
        {{SLICE("p.Pay"), {NULL, 0}, false}, "/p.PayX/Any", false},
        {{SLICE("p.Pay"), {NULL, 0}, false}, "/p.Pay/", false},
        {{SLICE("p.Pay"), {NULL, 0}, false}, "/p.Pay/Charge/more", false},
        {{{NULL, 0}, {NULL, 0}, true}, "/p.Pay/Charge", true},
        {{{NULL, 0}, {NULL, 0}, true}, "no path at all", true},
        {{{NULL, 0}, {NULL, 0}, false}, "no path at all", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct method_pattern p = rows[i].pattern;
        const struct route r = {.methods = &p, .methods_n = 1};
        assert_int_equal(matches(&r, "x", rows[i].path), rows[i].match);
    }
}

static void test_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool match;
    } rows[] = {
        {"x-canary", "1", true}, {"x-canary", "2", false}, {"x-canary", "", false}, {"x-many", "a", true},
        {"x-many", "b", true},   {"x-many", "c", false},   {"x-empty", "", true},   {"x-absent", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metadata_match m = {slice_str(rows[i].name), slice_str(rows[i].value)};
        const struct route r = {.metadata = &m, .metadata_n = 1};
        assert_int_equal(matches(&r, "x", "/a/b"), rows[i].match);
        const struct route_query no_headers = {SLICE("x"), SLICE("/a/b"), NULL, NULL, NULL};
        assert_null(route_find(&r, 1, &no_headers));
    }
}

/* In a list one is enough; of the conditions all are needed. */
static void test_lists_and_conditions(void **state)
{
    (void)state;
    struct authority_pattern authorities[] = {{SLICE("one"), false}, {SLICE("two"), true}};
    struct method_pattern methods[] = {{SLICE("a"), SLICE("b"), false}, {SLICE("c"), {NULL, 0}, false}};
    struct metadata_match metadata[] = {{SLICE("x-canary"), SLICE("1")}, {SLICE("x-many"), SLICE("b")}};
    struct route r = {.authorities = authorities,
                      .authorities_n = 2,
                      .methods = methods,
                      .methods_n = 2,
                      .metadata = metadata,
                      .metadata_n = 2};
    assert_true(matches(&r, "one", "/a/b"));
    assert_true(matches(&r, "twofold:1", "/c/any"));
    assert_false(matches(&r, "three", "/a/b"));
    assert_false(matches(&r, "one", "/a/c"));
    metadata[1].value = SLICE("z");
    assert_false(matches(&r, "one", "/a/b"));
}

static void test_first_match_wins(void **state)
{
    (void)state;
    struct authority_pattern payment = {SLICE("payment"), true};
    struct method_pattern charge = {SLICE("p.Pay"), SLICE("Charge"), false};
    const struct route routes[] = {
        {.authorities = &payment, .authorities_n = 1, .methods = &charge, .methods_n = 1},
        {.authorities = &payment, .authorities_n = 1},
        {.methods = &charge, .methods_n = 1},
    };
    static const struct {
        const char *authority, *path;
        int route; /* -1: none */
    } rows[] = {
        {"payment", "/p.Pay/Charge", 0},
        {"payment", "/p.Pay/Get", 1},
        {"ledger", "/p.Pay/Charge", 2},
        {"ledger", "/p.Pay/Get", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct route_query q = {slice_str(rows[i].authority), slice_str(rows[i].path), get_header, headers, NULL};
        assert_ptr_equal(route_find(routes, 3, &q), rows[i].route < 0 ? NULL : &routes[rows[i].route]);
        assert_null(route_find(routes, 0, &q));
    }
}

static void test_address(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second; /* patterns */
        const char *original;       /* NULL: not known */
        bool match;
    } rows[] = {
        {NULL, NULL, NULL, true},
        {NULL, NULL, "10.0.0.1:50051", true},
        {"10.0.0.0/8", NULL, "10.1.2.3:50051", true},
        {"10.0.0.0/8", NULL, "11.0.0.1:50051", false},
        {"10.0.0.0/8", NULL, NULL, false},
        {"10.0.0.0/8:50051", NULL, "10.1.2.3:50051", true},
        {"10.0.0.0/8:50051", NULL, "10.1.2.3:50052", false},
        {"10.0.0.0/8", "[fd00::/8]:50052", "[fd00::1]:50052", true},
        {"10.0.0.0/8", "[fd00::/8]:50052", "[fd00::1]:50051", false},
        {"*:50052", NULL, "[fd00::1]:50052", true},
        {"*:50052", NULL, "1.2.3.4:50052", true},
        {"*:50052", NULL, "1.2.3.4:50051", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address_pattern patterns[2];
        struct address original;
        const char *why;
        struct route r = {.addresses = patterns};
        struct route_query q = {SLICE("x"), SLICE("/a.B/C"), get_header, headers, NULL};
        if (rows[i].original) {
            assert_int_equal(address_parse(slice_str(rows[i].original), NULL, &original), ERR_NONE);
            q.original = &original;
        }
        if (rows[i].first)
            assert_int_equal(address_pattern_parse(slice_str(rows[i].first), &patterns[r.addresses_n++], &why), 0);
        if (rows[i].second)
            assert_int_equal(address_pattern_parse(slice_str(rows[i].second), &patterns[r.addresses_n++], &why), 0);
        if ((route_find(&r, 1, &q) != NULL) != rows[i].match)
            fail_msg("row %zu", i);
    }
}

static void test_split_shares(void **state)
{
    (void)state;
    static const struct service_conf services[3];
    struct route_target targets[] = {{&services[0], 90}, {&services[1], 9}, {&services[2], 1}};
    const struct route r = {.targets = targets, .targets_n = 3, .weight_sum = 100};
    struct rng rng;
    int counts[3] = {0};
    rng_init(&rng, 6);
    for (int i = 0; i < 100000; i++)
        counts[route_pick(&r, &rng) - services]++;
    assert_in_range(counts[0], 89500, 90500);
    assert_in_range(counts[1], 8700, 9300);
    assert_in_range(counts[2], 880, 1120);
}

static void test_weights_of_any_sum(void **state)
{
    (void)state;
    static const struct service_conf services[2];
    struct route_target targets[] = {{&services[0], UINT32_MAX}, {&services[1], UINT32_MAX}};
    const struct route split = {.targets = targets, .targets_n = 2, .weight_sum = 2 * (uint64_t)UINT32_MAX};
    const struct route single = {.targets = targets + 1, .targets_n = 1};
    struct rng rng;
    int first = 0;
    rng_init(&rng, 6);
    for (int i = 0; i < 10000; i++)
        first += route_pick(&split, &rng) == &services[0];
    assert_in_range(first, 4800, 5200);
    assert_ptr_equal(route_pick(&single, &rng), &services[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_method),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_lists_and_conditions),
        cmocka_unit_test(test_first_match_wins),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_split_shares),
        cmocka_unit_test(test_weights_of_any_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
