/* One end of an HTTP/2 connection (a wire and its nghttp2 session) and the epoll loop that drives all of them: each
 * turn reads what is ready, and each connection that owes something is written to once, at the end of the turn. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "wire.h"

#include "base/list.h"
#include <nghttp2/nghttp2.h>

/* Anything that epoll can report on; embedded first in what owns the descriptor. */
struct source {
    void (*on_ready)(struct source *source, uint32_t events);
};

/* Owned by: the program's main function. */
struct loop {
    int epoll;
    struct list dirty; /* peers that may owe bytes */
    uint8_t *scratch;  /* one read's worth, shared by all peers */
    int64_t now;       /* monotonic nanoseconds, taken when a turn begins */
};

/* Embedded first in the connection of echo and of client. Borrows: loop. */
struct peer {
    struct source source;
    struct wire wire;
    nghttp2_session *session;
    struct loop *loop;
    struct list dirty;
    bool writable_armed;
    void (*on_gone)(struct peer *peer); /* called once; the peer's memory belongs to its owner from then on */
};

/* Monotonic nanoseconds. */
int64_t loop_clock(void);

void loop_init(struct loop *l);
void loop_fini(struct loop *l);

/* Watches `fd` for input on behalf of `source`; false when it cannot be watched (a regular file, /dev/null). */
bool loop_watch(struct loop *l, int fd, struct source *source);

/* Watches `fd` no longer. */
void loop_forget(struct loop *l, int fd);

/* Flushes every dirty peer, then waits at most `wait_ns` (< 0: for ever) and handles what is ready. */
void loop_turn(struct loop *l, int64_t wait_ns);

/* Takes over the wire and the session, which must exist; begins to watch the socket and to send. */
void peer_start(struct peer *p, struct loop *l, void (*on_gone)(struct peer *peer));

/* The peer owes bytes, or may: it is flushed at the end of this turn. */
void peer_touch(struct peer *p);

/* Closes and frees wire and session. Does not call on_gone. */
void peer_fini(struct peer *p);

/* Settings that every peer of the bench announces: windows so large that the proxy is what is measured. */
void peer_submit_settings(nghttp2_session *session, uint32_t streams_max);

#endif
