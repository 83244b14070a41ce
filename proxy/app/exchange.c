/* Carries out what the call machine decides, and turns what the two streams report into its events. */
#include "app/exchange.h"

#include "app/downstream.h"
#include "app/upstream.h"

#include <stdio.h>

static void on_timer(struct timer *t, ns_t now)
{
    struct exchange *x = CONTAINER_OF(t, struct exchange, timer);
    (void)now;
    if (x->late_text)
        exchange_answer_late(x);
    else
        exchange_step(x, (struct call_event){.kind = CALL_EV_TIMER});
}

struct exchange *exchange_new(struct downstream *d)
{
    struct worker *w = d->link.worker;
    struct exchange *x = slab_new(&w->exchanges);
    if (!x)
        return NULL;
    memset(x, 0, offsetof(struct exchange, first));
    arena_init(&x->arena, x->first, sizeof x->first);
    stream_init(&x->down);
    stream_init(&x->up);
    call_init(&x->call);
    timer_init(&x->timer, on_timer);
    list_init(&x->queue);
    list_init(&x->dead);
    list_init(&x->place);
    list_push_back(&w->live, &x->live);
    x->worker = w;
    x->downstream = d;
    x->call.uncommitted = true;
    x->retry_after_ms = -1;
    x->call.moved = x->call.started = w->now;
    return x;
}

void exchange_free(struct exchange *x)
{
    struct worker *w = x->worker;
    list_remove(&x->live);
    list_remove(&x->dead);
    wheel_clear(&w->wheel, &x->timer);
    replay_clear(&x->replay, &w->sessions.chunks);
    arena_fini(&x->arena);
    if (x->upstream)
        x->upstream->calls--;
    if (x->view)
        view_leave(w, x->view);
    slab_free(&w->exchanges, x);
}

void exchange_check_over(struct exchange *x)
{
    if (x->over || x->call.state != CALL_ENDED || !list_is_empty(&x->place) || stream_is_open(&x->down) ||
        stream_is_open(&x->up))
        return;
    x->over = true;
    x->downstream->lent -= x->lent;
    x->lent = 0;
    list_push_back(&x->worker->dead, &x->dead);
}

/* Notes a failed attempt. The text is copied: the call may outlive the endpoint. */
static void note_attempt(struct exchange *x, const struct upconn *c, unsigned status, ns_t took)
{
    if (x->notes_n == EXCHANGE_NOTES_MAX)
        return;
    const char *text = arena_strdup(&x->arena, c->upstream->candidates[c->candidate].endpoint->text);
    x->notes[x->notes_n++] = (struct grpc_attempt_note){
        text ? text : "", status < STATUS_COUNT ? (enum status)status : STATUS_UNKNOWN, took / NS_PER_MS};
}

/* The attempt is over, whatever way: counts it, notes it, and tells the pool. Its stream is closed. */
static void end_attempt(struct exchange *x, unsigned status)
{
    struct upconn *c = x->upconn;
    if (!c)
        return;
    ns_t took = x->worker->now - x->attempt_started;
    x->upconn = NULL;
    method_stats_end(&x->entry->attempts, status, took, x->up_sent, x->attempt_received);
    retry_count_on_end(&x->again, x->worker->now);
    if (status != STATUS_OK)
        note_attempt(x, c, status, took);
    upstream_on_stream_closed(c);
}

static void start_attempt(struct exchange *x, int candidate)
{
    struct upconn *c = upstream_find(x->upstream, candidate);
    if (!c) { /* broken in this very turn */
        exchange_step(x, (struct call_event){.kind = CALL_EV_RESET, .broken = CALL_BROKEN_UNSENT});
        return;
    }
    x->attempt_started = x->worker->now;
    x->attempt_received = x->up_sent = 0;
    x->held = NULL;
    x->oversize = false;
    counter_add(&x->entry->attempts.started, 1);
    retry_count_on_start(&x->again, x->call.previous, x->worker->now);
    breaker_view_prepare(&x->breaker, x->upstream->candidates[candidate].endpoint);
    x->upconn = c;
    x->forwarded = true;
    if (exchange_send_request(x, c) != ERR_NONE)
        exchange_on_attempt_reset(x, H2_INTERNAL_ERROR, CALL_BROKEN_RESET);
    else
        upstream_on_stream_opened(c);
}

