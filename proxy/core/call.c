/* The call machine: one function an event, one that ends a call, one that begins an attempt. What an attempt tells is
 * in call_attempt.c, when another one follows in call_retry.c. */
#include "core/call_internal.h"
#include "core/deadline.h"

#include <assert.h>

#define BIT(state) (1u << (state))

/* The only function that changes the state. */
static void enter(struct call *c, enum call_state to)
{
    static const unsigned picked = BIT(CALL_WAITING) | BIT(CALL_TRYING) | BIT(CALL_BACKING_OFF) | BIT(CALL_ENDED);
    static const unsigned successors[] = {
        [CALL_IDLE] = picked,
        [CALL_WAITING] = BIT(CALL_TRYING) | BIT(CALL_BACKING_OFF) | BIT(CALL_ENDED),
        [CALL_BACKING_OFF] = picked,
        [CALL_TRYING] = picked | BIT(CALL_HOLDING) | BIT(CALL_STREAMING),
        [CALL_HOLDING] = picked | BIT(CALL_STREAMING),
        [CALL_STREAMING] = BIT(CALL_ENDED),
        [CALL_ENDED] = 0,
    };
    assert(successors[c->state] & BIT(to));
    c->state = to;
}

/* One step under way. */
struct step {
    struct call *c;
    const struct call_env *env;
    const struct call_event *event;
    struct call_actions *actions;
    ns_t now;
};

static struct call_action *push(const struct step *s, enum call_action_kind kind)
{
    assert(s->actions->n < CALL_ACTIONS_MAX);
    struct call_action *a = &s->actions->v[s->actions->n++];
    *a = (struct call_action){.kind = kind, .candidate = BALANCE_NONE};
    return a;
}

/* The idle timeout holds while the request is open or the response has begun; before that only the deadline does. */
static bool idle_applies(const struct call *c, const struct method_policy *method)
{
    return method->idle_timeout_ns > 0 &&
           (c->state == CALL_STREAMING || c->state == CALL_HOLDING || (c->state == CALL_TRYING && !c->request_ended));
}

static void begin_attempt(const struct step *s, int candidate)
{
    call_open_attempt(s->c, s->env, candidate, s->now);
    enter(s->c, CALL_TRYING);
    push(s, CALL_START_ATTEMPT)->candidate = candidate;
}

static void close_attempt(const struct step *s, enum call_verdict verdict, uint32_t status)
{
    call_close_attempt(s->c, s->env, verdict, status, s->now);
}

static void reset_attempt(const struct step *s, uint32_t code, uint32_t status)
{
    struct call_action *a = push(s, CALL_RESET_ATTEMPT);
    a->code = code;
    a->status = status;
}

static void leave_queue(const struct step *s)
{
    limit_unwait(s->env->limit);
    s->c->waited = false;
    push(s, CALL_LEAVE_QUEUE);
}

/* Every end of a call comes through here. */
static void finish(const struct step *s)
{
    if (s->c->admitted)
        limit_leave(s->env->limit);
    s->c->admitted = false;
    enter(s->c, CALL_ENDED);
    push(s, CALL_DONE);
}

/* Takes back what is under way: the place in the queue, or the attempt. */
static void withdraw(const struct step *s, enum call_verdict verdict, uint32_t status)
{
    if (s->c->waited)
        leave_queue(s);
    if (!call_has_attempt(s->c))
        return;
    reset_attempt(s, H2_CANCEL, status);
    close_attempt(s, verdict, status);
}

/* Returns the action, to say more in. */
static struct call_action *fail(const struct step *s, enum call_verdict verdict, uint32_t status, enum reason reason)
{
    withdraw(s, verdict, status);
    struct call_action *a = push(s, CALL_FAIL);
    a->status = status;
    a->reason = reason;
    finish(s);
    return a;
}

/* The endpoint's failure only when the time was the policy's, and the attempt had the better half of it. */
static enum call_verdict verdict_of_deadline(const struct call *c)
{
    ns_t whole = c->deadline - c->started, had = c->deadline - c->attempt_at;
    return c->own_deadline || had < whole / 2 ? CALL_VERDICT_NOTHING : CALL_VERDICT_STATUS;
}

static void fail_expired(const struct step *s)
{
    fail(s, verdict_of_deadline(s->c), STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED);
}

static void fail_out(const struct step *s)
{
    const struct balance *b = s->env->balance;
    ns_t after = breaker_view_retry_after(s->env->breaker, b->candidates, b->n, s->now);
    fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_BREAKER_OPEN)->retry_after_ns = after;
}

static void try_endpoint(const struct step *s);

