/* Picking with shares: what breakers take out and want probed, what is new, and who is expected to be slow. */
#include "core/balance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_MAX = 40, PICKS = 40000 };

struct fixture {
    struct rng rng;
    struct endpoint endpoints[N_MAX];
    struct candidate candidates[N_MAX];
    struct balance balance;
};

static const struct tried nobody;

/* n candidates, READY with room. */
static void setup(struct fixture *f, enum balance_kind kind, uint32_t n, uint64_t seed)
{
    *f = (struct fixture){0};
    rng_init(&f->rng, seed);
    for (uint32_t i = 0; i < n; i++) {
        candidate_init(&f->candidates[i], &f->endpoints[i]);
        candidate_on_connected(&f->candidates[i], 0);
        f->candidates[i].room = 100;
    }
    balance_init(&f->balance, kind, f->candidates, n, &f->rng);
}

#define FOR_KINDS(kind) for (enum balance_kind kind = BALANCE_PICK_FIRST; kind <= BALANCE_PEAK_EWMA; kind++)

static struct breaker_policy breakers = {.scope = BREAKER_SCOPE_ENDPOINT,
                                         .consecutive_failures = 1,
                                         .open_base_ns = 1000,
                                         .open_max_ns = 1000,
                                         .probes = 1,
                                         .ramp_ns = 10000,
                                         .max_open = 1};

/* The breaker of candidate i opens at time 0. */
static void open_breaker(struct fixture *f, const struct breaker_view *v, uint32_t i)
{
    struct breaker_ticket t;
    breaker_view_prepare(v, &f->endpoints[i]);
    breaker_view_start(v, &f->endpoints[i], false, 0, &t);
    breaker_view_result(v, f->candidates, f->balance.n, i, t, BREAKER_FAILURE, 0, 0, &f->rng);
}

static void start_probe(struct fixture *f, const struct breaker_view *v, uint32_t i, ns_t now, struct breaker_ticket *t)
{
    assert_true(breaker_view_start(v, &f->endpoints[i], false, now, t));
    assert_true(t->probe);
}

static struct breaker_view setup_breakers(struct fixture *f, enum balance_kind kind, uint32_t n,
                                          struct breaker_set *set)
{
    setup(f, kind, n, 3);
    breaker_set_init(set, false);
    const struct policy policy = {.name = "", .breaker = &breakers};
    return breaker_set_view(set, &policy, NULL);
}

static void teardown_breakers(struct fixture *f, struct breaker_set *set)
{
    for (uint32_t i = 0; i < f->balance.n; i++)
        endpoint_fini(&f->endpoints[i]);
    breaker_set_fini(set);
}

static int pick_at(struct fixture *f, const struct breaker_view *v, const struct tried *tried, ns_t now)
{
    return balance_pick(&f->balance, &(struct balance_query){.tried = tried, .breaker = v, .now = now}, &f->rng);
}

/* What is open is never picked while another one has room; all open: nobody. */
static void test_open_ones_are_no_candidates(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {3, N_MAX};
    for (size_t k = 0; k < 2; k++) {
        FOR_KINDS(kind)
        {
            static struct fixture f;
            struct breaker_set set;
            uint32_t n = sizes[k];
            struct breaker_view v = setup_breakers(&f, kind, n, &set);
            for (uint32_t i = 0; i + 1 < n; i++)
                open_breaker(&f, &v, i);
            struct balance_query q = {.tried = &nobody, .breaker = &v, .now = 999};
            for (int i = 0; i < 100; i++)
                assert_int_equal(pick_at(&f, &v, &nobody, 999), n - 1);
            assert_int_equal(pick_at(&f, &v, &(struct tried){.v = {n - 1}, .n = 1}, 999), n - 1);
            assert_false(balance_is_all_out(&f.balance, &q));
            open_breaker(&f, &v, n - 1);
            assert_int_equal(pick_at(&f, &v, &nobody, 999), BALANCE_NONE);
            assert_true(balance_is_all_out(&f.balance, &q));
            q.now = 1000;
            assert_false(balance_is_all_out(&f.balance, &q));
            for (uint32_t i = 0; i < n; i++)
                f.candidates[i].state = CANDIDATE_IDLE;
            assert_false(balance_is_all_out(&f.balance, &q));
            teardown_breakers(&f, &set);
        }
    }
}

