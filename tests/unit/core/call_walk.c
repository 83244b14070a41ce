/* The call machine on random walks: what must hold whatever comes in whatever order. */
#include "call_fixture.h"

enum { WALKS = 20000, WALK_EVENTS = 60 };

/* What must hold of a whole life, counted from its actions. */
struct ledger {
    int started, waits, leaves, headers, answers, fails, resets, dones;
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
    bool trying = f->call.state == CALL_TRYING || f->call.state == CALL_STREAMING;
    assert_int_equal(inflight, trying);
    assert_int_equal(f->limit.pending, f->call.state == CALL_WAITING);
    assert_int_equal(l->waits - l->leaves, f->call.state == CALL_WAITING);
    assert_int_equal(f->limit.active, f->call.state != CALL_IDLE && f->call.state != CALL_ENDED);
    assert_int_equal(l->dones, f->call.state == CALL_ENDED);
    assert_int_equal(l->answers + l->fails, l->dones && !l->cancelled);
    assert_true(l->headers <= 1);
}

static struct call_event random_event(struct rng *r, ns_t now)
{
    struct call_event e = {.kind = (enum call_event_kind)rng_below(r, CALL_EV_DRAIN + 1), .now = now};
    e.broken = (enum call_broken)rng_below(r, CALL_BROKEN_PROTOCOL + 1);
    e.code = (uint32_t)rng_below(r, 16);
    e.unprocessed = rng_below(r, 2);
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
    f->call.request_ended = rng_below(r, 2);
}

/* Any event in any order: one end, nothing held after it, no action after DONE, none sent after the deadline. */
static void walk(uint64_t seed)
{
    struct fixture f;
    struct ledger l = {0};
    struct rng r;
    ns_t now = T0;
    rng_init(&r, seed);
    setup(&f, ENDPOINTS);
    f.balance.kind = (enum balance_kind)rng_below(&r, BALANCE_LEAST_REQUEST + 1);
    f.method = (struct method_policy){.timeout_ns = (ns_t)rng_below(&r, 3) * 700,
                                      .idle_timeout_ns = (ns_t)rng_below(&r, 3) * 300};
    f.limits.max_requests = (uint32_t)rng_below(&r, 3);
    f.limits.max_pending = (uint32_t)rng_below(&r, 3);
    f.limits.pending_timeout_ns = 400;
    for (int i = 0; i < WALK_EVENTS; i++) {
        if (rng_below(&r, 3) == 0)
            shake(&f, &r, now);
        struct call_event e = random_event(&r, now);
        int attempts = l.started;
        l.cancelled |= e.kind == CALL_EV_CANCEL && f.call.state != CALL_IDLE && f.call.state != CALL_ENDED;
        call_step(&f.call, &f.env, &e, &f.actions);
        book(&l, &f.actions);
        check_step(&f, &l);
        assert_true(l.started == attempts || now < f.call.deadline);
        ns_t wake = call_next_wake(&f.call, &f.method);
        now += (ns_t)rng_below(&r, 100);
        assert_true(wake > e.now || e.kind != CALL_EV_TIMER);
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
        cmocka_unit_test(test_random_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
