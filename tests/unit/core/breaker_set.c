/* The breakers of a service: which calls share one, how many endpoints may be out, and what waits when all are. */
#include "core/breaker_set.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { N = 5, T0 = 1000000 };

struct fixture {
    struct rng rng;
    struct endpoint endpoints[N];
    struct candidate candidates[N];
    struct breaker_policy breaker;
    struct policy policy;
    struct breaker_set set;
    struct method_entry entry;
    struct breaker_view view;
    uint32_t n;
};

static void setup(struct fixture *f, enum breaker_scope scope, uint32_t n, double max_open)
{
    *f = (struct fixture){.n = n};
    rng_init(&f->rng, 1);
    f->breaker = (struct breaker_policy){.scope = scope,
                                         .consecutive_failures = 2,
                                         .open_base_ns = 1000,
                                         .open_max_ns = 4000,
                                         .open_multiplier = 2,
                                         .probes = 1,
                                         .max_open = max_open};
    f->policy = (struct policy){.name = "p", .breaker = &f->breaker};
    breaker_set_init(&f->set, false);
    f->entry.path = SLICE("/p.Pay/Charge");
    f->view = breaker_set_view(&f->set, &f->policy, &f->entry);
    for (uint32_t i = 0; i < n; i++) {
        endpoint_init(&f->endpoints[i], &(struct address){.kind = ADDRESS_IPV4});
        candidate_init(&f->candidates[i], &f->endpoints[i]);
        candidate_on_connected(&f->candidates[i], 0);
    }
}

static void teardown(struct fixture *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        endpoint_fini(&f->endpoints[i]);
    breaker_set_fini(&f->set);
}

/* An attempt at endpoint i that ends with the outcome at once. False when it may not start. */
static bool attempt(struct fixture *f, const struct breaker_view *v, uint32_t i, enum breaker_outcome outcome, ns_t now)
{
    struct breaker_ticket t;
    breaker_view_prepare(v, &f->endpoints[i]);
    if (!breaker_view_start(v, &f->endpoints[i], false, now, &t))
        return false;
    breaker_view_result(v, f->candidates, f->n, i, t, outcome, 0, now, &f->rng);
    return true;
}

static void fail_twice(struct fixture *f, uint32_t i)
{
    attempt(f, &f->view, i, BREAKER_FAILURE, T0);
    attempt(f, &f->view, i, BREAKER_FAILURE, T0);
}

static bool is_out(struct fixture *f, uint32_t i)
{
    struct breaker b = breaker_view_read(&f->view, &f->endpoints[i]);
    return breaker_is_out(&b);
}

/* Endpoints fail in order; how many are out then. The last column: of those that fail, how many have no connection. */
static void test_how_many_may_be_out(void **state)
{
    (void)state;
    static const struct {
        uint32_t n;
        double max_open;
        uint32_t failing, unconnected, out;
    } rows[] = {
        {1, 0.5, 1, 0, 1},                                        /* a single one can open */
        {1, 0, 1, 0, 1},    {2, 0.5, 1, 0, 1}, {2, 0.1, 1, 0, 1}, /* at least one of two */
        {2, 0, 1, 0, 1},    {2, 0.5, 2, 0, 2},                    /* no healthy one remains: no cap */
        {3, 0.5, 1, 0, 1},  {3, 0.5, 2, 0, 1},                    /* the third is well: the second is held */
        {3, 0.5, 3, 0, 2}, /* the third opens; the second opens at its next result */
        {3, 0.67, 2, 0, 2}, {4, 0.5, 3, 0, 2}, {4, 1, 3, 0, 3},   {5, 0.2, 2, 0, 1},
        {5, 0.6, 4, 0, 3},  {5, 0.6, 4, 1, 4}, /* the one without a connection does not count against it */
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct fixture f;
        uint32_t out = 0;
        setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, rows[k].n, rows[k].max_open);
        for (uint32_t i = 0; i < rows[k].failing; i++) {
            fail_twice(&f, i);
            if (i < rows[k].unconnected)
                f.candidates[i].state = CANDIDATE_BACKOFF;
        }
        for (uint32_t i = 0; i < f.n; i++)
            out += is_out(&f, i);
        if (out != rows[k].out)
            fail_msg("row %zu: %u out", k, out);
        teardown(&f);
    }
}

