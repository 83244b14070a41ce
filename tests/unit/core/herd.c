/* Nobody runs to an endpoint that is new or has come back: peak_ewma under an open load in virtual time, and the share
 * that such an endpoint gets in its first second. */
#include "core/balance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_MAX = 20, INFLIGHT_MAX = 4000, PER_S = 1000 };

struct flight {
    ns_t begins, ends; /* ends 0: none */
    uint32_t at;
    struct breaker_ticket ticket;
};

struct load {
    struct rng rng;
    struct endpoint endpoints[N_MAX];
    struct candidate candidates[N_MAX];
    struct balance balance;
    struct breaker_set set;
    struct breaker_view breaker; /* policy NULL: none */
    ns_t latency[N_MAX];
    struct flight flights[INFLIGHT_MAX];
    ns_t now;
    uint32_t started[N_MAX], most[N_MAX]; /* since the last reset; most: in flight at once */
};

static const struct tried nobody;
static const struct breaker_policy breakers = {.scope = BREAKER_SCOPE_ENDPOINT,
                                               .consecutive_failures = 1,
                                               .open_base_ns = NS_PER_S,
                                               .open_max_ns = NS_PER_S,
                                               .probes = 1,
                                               .ramp_ns = 10 * NS_PER_S,
                                               .max_open = 1};

static void connect_at(struct load *l, uint32_t i)
{
    candidate_on_connected(&l->candidates[i], l->now);
    l->candidates[i].room = INFLIGHT_MAX;
}

/* n endpoints that answer in 5 to 10 ms, all but the last one connected. */
static void setup(struct load *l, uint32_t n, bool breaks)
{
    const struct policy policy = {.name = "", .breaker = &breakers};
    *l = (struct load){.now = NS_PER_S};
    rng_init(&l->rng, 11);
    for (uint32_t i = 0; i < n; i++) {
        candidate_init(&l->candidates[i], &l->endpoints[i]);
        l->latency[i] = 5 * NS_PER_MS;
        if (i + 1 < n)
            connect_at(l, i);
    }
    balance_init(&l->balance, BALANCE_PEAK_EWMA, l->candidates, n, &l->rng);
    breaker_set_init(&l->set, false);
    if (breaks)
        l->breaker = breaker_set_view(&l->set, &policy, NULL);
    for (uint32_t i = 0; breaks && i < n; i++)
        breaker_view_prepare(&l->breaker, &l->endpoints[i]);
}

static void teardown(struct load *l)
{
    for (uint32_t i = 0; i < l->balance.n; i++)
        endpoint_fini(&l->endpoints[i]);
    breaker_set_fini(&l->set);
}

static const struct breaker_view *breaker_of(const struct load *l)
{
    return l->breaker.policy ? &l->breaker : NULL;
}

static void start(struct load *l)
{
    struct balance_query q = {.tried = &nobody, .breaker = breaker_of(l), .now = l->now};
    size_t k = 0;
    int at = balance_pick(&l->balance, &q, &l->rng);
    assert_true(at >= 0);
    while (l->flights[k].ends != 0)
        k++;
    struct candidate *c = &l->candidates[at];
    ns_t takes = l->latency[at] + (ns_t)rng_below(&l->rng, (uint64_t)l->latency[at]);
    l->flights[k] = (struct flight){.begins = l->now, .ends = l->now + takes, .at = (uint32_t)at};
    if (breaker_of(l))
        assert_true(breaker_view_start(&l->breaker, c->endpoint, false, l->now, &l->flights[k].ticket));
    ewma_on_start(&c->ewma, l->now);
    c->inflight++;
    atomic_fetch_add(&c->endpoint->inflight, 1);
    l->started[at]++;
    l->most[at] = c->inflight > l->most[at] ? c->inflight : l->most[at];
}

static void end(struct load *l, struct flight *f, bool failed)
{
    struct candidate *c = &l->candidates[f->at];
    ns_t took = l->now - f->begins;
    f->ends = 0;
    c->inflight--;
    atomic_fetch_sub(&c->endpoint->inflight, 1);
    ewma_on_sample(&c->ewma, &l->balance.options, took, failed, l->now);
    if (breaker_of(l))
        breaker_view_result(&l->breaker, l->candidates, l->balance.n, f->at, f->ticket,
                            failed ? BREAKER_FAILURE : BREAKER_SUCCESS, took, l->now, &l->rng);
}

/* A call each millisecond; what ends does so on the millisecond. */
static void run(struct load *l, ns_t how_long)
{
    for (uint32_t i = 0; i < l->balance.n; i++)
        l->started[i] = l->most[i] = 0;
    for (ns_t until = l->now + how_long; l->now < until; l->now += NS_PER_S / PER_S) {
        for (size_t k = 0; k < INFLIGHT_MAX; k++)
            if (l->flights[k].ends != 0 && l->flights[k].ends <= l->now)
                end(l, &l->flights[k], false);
        start(l);
    }
}

