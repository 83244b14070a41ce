/* What an explanation says of retries: whom they reach and why not, and when each attempt may start. */
#include "conf/explain.h"
#include "conf/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Its folder has shop.binpb; the working directory is that of the sources. */
static const char file[] = "tests/check/f.yaml";

static const char text[] =
    "version: 1\n"
    "outbound: [ { listen: \"127.0.0.1:1\", routes: [ { service: s } ] } ]\n"
    "services: { s: { endpoints: { static: [ \"10.0.0.1:1\", \"10.0.0.2:1\" ] }, tls: off, policy: p } }\n"
    "policies:\n"
    "  p:\n"
    "    descriptors: shop.binpb\n"
    "    timeout: 4s\n"
    "    retry: { max_attempts: 5, on: [UNAVAILABLE, ABORTED] }\n"
    "    idempotent: a.B/C\n"
    "    methods:\n"
    "      shop.v1.Shop/Pay: { retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 500ms, hold_headers: off "
    "} }\n"
    "      shop.v1.Shop/Put: { retry: off }\n";

struct fixture {
    struct snapshot *snapshot;
    struct explanation e;
    const struct explain_target *t;
};

static void explain(struct fixture *f, const char *path, ns_t timeout_ns)
{
    struct problems p;
    const struct explain_query q = {.path = path, .timeout_ns = timeout_ns};
    problems_init(&p);
    f->snapshot = load_text(file, slice_str(text), NULL, &p);
    problems_print(&p, stdout);
    problems_fini(&p);
    assert_non_null(f->snapshot);
    explain_call(&f->e, f->snapshot, &q);
    f->t = &f->e.listeners[0].targets[0];
}

static void fini(struct fixture *f)
{
    explanation_fini(&f->e);
    snapshot_unref(f->snapshot);
}

static const struct explain_row *row(const struct fixture *f, const char *key)
{
    for (size_t i = 0; i < f->t->rows_n; i++)
        if (strcmp(f->t->rows[i].key, key) == 0)
            return &f->t->rows[i];
    return NULL;
}

static void assert_row(const struct fixture *f, const char *key, const char *value, const char *line, const char *why)
{
    const struct explain_row *r = row(f, key);
    char from[64];
    assert_non_null(r);
    assert_string_equal(r->value, value);
    snprintf(from, sizeof from, *line >= '0' && *line <= '9' ? "tests/check/f.yaml:%s" : "%s", line);
    assert_string_equal(r->from, from);
    if (why)
        assert_non_null(strstr(r->why, why));
}

static void assert_plan(const struct fixture *f, const char *words)
{
    for (size_t i = 0; i < f->t->plan_n; i++)
        if (strstr(f->t->plan[i], words))
            return;
    fail_msg("nothing in the plan says: %s", words);
}

struct attempt {
    double earliest_ms, latest_ms; /* latest < 0: nothing but the deadline says */
};

static void assert_attempts(const struct fixture *f, const struct attempt *expected, size_t n)
{
    assert_int_equal(f->t->attempts_n, n);
    for (size_t i = 0; i < n; i++) {
        const struct explain_attempt *a = &f->t->attempts[i];
        assert_true(a->earliest_ns == (ns_t)(expected[i].earliest_ms * NS_PER_MS));
        assert_true(expected[i].latest_ms < 0 ? a->latest_ns == NS_NEVER
                                              : a->latest_ns == (ns_t)(expected[i].latest_ms * NS_PER_MS));
    }
}

/* 25 ms doubling to 250 ms, 20 % less by chance, each attempt failing at once. */
static void test_times_of_attempts(void **state)
{
    static const struct attempt all[] = {{0, 0}, {20, -1}, {60, -1}, {140, -1}, {300, -1}};
    struct fixture f;
    (void)state;
    explain(&f, "/shop.v1.Shop/Get", NS_NEVER);
    assert_attempts(&f, all, 5);
    assert_plan(&f, "attempt 1: at once, any of 2 endpoints");
    assert_plan(
        &f, "attempt 2: 20ms to 30ms after attempt 1 failed, so at 20ms at the earliest; on an endpoint not tried yet");
    assert_plan(&f, "attempt 5: 160ms to 240ms after attempt 4 failed, so at 300ms at the earliest");
    assert_plan(&f, "tried again on ABORTED UNAVAILABLE, as long as no response has begun and at most 256KiB");
    assert_plan(&f, "only while more than 5 of 10 tokens are there");
    fini(&f);
}

