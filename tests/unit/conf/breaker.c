/* Circuit breakers and the options of balancers: values, defaults, and what only holds when it is written. */
#include "conf/explain.h"
#include "conf/load.h"
#include "core/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct snapshot *load(const char *breaker, const char *balance)
{
    static const struct load_env env = {.cores = 1};
    struct problems problems;
    char text[2048];
    snprintf(text, sizeof text,
             "version: 1\n"
             "outbound: [ { listen: \"127.0.0.1:1\", routes: [ { service: s } ] } ]\n"
             "services: { s: { endpoints: { static: [ \"10.0.0.1:1\" ] }, tls: off, policy: p, balance: %s } }\n"
             "policies:\n"
             "  p:\n"
             "    circuit_breaker: %s\n",
             balance, breaker);
    problems_init(&problems);
    struct snapshot *s = load_text("f.yaml", slice_str(text), &env, &problems);
    if (!s)
        problems_print(&problems, stdout);
    problems_fini(&problems);
    assert_non_null(s);
    return s;
}

static void assert_rate(const struct breaker_rate *r, double threshold, ns_t window_ns, uint32_t min_requests)
{
    assert_true(r->threshold == threshold);
    assert_int_equal(r->window_ns, window_ns);
    assert_int_equal(r->min_requests, min_requests);
}

static void test_values(void **state)
{
    struct snapshot *s = load("\n"
                              "      scope: service\n"
                              "      consecutive_failures: 7\n"
                              "      failure_rate: { threshold: 12.5%, window: 3s, min_requests: 4 }\n"
                              "      slow_calls: { longer_than: 250ms, threshold: 75%, window: 5s, min_requests: 6 }\n"
                              "      failures: [ UNKNOWN, 14 ]\n"
                              "      open: { base: 2s, max: 30s, multiplier: 1.5, jitter: 10% }\n"
                              "      probes: 3\n"
                              "      ramp: 4s\n"
                              "      max_open: 20%\n"
                              "      when_all_open: try\n",
                              "random");
    const struct breaker_policy *b = s->policies[0]->breaker;
    (void)state;
    assert_int_equal(b->scope, BREAKER_SCOPE_SERVICE);
    assert_int_equal(b->consecutive_failures, 7);
    assert_rate(&b->failure_rate, 0.125, 3 * NS_PER_S, 4);
    assert_rate(&b->slow_calls, 0.75, 5 * NS_PER_S, 6);
    assert_int_equal(b->slow_ns, 250 * NS_PER_MS);
    assert_int_equal(b->failures, STATUS_BIT(STATUS_UNKNOWN) | STATUS_BIT(STATUS_UNAVAILABLE));
    assert_int_equal(b->open_base_ns, 2 * NS_PER_S);
    assert_int_equal(b->open_max_ns, 30 * NS_PER_S);
    assert_true(b->open_multiplier == 1.5 && b->open_jitter == 0.1);
    assert_int_equal(b->probes, 3);
    assert_int_equal(b->ramp_ns, 4 * NS_PER_S);
    assert_true(b->max_open == 0.2);
    assert_true(b->try_when_all_open);
    assert_int_equal(b->place.line, 6);
    assert_int_equal(b->scope_place.line, 7);
    assert_int_equal(b->consecutive_place.line, 8);
    assert_int_equal(b->failure_rate_place.line, 9);
    assert_int_equal(b->slow_calls_place.line, 10);
    assert_int_equal(b->failures_place.line, 11);
    assert_int_equal(b->open_place.line, 12);
    assert_int_equal(b->probes_place.line, 13);
    assert_int_equal(b->ramp_place.line, 14);
    assert_int_equal(b->max_open_place.line, 15);
    assert_int_equal(b->when_all_open_place.line, 16);
    snapshot_unref(s);
}