/* The one that was held opens when the last healthy one is gone: failed, or without a connection. */
static void test_held_ones_follow(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct fixture f;
        setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 3, 0.5);
        fail_twice(&f, 0);
        fail_twice(&f, 1);
        assert_false(is_out(&f, 1));
        attempt(&f, &f.view, 1, BREAKER_FAILURE, T0);
        assert_false(is_out(&f, 1));
        if (lost)
            f.candidates[2].state = CANDIDATE_IDLE;
        else
            fail_twice(&f, 2);
        attempt(&f, &f.view, 1, BREAKER_FAILURE, T0);
        assert_true(is_out(&f, 1));
        teardown(&f);
    }
}

/* Who shares a breaker with whom, by scope. */
static void test_scopes(void **state)
{
    (void)state;
    static const struct {
        enum breaker_scope scope;
        bool other_method, other_endpoint;
    } rows[] = {{BREAKER_SCOPE_ENDPOINT_METHOD, false, false},
                {BREAKER_SCOPE_ENDPOINT, true, false},
                {BREAKER_SCOPE_SERVICE, true, true}};
    for (size_t k = 0; k < 3; k++) {
        struct fixture f;
        setup(&f, rows[k].scope, 2, 0.5);
        struct method_entry other = {.path = SLICE("/p.Pay/Get")};
        struct breaker_view get = breaker_set_view(&f.set, &f.policy, &other);
        attempt(&f, &get, 0, BREAKER_SUCCESS, T0);
        fail_twice(&f, 0);
        assert_true(breaker_view_share(&f.view, &f.endpoints[0], T0) == 0);
        assert_int_equal(breaker_view_share(&get, &f.endpoints[0], T0) == 0, rows[k].other_method);
        assert_int_equal(breaker_view_share(&f.view, &f.endpoints[1], T0) == 0, rows[k].other_endpoint);
        assert_int_equal(f.endpoints[0].troubled, rows[k].scope != BREAKER_SCOPE_SERVICE);
        assert_false(attempt(&f, &f.view, 0, BREAKER_SUCCESS, T0 + 999));
        assert_true(breaker_view_wants_probe(&f.view, &f.endpoints[0], T0 + 1000));
        assert_true(attempt(&f, &f.view, 0, BREAKER_SUCCESS, T0 + 1000));
        assert_int_equal(f.endpoints[0].troubled, 0);
        assert_false(breaker_view_wants_probe(&f.view, &f.endpoints[0], T0 + 1000));
        teardown(&f);
    }
}

static void test_without_a_breaker(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BREAKER_SCOPE_ENDPOINT, 1, 0.5);
    const struct policy none = {.name = ""};
    struct breaker_view v = breaker_set_view(&f.set, &none, &f.entry);
    assert_null(v.policy);
    breaker_view_prepare(&v, &f.endpoints[0]);
    assert_null(f.endpoints[0].breakers);
    teardown(&f);
}

/* An attempt at an endpoint whose breaker could not be made goes uncounted. */
static void test_not_prepared(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_ticket t = {7, true};
    setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 1, 0.5);
    atomic_store(&f.endpoints[0].troubled, 1); /* by another method */
    assert_true(breaker_view_share(&f.view, &f.endpoints[0], T0) == 1);
    assert_false(breaker_view_wants_probe(&f.view, &f.endpoints[0], T0));
    assert_true(breaker_view_start(&f.view, &f.endpoints[0], false, T0, &t));
    assert_int_equal(t.generation, 0);
    assert_false(t.probe);
    breaker_view_result(&f.view, f.candidates, 1, 0, t, BREAKER_FAILURE, 0, T0, &f.rng);
    assert_int_equal(breaker_view_read(&f.view, &f.endpoints[0]).state, BREAKER_CLOSED);
    breaker_view_prepare(&f.view, &f.endpoints[0]);
    breaker_view_result(&f.view, f.candidates, 1, 0, t, BREAKER_FAILURE, 0, T0, &f.rng);
    assert_int_equal(breaker_view_read(&f.view, &f.endpoints[0]).consecutive, 1); /* made on the way: counts */
    teardown(&f);
}

