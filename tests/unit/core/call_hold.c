/* Response headers that are held while an error could still be tried again, and per_try_timeout. */
#include "call_fixture.h"

/* When headers are held, each condition missing once. */
static void test_who_is_held(void **state)
{
    (void)state;
    static const struct {
        enum method_kind kind;
        bool hold, ended, one, uncommitted;
        uint8_t previous;
        unsigned missing;
        ns_t left;
        const char *actions;
    } rows[] = {
        {METHOD_UNARY, true, true, true, true, 0, 0, NS_PER_S, "hold"},
        {METHOD_KIND_UNKNOWN, true, true, true, true, 0, 0, NS_PER_S, "hold"},
        {METHOD_STREAMS, true, true, true, true, 0, 0, NS_PER_S, "headers"},
        {METHOD_UNARY, false, true, true, true, 0, 0, NS_PER_S, "headers"},
        {METHOD_UNARY, true, false, true, true, 0, 0, NS_PER_S, "headers"},
        {METHOD_UNARY, true, true, false, true, 0, 0, NS_PER_S, "headers"},
        {METHOD_UNARY, true, true, true, false, 0, 0, NS_PER_S, "headers"},
        {METHOD_UNARY, true, true, true, true, 1, 0, NS_PER_S, "hold"},
        {METHOD_UNARY, true, true, true, true, 2, 0, NS_PER_S, "headers"}, /* the last attempt */
        {METHOD_UNARY, true, true, true, true, 0, 4999, NS_PER_S, "hold"},
        {METHOD_UNARY, true, true, true, true, 0, 5000, NS_PER_S, "headers"}, /* no token */
        {METHOD_UNARY, true, true, true, true, 0, 0, 801, "hold"},
        {METHOD_UNARY, true, true, true, true, 0, 0, 800, "headers"}, /* no time for the shortest wait */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        enter_retrying(&f, 5 + rows[i].left);
        f.method.kind = rows[i].kind;
        f.retry.hold_headers = rows[i].hold;
        f.call.request_ended = rows[i].ended;
        f.call.one_message = rows[i].one;
        f.call.uncommitted = rows[i].uncommitted;
        f.call.previous = rows[i].previous;
        atomic_store(&f.budget.missing_milli, rows[i].missing);
        const char *actions = feed(&f, AT(HEADERS, T0 + 5));
        if (strcmp(actions, rows[i].actions) != 0)
            fail_msg("row %zu: \"%s\"", i, actions);
    }
}

static void enter_holding(struct fixture *f, enum method_kind kind)
{
    enter_retrying(f, NS_PER_S);
    f->method.kind = kind;
    end_request(f);
    assert_string_equal(feed(f, AT(HEADERS, T0)), "hold");
    assert_int_equal(f->call.state, CALL_HOLDING);
    assert_true(f->call.wants_data);
}

