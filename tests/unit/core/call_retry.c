/* Retries by policy (gRFC A6): which failures are tried again, when, and how often. */
#include "call_fixture.h"

static struct call_event pushed_back(enum call_pushback how, ns_t after, ns_t now)
{
    return (struct call_event){
        .kind = CALL_EV_TRAILERS, .status = STATUS_UNAVAILABLE, .pushback = how, .pushback_ns = after, .now = now};
}

/* What each end of a first attempt leads to: "" and "reset ..." wait for the backoff. */
static void test_what_is_tried_again(void **state)
{
    (void)state;
    static const struct {
        uint32_t on;
        struct call_event event;
        const char *actions;
        bool backs_off;
    } rows[] = {
        {STATUS_BIT(14), {.kind = CALL_EV_TRAILERS, .status = 14}, "reset 0", true},
        {STATUS_BIT(14), {.kind = CALL_EV_TRAILERS, .status = 0}, "trailers, done", false},
        {STATUS_BIT(14), {.kind = CALL_EV_TRAILERS, .status = 8}, "trailers, done", false},
        {STATUS_BIT(14) | STATUS_BIT(8), {.kind = CALL_EV_TRAILERS, .status = 8}, "reset 0", true},
        {STATUS_BIT(14), {.kind = CALL_EV_TRAILERS, .status = 3}, "trailers, done", false},
        {STATUS_BIT(16), {.kind = CALL_EV_TRAILERS, .status = 16}, "reset 0", true},
        {~0u, {.kind = CALL_EV_TRAILERS, .status = 17}, "trailers, done", false},
        {~0u, {.kind = CALL_EV_TRAILERS, .status = 46}, "trailers, done", false},
        {~0u, {.kind = CALL_EV_TRAILERS, .status = 0}, "trailers, done", false},
        {STATUS_BIT(14), RESET(CONNECTION, 0, 0), "", true},
        {STATUS_BIT(14), RESET(RESET, H2_INTERNAL_ERROR, 0), "fail 13 UPSTREAM_RESET, done", false},
        {STATUS_BIT(13), RESET(RESET, H2_INTERNAL_ERROR, 0), "", true},
        {STATUS_BIT(13), RESET(PROTOCOL, 0, 0), "", true},
        {STATUS_BIT(14), RESET(PROTOCOL, 0, 0), "fail 13 UPSTREAM_RESET, done", false},
        {STATUS_BIT(1), RESET(RESET, H2_CANCEL, 0), "", true},
        {STATUS_BIT(14), RESET(UNSENT, 0, 0), "attempt 1", false},
        {STATUS_BIT(14), RESET(REFUSED, 7, 0), "attempt 1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        enter_retrying(&f, NS_NEVER);
        f.retry.on = rows[i].on;
        struct call_event e = rows[i].event;
        e.now = T0 + 5;
        const char *actions = feed(&f, e);
        if (strcmp(actions, rows[i].actions) != 0)
            fail_msg("row %zu: \"%s\"", i, actions);
        assert_int_equal(f.call.state == CALL_BACKING_OFF, rows[i].backs_off);
        if (!rows[i].backs_off)
            continue;
        assert_int_equal(f.call.previous, 1);
        assert_int_equal(f.endpoints[0].inflight, 0);
        assert_int_equal(f.limit.active, 1);
        assert_in_range(call_next_wake(&f.call, &f.method), T0 + 5 + EARLY, T0 + 5 + LATE);
        assert_string_equal(wake_up(&f), "attempt 1");
        assert_string_equal(feed(&f, trailers(0, T0 + 9999)), "trailers, done");
        assert_nothing_held(&f);
    }
}

/* The same without a policy: nothing waits. */
static void test_off(void **state)
{
    (void)state;
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    f.method.retry = NULL;
    end_request(&f);
    assert_string_equal(feed(&f, AT(HEADERS, T0)), "headers");
    assert_string_equal(feed(&f, trailers(14, T0)), "trailers, done");
    assert_int_equal(f.budget.missing_milli, 0);
}

/* max_attempts, at most five whatever it says; the last answer is the caller's. */
static void test_attempts(void **state)
{
    (void)state;
    static const uint8_t maxima[][2] = {{2, 2}, {3, 3}, {5, 5}, {6, 5}, {200, 5}};
    for (size_t i = 0; i < sizeof maxima / sizeof maxima[0]; i++) {
        struct fixture f;
        enter_retrying(&f, NS_NEVER);
        f.retry.max_attempts = maxima[i][0];
        for (int n = 1; n < maxima[i][1]; n++) {
            assert_int_equal(f.call.previous, n - 1);
            assert_string_equal(feed(&f, trailers(14, T0)), "reset 0");
            assert_non_null(strstr(wake_up(&f), "attempt"));
        }
        assert_string_equal(feed(&f, trailers(14, T0)), "trailers, done");
        assert_int_equal(f.call.attempts, maxima[i][1]);
        assert_nothing_held(&f);
    }
}

/* Transparent ones do not count: the policy's attempts come on top. */
static void test_transparent_ones_do_not_count(void **state)
{
    (void)state;
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    f.retry.max_attempts = 2;
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 1");
    assert_string_equal(feed(&f, RESET(REFUSED, 7, T0)), "attempt 0");
    assert_int_equal(f.call.previous, 0);
    assert_int_equal(f.budget.missing_milli, 0);
    assert_string_equal(feed(&f, RESET(REFUSED, 7, T0)), ""); /* the second one is the policy's */
    assert_int_equal(f.call.previous, 1);
    assert_int_equal(f.budget.missing_milli, 1000);
    assert_string_equal(wake_up(&f), "attempt 0");
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 0");
    assert_string_equal(feed(&f, RESET(REFUSED, 7, T0)), "fail 14 UPSTREAM_RESET, done");
    assert_nothing_held(&f);
    enter_retrying(&f, NS_NEVER);
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "reset 0, attempt 1");
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "reset 0");
    assert_int_equal(f.call.state, CALL_BACKING_OFF);
}

