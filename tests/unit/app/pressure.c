/* At how many bytes memory is short. */
#include "app/pressure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

static void no_limit_is_never_short(void **state)
{
    (void)state;
    assert_int_equal(pressure_level_of(0, 0), PRESSURE_NONE);
    assert_int_equal(pressure_level_of(UINT64_MAX, 0), PRESSURE_NONE);
}

static void each_level_begins_at_its_percent(void **state)
{
    (void)state;
    const uint64_t limits[] = {100, 16 * MIB, 128 * MIB, (uint64_t)1 << 40};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        uint64_t percent = limits[i] / 100;
        assert_int_equal(pressure_level_of(92 * percent - 1, limits[i]), PRESSURE_NONE);
        assert_int_equal(pressure_level_of(92 * percent, limits[i]), PRESSURE_SHED);
        assert_int_equal(pressure_level_of(95 * percent - 1, limits[i]), PRESSURE_SHED);
        assert_int_equal(pressure_level_of(95 * percent, limits[i]), PRESSURE_STOP);
        assert_int_equal(pressure_level_of(UINT64_MAX, limits[i]), PRESSURE_STOP);
    }
}

static void a_new_one_feels_none(void **state)
{
    (void)state;
    struct pressure p;
    pressure_init(&p);
    assert_int_equal(pressure_level(&p), PRESSURE_NONE);
    assert_int_equal(p.limit, 0);
    assert_int_equal(p.look_at, NS_NEVER); /* without a limit nothing is looked at */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_is_never_short),
        cmocka_unit_test(each_level_begins_at_its_percent),
        cmocka_unit_test(a_new_one_feels_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
