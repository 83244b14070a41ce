/* The call machine: what each event gives in each state, the transparent retries, timeouts. */
#include "call_fixture.h"

static void enter_waiting(struct fixture *f, ns_t timeout)
{
    setup(f, 2);
    set_room(f, 0);
    assert_string_equal(feed(f, START(T0, timeout)), "wait");
}

static void enter_trying(struct fixture *f, ns_t timeout)
{
    setup(f, 2);
    assert_string_equal(feed(f, START(T0, timeout)), "attempt 0");
}

static void enter_streaming(struct fixture *f, ns_t timeout)
{
    enter_trying(f, timeout);
    assert_string_equal(feed(f, AT(HEADERS, T0 + 1)), "headers");
}

static void enter_ended(struct fixture *f, ns_t timeout)
{
    enter_streaming(f, timeout);
    assert_string_equal(feed(f, AT(TRAILERS, T0 + 2)), "trailers, done");
}

static void enter_idle(struct fixture *f, ns_t timeout)
{
    (void)timeout;
    setup(f, 2);
}

/* Every event in every state; the deadline is T0 + 100. */
static void test_every_event_in_every_state(void **state)
{
    (void)state;
    static void (*const enters[])(struct fixture *, ns_t) = {enter_idle, enter_waiting, enter_trying, enter_streaming,
                                                             enter_ended};
    static const struct {
        struct call_event event;
        const char *idle, *waiting, *trying, *streaming;
    } rows[] = {
        {START(T0, 100), "attempt 0", "", "", ""},
        {START(T0, 0), "fail 4 DEADLINE_EXCEEDED, done", "", "", ""},
        {AT(ROOM, T0 + 50), "", "", "", ""},
        {AT(ROOM, T0 + 100), "", "leave, fail 4 DEADLINE_EXCEEDED, done", "", ""},
        {AT(UNREACHABLE, T0 + 50), "", "leave, fail 14 UPSTREAM_CONNECT, done", "", ""},
        {AT(UNREACHABLE, T0 + 100), "", "leave, fail 4 DEADLINE_EXCEEDED, done", "", ""},
        {AT(HEADERS, T0 + 50), "", "", "headers", ""},
        {AT(TRAILERS, T0 + 50), "", "", "trailers, done", "trailers, done"},
        {AT(TRAILERS, T0 + 150), "", "", "trailers, done", "trailers, done"},
        {UNPROCESSED(T0 + 50), "", "", "reset 0, attempt 1", "trailers, done"},
        {UNPROCESSED(T0 + 100), "", "", "trailers, done", "trailers, done"},
        {RESET(UNSENT, 0, T0 + 50), "", "", "attempt 1", "fail 14 UPSTREAM_RESET, done"},
        {RESET(REFUSED, H2_REFUSED_STREAM, T0 + 50), "", "", "attempt 1", "fail 14 UPSTREAM_RESET, done"},
        {RESET(RESET, H2_INTERNAL_ERROR, T0 + 50), "", "", "fail 13 UPSTREAM_RESET, done",
         "fail 13 UPSTREAM_RESET, done"},
        {RESET(RESET, H2_NO_ERROR, T0 + 50), "", "", "fail 13 UPSTREAM_RESET, done", "fail 13 UPSTREAM_RESET, done"},
        {RESET(RESET, H2_CANCEL, T0 + 50), "", "", "fail 1 UPSTREAM_RESET, done", "fail 1 UPSTREAM_RESET, done"},
        {RESET(RESET, H2_ENHANCE_YOUR_CALM, T0 + 50), "", "", "fail 8 UPSTREAM_RESET, done",
         "fail 8 UPSTREAM_RESET, done"},
        {RESET(CONNECTION, 0, T0 + 50), "", "", "fail 14 UPSTREAM_RESET, done", "fail 14 UPSTREAM_RESET, done"},
        {RESET(PROTOCOL, 0, T0 + 50), "", "", "fail 13 UPSTREAM_RESET, done", "fail 13 UPSTREAM_RESET, done"},
        {RESET(RESET, H2_CANCEL, T0 + 99), "", "", "fail 1 UPSTREAM_RESET, done", "fail 1 UPSTREAM_RESET, done"},
        {RESET(RESET, H2_CANCEL, T0 + 100), "", "", "fail 4 DEADLINE_EXCEEDED, done", "fail 4 DEADLINE_EXCEEDED, done"},
        {RESET(UNSENT, 0, T0 + 100), "", "", "fail 4 DEADLINE_EXCEEDED, done", "fail 4 DEADLINE_EXCEEDED, done"},
        {AT(CANCEL, T0 + 50), "", "leave, done", "reset 8, done", "reset 8, done"},
        {AT(CANCEL, T0 + 150), "", "leave, done", "reset 8, done", "reset 8, done"},
        {AT(TIMER, T0 + 99), "", "", "", ""},
        {AT(TIMER, T0 + 100), "", "leave, fail 4 DEADLINE_EXCEEDED, done", "reset 8, fail 4 DEADLINE_EXCEEDED, done",
         "reset 8, fail 4 DEADLINE_EXCEEDED, done"},
        {AT(DRAIN, T0 + 50), "", "leave, fail 14 DRAINING, done", "reset 8, fail 14 DRAINING, done",
         "reset 8, fail 14 DRAINING, done"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const expected[] = {rows[i].idle, rows[i].waiting, rows[i].trying, rows[i].streaming, ""};
        for (int s = 0; s < 5; s++) {
            struct fixture f;
            enters[s](&f, 100);
            enum call_state before = f.call.state;
            static const enum call_state states[] = {CALL_IDLE, CALL_WAITING, CALL_TRYING, CALL_STREAMING, CALL_ENDED};
            assert_int_equal(before, states[s]);
            const char *actions = feed(&f, rows[i].event);
            if (strcmp(actions, expected[s]) != 0)
                fail_msg("row %zu, state %d: \"%s\", not \"%s\"", i, s, actions, expected[s]);
            if (strstr(actions, "done"))
                assert_nothing_held(&f);
            else if (!*actions)
                assert_int_equal(f.call.state, before);
        }
    }
}

/* START in each situation of the service. */
static void test_start(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    assert_string_equal(feed(&f, START(T0, NS_NEVER)), "fail 14 NO_ENDPOINT, done");
    assert_nothing_held(&f);
    setup(&f, 2);
    set_states(&f, CANDIDATE_BACKOFF);
    assert_string_equal(feed(&f, START(T0, NS_NEVER)), "fail 14 UPSTREAM_CONNECT, done");
    assert_nothing_held(&f);
    static const enum candidate_state hopeful[] = {CANDIDATE_IDLE, CANDIDATE_CONNECTING};
    for (int i = 0; i < 2; i++) {
        setup(&f, 2);
        set_states(&f, hopeful[i]);
        assert_string_equal(feed(&f, START(T0, NS_NEVER)), "wait");
    }
    setup(&f, 2);
    set_states(&f, CANDIDATE_BACKOFF);
    f.candidates[1].backoff_until = T0;
    assert_string_equal(feed(&f, START(T0, NS_NEVER)), "wait");
}

static void test_limits_at_their_maximum_and_one_past_it(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1);
    for (int taken = 9; taken <= 10; taken++) {
        atomic_store(&f.limit.active, taken);
        call_init(&f.call);
        assert_string_equal(feed(&f, START(T0, NS_NEVER)), taken == 9 ? "attempt 0" : "fail 8 OVERLOADED, done");
        assert_int_equal(f.limit.active, 10);
    }
    for (int waiting = 9; waiting <= 10; waiting++) {
        setup(&f, 1);
        set_room(&f, 0);
        atomic_store(&f.limit.pending, waiting);
        assert_string_equal(feed(&f, START(T0, NS_NEVER)), waiting == 9 ? "wait" : "fail 8 OVERLOADED, done");
        assert_int_equal(f.limit.pending, 10);
        assert_int_equal(f.limit.active, waiting == 9);
    }
}

