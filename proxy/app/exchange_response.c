/* From the attempt's answer to the caller: forwarding blocks and data, and answers of our own. */
#include "app/downstream.h"
#include "app/exchange.h"
#include "app/upstream.h"

#include <stdio.h>

static unsigned number_of(const struct headers *h, enum token t)
{
    const struct header *f = headers_find(h, t);
    unsigned v = 0;
    for (uint32_t i = 0; f && i < f->value_n && i < 9; i++) {
        if (f->value[i] < '0' || f->value[i] > '9')
            return STATUS_UNKNOWN;
        v = v * 10 + (unsigned)(f->value[i] - '0');
    }
    return v;
}

/* An HTTP answer without a gRPC status. 0 when the block is a proper gRPC response head. */
static unsigned foreign_status(const struct headers *h, bool end)
{
    const struct header *type = headers_find(h, TOKEN_CONTENT_TYPE);
    unsigned http = number_of(h, TOKEN_STATUS);
    if (headers_find(h, TOKEN_GRPC_STATUS))
        return 0;
    if (http == 200 && !end && type && grpc_is_content_type(header_value(type)))
        return 0;
    return http;
}

/* The endpoint's status, or the one its answer stands for. */
static unsigned answer_status(const struct exchange *x, const struct headers *h)
{
    if (h && x->foreign == 0 && headers_find(h, TOKEN_GRPC_STATUS))
        return number_of(h, TOKEN_GRPC_STATUS);
    return status_of_http(x->foreign ? x->foreign : 200);
}

/* When the endpoint wants the call again, or that it does not (gRFC A6). Two that contradict each other do not. */
static void note_pushback(struct call_event *event, const struct headers *h)
{
    for (uint32_t i = 0; h && i < h->n; i++) {
        bool another = event->pushback != CALL_PUSHBACK_ABSENT;
        if (h->v[i].token != TOKEN_GRPC_RETRY_PUSHBACK_MS)
            continue;
        event->pushback = call_parse_pushback(header_value(&h->v[i]), &event->pushback_ns);
        if (another)
            event->pushback = CALL_PUSHBACK_STOP;
    }
}

static void step_trailers(struct exchange *x, const struct headers *h, bool only)
{
    bool verified = x->upstream->service->tls != NULL;
    bool unprocessed = verified && h && headers_find(h, TOKEN_OUTRIGGER_UNPROCESSED);
    x->block = h;
    x->block_only = only;
    if (unprocessed) {
        x->forwarded = false;
        counter_add(&x->worker->stats.attempts_refused, 1);
    }
    struct call_event event = {.kind = CALL_EV_TRAILERS, .status = answer_status(x, h), .unprocessed = unprocessed};
    note_pushback(&event, h);
    exchange_step(x, event);
    x->block = NULL;
    exchange_check_over(x);
}

/* More metadata than we pass on: the call fails, the connection lives. */
static void refuse_response(struct exchange *x)
{
    x->oversize = true;
    if (stream_is_open(&x->up)) {
        stream_reset(&x->up, H2_CANCEL);
        link_mark(&x->upconn->link);
    }
    exchange_on_attempt_reset(x, H2_ENHANCE_YOUR_CALM, CALL_BROKEN_RESET);
}

void exchange_on_response(struct exchange *x, const struct headers *h, bool end, bool oversize)
{
    if (x->call.state == CALL_ENDED) {
        exchange_check_over(x);
        return;
    }
    x->call.moved = x->worker->now;
    if (oversize) {
        refuse_response(x);
        return;
    }
    x->foreign = (uint16_t)foreign_status(h, end);
    if (x->foreign != 0 || end) {
        step_trailers(x, h, true);
        return;
    }
    x->block = h;
    exchange_step(x, (struct call_event){.kind = CALL_EV_HEADERS});
    x->block = NULL;
}

/* A caller that takes its answer lets the endpoint send more of it ahead, within connection_buffer. */
static void widen(struct exchange *x)
{
    struct downstream *d = x->downstream;
    int64_t want = stream_width_left(&x->up);
    int64_t loan = want > 0 ? bounds_lend(d->link.session.bounds, d->lent, want) : 0;
    if (want > 0 && loan == 0 && !x->lacks) {
        x->lacks = true;
        counter_add(&x->worker->stats.bounds[BOUND_DOWNSTREAM][BOUND_CONNECTION_BUFFER], 1);
    }
    x->lent += loan;
    d->lent += loan;
    stream_widen(&x->up, loan);
}

void exchange_give_back(struct exchange *x, size_t n)
{
    if (stream_is_due(&x->up, n))
        widen(x);
    stream_consume(&x->up, n);
}

