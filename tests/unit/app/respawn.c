/* When a worker starts again. */
#include "app/respawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { T0 = 1000 };

static void five_in_a_minute_cost_nothing(void **state)
{
    (void)state;
    struct respawn r = {0};
    for (int i = 0; i < RESPAWN_BUDGET; i++)
        assert_int_equal(respawn_on_death(&r, T0 + i), 0);
    assert_int_equal(respawn_on_death(&r, T0 + RESPAWN_BUDGET), RESPAWN_FIRST_NS);
}

static void waits_double_to_the_most(void **state)
{
    (void)state;
    struct respawn r = {0};
    ns_t now = T0, wait = 0, expected = RESPAWN_FIRST_NS;
    for (int i = 0; i < RESPAWN_BUDGET; i++)
        respawn_on_death(&r, now);
    for (int i = 0; i < 6; i++, expected *= 2) {
        wait = respawn_on_death(&r, now += wait);
        assert_int_equal(wait, expected);
    }
    r = (struct respawn){0};
    for (int i = 0; i < 100; i++)
        wait = respawn_on_death(&r, T0);
    assert_int_equal(wait, RESPAWN_MAX_NS);
}

static void the_sixth_a_minute_after_the_first_is_free(void **state)
{
    (void)state;
    struct respawn late = {0}, early = {0};
    for (int i = 0; i < RESPAWN_BUDGET; i++) {
        respawn_on_death(&late, T0);
        respawn_on_death(&early, T0);
    }
    assert_int_equal(respawn_on_death(&late, T0 + RESPAWN_SPAN_NS), 0);
    assert_int_equal(respawn_on_death(&early, T0 + RESPAWN_SPAN_NS - 1), RESPAWN_FIRST_NS);
}

static void a_quiet_minute_begins_anew(void **state)
{
    (void)state;
    struct respawn r = {0};
    ns_t now = T0;
    for (int i = 0; i < RESPAWN_BUDGET + 3; i++)
        respawn_on_death(&r, now);
    now += RESPAWN_SPAN_NS;
    for (int i = 0; i < RESPAWN_BUDGET; i++)
        assert_int_equal(respawn_on_death(&r, now + i), 0);
    assert_int_equal(respawn_on_death(&r, now + RESPAWN_BUDGET), RESPAWN_FIRST_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_in_a_minute_cost_nothing),
        cmocka_unit_test(waits_double_to_the_most),
        cmocka_unit_test(the_sixth_a_minute_after_the_first_is_free),
        cmocka_unit_test(a_quiet_minute_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
