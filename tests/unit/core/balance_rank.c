/* Weights and priorities: who takes part, how often, and whom to connect to; and the part of a big set. */
#include "core/balance.h"
#include "core/subset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 4, PICKS = 40000, MANY = 1000 };

struct fixture {
    struct rng rng;
    struct endpoint endpoints[N];
    struct candidate candidates[N];
    struct balance balance;
};

static const struct tried nobody;

static void setup(struct fixture *f, enum balance_kind kind, const struct rank *ranks)
{
    *f = (struct fixture){0};
    rng_init(&f->rng, 3);
    for (uint32_t i = 0; i < N; i++) {
        candidate_init(&f->candidates[i], &f->endpoints[i]);
        candidate_on_connected(&f->candidates[i], 0);
        f->candidates[i].room = 100;
        f->candidates[i].rank = ranks[i];
    }
    balance_init(&f->balance, kind, f->candidates, N, &f->rng);
}

static int pick(struct fixture *f, const struct tried *tried)
{
    return balance_pick(&f->balance, &(struct balance_query){.tried = tried}, &f->rng);
}

static void test_shares_follow_weights(void **state)
{
    static const struct rank ranks[N] = {{1, 0}, {2, 0}, {5, 0}, {8, 0}};
    (void)state;
    for (enum balance_kind kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_LEAST_REQUEST; kind++) {
        struct fixture f;
        int picks[N] = {0};
        setup(&f, kind, ranks);
        for (int i = 0; i < PICKS; i++)
            picks[pick(&f, &nobody)]++;
        for (int i = 0; i < N; i++)
            assert_in_range(picks[i], PICKS * ranks[i].weight / 16 * 9 / 10, PICKS * ranks[i].weight / 16 * 11 / 10);
    }
}

static void test_load_counts_for_its_weight(void **state)
{
    static const struct rank ranks[N] = {{1, 0}, {4, 0}, {1, 1}, {1, 1}};
    struct fixture f;
    int light = 0;
    (void)state;
    setup(&f, BALANCE_LEAST_REQUEST, ranks);
    atomic_store(&f.endpoints[0].inflight, 2);
    atomic_store(&f.endpoints[1].inflight, 4);
    for (int i = 0; i < PICKS; i++)
        light += pick(&f, &nobody) == 0;
    assert_in_range(light, PICKS / 25 * 8 / 10, PICKS / 25 * 12 / 10); /* both draws: 1/5 of 1/5 */
}

static void test_lowest_healthy_priority(void **state)
{
    static const struct rank ranks[N] = {{1, 7}, {1, 0}, {1, 3}, {1, 0}};
    (void)state;
    for (enum balance_kind kind = BALANCE_PICK_FIRST; kind <= BALANCE_PEAK_EWMA; kind++) {
        struct fixture f;
        setup(&f, kind, ranks);
        for (int i = 0; i < 100; i++)
            assert_int_equal(f.candidates[pick(&f, &nobody)].rank.priority, 0);
        f.candidates[1].state = CANDIDATE_BACKOFF;
        for (int i = 0; i < 100; i++)
            assert_int_equal(pick(&f, &nobody), 3);
        f.candidates[3].state = CANDIDATE_IDLE;
        for (int i = 0; i < 100; i++)
            assert_int_equal(pick(&f, &nobody), 2);
        f.candidates[2].state = CANDIDATE_IDLE;
        assert_int_equal(pick(&f, &nobody), 0);
        f.candidates[0].state = CANDIDATE_IDLE;
        assert_int_equal(pick(&f, &nobody), BALANCE_NONE);
    }
}

static void test_full_is_not_unhealthy(void **state)
{
    static const struct rank ranks[N] = {{1, 0}, {1, 1}, {1, 1}, {1, 1}};
    struct fixture f;
    (void)state;
    setup(&f, BALANCE_LEAST_REQUEST, ranks);
    f.candidates[0].room = 0;
    assert_int_equal(pick(&f, &nobody), BALANCE_NONE);
}

static void test_retry_goes_down_the_priorities(void **state)
{
    static const struct rank ranks[N] = {{1, 0}, {1, 1}, {1, 2}, {1, 2}};
    struct tried tried = {.v = {0}, .n = 1};
    struct fixture f;
    (void)state;
    setup(&f, BALANCE_LEAST_REQUEST, ranks);
    assert_int_equal(pick(&f, &tried), 1);
    tried = (struct tried){.v = {0, 1, 2, 3}, .n = 4};
    assert_int_equal(pick(&f, &tried), 0);
}

