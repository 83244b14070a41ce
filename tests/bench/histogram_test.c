/* histogram.c: every value falls into a cell whose edge is at most 1.6 % above it, and quantiles are the edges. */
#include "histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void edges_are_close(void **state)
{
    static struct histogram h;
    (void)state;
    for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 / 2 + 1) {
        histogram_init(&h);
        histogram_add(&h, value);
        histogram_add(&h, UINT64_MAX);
        uint64_t found = histogram_quantile(&h, 0.5);
        assert_true(found >= value);
        assert_true(found - value <= value / 63);
    }
}

static void quantiles_count_values(void **state)
{
    static struct histogram h;
    (void)state;
    histogram_init(&h);
    assert_int_equal(histogram_quantile(&h, 0.99), 0);
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(&h, value);
    assert_int_equal(histogram_quantile(&h, 0), 1);
    assert_int_equal(histogram_quantile(&h, 0.5), 50);
    assert_int_equal(histogram_quantile(&h, 0.99), 99);
    assert_int_equal(histogram_quantile(&h, 1), 100);
    assert_true(histogram_mean(&h) > 50.4 && histogram_mean(&h) < 50.6);
}

static void no_quantile_passes_the_maximum(void **state)
{
    static struct histogram h;
    (void)state;
    histogram_init(&h);
    histogram_add(&h, 1000001);
    assert_int_equal(histogram_quantile(&h, 0.5), 1000001);
    assert_int_equal(h.max, 1000001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_close),
        cmocka_unit_test(quantiles_count_values),
        cmocka_unit_test(no_quantile_passes_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
