/* The two counts of a scope at their maximum and one past it, and from many threads at once. */
#include "core/limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_at_the_maximum_and_one_past_it(void **state)
{
    (void)state;
    static const uint32_t maxima[] = {0, 1, 3, 1024};
    for (size_t k = 0; k < sizeof maxima / sizeof maxima[0]; k++) {
        const struct limits_policy p = {.max_requests = maxima[k], .max_pending = maxima[k] + 1};
        struct limit l;
        limit_init(&l);
        for (uint32_t i = 0; i < maxima[k]; i++)
            assert_true(limit_enter(&l, &p));
        assert_false(limit_enter(&l, &p));
        for (uint32_t i = 0; i < maxima[k] + 1; i++)
            assert_true(limit_wait(&l, &p));
        assert_false(limit_wait(&l, &p));
        limit_unwait(&l);
        assert_true(limit_wait(&l, &p));
        if (maxima[k] == 0)
            continue;
        limit_leave(&l);
        assert_true(limit_enter(&l, &p));
        assert_false(limit_enter(&l, &p));
    }
}

/* A reload that lowers the maximum lets nobody in until enough have left. */
static void test_lowered_maximum(void **state)
{
    (void)state;
    const struct limits_policy wide = {.max_requests = 5}, narrow = {.max_requests = 2};
    struct limit l;
    limit_init(&l);
    for (int i = 0; i < 5; i++)
        assert_true(limit_enter(&l, &wide));
    for (int left = 5; left > 2; left--) {
        assert_false(limit_enter(&l, &narrow));
        limit_leave(&l);
    }
    assert_false(limit_enter(&l, &narrow));
    limit_leave(&l);
    assert_true(limit_enter(&l, &narrow));
}

enum { THREADS = 4, ROUNDS = 20000, MAX = 3 };

static const struct limits_policy few = {.max_requests = MAX};
static struct limit shared;
static atomic_int inside, worst;

static void *hammer(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        if (!limit_enter(&shared, &few))
            continue;
        int now = atomic_fetch_add(&inside, 1) + 1;
        if (now > atomic_load(&worst))
            atomic_store(&worst, now);
        atomic_fetch_sub(&inside, 1);
        limit_leave(&shared);
    }
    return NULL;
}

static void test_never_past_the_maximum_with_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    limit_init(&shared);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&worst), 1, MAX);
    assert_int_equal(atomic_load(&shared.active), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_the_maximum_and_one_past_it),
        cmocka_unit_test(test_lowered_maximum),
        cmocka_unit_test(test_never_past_the_maximum_with_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