/* Each attempt goes to another endpoint while there is one. */
static void test_other_endpoints_first(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct fixture f;
        bool seen[3] = {false};
        setup_retry(&f, 3);
        rng_init(&f.rng, seed);
        f.balance.kind = BALANCE_RANDOM;
        feed(&f, START(T0, NS_NEVER));
        for (int i = 0; i < 3; i++) {
            assert_false(seen[f.call.candidate]);
            seen[f.call.candidate] = true;
            if (i < 2)
                feed(&f, trailers(14, T0));
            if (i < 2)
                wake_up(&f);
        }
    }
}

/* The n-th wait is min(initial * 2^(n-1), max), +-20 %. */
static void test_backoff(void **state)
{
    (void)state;
    static const ns_t waits[] = {1000, 2000, 4000, 5000};
    ns_t least[4] = {NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER}, most[4] = {0};
    struct fixture f;
    for (uint64_t seed = 1; seed < 500; seed++) {
        enter_retrying(&f, NS_NEVER);
        rng_init(&f.rng, seed);
        f.retry.max_attempts = 5;
        f.retry.backoff_max_ns = 5000;
        for (int n = 0; n < 4; n++) {
            feed(&f, trailers(14, T0));
            ns_t wait = call_next_wake(&f.call, &f.method) - T0;
            least[n] = ns_min(least[n], wait);
            most[n] = wait > most[n] ? wait : most[n];
            wake_up(&f);
        }
    }
    for (int n = 0; n < 4; n++) {
        assert_in_range(least[n], waits[n] * 80 / 100, waits[n] * 82 / 100);
        assert_in_range(most[n], waits[n] * 118 / 100, waits[n] * 120 / 100);
    }
}

/* Pushback: exactly then, zero at once, and the wait after it is the first again; never more than max_attempts. */
static void test_pushback(void **state)
{
    (void)state;
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    f.retry.max_attempts = 5;
    feed(&f, trailers(14, T0));
    wake_up(&f);
    assert_string_equal(feed(&f, pushed_back(CALL_PUSHBACK_AFTER, 77, T0)), "reset 0");
    assert_true(call_next_wake(&f.call, &f.method) == T0 + 77);
    assert_string_equal(feed(&f, AT(TIMER, T0 + 76)), "");
    assert_string_equal(feed(&f, AT(TIMER, T0 + 77)), "attempt 0");
    assert_string_equal(feed(&f, trailers(14, T0)), "reset 0");
    assert_in_range(call_next_wake(&f.call, &f.method), T0 + EARLY, T0 + LATE);
    wake_up(&f);
    assert_string_equal(feed(&f, pushed_back(CALL_PUSHBACK_AFTER, 0, T0)), "reset 0, attempt 0");
    assert_string_equal(feed(&f, pushed_back(CALL_PUSHBACK_AFTER, 0, T0)), "trailers, done");
    assert_nothing_held(&f);
    enter_retrying(&f, NS_NEVER);
    assert_string_equal(feed(&f, pushed_back(CALL_PUSHBACK_STOP, 0, T0)), "trailers, done");
    assert_int_equal(f.budget.missing_milli, 1000);
}

