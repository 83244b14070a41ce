/* What we send on streams: blocks, data within the windows, ends and resets; and the pump that moves waiting data. */
#include "h2/session_internal.h"

void stream_init(struct stream *st)
{
    *st = (struct stream){.length_left = -1};
    list_init(&st->waiting);
}

void session_queue(struct session *s, struct stream *st)
{
    list_remove(&st->waiting);
    list_push_back(st->send_window > 0 ? &s->ready : &s->stalled, &st->waiting);
}

void stream_on_local_end(struct stream *st)
{
    struct session *s = st->session;
    st->flags |= STREAM_LOCAL_ENDED;
    if (st->flags & STREAM_REMOTE_ENDED)
        session_drop(s, st, false);
    else if (s->server)
        stream_reset(st, H2_NO_ERROR);
}

enum err stream_open(struct session *s, struct stream *st, const struct header *v, size_t n, bool end)
{
    uint64_t at = s->out_total;
    enum err e = session_insert(s, st, s->next_id);
    if (e != ERR_NONE)
        return e;
    s->next_id += 2;
    st->headers_at = at;
    st->flags = STREAM_LOCAL_HEADERS | (end ? STREAM_LOCAL_ENDED : 0);
    e = session_put_block(s, st->id, v, n, end);
    if (e != ERR_NONE)
        session_drop(s, st, true);
    return e;
}

enum err stream_respond(struct stream *st, const struct header *v, size_t n, bool end)
{
    st->flags |= STREAM_LOCAL_HEADERS;
    enum err e = session_put_block(st->session, st->id, v, n, end);
    if (e == ERR_NONE && end)
        stream_on_local_end(st);
    return e;
}

static size_t sendable(const struct stream *st, size_t n)
{
    const struct session *s = st->session;
    int64_t window = st->send_window < s->send_window ? st->send_window : s->send_window;
    size_t queued = buf_len(&s->out);
    size_t room = queued < SESSION_OUTPUT_HIGH ? SESSION_OUTPUT_HIGH - queued : 0;
    if (window <= 0)
        return 0;
    if (n > (size_t)window)
        n = (size_t)window;
    return n < room ? n : room;
}

/* Room for one DATA frame of n bytes with its head written; NULL when memory is out. Takes the windows. */
static uint8_t *begin_data(struct stream *st, size_t n, bool end)
{
    struct session *s = st->session;
    uint8_t *p = buf_reserve(&s->out, FRAME_HEAD + n);
    if (!p)
        return NULL;
    put_frame_head(p, (uint32_t)n, FRAME_DATA, end ? FLAG_END_STREAM : 0, st->id);
    buf_commit(&s->out, FRAME_HEAD + n);
    s->out_total += FRAME_HEAD + n;
    st->send_window -= (int32_t)n;
    s->send_window -= (int64_t)n;
    s->data_sent++;
    s->queued++;
    return p + FRAME_HEAD;
}

/* Sends at once what windows and output room allow. */
static enum err send_now(struct stream *st, const uint8_t *p, size_t n, bool end, size_t *ret_sent)
{
    size_t allowed = sendable(st, n);
    *ret_sent = 0;
    do {
        size_t left = allowed - *ret_sent;
        size_t part = left < SESSION_FRAME_MAX ? left : SESSION_FRAME_MAX;
        bool last = end && *ret_sent + part == n;
        if (part == 0 && !last)
            break;
        uint8_t *to = begin_data(st, part, last);
        if (!to)
            return ERR_NOMEM;
        if (part > 0)
            memcpy(to, p + *ret_sent, part);
        *ret_sent += part;
    } while (*ret_sent < allowed);
    return ERR_NONE;
}

enum err stream_send(struct stream *st, const uint8_t *p, size_t n, bool end, size_t *ret_sent)
{
    *ret_sent = 0;
    if (st->pending.bytes == 0) {
        enum err e = send_now(st, p, n, end, ret_sent);
        if (e != ERR_NONE)
            return e;
        if (*ret_sent == n) {
            if (end)
                stream_on_local_end(st);
            return ERR_NONE;
        }
    }
    if (end)
        st->flags |= STREAM_END_QUEUED;
    if (st->pending.bytes == 0)
        st->waiting_since = st->session->env->now;
    enum err e = chunks_append(&st->pending, &st->session->env->chunks, p + *ret_sent, n - *ret_sent);
    if (e == ERR_NONE && st->pending.bytes > 0)
        session_queue(st->session, st);
    return e;
}

