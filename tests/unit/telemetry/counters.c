/* The outrigger_* metrics: every counter of a worker is shown, sums and gauges, endpoints that come twice. */
#include "telemetry/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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
    char whole[256];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(page, whole))
        fail_msg("no line %s in\n%s", line, page);
}

static char *workers_page(const struct worker_stats *a, const struct worker_stats *b)
{
    const struct worker_stats *stats[] = {a, b};
    struct prometheus p;
    prometheus_init(&p);
    counters_render_workers(&p, stats, 2);
    return page_of(&p);
}

/* Whatever counter moves, but the unused first one, the page changes. */
static void test_every_counter_is_shown(void **state)
{
    (void)state;
    enum { FIELDS = sizeof(struct worker_stats) / sizeof(counter_t) };
    static const struct worker_stats none, open = {.connections_accepted = 9, .streams_opened = 9};
    char *without = workers_page(&open, &none);
    for (size_t i = 1; i < FIELDS; i++) {
        struct worker_stats one = {0};
        counter_add((counter_t *)&one + i, 3);
        char *page = workers_page(&open, &one);
        if (strcmp(page, without) == 0)
            fail_msg("counter %zu is not shown", i);
        free(page);
    }
    free(without);
}

static void test_sums_and_gauges(void **state)
{
    (void)state;
    struct worker_stats a = {.connections_accepted = 5, .connections_closed = 2, .streams_opened = 7, .reads = 1};
    struct worker_stats b = {.connections_accepted = 1, .connections_closed = 1, .streams_closed = 9, .reads = 2};
    a.answers[REASON_NO_ROUTE] = 4;
    b.bounds[BOUND_DOWNSTREAM][BOUND_MAX_CONCURRENT_STREAMS] = 6;
    b.attempts_refused = 8;
    const struct worker_stats *stats[] = {&a, &b};
    struct prometheus p;
    prometheus_init(&p);
    counters_render_workers(&p, stats, 2);
    char *page = page_of(&p);
    assert_line(page, "# TYPE outrigger_downstream_connections gauge");
    assert_line(page, "outrigger_downstream_connections 3");
    assert_line(page, "outrigger_downstream_connections_accepted_total 6");
    assert_line(page, "outrigger_downstream_streams 0");
    assert_line(page, "outrigger_local_answers_total{reason=\"NO_ROUTE\"} 4");
    assert_line(page, "outrigger_local_answers_total{reason=\"DRAINING\"} 0");
    assert_line(page, "outrigger_bound_reached_total{bound=\"max_concurrent_streams\",side=\"downstream\"} 6");
    assert_line(page, "outrigger_transparent_retries_total{cause=\"refused\"} 8");
    assert_line(page, "outrigger_io_calls_total{call=\"read\"} 3");
    free(page);
}