/* A first attempt goes where a probe is due; a later one only when there is nobody else. */
static void test_probes(void **state)
{
    (void)state;
    FOR_KINDS(kind)
    {
        struct fixture f;
        struct breaker_set set;
        struct breaker_ticket t;
        const struct tried first = {.v = {0}, .n = 1}, both = {.v = {0, 1}, .n = 2};
        struct breaker_view v = setup_breakers(&f, kind, 3, &set);
        open_breaker(&f, &v, 1);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(pick_at(&f, &v, &nobody, 1000), 1);
            assert_int_equal(pick_at(&f, &v, &first, 1000), 2);
            assert_int_not_equal(pick_at(&f, &v, &nobody, 999), 1);
        }
        f.candidates[1].room = 0;
        assert_int_not_equal(pick_at(&f, &v, &nobody, 1000), 1);
        f.candidates[1].room = 1;
        start_probe(&f, &v, 1, 1000, &t);
        for (int i = 0; i < 50; i++)
            assert_int_not_equal(pick_at(&f, &v, &nobody, 1000), 1);
        breaker_view_result(&v, f.candidates, 3, 1, t, BREAKER_EXCLUDED, 0, 1000, &f.rng);
        f.candidates[0].room = f.candidates[2].room = 0;
        assert_int_equal(pick_at(&f, &v, &first, 1000), 1);
        assert_int_equal(pick_at(&f, &v, &both, 1000), 1);
        teardown_breakers(&f, &set);
    }
}

/* Probes in a big set are found too, a part of the set at a time. */
static void test_probes_in_a_big_set(void **state)
{
    (void)state;
    static struct fixture f;
    struct breaker_set set;
    struct breaker_view v = setup_breakers(&f, BALANCE_LEAST_REQUEST, N_MAX, &set);
    int hits = 0;
    open_breaker(&f, &v, 33);
    for (int i = 0; i < 1000; i++)
        hits += pick_at(&f, &v, &nobody, 1000) == 33;
    assert_in_range(hits, 1000 * BALANCE_SCAN_MAX / N_MAX - 60, 1000 * BALANCE_SCAN_MAX / N_MAX + 60);
    teardown_breakers(&f, &set);
}

static int count_at(struct fixture *f, const struct breaker_view *v, int i, ns_t now)
{
    int hits = 0;
    for (int k = 0; k < PICKS; k++)
        hits += pick_at(f, v, &nobody, now) == i;
    return hits;
}

/* Back from a breaker, or newly connected: the share of one among two idle ones grows with time to a half. */
static void test_shares_grow(void **state)
{
    (void)state;
    static const struct {
        ns_t after;
        double share;
    } rows[] = {{0, 0.05}, {1000, 0.05}, {2000, 0.1}, {5000, 0.25}, {9000, 0.45}, {10000, 0.5}, {20000, 0.5}};
    static const enum balance_kind kinds[] = {BALANCE_ROUND_ROBIN, BALANCE_RANDOM, BALANCE_LEAST_REQUEST,
                                              BALANCE_PEAK_EWMA};
    for (size_t k = 0; k < 4; k++) {
        struct fixture f;
        struct breaker_set set;
        struct breaker_ticket t;
        struct breaker_view v = setup_breakers(&f, kinds[k], 2, &set);
        open_breaker(&f, &v, 1);
        start_probe(&f, &v, 1, 100000, &t);
        breaker_view_result(&v, f.candidates, 2, 1, t, BREAKER_SUCCESS, 0, 100000, &f.rng);
        for (size_t i = 1; i < sizeof rows / sizeof rows[0]; i++) {
            double want = i == 1 ? 0.05 : rows[i].share; /* a tenth of the ramp */
            if (kinds[k] == BALANCE_ROUND_ROBIN)         /* its turn is lost, not put off */
                want = want * 2 / (1 + want * 2);
            int hits = count_at(&f, &v, 1, 100000 + rows[i].after);
            assert_in_range(hits, PICKS * want * 0.85, PICKS * want * 1.15);
        }
        assert_in_range(count_at(&f, &v, 1, 100000), 0, PICKS / 100);
        teardown_breakers(&f, &set);

        setup(&f, kinds[k], 2, 5);
        f.balance.options.slow_start_ns = 10000;
        f.candidates[1].ready_at = 100000;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            double want = rows[i].share;
            if (kinds[k] == BALANCE_ROUND_ROBIN)
                want = want * 2 / (1 + want * 2);
            int hits = count_at(&f, NULL, 1, 100000 + rows[i].after);
            assert_in_range(hits, PICKS * want * 0.85, PICKS * want * 1.15);
        }
    }
}