enum err stream_send_trailers(struct stream *st, const struct header *v, size_t n)
{
    if (st->pending.bytes > 0) {
        st->trailers = v;
        st->trailers_n = (uint16_t)n;
        st->flags |= STREAM_END_QUEUED;
        return ERR_NONE;
    }
    enum err e = session_put_block(st->session, st->id, v, n, true);
    if (e == ERR_NONE)
        stream_on_local_end(st);
    return e;
}

bool stream_has_responded(const struct stream *st)
{
    return (st->flags & STREAM_LOCAL_HEADERS) != 0;
}

bool stream_is_ending(const struct stream *st)
{
    return (st->flags & (STREAM_END_QUEUED | STREAM_LOCAL_ENDED)) != 0;
}

size_t stream_drop_pending(struct stream *st)
{
    size_t n = st->pending.bytes;
    if (st->session && n > 0) {
        chunks_clear(&st->pending, &st->session->env->chunks);
        list_remove(&st->waiting);
    }
    st->flags &= (uint8_t)~STREAM_END_QUEUED;
    return n;
}

void stream_consume(struct stream *st, size_t n)
{
    if (!st->session || (st->flags & STREAM_REMOTE_ENDED))
        return;
    bool due = stream_is_due(st, n);
    st->recv_owed += (uint32_t)n;
    if (!due)
        return;
    st->recv_window += (int32_t)st->recv_owed;
    session_put_window_update(st->session, st->id, st->recv_owed);
    st->recv_owed = 0;
}

int64_t stream_width_left(const struct stream *st)
{
    if (!st->session || (st->flags & STREAM_REMOTE_ENDED))
        return 0;
    return st->session->bounds->stream_window - st->recv_size;
}

void stream_widen(struct stream *st, int64_t n)
{
    st->recv_size += (int32_t)n;
    st->recv_owed += (uint32_t)n;
}

void stream_reset(struct stream *st, uint32_t code)
{
    struct session *s = st->session;
    uint8_t p[4];
    if (!s)
        return;
    put32(p, code);
    session_put_frame(s, FRAME_RST_STREAM, 0, st->id, p, sizeof p);
    session_expect_late(s, st->flags & STREAM_REMOTE_ENDED ? 0 : st->recv_window);
    session_drop(s, st, true);
}

/* Copies n pending bytes (n <= pending.bytes) behind the head of one frame. */
static void copy_pending(const struct chunks *c, uint8_t *to, size_t n)
{
    for (const struct chunk *k = c->first; n > 0; k = k->next) {
        size_t part = k->tail - k->head < n ? k->tail - k->head : n;
        memcpy(to, k->bytes + k->head, part);
        to += part;
        n -= part;
    }
}

/* The queued end goes out behind the last pending byte. */
static void send_queued_end(struct stream *st)
{
    struct session *s = st->session;
    if (st->trailers && session_put_block(s, st->id, st->trailers, st->trailers_n, true) != ERR_NONE)
        return;
    stream_on_local_end(st);
}

/* Sends one frame of a ready stream. False when the connection or the output is full. */
static bool pump_stream(struct session *s, struct stream *st)
{
    size_t n = sendable(st, st->pending.bytes < SESSION_FRAME_MAX ? st->pending.bytes : SESSION_FRAME_MAX);
    if (n == 0)
        return false;
    bool last = (st->flags & STREAM_END_QUEUED) && n == st->pending.bytes;
    uint8_t *to = begin_data(st, n, last && !st->trailers);
    if (!to) {
        s->failed = true;
        return false;
    }
    copy_pending(&st->pending, to, n);
    chunks_consume(&st->pending, &s->env->chunks, n);
    st->waiting_since = s->env->now;
    if (st->pending.bytes > 0)
        session_queue(s, st);
    else
        list_remove(&st->waiting);
    if (last)
        send_queued_end(st);
    bool done = last && !stream_is_open(st); /* else on_sent may end the stream, and its owner let go of it */
    s->ops->on_sent(st, n);
    if (done)
        s->ops->on_done(st);
    return true;
}

void session_pump(struct session *s)
{
    while (!s->failed && !list_is_empty(&s->ready)) {
        struct stream *st = CONTAINER_OF(s->ready.next, struct stream, waiting);
        if (st->send_window <= 0) { /* SETTINGS took its window away */
            session_queue(s, st);
            continue;
        }
        if (!pump_stream(s, st))
            return;
    }
}
