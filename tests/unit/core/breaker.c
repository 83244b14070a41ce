/* One breaker: what each rule counts, how long it stays open, its probes, its ramp, and its generations. */
#include "core/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { T0 = 1000000, FAST = 10, SLOW = 1001 };

/* Opens for 1000, then 2000, to 8000, without chance. */
static const struct breaker_policy plain = {.consecutive_failures = 3,
                                            .slow_ns = 1000,
                                            .open_base_ns = 1000,
                                            .open_max_ns = 8000,
                                            .open_multiplier = 2,
                                            .probes = 1};

struct fixture {
    struct breaker_policy policy;
    struct breaker breaker;
    struct rng rng;
    ns_t now;
};

static void setup(struct fixture *f, struct breaker_policy policy)
{
    *f = (struct fixture){.policy = policy, .now = T0};
    breaker_init(&f->breaker);
    rng_init(&f->rng, 1);
}

static struct breaker_ticket start(struct fixture *f)
{
    struct breaker_ticket t;
    assert_true(breaker_on_start(&f->breaker, &f->policy, f->now, &t));
    return t;
}

/* Gives a result; opens when a rule is met. */
static bool result(struct fixture *f, struct breaker_ticket t, enum breaker_outcome outcome, ns_t latency)
{
    bool met = breaker_on_result(&f->breaker, &f->policy, t, outcome, latency, f->now, &f->rng);
    if (met)
        breaker_open(&f->breaker, &f->policy, f->now, &f->rng);
    return met;
}

/* f: a failure, s: a success, x: an excluded one, l: a slow success, L: a slow failure, +: 100 pass, > 1000 pass. */
static void play(struct fixture *f, const char *steps)
{
    for (const char *s = steps; *s; s++) {
        if (*s == '+' || *s == '>') {
            f->now += *s == '+' ? 100 : 1000;
            continue;
        }
        enum breaker_outcome outcome = *s == 'f' || *s == 'L' ? BREAKER_FAILURE : BREAKER_SUCCESS;
        struct breaker_ticket t = start(f);
        result(f, t, *s == 'x' ? BREAKER_EXCLUDED : outcome, *s == 'l' || *s == 'L' ? SLOW : FAST);
    }
}

static bool is_open(const struct fixture *f)
{
    return f->breaker.state == BREAKER_OPEN;
}

static const struct breaker_policy by_rate = {.failure_rate = {.threshold = 0.5, .window_ns = 1000, .min_requests = 4},
                                              .open_base_ns = 1000,
                                              .open_max_ns = 8000,
                                              .open_multiplier = 2,
                                              .probes = 1};
static const struct breaker_policy by_slow = {.slow_calls = {.threshold = 0.8, .window_ns = 1000, .min_requests = 5},
                                              .slow_ns = 1000,
                                              .open_base_ns = 1000,
                                              .open_max_ns = 8000,
                                              .open_multiplier = 2,
                                              .probes = 1};

/* Each rule at its bound and one before it. */
static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const struct breaker_policy *policy;
        const char *steps;
        bool opens;
    } rows[] = {
        {&plain, "ff", false},
        {&plain, "fff", true},
        {&plain, "ffsff", false},
        {&plain, "ffxf", true},
        {&plain, "ffxxxx", false},
        {&plain, "ff>>>>>>f", true},
        {&plain, "ffsllllll", false}, /* slow is no failure, and no rule asks for it */
        {&by_rate, "fff", false},     /* min_requests */
        {&by_rate, "ffff", true},
        {&by_rate, "fssf", true}, /* just half */
        {&by_rate, "fsssf", false},
        {&by_rate, "ffss", true}, /* a success can complete the number */
        {&by_rate, "fffxxx", false},
        {&by_rate, "ff+++++++++ss", true},   /* 900 later: still counted */
        {&by_rate, "ff++++++++++ss", false}, /* 1000 later: gone */
        {&by_rate, "ff++++++++++ff", false},
        {&by_rate, "ff>>>>>ffss", true},
        {&by_rate, "f+f+f+++++++++s", false}, /* the first has left the window */
        {&by_rate, "ssss+ssss++++++++++ffff", true},
        {&by_slow, "llll", false},
        {&by_slow, "lllll", true},
        {&by_slow, "sllll", true}, /* 80 % */
        {&by_slow, "slllsl", false},
        {&by_slow, "fffff", false}, /* fast failures are not slow */
        {&by_slow, "LLLLL", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup(&f, *rows[i].policy);
        play(&f, rows[i].steps);
        if (is_open(&f) != rows[i].opens)
            fail_msg("row %zu, \"%s\": %s", i, rows[i].steps, breaker_state_name(f.breaker.state));
    }
}