/* The policy's timeout and the caller's: the earlier one; an expired call is never sent and holds nothing. */
static void test_deadline_of_the_policy(void **state)
{
    (void)state;
    struct fixture f;
    static const struct {
        ns_t caller, policy, wake;
    } rows[] = {{NS_NEVER, 0, NS_NEVER}, {NS_NEVER, 70, T0 + 70}, {50, 70, T0 + 50}, {90, 70, T0 + 70}, {1, 0, T0 + 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setup(&f, 1);
        f.method.timeout_ns = rows[i].policy;
        assert_string_equal(feed(&f, START(T0, rows[i].caller)), "attempt 0");
        assert_true(call_next_wake(&f.call, &f.method) == rows[i].wake);
    }
    setup(&f, 1);
    atomic_store(&f.limit.active, 10);
    assert_string_equal(feed(&f, START(T0, 0)), "fail 4 DEADLINE_EXCEEDED, done");
    assert_int_equal(f.limit.active, 10);
}

static void test_waiting_for_room(void **state)
{
    (void)state;
    struct fixture f;
    enter_waiting(&f, NS_NEVER);
    assert_int_equal(f.limit.pending, 1);
    assert_true(call_next_wake(&f.call, &f.method) == T0 + NS_PER_S);
    assert_string_equal(feed(&f, AT(ROOM, T0 + 5)), "");
    assert_true(call_next_wake(&f.call, &f.method) == T0 + NS_PER_S);
    f.candidates[1].room = 1;
    assert_string_equal(feed(&f, AT(ROOM, T0 + 6)), "leave, attempt 1");
    assert_int_equal(f.limit.pending, 0);
    assert_int_equal(f.limit.active, 1);
    assert_int_equal(f.endpoints[1].inflight, 1);
    assert_string_equal(feed(&f, AT(TRAILERS, T0 + 7)), "trailers, done");
    assert_nothing_held(&f);
}

static void test_pending_timeout(void **state)
{
    (void)state;
    static const struct {
        enum candidate_state state;
        const char *actions;
    } rows[] = {
        {CANDIDATE_READY, "leave, fail 8 OVERLOADED, done"},
        {CANDIDATE_CONNECTING, "leave, fail 14 NO_ENDPOINT, done"},
        {CANDIDATE_IDLE, "leave, fail 14 NO_ENDPOINT, done"},
        {CANDIDATE_BACKOFF, "leave, fail 14 NO_ENDPOINT, done"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        enter_waiting(&f, 2 * NS_PER_S);
        set_states(&f, rows[i].state);
        assert_string_equal(feed(&f, AT(TIMER, T0 + NS_PER_S - 1)), "");
        assert_string_equal(feed(&f, AT(TIMER, T0 + NS_PER_S)), rows[i].actions);
        assert_nothing_held(&f);
    }
}

/* gRFC A6: unsent goes again any number of times, each time elsewhere while there is an elsewhere. */
static void test_unsent_goes_again(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3);
    f.balance.kind = BALANCE_LEAST_REQUEST;
    assert_string_equal(feed(&f, START(T0, NS_NEVER)), describe(&f.actions));
    bool seen[3] = {false};
    for (int i = 0; i < 3; i++) {
        assert_false(seen[f.call.candidate]);
        seen[f.call.candidate] = true;
        if (i < 2)
            feed(&f, RESET(UNSENT, 0, T0 + i));
    }
    for (int attempts = 3; attempts < CALL_ATTEMPTS_MAX; attempts++) {
        assert_int_equal(f.call.attempts, attempts);
        feed(&f, RESET(UNSENT, 0, T0 + 10));
        assert_int_equal(f.call.state, CALL_TRYING);
        assert_int_equal(f.limit.active, 1);
    }
    assert_int_equal(f.call.attempts, CALL_ATTEMPTS_MAX);
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0 + 10)), "fail 14 UPSTREAM_RESET, done");
    assert_nothing_held(&f);
}

