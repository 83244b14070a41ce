/* grpc-timeout: the grammar to the letter, saturation, and the way back. */
#include "core/deadline.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOUR (3600 * NS_PER_S)

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ns_t ns;
    } rows[] = {
        {"0n", 0},
        {"1n", 1},
        {"0H", 0},
        {"00000000n", 0},
        {"00000001S", NS_PER_S},
        {"12345678n", 12345678},
        {"99999999n", 99999999},
        {"99999999u", 99999999 * NS_PER_US},
        {"99999999m", 99999999 * NS_PER_MS},
        {"99999999S", 99999999 * NS_PER_S},
        {"99999999M", 99999999 * (60 * NS_PER_S)},
        {"2562047H", 2562047 * HOUR},
        {"2562048H", NS_NEVER},
        {"99999999H", NS_NEVER},
        {"1u", 1000},
        {"2m", 2 * NS_PER_MS},
        {"3S", 3 * NS_PER_S},
        {"4M", 240 * NS_PER_S},
        {"5H", 5 * HOUR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ns_t ns = -1;
        assert_int_equal(deadline_parse(slice_str(rows[i].text), &ns), ERR_NONE);
        assert_true(ns == rows[i].ns);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct slice rows[] = {
        {"", 0},    {"n", 1},    {"1", 1},     {"12", 2},   {"123456789n", 10}, {"000000001n", 10}, {"-1n", 3},
        {"+1n", 3}, {"1.5S", 4}, {" 1S", 3},   {"1S ", 3},  {"1 S", 3},         {"1s", 2},          {"1h", 2},
        {"1N", 2},  {"1U", 2},   {"1ms", 3},   {"1\0S", 3}, {"1S\0", 3},        {"0x1S", 4},        {"1e1S", 4},
        {"1:S", 3}, {"1/S", 3},  {"\xb9S", 2}, {"SS", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ns_t ns = -1;
        assert_int_equal(deadline_parse(rows[i], &ns), ERR_INVALID);
        assert_true(ns == -1);
    }
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        ns_t left;
        const char *text;
    } rows[] = {
        {-5, "0n"},
        {0, "0n"},
        {1, "1n"},
        {99999999, "99999999n"},
        {100000000, "100000u"},
        {100000001, "100001u"},
        {NS_PER_S, "1000000u"},
        {99999999 * NS_PER_US, "99999999u"},
        {99999999 * NS_PER_US + 1, "100000m"},
        {99999999 * NS_PER_MS, "99999999m"},
        {99999999 * NS_PER_MS + 1, "100000S"},
        {99999999 * NS_PER_S, "99999999S"},
        {99999999 * NS_PER_S + 1, "1666667M"},
        {99999999 * (60 * NS_PER_S), "99999999M"},
        {99999999 * (60 * NS_PER_S) + 1, "1666667H"},
        {NS_NEVER, "2562048H"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DEADLINE_TEXT_MAX];
        size_t n = deadline_format(rows[i].left, text);
        assert_true(slice_eq(slice_make(text, n), slice_str(rows[i].text)));
    }
}

/* What is printed can be read, is never shorter than what was left, and longer by less than one unit. */
static void test_round_trip(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 11);
    for (int i = 0; i < 200000; i++) {
        ns_t left = 1 + (ns_t)(rng_next(&r) >> 1 >> rng_below(&r, 63));
        char text[DEADLINE_TEXT_MAX];
        size_t n = deadline_format(left < 0 ? NS_NEVER : left, text);
        ns_t again;
        assert_true(n <= 9);
        assert_int_equal(deadline_parse(slice_make(text, n), &again), ERR_NONE);
        assert_true(again >= left);
        assert_true(again == NS_NEVER || again - left <= left / 100000);
    }
}

static void test_the_earlier_one_rules(void **state)
{
    (void)state;
    static const struct {
        ns_t start, caller, policy, deadline;
    } rows[] = {
        {5, NS_NEVER, 0, NS_NEVER},
        {5, 10, 0, 15},
        {5, NS_NEVER, 10, 15},
        {5, 10, 20, 15},
        {5, 20, 10, 15},
        {5, 0, 10, 5},
        {5, NS_NEVER - 5, 0, NS_NEVER},
        {5, NS_NEVER - 6, 0, NS_NEVER - 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(deadline_of(rows[i].start, rows[i].caller, rows[i].policy) == rows[i].deadline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_the_earlier_one_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