/* A call that takes just slow_ns is not slow. */
static void test_slow_at_its_bound(void **state)
{
    (void)state;
    for (int over = 0; over <= 1; over++) {
        struct fixture f;
        setup(&f, by_slow);
        for (int i = 0; i < 5; i++) {
            struct breaker_ticket t = start(&f);
            result(&f, t, BREAKER_SUCCESS, 1000 + over);
        }
        assert_int_equal(is_open(&f), over);
    }
}

static void test_a_window_shorter_than_its_buckets(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, by_rate);
    f.policy.failure_rate.window_ns = 3;
    play(&f, "ffff");
    assert_true(is_open(&f));
}

/* A reload to another window begins to count anew. */
static void test_changed_window(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, by_rate);
    play(&f, "fff");
    f.policy.failure_rate.window_ns = 2000;
    play(&f, "f");
    assert_false(is_open(&f));
    play(&f, "fff");
    assert_true(is_open(&f));
}

/* Opens, waits, one probe in flight, and what its result does. */
static void test_open_and_half_open(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_ticket probe, other;
    setup(&f, plain);
    play(&f, "fff");
    assert_true(f.breaker.until == T0 + 1000);
    assert_true(breaker_is_out(&f.breaker));
    assert_true(breaker_share(&f.breaker, &f.policy, f.now) == 0);
    f.now = T0 + 999;
    assert_false(breaker_wants_probe(&f.breaker, &f.policy, f.now));
    assert_false(breaker_on_start(&f.breaker, &f.policy, f.now, &other));
    f.now = T0 + 1000;
    assert_true(breaker_wants_probe(&f.breaker, &f.policy, f.now));
    assert_true(breaker_share(&f.breaker, &f.policy, f.now) == 0);
    probe = start(&f);
    assert_true(probe.probe);
    assert_int_equal(f.breaker.state, BREAKER_HALF_OPEN);
    assert_false(breaker_wants_probe(&f.breaker, &f.policy, f.now + 100000));
    assert_false(breaker_on_start(&f.breaker, &f.policy, f.now + 100000, &other));
    result(&f, probe, BREAKER_EXCLUDED, FAST);
    assert_int_equal(f.breaker.state, BREAKER_HALF_OPEN);
    probe = start(&f);
    result(&f, probe, BREAKER_SUCCESS, FAST);
    assert_int_equal(f.breaker.state, BREAKER_CLOSED);
    assert_true(breaker_share(&f.breaker, &f.policy, f.now) == 1);
    assert_false(breaker_wants_probe(&f.breaker, &f.policy, f.now));
}

static void test_probes_in_flight_and_in_a_row(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_ticket t[4];
    setup(&f, plain);
    f.policy.probes = 3;
    play(&f, "fff>");
    for (int i = 0; i < 3; i++)
        t[i] = start(&f);
    assert_false(breaker_on_start(&f.breaker, &f.policy, f.now, &t[3]));
    result(&f, t[0], BREAKER_SUCCESS, FAST);
    t[3] = start(&f);
    assert_false(breaker_wants_probe(&f.breaker, &f.policy, f.now));
    result(&f, t[1], BREAKER_SUCCESS, FAST);
    assert_int_equal(f.breaker.state, BREAKER_HALF_OPEN);
    result(&f, t[2], BREAKER_FAILURE, FAST);
    assert_true(is_open(&f));
    result(&f, t[3], BREAKER_SUCCESS, FAST);
    assert_true(is_open(&f));
    assert_int_equal(f.breaker.probes, 0);
    play(&f, ">>sss");
    assert_int_equal(f.breaker.state, BREAKER_CLOSED);
}

/* A probe that answers slowly has not passed, where slow calls are watched. */
static void test_slow_probe(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, by_slow);
    play(&f, "lllll>l");
    assert_true(is_open(&f));
    setup(&f, plain);
    play(&f, "fff>l");
    assert_int_equal(f.breaker.state, BREAKER_CLOSED);
}

/* Waits of one opening after the other: 1, 2, 4, 8, 8 times the base. */
static void test_growing_wait(void **state)
{
    (void)state;
    static const ns_t waits[] = {1000, 2000, 4000, 8000, 8000};
    struct fixture f;
    setup(&f, plain);
    play(&f, "fff");
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        assert_true(f.breaker.until - f.now == waits[i]);
        f.now = f.breaker.until;
        play(&f, "f");
        assert_true(is_open(&f));
    }
}

