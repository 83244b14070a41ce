/* What received frames mean (RFC 9113 section 6), header blocks aside. */
#include "h2/session_internal.h"

enum err session_stream_error(struct session *s, struct stream *st, uint32_t code, const char *what)
{
    stream_reset(st, code);
    s->ops->on_reset(st, code, SESSION_RESET_PROTOCOL);
    return session_count_stream_error(s, what);
}

static bool is_idle(const struct session *s, uint32_t id)
{
    bool ours = (id & 1) != 0 ? !s->server : s->server;
    if (ours)
        return id >= s->next_id || (id & 1) == 0;
    return id > s->last_peer_id;
}

static enum err fail(struct session *s, uint32_t code, const char *debug)
{
    return session_fail(s, ERR_PROTOCOL, code, debug);
}

/* DATA for a stream that is not open: late data for those that we reset is normal, as far as their windows went. */
static enum err stray_data(struct session *s)
{
    if (is_idle(s, s->stream_id))
        return fail(s, H2_PROTOCOL_ERROR, "DATA on an idle stream");
    enum closed_how how = session_closed_how(s, s->stream_id);
    if (how == CLOSED_IN_ORDER)
        return fail(s, H2_STREAM_CLOSED, "DATA on a closed stream");
    return session_count_late(s, s->length, "DATA on closed streams");
}

static void take_connection_window(struct session *s, uint32_t n)
{
    s->recv_window -= n;
    s->recv_owed += n;
    if (s->recv_owed < s->bounds->connection_window / 2)
        return;
    s->recv_window += s->recv_owed;
    session_put_window_update(s, 0, s->recv_owed);
    s->recv_owed = 0;
}

enum err session_on_data_begin(struct session *s)
{
    if (s->stream_id == 0)
        return fail(s, H2_PROTOCOL_ERROR, "DATA on stream 0");
    if (s->length > s->recv_window) {
        session_count(s, BOUND_CONNECTION_WINDOW);
        return fail(s, H2_FLOW_CONTROL_ERROR, "connection window exceeded");
    }
    if ((s->frame_flags & FLAG_PADDED) && s->length == 0)
        return fail(s, H2_FRAME_SIZE_ERROR, "padded DATA without a pad length");
    take_connection_window(s, s->length);
    struct stream *st = session_find(s, s->stream_id);
    if (!st)
        return stray_data(s);
    if (st->flags & STREAM_REMOTE_ENDED)
        return session_stream_error(s, st, H2_STREAM_CLOSED, "DATA after END_STREAM");
    if (!(st->flags & STREAM_REMOTE_HEADERS))
        return session_stream_error(s, st, H2_PROTOCOL_ERROR, "DATA before HEADERS");
    if ((int64_t)s->length > st->recv_window) {
        session_count(s, BOUND_STREAM_WINDOW);
        return session_stream_error(s, st, H2_FLOW_CONTROL_ERROR, "stream window exceeded");
    }
    st->recv_window -= (int32_t)s->length;
    if (s->frame_flags & (FLAG_END_STREAM | FLAG_PADDED)) /* padding alone is nothing: take_pad_length counts it */
        return ERR_NONE;
    return session_count_empty(s, s->length == 0);
}

/* Hands over n bytes; the stream may be gone or go. */
static enum err give_data(struct session *s, const uint8_t *p, size_t n, bool end)
{
    struct stream *st = session_find(s, s->stream_id);
    if (!st || (n == 0 && !end))
        return ERR_NONE;
    if (st->length_left >= 0) {
        st->length_left -= (int64_t)n;
        if (st->length_left < 0 || (end && st->length_left > 0))
            return session_stream_error(s, st, H2_PROTOCOL_ERROR, "content-length does not match the data");
    }
    if (end) {
        st->flags |= STREAM_REMOTE_ENDED;
        if (st->flags & STREAM_LOCAL_ENDED)
            session_drop(s, st, false);
    }
    s->ops->on_data(st, p, n, end);
    return ERR_NONE;
}

static enum err take_pad_length(struct session *s, const uint8_t *p)
{
    s->padding = p[0];
    s->pad_known = true;
    s->length--;
    if (s->padding > s->length)
        return fail(s, H2_PROTOCOL_ERROR, "padding longer than the frame");
    struct stream *st = session_find(s, s->stream_id);
    if (st)
        stream_consume(st, s->padding + 1);
    if (s->frame_flags & FLAG_END_STREAM)
        return ERR_NONE;
    return session_count_empty(s, s->padding == s->length);
}

/* A part of a frame that comes in parts. Few bytes wait for more: each part that is handed over becomes a frame on the
 * other side, and a peer that dribbles must not make us send frames of a byte. */
