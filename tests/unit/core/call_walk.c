/* The call machine on random walks: what must hold whatever comes in whatever order. */
#include "call_fixture.h"

enum { WALKS = 20000, WALK_EVENTS = 60 };

/* What must hold of a whole life, counted from its actions. */
struct ledger {
    int started, waits, leaves, holds, headers, answers, fails, resets, dones;
    bool cancelled;
};

static void book(struct ledger *l, const struct call_actions *actions)
{
    assert_true(l->dones == 0 || actions->n == 0);
    for (unsigned i = 0; i < actions->n; i++) {
        const struct call_action *a = &actions->v[i];
        l->started += a->kind == CALL_START_ATTEMPT;
        l->waits += a->kind == CALL_WAIT;
        l->leaves += a->kind == CALL_LEAVE_QUEUE;
        l->holds += a->kind == CALL_HOLD_HEADERS;
        l->headers += a->kind == CALL_FORWARD_HEADERS;
        l->answers += a->kind == CALL_FORWARD_TRAILERS;
        l->fails += a->kind == CALL_FAIL;
        l->resets += a->kind == CALL_RESET_ATTEMPT;
        l->dones += a->kind == CALL_DONE;
        assert_int_equal(a->kind == CALL_DONE, l->dones == 1);
        assert_true(a->kind != CALL_FAIL || (a->status != STATUS_OK && a->reason != REASON_NONE));
    }
}

static void check_step(const struct fixture *f, const struct ledger *l)
{
    unsigned inflight = 0;
    for (int i = 0; i < ENDPOINTS; i++) {
        assert_int_equal(f->candidates[i].inflight, f->endpoints[i].inflight);
        inflight += f->candidates[i].inflight;
    }
    enum call_state s = f->call.state;
    bool trying = s == CALL_TRYING || s == CALL_HOLDING || s == CALL_STREAMING;
    assert_int_equal(inflight, trying);
    assert_int_equal(f->limit.pending, f->call.state == CALL_WAITING);
    assert_int_equal(l->waits - l->leaves, f->call.state == CALL_WAITING);
    assert_int_equal(f->limit.active, f->call.state != CALL_IDLE && f->call.state != CALL_ENDED);
    assert_int_equal(l->dones, f->call.state == CALL_ENDED);
    assert_int_equal(l->answers + l->fails, l->dones && !l->cancelled);
    assert_true(l->headers <= 1);
    assert_true(l->headers == 0 || s == CALL_STREAMING || s == CALL_ENDED);
    assert_int_equal(f->call.attempts, l->started);
    assert_true(f->call.previous < CALL_RETRIES_MAX && (!f->method.retry || f->call.previous < f->retry.max_attempts));
    assert_true(f->method.retry || (f->call.previous == 0 && l->holds == 0));
    assert_true(f->budget.missing_milli <= f->budget_policy.max_milli);
}

/* Probes in flight are those of the call's own attempt. */
static void check_breakers(struct fixture *f)
{
    for (uint32_t i = 0; f->env.breaker && i < ENDPOINTS; i++) {
        struct breaker b = breaker_view_read(&f->breaker, &f->endpoints[i]);
        bool own = f->call.candidate == (int)i && f->call.ticket.probe && !f->call.judged;
        assert_int_equal(b.probes, own);
        assert_int_equal(f->endpoints[i].troubled, b.state != BREAKER_CLOSED);
    }
}

static struct call_event random_event(struct rng *r, ns_t now)
{
    struct call_event e = {.kind = (enum call_event_kind)rng_below(r, CALL_EV_DRAIN + 1), .now = now};
    e.broken = (enum call_broken)rng_below(r, CALL_BROKEN_PROTOCOL + 1);
    e.code = (uint32_t)rng_below(r, 16);
    e.unprocessed = rng_below(r, 4) == 0;
    e.status = rng_below(r, 2) ? STATUS_UNAVAILABLE : (uint32_t)rng_below(r, 20);
    e.pushback = rng_below(r, 4) ? CALL_PUSHBACK_ABSENT : (enum call_pushback)rng_below(r, 3);
    e.pushback_ns = (ns_t)rng_below(r, 300);
    e.timeout_ns = rng_below(r, 2) ? NS_NEVER : (ns_t)rng_below(r, 2000);
    if (e.kind >= CALL_EV_CANCEL && rng_below(r, 4) != 0)
        e.kind = CALL_EV_RESET;
    return e;
}

static void shake(struct fixture *f, struct rng *r, ns_t now)
{
    struct candidate *c = &f->candidates[rng_below(r, ENDPOINTS)];
    c->state = (enum candidate_state)rng_below(r, CANDIDATE_BACKOFF + 1);
    c->room = c->state == CANDIDATE_READY ? (uint32_t)rng_below(r, 2) : 0;
    c->backoff_until = now + (ns_t)rng_below(r, 100);
    f->call.uncommitted = rng_below(r, 8) != 0;
    f->call.request_ended = f->call.one_message = rng_below(r, 2);
    f->call.request_ended_at = now;
}

