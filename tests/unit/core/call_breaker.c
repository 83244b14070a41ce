/* The call machine and the breakers: what ends of attempts count, what a call does when endpoints are out, probes; and
 * what the expected latency learns. */
#include "call_fixture.h"

enum { OPEN = 1000 };

static void setup_breaker(struct fixture *f, uint32_t n)
{
    setup(f, n);
    f->balance.kind = BALANCE_LEAST_REQUEST;
    f->breaker_policy = (struct breaker_policy){
        .scope = BREAKER_SCOPE_ENDPOINT,
        .consecutive_failures = 1,
        .failures = STATUS_BIT(STATUS_UNAVAILABLE) | STATUS_BIT(STATUS_INTERNAL) | STATUS_BIT(STATUS_DEADLINE_EXCEEDED),
        .open_base_ns = OPEN,
        .open_max_ns = OPEN,
        .probes = 1,
        .max_open = 1};
    const struct policy policy = {.name = "", .breaker = &f->breaker_policy};
    breaker_set_init(&f->breaker_set, false);
    f->breaker = breaker_set_view(&f->breaker_set, &policy, NULL);
    f->env.breaker = &f->breaker;
    for (uint32_t i = 0; i < n; i++)
        breaker_view_prepare(&f->breaker, &f->endpoints[i]);
}

static void teardown(struct fixture *f)
{
    for (uint32_t i = 0; i < f->balance.n; i++)
        endpoint_fini(&f->endpoints[i]);
    breaker_set_fini(&f->breaker_set);
}

static struct breaker read_breaker(struct fixture *f, uint32_t i)
{
    return breaker_view_read(&f->breaker, &f->endpoints[i]);
}

static enum breaker_state state_of(struct fixture *f, uint32_t i)
{
    return read_breaker(f, i).state;
}

/* A fresh call in the same surroundings. */
static const char *begin(struct fixture *f, ns_t now, ns_t timeout)
{
    call_init(&f->call);
    f->call.uncommitted = true;
    return feed(f, START(now, timeout));
}

/* Opens the breaker of every endpoint, by calls that fail at `now`. */
static void open_all(struct fixture *f, ns_t now)
{
    for (uint32_t i = 0; i < f->balance.n; i++) {
        begin(f, now, NS_NEVER);
        feed(f, trailers(STATUS_UNAVAILABLE, now));
    }
}