/* A family is announced once, and its samples follow it. */
static void test_families_come_once(void **state)
{
    (void)state;
    static const struct worker_stats none;
    const struct worker_stats *stats[] = {&none};
    struct prometheus p;
    prometheus_init(&p);
    counters_render_workers(&p, stats, 1);
    char *page = page_of(&p);
    char names[64][96], family[96] = "", *rest;
    size_t n = 0;
    for (char *line = strtok_r(page, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (sscanf(line, "# TYPE %95s", family) == 1) {
            for (size_t i = 0; i < n; i++)
                assert_string_not_equal(names[i], family);
            assert_true(n < 64);
            memcpy(names[n++], family, sizeof family);
        } else if (line[0] != '#') {
            size_t length = strcspn(line, "{ ");
            assert_int_equal(length, strlen(family));
            assert_memory_equal(line, family, length);
        }
    }
    free(page);
}

static void test_process(void **state)
{
    (void)state;
    const struct counters_process facts = {
        .version = "1.2.3",
        .ready = true,
        .workers = 2,
        .generation = 7,
        .reloads = 6,
        .reload_failures = 5,
        .last_reload_failed = true,
        .started_wall = 1700000000 * NS_PER_S + 500 * NS_PER_MS,
        .loaded_wall = 1700000001 * NS_PER_S,
    };
    static const char *const lines[] = {
        "outrigger_build_info{version=\"1.2.3\"} 1",
        "outrigger_ready 1",
        "outrigger_draining 0",
        "outrigger_workers 2",
        "outrigger_config_generation 7",
        "outrigger_config_reloads_total{result=\"taken\"} 6",
        "outrigger_config_reloads_total{result=\"refused\"} 5",
        "outrigger_config_last_reload_failed 1",
        "outrigger_config_loaded_timestamp_seconds 1700000001",
        "process_start_time_seconds 1700000000.5",
    };
    struct prometheus p;
    prometheus_init(&p);
    counters_render_process(&p, &facts);
    char *page = page_of(&p);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_line(page, lines[i]);
    free(page);
}

static void test_scopes(void **state)
{
    (void)state;
    struct limit a = {.active = 3, .pending = 1}, b = {0};
    const struct limits_policy policy = {.max_requests = 200, .max_pending = 100};
    const struct counters_scope scopes[] = {{"payment", &a, &policy}, {"inbound/0.0.0.0:8443", &b, &policy}};
    struct prometheus p;
    prometheus_init(&p);
    counters_render_scopes(&p, scopes, 2);
    char *page = page_of(&p);
    assert_line(page, "outrigger_requests_active{scope=\"payment\"} 3");
    assert_line(page, "outrigger_requests_active{scope=\"inbound/0.0.0.0:8443\"} 0");
    assert_line(page, "outrigger_requests_active_max{scope=\"payment\"} 200");
    assert_line(page, "outrigger_requests_pending{scope=\"payment\"} 1");
    assert_line(page, "outrigger_requests_pending_max{scope=\"payment\"} 100");
    free(page);
}

static void test_budgets(void **state)
{
    (void)state;
    struct budget full, half, none;
    static const struct budget_policy ten = {.present = true, .max_milli = 10000, .ratio_milli = 100}, off;
    budget_init(&full);
    budget_init(&none);
    atomic_init(&half.missing_milli, 5000);
    const struct counters_budget budgets[] = {{"payment", &full, &ten}, {"ledger", &half, &ten}, {"free", &none, &off}};
    struct prometheus p;
    prometheus_init(&p);
    budget_on_failure(&full, &ten);
    budget_on_success(&full, &ten);
    counters_render_budgets(&p, budgets, 3);
    char *page = page_of(&p);
    assert_line(page, "outrigger_retry_budget_tokens{scope=\"payment\"} 9.1");
    assert_line(page, "outrigger_retry_budget_tokens{scope=\"ledger\"} 5");
    assert_line(page, "outrigger_retry_budget_tokens_max{scope=\"ledger\"} 10");
    assert_line(page, "outrigger_retry_budget_allows{scope=\"payment\"} 1");
    assert_line(page, "outrigger_retry_budget_allows{scope=\"ledger\"} 0");
    assert_null(strstr(page, "free"));
    free(page);
}

static void test_endpoints_that_come_twice(void **state)
{
    (void)state;
    struct endpoint a = {.text = "10.0.0.7:1", .connections = 1, .inflight = 2};
    struct endpoint b = {.text = "10.0.0.8:1", .connections = 3, .inflight = 4};
    struct endpoint old = {.text = "10.0.0.7:1", .connections = 5, .inflight = 6};
    const struct counters_endpoint endpoints[] = {{"pay", &a}, {"pay", &b}, {"pay", &old}, {"ledger", &a}};
    struct prometheus p;
    prometheus_init(&p);
    counters_render_endpoints(&p, endpoints, 4);
    char *page = page_of(&p);
    assert_string_equal(page, "# HELP outrigger_endpoint_connections Connections open or opening.\n"
                              "# TYPE outrigger_endpoint_connections gauge\n"
                              "outrigger_endpoint_connections{service=\"pay\",endpoint=\"10.0.0.7:1\"} 6\n"
                              "outrigger_endpoint_connections{service=\"pay\",endpoint=\"10.0.0.8:1\"} 3\n"
                              "outrigger_endpoint_connections{service=\"ledger\",endpoint=\"10.0.0.7:1\"} 1\n"
                              "# HELP outrigger_endpoint_attempts_active Attempts in flight.\n"
                              "# TYPE outrigger_endpoint_attempts_active gauge\n"
                              "outrigger_endpoint_attempts_active{service=\"pay\",endpoint=\"10.0.0.7:1\"} 8\n"
                              "outrigger_endpoint_attempts_active{service=\"pay\",endpoint=\"10.0.0.8:1\"} 4\n"
                              "outrigger_endpoint_attempts_active{service=\"ledger\",endpoint=\"10.0.0.7:1\"} 2\n");
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_counter_is_shown),
        cmocka_unit_test(test_sums_and_gauges),
        cmocka_unit_test(test_families_come_once),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_endpoints_that_come_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
