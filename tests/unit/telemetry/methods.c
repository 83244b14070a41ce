/* The metrics of gRFC A66 and A96: summing over workers and listeners, labels, names, and that no series comes twice.
 */
#include "telemetry/methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORKERS = 2 };

static const struct policy policy = {.name = ""};

struct side {
    struct method_table *tables[WORKERS];
    struct methods_source source;
};

static void setup(struct side *s, const char *target)
{
    for (int i = 0; i < WORKERS; i++)
        s->tables[i] = method_table_new(&policy);
    s->source = (struct methods_source){target, s->tables, WORKERS};
}

static void teardown(struct side *s)
{
    for (int i = 0; i < WORKERS; i++)
        method_table_free(s->tables[i]);
}

static struct method_entry *entry(struct side *s, int worker, const char *path)
{
    const struct method_policy *unused;
    return method_table_find(s->tables[worker], slice_str(path), &unused);
}

static void add_call(struct side *s, int worker, const char *path, unsigned status, ns_t took)
{
    struct method_entry *e = entry(s, worker, path);
    counter_add(&e->calls.started, 1);
    method_stats_end(&e->calls, status, took, 100, 2000);
}

static void add_attempt(struct side *s, int worker, const char *path, unsigned status, ns_t took)
{
    struct method_entry *e = entry(s, worker, path);
    counter_add(&e->attempts.started, 1);
    method_stats_end(&e->attempts, status, took, 100, 2000);
}

static char *page_of(struct prometheus *p)
{
    struct slice text;
    assert_int_equal(prometheus_text(p, &text), ERR_NONE);
    char *page = strndup(text.p, text.n);
    prometheus_fini(p);
    return page;
}

static void assert_line(const char *page, const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(page, whole))
        fail_msg("no line %s in\n%s", line, page);
}