/* Which ends open the breaker of a single endpoint. The deadline is at T0 + 100, the caller's or the policy's. */
static void test_what_counts(void **state)
{
    (void)state;
    static const struct {
        struct call_event event;
        bool policy_deadline, opens;
    } rows[] = {
        {{.kind = CALL_EV_TRAILERS, .status = 14, .now = T0 + 1}, false, true},
        {{.kind = CALL_EV_TRAILERS, .status = 14, .unprocessed = true, .now = T0 + 1}, false, true},
        {{.kind = CALL_EV_TRAILERS, .status = 0, .now = T0 + 1}, false, false},
        {{.kind = CALL_EV_TRAILERS, .status = 5, .now = T0 + 1}, false, false},
        {{.kind = CALL_EV_TRAILERS, .status = 1, .now = T0 + 1}, false, false},
        {{.kind = CALL_EV_TRAILERS, .status = 46, .now = T0 + 1}, false, false},
        {{.kind = CALL_EV_TRAILERS, .status = 4, .now = T0 + 1}, false, true}, /* before the caller's time is over */
        {{.kind = CALL_EV_TRAILERS, .status = 4, .now = T0 + 100}, false, false},
        {{.kind = CALL_EV_TRAILERS, .status = 4, .now = T0 + 100}, true, true},
        {{.kind = CALL_EV_TRAILERS, .status = 14, .now = T0 + 100}, false, true},
        {{.kind = CALL_EV_TIMER, .now = T0 + 100}, false, false}, /* the caller's own deadline */
        {{.kind = CALL_EV_TIMER, .now = T0 + 100}, true, true},
        {RESET(RESET, H2_CANCEL, T0 + 100), false, false},
        {RESET(RESET, H2_CANCEL, T0 + 100), true, true},
        {RESET(RESET, H2_CANCEL, T0 + 1), false, false},
        {RESET(RESET, H2_INTERNAL_ERROR, T0 + 1), false, true},
        {RESET(CONNECTION, 0, T0 + 1), false, true},
        {RESET(PROTOCOL, 0, T0 + 1), false, true},
        {RESET(UNSENT, 0, T0 + 1), false, false},
        {RESET(REFUSED, 7, T0 + 1), false, false},
        {{.kind = CALL_EV_CANCEL, .now = T0 + 1}, false, false},
        {{.kind = CALL_EV_DRAIN, .now = T0 + 1}, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup_breaker(&f, 1);
        f.method.timeout_ns = rows[i].policy_deadline ? 100 : 200;
        f.call.refused_once = true;
        assert_string_equal(feed(&f, START(T0, 100)), "attempt 0");
        feed(&f, rows[i].event);
        if ((state_of(&f, 0) == BREAKER_OPEN) != rows[i].opens)
            fail_msg("row %zu: %s", i, breaker_state_name(state_of(&f, 0)));
        teardown(&f);
    }
}

/* The policy's deadline ends an attempt that began late: only one that had half of the time has failed. */
static void test_late_attempts(void **state)
{
    (void)state;
    for (ns_t late = 50; late <= 51; late++) {
        struct fixture f;
        setup_breaker(&f, 1);
        f.method.timeout_ns = 100;
        feed(&f, START(T0, NS_NEVER));
        feed(&f, RESET(UNSENT, 0, T0 + late));
        assert_string_equal(feed(&f, AT(TIMER, T0 + 100)), "reset 8, fail 4 DEADLINE_EXCEEDED, done");
        assert_int_equal(state_of(&f, 0) == BREAKER_OPEN, late == 50);
        teardown(&f);
    }
}

/* A probe that passes forgets the failures in the expected latency; the ramp is the memory then. */
static void test_passed_probe_and_latency(void **state)
{
    (void)state;
    struct fixture f;
    setup_breaker(&f, 1);
    f.balance.kind = BALANCE_PEAK_EWMA;
    open_all(&f, T0);
    assert_true(f.candidates[0].ewma.failing > 0);
    begin(&f, T0 + OPEN, NS_NEVER);
    feed(&f, trailers(0, T0 + OPEN));
    assert_true(f.candidates[0].ewma.failing == 0);
    teardown(&f);
}

/* A caller's timeout that is not under the policy's is the policy's. */
static void test_whose_deadline(void **state)
{
    (void)state;
    static const struct {
        ns_t caller, policy;
        bool own;
    } rows[] = {{NS_NEVER, 0, false}, {50, 0, true},   {50, 51, true},
                {50, 50, false},      {51, 50, false}, {NS_NEVER, 50, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup(&f, 1);
        f.method.timeout_ns = rows[i].policy;
        feed(&f, START(T0, rows[i].caller));
        assert_int_equal(f.call.own_deadline, rows[i].own);
    }
}

/* Every candidate is out: refused at once, with the time until a probe; then one call is let through. */
static void test_refused_and_probed(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 3; n += 2) {
        struct fixture f;
        setup_breaker(&f, n);
        open_all(&f, T0);
        assert_string_equal(begin(&f, T0 + 400, NS_NEVER), "fail 14 BREAKER_OPEN, done");
        assert_true(f.actions.v[0].retry_after_ns > 0 && f.actions.v[0].retry_after_ns <= OPEN);
        assert_int_equal(f.limit.active, 0);
        assert_non_null(strstr(begin(&f, T0 + 2 * OPEN, NS_NEVER), "attempt"));
        assert_true(f.call.ticket.probe);
        struct call probing = f.call;
        for (uint32_t i = 1; i < n; i++) {
            assert_non_null(strstr(begin(&f, T0 + 2 * OPEN, NS_NEVER), "attempt"));
            assert_true(f.call.ticket.probe);
        }
        assert_string_equal(begin(&f, T0 + 2 * OPEN, NS_NEVER), "fail 14 BREAKER_OPEN, done");
        assert_true(f.actions.v[0].retry_after_ns == OPEN);
        f.call = probing;
        int at = probing.candidate;
        feed(&f, trailers(0, T0 + 2 * OPEN));
        assert_int_equal(state_of(&f, (uint32_t)at), BREAKER_CLOSED);
        assert_non_null(strstr(begin(&f, T0 + 2 * OPEN, NS_NEVER), "attempt"));
        teardown(&f);
    }
}

/* With another one well, calls go there; a call that failed once is no probe. */
static void test_probes_are_for_first_attempts(void **state)
{
    (void)state;
    struct fixture f;
    setup_breaker(&f, 3);
    f.breaker_policy.open_base_ns = f.breaker_policy.open_max_ns = 50;
    begin(&f, T0, NS_NEVER);
    int out = f.call.candidate;
    feed(&f, trailers(14, T0));
    for (int i = 0; i < 20; i++) {
        begin(&f, T0 + 40, NS_NEVER);
        assert_int_not_equal(f.call.candidate, out);
        feed(&f, RESET(UNSENT, 0, T0 + 60)); /* due now, but this call has been tried */
        assert_int_not_equal(f.call.candidate, out);
        feed(&f, trailers(0, T0 + 60));
    }
    begin(&f, T0 + 60, NS_NEVER);
    assert_int_equal(f.call.candidate, out);
    assert_true(f.call.ticket.probe);
    feed(&f, AT(CANCEL, T0 + 61));
    assert_int_equal(state_of(&f, (uint32_t)out), BREAKER_HALF_OPEN);
    assert_int_equal(read_breaker(&f, (uint32_t)out).probes, 0);
    teardown(&f);
}

static void test_try_when_all_open(void **state)
{
    (void)state;
    struct fixture f;
    setup_breaker(&f, 2);
    f.breaker_policy.try_when_all_open = true;
    open_all(&f, T0);
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(begin(&f, T0 + 1, NS_NEVER), "attempt"));
        feed(&f, trailers(0, T0 + 1));
        assert_int_equal(state_of(&f, 0), BREAKER_OPEN); /* what was forced tells nothing */
        assert_int_equal(state_of(&f, 1), BREAKER_OPEN);
    }
    set_room(&f, 0);
    assert_string_equal(begin(&f, T0 + 1, NS_NEVER), "wait");
    assert_string_equal(feed(&f, AT(ROOM, T0 + 1)), "");
    set_room(&f, 1);
    assert_non_null(strstr(feed(&f, AT(ROOM, T0 + 1)), "leave, attempt"));
    teardown(&f);
}