/* What the caller reads when we gave up. */
static void limit_text(struct exchange *x, char *out, size_t size)
{
    const struct limits_policy *p = &x->policy->limits;
    const struct limit *l = &x->upstream->service->scope->limit;
    const char *name = x->upstream->conf->name;
    if (atomic_load(&l->active) >= p->max_requests && x->call.attempts == 0)
        snprintf(out, size, "service %s: limit of %u requests is reached", name, p->max_requests);
    else if (atomic_load(&l->pending) >= p->max_pending)
        snprintf(out, size, "service %s: limit of %u waiting requests is reached", name, p->max_pending);
    else
        snprintf(out, size, "service %s: no endpoint had room within %lld ms", name,
                 (long long)(p->pending_timeout_ns / NS_PER_MS));
}

static const char *failure_text(struct exchange *x, const struct call_action *a, char *out, size_t size)
{
    const struct upstream *u = x->upstream;
    const char *last = x->notes_n > 0 ? x->notes[x->notes_n - 1].endpoint : "", *name = u->conf->name;
    switch (a->reason) {
    case REASON_NO_ENDPOINT:
        snprintf(out, size, "service %s: no endpoint %s%s%s", name,
                 u->balance.n == 0 ? "is known" : "could be reached in time", u->error[0] ? ": " : "", u->error);
        break;
    case REASON_UPSTREAM_CONNECT:
        snprintf(out, size, "service %s: no endpoint can be reached: %s", name, u->error);
        break;
    case REASON_UPSTREAM_RESET:
        if (x->oversize)
            snprintf(out, size, "service %s: metadata from endpoint %s is over %lld fields or %lld bytes", name, last,
                     (long long)x->worker->sessions.bounds->header_fields,
                     (long long)x->worker->sessions.bounds->header_bytes);
        else
            snprintf(out, size, "service %s: endpoint %s broke the call off (HTTP/2 code %u)", name, last, a->code);
        break;
    case REASON_DEADLINE_EXCEEDED:
        snprintf(out, size, "deadline of %lld ms exceeded %s",
                 (long long)((x->call.deadline - x->call.started) / NS_PER_MS),
                 x->call.attempts == 0 ? "before the call was sent" : "while waiting for the answer");
        break;
    case REASON_OVERLOADED:
        limit_text(x, out, size);
        break;
    case REASON_UPSTREAM_TIMEOUT:
        snprintf(out, size, "service %s: %s within %lld ms", name,
                 a->timeout_ns == x->method->idle_timeout_ns ? "nothing moved on the stream" : "no answer",
                 (long long)(a->timeout_ns / NS_PER_MS));
        break;
    case REASON_BREAKER_OPEN:
        snprintf(out, size, "service %s: circuit breakers keep calls from every endpoint, next probe in %lld ms", name,
                 (long long)(a->retry_after_ns / NS_PER_MS));
        break;
    case REASON_DRAINING:
        snprintf(out, size, "this proxy is shutting down and the drain deadline is reached");
        break;
    case REASON_NONE:
    case REASON_NO_ROUTE:
    case REASON_DEADLINE_UNMEETABLE:
    case REASON_RATE_LIMITED:
    case REASON_NOT_ALLOWED:
    case REASON_NO_IDENTITY:
    case REASON_BAD_REQUEST:
    case REASON_COUNT:
        snprintf(out, size, "call failed: %s", reason_name(a->reason));
        break;
    }
    return out;
}

static void fail_call(struct exchange *x, const struct call_action *a)
{
    char text[512];
    if (a->retry_after_ns > 0)
        x->retry_after_ms = (a->retry_after_ns + NS_PER_MS - 1) / NS_PER_MS;
    exchange_answer(x, (enum status)a->status, a->reason, failure_text(x, a, text, sizeof text));
}

