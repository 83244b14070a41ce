/* What a peer may make a session do: counting frames against the bounds, and what time breaks. */
#include "h2/session_internal.h"

enum {
    MESSAGE_HEAD = 5,
    LATE_FRAMES = 3 /* on a stream that we reset: response headers, trailers, an empty end */
};

void session_count(struct session *s, enum bound_kind kind)
{
    counter_add(&s->env->stats->bounds[s->server ? BOUND_DOWNSTREAM : BOUND_UPSTREAM][kind], 1);
}

enum err session_over(struct session *s, enum bound_kind kind, const char *what)
{
    session_count(s, kind);
    return session_fail(s, ERR_LIMIT, H2_ENHANCE_YOUR_CALM, what);
}

void session_grow_weary(struct session *s)
{
    if (s->weary)
        return;
    s->weary = true;
    s->ops->on_weary(s->ctx);
}

/* A budget that ends the connection when it is empty, and asks for its end in order when a quarter is left. */
static enum err take(struct session *s, struct bucket *b, const struct bound_rate *rate, enum bound_kind kind,
                     const char *what)
{
    if (!bucket_take(b, rate, s->env->now))
        return session_over(s, kind, what);
    if (bucket_is_low(b, rate) && !s->weary) {
        session_count(s, kind);
        session_grow_weary(s);
    }
    return ERR_NONE;
}

enum err session_glitch(struct session *s, const char *what)
{
    return take(s, &s->glitches, &s->bounds->glitches, BOUND_GLITCHES, what);
}

void session_expect_late(struct session *s, int64_t bytes)
{
    s->late_bytes += bytes > 0 ? (uint64_t)bytes : 0;
    s->late_frames += LATE_FRAMES;
}

enum err session_count_late(struct session *s, uint32_t bytes, const char *what)
{
    if (bytes > 0 && s->late_bytes >= bytes) {
        s->late_bytes -= bytes;
        return ERR_NONE;
    }
    if (bytes == 0 && s->late_frames > 0) {
        s->late_frames--;
        return ERR_NONE;
    }
    return session_glitch(s, what);
}

enum err session_count_stream_error(struct session *s, const char *what)
{
    return take(s, &s->stream_errors, &s->bounds->stream_errors, BOUND_STREAM_ERRORS, what);
}

enum err session_count_reset(struct session *s)
{
    if (bucket_take(&s->resets, &s->bounds->premature_resets, s->env->now))
        return ERR_NONE;
    return session_over(s, BOUND_PREMATURE_RESETS, "too many streams reset right after their start");
}

enum err session_count_unknown(struct session *s)
{
    if (bucket_take(&s->unknown, &s->bounds->unknown_frames, s->env->now))
        return ERR_NONE;
    return session_over(s, BOUND_UNKNOWN_FRAMES, "too many frames of unknown types");
}

/* One after data that we sent is free: so gRPC libraries measure how much a connection carries, again and again. */
enum err session_count_ping(struct session *s)
{
    bool measures = s->data_sent != s->data_at_ping;
    s->data_at_ping = s->data_sent;
    if (measures)
        return ERR_NONE;
    if (bucket_take(&s->pings, &s->bounds->pings, s->env->now))
        return ERR_NONE;
    return session_over(s, BOUND_PINGS, "too many pings");
}

enum err session_count_settings(struct session *s, uint32_t entries)
{
    if (entries > s->bounds->settings_entries)
        return session_over(s, BOUND_SETTINGS_ENTRIES, "too many settings in a frame");
    if (bucket_take(&s->settings, &s->bounds->settings_frames, s->env->now))
        return ERR_NONE;
    return session_over(s, BOUND_SETTINGS_FRAMES, "too many SETTINGS frames");
}

enum err session_count_priority(struct session *s)
{
    if (++s->priorities <= (uint64_t)s->bounds->priority_frames * (s->opened + 1))
        return ERR_NONE;
    return session_over(s, BOUND_PRIORITY_FRAMES, "too many PRIORITY frames");
}

enum err session_count_window_update(struct session *s)
{
    uint64_t allowed = BOUNDS_WINDOW_UPDATES + BOUNDS_WINDOW_UPDATES_OPEN * s->opened +
                       (uint64_t)s->bounds->window_updates_per_data * s->data_sent;
    if (++s->window_updates <= allowed)
        return ERR_NONE;
    return session_over(s, BOUND_WINDOW_UPDATES, "too many WINDOW_UPDATE frames");
}