/* The code that broke the last attempt is told, for the message to the caller. */
static void test_failure_carries_the_code(void **state)
{
    (void)state;
    struct fixture f;
    enter_streaming(&f, NS_NEVER);
    feed(&f, RESET(RESET, H2_ENHANCE_YOUR_CALM, T0 + 5));
    assert_int_equal(f.actions.v[0].kind, CALL_FAIL);
    assert_int_equal(f.actions.v[0].code, H2_ENHANCE_YOUR_CALM);
    enter_streaming(&f, NS_NEVER);
    feed(&f, AT(DRAIN, T0 + 5));
    assert_int_equal(f.actions.v[1].kind, CALL_FAIL);
    assert_int_equal(f.actions.v[1].code, H2_NO_ERROR);
}

/* Refused goes again once, at once; unsent ones before and after do not count. */
static void test_refused_goes_again_once(void **state)
{
    (void)state;
    struct fixture f;
    enter_trying(&f, NS_NEVER);
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 1");
    assert_string_equal(feed(&f, RESET(REFUSED, H2_REFUSED_STREAM, T0)), "attempt 0");
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 0");
    assert_string_equal(feed(&f, RESET(REFUSED, H2_REFUSED_STREAM, T0)), "fail 14 UPSTREAM_RESET, done");
    assert_nothing_held(&f);
}