/* Closed for as long as the last wait after the ramp: begins at the base again; one less: it grows on. */
static void test_wait_begins_again_after_peace(void **state)
{
    (void)state;
    static const struct {
        ns_t ramp, peace, wait;
    } rows[] = {{0, 999, 2000}, {0, 1000, 1000}, {500, 1499, 2000}, {500, 1500, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        setup(&f, plain);
        f.policy.ramp_ns = rows[i].ramp;
        play(&f, "fff>s");
        f.now += rows[i].peace;
        play(&f, "fff");
        assert_true(f.breaker.until - f.now == rows[i].wait);
    }
}

static void test_multiplier_under_one_does_not_shrink(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, plain);
    f.policy.open_multiplier = 0.5;
    play(&f, "fff>f");
    assert_true(f.breaker.until - f.now == 1000);
}

/* Jitter 50 %: uniform in [0.5, 1.5) of the wait, never past the maximum. */
static void test_jitter(void **state)
{
    (void)state;
    ns_t least = NS_NEVER, most = 0, sum = 0;
    struct fixture f;
    setup(&f, plain);
    f.policy.open_jitter = 0.5;
    for (int i = 0; i < 2000; i++) {
        breaker_init(&f.breaker);
        breaker_open(&f.breaker, &f.policy, f.now, &f.rng);
        ns_t wait = f.breaker.until - f.now;
        least = ns_min(least, wait);
        most = wait > most ? wait : most;
        sum += wait;
    }
    assert_in_range(least, 500, 510);
    assert_in_range(most, 1490, 1499);
    assert_in_range(sum / 2000, 980, 1020);
    f.policy.open_max_ns = 1200;
    for (int i = 0; i < 200; i++) {
        breaker_init(&f.breaker);
        breaker_open(&f.breaker, &f.policy, f.now, &f.rng);
        assert_in_range(f.breaker.until - f.now, 500, 1200);
    }
}

/* The share grows with time; a rule met on the way opens again; the end of the ramp is CLOSED. */
static void test_ramp(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, plain);
    f.policy.ramp_ns = 10000;
    play(&f, "fff>s");
    assert_int_equal(f.breaker.state, BREAKER_RAMPING);
    assert_false(breaker_is_out(&f.breaker));
    static const struct {
        ns_t after;
        double share;
    } rows[] = {{0, 0.001}, {10, 0.001}, {1000, 0.1}, {5000, 0.5}, {9999, 0.9999}, {10000, 1}, {99999, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double share = breaker_share(&f.breaker, &f.policy, f.now + rows[i].after);
        assert_true(share > rows[i].share - 1e-9 && share < rows[i].share + 1e-9);
    }
    struct fixture g = f;
    play(&g, ">fff");
    assert_true(is_open(&g));
    assert_true(g.breaker.until - g.now == 2000);
    g = f;
    g.now += 9999;
    play(&g, "s");
    assert_int_equal(g.breaker.state, BREAKER_RAMPING);
    g.now++;
    play(&g, "ff");
    assert_int_equal(g.breaker.state, BREAKER_CLOSED);
    play(&g, "f"); /* the counts of the ramp go on */
    assert_true(is_open(&g));
    g = f;
    struct breaker_ticket t = start(&g);
    g.now += 10000;
    result(&g, t, BREAKER_SUCCESS, FAST);
    assert_int_equal(g.breaker.state, BREAKER_CLOSED);
}

/* What started before the breaker opened, or before it closed, says nothing any more. */
static void test_older_generations(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_ticket before, probe;
    setup(&f, plain);
    before = start(&f);
    play(&f, "fff");
    for (int i = 0; i < 10; i++)
        assert_false(result(&f, before, BREAKER_FAILURE, FAST));
    f.now += 1000;
    probe = start(&f);
    result(&f, before, BREAKER_FAILURE, FAST);
    result(&f, before, BREAKER_SUCCESS, FAST);
    assert_int_equal(f.breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(f.breaker.probes, 1);
    result(&f, probe, BREAKER_SUCCESS, FAST);
    assert_int_equal(f.breaker.state, BREAKER_CLOSED);
    for (int i = 0; i < 10; i++)
        result(&f, probe, BREAKER_FAILURE, FAST);
    for (int i = 0; i < 10; i++)
        result(&f, before, BREAKER_FAILURE, FAST);
    assert_int_equal(f.breaker.state, BREAKER_CLOSED);
    assert_int_equal(f.breaker.consecutive, 0);
}

static void test_forced_starts_do_not_count(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, plain);
    play(&f, "fff");
    struct breaker_ticket t = breaker_on_forced_start(&f.breaker);
    result(&f, t, BREAKER_SUCCESS, FAST);
    assert_true(is_open(&f));
    f.now += 1000;
    struct breaker_ticket probe = start(&f);
    t = breaker_on_forced_start(&f.breaker);
    result(&f, t, BREAKER_FAILURE, FAST);
    result(&f, t, BREAKER_SUCCESS, FAST);
    assert_int_equal(f.breaker.state, BREAKER_HALF_OPEN);
    result(&f, probe, BREAKER_SUCCESS, FAST);
    assert_int_equal(f.breaker.state, BREAKER_CLOSED);
}

