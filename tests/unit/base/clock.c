/* Saturating time, the clocks' order, random numbers, error texts: the small parts of base. */
#include "base/clock.h"

#include "base/err.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_saturating_addition(void **state)
{
    (void)state;
    static const struct {
        ns_t a, b, sum;
    } rows[] = {
        {0, 0, 0},
        {1, 2, 3},
        {NS_NEVER - 1, 1, NS_NEVER},
        {NS_NEVER - 1, 2, NS_NEVER},
        {NS_NEVER, 0, NS_NEVER},
        {0, NS_NEVER, NS_NEVER},
        {NS_NEVER, NS_NEVER, NS_NEVER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(ns_add(rows[i].a, rows[i].b) == rows[i].sum);
    assert_true(ns_min(1, 2) == 1 && ns_min(2, 1) == 1);
}

static void test_clocks(void **state)
{
    (void)state;
    ns_t a = clock_monotonic(), b = clock_monotonic();
    assert_true(a > 0 && b >= a);
    assert_true(clock_wall() > 1700000000 * NS_PER_S);
}

static void test_random_numbers(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init(&a, 42);
    rng_init(&b, 42);
    int count[5] = {0};
    for (int i = 0; i < 50000; i++) {
        uint64_t v = rng_below(&a, 5);
        assert_true(v == rng_below(&b, 5));
        assert_in_range(v, 0, 4);
        count[v]++;
        double u = rng_unit(&a);
        assert_true(u >= 0 && u < 1 && u == rng_unit(&b));
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(count[i], 9600, 10400);
    assert_int_equal(rng_below(&a, 1), 0);
}

static void test_error_texts(void **state)
{
    (void)state;
    for (enum err e = ERR_NONE; e <= ERR_UNSUPPORTED; e++)
        assert_true(strlen(err_text(e)) > 0 && strcmp(err_text(e), "unknown error") != 0);
    assert_string_equal(err_text((enum err)1000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saturating_addition),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_error_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
