/* Token buckets at their burst and one past it, and what time gives back; names and defaults of the bounds. */
#include "core/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int take_all(struct bucket *b, const struct bound_rate *rate, ns_t now)
{
    int n = 0;
    while (bucket_take(b, rate, now))
        n++;
    return n;
}

static void test_burst_and_refill(void **state)
{
    (void)state;
    static const struct {
        struct bound_rate rate;
        ns_t wait; /* after all was taken at time 5 */
        int taken; /* then */
    } rows[] = {
        {{500, 1000}, 0, 0},
        {{500, 1000}, 100 * NS_PER_MS - 1, 0},
        {{500, 1000}, 100 * NS_PER_MS, 100},
        {{500, 1000}, 399 * NS_PER_MS, 300},
        {{500, 1000}, NS_PER_S, 500},
        {{1000, 33}, 6 * NS_PER_S, 0},
        {{1000, 33}, 7 * NS_PER_S, 200},
        {{4, 1}, NS_PER_S - 1, 0},
        {{4, 1}, 2 * NS_PER_S, 2},
        {{1, 1}, NS_PER_S - 1, 0},
        {{1, 1}, 365 * 86400 * NS_PER_S, 1},
        {{BOUNDS_RATE_MAX, BOUNDS_RATE_MAX}, 200 * NS_PER_MS - 1, 0},
        {{BOUNDS_RATE_MAX, BOUNDS_RATE_MAX}, 200 * NS_PER_MS, 200000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bucket b;
        bucket_init(&b, &rows[i].rate, 5);
        assert_int_equal(take_all(&b, &rows[i].rate, 5), rows[i].rate.burst);
        assert_int_equal(take_all(&b, &rows[i].rate, 5 + rows[i].wait), rows[i].taken);
    }
}

/* Parts of a portion are not lost: looks 0.7 ms apart over almost a second give what 900 ms are worth. */
static void test_parts_add_up(void **state)
{
    (void)state;
    static const struct bound_rate rate = {500, 1000};
    struct bucket b;
    int n = 0;
    bucket_init(&b, &rate, 0);
    take_all(&b, &rate, 0);
    for (ns_t now = 1; now < NS_PER_S; now += 7 * NS_PER_MS / 10)
        n += bucket_take(&b, &rate, now);
    assert_int_equal(n, 900);
}

/* A flood that takes almost a portion's time to read gets its burst alone, whenever the connection began. */
static void test_flood_gets_its_burst(void **state)
{
    (void)state;
    static const struct bound_rate rate = {500, 1000};
    static const ns_t begins[] = {0, 1, 99 * NS_PER_MS, NS_PER_S + 99 * NS_PER_MS};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        struct bucket b;
        bucket_init(&b, &rate, 0);
        for (int n = 0; n < 500; n++)
            assert_true(bucket_take(&b, &rate, begins[i] + n * 199 * NS_PER_US));
        assert_false(bucket_take(&b, &rate, begins[i] + 100 * NS_PER_MS - 1));
        assert_true(bucket_take(&b, &rate, begins[i] + 100 * NS_PER_MS));
    }
}

/* Half the rate for ever, in turns of up to 300 ms: nothing is refused. */
static void test_honest_rate_is_never_refused(void **state)
{
    (void)state;
    static const struct bound_rate rate = {500, 1000};
    struct bucket b;
    bucket_init(&b, &rate, 0);
    for (int turn = 1; turn <= 200; turn++)
        for (int n = 0; n < 150; n++)
            assert_true(bucket_take(&b, &rate, turn * 300 * NS_PER_MS));
}

static void test_low_is_a_quarter(void **state)
{
    (void)state;
    static const struct bound_rate rate = {1000, 1};
    struct bucket b;
    bucket_init(&b, &rate, 0);
    for (int i = 1; i <= 1000; i++) {
        assert_true(bucket_take(&b, &rate, 0));
        assert_int_equal(bucket_is_low(&b, &rate), i >= 750);
    }
}