/* What ends the holding, and how. */
static void test_held_headers(void **state)
{
    (void)state;
    static const struct {
        struct call_event event;
        const char *actions;
        enum call_state state;
    } rows[] = {
        {{.kind = CALL_EV_DATA}, "headers", CALL_STREAMING},
        {{.kind = CALL_EV_HEADERS}, "", CALL_HOLDING},
        {{.kind = CALL_EV_TRAILERS, .status = 0}, "headers, trailers, done", CALL_ENDED},
        {{.kind = CALL_EV_TRAILERS, .status = 5}, "headers, trailers, done", CALL_ENDED},
        {{.kind = CALL_EV_TRAILERS, .status = 14}, "reset 0", CALL_BACKING_OFF},
        {{.kind = CALL_EV_TRAILERS, .status = 14, .pushback = CALL_PUSHBACK_AFTER}, "reset 0, attempt 1", CALL_TRYING},
        {{.kind = CALL_EV_TRAILERS, .status = 14, .pushback = CALL_PUSHBACK_STOP},
         "headers, trailers, done",
         CALL_ENDED},
        {{.kind = CALL_EV_TRAILERS, .status = 14, .unprocessed = true}, "reset 0", CALL_BACKING_OFF},
        {RESET(CONNECTION, 0, 0), "", CALL_BACKING_OFF},
        {RESET(REFUSED, 7, 0), "", CALL_BACKING_OFF},
        {RESET(RESET, H2_INTERNAL_ERROR, 0), "fail 13 UPSTREAM_RESET, done", CALL_ENDED},
        {{.kind = CALL_EV_CANCEL}, "reset 8, done", CALL_ENDED},
        {{.kind = CALL_EV_DRAIN}, "reset 8, fail 14 DRAINING, done", CALL_ENDED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct call_event e = rows[i].event;
        enter_holding(&f, METHOD_UNARY);
        e.now = T0 + 5;
        const char *actions = feed(&f, e);
        if (strcmp(actions, rows[i].actions) != 0)
            fail_msg("row %zu: \"%s\"", i, actions);
        assert_int_equal(f.call.state, rows[i].state);
        if (f.call.state == CALL_STREAMING) {
            assert_false(f.call.wants_data);
            assert_string_equal(feed(&f, trailers(14, T0 + 6)), "trailers, done");
        }
        if (f.call.state == CALL_ENDED)
            assert_nothing_held(&f);
    }
}

/* Of a method whose kind is not known for 20 ms, of a unary one until the deadline. */
static void test_how_long_headers_are_held(void **state)
{
    (void)state;
    struct fixture f;
    enter_holding(&f, METHOD_KIND_UNKNOWN);
    assert_true(call_next_wake(&f.call, &f.method) == T0 + CALL_HOLD_NS);
    assert_string_equal(feed(&f, AT(TIMER, T0 + CALL_HOLD_NS - 1)), "");
    assert_string_equal(feed(&f, AT(TIMER, T0 + CALL_HOLD_NS)), "headers");
    assert_int_equal(f.call.state, CALL_STREAMING);
    assert_string_equal(feed(&f, AT(DATA, T0 + CALL_HOLD_NS + 1)), "");
    assert_string_equal(feed(&f, trailers(14, T0 + CALL_HOLD_NS + 2)), "trailers, done");
    enter_holding(&f, METHOD_UNARY);
    assert_true(call_next_wake(&f.call, &f.method) == T0 + NS_PER_S);
    assert_string_equal(feed(&f, AT(TIMER, T0 + CALL_HOLD_NS)), "");
    assert_string_equal(feed(&f, AT(TIMER, T0 + NS_PER_S)), "reset 8, fail 4 DEADLINE_EXCEEDED, done");
    assert_nothing_held(&f);
    enter_holding(&f, METHOD_UNARY);
    f.method.idle_timeout_ns = 500;
    assert_string_equal(feed(&f, AT(TIMER, T0 + 500)), "reset 8, fail 14 UPSTREAM_TIMEOUT, done");
}

enum { TRY = 300 };

static void enter_timed(struct fixture *f)
{
    setup_retry(f, 2);
    f->retry.per_try_timeout_ns = TRY;
    end_request(f);
    assert_string_equal(feed(f, START(T0, NS_PER_S)), "attempt 0");
    assert_true(f->call.wants_data);
    assert_true(call_next_wake(&f->call, &f->method) == T0 + TRY);
}

/* Until the first response message; the end counts as UNAVAILABLE. */
static void test_per_try_timeout(void **state)
{
    (void)state;
    struct fixture f;
    enter_timed(&f);
    assert_string_equal(feed(&f, AT(TIMER, T0 + TRY - 1)), "");
    assert_string_equal(feed(&f, AT(TIMER, T0 + TRY)), "reset 8");
    assert_int_equal(f.actions.v[0].status, STATUS_UNAVAILABLE);
    assert_int_equal(f.call.state, CALL_BACKING_OFF);
    assert_int_equal(f.budget.missing_milli, 1000);
    ns_t at = call_next_wake(&f.call, &f.method);
    assert_string_equal(wake_up(&f), "attempt 1");
    assert_true(call_next_wake(&f.call, &f.method) == at + TRY);
    f.retry.max_attempts = 2;
    assert_string_equal(wake_up(&f), "reset 8, fail 14 UPSTREAM_TIMEOUT, done");
    assert_true(f.actions.v[1].timeout_ns == TRY);
    assert_nothing_held(&f);
    enter_timed(&f);
    f.retry.on = STATUS_BIT(STATUS_ABORTED);
    assert_string_equal(wake_up(&f), "reset 8, fail 14 UPSTREAM_TIMEOUT, done");
}

static void test_per_try_timeout_and_the_answer(void **state)
{
    (void)state;
    struct fixture f;
    enter_timed(&f);
    assert_string_equal(feed(&f, AT(HEADERS, T0 + 10)), "hold");
    assert_string_equal(feed(&f, AT(TIMER, T0 + TRY)), "reset 8"); /* held headers are no message */
    assert_int_equal(f.call.state, CALL_BACKING_OFF);
    enter_timed(&f);
    f.method.kind = METHOD_STREAMS;
    assert_string_equal(feed(&f, AT(HEADERS, T0 + 10)), "headers");
    assert_string_equal(feed(&f, AT(TIMER, T0 + TRY)), "reset 8, fail 14 UPSTREAM_TIMEOUT, done");
    enter_timed(&f);
    feed(&f, AT(HEADERS, T0 + 10));
    assert_string_equal(feed(&f, AT(DATA, T0 + 20)), "headers");
    assert_false(f.call.wants_data);
    assert_string_equal(feed(&f, AT(DATA, T0 + 30)), "");
    assert_true(call_next_wake(&f.call, &f.method) == T0 + NS_PER_S);
    assert_string_equal(feed(&f, AT(TIMER, T0 + TRY)), "");
    enter_timed(&f);
    assert_string_equal(feed(&f, AT(DATA, T0 + 20)), ""); /* before its headers: no such thing */
    assert_true(f.call.wants_data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_held),
        cmocka_unit_test(test_held_headers),
        cmocka_unit_test(test_how_long_headers_are_held),
        cmocka_unit_test(test_per_try_timeout),
        cmocka_unit_test(test_per_try_timeout_and_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