/* A pushback does not make a status retryable; a stop counts as a failure whatever the status. */
static void test_pushback_of_other_statuses(void **state)
{
    (void)state;
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    struct call_event e = pushed_back(CALL_PUSHBACK_AFTER, 1, T0);
    e.status = STATUS_NOT_FOUND;
    assert_string_equal(feed(&f, e), "trailers, done");
    assert_int_equal(f.budget.missing_milli, 0);
    enter_retrying(&f, NS_NEVER);
    e.pushback = CALL_PUSHBACK_STOP;
    assert_string_equal(feed(&f, e), "trailers, done");
    assert_int_equal(f.budget.missing_milli, 1000);
    enter_retrying(&f, NS_NEVER);
    e.status = STATUS_OK;
    assert_string_equal(feed(&f, e), "trailers, done");
    assert_int_equal(f.budget.missing_milli, 0);
}

static void test_pushback_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum call_pushback how;
        ns_t after;
    } rows[] = {
        {"0", CALL_PUSHBACK_AFTER, 0},
        {"1", CALL_PUSHBACK_AFTER, NS_PER_MS},
        {"250", CALL_PUSHBACK_AFTER, 250 * NS_PER_MS},
        {"007", CALL_PUSHBACK_AFTER, 7 * NS_PER_MS},
        {"2147483647", CALL_PUSHBACK_AFTER, 2147483647 * NS_PER_MS},
        {"2147483648", CALL_PUSHBACK_STOP, 0},
        {"9999999999", CALL_PUSHBACK_STOP, 0},
        {"00000000001", CALL_PUSHBACK_STOP, 0},
        {"-1", CALL_PUSHBACK_STOP, 0},
        {"-0", CALL_PUSHBACK_STOP, 0},
        {"+1", CALL_PUSHBACK_STOP, 0},
        {"1.5", CALL_PUSHBACK_STOP, 0},
        {" 1", CALL_PUSHBACK_STOP, 0},
        {"1 ", CALL_PUSHBACK_STOP, 0},
        {"1s", CALL_PUSHBACK_STOP, 0},
        {"abc", CALL_PUSHBACK_STOP, 0},
        {"", CALL_PUSHBACK_STOP, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ns_t after = 99;
        assert_int_equal(call_parse_pushback(slice_str(rows[i].text), &after), rows[i].how);
        assert_true(after == rows[i].after);
    }
}

/* A retry that could not start before the deadline is not tried: the answer goes down at once. */
static void test_no_time_left(void **state)
{
    (void)state;
    struct fixture f;
    for (ns_t left = 50; left <= 52; left++) {
        enter_retrying(&f, 1000 + left);
        const char *actions = feed(&f, pushed_back(CALL_PUSHBACK_AFTER, 51, T0 + 1000));
        assert_string_equal(actions, left == 52 ? "reset 0" : "trailers, done");
        if (left == 52)
            assert_string_equal(wake_up(&f), "attempt 1");
    }
    enter_retrying(&f, 500);
    assert_string_equal(feed(&f, RESET(CONNECTION, 0, T0)), "fail 14 UPSTREAM_RESET, done");
    enter_retrying(&f, 100000);
    feed(&f, trailers(14, T0));
    assert_string_equal(feed(&f, AT(TIMER, T0 + 100000)), "fail 4 DEADLINE_EXCEEDED, done");
    assert_nothing_held(&f);
}

/* Every retryable failure takes a token, retries need more than half of them, a success gives back. */
static void test_budget(void **state)
{
    (void)state;
    struct fixture f;
    for (unsigned missing = 3000; missing <= 4000; missing += 1000) {
        enter_retrying(&f, NS_NEVER);
        atomic_store(&f.budget.missing_milli, missing);
        assert_string_equal(feed(&f, trailers(14, T0)), missing == 3000 ? "reset 0" : "trailers, done");
        assert_int_equal(f.budget.missing_milli, missing + 1000);
    }
    enter_retrying(&f, NS_NEVER);
    atomic_store(&f.budget.missing_milli, 5000);
    feed(&f, AT(HEADERS, T0));
    feed(&f, trailers(0, T0));
    assert_int_equal(f.budget.missing_milli, 4900);
    enter_retrying(&f, NS_NEVER);
    atomic_store(&f.budget.missing_milli, 5000);
    feed(&f, trailers(3, T0));
    assert_int_equal(f.budget.missing_milli, 5000);
    enter_retrying(&f, NS_NEVER);
    f.env.budget = NULL;
    assert_string_equal(feed(&f, trailers(14, T0)), "reset 0");
}