static void test_forced(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_ticket t;
    setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 1, 0.5);
    fail_twice(&f, 0);
    assert_false(breaker_view_start(&f.view, &f.endpoints[0], false, T0, &t));
    assert_true(breaker_view_start(&f.view, &f.endpoints[0], true, T0, &t));
    breaker_view_result(&f.view, f.candidates, 1, 0, t, BREAKER_SUCCESS, 0, T0, &f.rng);
    assert_true(is_out(&f, 0));
    teardown(&f);
}

static void test_retry_after(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 3, 1);
    attempt(&f, &f.view, 0, BREAKER_FAILURE, T0);
    attempt(&f, &f.view, 0, BREAKER_FAILURE, T0 + 300);
    fail_twice(&f, 1);
    fail_twice(&f, 2);
    assert_int_equal(breaker_view_retry_after(&f.view, f.candidates, 3, T0 + 400), 600);
    f.candidates[1].state = f.candidates[2].state = CANDIDATE_IDLE;
    assert_int_equal(breaker_view_retry_after(&f.view, f.candidates, 3, T0 + 400), 900);
    assert_int_equal(breaker_view_retry_after(&f.view, f.candidates, 3, T0 + 1300), 1);
    struct breaker_ticket probe;
    assert_true(breaker_view_start(&f.view, &f.endpoints[0], false, T0 + 1300, &probe));
    assert_int_equal(breaker_view_retry_after(&f.view, f.candidates, 3, T0 + 1300), 1000);
    teardown(&f);
}

/* Methods: named ones each their own, of the others as many as the bound, the rest share one. */
static void test_methods_at_the_bound_and_past_it(void **state)
{
    (void)state;
    static struct policy_method named[] = {{.service = SLICE("a.Named"), .method = SLICE("M")},
                                           {.service = SLICE("a.Named")}};
    struct fixture f;
    char paths[BREAKER_METHODS_MAX + 2][32];
    uint32_t last = 0, first_shared = 0;
    setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 1, 0.5);
    f.policy.methods = named;
    f.policy.methods_n = 2;
    for (int i = 0; i < BREAKER_METHODS_MAX + 2; i++) {
        snprintf(paths[i], sizeof paths[i], "/a.Named/X%d", i); /* named by its service alone: not named */
        struct method_entry e = {.path = slice_str(paths[i])};
        uint32_t index = breaker_set_view(&f.set, &f.policy, &e).index;
        assert_int_equal(e.breaker, index);
        assert_int_equal(breaker_set_view(&f.set, &f.policy, &e).index, index);
        if (i < BREAKER_METHODS_MAX - 1) /* the fixture's own method is one of them */
            assert_true(index > last);
        else
            assert_true(first_shared == 0 || index == first_shared);
        if (i >= BREAKER_METHODS_MAX - 1)
            first_shared = index;
        last = index;
    }
    struct method_entry other = {.path = SLICE("")}, charge = {.path = f.entry.path};
    struct method_entry m = {.path = SLICE("/a.Named/M")}, again = m;
    assert_int_equal(breaker_set_view(&f.set, &f.policy, &other).index, first_shared);
    uint32_t own = breaker_set_view(&f.set, &f.policy, &m).index;
    assert_int_not_equal(own, first_shared);
    assert_int_equal(breaker_set_view(&f.set, &f.policy, &again).index, own);
    assert_int_equal(breaker_set_view(&f.set, &f.policy, &charge).index, f.view.index);
    struct breaker_view far = breaker_set_view(&f.set, &f.policy, &m);
    assert_true(attempt(&f, &far, 0, BREAKER_FAILURE, T0));
    assert_true(attempt(&f, &f.view, 0, BREAKER_FAILURE, T0));
    assert_int_equal(breaker_view_read(&far, &f.endpoints[0]).consecutive, 1);
    teardown(&f);
}