void exchange_on_response_data(struct exchange *x, const uint8_t *p, size_t n, bool end)
{
    size_t sent = n;
    x->attempt_received += n;
    x->call.moved = x->worker->now;
    if (x->call.state == CALL_ENDED || !stream_is_open(&x->down)) {
        stream_consume(&x->up, n);
        exchange_check_over(x);
        return;
    }
    if (n > 0 && x->call.wants_data)
        exchange_step(x, (struct call_event){.kind = CALL_EV_DATA});
    x->sent += n;
    framing_pass(&x->framing, p, n);
    if (stream_send(&x->down, p, n, false, &sent) != ERR_NONE) {
        stream_reset(&x->down, H2_INTERNAL_ERROR);
        link_mark(&x->downstream->link);
        exchange_on_caller_reset(x);
        return;
    }
    link_mark(&x->downstream->link);
    if (sent > 0 && stream_is_open(&x->up)) {
        exchange_give_back(x, sent);
        if (x->upconn)
            link_mark(&x->upconn->link);
    }
    if (end)
        step_trailers(x, NULL, false);
}

void exchange_on_response_trailers(struct exchange *x, const struct headers *h, bool oversize)
{
    if (x->call.state == CALL_ENDED)
        exchange_check_over(x);
    else if (oversize)
        refuse_response(x);
    else
        step_trailers(x, h, false);
}

/* Copies the fields that pass into `to`; borrowed bytes. */
static void pass_fields(const struct headers *h, struct headers *to)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (grpc_passes(&h->v[i], false) || h->v[i].token == TOKEN_STATUS)
            headers_add(to, h->v[i]);
}

void exchange_forward_headers(struct exchange *x)
{
    const struct header *from = x->held ? x->held : x->block->v;
    uint32_t from_n = x->held ? x->held_n : x->block->n, n = 0;
    struct header v[HEADERS_FIELDS_MAX];
    for (uint32_t i = 0; i < from_n; i++)
        if (from[i].token == TOKEN_STATUS || grpc_passes(&from[i], false))
            v[n++] = from[i];
    if (stream_is_open(&x->down) && stream_respond(&x->down, v, n, false) != ERR_NONE)
        x->downstream->link.broken = true;
    link_mark(&x->downstream->link);
}

/* A block that waits, behind data or for a decision, needs bytes of its own. */
static const struct header *keep_block(struct exchange *x, const struct headers *h)
{
    struct header *v = arena_alloc(&x->arena, h->n * sizeof *v);
    for (uint32_t i = 0; v && i < h->n; i++)
        if (!exchange_keep_field(x, &h->v[i], &v[i]))
            return NULL;
    return v;
}

enum err exchange_hold_headers(struct exchange *x)
{
    x->held = keep_block(x, x->block);
    x->held_n = x->block->n;
    return x->held ? ERR_NONE : ERR_NOMEM;
}

/* Sends a final block: trailers-only before a response head, trailers after it. */
static void send_final(struct exchange *x, const struct headers *h)
{
    struct stream *down = &x->down;
    enum err e;
    if (!stream_is_open(down))
        return;
    if (!stream_has_responded(down)) {
        e = stream_respond(down, h->v, h->n, true);
    } else if (down->pending.bytes == 0) {
        e = stream_send_trailers(down, h->v, h->n);
    } else {
        const struct header *v = keep_block(x, h);
        e = v ? stream_send_trailers(down, v, h->n) : ERR_NOMEM;
    }
    if (e != ERR_NONE)
        stream_reset(down, H2_INTERNAL_ERROR);
    link_mark(&x->downstream->link);
}

/* An endpoint that answered something else than gRPC, or forgot the status. */
static void answer_foreign(struct exchange *x)
{
    char text[512];
    const char *endpoint = x->upconn ? x->upstream->candidates[x->upconn->candidate].endpoint->text : "";
    enum status status = (enum status)answer_status(x, NULL);
    if (x->foreign == 0 || x->foreign == 200)
        snprintf(text, sizeof text, "endpoint %s ended its answer without a grpc-status", endpoint);
    else
        snprintf(text, sizeof text, "endpoint %s answered HTTP status %u without a grpc-status", endpoint, x->foreign);
    exchange_answer(x, status, REASON_NONE, text);
}

void exchange_forward_trailers(struct exchange *x, const struct headers *h, bool trailers_only)
{
    struct headers *to = &x->worker->answer;
    if (!h || x->foreign != 0 || !headers_find(h, TOKEN_GRPC_STATUS)) {
        answer_foreign(x);
        return;
    }
    x->final_status = number_of(h, TOKEN_GRPC_STATUS);
    if (!trailers_only && !headers_find(h, TOKEN_OUTRIGGER_UNPROCESSED)) {
        send_final(x, h);
        return;
    }
    to->n = to->bytes = 0;
    pass_fields(h, to);
    send_final(x, to);
}

/* Tells the caller's sidecar that the call never reached our service, so that it may go elsewhere (proxy/README.md,
 * "Across hops"). Never for a call that was forwarded, nor when time is the reason. */