static void test_connects_from_the_lowest(void **state)
{
    static const struct rank ranks[N] = {{1, 2}, {1, 0}, {1, 1}, {1, 0}};
    struct fixture f;
    (void)state;
    setup(&f, BALANCE_LEAST_REQUEST, ranks);
    for (uint32_t i = 0; i < N; i++)
        f.candidates[i].state = CANDIDATE_IDLE;
    assert_int_equal(balance_connect(&f.balance, 0), 1);
    f.candidates[1].state = CANDIDATE_CONNECTING;
    assert_int_equal(balance_connect(&f.balance, 0), 3);
    f.candidates[3].state = CANDIDATE_READY;
    f.candidates[1].state = CANDIDATE_BACKOFF;
    f.candidates[1].backoff_until = 5;
    assert_int_equal(balance_connect(&f.balance, 0), BALANCE_NONE);
    atomic_store(&f.endpoints[3].troubled, 1);
    assert_int_equal(balance_connect(&f.balance, 0), 2);
    assert_int_equal(balance_connect(&f.balance, 5), 1);
}

/* Endpoints 10.0.x.y with one in ten of priority 0. */
struct big {
    struct endpoint *endpoints[MANY];
    struct rank ranks[MANY];
};

static struct big *make_big(void)
{
    struct big *b = calloc(1, sizeof *b);
    for (int i = 0; i < MANY; i++) {
        struct address a = {.kind = ADDRESS_IPV4, .port = 80, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        b->endpoints[i] = endpoint_new(&a);
        b->ranks[i] = (struct rank){.weight = 1, .priority = i % 10 > 0};
    }
    return b;
}

static void test_part_of_a_big_set(void **state)
{
    struct big *b = make_big();
    uint32_t all[SUBSET_MAX], part[SUBSET_MAX], again[SUBSET_MAX], first = 0, kept = 0;
    (void)state;
    assert_int_equal(subset_choose(b->endpoints, b->ranks, SUBSET_MAX, 5, false, all), SUBSET_MAX);
    assert_int_equal(subset_choose(b->endpoints, b->ranks, SUBSET_MAX + 1, 5, false, all), SUBSET_MAX);
    assert_int_equal(subset_choose(b->endpoints, b->ranks, MANY, 5, false, part), SUBSET_MAX);
    for (uint32_t i = 0; i < SUBSET_MAX; i++) {
        first += b->ranks[part[i]].priority == 0;
        assert_true(i == 0 || part[i] > part[i - 1]);
    }
    assert_int_equal(first, MANY / 10);
    assert_int_equal(subset_choose(b->endpoints, b->ranks, MANY - 10, 5, false, again), SUBSET_MAX);
    for (uint32_t i = 0; i < SUBSET_MAX; i++)
        for (uint32_t k = 0; k < SUBSET_MAX; k++)
            kept += part[i] == again[k];
    assert_in_range(kept, SUBSET_MAX - 10, SUBSET_MAX);
    for (int i = 0; i < MANY; i++)
        endpoint_unref(b->endpoints[i]);
    free(b);
}

static void test_shuffle_keeps_everybody(void **state)
{
    struct big *b = make_big();
    uint32_t order[SUBSET_MAX], other[SUBSET_MAX], moved = 0;
    bool seen[20] = {false};
    (void)state;
    assert_int_equal(subset_choose(b->endpoints, b->ranks, 20, 1, true, order), 20);
    assert_int_equal(subset_choose(b->endpoints, b->ranks, 20, 2, true, other), 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        assert_int_equal(b->ranks[order[i]].priority, b->ranks[i].priority);
        moved += order[i] != other[i];
    }
    assert_true(moved > 5);
    for (int i = 0; i < MANY; i++)
        endpoint_unref(b->endpoints[i]);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_follow_weights),
        cmocka_unit_test(test_load_counts_for_its_weight),
        cmocka_unit_test(test_lowest_healthy_priority),
        cmocka_unit_test(test_full_is_not_unhealthy),
        cmocka_unit_test(test_retry_goes_down_the_priorities),
        cmocka_unit_test(test_connects_from_the_lowest),
        cmocka_unit_test(test_part_of_a_big_set),
        cmocka_unit_test(test_shuffle_keeps_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
