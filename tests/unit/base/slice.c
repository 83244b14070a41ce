/* Slices: comparison, search, and a hash that spreads. */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_comparison(void **state)
{
    (void)state;
    static const struct slice none = {NULL, 0};
    assert_true(slice_eq(none, SLICE("")));
    assert_true(slice_eq_nocase(none, none));
    assert_true(slice_starts(SLICE("abc"), none));
    assert_true(slice_starts(none, none));
    assert_true(slice_eq(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_eq(SLICE("abc"), SLICE("ab")));
    assert_true(slice_eq_nocase(SLICE("aBc-1"), SLICE("AbC-1")));
    assert_false(slice_eq_nocase(SLICE("abc"), SLICE("abd")));
    assert_true(slice_starts(SLICE("abc"), SLICE("abc")));
    assert_false(slice_starts(SLICE("ab"), SLICE("abc")));
    assert_false(slice_starts(SLICE("abc"), SLICE("b")));
}

static void test_search(void **state)
{
    (void)state;
    assert_int_equal(slice_find((struct slice){NULL, 0}, 'a'), 0);
    assert_int_equal(slice_find(SLICE("abc"), 'c'), 2);
    assert_int_equal(slice_find(SLICE("abc"), 'x'), 3);
    assert_true(slice_eq(slice_sub(SLICE("abc"), 1, 3), SLICE("bc")));
    assert_int_equal(slice_sub(SLICE("abc"), 3, 3).n, 0);
    assert_true(slice_eq(slice_make("abc", 2), SLICE("ab")));
}

/* Every byte and every length takes part, and near keys fall into all buckets alike. */
static void test_hash_depends_on_all(void **state)
{
    (void)state;
    char text[64];
    memset(text, 'a', sizeof text);
    for (size_t n = 0; n < sizeof text; n++) {
        uint64_t h = slice_hash(slice_make(text, n), 1);
        assert_true(h != slice_hash(slice_make(text, n + 1), 1));
        assert_true(h != slice_hash(slice_make(text, n), 2));
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 1;
            assert_true(h != slice_hash(slice_make(text, n), 1));
            text[i] ^= 1;
        }
    }
}

static void test_hash_spreads(void **state)
{
    (void)state;
    enum { BUCKETS = 64, EACH = 200 };
    int count[BUCKETS] = {0};
    for (int i = 0; i < BUCKETS * EACH; i++) {
        char path[64];
        int n = snprintf(path, sizeof path, "/shop.v1.Service%d/Method%d", i / 10, i % 10);
        count[slice_hash(slice_make(path, (size_t)n), 0) % BUCKETS]++;
    }
    double chi = 0;
    for (int i = 0; i < BUCKETS; i++)
        chi += (double)(count[i] - EACH) * (count[i] - EACH) / EACH;
    assert_true(chi < 120); /* 63 degrees of freedom: once in 50,000 by chance, and the keys are fixed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_hash_depends_on_all),
        cmocka_unit_test(test_hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