/* A call that is counted as `other` was answered with OK: the application knows its method. */
static void learn_method(struct exchange *x)
{
    struct worker *w = x->worker;
    if (!method_table_learn(x->upstream->methods, header_value(&x->request[EXCHANGE_PATH_AT]),
                            &x->upstream->service->scope->unnamed, (uint32_t)w->bounds->bounds.unnamed_methods))
        counter_add(&w->stats.bounds[BOUND_DOWNSTREAM][BOUND_UNNAMED_METHODS], 1);
}

static void finish(struct exchange *x)
{
    struct worker *w = x->worker;
    wheel_clear(&w->wheel, &x->timer);
    if (stream_is_open(&x->up)) {
        stream_reset(&x->up, H2_NO_ERROR);
        if (x->upconn)
            link_mark(&x->upconn->link);
    }
    end_attempt(x, x->final_status);
    replay_clear(&x->replay, &w->sessions.chunks);
    method_stats_end(&x->entry->calls, x->final_status, w->now - x->call.started, x->sent, x->received);
    retry_stats_add(&x->entry->again, &x->again);
    if (x->final_status == STATUS_OK && x->entry->path.n == 0 && x->request)
        learn_method(x);
    exchange_check_over(x);
    downstream_check_drained(x->downstream);
}

/* Request bytes kept for replay. */
static size_t replay_cap(const struct exchange *x)
{
    return x->method->retry ? x->method->retry->buffer_bytes : EXCHANGE_REPLAY_MAX;
}

/* Gives the caller back the window of what has left. While it is all kept for another attempt, only as much as the cap
 * can take; bytes that are sent again do not count twice. */
static void settle(struct exchange *x)
{
    size_t cap = replay_cap(x);
    uint64_t window = (uint64_t)x->downstream->link.session.stream_window;
    uint64_t spare = cap > window ? cap - window : 0;
    uint64_t left = x->replay.committed || x->up_sent < spare ? x->up_sent : spare;
    if (left <= x->credited)
        return;
    stream_consume(&x->down, left - x->credited);
    x->credited = left;
    link_mark(&x->downstream->link);
}

/* n request bytes went into the attempt's output. */
static void credit(struct exchange *x, size_t n)
{
    x->up_sent += n;
    settle(x);
}

static void commit(struct exchange *x)
{
    x->call.uncommitted = false;
    replay_commit(&x->replay, &x->worker->sessions.chunks);
    settle(x);
}

static void out_of_memory(struct exchange *x)
{
    if (stream_is_open(&x->down)) {
        stream_reset(&x->down, H2_INTERNAL_ERROR);
        link_mark(&x->downstream->link);
    }
    exchange_on_caller_reset(x);
}

static void perform(struct exchange *x, const struct call_action *a)
{
    switch (a->kind) {
    case CALL_START_ATTEMPT:
        start_attempt(x, a->candidate);
        break;
    case CALL_WAIT:
        upstream_wait(x->upstream, x);
        break;
    case CALL_LEAVE_QUEUE:
        upstream_unwait(x->upstream, x);
        break;
    case CALL_HOLD_HEADERS:
        if (exchange_hold_headers(x) != ERR_NONE)
            out_of_memory(x);
        break;
    case CALL_FORWARD_HEADERS:
        commit(x);
        exchange_forward_headers(x);
        break;
    case CALL_FORWARD_TRAILERS:
        exchange_forward_trailers(x, x->block, x->block_only);
        break;
    case CALL_RESET_ATTEMPT:
        if (x->upconn)
            link_mark(&x->upconn->link);
        stream_reset(&x->up, a->code);
        end_attempt(x, a->status);
        break;
    case CALL_FAIL:
        fail_call(x, a);
        break;
    case CALL_DONE:
        finish(x);
        break;
    }
}