static void back_off(const struct step *s, ns_t until)
{
    if (until <= s->now) {
        try_endpoint(s);
        return;
    }
    s->c->until = until;
    enter(s->c, CALL_BACKING_OFF);
}

/* A6: the load balancer's failure is one of an attempt, and the policy says what follows. */
static void on_unreachable(const struct step *s)
{
    ns_t at = call_plan_retry(s->c, s->env, STATUS_UNAVAILABLE, NULL, s->now);
    if (at == NS_NEVER) {
        fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_UPSTREAM_CONNECT);
        return;
    }
    if (s->c->waited)
        leave_queue(s);
    back_off(s, at);
}

static bool is_hopeless(const struct step *s)
{
    return call_is_out(s->c, s->env, s->now) &&
           !balance_is_hopeful(s->env->balance, &(struct balance_query){&s->c->tried, s->env->breaker, s->now});
}

/* When a call that waits may go as a probe; NS_NEVER when no breaker keeps it from its endpoints. */
static ns_t next_probe(const struct step *s)
{
    const struct balance *b = s->env->balance;
    if (!call_is_out(s->c, s->env, s->now))
        return NS_NEVER;
    return ns_add(s->now, breaker_view_retry_after(s->env->breaker, b->candidates, b->n, s->now));
}

/* No endpoint has room. Waiting is only worth it while one is connected, connecting, or may be connected to. */
static void wait_or_fail(const struct step *s)
{
    const struct call_env *env = s->env;
    if (env->balance->n == 0) {
        fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_NO_ENDPOINT);
    } else if (is_hopeless(s)) {
        fail_out(s);
    } else if (balance_is_unreachable(env->balance, s->now)) {
        on_unreachable(s);
    } else if (!limit_wait(env->limit, env->limits)) {
        fail(s, CALL_VERDICT_NOTHING, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED);
    } else {
        s->c->waited = true;
        s->c->pending_until = ns_add(s->now, env->limits->pending_timeout_ns);
        s->c->until = next_probe(s);
        enter(s->c, CALL_WAITING);
        push(s, CALL_WAIT);
    }
}

static void try_endpoint(const struct step *s)
{
    int candidate = call_pick(s->c, s->env, s->now);
    if (candidate == BALANCE_NONE)
        wait_or_fail(s);
    else
        begin_attempt(s, candidate);
}

static void on_start(const struct step *s)
{
    struct call *c = s->c;
    ns_t own = s->event->timeout_ns, policy = s->env->method->timeout_ns;
    c->started = c->moved = s->now;
    c->deadline = deadline_of(s->now, own, policy);
    c->own_deadline = own != NS_NEVER && (policy == 0 || own < policy);
    if (call_is_expired(c, s->now)) {
        fail_expired(s);
        return;
    }
    c->admitted = limit_enter(s->env->limit, s->env->limits);
    if (c->admitted)
        try_endpoint(s);
    else
        fail(s, CALL_VERDICT_NOTHING, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED);
}

static void on_room(const struct step *s)
{
    if (call_is_expired(s->c, s->now)) {
        fail_expired(s);
        return;
    }
    int candidate = call_pick(s->c, s->env, s->now);
    if (candidate != BALANCE_NONE) {
        leave_queue(s);
        begin_attempt(s, candidate);
    } else if (is_hopeless(s)) {
        fail_out(s);
    } else {
        s->c->until = next_probe(s);
    }
}

/* The sidecar of the endpoint has answered, and the application never saw the call. */
static bool is_unprocessed(const struct call_event *event)
{
    return event->kind == CALL_EV_TRAILERS ? event->unprocessed : event->broken == CALL_BROKEN_REFUSED;
}

static bool may_go_again(const struct step *s)
{
    const struct call *c = s->c;
    if (c->state != CALL_TRYING || !c->uncommitted || c->attempts == CALL_ATTEMPTS_MAX)
        return false;
    if (s->event->kind == CALL_EV_RESET && s->event->broken == CALL_BROKEN_UNSENT)
        return true;
    return is_unprocessed(s->event) && !c->refused_once && s->event->pushback != CALL_PUSHBACK_STOP;
}

/* gRFC A6, transparent retries: what the application never saw is sent again, whatever the method and the policy: at
 * once, or, when the sidecar that did not process it says when to come again and there is nobody else, then. When,
 * NS_NEVER for never. */
static ns_t plan_again(const struct step *s)
{
    ns_t at = s->now;
    if (!may_go_again(s))
        return NS_NEVER;
    if (s->event->pushback == CALL_PUSHBACK_AFTER && !balance_has_untried(s->env->balance, &s->c->tried))
        at = ns_add(s->now, s->event->pushback_ns);
    if (at >= s->c->deadline)
        return NS_NEVER;
    s->c->refused_once |= is_unprocessed(s->event);
    return at;
}