static void finish_all(struct load *l)
{
    for (size_t k = 0; k < INFLIGHT_MAX; k++)
        if (l->flights[k].ends != 0)
            end(l, &l->flights[k], false);
}

static const uint32_t sizes[] = {2, 4, N_MAX};

#define FOR_SIZES(n) for (uint32_t k_ = 0, n; k_ < 3 && (n = sizes[k_]) > 0; k_++)

/* A new one that is as fast as the others takes its part, and not theirs. */
static void test_new(void **state)
{
    (void)state;
    FOR_SIZES(n)
    {
        static struct load l;
        setup(&l, n, false);
        run(&l, 5 * NS_PER_S);
        connect_at(&l, n - 1);
        run(&l, NS_PER_S);
        assert_in_range(l.started[n - 1], PER_S / n / 3, PER_S / n * 3 / 2);
        assert_in_range(l.most[n - 1], 1, 15);
        teardown(&l);
    }
}

/* A new one that is slow gets no more than it needs to show that. */
static void test_new_and_slow(void **state)
{
    (void)state;
    FOR_SIZES(n)
    {
        static struct load l;
        setup(&l, n, false);
        run(&l, 5 * NS_PER_S);
        l.latency[n - 1] = 200 * NS_PER_MS;
        connect_at(&l, n - 1);
        run(&l, NS_PER_S);
        assert_in_range(l.started[n - 1], 1, PER_S / 50);
        assert_in_range(l.most[n - 1], 1, 2);
        teardown(&l);
    }
}

/* One that was lost and is connected to again is as new, whatever was known of it. */
static void test_connected_again(void **state)
{
    (void)state;
    FOR_SIZES(n)
    {
        static struct load l;
        setup(&l, n, false);
        connect_at(&l, n - 1);
        run(&l, 5 * NS_PER_S);
        l.candidates[n - 1].state = CANDIDATE_IDLE;
        l.latency[n - 1] = 200 * NS_PER_MS;
        run(&l, 30 * NS_PER_S);
        assert_int_equal(l.started[n - 1], 0);
        connect_at(&l, n - 1);
        run(&l, NS_PER_S);
        assert_in_range(l.started[n - 1], 1, PER_S / 50);
        assert_in_range(l.most[n - 1], 1, 2);
        teardown(&l);
    }
}

/* slow_start: a tenth of its part in the first second of ten. */
static void test_slow_start(void **state)
{
    (void)state;
    FOR_SIZES(n)
    {
        static struct load l;
        setup(&l, n, false);
        run(&l, 15 * NS_PER_S);
        l.balance.options.slow_start_ns = 10 * NS_PER_S;
        finish_all(&l);
        l.now += 10 * NS_PER_S;
        run(&l, NS_PER_S);
        connect_at(&l, n - 1);
        run(&l, NS_PER_S);
        assert_in_range(l.started[n - 1], 1, PER_S / n / 4);
        run(&l, 10 * NS_PER_S);
        run(&l, NS_PER_S);
        assert_in_range(l.started[n - 1], PER_S / n / 3, PER_S / n * 3 / 2);
        teardown(&l);
    }
}

/* A breaker that closes again: the ramp holds calls back as a slow start does, though its latency is forgotten. */
static void test_behind_a_breaker(void **state)
{
    (void)state;
    FOR_SIZES(n)
    {
        static struct load l;
        setup(&l, n, true);
        connect_at(&l, n - 1);
        run(&l, 5 * NS_PER_S);
        finish_all(&l);
        struct flight f = {.begins = l.now, .ends = l.now, .at = n - 1};
        assert_true(breaker_view_start(&l.breaker, &l.endpoints[n - 1], false, l.now, &f.ticket));
        l.candidates[n - 1].inflight++;
        atomic_fetch_add(&l.endpoints[n - 1].inflight, 1);
        end(&l, &f, true);
        run(&l, NS_PER_S / 2);
        assert_int_equal(l.started[n - 1], 0);
        run(&l, NS_PER_S + NS_PER_S / 2);
        assert_in_range(l.started[n - 1], 1, PER_S * 3 / 2 / n / 4);
        assert_in_range(l.most[n - 1], 1, 4);
        teardown(&l);
    }
}

/* All have been idle for a minute, and one is slow by now: it gets what it would have got before, until it answers. */
static void test_after_rest(void **state)
{
    (void)state;
    FOR_SIZES(n)
    {
        static struct load l;
        setup(&l, n, false);
        connect_at(&l, n - 1);
        run(&l, 5 * NS_PER_S);
        finish_all(&l);
        l.now += 60 * NS_PER_S;
        l.latency[n - 1] = 200 * NS_PER_MS;
        run(&l, NS_PER_S);
        assert_in_range(l.started[n - 1], 1, PER_S / 50);
        assert_in_range(l.most[n - 1], 1, 15);
        teardown(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_new_and_slow),
        cmocka_unit_test(test_connected_again),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_behind_a_breaker),
        cmocka_unit_test(test_after_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