enum err session_count_empty(struct session *s, bool empty)
{
    s->empty_frames = empty ? s->empty_frames + 1 : 0;
    if (s->empty_frames <= s->bounds->empty_frames)
        return ERR_NONE;
    return session_over(s, BOUND_EMPTY_FRAMES, "too many empty frames");
}

/* Whether a frame is one whole message and no more (PROTOCOL-HTTP2, "Length-Prefixed-Message"): honest callers stream
 * small ones so. */
static bool is_message(const uint8_t *p, size_t n, uint32_t length)
{
    return n >= MESSAGE_HEAD && p[0] <= 1 && (uint64_t)get32(p + 1) + MESSAGE_HEAD == length;
}

enum err session_count_data(struct session *s, const uint8_t *p, size_t n, uint32_t length)
{
    if (length < s->bounds->small_data_bytes && is_message(p, n, length))
        return ERR_NONE;
    s->small_bytes += length;
    if (++s->small_frames < s->bounds->small_data_frames)
        return ERR_NONE;
    bool over = s->small_bytes < s->bounds->small_data_bytes * s->small_frames;
    s->small_frames = s->small_bytes = 0;
    return over ? session_over(s, BOUND_SMALL_DATA, "DATA frames are too small") : ERR_NONE;
}

/* Frames count only when an earlier flush could not write them: what is queued in this turn the peer could not read. */
enum err session_check_queues(struct session *s)
{
    static const char what[] = "too many frames queued for a peer that does not read";
    if (s->unread && s->control_queued > s->bounds->queued_control_frames)
        return session_over(s, BOUND_QUEUED_CONTROL_FRAMES, what);
    if ((s->unread && s->queued > s->bounds->queued_frames) || buf_len(&s->out) > SESSION_OUTPUT_MAX)
        return session_over(s, BOUND_QUEUED_FRAMES, what);
    return ERR_NONE;
}

void session_on_flushed(struct session *s, size_t before)
{
    size_t left = buf_len(&s->out);
    s->unread = left > 0;
    s->control_queued = left == 0 ? 0 : (uint32_t)((uint64_t)s->control_queued * left / before);
    s->queued = left == 0 ? 0 : (uint32_t)((uint64_t)s->queued * left / before);
}

/* Resets a stream that holds what is not taken. */
static void give_up(struct session *s, struct stream *st, enum bound_kind kind)
{
    session_count(s, kind);
    stream_reset(st, H2_ENHANCE_YOUR_CALM);
    s->ops->on_reset(st, H2_ENHANCE_YOUR_CALM, SESSION_RESET_PROTOCOL);
}

void session_give_up(struct stream *st)
{
    give_up(st->session, st, BOUND_STALLED_STREAM);
}

static struct stream *find_stalled(struct list *waiting, ns_t limit)
{
    LIST_FOR(n, waiting) {
        struct stream *st = CONTAINER_OF(n, struct stream, waiting);
        if (st->waiting_since <= limit)
            return st;
    }
    return NULL;
}

/* Looks again after each, as a reset may take other streams away. */
static void reset_stalled(struct session *s, struct list *waiting)
{
    ns_t limit = s->env->now - s->bounds->stalled_stream;
    for (struct stream *st; (st = find_stalled(waiting, limit)) != NULL;)
        give_up(s, st, BOUND_STALLED_STREAM);
}

enum err session_check_time(struct session *s)
{
    if (s->failed)
        return ERR_NONE;
    if (s->block_since != 0 && s->env->now - s->block_since >= s->bounds->header_block_timeout)
        return session_over(s, BOUND_HEADER_BLOCK_TIMEOUT, "a header block takes too long");
    if (s->server) {
        reset_stalled(s, &s->ready);
        reset_stalled(s, &s->stalled);
    }
    return ERR_NONE;
}

static struct stream *find_largest(struct session *s)
{
    struct stream *most = NULL;
    LIST_FOR(n, &s->stalled) {
        struct stream *st = CONTAINER_OF(n, struct stream, waiting);
        if (!most || st->pending.bytes > most->pending.bytes)
            most = st;
    }
    return most;
}

size_t session_reset_largest(struct session *s)
{
    struct stream *st = find_largest(s);
    size_t bytes = st ? st->pending.bytes : 0;
    if (st)
        give_up(s, st, BOUND_STALLED_STREAM);
    return bytes;
}