static int count(const char *page, const char *text)
{
    int n = 0;
    for (const char *at = page; (at = strstr(at, text)); at++)
        n++;
    return n;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Prometheus refuses a page in which a series comes twice. */
static void assert_no_series_twice(char *page)
{
    static char *lines[100000];
    char *rest;
    size_t n = 0;
    for (char *line = strtok_r(page, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *value = strrchr(line, ' ');
        assert_true(n < sizeof lines / sizeof lines[0]);
        if (line[0] != '#')
            *value = '\0';
        lines[n++] = line;
    }
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(lines[i - 1], lines[i]);
}

static void test_server_adds_up_workers_and_listeners(void **state)
{
    (void)state;
    struct side one, two;
    struct prometheus p;
    setup(&one, "ignored");
    setup(&two, NULL);
    add_call(&one, 0, "/p.Pay/Charge", 0, NS_PER_MS);
    add_call(&one, 1, "/p.Pay/Charge", 0, 3 * NS_PER_MS);
    add_call(&two, 0, "/p.Pay/Charge", 0, NS_PER_MS);
    add_call(&two, 1, "/p.Pay/Charge", 14, NS_PER_MS);
    add_call(&two, 1, "/p.Pay/ChargeAll", 99, NS_PER_MS);
    add_call(&one, 0, "no method", 5, NS_PER_MS);
    counter_add(&entry(&one, 0, "/p.Pay/Open")->calls.started, 1);
    const struct methods_source sources[] = {one.source, two.source};
    prometheus_init(&p);
    assert_int_equal(methods_render_server(&p, sources, 2), ERR_NONE);
    char *page = page_of(&p);
    assert_line(page, "# TYPE grpc_server_call_started_total counter");
    assert_line(page, "grpc_server_call_started_total{grpc_method=\"p.Pay/Charge\"} 4");
    assert_line(page, "grpc_server_call_started_total{grpc_method=\"p.Pay/ChargeAll\"} 1");
    assert_line(page, "grpc_server_call_started_total{grpc_method=\"p.Pay/Open\"} 1");
    assert_line(page, "grpc_server_call_started_total{grpc_method=\"other\"} 1");
    assert_line(page, "# TYPE grpc_server_call_duration_seconds histogram");
    static const char duration[] = "grpc_server_call_duration_seconds";
    char line[256];
    snprintf(line, sizeof line, "%s_count{grpc_method=\"p.Pay/Charge\",grpc_status=\"OK\"} 3", duration);
    assert_line(page, line);
    snprintf(line, sizeof line, "%s_sum{grpc_method=\"p.Pay/Charge\",grpc_status=\"OK\"} 0.005", duration);
    assert_line(page, line);
    snprintf(line, sizeof line, "%s_bucket{grpc_method=\"p.Pay/Charge\",grpc_status=\"OK\",le=\"0.001\"} 2", duration);
    assert_line(page, line);
    snprintf(line, sizeof line, "%s_count{grpc_method=\"p.Pay/Charge\",grpc_status=\"UNAVAILABLE\"} 1", duration);
    assert_line(page, line);
    snprintf(line, sizeof line, "%s_count{grpc_method=\"p.Pay/ChargeAll\",grpc_status=\"UNKNOWN\"} 1", duration);
    assert_line(page, line);
    assert_line(page, "grpc_server_call_sent_total_compressed_message_size_bytes_sum{grpc_method=\"p.Pay/Charge\","
                      "grpc_status=\"OK\"} 300");
    assert_line(page, "grpc_server_call_rcvd_total_compressed_message_size_bytes_bucket{grpc_method=\"p.Pay/Charge\","
                      "grpc_status=\"OK\",le=\"2048\"} 3");
    assert_int_equal(count(page, "# TYPE"), 4);
    assert_int_equal(count(page, "_bucket{grpc_method=\"p.Pay/Open\""), 0);
    assert_no_series_twice(page);
    free(page);
    teardown(&one);
    teardown(&two);
}

static void test_client_keeps_targets_apart(void **state)
{
    (void)state;
    struct side payment, ledger;
    struct prometheus p;
    setup(&payment, "payment");
    setup(&ledger, "ledger");
    add_attempt(&payment, 0, "/p.Pay/Charge", 0, NS_PER_MS);
    add_attempt(&payment, 1, "/p.Pay/Charge", 0, NS_PER_MS);
    add_attempt(&ledger, 0, "/p.Pay/Charge", 0, NS_PER_MS);
    add_call(&payment, 0, "/p.Pay/Charge", 0, 2 * NS_PER_MS);
    add_call(&payment, 0, "/p.Pay/Refund", 12, 2 * NS_PER_MS);
    const struct methods_source sources[] = {payment.source, ledger.source};
    prometheus_init(&p);
    assert_int_equal(methods_render_client(&p, sources, 2), ERR_NONE);
    char *page = page_of(&p);
    assert_line(page, "grpc_client_attempt_started_total{grpc_method=\"p.Pay/Charge\",grpc_target=\"payment\"} 2");
    assert_line(page, "grpc_client_attempt_started_total{grpc_method=\"p.Pay/Charge\",grpc_target=\"ledger\"} 1");
    assert_line(page, "grpc_client_attempt_started_total{grpc_method=\"p.Pay/Refund\",grpc_target=\"payment\"} 0");
    assert_line(page, "grpc_client_attempt_duration_seconds_count{grpc_method=\"p.Pay/Charge\",grpc_target=\"payment\","
                      "grpc_status=\"OK\"} 2");
    assert_line(page, "grpc_client_attempt_sent_total_compressed_message_size_bytes_sum{grpc_method=\"p.Pay/Charge\","
                      "grpc_target=\"ledger\",grpc_status=\"OK\"} 100");
    assert_line(page, "grpc_client_attempt_rcvd_total_compressed_message_size_bytes_sum{grpc_method=\"p.Pay/Charge\","
                      "grpc_target=\"ledger\",grpc_status=\"OK\"} 2000");
    assert_line(page, "grpc_client_call_duration_seconds_count{grpc_method=\"p.Pay/Refund\",grpc_target=\"payment\","
                      "grpc_status=\"UNIMPLEMENTED\"} 1");
    assert_int_equal(count(page, "grpc_client_call_duration_seconds_count{"), 2);
    assert_int_equal(count(page, "# TYPE"), 8);
    assert_int_equal(count(page, "grpc_client_call_retries_count"), 0);
    assert_no_series_twice(page);
    free(page);
    teardown(&payment);
    teardown(&ledger);
}

/* Calls of all workers and statuses that were tried again; what was not is left out. */
static void test_retries(void **state)
{
    (void)state;
    struct side s;
    struct prometheus p;
    setup(&s, "payment");
    add_call(&s, 0, "/p.Pay/Charge", 0, NS_PER_MS);
    add_call(&s, 0, "/p.Pay/Get", 0, NS_PER_MS);
    add_call(&s, 1, "/p.Pay/Get", 14, NS_PER_MS);
    retry_stats_add(&entry(&s, 0, "/p.Pay/Get")->again, &(struct retry_count){.retries = 1, .delay = 30 * NS_PER_MS});
    retry_stats_add(&entry(&s, 1, "/p.Pay/Get")->again,
                    &(struct retry_count){.retries = 4, .transparent = 12, .delay = 20 * NS_PER_MS});
    retry_stats_add(&entry(&s, 1, "/p.Pay/Get")->again, &(struct retry_count){.started = true});
    prometheus_init(&p);
    assert_int_equal(methods_render_client(&p, &s.source, 1), ERR_NONE);
    char *page = page_of(&p);
#define GET "{grpc_method=\"p.Pay/Get\",grpc_target=\"payment\""
    assert_line(page, "# TYPE grpc_client_call_retries histogram");
    assert_line(page, "grpc_client_call_retries_bucket" GET ",le=\"1\"} 1");
    assert_line(page, "grpc_client_call_retries_bucket" GET ",le=\"3\"} 1");
    assert_line(page, "grpc_client_call_retries_bucket" GET ",le=\"4\"} 2");
    assert_line(page, "grpc_client_call_retries_bucket" GET ",le=\"5\"} 2");
    assert_line(page, "grpc_client_call_retries_bucket" GET ",le=\"+Inf\"} 2");
    assert_int_equal(count(page, "grpc_client_call_retries_bucket" GET ",le=\"10\"}"), 0);
    assert_line(page, "grpc_client_call_retries_sum" GET "} 5");
    assert_line(page, "grpc_client_call_retries_count" GET "} 2");
    assert_line(page, "grpc_client_call_transparent_retries_bucket" GET ",le=\"10\"} 0");
    assert_line(page, "grpc_client_call_transparent_retries_bucket" GET ",le=\"+Inf\"} 1");
    assert_line(page, "grpc_client_call_transparent_retries_sum" GET "} 12");
    assert_line(page, "grpc_client_call_retry_delay_seconds_bucket" GET ",le=\"0.02\"} 1");
    assert_line(page, "grpc_client_call_retry_delay_seconds_sum" GET "} 0.05");
#undef GET
    assert_int_equal(count(page, "retries_count{grpc_method=\"p.Pay/Charge\""), 0);
    assert_no_series_twice(page);
    free(page);
    teardown(&s);
}

/* Many invented methods on several workers: at most the tables' bound of series, each once. */
static void test_many_methods(void **state)
{
    (void)state;
    struct side s;
    struct prometheus p;
    setup(&s, NULL);
    for (int i = 0; i < 1000; i++) {
        char path[64];
        snprintf(path, sizeof path, "/attack.Service/Method%d", i);
        for (int w = 0; w < WORKERS; w++)
            add_call(&s, w, path, (unsigned)i % 3, i * NS_PER_US);
    }
    prometheus_init(&p);
    assert_int_equal(methods_render_server(&p, &s.source, 1), ERR_NONE);
    char *page = page_of(&p);
    assert_int_equal(count(page, "\ngrpc_server_call_started_total{"), METHOD_TABLE_MAX + 1);
    char line[128];
    snprintf(line, sizeof line, "grpc_server_call_started_total{grpc_method=\"other\"} %d",
             WORKERS * (1000 - METHOD_TABLE_MAX));
    assert_line(page, line);
    assert_no_series_twice(page);
    free(page);
    teardown(&s);
}

static void test_nothing_to_show(void **state)
{
    (void)state;
    struct prometheus p;
    prometheus_init(&p);
    assert_int_equal(methods_render_server(&p, NULL, 0), ERR_NONE);
    assert_int_equal(methods_render_client(&p, NULL, 0), ERR_NONE);
    char *page = page_of(&p);
    assert_int_equal(count(page, "# TYPE"), 12);
    assert_null(strchr(page, '{'));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_adds_up_workers_and_listeners),
        cmocka_unit_test(test_client_keeps_targets_apart),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_many_methods),
        cmocka_unit_test(test_nothing_to_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