static void test_defaults(void **state)
{
    struct snapshot *s = load("{}", "random");
    const struct breaker_policy *b = s->policies[0]->breaker;
    (void)state;
    assert_int_equal(b->scope, BREAKER_SCOPE_ENDPOINT_METHOD);
    assert_int_equal(b->consecutive_failures, 5);
    assert_rate(&b->failure_rate, 0, 0, 0);
    assert_rate(&b->slow_calls, 0, 0, 0);
    assert_int_equal(b->failures, STATUS_BIT(STATUS_UNAVAILABLE) | STATUS_BIT(STATUS_INTERNAL) |
                                      STATUS_BIT(STATUS_DATA_LOSS) | STATUS_BIT(STATUS_DEADLINE_EXCEEDED));
    assert_int_equal(b->open_base_ns, NS_PER_S);
    assert_int_equal(b->open_max_ns, 60 * NS_PER_S);
    assert_true(b->open_multiplier == 2 && b->open_jitter == 0.5);
    assert_int_equal(b->probes, 1);
    assert_int_equal(b->ramp_ns, 10 * NS_PER_S);
    assert_true(b->max_open == 0.5);
    assert_false(b->try_when_all_open);
    assert_int_equal(b->scope_place.line, 0);
    assert_null(s->policies[1]->breaker); /* the built-in policy has none */
    snapshot_unref(s);
}