void exchange_step(struct exchange *x, struct call_event event)
{
    struct upstream *u = x->upstream;
    struct call_env env = {.method = x->method,
                           .limits = &x->policy->limits,
                           .limit = &u->service->scope->limit,
                           .balance = &u->balance,
                           .rng = &x->worker->rng,
                           .breaker = x->breaker.policy ? &x->breaker : NULL};
    if (x->policy->budget.present) {
        env.budget_policy = &x->policy->budget;
        env.budget = &u->service->scope->budget;
    }
    struct call_actions actions;
    event.now = x->worker->now;
    call_step(&x->call, &env, &event, &actions);
    for (uint8_t i = 0; i < actions.n; i++)
        perform(x, &actions.v[i]);
    if (x->call.state != CALL_ENDED) {
        ns_t wake = call_next_wake(&x->call, x->method);
        if (wake < x->timer.at) /* one that comes too early does nothing and is set anew: cheaper than to move it */
            wheel_set(&x->worker->wheel, &x->timer, wake);
    }
}

enum err exchange_feed(struct exchange *x)
{
    struct slab *pool = &x->worker->sessions.chunks;
    enum err e = ERR_NONE;
    size_t sent = 0;
    while (e == ERR_NONE && stream_is_open(&x->up) && x->up.pending.bytes == 0 && replay_left(&x->replay) > 0) {
        struct slice piece = replay_next(&x->replay);
        bool last = x->call.request_ended && piece.n == replay_left(&x->replay);
        e = stream_send(&x->up, (const uint8_t *)piece.p, piece.n, last, &sent);
        replay_advance(&x->replay, pool, piece.n);
        credit(x, sent);
    }
    if (e == ERR_NONE && stream_is_open(&x->up) && x->call.request_ended && replay_left(&x->replay) == 0 &&
        !stream_is_ending(&x->up))
        e = stream_send(&x->up, NULL, 0, true, &sent);
    if (x->upconn)
        link_mark(&x->upconn->link);
    return e;
}

/* No more can be kept: the cap of the call or of the process is reached, or the caller has used up the window that the
 * cap allows it. */
static bool is_full(const struct exchange *x)
{
    const struct worker *w = x->worker;
    size_t buffered = w->sessions.chunks.live * sizeof(struct chunk);
    return x->replay.chunks.bytes > replay_cap(x) || buffered > EXCHANGE_REPLAY_PROCESS / w->process->workers_n ||
           (!x->call.request_ended &&
            x->received + 1 >= x->credited + (uint64_t)x->downstream->link.session.stream_window);
}

void exchange_commit_if_full(struct exchange *x)
{
    if (!x->replay.committed && is_full(x))
        commit(x);
}

/* The request has ended: whether it is one whole message, which is how a unary call looks (PROTOCOL-HTTP2,
 * "Length-Prefixed-Message"). */
static bool is_one_message(const struct exchange *x)
{
    const struct chunk *first = x->replay.chunks.first;
    if (x->replay.committed || x->received < 5 || !first)
        return false;
    const uint8_t *p = first->bytes + first->head;
    uint64_t length = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
    return x->received == length + 5;
}

static void note_request_end(struct exchange *x)
{
    x->call.request_ended = true;
    x->call.request_ended_at = x->worker->now;
}

/* Data that nothing waits in front of and nobody may want again goes straight on; other data is kept. */
static enum err take_data(struct exchange *x, const uint8_t *p, size_t n, bool end)
{
    size_t sent = 0;
    if (!x->replay.committed || x->replay.chunks.bytes > 0 || !stream_is_open(&x->up)) {
        enum err e = replay_append(&x->replay, &x->worker->sessions.chunks, p, n);
        x->call.one_message = end && is_one_message(x);
        if (stream_is_open(&x->up))
            exchange_commit_if_full(x);
        return e == ERR_NONE ? exchange_feed(x) : e;
    }
    enum err e = stream_is_ending(&x->up) ? ERR_NONE : stream_send(&x->up, p, n, end, &sent);
    link_mark(&x->upconn->link);
    credit(x, sent);
    return e;
}

void exchange_on_request_data(struct exchange *x, const uint8_t *p, size_t n, bool end)
{
    x->received += n;
    x->call.moved = x->worker->now;
    if (end)
        note_request_end(x);
    if (x->call.state == CALL_ENDED || x->late_text) {
        stream_consume(&x->down, n);
        if (x->late_text && end)
            exchange_answer_late(x);
        exchange_check_over(x);
        return;
    }
    if (take_data(x, p, n, end) != ERR_NONE)
        out_of_memory(x);
}

