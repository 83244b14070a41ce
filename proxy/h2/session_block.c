/* Header blocks: decoding within the bounds, the rules for requests, responses and trailers, and writing blocks. */
#include "h2/grpc.h"
#include "h2/session_internal.h"

static enum err fail(struct session *s, uint32_t code, const char *debug)
{
    return session_fail(s, ERR_PROTOCOL, code, debug);
}

static bool is_oversize(const struct hpack_sink *sink)
{
    return sink->fields > sink->fields_max || sink->bytes > sink->bytes_max;
}

static enum err decode(struct session *s, const uint8_t *p, size_t n, struct hpack_sink *sink)
{
    struct session_env *env = s->env;
    arena_reset(&env->scratch);
    env->headers.n = env->headers.bytes = 0;
    *sink = (struct hpack_sink){.arena = &env->scratch,
                                .headers = &env->headers,
                                .fields_max = (uint32_t)s->bounds->header_fields,
                                .bytes_max = (uint32_t)s->bounds->header_bytes};
    enum err e = hpack_decode(&s->decoder, p, n, sink);
    if (e == ERR_COMPRESSION)
        return session_fail(s, e, H2_COMPRESSION_ERROR, "broken header compression");
    if (e == ERR_LIMIT)
        return session_over(s, BOUND_HEADER_FLOOD, "header list far over the limit");
    if (sink->fields > sink->fields_max)
        session_count(s, BOUND_HEADER_FIELDS);
    else if (sink->bytes > sink->bytes_max)
        session_count(s, BOUND_HEADER_BYTES);
    return e;
}

/* Content-length of a checked block, -1 when absent. */
static int64_t declared_length(const struct headers *h)
{
    const struct header *f = headers_find(h, TOKEN_CONTENT_LENGTH);
    if (!f || f->value_n > 18)
        return -1;
    int64_t v = 0;
    for (uint32_t i = 0; i < f->value_n; i++)
        v = v * 10 + (f->value[i] - '0');
    return v;
}

static enum err refuse(struct session *s, uint32_t id, uint32_t code)
{
    uint8_t p[4];
    put32(p, code);
    session_put_frame(s, FRAME_RST_STREAM, 0, id, p, sizeof p);
    session_remember_closed(s, id, true);
    session_expect_late(s, s->stream_window);
    return ERR_NONE;
}

static enum err refuse_malformed(struct session *s, uint32_t id)
{
    enum err e = refuse(s, id, H2_PROTOCOL_ERROR);
    return e != ERR_NONE ? e : session_count_stream_error(s, "malformed requests");
}

/* More streams than are allowed. Not a fault of a peer that could not know yet, or that did not know of `held`. */
static enum err refuse_excess(struct session *s, uint32_t id)
{
    enum err e = refuse(s, id, H2_REFUSED_STREAM);
    if (e != ERR_NONE || !s->settings_acked || s->streams < s->streams_max)
        return e;
    return session_count_stream_error(s, "more streams than are allowed");
}

static enum err on_request(struct session *s, uint32_t id, bool end, const struct hpack_sink *sink)
{
    s->last_peer_id = id;
    bool oversize = is_oversize(sink);
    if (id >= s->bounds->stream_ids && !s->weary) {
        session_count(s, BOUND_STREAM_IDS);
        session_grow_weary(s);
    }
    if (s->streams + s->held >= s->streams_max) {
        session_count(s, BOUND_MAX_CONCURRENT_STREAMS);
        return refuse_excess(s, id);
    }
    if (!oversize && (sink->malformed || grpc_check_block(sink->headers, GRPC_BLOCK_REQUEST) != ERR_NONE))
        return refuse_malformed(s, id);
    int64_t length = declared_length(sink->headers);
    if (end && length > 0)
        return refuse_malformed(s, id);
    if (s->failed) /* on_weary ended the session */
        return ERR_PROTOCOL;
    struct stream *st = s->ops->on_request(s->ctx);
    if (st && s->failed) {
        s->ops->on_reset(st, H2_CONNECT_ERROR, SESSION_RESET_LOST);
        return ERR_PROTOCOL;
    }
    if (!st)
        return refuse(s, id, H2_REFUSED_STREAM);
    if (session_insert(s, st, id) != ERR_NONE) {
        s->ops->on_reset(st, H2_INTERNAL_ERROR, SESSION_RESET_PROTOCOL);
        return refuse(s, id, H2_INTERNAL_ERROR);
    }
    st->length_left = length;
    st->flags = STREAM_REMOTE_HEADERS | (end ? STREAM_REMOTE_ENDED : 0);
    s->ops->on_headers(st, sink->headers, end, oversize);
    return ERR_NONE;
}

static enum err on_trailers(struct session *s, struct stream *st, bool end, const struct hpack_sink *sink)
{
    if (st->flags & STREAM_REMOTE_ENDED)
        return session_stream_error(s, st, H2_STREAM_CLOSED, "HEADERS after END_STREAM");
    bool oversize = is_oversize(sink);
    if (!end || st->length_left > 0 ||
        (!oversize && (sink->malformed || grpc_check_block(sink->headers, GRPC_BLOCK_TRAILERS) != ERR_NONE)))
        return session_stream_error(s, st, H2_PROTOCOL_ERROR, "malformed trailers");
    st->flags |= STREAM_REMOTE_ENDED;
    if (st->flags & STREAM_LOCAL_ENDED)
        session_drop(s, st, false);
    s->ops->on_trailers(st, sink->headers, oversize);
    return ERR_NONE;
}

