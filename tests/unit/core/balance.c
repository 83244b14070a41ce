/* Picking: who is eligible, how each kind spreads, what was tried; and whom to connect to. */
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

static int pick(struct fixture *f, const struct tried *tried)
{
    return balance_pick(&f->balance, &(struct balance_query){.tried = tried}, &f->rng);
}

#define FOR_KINDS(kind) for (enum balance_kind kind = BALANCE_PICK_FIRST; kind <= BALANCE_PEAK_EWMA; kind++)

static void test_nobody_eligible(void **state)
{
    (void)state;
    struct fixture f;
    FOR_KINDS(kind)
    {
        setup(&f, kind, 0, 1);
        assert_int_equal(pick(&f, &nobody), BALANCE_NONE);
        for (uint32_t n = 1; n <= N_MAX; n += 13) {
            setup(&f, kind, n, 1);
            for (uint32_t i = 0; i < n; i++) {
                if (i % 2)
                    f.candidates[i].room = 0;
                else
                    f.candidates[i].state =
                        (enum candidate_state[]){CANDIDATE_IDLE, CANDIDATE_CONNECTING, CANDIDATE_BACKOFF}[i % 3];
            }
            assert_int_equal(pick(&f, &nobody), BALANCE_NONE);
        }
    }
}

static void test_the_only_eligible_one_is_found(void **state)
{
    (void)state;
    struct fixture f;
    FOR_KINDS(kind)
    {
        for (uint32_t n = 1; n <= N_MAX; n += 3) {
            for (uint32_t only = 0; only < n; only++) {
                setup(&f, kind, n, n + only);
                for (uint32_t i = 0; i < n; i++)
                    f.candidates[i].room = i == only ? 1 : 0;
                assert_int_equal(pick(&f, &nobody), only);
                assert_int_equal(pick(&f, &(struct tried){.v = {only}, .n = 1}), only);
            }
        }
    }
}

/* One not tried while there is one, however loaded; else a tried one. */
static void test_tried_ones_come_last(void **state)
{
    (void)state;
    struct fixture f;
    const struct tried tried = {.v = {0, 1, 3, 4}, .n = 4};
    FOR_KINDS(kind)
    {
        setup(&f, kind, 5, 9);
        atomic_store(&f.endpoints[2].inflight, 1000);
        for (int i = 0; i < 200; i++)
            assert_int_equal(pick(&f, &tried), 2);
        f.candidates[2].room = 0;
        bool seen[5] = {false};
        for (int i = 0; i < 400; i++) {
            int c = pick(&f, &tried);
            assert_in_range(c, 0, 4);
            assert_int_not_equal(c, 2);
            seen[c] = true;
        }
        bool one_place = kind == BALANCE_PICK_FIRST;
        assert_int_equal(seen[0] + seen[1] + seen[3] + seen[4], one_place ? 1 : 4);
    }
}

static void test_tried_in_a_big_set(void **state)
{
    (void)state;
    struct fixture f;
    const struct tried tried = {.v = {0, 1, 2, 3, 4, 5, 6, 7}, .n = BALANCE_TRIED_MAX};
    FOR_KINDS(kind)
    {
        setup(&f, kind, N_MAX, 9);
        for (int i = 0; i < 2000; i++)
            assert_in_range(pick(&f, &tried), 8, N_MAX - 1);
    }
}

static void count_picks(struct fixture *f, int *counts)
{
    memset(counts, 0, N_MAX * sizeof *counts);
    for (int i = 0; i < PICKS; i++)
        counts[pick(f, &nobody)]++;
}

/* Equal load: every kind but pick_first gives each the same share, above and below the scan bound. */
static void test_even_shares(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 3, BALANCE_SCAN_MAX, BALANCE_SCAN_MAX + 1, N_MAX};
    static struct fixture f;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (enum balance_kind kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_PEAK_EWMA; kind++) {
            int counts[N_MAX];
            setup(&f, kind, sizes[k], 77);
            count_picks(&f, counts);
            int share = PICKS / (int)sizes[k], slack = kind == BALANCE_ROUND_ROBIN ? 1 : share / 5;
            for (uint32_t i = 0; i < sizes[k]; i++)
                assert_in_range(counts[i], share - slack, share + slack);
        }
    }
}

static void test_random_shares_among_the_eligible(void **state)
{
    (void)state;
    static struct fixture f;
    int counts[N_MAX];
    setup(&f, BALANCE_RANDOM, 10, 77);
    for (int i = 0; i < 5; i++)
        f.candidates[i].room = 0;
    count_picks(&f, counts);
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], i < 5 ? 0 : 7600, i < 5 ? 0 : 8400);
}