static bool is_unprocessed(const struct exchange *x, enum reason reason)
{
    const struct listener_runtime *l = worker_listener(x->worker, x->downstream->bound);
    if (x->forwarded || !l || !l->conf->inbound || l->conf->tls != TLS_MODE_MUTUAL)
        return false;
    return reason == REASON_NO_ENDPOINT || reason == REASON_UPSTREAM_CONNECT || reason == REASON_BREAKER_OPEN ||
           reason == REASON_OVERLOADED || reason == REASON_DRAINING || reason == REASON_UPSTREAM_RESET;
}

/* Answers that cannot wait behind data for a caller that does not read. */
static bool is_pressing(enum reason reason)
{
    return reason == REASON_DEADLINE_EXCEEDED || reason == REASON_UPSTREAM_TIMEOUT || reason == REASON_DRAINING;
}

/* Time is over while a message is under way. Trailers behind a message that is cut are read as INTERNAL; a stream that
 * is cancelled when its deadline has passed is DEADLINE_EXCEEDED to the caller (grpc-go, grpc-java). */
static bool cut_off(struct exchange *x, enum reason reason)
{
    struct stream *down = &x->down;
    if (!is_pressing(reason) || !stream_has_responded(down))
        return false;
    bool cut = down->pending.bytes > 0 || framing_is_cut(&x->framing);
    stream_drop_pending(down);
    if (!cut)
        return false;
    stream_reset(down, H2_CANCEL);
    link_mark(&x->downstream->link);
    return true;
}

/* A caller whose own deadline passes makes the status by itself, without details (PROTOCOL-HTTP2); when our answer
 * comes first in that race, it must be the same. */
static enum reason shown_reason(const struct exchange *x, enum reason reason)
{
    return reason == REASON_DEADLINE_EXCEEDED && x->own_deadline ? REASON_NONE : reason;
}

void exchange_answer(struct exchange *x, enum status status, enum reason reason, const char *message)
{
    struct headers *h = &x->worker->answer;
    struct grpc_answer a = {.status = status,
                            .reason = shown_reason(x, reason),
                            .message = message,
                            .retry_after_ms = reason == REASON_OVERLOADED ? 100 : x->retry_after_ms,
                            .pushback = reason == REASON_OVERLOADED,
                            .attempts = x->notes,
                            .attempts_n = x->notes_n};
    x->final_status = status;
    counter_add(&x->worker->stats.answers[reason], 1);
    if (!stream_is_open(&x->down) || cut_off(x, reason))
        return;
    h->n = h->bytes = 0;
    if (!stream_has_responded(&x->down)) {
        headers_add(h, header_make(TOKEN_STATUS, slice_str(x->http_status ? x->http_status : "200")));
        headers_add(h, header_make(TOKEN_CONTENT_TYPE, SLICE("application/grpc")));
    }
    if (is_unprocessed(x, reason))
        headers_add(h, header_make(TOKEN_OUTRIGGER_UNPROCESSED, SLICE("1")));
    if (grpc_answer_fields(&a, &x->arena, h) == ERR_NONE)
        send_final(x, h);
    else
        stream_reset(&x->down, H2_INTERNAL_ERROR);
}

void exchange_refuse(struct exchange *x, enum status status, enum reason reason, const char *message, const char *http)
{
    x->http_status = http;
    exchange_answer(x, status, reason, message);
    x->call.state = CALL_ENDED;
    if (x->entry)
        method_stats_end(&x->entry->calls, status, 0, 0, 0);
    exchange_check_over(x);
    downstream_check_drained(x->downstream);
}

void exchange_answer_http(struct exchange *x, const char *status, const char *text)
{
    x->http_status = status;
    x->late_text = text;
    counter_add(&x->worker->stats.answers[REASON_BAD_REQUEST], 1);
    if (x->call.request_ended)
        exchange_answer_late(x);
    else
        wheel_set(&x->worker->wheel, &x->timer, ns_add(x->worker->now, EXCHANGE_LATE_NS));
}

void exchange_answer_late(struct exchange *x)
{
    char length[16];
    const char *text = x->late_text;
    size_t n = strlen(text), sent;
    int digits = snprintf(length, sizeof length, "%zu", n);
    bool only_head = x->head_only;
    struct header v[] = {header_make(TOKEN_STATUS, slice_str(x->http_status)),
                         header_make(TOKEN_CONTENT_TYPE, SLICE("text/plain; charset=utf-8")),
                         header_make(TOKEN_CONTENT_LENGTH, slice_make(length, (size_t)digits))};
    x->call.state = CALL_ENDED;
    x->late_text = NULL;
    wheel_clear(&x->worker->wheel, &x->timer);
    enum err e = stream_is_open(&x->down) ? stream_respond(&x->down, v, 3, only_head) : ERR_NONE;
    if (e == ERR_NONE && !only_head && stream_is_open(&x->down))
        e = stream_send(&x->down, (const uint8_t *)text, n, true, &sent);
    if (e != ERR_NONE)
        stream_reset(&x->down, H2_INTERNAL_ERROR);
    link_mark(&x->downstream->link);
    exchange_check_over(x);
    downstream_check_drained(x->downstream);
}
