/* One HTTP/2 connection (RFC 9113) as a pure transformation: bytes in, events out; submissions in, bytes out. It knows
 * no socket and no clock, and decides nothing about calls.
 *
 * Callbacks run only inside session_feed and session_pump, never inside stream_* functions; they may call any stream_*
 * function of this or another session. A stream object belongs to its owner, who embeds it; the session lets go of it
 * (stream_is_open becomes false) before it calls back for the last time. */
#ifndef H2_SESSION_H
#define H2_SESSION_H

#include "base/list.h"
#include "core/stats.h"
#include "h2/chunk.h"
#include "h2/hpack.h"

enum {
    SESSION_FRAME_MAX = 16384,      /* what we accept and send */
    SESSION_WINDOW_DEFAULT = 65535, /* of a stream until SETTINGS say otherwise (RFC 9113 section 6.9.2) */
    SESSION_DATA_MIN = 1024,        /* less of a DATA frame that is not whole yet waits for more */
    SESSION_OUTPUT_HIGH = 65536,    /* DATA waits in its stream while this much output is unsent */
    SESSION_OUTPUT_MAX = 4 << 20,   /* unsent output of any kind */
    SESSION_SUSPECT = 50, /* premature resets lately that make the next requests wait for the end of the turn */
    SESSION_CLOSED_RING = 128,
    SESSION_BUCKETS = 16
};

struct session;

/* One direction pair of a call on one connection. Owned by: an exchange. Borrows: its session. */
struct stream {
    struct session *session; /* NULL: not open */
    struct stream *next;     /* in the session's table */
    struct list waiting;     /* in session->ready or session->stalled while `pending` or an end waits */
    uint32_t id;
    int32_t send_window, recv_window;
    int32_t recv_size;  /* what recv_window is when nothing is on its way or with us */
    uint32_t recv_owed; /* given back by the owner, not yet announced */
    uint8_t flags;
    uint8_t informational; /* 1xx blocks seen */
    uint16_t trailers_n;
    const struct header *trailers; /* to be sent behind `pending`; borrowed from the owner until sent */
    struct chunks pending;         /* data that waits for a window or for output room */
    int64_t length_left;           /* content-length not yet received, -1: none declared */
    uint64_t headers_at;           /* offset of its HEADERS in the session's output */
    ns_t opened;
    ns_t waiting_since; /* `pending` has data, and this is when some of it last moved */
};

enum session_reset {
    SESSION_RESET_PEER,     /* RST_STREAM received */
    SESSION_RESET_REFUSED,  /* a GOAWAY excludes it, or REFUSED_STREAM: never processed */
    SESSION_RESET_PROTOCOL, /* the peer broke a rule on this stream; RST_STREAM was sent */
    SESSION_RESET_LOST      /* session_abandon: the connection is gone */
};

struct session_ops {
    /* Server: an object for a new stream, or NULL to refuse it. Not initialised by the caller. */
    struct stream *(*on_request)(void *ctx);
    /* The first block: a request, or the final response (1xx are dropped). `h` and its bytes live during the call only.
     * oversize: fields were left out because a bound was passed. */
    void (*on_headers)(struct stream *s, const struct headers *h, bool end, bool oversize);
    void (*on_trailers)(struct stream *s, const struct headers *h, bool oversize);
    /* n bytes, maybe 0 with end. The owner gives them back with stream_consume when they have left it. */
    void (*on_data)(struct stream *s, const uint8_t *p, size_t n, bool end);
    /* The stream is over by a reset of any kind; it is not open any more. */
    void (*on_reset)(struct stream *s, uint32_t code, enum session_reset how);
    /* n pending bytes moved into the output. */
    void (*on_sent)(struct stream *s, size_t n);
    /* Everything given was sent, the end included, and the stream is not open any more. Only when that happened in
     * session_pump, that is later than the stream_* call. */
    void (*on_done)(struct stream *s);
    /* Client: the peer's first SETTINGS are in. */
    void (*on_ready)(void *ctx);
    /* Client: the peer changed how many streams may be open. */
    void (*on_limit)(void *ctx);
    /* The peer goes away; streams above last_id have already got on_reset REFUSED. */
    void (*on_goaway)(void *ctx, uint32_t last_id, uint32_t code);
    /* Our ping (session_ping) was answered. */
    void (*on_pong)(void *ctx);
    /* No more streams are wanted: the peer has used up three quarters of a budget, or its stream ids. Once. */
    void (*on_weary)(void *ctx);
};

