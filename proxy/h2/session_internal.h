/* What the files of the session share: frame constants, output helpers, and the table of streams. Not for others. */
#ifndef H2_SESSION_INTERNAL_H
#define H2_SESSION_INTERNAL_H

#include "h2/session.h"

enum frame_type {
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION
};

enum { FLAG_ACK = 1, FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4, FLAG_PADDED = 8, FLAG_PRIORITY = 32 };

enum {
    SETTING_HEADER_TABLE_SIZE = 1,
    SETTING_ENABLE_PUSH = 2,
    SETTING_MAX_CONCURRENT_STREAMS = 3,
    SETTING_INITIAL_WINDOW_SIZE = 4,
    SETTING_MAX_FRAME_SIZE = 5,
    SETTING_MAX_HEADER_LIST_SIZE = 6,
    SETTING_NO_RFC7540_PRIORITIES = 9
};

enum stream_flag {
    STREAM_LOCAL_HEADERS = 1,
    STREAM_END_QUEUED = 2,
    STREAM_LOCAL_ENDED = 4,
    STREAM_REMOTE_HEADERS = 8,
    STREAM_REMOTE_ENDED = 16
};

enum { FRAME_HEAD = 9, WINDOW_MAX = 0x7fffffff, PREFACE_BYTES = 24 };

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void put_frame_head(uint8_t *p, uint32_t length, uint8_t type, uint8_t flags, uint32_t id)
{
    put32(p, length << 8 | type);
    p[4] = flags;
    put32(p + 5, id);
}

/* Appends a control frame; when memory is out the session fails at its next feed. */
void session_put_frame(struct session *s, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *payload, uint32_t n);
void session_put_window_update(struct session *s, uint32_t id, uint32_t n);

/* A connection error: GOAWAY with the code, once; returns `e` for the caller to return. */
MUST_CHECK enum err session_fail(struct session *s, enum err e, uint32_t code, const char *debug);

/* Counts a bound that was met. */
void session_count(struct session *s, enum bound_kind kind);

/* The same, and ends the connection: ENHANCE_YOUR_CALM. Returns ERR_LIMIT. */
MUST_CHECK enum err session_over(struct session *s, enum bound_kind kind, const char *what);

/* Each takes one from a budget; an error when it is used up. A glitch is a frame that honest peers do not send in
 * numbers; a stream error, a stream that we had to reset. */
MUST_CHECK enum err session_glitch(struct session *s, const char *what);
MUST_CHECK enum err session_count_stream_error(struct session *s, const char *what);
MUST_CHECK enum err session_count_reset(struct session *s);
MUST_CHECK enum err session_count_unknown(struct session *s);
MUST_CHECK enum err session_count_ping(struct session *s);
MUST_CHECK enum err session_count_settings(struct session *s, uint32_t entries);
MUST_CHECK enum err session_count_priority(struct session *s);
MUST_CHECK enum err session_count_window_update(struct session *s);

/* A stream is closed before the peer could know: it may still send so many bytes of DATA on it, and a few other frames.
 */
void session_expect_late(struct session *s, int64_t bytes);

/* A frame on a closed stream, with so many bytes of DATA: one that was to be expected, or a glitch. */
MUST_CHECK enum err session_count_late(struct session *s, uint32_t bytes, const char *what);

/* A frame carries nothing, or something; an error when too many in a row do not. */
MUST_CHECK enum err session_count_empty(struct session *s, bool empty);

/* A DATA frame of `length` bytes that is not the last of its stream, of which n are there: an error when too many are
 * small. */
MUST_CHECK enum err session_count_data(struct session *s, const uint8_t *p, size_t n, uint32_t length);

/* Asks the owner once to let the connection end in order. */
void session_grow_weary(struct session *s);

/* An error when the peer does not read what we owe it. */
MUST_CHECK enum err session_check_queues(struct session *s);

struct stream *session_find(struct session *s, uint32_t id);
MUST_CHECK enum err session_insert(struct session *s, struct stream *st, uint32_t id);

/* Takes the stream out of the session; it is not open any more. */
void session_drop(struct session *s, struct stream *st, bool reset_by_us);

enum closed_how { CLOSED_UNKNOWN, CLOSED_IN_ORDER, CLOSED_BY_US };
enum closed_how session_closed_how(const struct session *s, uint32_t id);
void session_remember_closed(struct session *s, uint32_t id, bool by_us);

/* The peer broke a rule on this stream: RST_STREAM, a stream error, on_reset. */
MUST_CHECK enum err session_stream_error(struct session *s, struct stream *st, uint32_t code, const char *what);

/* Puts a stream that has pending data on the ready or the stalled list. */
void session_queue(struct session *s, struct stream *st);

/* Received frames, payload whole (not DATA). */
MUST_CHECK enum err session_on_frame(struct session *s, const uint8_t *p, uint32_t n);

/* DATA: the head is in, then the payload as it comes. */
MUST_CHECK enum err session_on_data_begin(struct session *s);
MUST_CHECK enum err session_on_data(struct session *s, const uint8_t *p, size_t n, size_t *ret_used);

/* A whole header block of s->stream_id. */
MUST_CHECK enum err session_on_block(struct session *s, uint32_t id, uint8_t flags, const uint8_t *p, size_t n);

/* Writes a header block as HEADERS and CONTINUATION frames. */
MUST_CHECK enum err session_put_block(struct session *s, uint32_t id, const struct header *v, size_t n, bool end);

/* The local side of the stream has ended on the wire: closes it when the remote one has too; a server tells a client
 * that still uploads to stop (RFC 9113 section 8.1). */
void stream_on_local_end(struct stream *st);

#endif
