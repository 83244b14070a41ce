/* Durations, sizes, shares and numbers: what is taken, what is not, and the bounds. */
#include "conf/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct row {
    const char *text;
    enum err err;
    uint64_t value;
};

#define ROWS(rows) (sizeof(rows) / sizeof *(rows))

static void test_durations(void **state)
{
    static const struct row rows[] = {{"250ms", ERR_NONE, 250000000},
                                      {"1.5s", ERR_NONE, 1500000000},
                                      {"2m", ERR_NONE, 120000000000},
                                      {"1h", ERR_NONE, 3600000000000},
                                      {"7us", ERR_NONE, 7000},
                                      {"0s", ERR_NONE, 0},
                                      {"0.000000001s", ERR_NONE, 1},
                                      {"0.1us", ERR_NONE, 100},
                                      {"8760h", ERR_NONE, (uint64_t)VALUE_DURATION_MAX},
                                      {"8760.1h", ERR_LIMIT, 0},
                                      {"8761h", ERR_LIMIT, 0},
                                      {"18446744073709551616s", ERR_LIMIT, 0},
                                      {"18446744073709551615h", ERR_LIMIT, 0},
                                      {"", ERR_INVALID, 0},
                                      {"5", ERR_INVALID, 0},
                                      {"s", ERR_INVALID, 0},
                                      {"5 s", ERR_INVALID, 0},
                                      {" 5s", ERR_INVALID, 0},
                                      {"-5s", ERR_INVALID, 0},
                                      {"+5s", ERR_INVALID, 0},
                                      {"05s", ERR_INVALID, 0},
                                      {".5s", ERR_INVALID, 0},
                                      {"5.s", ERR_INVALID, 0},
                                      {"1e3s", ERR_INVALID, 0},
                                      {"1m30s", ERR_INVALID, 0},
                                      {"5S", ERR_INVALID, 0},
                                      {"5d", ERR_INVALID, 0},
                                      {"5ns", ERR_INVALID, 0},
                                      {"0.0000000001s", ERR_INVALID, 0}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        ns_t ns = 0;
        enum err e = value_duration(slice_str(rows[i].text), &ns);
        if (e != rows[i].err || (uint64_t)ns != rows[i].value)
            fail_msg("%s: %s, %lld", rows[i].text, err_text(e), (long long)ns);
    }
}

static void test_sizes(void **state)
{
    static const struct row rows[] = {{"0B", ERR_NONE, 0},
                                      {"512B", ERR_NONE, 512},
                                      {"64KiB", ERR_NONE, 65536},
                                      {"1MiB", ERR_NONE, 1 << 20},
                                      {"1GiB", ERR_NONE, VALUE_SIZE_MAX},
                                      {"1073741825B", ERR_LIMIT, 0},
                                      {"99999999999999999999GiB", ERR_LIMIT, 0},
                                      {"64", ERR_INVALID, 0},
                                      {"64KB", ERR_INVALID, 0},
                                      {"64kib", ERR_INVALID, 0},
                                      {"1.5MiB", ERR_INVALID, 0}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t v = 0;
        enum err e = value_size(slice_str(rows[i].text), &v);
        if (e != rows[i].err || v != rows[i].value)
            fail_msg("%s: %s, %llu", rows[i].text, err_text(e), (unsigned long long)v);
    }
}

static void test_shares(void **state)
{
    static const struct row rows[] = {
        {"0%", ERR_NONE, 0},      {"50%", ERR_NONE, 500000},   {"0.5%", ERR_NONE, 5000}, {"100%", ERR_NONE, 1000000},
        {"0.0001%", ERR_NONE, 1}, {"100.0001%", ERR_LIMIT, 0}, {"101%", ERR_LIMIT, 0},   {"0.00001%", ERR_INVALID, 0},
        {"50", ERR_INVALID, 0},   {"50 %", ERR_INVALID, 0},    {"-1%", ERR_INVALID, 0},  {"%", ERR_INVALID, 0}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint32_t v = 0;
        enum err e = value_share(slice_str(rows[i].text), &v);
        if (e != rows[i].err || v != rows[i].value)
            fail_msg("%s: %s, %u", rows[i].text, err_text(e), v);
    }
}

static void test_numbers(void **state)
{
    static const struct row whole[] = {{"0", ERR_NONE, 0},
                                       {"18446744073709551615", ERR_NONE, UINT64_MAX},
                                       {"18446744073709551616", ERR_LIMIT, 0},
                                       {"01", ERR_INVALID, 0},
                                       {"1.0", ERR_INVALID, 0},
                                       {"0x10", ERR_INVALID, 0},
                                       {"1_000", ERR_INVALID, 0},
                                       {"", ERR_INVALID, 0}};
    static const struct row fraction[] = {{"2", ERR_NONE, 2000},
                                          {"1.9", ERR_NONE, 1900},
                                          {"0.001", ERR_NONE, 1},
                                          {"0.0001", ERR_INVALID, 0},
                                          {"1000000000", ERR_NONE, 1000000000000},
                                          {"1000000001", ERR_LIMIT, 0},
                                          {"-2", ERR_INVALID, 0}};
    (void)state;
    for (size_t i = 0; i < ROWS(whole); i++) {
        uint64_t v = 0;
        enum err e = value_whole(slice_str(whole[i].text), &v);
        if (e != whole[i].err || v != whole[i].value)
            fail_msg("%s: %s, %llu", whole[i].text, err_text(e), (unsigned long long)v);
    }
    for (size_t i = 0; i < ROWS(fraction); i++) {
        uint64_t v = 0;
        enum err e = value_number(slice_str(fraction[i].text), &v);
        if (e != fraction[i].err || v != fraction[i].value)
            fail_msg("%s: %s, %llu", fraction[i].text, err_text(e), (unsigned long long)v);
    }
}

/* What is printed is read back as the same. */
static void test_format(void **state)
{
    static const struct row rows[] = {{"0s", 0, 0},
                                      {"250ms", 0, 250000000},
                                      {"1500ms", 0, 1500000000},
                                      {"90s", 0, 90000000000},
                                      {"5m", 0, 300000000000},
                                      {"1h", 0, 3600000000000},
                                      {"1us", 0, 1000},
                                      {"0.100us", 0, 100}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[32];
        ns_t back = -1;
        assert_string_equal(value_format_duration((ns_t)rows[i].value, text, sizeof text), rows[i].text);
        assert_int_equal(value_duration(slice_str(text), &back), ERR_NONE);
        assert_int_equal(back, rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_shares), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