void exchange_on_request_trailers(struct exchange *x)
{
    exchange_on_request_data(x, NULL, 0, true);
}

void exchange_release(struct exchange *x)
{
    list_remove(&x->queue);
    list_remove(&x->place);
    x->downstream->link.session.held--;
    exchange_check_over(x);
}

/* A stream that was reset counts until the end of its attempt was written: until then the endpoint works for it. */
static void hold(struct exchange *x, struct upconn *c)
{
    struct downstream *d = x->downstream;
    if (!c || c->ended || d->ended || stream_is_open(&x->up) || !list_is_empty(&x->place))
        return;
    d->link.session.held++;
    list_remove(&x->dead);
    x->over = false;
    list_push_back(&d->held, &x->place);
    list_push_back(&c->held, &x->queue);
}

/* Broken off before it became a call. */
static void end_before_start(struct exchange *x)
{
    x->call.state = CALL_ENDED;
    list_remove(&x->queue);
    if (x->entry)
        method_stats_end(&x->entry->calls, STATUS_CANCELLED, x->worker->now - x->call.started, x->sent, x->received);
}

void exchange_on_caller_reset(struct exchange *x)
{
    struct upconn *c = stream_is_open(&x->up) ? x->upconn : NULL;
    if (x->call.state == CALL_IDLE)
        end_before_start(x);
    if (x->call.state != CALL_ENDED) {
        x->final_status = STATUS_CANCELLED;
        exchange_step(x, (struct call_event){.kind = CALL_EV_CANCEL});
        hold(x, c);
    }
    exchange_check_over(x);
    downstream_check_drained(x->downstream);
}

void exchange_on_caller_sent(struct exchange *x, size_t n)
{
    x->call.moved = x->worker->now;
    if (!stream_is_open(&x->up))
        return;
    exchange_give_back(x, n);
    link_mark(&x->upconn->link);
}

void exchange_on_attempt_sent(struct exchange *x, size_t n)
{
    x->call.moved = x->worker->now;
    credit(x, n);
    if (exchange_feed(x) != ERR_NONE)
        out_of_memory(x);
}

void exchange_on_attempt_reset(struct exchange *x, uint32_t code, enum call_broken broken)
{
    struct worker_stats *stats = &x->worker->stats;
    unsigned status = broken == CALL_BROKEN_RESET ? status_of_h2_code(code) : STATUS_UNAVAILABLE;
    if (broken == CALL_BROKEN_UNSENT)
        counter_add(&stats->attempts_unsent, 1);
    else if (broken == CALL_BROKEN_REFUSED)
        counter_add(&stats->attempts_refused, 1);
    if (broken == CALL_BROKEN_UNSENT || broken == CALL_BROKEN_REFUSED)
        x->forwarded = false;
    end_attempt(x, status);
    if (x->call.state != CALL_ENDED)
        exchange_step(x, (struct call_event){.kind = CALL_EV_RESET, .broken = broken, .code = code});
    exchange_check_over(x);
}

void exchange_on_done(struct exchange *x)
{
    exchange_check_over(x);
    downstream_check_drained(x->downstream);
}

void exchange_on_room(struct exchange *x)
{
    bool gone = x->downstream->ended; /* its connection is being closed, and its turn to be told has not come yet */
    exchange_step(x, (struct call_event){.kind = gone ? CALL_EV_CANCEL : CALL_EV_ROOM});
}

void exchange_on_unreachable(struct exchange *x)
{
    exchange_step(x, (struct call_event){.kind = CALL_EV_UNREACHABLE});
}

uint64_t exchange_stuck(const struct exchange *x)
{
    bool waits = x->up.pending.bytes > 0 || replay_left(&x->replay) > 0;
    return waits && stream_is_open(&x->down) ? x->up.pending.bytes + x->replay.chunks.bytes : 0;
}

void exchange_on_drain(struct exchange *x)
{
    if (x->call.state != CALL_ENDED && x->upstream)
        exchange_step(x, (struct call_event){.kind = CALL_EV_DRAIN});
}
