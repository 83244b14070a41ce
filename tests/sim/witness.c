/* Stands between the exchanges and the call machine: counts which transitions are made, and checks each step against
 * the rules of gRFC A6 as the policy in force has them. */
#include "sim.h"

#include "core/call.h"

#include <stdio.h>

enum { STATES = CALL_ENDED + 1 };

static const struct sim *sim;
static unsigned long counts[STATES][STATES];

static const char *const names[STATES] = {
    [CALL_IDLE] = "IDLE",     [CALL_WAITING] = "WAITING", [CALL_BACKING_OFF] = "BACKING_OFF",
    [CALL_TRYING] = "TRYING", [CALL_HOLDING] = "HOLDING", [CALL_STREAMING] = "STREAMING",
    [CALL_ENDED] = "ENDED",
};

/* Those of the diagram in core/call.h. */
#define TO(state) (1u << CALL_##state)
static const unsigned wanted[STATES] = {
    [CALL_IDLE] = TO(WAITING) | TO(TRYING) | TO(BACKING_OFF) | TO(ENDED),
    [CALL_WAITING] = TO(TRYING) | TO(BACKING_OFF) | TO(ENDED),
    [CALL_BACKING_OFF] = TO(WAITING) | TO(TRYING) | TO(BACKING_OFF) | TO(ENDED),
    [CALL_TRYING] = TO(WAITING) | TO(TRYING) | TO(BACKING_OFF) | TO(HOLDING) | TO(STREAMING) | TO(ENDED),
    [CALL_HOLDING] = TO(WAITING) | TO(TRYING) | TO(BACKING_OFF) | TO(STREAMING) | TO(ENDED),
    [CALL_STREAMING] = TO(ENDED),
};

void witness_begin(struct sim *s)
{
    sim = s;
}

void witness_print(void)
{
    (void)printf("call states, from \\ to:\n%-12s", "");
    for (int to = 0; to < STATES; to++)
        (void)printf(" %11s", names[to]);
    for (int from = 0; from < STATES; from++) {
        (void)printf("\n%-12s", names[from]);
        for (int to = 0; to < STATES; to++)
            (void)printf(" %11lu", counts[from][to]);
    }
    (void)printf("\n");
}

bool witness_is_complete(void)
{
    bool complete = true;
    for (int from = 0; from < STATES; from++)
        for (int to = 0; to < STATES; to++) {
            if (!(wanted[from] & 1u << to) || counts[from][to] > 0)
                continue;
            (void)fprintf(stderr, "sim: no call went from %s to %s\n", names[from], names[to]);
            complete = false;
        }
    return complete;
}

static unsigned count_of(const struct call_actions *actions, enum call_action_kind kind)
{
    unsigned n = 0;
    for (uint8_t i = 0; i < actions->n; i++)
        n += actions->v[i].kind == kind;
    return n;
}

/* One final answer, or none after a cancel, and nothing behind the end. */
static void check_end(const struct call *c, const struct call_event *event, const struct call_actions *a)
{
    unsigned finals = count_of(a, CALL_FAIL) + count_of(a, CALL_FORWARD_TRAILERS), done = count_of(a, CALL_DONE);
    if (done != (c->state == CALL_ENDED && a->n > 0) || (done && a->v[a->n - 1].kind != CALL_DONE))
        sim_violate(sim, NULL, "a call does not end with its last action");
    if (finals > 1 || (finals == 0) != (done == 0 || event->kind == CALL_EV_CANCEL))
        sim_violate(sim, NULL, "a call ends without a final status, or with two");
}

/* A retry by policy: there is one, it may, and the budget has more than half of its tokens. */
static void check_retry(const struct call *before, const struct call *c, const struct call_env *env)
{
    const struct retry_policy *r = env->method->retry;
    if (c->previous == before->previous)
        return;
    if (!r || before->state == CALL_STREAMING || !before->uncommitted)
        sim_violate(sim, NULL, "a call is tried again that may not be");
    if (c->previous + 1 > r->max_attempts)
        sim_violate(sim, NULL, "a call is tried more often than max_attempts");
    if (env->budget && budget_tokens_milli(env->budget, env->budget_policy) * 2 <= env->budget_policy->max_milli)
        sim_violate(sim, NULL, "a call is tried again without half of the tokens");
    if (c->state == CALL_BACKING_OFF && c->until >= c->deadline)
        sim_violate(sim, NULL, "a call backs off past its deadline");
}

static bool was_tried(const struct call *c, uint32_t candidate)
{
    for (uint8_t i = 0; i < c->tried.n; i++)
        if (c->tried.v[i] == candidate)
            return true;
    return false;
}

/* Somebody else than those who were tried takes calls. */
static bool has_fresh(const struct call *before, const struct call_env *env, ns_t now)
{
    for (uint32_t i = 0; i < env->balance->n; i++) {
        const struct candidate *k = &env->balance->candidates[i];
        bool in = !env->breaker || breaker_view_share(env->breaker, k->endpoint, now) > 0;
        if (k->state == CANDIDATE_READY && k->room > 0 && in && !was_tried(before, i))
            return true;
    }
    return false;
}

static void check_start(const struct call *before, const struct call *c, const struct call_env *env,
                        const struct call_event *event)
{
    uint32_t at = (uint32_t)c->candidate;
    const struct candidate *k = &env->balance->candidates[at];
    if (event->now >= c->deadline)
        sim_violate(sim, NULL, "an attempt starts when time is over");
    if (at >= env->balance->n || k->state != CANDIDATE_READY || k->room == 0)
        sim_violate(sim, NULL, "an attempt goes where no room is");
    if (was_tried(before, at) && has_fresh(before, env, event->now))
        sim_violate(sim, NULL, "an attempt goes where one was before, and another endpoint has room");
    if (!env->breaker)
        return;
    struct breaker b = breaker_view_read(env->breaker, k->endpoint);
    if (b.state == BREAKER_OPEN && !env->breaker->policy->try_when_all_open)
        sim_violate(sim, NULL, "an attempt goes where a breaker is open");
    if (b.state == BREAKER_HALF_OPEN && c->ticket.probe && b.probes > env->breaker->policy->probes)
        sim_violate(sim, NULL, "more probes are in flight than the policy allows");
}

static void check_limit(const struct call *before, const struct call *c, const struct call_env *env)
{
    if (!before->admitted && c->admitted && atomic_load(&env->limit->active) > env->limits->max_requests)
        sim_violate(sim, NULL, "more calls are admitted than max_requests");
    if (!before->waited && c->waited && atomic_load(&env->limit->pending) > env->limits->max_pending)
        sim_violate(sim, NULL, "more calls wait than max_pending");
}

void __real_call_step(struct call *c, const struct call_env *env, const struct call_event *event,
                      struct call_actions *actions);
void __wrap_call_step(struct call *c, const struct call_env *env, const struct call_event *event,
                      struct call_actions *actions);

void __wrap_call_step(struct call *c, const struct call_env *env, const struct call_event *event,
                      struct call_actions *actions)
{
    const struct call before = *c;
    __real_call_step(c, env, event, actions);
    if (actions->n > 0 || before.state != c->state || before.previous != c->previous)
        counts[before.state][c->state]++;
    check_end(c, event, actions);
    check_retry(&before, c, env);
    check_limit(&before, c, env);
    if (count_of(actions, CALL_START_ATTEMPT) > 0)
        check_start(&before, c, env, event);
}