/* An attempt that would start at the deadline does not. */
static void test_deadline_cuts_the_plan(void **state)
{
    static const struct attempt two[] = {{0, 0}, {20, -1}}, three[] = {{0, 0}, {20, -1}, {60, -1}};
    struct fixture f;
    (void)state;
    explain(&f, "/shop.v1.Shop/Get", 60 * NS_PER_MS);
    assert_attempts(&f, two, 2);
    assert_plan(&f, "attempt 3: never, as it would start at 60ms at the earliest, and the deadline is 60ms");
    fini(&f);
    explain(&f, "/shop.v1.Shop/Get", 60 * NS_PER_MS + 1);
    assert_attempts(&f, three, 3);
    fini(&f);
    explain(&f, "/shop.v1.Shop/Get", NS_PER_MS);
    assert_int_equal(f.t->attempts_n, 1);
    fini(&f);
}

/* With a time for each attempt there is a latest moment, too. */
static void test_time_of_an_attempt(void **state)
{
    static const struct attempt all[] = {{0, 0}, {20, 530}, {60, 1090}}, cut[] = {{0, 0}, {20, 530}, {60, -1}};
    struct fixture f;
    (void)state;
    explain(&f, "/shop.v1.Shop/Pay", NS_NEVER);
    assert_attempts(&f, all, 3);
    assert_plan(&f, "given up as UNAVAILABLE after 500ms without a response message");
    assert_plan(&f, "at 20ms at the earliest, at 530ms at the latest");
    assert_plan(&f, "hold_headers is off");
    assert_row(&f, "retry", "on", "11", "written for this method itself");
    assert_row(&f, "retry.max_attempts", "3", "11", NULL);
    assert_row(&f, "retry.per_try_timeout", "500ms", "11", NULL);
    assert_row(&f, "retry.buffer", "256KiB", "default", NULL);
    fini(&f);
    explain(&f, "/shop.v1.Shop/Pay", NS_PER_S);
    assert_attempts(&f, cut, 3);
    fini(&f);
}

static void test_why_it_is_tried_again_or_not(void **state)
{
    struct fixture f;
    (void)state;
    explain(&f, "/shop.v1.Shop/Get", NS_NEVER);
    assert_row(&f, "kind", "unary", "6", NULL);
    assert_row(&f, "idempotent", "yes", "6", "NO_SIDE_EFFECTS");
    assert_row(&f, "retry", "on", "8", NULL);
    assert_row(&f, "retry.on", "ABORTED UNAVAILABLE", "8", NULL);
    assert_row(&f, "retry_budget.max_tokens", "10", "default", NULL);
    assert_plan(&f, "these wait, once the request has ended");
    fini(&f);
    explain(&f, "/shop.v1.Shop/Put", NS_NEVER);
    assert_row(&f, "idempotent", "yes", "6", "IDEMPOTENT");
    assert_row(&f, "retry", "off", "12", "written so");
    assert_int_equal(f.t->attempts_n, 1);
    fini(&f);
    explain(&f, "/shop.v1.Shop/Talk", NS_NEVER);
    assert_row(&f, "kind", "streams", "6", NULL);
    assert_row(&f, "timeout", "off", "7", "this method streams");
    assert_row(&f, "deadline", "none", "", NULL);
    assert_row(&f, "idempotent", "not known", "", NULL);
    assert_row(&f, "retry", "off", "8", "nothing is paid twice");
    assert_plan(&f, "the retry at tests/check/f.yaml:8 does not reach it");
    assert_null(row(&f, "retry.on"));
    fini(&f);
    explain(&f, "/shop.v1.Shop/Watch", NS_NEVER);
    assert_row(&f, "retry", "on", "8", NULL);
    assert_plan(&f, "response headers go on at once, as it streams");
    fini(&f);
    explain(&f, "/a.B/C", NS_NEVER);
    assert_row(&f, "kind", "unknown", "", NULL);
    assert_row(&f, "idempotent", "yes", "9", "listed");
    assert_row(&f, "timeout", "4s", "7", NULL);
    assert_plan(&f, "in trailers within 20ms after response headers");
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_of_attempts), cmocka_unit_test(test_deadline_cuts_the_plan),
        cmocka_unit_test(test_time_of_an_attempt), cmocka_unit_test(test_why_it_is_tried_again_or_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
