/* A scripted HTTP/2 peer: one connection of which every frame is written and read by the script. It knows the shape of
 * frames and HPACK (nghttp2's) and no rule, so it can break any. By itself it only sends its first SETTINGS (and the
 * client preface) and answers SETTINGS and PING, and none of that when silent. */
#ifndef TESTS_SCRIPT_PEER_H
#define TESTS_SCRIPT_PEER_H

#include "base/buf.h"
#include "base/list.h"
#include "net/conn.h"

#include <nghttp2/nghttp2.h>

struct stage;

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
    FRAME_CONTINUATION,
    FRAME_TYPES
};

enum { FRAME_END_STREAM = 1, FRAME_ACK = 1, FRAME_END_HEADERS = 4, FRAME_PADDED = 8 };

extern const char *const frame_names[FRAME_TYPES];

struct field {
    char *name, *value;
    size_t value_n;
};

/* A received frame; a header block with its continuations is one. Owned by: the peer's inbox. */
struct frame {
    struct list node;
    uint8_t type, flags;
    uint32_t stream;
    struct buf payload; /* of DATA without padding */
    struct field *fields;
    size_t fields_n;
    ns_t at;
};

enum { PEER_NAME_MAX = 32 };

/* Owned by: its stage. */
struct peer {
    struct list node;
    char name[PEER_NAME_MAX]; /* "" : accepted and not yet taken by the script */
    const char *of;           /* name of the endpoint that accepted it; NULL: a client */
    struct conn *conn;
    uint64_t link;
    bool silent, opened, ended, preface_left;
    char why[160]; /* of the end */
    struct buf out, in, block;
    uint32_t block_stream;
    uint8_t block_flags;
    nghttp2_hd_inflater *inflater;
    nghttp2_hd_deflater *deflater;
    struct buf settings; /* payload of the first SETTINGS */
    struct list inbox;   /* frames, oldest first */
    struct stage *stage;
    void (*saw)(struct peer *p, const struct frame *f); /* transcript */
};

/* A peer without a connection yet. */
struct peer *peer_new(const char *name, const char *of, bool silent);
void peer_free(struct peer *p);

/* Callbacks for conn_connect and conn_accepted; the context is the peer. */
extern const struct conn_ops peer_ops;

/* Appends a frame to the output and offers all of it. The length field is n whatever the payload. */
void peer_send(struct peer *p, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t n);

/* Drops what has come so far. */
void peer_forget(struct peer *p);

/* Any bytes. */
void peer_send_raw(struct peer *p, const void *bytes, size_t n);

/* Compresses fields into a block; *out is appended to. */
void peer_deflate(struct peer *p, const nghttp2_nv *v, size_t n, struct buf *out);

void frame_free(struct frame *f);

/* A line that shows the frame; returns out. */
const char *frame_format(const struct frame *f, char *out, size_t size);

#endif