/* Parts that all sessions of a worker share. */
struct session_env {
    struct slab chunks;     /* of struct chunk */
    struct headers headers; /* decode scratch */
    struct arena scratch;   /* bytes of the block being decoded */
    struct worker_stats *stats;
    const struct bounds *bounds; /* of sessions to come; the defaults at first */
    ns_t now;                    /* set by the worker before it feeds */
};

struct session {
    const struct session_ops *ops;
    void *ctx;
    struct session_env *env;
    const struct bounds *bounds; /* borrowed; those of env when it began */
    struct buf out;              /* bytes to send; the owner consumes from its head */
    uint64_t out_total;          /* bytes ever put into `out` */
    struct hpack_decoder decoder;
    struct hpack_encoder encoder;
    struct stream **table; /* buckets by id */
    struct stream *buckets[SESSION_BUCKETS];
    uint32_t table_mask;
    uint32_t streams;    /* open */
    struct list ready;   /* streams with something to send and a window */
    struct list stalled; /* streams whose window is used up */

    bool server, failed, preface_done, settings_seen, goaway_sent, goaway_final, goaway_seen;
    bool settings_acked;   /* the peer has acknowledged ours */
    bool weary;            /* on_weary was called */
    bool unread;           /* the last flush could not write all: the peer reads slowly or not at all */
    bool limit_changed;    /* client: on_limit is owed at the end of the feed */
    uint32_t next_id;      /* client: the next id to use */
    uint32_t last_peer_id; /* server: highest id seen */
    uint32_t final_id;     /* server: last id we promised to serve, once goaway_final */
    uint32_t streams_max;  /* server: what we allow */
    uint32_t held;         /* server: streams that were reset and whose attempt is not gone; they count as open */
    int32_t stream_window; /* what the peer may send ahead on a stream at first */
    uint32_t peer_streams_max, peer_frame_max;
    int32_t peer_initial_window;
    int64_t send_window, recv_window;
    uint32_t recv_owed;
    uint32_t control_queued, queued; /* control frames, and frames of any kind, in `out` */
    uint32_t pings_sent;             /* and not answered */
    uint32_t frames_left;            /* of this turn, counted down by session_feed_some */
    uint32_t empty_frames;           /* consecutive ones */
    uint32_t small_frames, small_bytes;
    uint32_t priorities, window_updates;
    uint64_t late_bytes, late_frames; /* that the peer may still send on streams that are closed */
    uint64_t opened, data_sent;       /* streams, and DATA frames */
    uint64_t data_at_ping;            /* data_sent when a PING came last */
    ns_t block_since;                 /* when the header block began that is not complete; 0: none */
    ns_t idle_since;                  /* when the last stream went */
    struct bucket resets, stream_errors, glitches, unknown, pings, settings;
    uint32_t closed[SESSION_CLOSED_RING]; /* ids lately closed, shifted; lowest bit: reset by us */
    uint32_t closed_at;

    /* input state */
    uint8_t head[9]; /* frame header being collected */
    uint8_t head_n;
    uint8_t type, frame_flags;
    bool in_payload, pad_known;
    bool fresh;                 /* of a DATA frame, nothing was handed over */
    uint32_t length, stream_id; /* of the current frame; length counts down for DATA */
    uint32_t padding;
    struct buf partial;    /* payload of a frame that came in parts */
    struct buf block;      /* fragments of a header block */
    uint32_t block_stream; /* 0: no block open */
    uint32_t block_frames;
    uint8_t block_flags;
};

void session_env_init(struct session_env *env, struct worker_stats *stats);
void session_env_fini(struct session_env *env);

/* Puts our preface and SETTINGS into the output. streams_max: server, how many streams the peer may have open. */
void session_init(struct session *s, struct session_env *env, bool server, uint32_t streams_max,
                  const struct session_ops *ops, void *ctx);

/* A client whose peer may send ahead only `window` bytes on a stream, until stream_widen. */
void session_init_narrow(struct session *s, struct session_env *env, int64_t window, const struct session_ops *ops,
                         void *ctx);

/* Frees memory; streams must have been abandoned. */
void session_fini(struct session *s);

/* Takes frames from n received bytes while frames_left allows; *ret_used tells how many bytes. Errors as session_feed.
 */
MUST_CHECK enum err session_feed_some(struct session *s, const uint8_t *p, size_t n, size_t *ret_used);

/* Takes n received bytes, all of them. An error means that the connection must be closed once the output (a GOAWAY) has
 * been offered: ERR_PROTOCOL, ERR_COMPRESSION, ERR_LIMIT (a bound; the counter was raised), ERR_NOMEM,
 * ERR_INVALID (not HTTP/2 at all: nothing to send). */
MUST_CHECK enum err session_feed(struct session *s, const uint8_t *p, size_t n);

