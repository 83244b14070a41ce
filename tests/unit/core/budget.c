/* The retry throttle: what each outcome costs, the half mark at it and one past it, and many threads. */
#include "core/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct budget_policy usual = {.present = true, .max_milli = 10000, .ratio_milli = 100};

/* Steps: f failure, s success, n thousand successes. After them: what is missing, and whether retries are allowed. */
static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        struct budget_policy policy;
        const char *steps;
        unsigned missing;
        bool allowed;
    } rows[] = {
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "", 0, true},
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "s", 0, true},
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "ffff", 4000, true},
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "fffff", 5000, false},
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "fffffs", 4900, true},
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "fffffffffffff", 10000, false},
        {{.present = true, .max_milli = 10000, .ratio_milli = 100}, "fffffffffffffn", 0, true},
        {{.present = true, .max_milli = 10000, .ratio_milli = 1}, "fffffs", 4999, true},
        {{.present = true, .max_milli = 10000, .ratio_milli = 3000}, "ffs", 0, true},
        {{.present = true, .max_milli = 9000, .ratio_milli = 100}, "ffff", 4000, true},
        {{.present = true, .max_milli = 9000, .ratio_milli = 100}, "fffff", 5000, false},
        {{.present = true, .max_milli = 1000, .ratio_milli = 100}, "f", 1000, false},
        {{.present = true, .max_milli = 1000, .ratio_milli = 100}, "fsssss", 500, false},
        {{.present = true, .max_milli = 1000, .ratio_milli = 100}, "fssssss", 400, true},
        {{.present = true, .max_milli = 1000000, .ratio_milli = 100}, "n", 0, true},
        {{.present = false}, "ffffffffffffff", 0, true},
        {{.present = false}, "fs", 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct budget b;
        bool allowed = true;
        budget_init(&b);
        for (const char *s = rows[i].steps; *s; s++) {
            if (*s == 'f')
                allowed = budget_on_failure(&b, &rows[i].policy);
            for (int n = *s == 's' ? 1 : *s == 'n' ? 1000 : 0; n > 0; n--)
                budget_on_success(&b, &rows[i].policy);
            if (*s == 'f')
                assert_int_equal(allowed, budget_allows(&b, &rows[i].policy));
        }
        assert_int_equal(b.missing_milli, rows[i].missing);
        assert_int_equal(budget_allows(&b, &rows[i].policy), rows[i].allowed);
    }
}

/* A reload to a smaller maximum never leaves more missing than there is, from the next failure on. */
static void test_lowered_maximum(void **state)
{
    (void)state;
    const struct budget_policy small = {.present = true, .max_milli = 3000, .ratio_milli = 100};
    struct budget b;
    budget_init(&b);
    for (int i = 0; i < 8; i++)
        budget_on_failure(&b, &usual);
    assert_false(budget_allows(&b, &small));
    assert_false(budget_on_failure(&b, &small));
    assert_int_equal(b.missing_milli, 3000);
    assert_true(budget_allows(&b, &usual));
}

static void test_tokens_that_are_there(void **state)
{
    (void)state;
    static const struct budget_policy full = {.present = true, .max_milli = 2500, .ratio_milli = 100};
    struct budget b;
    budget_init(&b);
    assert_int_equal(budget_tokens_milli(&b, &full), 2500);
    budget_on_failure(&b, &full);
    budget_on_success(&b, &full);
    assert_int_equal(budget_tokens_milli(&b, &full), 1600);
    budget_on_failure(&b, &full);
    budget_on_failure(&b, &full);
    assert_int_equal(budget_tokens_milli(&b, &full), 0);
    assert_int_equal(budget_tokens_milli(&b, &(struct budget_policy){.present = true, .max_milli = 1000}), 0);
}

enum { THREADS = 4, ROUNDS = 20000 };

static struct budget shared;
static const struct budget_policy big = {.present = true, .max_milli = 1000000000, .ratio_milli = 1000};

static void *hammer(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        budget_on_failure(&shared, &big);
        budget_on_failure(&shared, &big);
        budget_on_success(&shared, &big);
    }
    return NULL;
}

static void test_nothing_is_lost_between_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    budget_init(&shared);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.missing_milli, THREADS * ROUNDS * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_lowered_maximum),
        cmocka_unit_test(test_tokens_that_are_there),
        cmocka_unit_test(test_nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