static void test_round_robin_order_and_start(void **state)
{
    (void)state;
    struct fixture f;
    bool starts[4] = {false};
    for (uint64_t seed = 0; seed < 64; seed++) {
        setup(&f, BALANCE_ROUND_ROBIN, 4, seed);
        f.candidates[2].room = 0;
        int last = pick(&f, &nobody);
        starts[last] = true;
        for (int i = 0; i < 20; i++) {
            int next = pick(&f, &nobody);
            assert_int_equal(next, last == 3 ? 0 : last == 0 ? 1 : 3);
            last = next;
        }
    }
    assert_true(starts[0] && starts[1] && starts[3]);
}

static void test_pick_first_stays(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BALANCE_PICK_FIRST, 3, 1);
    assert_int_equal(pick(&f, &nobody), 0);
    f.candidates[0].room = 0;
    assert_int_equal(pick(&f, &nobody), 1);
    f.candidates[0].room = 1;
    assert_int_equal(pick(&f, &nobody), 1);
    f.candidates[1].state = CANDIDATE_IDLE;
    assert_int_equal(pick(&f, &nobody), 0);
}

static void test_least_request_takes_the_least(void **state)
{
    (void)state;
    struct fixture f;
    static const unsigned loads[] = {5, 3, 9, 3, 7};
    int counts[5] = {0};
    setup(&f, BALANCE_LEAST_REQUEST, 5, 4);
    for (int i = 0; i < 5; i++)
        atomic_store(&f.endpoints[i].inflight, loads[i]);
    for (int i = 0; i < 1000; i++)
        counts[pick(&f, &nobody)]++;
    assert_int_equal(counts[1] + counts[3], 1000);
    assert_in_range(counts[1], 400, 600);
    f.candidates[1].room = f.candidates[3].room = 0;
    assert_int_equal(pick(&f, &nobody), 0);
}

/* Power of two choices: the most loaded one of many is never taken, the least loaded one twice as often as chance. */
static void test_power_of_two_choices(void **state)
{
    (void)state;
    static struct fixture f;
    int counts[N_MAX];
    setup(&f, BALANCE_LEAST_REQUEST, N_MAX, 4);
    for (unsigned i = 0; i < N_MAX; i++)
        atomic_store(&f.endpoints[i].inflight, i);
    count_picks(&f, counts);
    assert_int_equal(counts[N_MAX - 1], 0);
    assert_in_range(counts[0], 2 * PICKS / N_MAX * 9 / 10, 2 * PICKS / N_MAX * 11 / 10);
    for (int i = 0; i + 10 < N_MAX; i++)
        assert_true(counts[i] > counts[i + 10]);
}

/* Load put on as it is picked spreads within one of the mean by a whole scan, and closely by two choices. */
static void test_least_request_levels_the_load(void **state)
{
    (void)state;
    static const struct {
        uint32_t n;
        unsigned over;
    } rows[] = {{BALANCE_SCAN_MAX, 1}, {N_MAX, 5}};
    static struct fixture f;
    for (size_t k = 0; k < 2; k++) {
        setup(&f, BALANCE_LEAST_REQUEST, rows[k].n, 8);
        for (uint32_t i = 0; i < rows[k].n * 100; i++)
            atomic_fetch_add(&f.endpoints[pick(&f, &nobody)].inflight, 1);
        for (uint32_t i = 0; i < rows[k].n; i++)
            assert_in_range(f.endpoints[i].inflight, 100 - 3 * rows[k].over, 100 + rows[k].over);
    }
}

enum { I = CANDIDATE_IDLE, C = CANDIDATE_CONNECTING, R = CANDIDATE_READY, B = CANDIDATE_BACKOFF, F = 4 /* full */ };

/* Three candidates; backoffs end at 100; asked at `now`. */
static void test_whom_to_connect_to(void **state)
{
    (void)state;
    static const struct {
        int states[3];
        ns_t now;
        int pick_first, others;
        bool unreachable, connected;
        ns_t next;
    } rows[] = {
        {{I, I, I}, 0, 0, 0, false, false, NS_NEVER},  {{C, I, I}, 0, -1, 1, false, false, NS_NEVER},
        {{R, I, I}, 0, -1, 1, false, true, NS_NEVER},  {{I, I, R}, 0, -1, 0, false, true, NS_NEVER},
        {{F, I, I}, 0, 1, 1, false, true, NS_NEVER},   {{F, C, I}, 0, -1, 2, false, true, NS_NEVER},
        {{B, I, I}, 99, 1, 1, false, false, 100},      {{B, I, I}, 100, 0, 0, false, false, 100},
        {{B, B, B}, 99, -1, -1, true, false, 100},     {{B, B, B}, 100, 0, 0, false, false, 100},
        {{B, B, R}, 0, -1, -1, false, true, 100},      {{B, B, F}, 0, -1, -1, false, true, 100},
        {{B, C, B}, 0, -1, -1, false, false, 100},     {{F, F, F}, 0, -1, -1, false, true, NS_NEVER},
        {{R, R, R}, 0, -1, -1, false, true, NS_NEVER},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        FOR_KINDS(kind)
        {
            struct fixture f;
            setup(&f, kind, 3, 1);
            for (int i = 0; i < 3; i++) {
                bool full = rows[k].states[i] == F;
                f.candidates[i].state = full ? CANDIDATE_READY : (enum candidate_state)rows[k].states[i];
                f.candidates[i].room = rows[k].states[i] == R;
                f.candidates[i].backoff_until = 100;
            }
            bool staggers = kind == BALANCE_PICK_FIRST && (rows[k].states[0] == C || rows[k].states[1] == C);
            ns_t next = ns_min(rows[k].next, staggers ? BALANCE_STAGGER_NS : NS_NEVER);
            int want = kind == BALANCE_PICK_FIRST ? rows[k].pick_first : rows[k].others;
            assert_int_equal(balance_connect(&f.balance, rows[k].now), want);
            assert_int_equal(balance_is_unreachable(&f.balance, rows[k].now), rows[k].unreachable);
            assert_int_equal(balance_is_connected(&f.balance), rows[k].connected);
            assert_true(balance_next_connect(&f.balance, 0) == next);
        }
    }
}