enum { THREADS = 4, ROUNDS = 20000 };

static struct fixture shared;
static atomic_int probes, worst;

/* Each thread is a worker: starts what it may, and holds probes for a moment. */
static void *hammer(void *seed)
{
    struct rng rng;
    rng_init(&rng, (uint64_t)(uintptr_t)seed);
    for (int i = 0; i < ROUNDS; i++) {
        struct breaker_ticket t;
        ns_t now = T0 + i;
        breaker_view_prepare(&shared.view, &shared.endpoints[0]);
        if (!breaker_view_start(&shared.view, &shared.endpoints[0], false, now, &t))
            continue;
        int in = t.probe ? atomic_fetch_add(&probes, 1) + 1 : 0;
        if (in > atomic_load(&worst))
            atomic_store(&worst, in);
        if (t.probe)
            atomic_fetch_sub(&probes, 1);
        breaker_view_result(&shared.view, shared.candidates, 1, 0, t,
                            rng_below(&rng, 3) ? BREAKER_FAILURE : BREAKER_SUCCESS, 0, now, &rng);
    }
    return NULL;
}

static void test_probes_with_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    setup(&shared, BREAKER_SCOPE_ENDPOINT_METHOD, 1, 0.5);
    shared.set.shared = true;
    shared.breaker.open_base_ns = shared.breaker.open_max_ns = 3;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&worst), 1, 1);
    assert_int_equal(breaker_view_read(&shared.view, &shared.endpoints[0]).probes, 0);
    assert_int_equal(shared.endpoints[0].troubled,
                     breaker_view_read(&shared.view, &shared.endpoints[0]).state != BREAKER_CLOSED);
    teardown(&shared);
}

struct facts {
    struct breaker_fact v[8];
    int n;
};

static void collect(void *ctx, const struct breaker_fact *fact)
{
    struct facts *all = ctx;
    assert_in_range(all->n, 0, 7);
    all->v[all->n++] = *fact;
}

static struct facts facts_of(struct fixture *f, const struct endpoint *e, ns_t now)
{
    struct facts all = {.n = 0};
    breaker_set_each(&f->set, &f->breaker, e, now, collect, &all);
    return all;
}

static void assert_fact(const struct breaker_fact *f, const char *method, enum breaker_state state, uint32_t opened,
                        ns_t probe_in_ns)
{
    assert_int_equal(f->method.n, strlen(method));
    assert_memory_equal(f->method.p, method, f->method.n);
    assert_int_equal(f->state, state);
    assert_int_equal(f->opened, opened);
    assert_int_equal(f->probe_in_ns, probe_in_ns);
}

/* A breaker through all of its states, as pages see it. */
static void test_facts(void **state)
{
    (void)state;
    struct fixture f;
    struct breaker_ticket probe;
    setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 1, 0.5);
    f.breaker.ramp_ns = 100;
    struct method_entry past = {.path = SLICE("")};
    struct breaker_view other = breaker_set_view(&f.set, &f.policy, &past);
    assert_int_equal(facts_of(&f, &f.endpoints[0], T0).n, 0); /* none was used */
    attempt(&f, &other, 0, BREAKER_SUCCESS, T0);
    fail_twice(&f, 0);
    struct facts all = facts_of(&f, &f.endpoints[0], T0 + 400);
    assert_int_equal(all.n, 2);
    assert_fact(&all.v[0], "other", BREAKER_CLOSED, 0, NS_NEVER);
    assert_fact(&all.v[1], "p.Pay/Charge", BREAKER_OPEN, 1, 600);
    assert_int_equal(all.v[1].since, T0);
    all = facts_of(&f, &f.endpoints[0], T0 + 1000);
    assert_fact(&all.v[1], "p.Pay/Charge", BREAKER_OPEN, 1, 0);
    assert_true(breaker_view_start(&f.view, &f.endpoints[0], false, T0 + 1000, &probe));
    all = facts_of(&f, &f.endpoints[0], T0 + 1000);
    assert_fact(&all.v[1], "p.Pay/Charge", BREAKER_HALF_OPEN, 1, NS_NEVER);
    breaker_view_result(&f.view, f.candidates, 1, 0, probe, BREAKER_SUCCESS, 0, T0 + 1000, &f.rng);
    all = facts_of(&f, &f.endpoints[0], T0 + 1099);
    assert_fact(&all.v[1], "p.Pay/Charge", BREAKER_RAMPING, 1, NS_NEVER);
    all = facts_of(&f, &f.endpoints[0], T0 + 1100); /* nothing has told it yet */
    assert_fact(&all.v[1], "p.Pay/Charge", BREAKER_CLOSED, 1, NS_NEVER);
    teardown(&f);
}