/* Once headers went down, or the request outgrew its buffer, nothing is tried again. */
static void test_committed(void **state)
{
    (void)state;
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    assert_string_equal(feed(&f, AT(HEADERS, T0)), "headers"); /* the request is open: they are not held */
    assert_string_equal(feed(&f, trailers(14, T0)), "trailers, done");
    assert_int_equal(f.budget.missing_milli, 0);
    enter_retrying(&f, NS_NEVER);
    f.call.uncommitted = false;
    assert_string_equal(feed(&f, trailers(14, T0)), "trailers, done");
    enter_retrying(&f, NS_NEVER);
    f.call.uncommitted = false;
    assert_string_equal(feed(&f, RESET(CONNECTION, 0, T0)), "fail 14 UPSTREAM_RESET, done");
}

/* Nobody can be reached: A6 takes that for an attempt that failed. */
static void test_unreachable(void **state)
{
    (void)state;
    struct fixture f;
    setup_retry(&f, 2);
    set_states(&f, CANDIDATE_BACKOFF);
    assert_string_equal(feed(&f, START(T0, NS_NEVER)), "");
    assert_int_equal(f.call.state, CALL_BACKING_OFF);
    assert_int_equal(f.call.previous, 1);
    set_states(&f, CANDIDATE_CONNECTING);
    set_room(&f, 0);
    assert_string_equal(wake_up(&f), "wait");
    assert_string_equal(feed(&f, AT(UNREACHABLE, T0 + 2000)), "leave");
    assert_int_equal(f.call.state, CALL_BACKING_OFF);
    assert_int_equal(f.limit.pending, 0);
    set_states(&f, CANDIDATE_BACKOFF);
    assert_string_equal(wake_up(&f), "fail 14 UPSTREAM_CONNECT, done");
    assert_nothing_held(&f);
}

/* What comes while a call backs off. */
static void test_events_while_backing_off(void **state)
{
    (void)state;
    static const struct {
        enum call_event_kind kind;
        const char *actions;
    } rows[] = {{CALL_EV_ROOM, ""},       {CALL_EV_UNREACHABLE, ""},
                {CALL_EV_START, ""},      {CALL_EV_HEADERS, ""},
                {CALL_EV_DATA, ""},       {CALL_EV_TRAILERS, ""},
                {CALL_EV_RESET, ""},      {CALL_EV_TIMER, ""},
                {CALL_EV_CANCEL, "done"}, {CALL_EV_DRAIN, "fail 14 DRAINING, done"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        enter_retrying(&f, NS_NEVER);
        feed(&f, trailers(14, T0));
        assert_int_equal(f.call.state, CALL_BACKING_OFF);
        assert_string_equal(feed(&f, (struct call_event){.kind = rows[i].kind, .now = T0 + 1}), rows[i].actions);
        if (*rows[i].actions)
            assert_nothing_held(&f);
        else
            assert_int_equal(f.call.state, CALL_BACKING_OFF);
    }
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    feed(&f, trailers(14, T0));
    set_room(&f, 0);
    assert_string_equal(wake_up(&f), "wait");
    set_room(&f, 1);
    assert_string_equal(feed(&f, AT(ROOM, T0 + 5000)), "leave, attempt 1");
}

/* However often an unsent attempt goes again by itself, the policy adds nothing to the whole. */
static void test_all_attempts_together_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    enter_retrying(&f, NS_NEVER);
    for (int i = 1; i < CALL_ATTEMPTS_MAX; i++)
        feed(&f, RESET(UNSENT, 0, T0));
    assert_int_equal(f.call.attempts, CALL_ATTEMPTS_MAX);
    end_request(&f);
    assert_string_equal(feed(&f, AT(HEADERS, T0)), "headers");
    enter_retrying(&f, NS_NEVER);
    for (int i = 1; i < CALL_ATTEMPTS_MAX; i++)
        feed(&f, RESET(UNSENT, 0, T0));
    assert_string_equal(feed(&f, trailers(14, T0)), "trailers, done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_tried_again),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_transparent_ones_do_not_count),
        cmocka_unit_test(test_other_endpoints_first),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_pushback),
        cmocka_unit_test(test_pushback_of_other_statuses),
        cmocka_unit_test(test_pushback_text),
        cmocka_unit_test(test_no_time_left),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_committed),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_events_while_backing_off),
        cmocka_unit_test(test_all_attempts_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