/* Each policy is on in some of the walks. */
static void choose_policies(struct fixture *f, struct rng *r)
{
    f->balance.kind = (enum balance_kind)rng_below(r, BALANCE_PEAK_EWMA + 1);
    f->balance.options.slow_start_ns = (ns_t)rng_below(r, 2) * 500;
    f->method = (struct method_policy){.timeout_ns = (ns_t)rng_below(r, 3) * 700,
                                       .idle_timeout_ns = (ns_t)rng_below(r, 3) * 300,
                                       .kind = (enum method_kind)rng_below(r, 3)};
    f->limits.max_requests = (uint32_t)rng_below(r, 3);
    f->limits.max_pending = (uint32_t)rng_below(r, 3);
    f->limits.pending_timeout_ns = 400;
    f->retry = (struct retry_policy){.max_attempts = (uint8_t)(2 + rng_below(r, 4)),
                                     .hold_headers = rng_below(r, 4) > 0,
                                     .on = STATUS_BIT(STATUS_UNAVAILABLE) | STATUS_BIT(STATUS_INTERNAL),
                                     .backoff_initial_ns = 30,
                                     .backoff_max_ns = 100,
                                     .backoff_multiplier = 2,
                                     .per_try_timeout_ns = (ns_t)rng_below(r, 2) * 150};
    f->method.retry = rng_below(r, 4) > 0 ? &f->retry : NULL;
    f->budget_policy = (struct budget_policy){.present = rng_below(r, 2), .max_milli = 5000, .ratio_milli = 100};
    f->env.budget = rng_below(r, 2) ? &f->budget : NULL;
    f->env.budget_policy = &f->budget_policy;
}

static void choose_breaker(struct fixture *f, struct rng *r)
{
    f->breaker_policy = (struct breaker_policy){.scope = BREAKER_SCOPE_ENDPOINT,
                                                .consecutive_failures = 1,
                                                .failures = STATUS_BIT(STATUS_UNAVAILABLE),
                                                .open_base_ns = 50,
                                                .open_max_ns = 200,
                                                .open_multiplier = 2,
                                                .open_jitter = 0.5,
                                                .probes = 1,
                                                .ramp_ns = (ns_t)rng_below(r, 2) * 100,
                                                .max_open = 0.5,
                                                .try_when_all_open = rng_below(r, 2)};
    const struct policy policy = {.name = "", .breaker = &f->breaker_policy};
    f->breaker = breaker_set_view(&f->breaker_set, &policy, NULL);
    if (rng_below(r, 2))
        f->env.breaker = &f->breaker;
    for (uint32_t i = 0; i < ENDPOINTS; i++)
        breaker_view_prepare(&f->breaker, &f->endpoints[i]);
}

/* Steps that ended in each state, over all walks. */
static unsigned long reached[CALL_ENDED + 1];

/* Any event in any order: one end, nothing held after it, no action after DONE, none sent after the deadline. */
static void walk(uint64_t seed)
{
    struct fixture f;
    struct ledger l = {0};
    struct rng r;
    ns_t now = T0;
    rng_init(&r, seed);
    setup(&f, ENDPOINTS);
    breaker_set_init(&f.breaker_set, false);
    choose_policies(&f, &r);
    choose_breaker(&f, &r);
    for (int i = (int)rng_below(&r, 8); i > 0; i--)
        shake(&f, &r, now);
    for (int i = 0; i < WALK_EVENTS; i++) {
        if (rng_below(&r, 3) == 0)
            shake(&f, &r, now);
        struct call_event e = random_event(&r, now);
        if (f.call.state == CALL_IDLE && rng_below(&r, 4) != 0)
            e.kind = CALL_EV_START;
        else if (f.call.state == CALL_TRYING && rng_below(&r, 2) == 0)
            e.kind = CALL_EV_HEADERS;
        int attempts = l.started;
        l.cancelled |= e.kind == CALL_EV_CANCEL && f.call.state != CALL_IDLE && f.call.state != CALL_ENDED;
        call_step(&f.call, &f.env, &e, &f.actions);
        book(&l, &f.actions);
        check_step(&f, &l);
        check_breakers(&f);
        assert_true(l.started == attempts || now < f.call.deadline);
        ns_t wake = call_next_wake(&f.call, &f.method);
        now += (ns_t)rng_below(&r, 100);
        assert_true(wake > e.now || e.kind != CALL_EV_TIMER);
        reached[f.call.state]++;
    }
    for (uint32_t i = 0; i < ENDPOINTS; i++)
        endpoint_fini(&f.endpoints[i]);
    breaker_set_fini(&f.breaker_set);
}

static void test_random_walks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WALKS; seed++)
        walk(seed);
    for (int s = CALL_WAITING; s <= CALL_ENDED; s++)
        assert_true(reached[s] > WALKS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
