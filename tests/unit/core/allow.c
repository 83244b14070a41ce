/* The list `allow`: a table of callers, and by chance that the compiled form says what the rules say one by one. */
#include "core/allow.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ORDER "spiffe://shop/ns/shop/sa/order"

enum { RULES_MAX = ALLOW_RULES_MAX, METHODS_MAX = 4 * RULES_MAX };

/* A list with storage for all its parts. */
struct list_fixture {
    struct allow allow;
    struct allow_rule rules[RULES_MAX];
    struct slice identities[METHODS_MAX];
    struct method_pattern methods[METHODS_MAX];
    struct cidr sources[METHODS_MAX];
    size_t identities_n, methods_n, sources_n;
    struct allow_method storage[METHODS_MAX];
};

static struct list_fixture f;

static void begin(void)
{
    memset(&f, 0, sizeof f);
    f.allow.rules = f.rules;
}

static struct allow_rule *add_rule(void)
{
    struct allow_rule *r = &f.rules[f.allow.rules_n++];
    r->identities = &f.identities[f.identities_n];
    r->methods = &f.methods[f.methods_n];
    r->sources = &f.sources[f.sources_n];
    return r;
}

static void add_identity(struct allow_rule *r, const char *text)
{
    r->identities[r->identities_n++] = slice_str(text);
    f.identities_n++;
}

/* "pkg.Service/Method", "pkg.Service/" or "*". */
static void add_method(struct allow_rule *r, const char *text)
{
    struct slice s = slice_str(text);
    size_t slash = slice_find(s, '/');
    struct method_pattern m = {.any = slice_eq(s, SLICE("*"))};
    if (!m.any)
        m = (struct method_pattern){.service = slice_sub(s, 0, slash), .method = slice_sub(s, slash + 1, s.n)};
    r->methods[r->methods_n++] = m;
    f.methods_n++;
}

static void add_source(struct allow_rule *r, const char *text)
{
    const char *why;
    assert_int_equal(cidr_parse(slice_str(text), &r->sources[r->sources_n++], &why), ERR_NONE);
    f.sources_n++;
}

static void compile(void)
{
    allow_compile(&f.allow, f.storage);
}

static bool passes(const char *identity, const char *source, const char *path)
{
    struct address a;
    char name[64];
    struct allow_set set;
    struct allow_peer peer = {.identity = slice_str(identity)};
    if (source) {
        assert_int_equal(address_parse(slice_str(source), name, &a), ERR_NONE);
        peer.source = &a;
    }
    allow_decide_peer(&f.allow, &peer, &set);
    bool yes = allow_takes(&f.allow, &set, slice_str(path));
    assert_int_equal(yes, allow_find(&f.allow, &peer, slice_str(path)) != NULL);
    return yes;
}

struct row {
    const char *identity, *source, *path;
    bool pass;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (passes(rows[i].identity, rows[i].source, rows[i].path) != rows[i].pass)
            fail_msg("row %zu: %s from %s to %s", i, rows[i].identity, rows[i].source ? rows[i].source : "-",
                     rows[i].path);
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof(rows)[0])

static void test_empty_denies_all(void **state)
{
    (void)state;
    begin();
    compile();
    static const struct row rows[] = {{ORDER, "10.0.0.1:1", "/a.B/C", false}, {"", NULL, "/a.B/C", false}};
    CHECK_ROWS(rows);
    assert_int_equal(allow_denial(&f.allow, SLICE("")), REASON_NOT_ALLOWED);
}