/* Moves waiting data into the output while windows and SESSION_OUTPUT_HIGH allow. */
void session_pump(struct session *s);

/* True when the output or a ready stream waits for a flush. */
static inline bool session_wants_flush(const struct session *s)
{
    return buf_len(&s->out) > 0 || (s->send_window > 0 && !list_is_empty(&s->ready));
}

/* After a flush took bytes from out: `before` is the length it had. Keeps the count of queued frames true. */
void session_on_flushed(struct session *s, size_t before);

/* Whether time alone may break a bound: a header block is incomplete, or data waits. */
static inline bool session_is_pressed(const struct session *s)
{
    return s->block_since != 0 || (s->server && (!list_is_empty(&s->ready) || !list_is_empty(&s->stalled)));
}

/* What time has broken by now: streams of which nothing could be sent for too long are reset; ERR_LIMIT when a header
 * block takes too long, as from session_feed. */
MUST_CHECK enum err session_check_time(struct session *s);

/* Server: resets the stream that holds the most, of those whose peer gives no window. Returns the bytes set free, 0:
 * there is none. */
size_t session_reset_largest(struct session *s);

/* Server: resets an open stream, as what it holds is not taken. */
void session_give_up(struct stream *st);

/* Server: lately so many streams were reset right after their start that requests should wait for what comes behind. */
static inline bool session_is_suspect(const struct session *s)
{
    return s->resets.tokens <= s->bounds->premature_resets.burst - SESSION_SUSPECT;
}

/* Client: the stream ids are used up; open no more. */
static inline bool session_is_used_up(const struct session *s)
{
    return s->next_id >= s->bounds->stream_ids;
}

/* Tells every open stream that the connection is gone (on_reset LOST) and lets go of it. */
void session_abandon(struct session *s);

/* Server drain, phase one: GOAWAY(2^31-1) and a ping; phase two: GOAWAY with the true last id. */
void session_announce_drain(struct session *s);
void session_finish_drain(struct session *s);

/* GOAWAY with a code; the connection is to be closed after the flush. */
void session_goaway(struct session *s, uint32_t code, const char *debug);

void session_ping(struct session *s);

/* Client: streams that may be opened now. */
static inline uint32_t session_room(const struct session *s)
{
    if (s->goaway_seen || s->failed || !s->settings_seen || session_is_used_up(s) || s->streams >= s->peer_streams_max)
        return 0;
    return s->peer_streams_max - s->streams;
}

/* Gives back the memory of buffers that are empty and, on a connection without streams, of the encoder's table. */
void session_release_buffers(struct session *s);

void stream_init(struct stream *st);

static inline bool stream_is_open(const struct stream *st)
{
    return st->session != NULL;
}

/* Client: opens a stream and sends its HEADERS. session_room must be > 0. ERR_NOMEM only. */
MUST_CHECK enum err stream_open(struct session *s, struct stream *st, const struct header *v, size_t n, bool end);

/* Server: sends the response block; with `end` it is trailers-only and the stream closes. */
MUST_CHECK enum err stream_respond(struct stream *st, const struct header *v, size_t n, bool end);

/* Sends or queues data; *ret_sent tells how much went straight into the output (the rest comes through on_sent). With
 * `end` the local side ends behind it. ERR_NOMEM: reset the stream. */
MUST_CHECK enum err stream_send(struct stream *st, const uint8_t *p, size_t n, bool end, size_t *ret_sent);

/* Sends trailers behind the pending data; v and its bytes must live until then. Ends the local side. */
MUST_CHECK enum err stream_send_trailers(struct stream *st, const struct header *v, size_t n);

/* Whether our response block went out. */
bool stream_has_responded(const struct stream *st);

/* Whether our side has ended or its end is queued. */
bool stream_is_ending(const struct stream *st);

/* Throws away data that is still waiting to be sent; returns how many bytes. */
size_t stream_drop_pending(struct stream *st);

/* n received bytes have left the owner: the peer may send as many again. Harmless on a closed stream. */
void stream_consume(struct stream *st, size_t n);

/* Whether stream_consume of n bytes tells the peer of them now. */
static inline bool stream_is_due(const struct stream *st, size_t n)
{
    return st->recv_owed + n >= (size_t)st->recv_size / 2;
}

/* By how many bytes the window of the stream may grow to the bound stream_window; 0 when its peer sends no more. */
int64_t stream_width_left(const struct stream *st);

/* The peer may send ahead n more bytes for as long as the stream lasts; told with the next stream_consume. */
void stream_widen(struct stream *st, int64_t n);

/* RST_STREAM with the code and close; harmless when not open. */
void stream_reset(struct stream *st, uint32_t code);

#endif