static uint32_t status_of_broken(const struct call_event *event)
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

static enum call_verdict verdict_of_broken(const struct call_event *event)
{
    if (event->broken == CALL_BROKEN_UNSENT)
        return CALL_VERDICT_NOTHING;
    return event->broken == CALL_BROKEN_REFUSED ? CALL_VERDICT_REFUSED : CALL_VERDICT_STATUS;
}

/* An endpoint whose copy of the deadline fires resets with CANCEL, in a race with our timer: both are the same news. */
static void on_reset(const struct step *s)
{
    uint32_t status = status_of_broken(s->event);
    if (call_is_expired(s->c, s->now)) {
        close_attempt(s, verdict_of_deadline(s->c), STATUS_DEADLINE_EXCEEDED);
        fail_expired(s);
        return;
    }
    close_attempt(s, verdict_of_broken(s->event), status);
    ns_t at = plan_again(s);
    if (at == NS_NEVER)
        at = call_plan_retry(s->c, s->env, status, NULL, s->now);
    if (at != NS_NEVER)
        back_off(s, at);
    else
        fail(s, CALL_VERDICT_NOTHING, status, REASON_UPSTREAM_RESET)->code = s->event->code;
}

static void forward_held(const struct step *s)
{
    enter(s->c, CALL_STREAMING);
    push(s, CALL_FORWARD_HEADERS);
}

static void forward_trailers(const struct step *s)
{
    if (s->event->status == STATUS_OK && s->env->budget)
        budget_on_success(s->env->budget, s->env->budget_policy);
    if (s->c->state == CALL_HOLDING)
        forward_held(s);
    push(s, CALL_FORWARD_TRAILERS);
    finish(s);
}

static void on_trailers(const struct step *s)
{
    uint32_t status = s->event->status;
    bool expired = call_is_expired(s->c, s->now), late = expired && status == STATUS_DEADLINE_EXCEEDED;
    close_attempt(s, late ? verdict_of_deadline(s->c) : CALL_VERDICT_STATUS, status);
    ns_t at = plan_again(s);
    if (at == NS_NEVER)
        at = call_plan_retry(s->c, s->env, status, s->event, s->now);
    if (at != NS_NEVER) {
        reset_attempt(s, H2_NO_ERROR, status);
        back_off(s, at);
    } else {
        forward_trailers(s);
    }
}

static void on_headers(const struct step *s)
{
    struct call *c = s->c;
    enum method_kind kind = s->env->method->kind;
    if (c->state != CALL_TRYING)
        return;
    if (kind == METHOD_STREAMS)
        call_on_answer(c, s->env, s->now);
    if (!call_may_hold(c, s->env, s->now)) {
        forward_held(s);
        return;
    }
    c->until = kind == METHOD_UNARY ? NS_NEVER : ns_add(s->now, CALL_HOLD_NS);
    c->wants_data = true;
    enter(c, CALL_HOLDING);
    push(s, CALL_HOLD_HEADERS);
}

static void on_data(const struct step *s)
{
    struct call *c = s->c;
    if (c->state == CALL_TRYING || !c->wants_data)
        return;
    c->wants_data = false;
    c->answered_at = s->now;
    call_on_answer(c, s->env, s->now);
    if (c->state == CALL_HOLDING)
        forward_held(s);
}

static void on_pending_timeout(const struct step *s)
{
    if (call_is_out(s->c, s->env, s->now))
        fail_out(s);
    else if (balance_is_connected(s->env->balance))
        fail(s, CALL_VERDICT_NOTHING, STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED);
    else
        fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_NO_ENDPOINT);
}

static void on_try_timeout(const struct step *s)
{
    reset_attempt(s, H2_CANCEL, STATUS_UNAVAILABLE);
    close_attempt(s, CALL_VERDICT_STATUS, STATUS_UNAVAILABLE);
    ns_t at = call_plan_retry(s->c, s->env, STATUS_UNAVAILABLE, NULL, s->now);
    if (at != NS_NEVER)
        back_off(s, at);
    else
        fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_UPSTREAM_TIMEOUT)->timeout_ns =
            s->env->method->retry->per_try_timeout_ns;
}

/* The status of an idle stream is UNAVAILABLE, as the table of local answers has it for UPSTREAM_TIMEOUT: the caller's
 * deadline has not passed (DEADLINE_EXCEEDED would say so) and the caller took nothing back (CANCELLED would say so).
 * It is a fault of the path, and to open the stream again is the right answer to it. */