/* Load put on as it is picked: one at a fifth of its share carries a fifth of what the others do. */
static void test_load_follows_the_share(void **state)
{
    (void)state;
    static const enum balance_kind kinds[] = {BALANCE_LEAST_REQUEST, BALANCE_PEAK_EWMA};
    for (size_t k = 0; k < 2; k++) {
        struct fixture f;
        setup(&f, kinds[k], 3, 5);
        f.balance.options.slow_start_ns = 10000;
        f.candidates[2].ready_at = 100000;
        for (int i = 0; i < 3; i++)
            ewma_on_sample(&f.candidates[i].ewma, &f.balance.options, 1000, false, 100000);
        for (int i = 0; i < 1100; i++)
            atomic_fetch_add(&f.endpoints[pick_at(&f, NULL, &nobody, 102000)].inflight, 1);
        assert_in_range(f.endpoints[2].inflight, 95, 105);
    }
}

/* All are new: everybody is picked all the same. One that failed already: the new one is as good as any. */
static void test_new_ones_alone(void **state)
{
    (void)state;
    FOR_KINDS(kind)
    {
        struct fixture f;
        setup(&f, kind, 3, 5);
        f.balance.options.slow_start_ns = 10000;
        for (int i = 0; i < 3; i++)
            f.candidates[i].ready_at = 100000;
        for (int i = 0; i < 1000; i++)
            assert_int_not_equal(pick_at(&f, NULL, &nobody, 100000), BALANCE_NONE);
        f.candidates[0].ready_at = f.candidates[2].ready_at = 0;
        const struct tried tried = {.v = {0, 2}, .n = 2};
        for (int i = 0; i < 100; i++)
            assert_int_equal(pick_at(&f, NULL, &tried, 100000), 1);
    }
}

static void test_peak_ewma_takes_the_fastest(void **state)
{
    (void)state;
    static const ns_t latencies[] = {40, 10, 200, 10, 30};
    struct fixture f;
    setup(&f, BALANCE_PEAK_EWMA, 5, 4);
    for (int i = 0; i < 5; i++)
        ewma_on_sample(&f.candidates[i].ewma, &f.balance.options, latencies[i] * NS_PER_MS, false, 1000);
    int counts[5] = {0};
    for (int i = 0; i < 1000; i++)
        counts[pick_at(&f, NULL, &nobody, 1000)]++;
    assert_int_equal(counts[1] + counts[3], 1000);
    assert_in_range(counts[1], 400, 600);
    atomic_store(&f.endpoints[1].inflight, 3); /* 10 * 4 = 40 > 30 */
    atomic_store(&f.endpoints[3].inflight, 3);
    assert_int_equal(pick_at(&f, NULL, &nobody, 1000), 4);
    atomic_store(&f.endpoints[4].inflight, 1); /* 30 * 2 = 60 > 40 */
    assert_in_range(pick_at(&f, NULL, &nobody, 1000) % 2, 0, 1);
    assert_int_not_equal(pick_at(&f, NULL, &nobody, 1000), 2);
}

