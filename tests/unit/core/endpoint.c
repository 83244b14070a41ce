/* Backoff of endpoints and the states of a candidate. */
#include "core/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct endpoint make_endpoint(void)
{
    struct endpoint e;
    struct address a;
    assert_int_equal(address_parse(SLICE("10.0.0.7:8443"), NULL, &a), ERR_NONE);
    endpoint_init(&e, &a);
    return e;
}

static void test_init(void **state)
{
    (void)state;
    struct endpoint e = make_endpoint();
    struct candidate c;
    candidate_init(&c, &e);
    assert_string_equal(e.text, "10.0.0.7:8443");
    assert_int_equal(e.inflight + e.connections, 0);
    assert_ptr_equal(c.endpoint, &e);
    assert_int_equal(c.state, CANDIDATE_IDLE);
    assert_int_equal(c.room + c.inflight + c.failures, 0);
}

/* Uniform in [0.5, 1.5) of the base, which doubles from 100 ms to 60 s; never past 60 s. */
static void test_backoff(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3);
    assert_true(endpoint_backoff(0, &r) == 0);
    for (uint32_t failures = 1; failures < 20; failures++) {
        ns_t base = ns_min((100 * NS_PER_MS) << ns_min(failures - 1, 10), 60 * NS_PER_S);
        ns_t low = NS_NEVER, high = 0;
        for (int i = 0; i < 2000; i++) {
            ns_t wait = endpoint_backoff(failures, &r);
            assert_true(wait >= base / 2 && wait < base + base / 2 && wait <= 60 * NS_PER_S);
            low = ns_min(low, wait);
            high = wait > high ? wait : high;
        }
        assert_true(low < base * 52 / 100);
        assert_true(high > ns_min(base * 148 / 100, 60 * NS_PER_S - 1));
    }
    assert_true(endpoint_backoff(UINT32_MAX, &r) >= 30 * NS_PER_S);
}

static void test_candidate_life(void **state)
{
    (void)state;
    struct endpoint e = make_endpoint();
    struct candidate c;
    struct rng r;
    rng_init(&r, 5);
    candidate_init(&c, &e);
    c.state = CANDIDATE_CONNECTING;
    candidate_on_connect_failed(&c, 1000, &r);
    assert_int_equal(c.state, CANDIDATE_BACKOFF);
    assert_int_equal(c.failures, 1);
    assert_true(c.backoff_until >= 1000 + 50 * NS_PER_MS);
    candidate_tick(&c, c.backoff_until - 1);
    assert_int_equal(c.state, CANDIDATE_BACKOFF);
    candidate_tick(&c, c.backoff_until);
    assert_int_equal(c.state, CANDIDATE_IDLE);
    c.state = CANDIDATE_CONNECTING;
    candidate_on_connect_failed(&c, NS_NEVER - 5, &r);
    assert_int_equal(c.failures, 2);
    assert_true(c.backoff_until == NS_NEVER);
    candidate_on_connected(&c, 0);
    assert_int_equal(c.state, CANDIDATE_READY);
    assert_int_equal(c.failures, 0);
}

/* A further connection that fails does not take the endpoint out, but holds the next try back. */
static void test_failed_connect_beside_a_ready_one(void **state)
{
    (void)state;
    struct endpoint e = make_endpoint();
    struct candidate c;
    struct rng r;
    rng_init(&r, 5);
    candidate_init(&c, &e);
    candidate_on_connected(&c, 0);
    candidate_on_connect_failed(&c, 1000, &r);
    assert_int_equal(c.state, CANDIDATE_READY);
    assert_int_equal(c.failures, 1);
    assert_true(c.backoff_until > 1000);
    candidate_tick(&c, NS_NEVER);
    assert_int_equal(c.state, CANDIDATE_READY);
    c.failures = UINT32_MAX;
    candidate_on_connect_failed(&c, 1000, &r);
    assert_int_equal(c.failures, UINT32_MAX);
}

/* The name of a heap endpoint is its own; the sanitizers see what is left or used after the last reference. */
static void test_on_the_heap(void **state)
{
    (void)state;
    char name[] = "payment.shop";
    struct endpoint *e = endpoint_new(&(struct address){.kind = ADDRESS_NAME, .name = name, .port = 8443});
    assert_non_null(e);
    memset(name, 'x', sizeof name - 1);
    assert_string_equal(e->address.name, "payment.shop");
    assert_string_equal(e->text, "payment.shop:8443");
    assert_ptr_equal(endpoint_ref(e), e);
    endpoint_unref(e);
    assert_int_equal(e->refs, 1);
    endpoint_unref(e);
    e = endpoint_new(&(struct address){.kind = ADDRESS_IPV4, .port = 1});
    assert_non_null(e);
    assert_null(e->address.name);
    endpoint_unref(e);
}

/* The first connection begins the slow start and forgets the latency; a further one changes nothing. */
static void test_ready_since(void **state)
{
    (void)state;
    struct endpoint e = {0};
    struct candidate c;
    candidate_init(&c, &e);
    candidate_on_connected(&c, 100);
    assert_true(c.ready_at == 100);
    ewma_on_sample(&c.ewma, &(struct balance_options){0}, 5, false, 150);
    candidate_on_connected(&c, 200);
    assert_true(c.ready_at == 100 && c.ewma.warm);
    c.state = CANDIDATE_CONNECTING;
    candidate_on_connected(&c, 300);
    assert_true(c.ready_at == 300 && !c.ewma.warm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),           cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_candidate_life), cmocka_unit_test(test_failed_connect_beside_a_ready_one),
        cmocka_unit_test(test_on_the_heap),    cmocka_unit_test(test_ready_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
