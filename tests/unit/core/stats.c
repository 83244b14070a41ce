/* Histograms: each bound in its own bucket and one past it in the next; sums; statistics by status. */
#include "core/stats.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static unsigned naive_latency(ns_t v)
{
    unsigned i = 0;
    while (i < STATS_LATENCY_BOUNDS && v > stats_latency_bounds[i])
        i++;
    return i;
}

static unsigned naive_size(uint64_t v)
{
    unsigned i = 0;
    while (i < STATS_SIZE_BOUNDS && v > stats_size_bounds[i])
        i++;
    return i;
}

static void check_latency(ns_t v)
{
    struct histogram h = {0};
    histogram_add_latency(&h, v);
    assert_int_equal(counter_get(&h.buckets[naive_latency(v)]), 1);
    assert_int_equal(counter_get(&h.sum), v > 0 ? v : 0);
}

static void check_size(uint64_t v)
{
    struct histogram h = {0};
    histogram_add_size(&h, v);
    assert_int_equal(counter_get(&h.buckets[naive_size(v)]), 1);
    assert_int_equal(counter_get(&h.sum), v);
}

/* The list of gRFC A66, in microseconds and bytes. */
static void test_bounds_are_those_of_a66(void **state)
{
    (void)state;
    static const ns_t us[] = {0,       10,       50,       100,      300,      600,    800,    1000,    2000,
                              3000,    4000,     5000,     6000,     8000,     10000,  13000,  16000,   20000,
                              25000,   30000,    40000,    50000,    65000,    80000,  100000, 130000,  160000,
                              200000,  250000,   300000,   400000,   500000,   650000, 800000, 1000000, 2000000,
                              5000000, 10000000, 20000000, 50000000, 100000000};
    static const uint64_t bytes[] = {0,       1 << 10, 1 << 11, 1 << 12, 1 << 14, 1 << 16, 1 << 18,
                                     1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30, 1ull << 32};
    assert_int_equal(sizeof us / sizeof us[0], STATS_LATENCY_BOUNDS);
    assert_int_equal(sizeof bytes / sizeof bytes[0], STATS_SIZE_BOUNDS);
    for (int i = 0; i < STATS_LATENCY_BOUNDS; i++)
        assert_true(stats_latency_bounds[i] == us[i] * NS_PER_US);
    for (int i = 0; i < STATS_SIZE_BOUNDS; i++)
        assert_true(stats_size_bounds[i] == bytes[i]);
}

static void test_buckets_at_their_bounds(void **state)
{
    (void)state;
    for (int i = 0; i < STATS_LATENCY_BOUNDS; i++) {
        for (ns_t d = -1; d <= 1; d++)
            check_latency(stats_latency_bounds[i] + d);
    }
    for (int i = 0; i < STATS_SIZE_BOUNDS; i++) {
        for (int d = i == 0 ? 0 : -1; d <= 1; d++)
            check_size(stats_size_bounds[i] + (uint64_t)d);
    }
    check_latency(-NS_PER_S);
    check_latency(NS_NEVER);
    check_size(UINT64_MAX);
}

static void test_buckets_at_random_values(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2);
    for (int i = 0; i < 200000; i++) {
        uint64_t v = rng_next(&r) >> rng_below(&r, 64);
        check_size(v);
        check_latency((ns_t)(v >> 1));
    }
    for (int bits = 0; bits < 63; bits++) {
        for (int d = -1; d <= 1; d++)
            check_latency(((ns_t)1 << bits) + d);
    }
}

static void test_by_status(void **state)
{
    (void)state;
    struct method_stats m = {0};
    method_stats_end(&m, STATUS_OK, NS_PER_MS, 100, 2000);
    method_stats_end(&m, STATUS_OK, 3 * NS_PER_MS, 0, 0);
    method_stats_end(&m, 16, 5, 1, 1);
    method_stats_end(&m, 17, 5, 1, 1);
    method_stats_end(&m, UINT32_MAX, 7, 1, 1);
    for (int i = 0; i < STATUS_COUNT; i++)
        assert_int_equal(m.by_status[i] != NULL, i == STATUS_OK || i == STATUS_UNKNOWN || i == 16);
    struct status_stats *ok = m.by_status[STATUS_OK], *unknown = m.by_status[STATUS_UNKNOWN];
    assert_int_equal(counter_get(&ok->duration.sum), 4 * NS_PER_MS);
    assert_int_equal(counter_get(&ok->sent.sum), 100);
    assert_int_equal(counter_get(&ok->received.sum), 2000);
    assert_int_equal(counter_get(&ok->duration.buckets[naive_latency(NS_PER_MS)]), 1);
    assert_int_equal(counter_get(&ok->sent.buckets[0]), 1);
    assert_int_equal(counter_get(&ok->received.buckets[2]), 1);
    assert_int_equal(counter_get(&unknown->duration.sum), 12);
    method_stats_fini(&m);
    assert_null(m.by_status[STATUS_OK]);
    method_stats_fini(&m);
}

/* Starts (previous, time) and ends of the attempts of a call, and what it comes to. */
static void test_retries_of_a_call(void **state)
{
    (void)state;
    static const struct {
        struct {
            uint8_t previous;
            ns_t starts, ends;
        } attempts[4];
        int n;
        uint8_t retries, transparent;
        ns_t delay;
    } rows[] = {
        {{{0, 10, 20}}, 1, 0, 0, 0},
        {{{0, 10, 20}, {0, 20, 30}}, 2, 0, 1, 0},                            /* never seen: at once */
        {{{0, 10, 20}, {1, 50, 60}}, 2, 1, 0, 30},                           /* by policy */
        {{{0, 10, 20}, {1, 50, 60}, {1, 61, 70}, {2, 90, 99}}, 4, 2, 1, 51}, /* both */
        {{{1, 10, 20}}, 1, 1, 0, 0},                                         /* nobody could be reached before */
        {{{1, 10, 20}, {1, 25, 30}, {2, 31, 32}}, 3, 2, 1, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct retry_count c = {0};
        struct retry_stats s = {0};
        for (int k = 0; k < rows[i].n; k++) {
            retry_count_on_start(&c, rows[i].attempts[k].previous, rows[i].attempts[k].starts);
            retry_count_on_end(&c, rows[i].attempts[k].ends);
        }
        retry_stats_add(&s, &c);
        assert_int_equal(counter_get(&s.retries.sum), rows[i].retries);
        assert_int_equal(counter_get(&s.transparent.sum), rows[i].transparent);
        assert_int_equal(counter_get(&s.delay.sum), rows[i].delay);
        assert_int_equal(counter_get(&s.retries.buckets[0]), rows[i].retries == 1);
        assert_int_equal(counter_get(&s.retries.buckets[1]), rows[i].retries == 2);
        assert_int_equal(counter_get(&s.transparent.buckets[0]), rows[i].transparent == 1);
    }
}

static void test_counts_at_their_bounds(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 2, 3, 4, 5, 6, 10, 11, UINT64_MAX};
    static const unsigned buckets[] = {0, 0, 1, 2, 3, 4, 5, 5, 6, 6};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct histogram h = {0};
        histogram_add_count(&h, values[i]);
        assert_int_equal(counter_get(&h.buckets[buckets[i]]), 1);
        assert_int_equal(counter_get(&h.sum), values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_those_of_a66),  cmocka_unit_test(test_buckets_at_their_bounds),
        cmocka_unit_test(test_buckets_at_random_values), cmocka_unit_test(test_by_status),
        cmocka_unit_test(test_retries_of_a_call),        cmocka_unit_test(test_counts_at_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
