/* One call with its surroundings, shared by the tests of the call machine. */
#ifndef UNIT_CORE_CALL_FIXTURE_H
#define UNIT_CORE_CALL_FIXTURE_H

#include "core/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ENDPOINTS = 3, T0 = 1000000 };

struct fixture {
    struct rng rng;
    struct endpoint endpoints[ENDPOINTS];
    struct candidate candidates[ENDPOINTS];
    struct balance balance;
    struct limit limit;
    struct limits_policy limits;
    struct method_policy method;
    struct call call;
    struct call_env env;
    struct call_actions actions;
    struct budget_policy budget_policy;
    struct budget budget;
    struct retry_policy retry;
    struct breaker_policy breaker_policy;
    struct breaker_set breaker_set;
    struct breaker_view breaker;
};

static const struct limits_policy usual_limits = {
    .max_requests = 10, .max_pending = 10, .pending_timeout_ns = NS_PER_S};

/* n endpoints, READY with room, picked in order. */
static inline void setup(struct fixture *f, uint32_t n)
{
    *f = (struct fixture){.limits = usual_limits};
    rng_init(&f->rng, 1);
    for (uint32_t i = 0; i < n; i++) {
        candidate_init(&f->candidates[i], &f->endpoints[i]);
        candidate_on_connected(&f->candidates[i], 0);
        f->candidates[i].room = 10;
    }
    balance_init(&f->balance, BALANCE_PICK_FIRST, f->candidates, n, &f->rng);
    limit_init(&f->limit);
    call_init(&f->call);
    f->call.uncommitted = true;
    f->env = (struct call_env){
        .method = &f->method, .limits = &f->limits, .limit = &f->limit, .balance = &f->balance, .rng = &f->rng};
}

static inline void set_room(struct fixture *f, uint32_t room)
{
    for (uint32_t i = 0; i < f->balance.n; i++)
        f->candidates[i].room = room;
}

static inline void set_states(struct fixture *f, enum candidate_state s)
{
    for (uint32_t i = 0; i < f->balance.n; i++) {
        f->candidates[i].state = s;
        f->candidates[i].backoff_until = NS_NEVER;
    }
}

/* "attempt 1, headers, trailers, reset 8, fail 14 UPSTREAM_RESET, wait, leave, done" */
static inline const char *describe(const struct call_actions *actions)
{
    static char out[256];
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < actions->n; i++) {
        const struct call_action *a = &actions->v[i];
        n += (size_t)snprintf(out + n, sizeof out - n, "%s", i ? ", " : "");
        switch (a->kind) {
        case CALL_START_ATTEMPT:
            n += (size_t)snprintf(out + n, sizeof out - n, "attempt %d", a->candidate);
            break;
        case CALL_WAIT:
            n += (size_t)snprintf(out + n, sizeof out - n, "wait");
            break;
        case CALL_LEAVE_QUEUE:
            n += (size_t)snprintf(out + n, sizeof out - n, "leave");
            break;
        case CALL_HOLD_HEADERS:
            n += (size_t)snprintf(out + n, sizeof out - n, "hold");
            break;
        case CALL_FORWARD_HEADERS:
            n += (size_t)snprintf(out + n, sizeof out - n, "headers");
            break;
        case CALL_FORWARD_TRAILERS:
            n += (size_t)snprintf(out + n, sizeof out - n, "trailers");
            break;
        case CALL_RESET_ATTEMPT:
            n += (size_t)snprintf(out + n, sizeof out - n, "reset %u", a->code);
            break;
        case CALL_FAIL:
            n += (size_t)snprintf(out + n, sizeof out - n, "fail %d %s", a->status, reason_name(a->reason));
            break;
        case CALL_DONE:
            n += (size_t)snprintf(out + n, sizeof out - n, "done");
            break;
        }
    }
    return out;
}

static inline const char *feed(struct fixture *f, struct call_event event)
{
    call_step(&f->call, &f->env, &event, &f->actions);
    return describe(&f->actions);
}

#define START(at, timeout) ((struct call_event){.kind = CALL_EV_START, .now = (at), .timeout_ns = (timeout)})
#define AT(event, at)      ((struct call_event){.kind = CALL_EV_##event, .now = (at)})
#define RESET(how, error, at)                                                                                          \
    ((struct call_event){.kind = CALL_EV_RESET, .broken = CALL_BROKEN_##how, .code = (error), .now = (at)})

/* The answer of an endpoint's sidecar that forwarded nothing. */
#define UNPROCESSED(at)                                                                                                \
    ((struct call_event){.kind = CALL_EV_TRAILERS, .status = STATUS_UNAVAILABLE, .unprocessed = true, .now = (at)})

/* Nothing is held any more: limit, queue, counts of attempts. */
static inline void assert_nothing_held(const struct fixture *f)
{
    assert_int_equal(f->call.state, CALL_ENDED);
    assert_int_equal(f->limit.active, 0);
    assert_int_equal(f->limit.pending, 0);
    for (int i = 0; i < ENDPOINTS; i++) {
        assert_int_equal(f->candidates[i].inflight, 0);
        assert_int_equal(f->endpoints[i].inflight, 0);
    }
    assert_true(call_next_wake(&f->call, &f->method) == NS_NEVER);
}

enum { BACKOFF = 1000, EARLY = 800, LATE = 1200 };

/* Like setup, with retries of UNAVAILABLE and a full budget. */
static inline void setup_retry(struct fixture *f, uint32_t n)
{
    setup(f, n);
    f->retry = (struct retry_policy){.max_attempts = 3,
                                     .hold_headers = true,
                                     .on = STATUS_BIT(STATUS_UNAVAILABLE),
                                     .backoff_initial_ns = BACKOFF,
                                     .backoff_max_ns = 10 * BACKOFF,
                                     .backoff_multiplier = 2};
    f->budget_policy = (struct budget_policy){.present = true, .max_milli = 10000, .ratio_milli = 100};
    budget_init(&f->budget);
    f->method.retry = &f->retry;
    f->env.budget = &f->budget;
    f->env.budget_policy = &f->budget_policy;
}

static inline void enter_retrying(struct fixture *f, ns_t timeout)
{
    setup_retry(f, 2);
    assert_string_equal(feed(f, START(T0, timeout)), "attempt 0");
}

static inline struct call_event trailers(uint32_t status, ns_t now)
{
    return (struct call_event){.kind = CALL_EV_TRAILERS, .status = status, .now = now};
}

static inline const char *wake_up(struct fixture *f)
{
    return feed(f, AT(TIMER, call_next_wake(&f->call, &f->method)));
}

/* The request is half-closed with one message. */
static inline void end_request(struct fixture *f)
{
    f->call.request_ended = f->call.one_message = true;
}

#endif