/* What the policy does not use is not told: breakers of the scope before a reload stay in memory. */
static void test_facts_by_scope(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, BREAKER_SCOPE_ENDPOINT_METHOD, 3, 0.1);
    fail_twice(&f, 0);
    fail_twice(&f, 1);
    assert_int_equal(facts_of(&f, NULL, T0).n, 0);
    assert_true(facts_of(&f, &f.endpoints[1], T0).v[0].held);
    f.breaker.scope = BREAKER_SCOPE_ENDPOINT;
    assert_int_equal(facts_of(&f, &f.endpoints[0], T0).n, 0);
    f.view = breaker_set_view(&f.set, &f.policy, &f.entry);
    fail_twice(&f, 0);
    struct facts all = facts_of(&f, &f.endpoints[0], T0);
    assert_int_equal(all.n, 1);
    assert_fact(&all.v[0], "", BREAKER_OPEN, 1, 1000);
    f.breaker.scope = BREAKER_SCOPE_SERVICE;
    assert_int_equal(facts_of(&f, &f.endpoints[0], T0).n, 0);
    all = facts_of(&f, NULL, T0);
    assert_int_equal(all.n, 1);
    assert_fact(&all.v[0], "", BREAKER_CLOSED, 0, NS_NEVER);
    teardown(&f);
}

static atomic_bool over;

static void *read_all(void *unused)
{
    (void)unused;
    while (!atomic_load(&over))
        for (uint32_t i = 0; i < shared.n; i++)
            facts_of(&shared, &shared.endpoints[i], T0);
    return NULL;
}

/* A lone worker makes and moves breakers while another thread reads them; for the thread sanitizer. */
static void test_reading_beside_a_lone_worker(void **state)
{
    (void)state;
    pthread_t reader;
    setup(&shared, BREAKER_SCOPE_ENDPOINT_METHOD, 3, 0.1);
    shared.breaker.open_base_ns = shared.breaker.open_max_ns = 3;
    shared.breaker.ramp_ns = 2;
    assert_int_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
    struct method_entry entries[6];
    char paths[6][16];
    for (int k = 0; k < 6; k++) {
        snprintf(paths[k], sizeof paths[k], "/p.Pay/M%d", k);
        entries[k] = (struct method_entry){.path = slice_str(paths[k])};
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct breaker_view v = breaker_set_view(&shared.set, &shared.policy, &entries[i / (ROUNDS / 6 + 1)]);
        bool fails = rng_below(&shared.rng, 3) > 0;
        attempt(&shared, &v, (uint32_t)i % 3, fails ? BREAKER_FAILURE : BREAKER_SUCCESS, T0 + i);
    }
    atomic_store(&over, true);
    pthread_join(reader, NULL);
    struct facts all = facts_of(&shared, &shared.endpoints[0], T0 + ROUNDS);
    assert_int_equal(all.n, 6);
    assert_true(all.v[0].opened > 1);
    teardown(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_many_may_be_out),
        cmocka_unit_test(test_held_ones_follow),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_without_a_breaker),
        cmocka_unit_test(test_not_prepared),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_methods_at_the_bound_and_past_it),
        cmocka_unit_test(test_probes_with_threads),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_facts_by_scope),
        cmocka_unit_test(test_reading_beside_a_lone_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