static void test_identity(void **state)
{
    (void)state;
    begin();
    struct allow_rule *r = add_rule();
    add_identity(r, ORDER);
    add_identity(r, "spiffe://shop/ns/*/sa/cart");
    add_identity(r, "https://other/scheme");
    compile();
    static const struct row rows[] = {
        {ORDER, NULL, "/a.B/C", true},
        {ORDER "x", NULL, "/a.B/C", false},
        {"spiffe://shop/ns/shop/sa", NULL, "/a.B/C", false},
        {"spiffe://shop/ns/a/sa/cart", NULL, "/a.B/C", true},
        {"spiffe://shop/ns/a/b/sa/cart", NULL, "/a.B/C", false},
        {"spiffe://shop/ns//sa/cart", NULL, "/a.B/C", false},
        {"spiffe://shop/ns/sa/cart", NULL, "/a.B/C", false},
        {"spiffe://shop.evil/ns/a/sa/cart", NULL, "/a.B/C", false},
        {"spiffe://Shop/ns/a/sa/cart", NULL, "/a.B/C", false},
        {"spiffe://shop/ns/a/sa/cart/x", NULL, "/a.B/C", false},
        {"https://other/scheme", NULL, "/a.B/C", true},
        {"https://other/schem", NULL, "/a.B/C", false},
        {"", NULL, "/a.B/C", false},
    };
    CHECK_ROWS(rows);
    assert_int_equal(allow_denial(&f.allow, SLICE("")), REASON_NO_IDENTITY);
    assert_int_equal(allow_denial(&f.allow, SLICE(ORDER)), REASON_NOT_ALLOWED);
    assert_int_equal(allow_status(REASON_NO_IDENTITY), STATUS_UNAUTHENTICATED);
    assert_int_equal(allow_status(REASON_NOT_ALLOWED), STATUS_PERMISSION_DENIED);
}

static void test_methods(void **state)
{
    (void)state;
    begin();
    struct allow_rule *r = add_rule();
    add_method(r, "a.B/C");
    add_method(r, "a.Whole/");
    add_method(r, "deep/er.S/M");
    compile();
    static const struct row rows[] = {
        {"", NULL, "/a.B/C", true},       {"", NULL, "/a.B/D", false},
        {"", NULL, "/a.B/", false},       {"", NULL, "/a.B/CC", false},
        {"", NULL, "/a.BC/C", false},     {"", NULL, "/a.b/C", false},
        {"", NULL, "/a.Whole/X", true},   {"", NULL, "/a.Whole", false},
        {"", NULL, "/a.Whole/", false},   {"", NULL, "/a.Whol/X", false},
        {"", NULL, "/a.Wholes/X", false}, {"", NULL, "a.Whole/X", false},
        {"", NULL, "/x/a.B/C", false},    {"", NULL, "", false},
        {"", NULL, "/", false},
    };
    CHECK_ROWS(rows);
}

static void test_source(void **state)
{
    (void)state;
    begin();
    struct allow_rule *r = add_rule();
    add_source(r, "10.0.0.0/8");
    add_source(r, "fd00::/8");
    compile();
    static const struct row rows[] = {
        {"", "10.9.9.9:1", "/a.B/C", true},  {"", "11.0.0.1:1", "/a.B/C", false},
        {"", "[fd00::1]:1", "/a.B/C", true}, {"", "[::ffff:10.0.0.1]:1", "/a.B/C", true},
        {"", NULL, "/a.B/C", false},         {"", "unix:/x", "/a.B/C", false},
    };
    CHECK_ROWS(rows);
    assert_true(f.allow.asks_source);
    assert_int_equal(allow_denial(&f.allow, SLICE("")), REASON_NOT_ALLOWED);
    const struct allow_peer explained = {.identity = SLICE(""), .any_source = true};
    assert_ptr_equal(allow_find(&f.allow, &explained, SLICE("/a.B/C")), &f.rules[0]);
}

/* All conditions of one rule are needed, and those of two rules do not mix. */
static void test_rules_do_not_mix(void **state)
{
    (void)state;
    begin();
    struct allow_rule *r = add_rule();
    add_identity(r, ORDER);
    add_method(r, "a.B/C");
    add_source(r, "10.0.0.0/8");
    r = add_rule();
    add_identity(r, "spiffe://shop/cart");
    add_method(r, "a.B/D");
    r = add_rule();
    add_method(r, "grpc.health.v1.Health/Check");
    r = add_rule();
    add_identity(r, "spiffe://shop/root");
    add_method(r, "*");
    compile();
    static const struct row rows[] = {
        {ORDER, "10.0.0.1:1", "/a.B/C", true},
        {ORDER, "11.0.0.1:1", "/a.B/C", false},
        {ORDER, "10.0.0.1:1", "/a.B/D", false},
        {"spiffe://shop/cart", "10.0.0.1:1", "/a.B/C", false},
        {"spiffe://shop/cart", "11.0.0.1:1", "/a.B/D", true},
        {"", "11.0.0.1:1", "/grpc.health.v1.Health/Check", true},
        {"", "11.0.0.1:1", "/a.B/D", false},
        {"spiffe://shop/root", NULL, "/x.Y/Z", true},
        {"spiffe://shop/rooty", NULL, "/x.Y/Z", false},
    };
    CHECK_ROWS(rows);
}

