/* A call whose candidates get new numbers because the endpoints of its service changed. */
#include "call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_waiting_call(void **state)
{
    (void)state;
    struct call c;
    static const int map[] = {2, BALANCE_NONE, 0};
    call_init(&c);
    c.tried = (struct tried){.v = {1, 0, 2, 1}, .n = 4};
    call_renumber(&c, map);
    assert_int_equal(c.candidate, BALANCE_NONE);
    assert_int_equal(c.tried.n, 2);
    assert_int_equal(c.tried.v[0], 2);
    assert_int_equal(c.tried.v[1], 0);
}

/* The attempt that is under way ends in the counts of the endpoint that it is on. */
static void test_attempt_under_way(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2);
    struct call_event start = {.kind = CALL_EV_START, .now = T0, .timeout_ns = NS_NEVER};
    call_step(&f.call, &f.env, &start, &f.actions);
    assert_int_equal(f.call.candidate, 0);
    static const int map[] = {2, BALANCE_NONE};
    f.candidates[2] = f.candidates[0];
    candidate_init(&f.candidates[0], &f.endpoints[2]);
    call_renumber(&f.call, map);
    assert_int_equal(f.call.candidate, 2);
    struct call_event trailers = {.kind = CALL_EV_TRAILERS, .now = T0 + 1};
    call_step(&f.call, &f.env, &trailers, &f.actions);
    assert_int_equal(f.call.state, CALL_ENDED);
    assert_int_equal(f.candidates[2].inflight, 0);
    assert_int_equal(f.endpoints[0].inflight, 0);
    assert_int_equal(f.endpoints[2].inflight, 0);
}

/* A heap endpoint keeps a name of its own, and goes with its last reference. */
static void test_endpoint_references(void **state)
{
    (void)state;
    char name[] = "/run/e.sock";
    struct address a = {.kind = ADDRESS_UNIX, .name = name};
    struct endpoint *e = endpoint_new(&a);
    assert_non_null(e);
    name[0] = 'x';
    assert_string_equal(e->address.name, "/run/e.sock");
    assert_string_equal(e->text, "unix:/run/e.sock");
    assert_ptr_equal(endpoint_ref(e), e);
    endpoint_unref(e);
    assert_int_equal(e->refs, 1);
    endpoint_unref(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_call),
        cmocka_unit_test(test_attempt_under_way),
        cmocka_unit_test(test_endpoint_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