/* Held in by max_open: asks again at each result, until the rule is met no more. */
static void test_held(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, plain);
    struct breaker_ticket t = start(&f);
    for (int i = 0; i < 5; i++) {
        bool met = breaker_on_result(&f.breaker, &f.policy, t, BREAKER_FAILURE, FAST, f.now, &f.rng);
        assert_int_equal(met, i >= 2);
        if (met)
            breaker_hold(&f.breaker);
    }
    assert_true(f.breaker.held);
    assert_true(breaker_share(&f.breaker, &f.policy, f.now) == 1);
    assert_false(breaker_on_result(&f.breaker, &f.policy, t, BREAKER_SUCCESS, FAST, f.now, &f.rng));
    assert_false(f.breaker.held);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"closed", "open", "half_open", "ramping"};
    for (int s = BREAKER_CLOSED; s <= BREAKER_RAMPING; s++)
        assert_string_equal(breaker_state_name((enum breaker_state)s), names[s]);
}

enum { WALKS = 3000, WALK_STEPS = 300, PENDING = 8 };

/* Starts and results in any order: never more probes in flight than allowed, nothing through while open. */
static void walk(uint64_t seed)
{
    struct fixture f;
    struct rng r;
    struct breaker_ticket pending[PENDING];
    int n = 0;
    rng_init(&r, seed);
    setup(&f, plain);
    f.policy.consecutive_failures = (uint32_t)rng_below(&r, 4);
    f.policy.failure_rate = (struct breaker_rate){0.5 * (double)rng_below(&r, 2), 1000, 3};
    f.policy.slow_calls = (struct breaker_rate){0.5 * (double)rng_below(&r, 2), 500, 2};
    f.policy.probes = 1 + (uint32_t)rng_below(&r, 3);
    f.policy.ramp_ns = (ns_t)rng_below(&r, 3) * 700;
    f.policy.open_jitter = 0.5;
    for (int i = 0; i < WALK_STEPS; i++) {
        f.now += (ns_t)rng_below(&r, 300);
        enum breaker_state before = f.breaker.state;
        uint32_t generation = f.breaker.generation;
        if (n < PENDING && rng_below(&r, 2)) {
            bool early = before == BREAKER_OPEN && f.now < f.breaker.until;
            bool started = breaker_on_start(&f.breaker, &f.policy, f.now, &pending[n]);
            assert_false(started && early);
            n += started;
        } else if (n > 0) {
            struct breaker_ticket t = pending[--n];
            result(&f, t, (enum breaker_outcome)rng_below(&r, 3), (ns_t)rng_below(&r, 2000));
            assert_true(t.generation == generation || f.breaker.state == before);
        }
        uint32_t probes = 0;
        for (int k = 0; k < n; k++)
            probes += pending[k].probe && pending[k].generation == f.breaker.generation;
        assert_int_equal(probes, f.breaker.probes);
        assert_true(probes <= f.policy.probes);
        assert_true(f.breaker.state == BREAKER_HALF_OPEN || probes == 0);
        assert_true(breaker_is_out(&f.breaker) == (breaker_share(&f.breaker, &f.policy, f.now) == 0));
        assert_true(f.breaker.failures.hits <= f.breaker.failures.calls);
        assert_true(f.breaker.slow.hits <= f.breaker.slow.calls);
    }
}

static void test_random_walks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WALKS; seed++)
        walk(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_slow_at_its_bound),
        cmocka_unit_test(test_a_window_shorter_than_its_buckets),
        cmocka_unit_test(test_changed_window),
        cmocka_unit_test(test_open_and_half_open),
        cmocka_unit_test(test_probes_in_flight_and_in_a_row),
        cmocka_unit_test(test_slow_probe),
        cmocka_unit_test(test_growing_wait),
        cmocka_unit_test(test_wait_begins_again_after_peace),
        cmocka_unit_test(test_multiplier_under_one_does_not_shrink),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_older_generations),
        cmocka_unit_test(test_forced_starts_do_not_count),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_random_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