static enum err give_part(struct session *s, const uint8_t *p, size_t n, bool whole, bool end)
{
    enum err e = ERR_NONE;
    if (buf_len(&s->partial) + n >= 2 * SESSION_DATA_MIN) {
        e = give_data(s, buf_head(&s->partial), buf_len(&s->partial), false);
        buf_clear(&s->partial);
        return e == ERR_NONE ? give_data(s, p, n, end) : e;
    }
    if (buf_append(&s->partial, p, n) != ERR_NONE)
        return ERR_NOMEM;
    if (whole || buf_len(&s->partial) >= SESSION_DATA_MIN) {
        e = give_data(s, buf_head(&s->partial), buf_len(&s->partial), end);
        buf_clear(&s->partial);
    }
    return e;
}

enum err session_on_data(struct session *s, const uint8_t *p, size_t n, size_t *ret_used)
{
    bool ends = (s->frame_flags & FLAG_END_STREAM) != 0;
    size_t part = 0;
    if ((s->frame_flags & FLAG_PADDED) && !s->pad_known) {
        *ret_used = 1;
        enum err e = take_pad_length(s, p);
        s->in_payload = s->length > 0;
        return e == ERR_NONE && !s->in_payload ? give_data(s, NULL, 0, ends) : e;
    }
    size_t data = s->length - s->padding;
    if (s->fresh && !ends) {
        enum err e = session_count_data(s, p, n, (uint32_t)data);
        if (e != ERR_NONE)
            return e;
    }
    s->fresh = false;
    if (data > 0)
        part = n < data ? n : data;
    *ret_used = data > 0 ? part : (n < s->length ? n : s->length);
    s->length -= (uint32_t)*ret_used;
    if (s->padding > s->length)
        s->padding = s->length;
    s->in_payload = s->length > 0;
    if (part == data && buf_len(&s->partial) == 0)
        return give_data(s, p, part, ends && !s->in_payload);
    return give_part(s, p, part, part == data, ends && !s->in_payload);
}