static bool is_informational(const struct headers *h)
{
    const struct header *status = headers_find(h, TOKEN_STATUS);
    return status && status->value_n == 3 && status->value[0] == '1';
}

static enum err on_response(struct session *s, struct stream *st, bool end, const struct hpack_sink *sink)
{
    bool oversize = is_oversize(sink);
    if (!oversize && (sink->malformed || grpc_check_block(sink->headers, GRPC_BLOCK_RESPONSE) != ERR_NONE))
        return session_stream_error(s, st, H2_PROTOCOL_ERROR, "malformed response");
    if (is_informational(sink->headers)) {
        bool over = st->informational >= s->bounds->informational_responses;
        if (over)
            session_count(s, BOUND_INFORMATIONAL_RESPONSES);
        st->informational++;
        if (end || over)
            return session_stream_error(s, st, H2_PROTOCOL_ERROR, "informational responses");
        return ERR_NONE;
    }
    st->length_left = declared_length(sink->headers);
    if (end && st->length_left > 0)
        return session_stream_error(s, st, H2_PROTOCOL_ERROR, "content-length without data");
    st->flags |= STREAM_REMOTE_HEADERS;
    if (end) {
        st->flags |= STREAM_REMOTE_ENDED;
        if (st->flags & STREAM_LOCAL_ENDED)
            session_drop(s, st, false);
    }
    s->ops->on_headers(st, sink->headers, end, oversize);
    return ERR_NONE;
}

/* A block for a stream that is not open. */
static enum err on_stray_block(struct session *s, uint32_t id, bool known_side)
{
    enum closed_how how = session_closed_how(s, id);
    if (!known_side || (how == CLOSED_UNKNOWN && s->closed_at <= SESSION_CLOSED_RING))
        return fail(s, H2_PROTOCOL_ERROR, "HEADERS on a stream that cannot be opened");
    if (how == CLOSED_IN_ORDER)
        return fail(s, H2_STREAM_CLOSED, "HEADERS on a closed stream");
    return session_count_late(s, 0, "HEADERS on closed streams");
}

enum err session_on_block(struct session *s, uint32_t id, uint8_t flags, const uint8_t *p, size_t n)
{
    struct hpack_sink sink;
    bool end = (flags & FLAG_END_STREAM) != 0;
    s->block_since = 0;
    enum err e = decode(s, p, n, &sink);
    if (e != ERR_NONE)
        return e;
    struct stream *st = session_find(s, id);
    if (st && s->server)
        return on_trailers(s, st, end, &sink);
    if (st)
        return st->flags & STREAM_REMOTE_HEADERS ? on_trailers(s, st, end, &sink) : on_response(s, st, end, &sink);
    if (!s->server)
        return on_stray_block(s, id, (id & 1) != 0 && id < s->next_id);
    if ((id & 1) == 0 || id <= s->last_peer_id)
        return on_stray_block(s, id, (id & 1) != 0);
    if (s->goaway_final && id > s->final_id) { /* RFC 9113 section 6.8: ignored, with all that follows on it */
        s->last_peer_id = id;
        session_remember_closed(s, id, true);
        session_expect_late(s, s->stream_window);
        return s->weary ? session_count_stream_error(s, "streams after GOAWAY") : ERR_NONE;
    }
    return on_request(s, id, end, &sink);
}

/* Spreads a block that is larger than a frame over HEADERS and CONTINUATION frames. */
static enum err split_block(struct session *s, size_t start, size_t block, uint32_t id, uint8_t flags)
{
    size_t more = (block - 1) / SESSION_FRAME_MAX;
    if (!buf_reserve(&s->out, more * FRAME_HEAD))
        return ERR_NOMEM;
    buf_commit(&s->out, more * FRAME_HEAD);
    uint8_t *base = buf_head(&s->out) + start;
    for (size_t i = more + 1; i-- > 0;) {
        size_t from = i * SESSION_FRAME_MAX;
        size_t part = block - from < SESSION_FRAME_MAX ? block - from : SESSION_FRAME_MAX;
        uint8_t *frame = base + from + i * FRAME_HEAD;
        memmove(frame + FRAME_HEAD, base + FRAME_HEAD + from, part);
        uint8_t frame_flags = (uint8_t)((i == 0 ? flags : 0) | (i == more ? FLAG_END_HEADERS : 0));
        put_frame_head(frame, (uint32_t)part, i == 0 ? FRAME_HEADERS : FRAME_CONTINUATION, frame_flags, id);
    }
    return ERR_NONE;
}

enum err session_put_block(struct session *s, uint32_t id, const struct header *v, size_t n, bool end)
{
    size_t start = buf_len(&s->out);
    uint8_t flags = end ? FLAG_END_STREAM : 0;
    if (!buf_reserve(&s->out, FRAME_HEAD))
        return ERR_NOMEM;
    buf_commit(&s->out, FRAME_HEAD);
    enum err e = hpack_encode(&s->encoder, v, n, &s->out);
    size_t block = buf_len(&s->out) - start - FRAME_HEAD;
    if (e == ERR_NONE && block > SESSION_FRAME_MAX)
        e = split_block(s, start, block, id, flags);
    else if (e == ERR_NONE)
        put_frame_head(buf_head(&s->out) + start, (uint32_t)block, FRAME_HEADERS, flags | FLAG_END_HEADERS, id);
    if (e != ERR_NONE) {
        s->failed = true;
        return e;
    }
    s->queued++;
    s->out_total += buf_len(&s->out) - start;
    return ERR_NONE;
}
