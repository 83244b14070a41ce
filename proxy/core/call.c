/* The call machine: one function an event, one that ends a call, one that begins and one that ends an attempt. */
#include "core/call.h"

#include "core/deadline.h"

#include <assert.h>

#define BIT(state) (1u << (state))

/* The only function that changes the state. */
static void enter(struct call *c, enum call_state to)
{
    static const unsigned successors[] = {
        [CALL_IDLE] = BIT(CALL_WAITING) | BIT(CALL_TRYING) | BIT(CALL_ENDED),
        [CALL_WAITING] = BIT(CALL_TRYING) | BIT(CALL_ENDED),
        [CALL_TRYING] = BIT(CALL_TRYING) | BIT(CALL_WAITING) | BIT(CALL_STREAMING) | BIT(CALL_ENDED),
        [CALL_STREAMING] = BIT(CALL_ENDED),
        [CALL_ENDED] = 0,
    };
    assert(successors[c->state] & BIT(to));
    c->state = to;
}

static struct call_action *push(struct call_actions *actions, enum call_action_kind kind)
{
    assert(actions->n < CALL_ACTIONS_MAX);
    struct call_action *a = &actions->v[actions->n++];
    *a = (struct call_action){.kind = kind, .candidate = BALANCE_NONE};
    return a;
}

static bool has_attempt(const struct call *c)
{
    return c->candidate != BALANCE_NONE;
}

static bool is_expired(const struct call *c, ns_t now)
{
    return now >= c->deadline;
}

/* The idle timeout holds while the request is open or the response has begun; before that only the deadline does. */
static bool idle_applies(const struct call *c, const struct method_policy *method)
{
    return method->idle_timeout_ns > 0 &&
           (c->state == CALL_STREAMING || (c->state == CALL_TRYING && !c->request_ended));
}

/* Remembers the newest BALANCE_TRIED_MAX candidates. */
static void remember(struct tried *tried, uint32_t candidate)
{
    if (tried->n == BALANCE_TRIED_MAX)
        memmove(tried->v, tried->v + 1, sizeof tried->v - sizeof tried->v[0]);
    else
        tried->n++;
    tried->v[tried->n - 1] = candidate;
}

static void begin_attempt(struct call *c, const struct call_env *env, int candidate, ns_t now,
                          struct call_actions *actions)
{
    struct candidate *to = &env->balance->candidates[candidate];
    to->inflight++;
    atomic_fetch_add_explicit(&to->endpoint->inflight, 1, memory_order_relaxed);
    c->candidate = candidate;
    c->attempts++;
    c->moved = now;
    remember(&c->tried, (uint32_t)candidate);
    enter(c, CALL_TRYING);
    push(actions, CALL_START_ATTEMPT)->candidate = candidate;
}

static void end_attempt(struct call *c, const struct call_env *env)
{
    struct candidate *of = &env->balance->candidates[c->candidate];
    of->inflight--;
    atomic_fetch_sub_explicit(&of->endpoint->inflight, 1, memory_order_relaxed);
    c->candidate = BALANCE_NONE;
}

static void leave_queue(struct call *c, const struct call_env *env, struct call_actions *actions)
{
    limit_unwait(env->limit);
    c->waited = false;
    push(actions, CALL_LEAVE_QUEUE);
}

/* Every end of a call comes through here. */
static void finish(struct call *c, const struct call_env *env, struct call_actions *actions)
{
    if (has_attempt(c))
        end_attempt(c, env);
    if (c->admitted)
        limit_leave(env->limit);
    c->admitted = false;
    enter(c, CALL_ENDED);
    push(actions, CALL_DONE);
}

static void reset_attempt(uint32_t code, uint32_t status, struct call_actions *actions)
{
    struct call_action *a = push(actions, CALL_RESET_ATTEMPT);
    a->code = code;
    a->status = status;
}

/* Takes back what is under way: the place in the queue, or the attempt, which counts as `status`. */
static void withdraw(struct call *c, const struct call_env *env, enum status status, struct call_actions *actions)
{
    if (c->waited)
        leave_queue(c, env, actions);
    if (has_attempt(c))
        reset_attempt(H2_CANCEL, status, actions);
}

static void fail_broken(struct call *c, const struct call_env *env, enum status status, enum reason reason,
                        uint32_t code, struct call_actions *actions)
{
    withdraw(c, env, status, actions);
    struct call_action *a = push(actions, CALL_FAIL);
    a->status = status;
    a->reason = reason;
    a->code = code;
    finish(c, env, actions);
}

static void fail(struct call *c, const struct call_env *env, enum status status, enum reason reason,
                 struct call_actions *actions)
{
    fail_broken(c, env, status, reason, H2_NO_ERROR, actions);
}

static void fail_expired(struct call *c, const struct call_env *env, struct call_actions *actions)
{
    fail(c, env, STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED, actions);
}