static enum err on_priority(struct session *s, const uint8_t *p, uint32_t n)
{
    struct stream *st = session_find(s, s->stream_id);
    if (s->stream_id == 0)
        return fail(s, H2_PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (n != 5)
        return st ? session_stream_error(s, st, H2_FRAME_SIZE_ERROR, "PRIORITY of a wrong length")
                  : fail(s, H2_FRAME_SIZE_ERROR, "PRIORITY of a wrong length");
    if ((get32(p) & 0x7fffffffu) == s->stream_id)
        return st ? session_stream_error(s, st, H2_PROTOCOL_ERROR, "a stream depends on itself")
                  : fail(s, H2_PROTOCOL_ERROR, "a stream depends on itself");
    return session_count_priority(s);
}

/* For a stream that is not open: a caller that resets what we refused goes on as if we had not. */
static enum err on_late_reset(struct session *s)
{
    if (s->server && session_closed_how(s, s->stream_id) == CLOSED_BY_US)
        return session_count_reset(s);
    return session_count_late(s, 0, "RST_STREAM on closed streams");
}

static enum err on_rst_stream(struct session *s, const uint8_t *p, uint32_t n)
{
    if (n != 4)
        return fail(s, H2_FRAME_SIZE_ERROR, "RST_STREAM of a wrong length");
    if (s->stream_id == 0 || is_idle(s, s->stream_id))
        return fail(s, H2_PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    struct stream *st = session_find(s, s->stream_id);
    if (!st)
        return on_late_reset(s);
    uint32_t code = get32(p);
    bool premature = s->server && !(st->flags & STREAM_LOCAL_HEADERS) && s->env->now - st->opened < NS_PER_S;
    session_drop(s, st, false);
    s->ops->on_reset(st, code, code == H2_REFUSED_STREAM ? SESSION_RESET_REFUSED : SESSION_RESET_PEER);
    return premature ? session_count_reset(s) : ERR_NONE;
}

/* Streams whose window became positive can send again. */
static void unstall(struct session *s)
{
    LIST_FOR_SAFE(n, &s->stalled) {
        struct stream *st = CONTAINER_OF(n, struct stream, waiting);
        if (st->send_window > 0)
            session_queue(s, st);
    }
}

static enum err set_initial_window(struct session *s, uint32_t value)
{
    int64_t change = (int64_t)value - s->peer_initial_window;
    s->peer_initial_window = (int32_t)value;
    if (change == 0)
        return ERR_NONE;
    for (uint32_t i = 0; i <= s->table_mask; i++) {
        for (struct stream *st = s->table[i]; st; st = st->next) {
            if (st->send_window + change > WINDOW_MAX)
                return fail(s, H2_FLOW_CONTROL_ERROR, "a window grows over 2^31-1");
            st->send_window = (int32_t)(st->send_window + change);
        }
    }
    unstall(s);
    return ERR_NONE;
}

static enum err apply_setting(struct session *s, uint32_t id, uint32_t value)
{
    switch (id) {
    case SETTING_HEADER_TABLE_SIZE:
        hpack_encoder_set_size(&s->encoder, value);
        return ERR_NONE;
    case SETTING_ENABLE_PUSH:
        if (value > 1 || (!s->server && value != 0))
            return fail(s, H2_PROTOCOL_ERROR, "ENABLE_PUSH is not 0 or 1");
        return ERR_NONE;
    case SETTING_MAX_CONCURRENT_STREAMS:
        s->peer_streams_max = value;
        s->limit_changed = !s->server;
        return ERR_NONE;
    case SETTING_INITIAL_WINDOW_SIZE: /* applied once a frame, by on_settings */
        return value <= WINDOW_MAX ? ERR_NONE : fail(s, H2_FLOW_CONTROL_ERROR, "initial window over 2^31-1");
    case SETTING_MAX_FRAME_SIZE:
        if (value < 16384 || value > 16777215)
            return fail(s, H2_PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range");
        return ERR_NONE;
    default:
        return ERR_NONE;
    }
}

static enum err on_settings_ack(struct session *s)
{
    if (s->settings_acked)
        return session_glitch(s, "SETTINGS acknowledged that were not sent");
    s->settings_acked = true;
    return ERR_NONE;
}

static enum err on_settings(struct session *s, const uint8_t *p, uint32_t n)
{
    bool ack = (s->frame_flags & FLAG_ACK) != 0;
    if (s->stream_id != 0)
        return fail(s, H2_PROTOCOL_ERROR, "SETTINGS on a stream");
    if (n % 6 != 0 || (ack && n != 0))
        return fail(s, H2_FRAME_SIZE_ERROR, "SETTINGS of a wrong length");
    if (ack)
        return on_settings_ack(s);
    enum err e = session_count_settings(s, n / 6);
    uint32_t window = (uint32_t)s->peer_initial_window;
    for (uint32_t i = 0; e == ERR_NONE && i < n; i += 6) {
        uint32_t id = (uint32_t)p[i] << 8 | p[i + 1], value = get32(p + i + 2);
        window = id == SETTING_INITIAL_WINDOW_SIZE ? value : window;
        e = apply_setting(s, id, value);
    }
    if (e == ERR_NONE)
        e = set_initial_window(s, window);
    if (e != ERR_NONE)
        return e;
    session_put_frame(s, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
    bool first = !s->settings_seen;
    s->settings_seen = true;
    if (first && !s->server)
        s->ops->on_ready(s->ctx);
    return ERR_NONE;
}

static enum err on_ping(struct session *s, const uint8_t *p, uint32_t n)
{
    if (s->stream_id != 0)
        return fail(s, H2_PROTOCOL_ERROR, "PING on a stream");
    if (n != 8)
        return fail(s, H2_FRAME_SIZE_ERROR, "PING of a wrong length");
    if ((s->frame_flags & FLAG_ACK) && s->pings_sent > 0) {
        s->pings_sent--;
        s->ops->on_pong(s->ctx);
        return ERR_NONE;
    }
    if (!(s->frame_flags & FLAG_ACK))
        session_put_frame(s, FRAME_PING, FLAG_ACK, 0, p, 8);
    return session_count_ping(s);
}

static struct stream *find_above(struct session *s, uint32_t last_id)
{
    for (uint32_t i = 0; i <= s->table_mask; i++)
        for (struct stream *st = s->table[i]; st; st = st->next)
            if (st->id > last_id)
                return st;
    return NULL;
}

static enum err on_goaway(struct session *s, const uint8_t *p, uint32_t n)
{
    if (s->stream_id != 0)
        return fail(s, H2_PROTOCOL_ERROR, "GOAWAY on a stream");
    if (n < 8)
        return fail(s, H2_FRAME_SIZE_ERROR, "GOAWAY too short");
    uint32_t last_id = get32(p) & 0x7fffffffu;
    bool again = s->goaway_seen;
    s->goaway_seen = true;
    if (s->server)
        return again ? session_glitch(s, "too many GOAWAY frames") : ERR_NONE;
    for (struct stream *st; (st = find_above(s, last_id)) != NULL;) {
        session_drop(s, st, true);
        s->ops->on_reset(st, H2_REFUSED_STREAM, SESSION_RESET_REFUSED);
    }
    s->ops->on_goaway(s->ctx, last_id, get32(p + 4));
    return again ? session_glitch(s, "too many GOAWAY frames") : ERR_NONE;
}

static enum err on_connection_window(struct session *s, uint32_t n)
{
    if (n == 0)
        return fail(s, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    if (s->send_window + n > WINDOW_MAX)
        return fail(s, H2_FLOW_CONTROL_ERROR, "connection window over 2^31-1");
    s->send_window += n;
    return ERR_NONE;
}

static enum err on_window_update(struct session *s, const uint8_t *p, uint32_t n)
{
    if (n != 4)
        return fail(s, H2_FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong length");
    uint32_t more = get32(p) & 0x7fffffffu;
    enum err e = session_count_window_update(s);
    if (e != ERR_NONE)
        return e;
    if (s->stream_id == 0)
        return on_connection_window(s, more);
    if (is_idle(s, s->stream_id))
        return fail(s, H2_PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    struct stream *st = session_find(s, s->stream_id);
    if (!st)
        return more > 0 ? ERR_NONE : fail(s, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    if (more == 0)
        return session_stream_error(s, st, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    if ((int64_t)st->send_window + more > WINDOW_MAX)
        return session_stream_error(s, st, H2_FLOW_CONTROL_ERROR, "stream window over 2^31-1");
    st->send_window = (int32_t)(st->send_window + (int64_t)more);
    if (st->pending.bytes > 0)
        session_queue(s, st);
    return ERR_NONE;
}

static enum err start_block(struct session *s, const uint8_t *p, uint32_t n)
{
    s->block_stream = s->stream_id;
    s->block_flags = s->frame_flags;
    s->block_frames = 0;
    buf_clear(&s->block);
    enum err e = session_count_empty(s, n == 0);
    return e == ERR_NONE ? buf_append(&s->block, p, n) : e;
}

static enum err on_headers_frame(struct session *s, const uint8_t *p, uint32_t n)
{
    uint32_t pad = 0, skip = 0;
    if (s->stream_id == 0)
        return fail(s, H2_PROTOCOL_ERROR, "HEADERS on stream 0");
    if (s->frame_flags & FLAG_PADDED) {
        if (n < 1)
            return fail(s, H2_FRAME_SIZE_ERROR, "padded HEADERS without a pad length");
        pad = p[0];
        skip = 1;
    }
    if (s->frame_flags & FLAG_PRIORITY) {
        if (n < skip + 5)
            return fail(s, H2_FRAME_SIZE_ERROR, "HEADERS too short for its priority");
        if ((get32(p + skip) & 0x7fffffffu) == s->stream_id)
            return fail(s, H2_PROTOCOL_ERROR, "a stream depends on itself");
        skip += 5;
    }
    if (pad > n - skip)
        return fail(s, H2_PROTOCOL_ERROR, "padding longer than the frame");
    p += skip;
    n -= skip + pad;
    if (s->frame_flags & FLAG_END_HEADERS)
        return session_on_block(s, s->stream_id, s->frame_flags, p, n);
    return start_block(s, p, n);
}

static enum err on_continuation(struct session *s, const uint8_t *p, uint32_t n)
{
    if (s->block_stream == 0)
        return fail(s, H2_PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    if (++s->block_frames > s->bounds->continuations)
        return session_over(s, BOUND_CONTINUATIONS, "too many CONTINUATION frames");
    if (buf_len(&s->block) + n > (uint64_t)s->bounds->header_bytes * BOUNDS_FLOOD_FACTOR)
        return session_over(s, BOUND_HEADER_FLOOD, "header block too long");
    enum err e = session_count_empty(s, n == 0);
    if (e == ERR_NONE)
        e = buf_append(&s->block, p, n);
    if (e != ERR_NONE || !(s->frame_flags & FLAG_END_HEADERS))
        return e;
    uint32_t id = s->block_stream;
    s->block_stream = 0;
    e = session_on_block(s, id, s->block_flags, buf_head(&s->block), buf_len(&s->block));
    buf_clear(&s->block);
    return e;
}

enum err session_on_frame(struct session *s, const uint8_t *p, uint32_t n)
{
    switch (s->type) {
    case FRAME_HEADERS:
        return on_headers_frame(s, p, n);
    case FRAME_PRIORITY:
        return on_priority(s, p, n);
    case FRAME_RST_STREAM:
        return on_rst_stream(s, p, n);
    case FRAME_SETTINGS:
        return on_settings(s, p, n);
    case FRAME_PUSH_PROMISE:
        return fail(s, H2_PROTOCOL_ERROR, "PUSH_PROMISE");
    case FRAME_PING:
        return on_ping(s, p, n);
    case FRAME_GOAWAY:
        return on_goaway(s, p, n);
    case FRAME_WINDOW_UPDATE:
        return on_window_update(s, p, n);
    case FRAME_CONTINUATION:
        return on_continuation(s, p, n);
    default:
        return session_count_unknown(s);
    }
}
