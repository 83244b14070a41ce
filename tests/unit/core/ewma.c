/* Expected latency: peaks at once, forgotten with time; failures cost, and more of them cost more. */
#include "core/ewma.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct balance_options defaults;

static ns_t expect(const struct ewma *e, ns_t now)
{
    return (ns_t)ewma_expect_ns(e, &defaults, 0, now);
}

#define MS(n) ((ns_t)(n)*NS_PER_MS)
#define S(n)  ((ns_t)(n)*NS_PER_S)

static void assert_near(ns_t found, ns_t wanted, double slack)
{
    double d = (double)found - (double)wanted, most = (double)wanted * slack;
    if (d > most || d < -most)
        fail_msg("%lld, not %lld", (long long)found, (long long)wanted);
}

static void test_without_a_sample(void **state)
{
    (void)state;
    struct ewma e = {0};
    assert_int_equal(expect(&e, 0), 0);
    assert_int_equal(expect(&e, S(100)), 0);
    assert_int_equal(ewma_expect_ns(&e, &defaults, 1, 0), MS(1030));
    const struct balance_options own = {.ewma_initial_ns = MS(5), .failure_counts_ns = MS(100)};
    assert_int_equal(ewma_expect_ns(&e, &own, 3, 0), MS(105));
}

/* A slower sample counts at once, a faster one over the decay time. */
static void test_peaks_and_decay(void **state)
{
    (void)state;
    struct ewma e = {0};
    ewma_on_sample(&e, &defaults, MS(10), false, S(1));
    assert_near(expect(&e, S(1)), MS(10), 0.001);
    ewma_on_sample(&e, &defaults, MS(200), false, S(1));
    assert_near(expect(&e, S(1)), MS(200), 0.001);
    ewma_on_sample(&e, &defaults, MS(10), false, S(1));
    assert_near(expect(&e, S(1)), MS(200), 0.001); /* no time has passed */
    ewma_on_sample(&e, &defaults, MS(10), false, S(11));
    assert_near(expect(&e, S(11)), MS(10) + (ns_t)(0.3679 * MS(190)), 0.02);
    for (int i = 0; i < 100; i++)
        ewma_on_sample(&e, &defaults, MS(10), false, S(12 + i));
    assert_near(expect(&e, S(111)), MS(10), 0.01);
}

/* Idle decay, so that a slow one is asked again some time: e^(-t/10s). */
static void test_idle_decay(void **state)
{
    (void)state;
    static const struct {
        ns_t after;
        double left;
    } rows[] = {{0, 1}, {S(1), 0.905}, {S(5), 0.607}, {S(10), 0.368}, {S(20), 0.137}, {S(40), 0.0207}};
    struct ewma e = {0};
    ewma_on_sample(&e, &defaults, MS(200), false, S(1));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_near(expect(&e, S(1) + rows[i].after), (ns_t)(rows[i].left * MS(200)), 0.15);
    const struct balance_options quick = {.ewma_decay_ns = S(1)};
    assert_near((ns_t)ewma_expect_ns(&e, &quick, 0, S(2)), (ns_t)(0.368 * MS(200)), 0.02);
    assert_int_equal(expect(&e, 0), MS(200)); /* a clock of another turn is not yet there */
}

/* What fails fast looks slow: one failure a little, many like the whole penalty. */
static void test_failures(void **state)
{
    (void)state;
    struct ewma e = {0};
    ewma_on_sample(&e, &defaults, MS(10), false, S(1));
    ewma_on_sample(&e, &defaults, MS(1), true, S(1));
    assert_near(expect(&e, S(1)), MS(10) + MS(1000) / 16, 0.01);
    for (int i = 0; i < 100; i++)
        ewma_on_sample(&e, &defaults, MS(1), true, S(1));
    assert_near(expect(&e, S(1)), MS(1010), 0.01);
    for (int i = 0; i < 200; i++)
        ewma_on_sample(&e, &defaults, MS(1), false, S(1));
    assert_near(expect(&e, S(1)), MS(10), 0.01);
    ewma_on_sample(&e, &defaults, MS(500), true, S(1)); /* a failure that took long took long */
    assert_near(expect(&e, S(1)), MS(500) + MS(1000) / 16, 0.01);
}

/* A first sample that fails is a failure, not the fastest endpoint there is. */
static void test_first_sample_fails(void **state)
{
    (void)state;
    struct ewma e = {0};
    ewma_on_sample(&e, &defaults, 1000, true, S(1));
    assert_true(expect(&e, S(1)) > MS(60));
}

/* Taken back without an answer: at least that long, and nothing when that is no news. */
static void test_cancels(void **state)
{
    (void)state;
    struct ewma e = {0};
    ewma_on_cancel(&e, &defaults, MS(30), S(1));
    assert_false(e.warm);
    ewma_on_cancel(&e, &defaults, MS(31), S(1));
    assert_near(expect(&e, S(1)), MS(31), 0.001);
    ewma_on_cancel(&e, &defaults, MS(20), S(1));
    assert_near(expect(&e, S(1)), MS(31), 0.001);
    ewma_on_cancel(&e, &defaults, MS(20), S(21));
    assert_near(expect(&e, S(21)), MS(20), 0.001);
    e = (struct ewma){0};
    ewma_on_sample(&e, &defaults, MS(10), true, S(1));
    double failing = e.failing;
    ewma_on_cancel(&e, &defaults, S(2), S(11));
    assert_true(e.failing < failing / 2);
    assert_true(e.latency_ns == S(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_sample),   cmocka_unit_test(test_peaks_and_decay),
        cmocka_unit_test(test_idle_decay),         cmocka_unit_test(test_failures),
        cmocka_unit_test(test_first_sample_fails), cmocka_unit_test(test_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