static void on_idle_timeout(const struct step *s)
{
    fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_UPSTREAM_TIMEOUT)->timeout_ns =
        s->env->method->idle_timeout_ns;
}

static void on_timer_of_attempt(const struct step *s)
{
    const struct call *c = s->c;
    const struct method_policy *method = s->env->method;
    if (s->now >= call_try_until(c, method))
        on_try_timeout(s);
    else if (idle_applies(c, method) && s->now >= ns_add(c->moved, method->idle_timeout_ns))
        on_idle_timeout(s);
    else if (c->state == CALL_HOLDING && s->now >= c->until)
        forward_held(s);
}

static void on_timer(const struct step *s)
{
    if (call_is_expired(s->c, s->now))
        fail_expired(s);
    else if (s->c->state == CALL_WAITING && s->now >= s->c->pending_until)
        on_pending_timeout(s);
    else if (s->c->state == CALL_WAITING && s->now >= s->c->until)
        on_room(s);
    else if (s->c->state == CALL_BACKING_OFF && s->now >= s->c->until)
        try_endpoint(s);
    else
        on_timer_of_attempt(s);
}

static void on_cancel(const struct step *s)
{
    withdraw(s, CALL_VERDICT_NOTHING, STATUS_CANCELLED);
    finish(s);
}

static void on_drain(const struct step *s)
{
    fail(s, CALL_VERDICT_NOTHING, STATUS_UNAVAILABLE, REASON_DRAINING);
}

/* A state in which the call waits for something: it takes what belongs to that, and lets late news pass. */
static void take(const struct step *s)
{
    bool waiting = s->c->state == CALL_WAITING, trying = call_has_attempt(s->c);
    switch (s->event->kind) {
    case CALL_EV_ROOM:
        if (waiting)
            on_room(s);
        break;
    case CALL_EV_UNREACHABLE:
        if (waiting && call_is_expired(s->c, s->now))
            fail_expired(s);
        else if (waiting)
            on_unreachable(s);
        break;
    case CALL_EV_HEADERS:
        if (trying)
            on_headers(s);
        break;
    case CALL_EV_DATA:
        if (trying)
            on_data(s);
        break;
    case CALL_EV_TRAILERS:
        if (trying)
            on_trailers(s);
        break;
    case CALL_EV_RESET:
        if (trying)
            on_reset(s);
        break;
    case CALL_EV_CANCEL:
        on_cancel(s);
        break;
    case CALL_EV_TIMER:
        on_timer(s);
        break;
    case CALL_EV_DRAIN:
        on_drain(s);
        break;
    case CALL_EV_START:
        break;
    }
}

void call_init(struct call *c)
{
    *c = (struct call){.state = CALL_IDLE, .candidate = BALANCE_NONE, .deadline = NS_NEVER};
}

void call_step(struct call *c, const struct call_env *env, const struct call_event *event, struct call_actions *actions)
{
    const struct step s = {c, env, event, actions, event->now};
    actions->n = 0;
    switch (c->state) {
    case CALL_IDLE:
        if (event->kind == CALL_EV_START)
            on_start(&s);
        break;
    case CALL_WAITING:
    case CALL_BACKING_OFF:
    case CALL_TRYING:
    case CALL_HOLDING:
    case CALL_STREAMING:
        take(&s);
        break;
    case CALL_ENDED:
        break;
    }
}

void call_renumber(struct call *c, const int *map)
{
    uint8_t kept = 0;
    if (call_has_attempt(c))
        c->candidate = map[c->candidate];
    for (uint8_t i = 0; i < c->tried.n; i++)
        if (map[c->tried.v[i]] != BALANCE_NONE)
            c->tried.v[kept++] = (uint32_t)map[c->tried.v[i]];
    c->tried.n = kept;
}

ns_t call_next_wake(const struct call *c, const struct method_policy *method)
{
    ns_t wake = c->deadline;
    switch (c->state) {
    case CALL_IDLE:
    case CALL_ENDED:
        return NS_NEVER;
    case CALL_WAITING:
        return ns_min(wake, ns_min(c->pending_until, c->until));
    case CALL_BACKING_OFF:
        return ns_min(wake, c->until);
    case CALL_HOLDING:
        wake = ns_min(wake, c->until);
        break;
    case CALL_TRYING:
    case CALL_STREAMING:
        break;
    }
    if (idle_applies(c, method))
        wake = ns_min(wake, ns_add(c->moved, method->idle_timeout_ns));
    return ns_min(wake, call_try_until(c, method));
}