/* A call takes 10 ms; one endpoint takes longer, or fails at once. What it gets of 40 s, 200 calls a second. */
static int share_of_sick(struct fixture *f, ns_t latency, bool fails)
{
    enum { CALLS = 8000 };
    static struct {
        ns_t ends;
        int at;
    } calls[CALLS];
    int sick = 0, done = 0;
    setup(f, BALANCE_PEAK_EWMA, 3, 11);
    for (int i = 0; i < CALLS; i++) {
        ns_t now = NS_PER_S + i * 5 * NS_PER_MS;
        for (int k = done; k < i; k++) {
            if (calls[k].ends == 0 || calls[k].ends > now)
                continue;
            bool is_sick = calls[k].at == 1;
            ewma_on_sample(&f->candidates[calls[k].at].ewma, &f->balance.options, is_sick ? latency : 10 * NS_PER_MS,
                           is_sick && fails, calls[k].ends);
            atomic_fetch_sub(&f->endpoints[calls[k].at].inflight, 1);
            f->candidates[calls[k].at].inflight--;
            calls[k].ends = 0;
        }
        while (done < i && calls[done].ends == 0)
            done++;
        int at = pick_at(f, NULL, &nobody, now);
        atomic_fetch_add(&f->endpoints[at].inflight, 1);
        f->candidates[at].inflight++;
        sick += at == 1;
        calls[i].at = at;
        calls[i].ends = now + (at == 1 ? latency : 10 * NS_PER_MS);
    }
    return sick;
}

/* peak_ewma: 200 ms slower gets at most 0.5 % of the calls, and what fails at once attracts nothing. */
static void test_peak_ewma_leaves_the_sick(void **state)
{
    (void)state;
    static struct fixture f;
    int well = share_of_sick(&f, 10 * NS_PER_MS, false);
    int slow = share_of_sick(&f, 210 * NS_PER_MS, false);
    int failing = share_of_sick(&f, NS_PER_MS / 2, true);
    assert_in_range(well, 8000 / 4, 8000 / 2);
    assert_in_range(slow, 1, 8000 / 200);
    assert_in_range(failing, 1, 8000 / 50);
}

/* A new endpoint among busy ones gets one call until it has answered. */
static void test_no_herd_on_a_new_endpoint(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BALANCE_PEAK_EWMA, 3, 4);
    for (int i = 0; i < 2; i++) {
        ewma_on_sample(&f.candidates[i].ewma, &f.balance.options, 300 * NS_PER_MS, false, 1000);
        atomic_store(&f.endpoints[i].inflight, 2);
    }
    atomic_store(&f.endpoints[2].inflight, 1); /* by another worker */
    for (int i = 0; i < 4; i++) {
        int at = pick_at(&f, NULL, &nobody, 1000);
        atomic_fetch_add(&f.endpoints[at].inflight, 1);
        f.candidates[at].inflight++;
    }
    assert_int_equal(f.candidates[2].inflight, 1);
}

static void test_hope(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_set set;
    struct breaker_view v = setup_breakers(&f, BALANCE_RANDOM, 2, &set);
    struct balance_query q = {.tried = &nobody, .breaker = &v, .now = 500};
    assert_false(balance_is_hopeful(&f.balance, &q));
    f.candidates[1].state = CANDIDATE_CONNECTING;
    assert_true(balance_is_hopeful(&f.balance, &q));
    f.candidates[1].state = CANDIDATE_BACKOFF;
    f.candidates[1].backoff_until = 501;
    assert_false(balance_is_hopeful(&f.balance, &q));
    f.candidates[1].backoff_until = 500;
    assert_true(balance_is_hopeful(&f.balance, &q));
    open_breaker(&f, &v, 1);
    assert_false(balance_is_hopeful(&f.balance, &q));
    q.breaker = NULL;
    assert_true(balance_is_hopeful(&f.balance, &q));
    assert_false(balance_is_all_out(&f.balance, &q));
    teardown_breakers(&f, &set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_ones_are_no_candidates), cmocka_unit_test(test_probes),
        cmocka_unit_test(test_probes_in_a_big_set),         cmocka_unit_test(test_shares_grow),
        cmocka_unit_test(test_load_follows_the_share),      cmocka_unit_test(test_new_ones_alone),
        cmocka_unit_test(test_peak_ewma_takes_the_fastest), cmocka_unit_test(test_peak_ewma_leaves_the_sick),
        cmocka_unit_test(test_no_herd_on_a_new_endpoint),   cmocka_unit_test(test_hope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