/* Unprocessed shares the one time with refused; the second answer is the caller's. */
static void test_unprocessed_goes_again_once(void **state)
{
    (void)state;
    struct fixture f;
    enter_trying(&f, NS_NEVER);
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "reset 0, attempt 1");
    assert_int_equal(f.actions.v[0].status, STATUS_UNAVAILABLE);
    assert_int_equal(f.endpoints[0].inflight, 0);
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 0");
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "trailers, done");
    assert_nothing_held(&f);
    enter_trying(&f, NS_NEVER);
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "reset 0, attempt 1");
    assert_string_equal(feed(&f, RESET(REFUSED, H2_REFUSED_STREAM, T0)), "fail 14 UPSTREAM_RESET, done");
    enter_trying(&f, NS_NEVER);
    assert_string_equal(feed(&f, RESET(REFUSED, H2_REFUSED_STREAM, T0)), "attempt 1");
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "trailers, done");
    enter_trying(&f, NS_NEVER);
    set_room(&f, 0);
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "reset 0, wait");
}

static void test_committed_does_not_go_again(void **state)
{
    (void)state;
    static const struct call_event resets[] = {RESET(UNSENT, 0, T0 + 1), RESET(REFUSED, 0, T0 + 1)};
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        enter_trying(&f, NS_NEVER);
        f.call.uncommitted = false;
        assert_string_equal(feed(&f, resets[i]), "fail 14 UPSTREAM_RESET, done");
        assert_nothing_held(&f);
    }
    struct fixture f;
    enter_trying(&f, NS_NEVER);
    f.call.uncommitted = false;
    assert_string_equal(feed(&f, UNPROCESSED(T0)), "trailers, done");
    assert_nothing_held(&f);
}

/* Nobody has room for the second attempt: it queues like a first one, with a fresh pending timeout. */
static void test_going_again_may_wait(void **state)
{
    (void)state;
    struct fixture f;
    enter_trying(&f, NS_NEVER);
    set_room(&f, 0);
    assert_string_equal(feed(&f, RESET(REFUSED, 0, T0 + 5)), "wait");
    assert_int_equal(f.limit.pending, 1);
    assert_int_equal(f.endpoints[0].inflight, 0);
    assert_true(call_next_wake(&f.call, &f.method) == T0 + 5 + NS_PER_S);
    set_room(&f, 1);
    assert_string_equal(feed(&f, AT(ROOM, T0 + 6)), "leave, attempt 1");
    assert_string_equal(feed(&f, RESET(REFUSED, 0, T0 + 7)), "fail 14 UPSTREAM_RESET, done");
    assert_nothing_held(&f);
    enter_trying(&f, NS_NEVER);
    set_states(&f, CANDIDATE_BACKOFF);
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0 + 5)), "fail 14 UPSTREAM_CONNECT, done");
    assert_nothing_held(&f);
    enter_trying(&f, NS_NEVER);
    set_room(&f, 0);
    atomic_store(&f.limit.pending, 10);
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0 + 5)), "fail 8 OVERLOADED, done");
    assert_int_equal(f.limit.pending, 10);
    assert_int_equal(f.limit.active, 0);
}