/* No endpoint has room. Waiting is only worth it while one is connected, connecting, or may be connected to. */
static void wait_or_fail(struct call *c, const struct call_env *env, ns_t now, struct call_actions *actions)
{
    if (env->balance->n == 0) {
        fail(c, env, STATUS_UNAVAILABLE, REASON_NO_ENDPOINT, actions);
    } else if (balance_is_unreachable(env->balance, now)) {
        fail(c, env, STATUS_UNAVAILABLE, REASON_UPSTREAM_CONNECT, actions);
    } else if (!limit_wait(env->limit, env->limits)) {
        fail(c, env, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED, actions);
    } else {
        c->waited = true;
        c->pending_until = ns_add(now, env->limits->pending_timeout_ns);
        enter(c, CALL_WAITING);
        push(actions, CALL_WAIT);
    }
}

static void try_endpoint(struct call *c, const struct call_env *env, ns_t now, struct call_actions *actions)
{
    int candidate = balance_pick(env->balance, &c->tried, env->rng);
    if (candidate == BALANCE_NONE)
        wait_or_fail(c, env, now, actions);
    else
        begin_attempt(c, env, candidate, now, actions);
}

static void on_start(struct call *c, const struct call_env *env, const struct call_event *event,
                     struct call_actions *actions)
{
    c->started = c->moved = event->now;
    c->deadline = deadline_of(event->now, event->timeout_ns, env->method->timeout_ns);
    if (is_expired(c, event->now)) {
        fail_expired(c, env, actions);
        return;
    }
    c->admitted = limit_enter(env->limit, env->limits);
    if (c->admitted)
        try_endpoint(c, env, event->now, actions);
    else
        fail(c, env, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED, actions);
}

static void on_room(struct call *c, const struct call_env *env, ns_t now, struct call_actions *actions)
{
    if (is_expired(c, now)) {
        fail_expired(c, env, actions);
        return;
    }
    int candidate = balance_pick(env->balance, &c->tried, env->rng);
    if (candidate == BALANCE_NONE)
        return;
    leave_queue(c, env, actions);
    begin_attempt(c, env, candidate, now, actions);
}

/* The sidecar of the endpoint has answered, and the application never saw the call. */
static bool is_unprocessed(const struct call_event *event)
{
    return event->kind == CALL_EV_TRAILERS ? event->unprocessed : event->broken == CALL_BROKEN_REFUSED;
}

/* gRFC A6, transparent retries: what the application never saw is sent again, whatever the method and the policy. */
static bool may_go_again(const struct call *c, const struct call_event *event)
{
    if (c->state != CALL_TRYING || !c->uncommitted || c->attempts == CALL_ATTEMPTS_MAX)
        return false;
    if (event->kind == CALL_EV_RESET && event->broken == CALL_BROKEN_UNSENT)
        return true;
    return is_unprocessed(event) && !c->refused_once;
}

static void go_again(struct call *c, const struct call_env *env, const struct call_event *event,
                     struct call_actions *actions)
{
    c->refused_once |= is_unprocessed(event);
    try_endpoint(c, env, event->now, actions);
}

static enum status status_of_broken(const struct call_event *event)
{
    switch (event->broken) {
    case CALL_BROKEN_UNSENT:
    case CALL_BROKEN_REFUSED:
    case CALL_BROKEN_CONNECTION:
        return STATUS_UNAVAILABLE;
    case CALL_BROKEN_RESET:
        return status_of_h2_code(event->code);
    case CALL_BROKEN_PROTOCOL:
        return STATUS_INTERNAL;
    }
    return STATUS_UNKNOWN;
}

/* An endpoint whose copy of the deadline fires resets with CANCEL, in a race with our timer: both are the same news. */
static void on_reset(struct call *c, const struct call_env *env, const struct call_event *event,
                     struct call_actions *actions)
{
    end_attempt(c, env);
    if (is_expired(c, event->now)) {
        fail_expired(c, env, actions);
    } else if (may_go_again(c, event)) {
        go_again(c, env, event, actions);
    } else {
        fail_broken(c, env, status_of_broken(event), REASON_UPSTREAM_RESET, event->code, actions);
    }
}

static void on_trailers(struct call *c, const struct call_env *env, const struct call_event *event,
                        struct call_actions *actions)
{
    if (may_go_again(c, event) && !is_expired(c, event->now)) {
        end_attempt(c, env);
        reset_attempt(H2_NO_ERROR, event->status, actions);
        go_again(c, env, event, actions);
    } else {
        push(actions, CALL_FORWARD_TRAILERS);
        finish(c, env, actions);
    }
}