static void test_names_differ(void **state)
{
    (void)state;
    for (int i = 0; i < BOUND_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(bound_name((enum bound_kind)i), bound_name((enum bound_kind)k));
    assert_string_not_equal(bound_side_name(BOUND_DOWNSTREAM), bound_side_name(BOUND_UPSTREAM));
}

/* Equal bounds have equal bytes: that is how a reload knows that nothing changed. */
static void test_no_padding(void **state)
{
    (void)state;
    size_t sum = 0;
#define X(field, kind, otherwise, least, most, doc) sum += sizeof bounds_default.field;
    BOUNDS_VALUES(X)
#undef X
#define X(field, burst, per_second, doc) sum += sizeof bounds_default.field;
    BOUNDS_RATES(X)
#undef X
    assert_int_equal(sum, sizeof(struct bounds));
}

static void test_defaults_are_in_range(void **state)
{
    (void)state;
#define X(field, kind, otherwise, least, most, doc)                                                                    \
    if (strcmp(#field, "memory") != 0)                                                                                 \
        assert_in_range(bounds_default.field, least, most);
    BOUNDS_VALUES(X)
#undef X
    assert_int_equal(bounds_default.memory, 0); /* what the cgroup allows */
}

/* The first windows of all streams take at most half of connection_buffer, and what is lent at most the other half. */
static void test_first_windows(void **state)
{
    (void)state;
    static const struct {
        int64_t buffer, streams, window, first;
    } rows[] = {
        {1 << 20, 100, 64 << 10, 5242},  {1 << 20, 128, 64 << 10, 4096}, {1 << 20, 129, 64 << 10, BOUNDS_FIRST_WINDOW},
        {1 << 20, 9, 64 << 10, 58254},   {1 << 20, 8, 64 << 10, 65536},  {1 << 20, 7, 64 << 10, 65536},
        {64 << 10, 100, 64 << 10, 4096}, {1 << 30, 1, 16 << 10, 16384},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bounds b = bounds_default;
        b.connection_buffer = rows[i].buffer;
        b.max_concurrent_streams = rows[i].streams;
        b.stream_window = rows[i].window;
        assert_int_equal(bounds_first_window(&b, true), rows[i].first);
        assert_int_equal(bounds_first_window(&b, false), rows[i].window / 2);
    }
}

static void test_lend(void **state)
{
    (void)state;
    static const struct {
        int64_t lent, want, loan;
    } rows[] = {
        {0, 60294, 60294},           {0, 262144, 262144}, {0, 262145, 262144}, {524288 - 2048, 60294, 1024},
        {524288 - 2047, 60294, 0}, /* the bound */
        {524288 - 2046, 1000, 1000}, {524288, 1, 0},      {524290, 60294, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(bounds_lend(&bounds_default, rows[i].lent, rows[i].want), rows[i].loan);
}

/* Whoever asks again and again never gets more than the half. */
static void test_lent_at_most(void **state)
{
    (void)state;
    int64_t lent = 0;
    for (int i = 0; i < 1000; i++)
        lent += bounds_lend(&bounds_default, lent, 60294);
    assert_in_range(lent, bounds_default.connection_buffer / 2 - 2 * BOUNDS_LOAN, bounds_default.connection_buffer / 2);
    assert_true(lent + bounds_default.max_concurrent_streams * bounds_first_window(&bounds_default, true) <=
                bounds_default.connection_buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_refill),     cmocka_unit_test(test_parts_add_up),
        cmocka_unit_test(test_flood_gets_its_burst), cmocka_unit_test(test_honest_rate_is_never_refused),
        cmocka_unit_test(test_low_is_a_quarter),     cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_no_padding),           cmocka_unit_test(test_defaults_are_in_range),
        cmocka_unit_test(test_first_windows),        cmocka_unit_test(test_lend),
        cmocka_unit_test(test_lent_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