/* The last rule of a full list counts as the first does. */
static void test_full_list(void **state)
{
    (void)state;
    static char names[RULES_MAX][64], methods[RULES_MAX][32];
    begin();
    for (int i = 0; i < RULES_MAX; i++) {
        struct allow_rule *r = add_rule();
        (void)snprintf(names[i], sizeof names[i], "spiffe://shop/n%d", i);
        (void)snprintf(methods[i], sizeof methods[i], "a.B/M%d", i);
        add_identity(r, names[i]);
        add_method(r, methods[i]);
        add_method(r, "a.B/Shared");
    }
    compile();
    assert_int_equal(f.allow.methods_n, RULES_MAX + 1);
    for (int i = 0; i < RULES_MAX; i++) {
        char path[40], other[40];
        (void)snprintf(path, sizeof path, "/%s", methods[i]);
        (void)snprintf(other, sizeof other, "/%s", methods[(i + 1) % RULES_MAX]);
        assert_true(passes(names[i], NULL, path));
        assert_true(passes(names[i], NULL, "/a.B/Shared"));
        assert_false(passes(names[i], NULL, other));
    }
}

/* Small worlds in which rules overlap much: `passes` compares the compiled form with the plain one. */
static void test_by_chance(void **state)
{
    (void)state;
    static const char *const identities[] = {"spiffe://t/a", "spiffe://t/b/c", "spiffe://t/*", "spiffe://t/b/*"};
    static const char *const methods[] = {"s.S/A", "s.S/B", "s.S/", "s.T/A", "s.T/", "*"};
    static const char *const sources[] = {"10.0.0.0/8", "10.1.0.0/16", "::/0"};
    static const char *const callers[] = {"", "spiffe://t/a", "spiffe://t/b/c", "spiffe://t/d"};
    static const char *const froms[] = {"10.1.0.1:1", "10.2.0.1:1", "[::1]:1", NULL};
    static const char *const paths[] = {"/s.S/A", "/s.S/B", "/s.S/C", "/s.T/A", "/s.U/A", "/s"};
    struct rng rng;
    unsigned passed = 0, denied = 0;
    rng_init(&rng, 5);
    for (int round = 0; round < 400; round++) {
        begin();
        for (uint64_t i = rng_below(&rng, 70); i > 0; i--) {
            struct allow_rule *r = add_rule();
            for (uint64_t n = rng_below(&rng, 3); n > 0; n--)
                add_identity(r, identities[rng_below(&rng, 4)]);
            for (uint64_t n = rng_below(&rng, 3); n > 0; n--)
                add_method(r, methods[rng_below(&rng, 6)]);
            for (uint64_t n = rng_below(&rng, 2); n > 0; n--)
                add_source(r, sources[rng_below(&rng, 3)]);
            if (rng_below(&rng, 4) > 0 && f.allow.rules_n > 4)
                break;
        }
        compile();
        for (int k = 0; k < 20; k++)
            ++*(passes(callers[rng_below(&rng, 4)], froms[rng_below(&rng, 4)], paths[rng_below(&rng, 6)]) ? &passed
                                                                                                          : &denied);
    }
    assert_true(passed > 500 && denied > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_denies_all), cmocka_unit_test(test_identity),
        cmocka_unit_test(test_methods),          cmocka_unit_test(test_source),
        cmocka_unit_test(test_rules_do_not_mix), cmocka_unit_test(test_full_list),
        cmocka_unit_test(test_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