static void on_pending_timeout(struct call *c, const struct call_env *env, struct call_actions *actions)
{
    if (balance_is_connected(env->balance))
        fail(c, env, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED, actions);
    else
        fail(c, env, STATUS_UNAVAILABLE, REASON_NO_ENDPOINT, actions);
}

/* The status of an idle stream is UNAVAILABLE, as the table of local answers has it for UPSTREAM_TIMEOUT: the caller's
 * deadline has not passed (DEADLINE_EXCEEDED would say so) and the caller took nothing back (CANCELLED would say so).
 * It is a fault of the path, and to open the stream again is the right answer to it. */
static void on_timer(struct call *c, const struct call_env *env, ns_t now, struct call_actions *actions)
{
    if (is_expired(c, now))
        fail_expired(c, env, actions);
    else if (c->state == CALL_WAITING && now >= c->pending_until)
        on_pending_timeout(c, env, actions);
    else if (idle_applies(c, env->method) && now >= ns_add(c->moved, env->method->idle_timeout_ns))
        fail(c, env, STATUS_UNAVAILABLE, REASON_UPSTREAM_TIMEOUT, actions);
}

static void step_waiting(struct call *c, const struct call_env *env, const struct call_event *event,
                         struct call_actions *actions)
{
    switch (event->kind) {
    case CALL_EV_ROOM:
        on_room(c, env, event->now, actions);
        break;
    case CALL_EV_UNREACHABLE:
        if (is_expired(c, event->now))
            fail_expired(c, env, actions);
        else
            fail(c, env, STATUS_UNAVAILABLE, REASON_UPSTREAM_CONNECT, actions);
        break;
    case CALL_EV_CANCEL:
        withdraw(c, env, STATUS_CANCELLED, actions);
        finish(c, env, actions);
        break;
    case CALL_EV_TIMER:
        on_timer(c, env, event->now, actions);
        break;
    case CALL_EV_DRAIN:
        fail(c, env, STATUS_UNAVAILABLE, REASON_DRAINING, actions);
        break;
    case CALL_EV_START:
    case CALL_EV_HEADERS:
    case CALL_EV_TRAILERS:
    case CALL_EV_RESET:
        break;
    }
}

/* TRYING and STREAMING: an attempt is under way. */
static void step_attempt(struct call *c, const struct call_env *env, const struct call_event *event,
                         struct call_actions *actions)
{
    switch (event->kind) {
    case CALL_EV_HEADERS:
        if (c->state != CALL_TRYING)
            break;
        enter(c, CALL_STREAMING);
        push(actions, CALL_FORWARD_HEADERS);
        break;
    case CALL_EV_TRAILERS:
        on_trailers(c, env, event, actions);
        break;
    case CALL_EV_RESET:
        on_reset(c, env, event, actions);
        break;
    case CALL_EV_CANCEL:
        withdraw(c, env, STATUS_CANCELLED, actions);
        finish(c, env, actions);
        break;
    case CALL_EV_TIMER:
        on_timer(c, env, event->now, actions);
        break;
    case CALL_EV_DRAIN:
        fail(c, env, STATUS_UNAVAILABLE, REASON_DRAINING, actions);
        break;
    case CALL_EV_START:
    case CALL_EV_ROOM:
    case CALL_EV_UNREACHABLE:
        break;
    }
}

void call_init(struct call *c)
{
    *c = (struct call){.state = CALL_IDLE, .candidate = BALANCE_NONE, .deadline = NS_NEVER};
}

void call_step(struct call *c, const struct call_env *env, const struct call_event *event, struct call_actions *actions)
{
    actions->n = 0;
    switch (c->state) {
    case CALL_IDLE:
        if (event->kind == CALL_EV_START)
            on_start(c, env, event, actions);
        break;
    case CALL_WAITING:
        step_waiting(c, env, event, actions);
        break;
    case CALL_TRYING:
    case CALL_STREAMING:
        step_attempt(c, env, event, actions);
        break;
    case CALL_ENDED:
        break;
    }
}

void call_renumber(struct call *c, const int *map)
{
    uint8_t kept = 0;
    if (has_attempt(c))
        c->candidate = map[c->candidate];
    for (uint8_t i = 0; i < c->tried.n; i++)
        if (map[c->tried.v[i]] != BALANCE_NONE)
            c->tried.v[kept++] = (uint32_t)map[c->tried.v[i]];
    c->tried.n = kept;
}

ns_t call_next_wake(const struct call *c, const struct method_policy *method)
{
    switch (c->state) {
    case CALL_IDLE:
    case CALL_ENDED:
        return NS_NEVER;
    case CALL_WAITING:
        return ns_min(c->deadline, c->pending_until);
    case CALL_TRYING:
    case CALL_STREAMING:
        return idle_applies(c, method) ? ns_min(c->deadline, ns_add(c->moved, method->idle_timeout_ns)) : c->deadline;
    }
    return NS_NEVER;
}
