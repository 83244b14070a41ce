/* Life of a session: set-up, the frame loop of the input, the table of streams, and connection errors. What single
 * frames mean is in session_frames.c and session_block.c; what we send on streams in stream.c. */
#include "h2/session_internal.h"

#include <stdlib.h>

enum { SCRATCH_BYTES = 20480 };

static const char preface[PREFACE_BYTES + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

void session_env_init(struct session_env *env, struct worker_stats *stats)
{
    slab_init(&env->chunks, sizeof(struct chunk));
    void *first = malloc(SCRATCH_BYTES);
    arena_init(&env->scratch, first, first ? SCRATCH_BYTES : 0);
    env->stats = stats;
    env->bounds = &bounds_default;
    env->now = 0;
}

void session_env_fini(struct session_env *env)
{
    void *first = env->scratch.first;
    arena_fini(&env->scratch);
    free(first);
    slab_fini(&env->chunks);
}

static size_t put_setting(uint8_t *p, uint16_t id, uint32_t value)
{
    p[0] = (uint8_t)(id >> 8);
    p[1] = (uint8_t)id;
    put32(p + 2, value);
    return 6;
}

static void put_settings(struct session *s)
{
    uint8_t p[30];
    size_t n = 0;
    if (s->server)
        n += put_setting(p + n, SETTING_MAX_CONCURRENT_STREAMS, s->streams_max);
    else
        n += put_setting(p + n, SETTING_ENABLE_PUSH, 0);
    n += put_setting(p + n, SETTING_MAX_HEADER_LIST_SIZE, (uint32_t)s->bounds->header_bytes);
    if (s->stream_window != SESSION_WINDOW_DEFAULT)
        n += put_setting(p + n, SETTING_INITIAL_WINDOW_SIZE, (uint32_t)s->stream_window);
    n += put_setting(p + n, SETTING_NO_RFC7540_PRIORITIES, 1);
    session_put_frame(s, FRAME_SETTINGS, 0, 0, p, (uint32_t)n);
    s->control_queued = s->queued = 0;
}

/* 64KiB stands for the 65535 bytes that the protocol begins with: no setting is sent. */
static int32_t stream_window(int64_t bound)
{
    return bound == SESSION_WINDOW_DEFAULT + 1 ? SESSION_WINDOW_DEFAULT : (int32_t)bound;
}

static void fill_buckets(struct session *s)
{
    const struct bounds *b = s->bounds;
    ns_t now = s->env->now;
    bucket_init(&s->resets, &b->premature_resets, now);
    bucket_init(&s->stream_errors, &b->stream_errors, now);
    bucket_init(&s->glitches, &b->glitches, now);
    bucket_init(&s->unknown, &b->unknown_frames, now);
    bucket_init(&s->pings, &b->pings, now);
    bucket_init(&s->settings, &b->settings_frames, now);
}

static void init(struct session *s, struct session_env *env, bool server, uint32_t streams_max, int64_t window)
{
    s->env = env;
    s->bounds = env->bounds;
    hpack_decoder_init(&s->decoder);
    hpack_encoder_init(&s->encoder);
    list_init(&s->ready);
    list_init(&s->stalled);
    s->table = s->buckets;
    s->table_mask = SESSION_BUCKETS - 1;
    s->server = server;
    s->preface_done = !server;
    s->next_id = 1;
    s->streams_max = streams_max;
    s->peer_streams_max = UINT32_MAX;
    s->peer_frame_max = SESSION_FRAME_MAX;
    s->peer_initial_window = 65535;
    s->send_window = 65535;
    s->stream_window = stream_window(window);
    s->recv_window = s->bounds->connection_window;
    s->idle_since = env->now;
    fill_buckets(s);
    if (!server && buf_append(&s->out, preface, PREFACE_BYTES) == ERR_NONE)
        s->out_total += PREFACE_BYTES;
    put_settings(s);
    session_put_window_update(s, 0, (uint32_t)s->bounds->connection_window - SESSION_WINDOW_DEFAULT);
}

void session_init(struct session *s, struct session_env *env, bool server, uint32_t streams_max,
                  const struct session_ops *ops, void *ctx)
{
    *s = (struct session){.ops = ops, .ctx = ctx};
    init(s, env, server, streams_max, env->bounds->stream_window);
}

void session_init_narrow(struct session *s, struct session_env *env, int64_t window, const struct session_ops *ops,
                         void *ctx)
{
    *s = (struct session){.ops = ops, .ctx = ctx};
    init(s, env, false, 0, window);
}

void session_fini(struct session *s)
{
    if (s->table != s->buckets)
        free(s->table);
    hpack_decoder_fini(&s->decoder);
    hpack_encoder_fini(&s->encoder);
    buf_fini(&s->out);
    buf_fini(&s->partial);
    buf_fini(&s->block);
}

void session_release_buffers(struct session *s)
{
    buf_release(&s->out);
    buf_release(&s->partial);
    buf_release(&s->block);
    if (s->streams == 0)
        hpack_encoder_release(&s->encoder);
}

void session_put_frame(struct session *s, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *payload, uint32_t n)
{
    uint8_t *p = buf_reserve(&s->out, FRAME_HEAD + n);
    if (!p) {
        s->failed = true;
        return;
    }
    put_frame_head(p, n, type, flags, id);
    if (n > 0)
        memcpy(p + FRAME_HEAD, payload, n);
    buf_commit(&s->out, FRAME_HEAD + n);
    s->out_total += FRAME_HEAD + n;
    s->control_queued++;
    s->queued++;
}

void session_put_window_update(struct session *s, uint32_t id, uint32_t n)
{
    uint8_t p[4];
    put32(p, n);
    session_put_frame(s, FRAME_WINDOW_UPDATE, 0, id, p, sizeof p);
}

void session_goaway(struct session *s, uint32_t code, const char *debug)
{
    uint8_t p[8 + 128];
    size_t n = debug ? strlen(debug) : 0;
    if (n > sizeof p - 8)
        n = sizeof p - 8;
    s->final_id = s->last_peer_id;
    s->goaway_sent = s->goaway_final = true;
    put32(p, s->final_id);
    put32(p + 4, code);
    if (n > 0)
        memcpy(p + 8, debug, n);
    session_put_frame(s, FRAME_GOAWAY, 0, 0, p, (uint32_t)(8 + n));
}

void session_announce_drain(struct session *s)
{
    static const uint8_t notice[8] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    if (s->goaway_sent)
        return;
    s->goaway_sent = true;
    session_put_frame(s, FRAME_GOAWAY, 0, 0, notice, sizeof notice);
    session_ping(s);
}

void session_finish_drain(struct session *s)
{
    if (!s->goaway_final)
        session_goaway(s, H2_NO_ERROR, NULL);
}

void session_ping(struct session *s)
{
    static const uint8_t opaque[8] = {'o', 'u', 't', 'r', 'i', 'g', 'g', 'r'};
    s->pings_sent++;
    session_put_frame(s, FRAME_PING, 0, 0, opaque, sizeof opaque);
}

enum err session_fail(struct session *s, enum err e, uint32_t code, const char *debug)
{
    if (!s->failed) {
        s->failed = true;
        session_goaway(s, code, debug);
    }
    return e;
}

/* Rules that hold for every frame before its payload is looked at. */
static enum err check_frame(struct session *s)
{
    if (s->length > SESSION_FRAME_MAX)
        return session_fail(s, ERR_PROTOCOL, H2_FRAME_SIZE_ERROR, "frame larger than 16384 bytes");
    if (!s->settings_seen && (s->type != FRAME_SETTINGS || (s->frame_flags & FLAG_ACK)))
        return session_fail(s, ERR_PROTOCOL, H2_PROTOCOL_ERROR, "the first frame is not SETTINGS");
    if (s->block_stream != 0 && (s->type != FRAME_CONTINUATION || s->stream_id != s->block_stream))
        return session_fail(s, ERR_PROTOCOL, H2_PROTOCOL_ERROR, "a header block is interrupted");
    if (s->type == FRAME_DATA)
        return session_on_data_begin(s);
    if (s->type == FRAME_HEADERS)
        s->block_since = s->env->now;
    return ERR_NONE;
}

static enum err on_head(struct session *s, const uint8_t *head)
{
    s->length = get32(head) >> 8;
    s->type = head[3];
    s->frame_flags = head[4];
    s->stream_id = get32(head + 5) & 0x7fffffffu;
    s->in_payload = s->fresh = true;
    s->frames_left--;
    s->pad_known = false;
    s->padding = 0;
    return check_frame(s);
}

/* Collects the payload of a frame that is not DATA and hands it over whole. */
static enum err feed_payload(struct session *s, const uint8_t *p, size_t n, size_t *ret_used)
{
    size_t have = buf_len(&s->partial);
    size_t want = s->length - have;
    *ret_used = n < want ? n : want;
    if (have == 0 && n >= want) {
        s->in_payload = false;
        return session_on_frame(s, p, s->length);
    }
    if (buf_append(&s->partial, p, *ret_used) != ERR_NONE)
        return ERR_NOMEM;
    if (n < want)
        return ERR_NONE;
    s->in_payload = false;
    enum err e = session_on_frame(s, buf_head(&s->partial), s->length);
    buf_clear(&s->partial);
    return e;
}

static enum err feed_head(struct session *s, const uint8_t *p, size_t n, size_t *ret_used)
{
    if (s->head_n == 0 && n >= FRAME_HEAD) {
        *ret_used = FRAME_HEAD;
        return on_head(s, p);
    }
    size_t part = (size_t)(FRAME_HEAD - s->head_n) < n ? (size_t)(FRAME_HEAD - s->head_n) : n;
    memcpy(s->head + s->head_n, p, part);
    s->head_n = (uint8_t)(s->head_n + part);
    *ret_used = part;
    if (s->head_n < FRAME_HEAD)
        return ERR_NONE;
    s->head_n = 0;
    return on_head(s, s->head);
}

static enum err feed_some(struct session *s, const uint8_t *p, size_t n, size_t *ret_used)
{
    if (!s->in_payload) {
        enum err e = feed_head(s, p, n, ret_used);
        if (e != ERR_NONE || !s->in_payload || s->length > 0)
            return e;
        size_t none;
        return s->type == FRAME_DATA ? session_on_data(s, p, 0, &none) : feed_payload(s, p, 0, &none);
    }
    if (s->type == FRAME_DATA)
        return session_on_data(s, p, n, ret_used);
    return feed_payload(s, p, n, ret_used);
}

static enum err feed_preface(struct session *s, const uint8_t *p, size_t n, size_t *ret_used)
{
    size_t part = PREFACE_BYTES - s->padding < n ? PREFACE_BYTES - s->padding : n;
    if (memcmp(preface + s->padding, p, part) != 0) {
        s->failed = true;
        return ERR_INVALID;
    }
    s->padding += (uint32_t)part;
    *ret_used = part;
    s->preface_done = s->padding == PREFACE_BYTES;
    return ERR_NONE;
}

enum err session_feed_some(struct session *s, const uint8_t *p, size_t n, size_t *ret_used)
{
    const uint8_t *begin = p;
    while (n > 0 && (s->frames_left > 0 || s->in_payload)) {
        if (s->failed)
            return ERR_PROTOCOL;
        size_t used = 0;
        enum err e = s->preface_done ? feed_some(s, p, n, &used) : feed_preface(s, p, n, &used);
        if (e == ERR_NOMEM)
            return session_fail(s, e, H2_INTERNAL_ERROR, "out of memory");
        if (e != ERR_NONE)
            return e;
        p += used;
        n -= used;
    }
    if (s->limit_changed) {
        s->limit_changed = false;
        s->ops->on_limit(s->ctx);
    }
    *ret_used = (size_t)(p - begin);
    return session_check_queues(s);
}

enum err session_feed(struct session *s, const uint8_t *p, size_t n)
{
    size_t used;
    s->frames_left = UINT32_MAX;
    return session_feed_some(s, p, n, &used);
}

static uint32_t bucket_of(const struct session *s, uint32_t id)
{
    return id >> 1 & s->table_mask;
}

struct stream *session_find(struct session *s, uint32_t id)
{
    struct stream *st = s->table[bucket_of(s, id)];
    while (st && st->id != id)
        st = st->next;
    return st;
}

static enum err grow_table(struct session *s)
{
    uint32_t size = (s->table_mask + 1) * 4;
    struct stream **table = calloc(size, sizeof(struct stream *));
    if (!table)
        return ERR_NOMEM;
    for (uint32_t i = 0; i <= s->table_mask; i++) {
        for (struct stream *st = s->table[i], *next; st; st = next) {
            next = st->next;
            st->next = table[st->id >> 1 & (size - 1)];
            table[st->id >> 1 & (size - 1)] = st;
        }
    }
    if (s->table != s->buckets)
        free(s->table);
    s->table = table;
    s->table_mask = size - 1;
    return ERR_NONE;
}

enum err session_insert(struct session *s, struct stream *st, uint32_t id)
{
    if (s->streams > 2 * s->table_mask && grow_table(s) != ERR_NONE)
        return ERR_NOMEM;
    stream_init(st);
    st->session = s;
    st->id = id;
    st->send_window = s->peer_initial_window;
    st->recv_window = st->recv_size = s->stream_window;
    if (s->server && !s->settings_acked && s->stream_window < SESSION_WINDOW_DEFAULT)
        st->recv_window = SESSION_WINDOW_DEFAULT; /* the peer does not know of ours yet */
    st->opened = s->env->now;
    struct stream **bucket = &s->table[bucket_of(s, id)];
    st->next = *bucket;
    *bucket = st;
    s->streams++;
    s->opened++;
    counter_add(&s->env->stats->streams_opened, 1);
    return ERR_NONE;
}

void session_remember_closed(struct session *s, uint32_t id, bool by_us)
{
    s->closed[s->closed_at++ % SESSION_CLOSED_RING] = id << 1 | (by_us ? 1u : 0u);
}

enum closed_how session_closed_how(const struct session *s, uint32_t id)
{
    for (uint32_t i = 0; i < SESSION_CLOSED_RING; i++)
        if (s->closed[i] >> 1 == id)
            return s->closed[i] & 1u ? CLOSED_BY_US : CLOSED_IN_ORDER;
    return CLOSED_UNKNOWN;
}

void session_drop(struct session *s, struct stream *st, bool reset_by_us)
{
    struct stream **at = &s->table[bucket_of(s, st->id)];
    while (*at != st)
        at = &(*at)->next;
    *at = st->next;
    list_remove(&st->waiting);
    if (st->pending.first)
        chunks_clear(&st->pending, &s->env->chunks);
    s->streams--;
    if (s->streams == 0)
        s->idle_since = s->env->now;
    session_remember_closed(s, st->id, reset_by_us);
    s->late_frames++; /* a reset that crosses the end */
    st->session = NULL;
    counter_add(&s->env->stats->streams_closed, 1);
}

void session_abandon(struct session *s)
{
    s->failed = true;
    for (uint32_t i = 0; i <= s->table_mask; i++) {
        while (s->table[i]) {
            struct stream *st = s->table[i];
            session_drop(s, st, true);
            s->ops->on_reset(st, H2_CONNECT_ERROR, SESSION_RESET_LOST);
        }
    }
}
