/* The text format: lines to the letter, escaping, histograms, numbers at their edges. */
#include "telemetry/prometheus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_page(struct prometheus *p, const char *expected)
{
    struct slice text;
    assert_int_equal(prometheus_text(p, &text), ERR_NONE);
    char *page = strndup(text.n ? text.p : "", text.n);
    assert_string_equal(page, expected);
    free(page);
    prometheus_fini(p);
}

static void test_families_and_samples(void **state)
{
    (void)state;
    struct prometheus p;
    prometheus_init(&p);
    prometheus_family(&p, "a_total", PROMETHEUS_COUNTER, "Counts a.");
    prometheus_sample(&p, PROMETHEUS_LABELS(), 0);
    prometheus_family(&p, "b", PROMETHEUS_GAUGE, "Is b.");
    prometheus_sample(&p, PROMETHEUS_LABELS({"x", SLICE("1")}), UINT64_MAX);
    prometheus_sample(&p, PROMETHEUS_LABELS({"x", SLICE("2")}, {"y", SLICE("")}), 10);
    assert_page(&p, "# HELP a_total Counts a.\n# TYPE a_total counter\na_total 0\n"
                    "# HELP b Is b.\n# TYPE b gauge\nb{x=\"1\"} 18446744073709551615\nb{x=\"2\",y=\"\"} 10\n");
    prometheus_init(&p);
    assert_page(&p, "");
}

static void test_label_values_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        const char *out;
    } rows[] = {
        {SLICE("p.Pay/Charge"), "p.Pay/Charge"},
        {SLICE("a\"b\\c\nd"), "a\\\"b\\\\c\\nd"},
        {SLICE("\0\r\t\x7f"), "????"},
        {SLICE("\xc3\xa9\xe2\x82\xac"), "\xc3\xa9\xe2\x82\xac"},
        {SLICE("\xc3(\xff"), "?(?"},
        {SLICE("\\\\"), "\\\\\\\\"},
        {{NULL, 0}, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prometheus p;
        char expected[128];
        prometheus_init(&p);
        prometheus_family(&p, "a", PROMETHEUS_GAUGE, "A.");
        prometheus_sample(&p, PROMETHEUS_LABELS({"x", rows[i].in}), 1);
        snprintf(expected, sizeof expected, "# HELP a A.\n# TYPE a gauge\na{x=\"%s\"} 1\n", rows[i].out);
        assert_page(&p, expected);
    }
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        ns_t ns;
        const char *text;
    } rows[] = {
        {-1, "0"},
        {0, "0"},
        {1, "0.000000001"},
        {10 * NS_PER_US, "0.00001"},
        {300 * NS_PER_US, "0.0003"},
        {13 * NS_PER_MS, "0.013"},
        {999999999, "0.999999999"},
        {NS_PER_S, "1"},
        {100 * NS_PER_S, "100"},
        {1500 * NS_PER_MS, "1.5"},
        {NS_NEVER, "9223372036.854775807"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prometheus p;
        char expected[128];
        prometheus_init(&p);
        prometheus_family(&p, "a", PROMETHEUS_GAUGE, "A.");
        prometheus_sample_time(&p, PROMETHEUS_LABELS(), rows[i].ns);
        snprintf(expected, sizeof expected, "# HELP a A.\n# TYPE a gauge\na %s\n", rows[i].text);
        assert_page(&p, expected);
    }
}

static void test_histogram_of_sizes(void **state)
{
    (void)state;
    struct prometheus p;
    struct tally t = {0};
    struct histogram h = {0};
    static const uint64_t sizes[] = {0, 1, 1024, 1025, 5000000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        histogram_add_size(&h, sizes[i]);
    tally_add(&t, &h);
    prometheus_init(&p);
    prometheus_family(&p, "s_bytes", PROMETHEUS_HISTOGRAM, "S.");
    prometheus_histogram(&p, PROMETHEUS_LABELS(), PROMETHEUS_BYTES, &t);
    assert_page(&p, "# HELP s_bytes S.\n# TYPE s_bytes histogram\n"
                    "s_bytes_bucket{le=\"0\"} 1\ns_bytes_bucket{le=\"1024\"} 3\ns_bytes_bucket{le=\"2048\"} 4\n"
                    "s_bytes_bucket{le=\"4096\"} 4\ns_bytes_bucket{le=\"16384\"} 4\ns_bytes_bucket{le=\"65536\"} 4\n"
                    "s_bytes_bucket{le=\"262144\"} 4\ns_bytes_bucket{le=\"1048576\"} 4\n"
                    "s_bytes_bucket{le=\"4194304\"} 4\ns_bytes_bucket{le=\"16777216\"} 4\n"
                    "s_bytes_bucket{le=\"67108864\"} 4\ns_bytes_bucket{le=\"268435456\"} 4\n"
                    "s_bytes_bucket{le=\"1073741824\"} 4\ns_bytes_bucket{le=\"4294967296\"} 4\n"
                    "s_bytes_bucket{le=\"+Inf\"} 5\ns_bytes_sum 5000002050\ns_bytes_count 5\n");
}

/* The page's number behind the line that begins with `line`. */
static double number_after(struct slice page, const char *line)
{
    char *text = strndup(page.p, page.n);
    const char *at = strstr(text, line);
    assert_non_null(at);
    double v = strtod(at + strlen(line), NULL);
    free(text);
    return v;
}

static void test_histogram_of_times(void **state)
{
    (void)state;
    struct prometheus p;
    struct tally t = {0};
    struct histogram a = {0}, b = {0};
    struct slice page;
    histogram_add_latency(&a, 10 * NS_PER_US);
    histogram_add_latency(&a, 70 * NS_PER_MS);
    histogram_add_latency(&b, 70 * NS_PER_MS);
    histogram_add_latency(&b, 101 * NS_PER_S);
    tally_add(&t, &a);
    tally_add(&t, &b);
    prometheus_init(&p);
    prometheus_family(&p, "t_seconds", PROMETHEUS_HISTOGRAM, "T.");
    prometheus_histogram(&p, PROMETHEUS_LABELS({"m", SLICE("x")}), PROMETHEUS_SECONDS, &t);
    assert_int_equal(prometheus_text(&p, &page), ERR_NONE);
    assert_true(number_after(page, "\nt_seconds_bucket{m=\"x\",le=\"0\"} ") == 0);
    assert_true(number_after(page, "\nt_seconds_bucket{m=\"x\",le=\"0.00001\"} ") == 1);
    assert_true(number_after(page, "\nt_seconds_bucket{m=\"x\",le=\"0.065\"} ") == 1);
    assert_true(number_after(page, "\nt_seconds_bucket{m=\"x\",le=\"0.08\"} ") == 3);
    assert_true(number_after(page, "\nt_seconds_bucket{m=\"x\",le=\"100\"} ") == 3);
    assert_true(number_after(page, "\nt_seconds_bucket{m=\"x\",le=\"+Inf\"} ") == 4);
    assert_true(number_after(page, "\nt_seconds_count{m=\"x\"} ") == 4);
    char *text = strndup(page.p, page.n);
    assert_non_null(strstr(text, "\nt_seconds_sum{m=\"x\"} 101.14001\n"));
    free(text);
    prometheus_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_and_samples),
        cmocka_unit_test(test_label_values_are_escaped),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_histogram_of_sizes),
        cmocka_unit_test(test_histogram_of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