/* The list of tried candidates keeps the newest ones. */
static void test_tried_list_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    enter_trying(&f, NS_NEVER);
    for (int i = 0; i < BALANCE_TRIED_MAX; i++)
        feed(&f, RESET(UNSENT, 0, T0));
    assert_int_equal(f.call.tried.n, BALANCE_TRIED_MAX);
    f.candidates[1].room = 0;
    for (int i = 0; i < BALANCE_TRIED_MAX; i++)
        assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 0");
    for (int i = 0; i < BALANCE_TRIED_MAX; i++)
        assert_int_equal(f.call.tried.v[i], 0);
    f.candidates[1].room = 1;
    assert_string_equal(feed(&f, RESET(UNSENT, 0, T0)), "attempt 1");
}

enum { IDLE_NS = 500 };

static void enter_with_idle(struct fixture *f, bool streaming, bool request_ended)
{
    setup(f, 1);
    f->method.idle_timeout_ns = IDLE_NS;
    feed(f, START(T0, NS_NEVER));
    f->call.request_ended = request_ended;
    if (streaming)
        feed(f, AT(HEADERS, T0));
}

/* Idle holds while the request is open or the response has begun; what moves puts it off. */
static void test_idle_timeout(void **state)
{
    (void)state;
    static const struct {
        bool streaming, request_ended, applies;
    } rows[] = {{false, false, true}, {false, true, false}, {true, false, true}, {true, true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        enter_with_idle(&f, rows[i].streaming, rows[i].request_ended);
        ns_t due = rows[i].applies ? T0 + IDLE_NS : NS_NEVER;
        assert_true(call_next_wake(&f.call, &f.method) == due);
        assert_string_equal(feed(&f, AT(TIMER, T0 + IDLE_NS - 1)), "");
        f.call.moved = T0 + 100;
        assert_string_equal(feed(&f, AT(TIMER, T0 + 100 + IDLE_NS - 1)), "");
        assert_string_equal(feed(&f, AT(TIMER, T0 + 100 + IDLE_NS)),
                            rows[i].applies ? "reset 8, fail 14 UPSTREAM_TIMEOUT, done" : "");
    }
}

static void test_idle_and_deadline(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1);
    f.method = (struct method_policy){.timeout_ns = 300, .idle_timeout_ns = IDLE_NS};
    feed(&f, START(T0, NS_NEVER));
    assert_true(call_next_wake(&f.call, &f.method) == T0 + 300);
    assert_string_equal(feed(&f, AT(TIMER, T0 + 2 * IDLE_NS)), "reset 8, fail 4 DEADLINE_EXCEEDED, done");
    enter_with_idle(&f, true, true);
    f.method.idle_timeout_ns = 0;
    assert_true(call_next_wake(&f.call, &f.method) == NS_NEVER);
    assert_string_equal(feed(&f, AT(TIMER, T0 + NS_PER_S)), "");
}

/* Time in the queue does not count as idle. */
static void test_idle_begins_with_the_attempt(void **state)
{
    (void)state;
    struct fixture f;
    enter_waiting(&f, NS_NEVER);
    f.method.idle_timeout_ns = IDLE_NS;
    assert_true(call_next_wake(&f.call, &f.method) == T0 + NS_PER_S);
    assert_string_equal(feed(&f, AT(TIMER, T0 + 2 * IDLE_NS)), "");
    set_room(&f, 1);
    assert_string_equal(feed(&f, AT(ROOM, T0 + 2 * IDLE_NS)), "leave, attempt 0");
    assert_true(call_next_wake(&f.call, &f.method) == T0 + 3 * IDLE_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_in_every_state),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_limits_at_their_maximum_and_one_past_it),
        cmocka_unit_test(test_deadline_of_the_policy),
        cmocka_unit_test(test_waiting_for_room),
        cmocka_unit_test(test_pending_timeout),
        cmocka_unit_test(test_unsent_goes_again),
        cmocka_unit_test(test_failure_carries_the_code),
        cmocka_unit_test(test_refused_goes_again_once),
        cmocka_unit_test(test_unprocessed_goes_again_once),
        cmocka_unit_test(test_committed_does_not_go_again),
        cmocka_unit_test(test_going_again_may_wait),
        cmocka_unit_test(test_tried_list_is_bounded),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_idle_and_deadline),
        cmocka_unit_test(test_idle_begins_with_the_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