/* Whoever is connected is out: worth waiting only while another one may come. */
static void test_waiting_for_others(void **state)
{
    (void)state;
    static const struct {
        enum candidate_state other;
        const char *actions;
    } rows[] = {
        {CANDIDATE_CONNECTING, "wait"}, {CANDIDATE_IDLE, "wait"}, {CANDIDATE_BACKOFF, "fail 14 BREAKER_OPEN, done"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup_breaker(&f, 2);
        f.breaker_policy.open_base_ns = f.breaker_policy.open_max_ns = 10 * NS_PER_S;
        f.candidates[1].state = rows[i].other;
        f.candidates[1].room = 0;
        f.candidates[1].backoff_until = NS_NEVER;
        assert_string_equal(begin(&f, T0, NS_NEVER), "attempt 0");
        feed(&f, trailers(14, T0));
        assert_string_equal(begin(&f, T0, NS_NEVER), rows[i].actions);
        if (f.call.state != CALL_WAITING) {
            teardown(&f);
            continue;
        }
        struct call waiting = f.call;
        assert_string_equal(feed(&f, AT(TIMER, T0 + NS_PER_S)), "leave, fail 14 BREAKER_OPEN, done");
        assert_nothing_held(&f);
        f.call = waiting;
        limit_wait(&f.limit, &f.limits);
        limit_enter(&f.limit, &f.limits);
        assert_string_equal(feed(&f, AT(ROOM, T0 + 1)), "");
        f.candidates[1].state = CANDIDATE_BACKOFF;
        assert_string_equal(feed(&f, AT(ROOM, T0 + 1)), "leave, fail 14 BREAKER_OPEN, done");
        assert_nothing_held(&f);
        teardown(&f);
    }
}

/* A probe that answers has passed: at its first message, or at its headers where the method streams. */
static void test_probe_that_streams(void **state)
{
    (void)state;
    for (int streams = 0; streams <= 1; streams++) {
        struct fixture f;
        setup_breaker(&f, 1);
        open_all(&f, T0);
        f.method.kind = streams ? METHOD_STREAMS : METHOD_KIND_UNKNOWN;
        begin(&f, T0 + OPEN, NS_NEVER);
        feed(&f, AT(HEADERS, T0 + OPEN));
        assert_int_equal(state_of(&f, 0), streams ? BREAKER_CLOSED : BREAKER_HALF_OPEN);
        feed(&f, AT(DATA, T0 + OPEN));
        assert_int_equal(state_of(&f, 0), BREAKER_CLOSED);
        feed(&f, trailers(14, T0 + OPEN + 5)); /* its one result is given */
        assert_int_equal(state_of(&f, 0), BREAKER_CLOSED);
        teardown(&f);
    }
}

/* Slow is the time to the first message, from when the whole request was there. */
static void test_latency(void **state)
{
    (void)state;
    static const struct {
        ns_t request_ended, data, end;
        bool slow;
    } rows[] = {
        {0, 0, T0 + 100, false},
        {0, 0, T0 + 101, true},
        {0, T0 + 100, T0 + 900, false},
        {0, T0 + 101, T0 + 900, true},
        {T0 + 50, 0, T0 + 150, false},
        {T0 + 50, 0, T0 + 151, true},
        {T0 + 50, T0 + 20, T0 + 900, false},
        {T0 - 50, 0, T0 + 101, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup_breaker(&f, 1);
        f.breaker_policy.slow_calls = (struct breaker_rate){.threshold = 1, .window_ns = 1000, .min_requests = 1};
        f.breaker_policy.slow_ns = 100;
        begin(&f, T0, NS_NEVER);
        assert_true(f.call.wants_data);
        f.call.request_ended = rows[i].request_ended > 0;
        f.call.request_ended_at = rows[i].request_ended;
        feed(&f, AT(HEADERS, T0 + 1));
        if (rows[i].data)
            feed(&f, AT(DATA, rows[i].data));
        feed(&f, trailers(0, rows[i].end));
        if ((state_of(&f, 0) == BREAKER_OPEN) != rows[i].slow)
            fail_msg("row %zu", i);
        teardown(&f);
    }
}

/* The n-th per_try_timeout opens it, and no attempt starts there after that. */
static void test_black_hole(void **state)
{
    (void)state;
    struct fixture f;
    setup_breaker(&f, 2);
    f.breaker_policy.consecutive_failures = 5;
    f.retry = (struct retry_policy){.max_attempts = 2,
                                    .on = STATUS_BIT(STATUS_UNAVAILABLE),
                                    .backoff_initial_ns = 10,
                                    .backoff_max_ns = 10,
                                    .backoff_multiplier = 1,
                                    .per_try_timeout_ns = 20};
    f.method.retry = &f.retry;
    ns_t now = T0;
    int at_hole = 0;
    for (int i = 0; i < 30; i++) {
        begin(&f, now, NS_NEVER);
        while (f.call.candidate == 0) {
            at_hole++;
            now = call_next_wake(&f.call, &f.method);
            feed(&f, AT(TIMER, now)); /* the timeout */
            now = call_next_wake(&f.call, &f.method);
            feed(&f, AT(TIMER, now)); /* the backoff */
        }
        assert_int_equal(f.call.candidate, 1);
        assert_string_equal(feed(&f, trailers(0, now)), "trailers, done");
    }
    assert_int_equal(at_hole, 5);
    assert_int_equal(state_of(&f, 0), BREAKER_OPEN);
    teardown(&f);
}

/* What peak_ewma learns from each end after 50 ms. */
static void test_expected_latency(void **state)
{
    (void)state;
    static const struct {
        struct call_event event;
        ns_t latency;
        bool failing;
    } rows[] = {
        {{.kind = CALL_EV_TRAILERS, .status = 0}, 50, false},
        {{.kind = CALL_EV_TRAILERS, .status = 5}, 50, false},
        {{.kind = CALL_EV_TRAILERS, .status = 14}, 50, true},
        {{.kind = CALL_EV_TRAILERS, .status = 8}, 50, true},
        {{.kind = CALL_EV_TRAILERS, .status = 46}, 50, false},
        {RESET(CONNECTION, 0, 0), 50, true},
        {RESET(REFUSED, 7, 0), 50, true},
        {{.kind = CALL_EV_CANCEL}, 50, false},
        {{.kind = CALL_EV_DRAIN}, 50, false},
        {{.kind = CALL_EV_TIMER}, 50, false}, /* the caller's deadline */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup(&f, 1);
        f.balance.kind = BALANCE_PEAK_EWMA;
        f.call.refused_once = true;
        feed(&f, START(T0, 50 * NS_PER_MS));
        assert_true(f.call.wants_data);
        struct call_event e = rows[i].event;
        e.now = T0 + 50 * NS_PER_MS;
        feed(&f, e);
        assert_true(f.candidates[0].ewma.latency_ns == (double)(rows[i].latency * NS_PER_MS));
        assert_int_equal(f.candidates[0].ewma.failing > 0, rows[i].failing && e.kind != CALL_EV_RESET);
        if (e.kind != CALL_EV_RESET)
            continue;
        setup(&f, 1); /* the same before the deadline: then it is the endpoint's */
        f.balance.kind = BALANCE_PEAK_EWMA;
        f.call.refused_once = true;
        feed(&f, START(T0, NS_NEVER));
        feed(&f, e);
        assert_int_equal(f.candidates[0].ewma.failing > 0, rows[i].failing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_late_attempts),
        cmocka_unit_test(test_passed_probe_and_latency),
        cmocka_unit_test(test_whose_deadline),
        cmocka_unit_test(test_refused_and_probed),
        cmocka_unit_test(test_probes_are_for_first_attempts),
        cmocka_unit_test(test_try_when_all_open),
        cmocka_unit_test(test_waiting_for_others),
        cmocka_unit_test(test_probe_that_streams),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_black_hole),
        cmocka_unit_test(test_expected_latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