/* pick_first: where a breaker is open the next one is needed too. */
static void test_connect_beside_a_breaker(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BALANCE_PICK_FIRST, 3, 1);
    f.candidates[1].state = f.candidates[2].state = CANDIDATE_IDLE;
    assert_int_equal(balance_connect(&f.balance, 0), BALANCE_NONE);
    atomic_store(&f.endpoints[0].troubled, 1);
    assert_int_equal(balance_connect(&f.balance, 0), 1);
    f.candidates[1].state = CANDIDATE_CONNECTING;
    assert_int_equal(balance_connect(&f.balance, 0), BALANCE_NONE);
}

/* pick_first: the first one has 250 ms for itself to connect, then the second one, and so on. */
static void test_connect_beside_a_slow_one(void **state)
{
    (void)state;
    const ns_t t = 7 * NS_PER_S, step = BALANCE_STAGGER_NS;
    struct fixture f;
    setup(&f, BALANCE_PICK_FIRST, 3, 1);
    for (int i = 0; i < 3; i++)
        f.candidates[i].state = CANDIDATE_IDLE;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(balance_connect(&f.balance, t + i * step - 1), i == 0 ? 0 : BALANCE_NONE);
        assert_int_equal(balance_connect(&f.balance, t + i * step), i);
        f.candidates[i].state = CANDIDATE_CONNECTING;
        candidate_on_connecting(&f.candidates[i], t + i * step);
        assert_true(balance_next_connect(&f.balance, t + i * step) == t + (i + 1) * step);
    }
    assert_int_equal(balance_connect(&f.balance, t + 9 * step), BALANCE_NONE);
    assert_true(balance_next_connect(&f.balance, t + 9 * step) == NS_NEVER);
}

static void test_room(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BALANCE_LEAST_REQUEST, 3, 1);
    struct tried tried = {.v = {1}, .n = 1};
    for (int i = 0; i < 3; i++)
        f.candidates[i].room = 0;
    assert_false(balance_has_room(&f.balance));
    f.candidates[1].room = 1;
    assert_true(balance_has_room(&f.balance));
    assert_false(balance_has_untried(&f.balance, &tried));
    f.candidates[2].room = 1;
    assert_true(balance_has_untried(&f.balance, &tried));
    f.candidates[2].state = f.candidates[1].state = CANDIDATE_BACKOFF;
    assert_false(balance_has_room(&f.balance));
    assert_false(balance_has_untried(&f.balance, &tried));
}

static void test_empty_set(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BALANCE_LEAST_REQUEST, 0, 1);
    assert_int_equal(balance_connect(&f.balance, 0), BALANCE_NONE);
    assert_true(balance_is_unreachable(&f.balance, 0));
    assert_false(balance_is_connected(&f.balance));
    assert_true(balance_next_connect(&f.balance, 0) == NS_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_eligible),
        cmocka_unit_test(test_the_only_eligible_one_is_found),
        cmocka_unit_test(test_tried_ones_come_last),
        cmocka_unit_test(test_tried_in_a_big_set),
        cmocka_unit_test(test_even_shares),
        cmocka_unit_test(test_random_shares_among_the_eligible),
        cmocka_unit_test(test_round_robin_order_and_start),
        cmocka_unit_test(test_pick_first_stays),
        cmocka_unit_test(test_least_request_takes_the_least),
        cmocka_unit_test(test_power_of_two_choices),
        cmocka_unit_test(test_least_request_levels_the_load),
        cmocka_unit_test(test_whom_to_connect_to),
        cmocka_unit_test(test_connect_beside_a_breaker),
        cmocka_unit_test(test_connect_beside_a_slow_one),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_empty_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