/* Only the rules that are written hold; where none is, five failures in a row. */
static void test_rules(void **state)
{
    static const struct {
        const char *text;
        uint32_t consecutive;
        double failing, slow;
    } rows[] = {{"{ scope: endpoint }", 5, 0, 0},
                {"{ failure_rate: {} }", 0, 0.5, 0},
                {"{ slow_calls: {} }", 0, 0, 0.8},
                {"{ consecutive_failures: 3, slow_calls: {} }", 3, 0, 0.8},
                {"{ consecutive_failures: off, failure_rate: {} }", 0, 0.5, 0},
                {"{ consecutive_failures: 2, failure_rate: off, slow_calls: off }", 2, 0, 0},
                {"{ failure_rate: off }", 0, 0, 0},
                {"{ ramp: off, probes: 2 }", 5, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct snapshot *s = load(rows[i].text, "random");
        const struct breaker_policy *b = s->policies[0]->breaker;
        assert_int_equal(b->consecutive_failures, rows[i].consecutive);
        assert_true(b->failure_rate.threshold == rows[i].failing);
        assert_true(b->slow_calls.threshold == rows[i].slow);
        snapshot_unref(s);
    }
    struct snapshot *s = load("{ failure_rate: {}, slow_calls: {}, ramp: off }", "random");
    const struct breaker_policy *b = s->policies[0]->breaker;
    assert_rate(&b->failure_rate, 0.5, 10 * NS_PER_S, 10);
    assert_rate(&b->slow_calls, 0.8, 10 * NS_PER_S, 10);
    assert_int_equal(b->slow_ns, NS_PER_S);
    assert_int_equal(b->ramp_ns, 0);
    snapshot_unref(s);
    s = load("off", "random");
    assert_null(s->policies[0]->breaker);
    snapshot_unref(s);
}

static void test_balancers(void **state)
{
    static const struct {
        const char *text;
        enum balance_kind kind;
        ns_t slow_start_ns, decay_ns, initial_ns, failure_ns;
        uint32_t slow_start_line;
    } rows[] = {
        {"peak_ewma", BALANCE_PEAK_EWMA, 0, 10 * NS_PER_S, 30 * NS_PER_MS, NS_PER_S, 0},
        {"{ peak_ewma: {} }", BALANCE_PEAK_EWMA, 0, 10 * NS_PER_S, 30 * NS_PER_MS, NS_PER_S, 0},
        {"{ peak_ewma: { decay: 5s, initial: 1ms, failure_counts: 2s, slow_start: 20s } }", BALANCE_PEAK_EWMA,
         20 * NS_PER_S, 5 * NS_PER_S, NS_PER_MS, 2 * NS_PER_S, 3},
        {"{ least_request: { slow_start: 30s } }", BALANCE_LEAST_REQUEST, 30 * NS_PER_S, 10 * NS_PER_S, 30 * NS_PER_MS,
         NS_PER_S, 3},
        {"{ least_request: { slow_start: off } }", BALANCE_LEAST_REQUEST, 0, 10 * NS_PER_S, 30 * NS_PER_MS, NS_PER_S,
         3},
        {"{ round_robin: { slow_start: 1ms } }", BALANCE_ROUND_ROBIN, NS_PER_MS, 10 * NS_PER_S, 30 * NS_PER_MS,
         NS_PER_S, 3},
        {"{ random: {} }", BALANCE_RANDOM, 0, 10 * NS_PER_S, 30 * NS_PER_MS, NS_PER_S, 0},
        {"{ pick_first: {} }", BALANCE_PICK_FIRST, 0, 10 * NS_PER_S, 30 * NS_PER_MS, NS_PER_S, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct snapshot *s = load("off", rows[i].text);
        const struct service_conf *service = s->services[0];
        const struct balance_options *o = &service->balance_options;
        assert_int_equal(service->balance, rows[i].kind);
        assert_int_equal(service->balance_place.line, 3);
        assert_int_equal(o->slow_start_ns, rows[i].slow_start_ns);
        assert_int_equal(o->slow_start_place.line, rows[i].slow_start_line);
        assert_int_equal(o->ewma_decay_ns, rows[i].decay_ns);
        assert_int_equal(o->ewma_initial_ns, rows[i].initial_ns);
        assert_int_equal(o->failure_counts_ns, rows[i].failure_ns);
        snapshot_unref(s);
    }
}

static const char *value(const struct explain_target *t, const char *key)
{
    for (size_t i = 0; i < t->rows_n; i++)
        if (strcmp(t->rows[i].key, key) == 0)
            return t->rows[i].value;
    return "";
}

static bool plans(const struct explain_target *t, const char *words)
{
    for (size_t i = 0; i < t->plan_n; i++)
        if (strstr(t->plan[i], words))
            return true;
    return false;
}

static void test_explanation(void **state)
{
    static const struct explain_query q = {.path = "/a.B/C", .timeout_ns = NS_NEVER};
    static const char written[] = "{ consecutive_failures: 3, failure_rate: {}, slow_calls: { longer_than: 20ms }, "
                                  "max_open: 12.5%, when_all_open: try, ramp: off }";
    struct explanation e;
    struct snapshot *s = load(written, "{ peak_ewma: { slow_start: 5s } }");
    (void)state;
    explain_call(&e, s, &q);
    const struct explain_target *t = &e.listeners[0].targets[0];
    assert_string_equal(value(t, "circuit_breaker"), "on");
    assert_string_equal(value(t, "circuit_breaker.consecutive_failures"), "3");
    assert_string_equal(value(t, "circuit_breaker.failure_rate"), "50% of at least 10 calls in 10s");
    assert_string_equal(value(t, "circuit_breaker.slow_calls"),
                        "80% of at least 10 calls in 10s take longer than 20ms");
    assert_string_equal(value(t, "circuit_breaker.failures"), "DEADLINE_EXCEEDED INTERNAL UNAVAILABLE DATA_LOSS");
    assert_string_equal(value(t, "circuit_breaker.open"), "1s to 1m, times 2, +-50%");
    assert_string_equal(value(t, "circuit_breaker.ramp"), "off");
    assert_string_equal(value(t, "circuit_breaker.max_open"), "12.5%");
    assert_string_equal(value(t, "circuit_breaker.when_all_open"), "try");
    assert_string_equal(value(t, "balance"), "peak_ewma");
    assert_string_equal(value(t, "balance.slow_start"), "5s");
    assert_string_equal(value(t, "balance.decay"), "10s");
    assert_true(plans(t, "tried all the same"));
    explanation_fini(&e);
    snapshot_unref(s);
    s = load("{}", "random");
    explain_call(&e, s, &q);
    assert_true(plans(&e.listeners[0].targets[0], "BREAKER_OPEN"));
    explanation_fini(&e);
    snapshot_unref(s);
    s = load("off", "random");
    explain_call(&e, s, &q);
    assert_string_equal(value(&e.listeners[0].targets[0], "circuit_breaker"), "off");
    assert_false(plans(&e.listeners[0].targets[0], "breaker"));
    explanation_fini(&e);
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_rules), cmocka_unit_test(test_balancers),
                                       cmocka_unit_test(test_explanation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
