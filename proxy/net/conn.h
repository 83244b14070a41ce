/* One connection: a socket, TLS or none, and the rule "one read a readiness, one write a turn". It moves bytes and
 * knows nothing of HTTP. Callbacks never run inside conn_write or conn_close. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/address.h"
#include "base/buf.h"
#include "net/loop.h"
#include "net/tls.h"

struct conn;

enum conn_end {
    CONN_END_EOF,     /* the peer closed in order */
    CONN_END_IO,      /* reset or another socket failure */
    CONN_END_CONNECT, /* could not connect */
    CONN_END_TLS      /* handshake or record failure, wrong peer */
};

struct conn_ops {
    /* Connected, handshake done, peer verified: bytes may be written. Called once, also for accepted connections. */
    void (*on_open)(void *ctx);
    /* n plain bytes, valid during the call. May be called several times a turn. The callee may call conn_close. */
    void (*on_bytes)(void *ctx, const uint8_t *p, size_t n);
    /* After conn_write said blocked: the socket takes bytes again; call conn_write. */
    void (*on_writable)(void *ctx);
    /* The connection is over by itself; `why` is a short text, valid during the call. Only conn_close may follow.
     * Called at most once. */
    void (*on_end)(void *ctx, enum conn_end end, const char *why);
};

/* Per-thread parts that connections share: the loop, the read scratch (64 KiB), the cipher scratch. */
struct conn_env;
struct conn_env *conn_env_new(struct loop *l);
/* Overwrites the n bytes that were read last and came in the clear; at the end of on_bytes, for those that hold keys.
 */
void conn_env_wipe(struct conn_env *env, size_t n);
/* All connections must be closed; those that linger are cut off. */
void conn_env_free(struct conn_env *env);

/* Takes the accepted descriptor over (closes it on failure too). tls may be NULL. on_open comes in a later turn or, in
 * clear text, may come before this returns control to the loop but never inside this call. */
struct conn *conn_accepted(struct conn_env *env, int fd, struct tls_context *tls, const struct conn_ops *ops,
                           void *ctx);

/* Begins to connect; on_open or on_end follows. NULL when memory or descriptors are out. No timer of its own: the owner
 * closes it when it takes too long. */
struct conn *conn_connect(struct conn_env *env, const struct address *a, struct tls_context *tls,
                          const struct tls_expect *expect, const struct conn_ops *ops, void *ctx);

/* Offers everything in *plain: encrypts (up to 64 KiB) and writes with one system call; consumes from *plain what was
 * taken over (written, or sealed and kept here to be written first). Returns false when blocked: on_writable will come;
 * do not call before. Before on_open it takes nothing and returns false. Failures are reported by on_end in a later
 * turn. */
bool conn_write(struct conn *c, struct buf *plain);

/* Bytes of plain data taken from `plain` so far, since the connection began: everything below this was offered to a
 * socket or sealed for it. */
uint64_t conn_offered(const struct conn *c);

/* Stops and starts reading (back-pressure). Reading is on at first. What was read already in this turn (64 KiB at most)
 * still comes. While reading is off only a failing write notices that the peer is gone. */
void conn_pause(struct conn *c, bool paused);

/* Closes now: close_notify when TLS and not blocked, then the descriptor; frees at the end of the turn. No callback
 * follows. NULL is ignored. With linger true the write side is shut down first and the rest of the input is read and
 * thrown away for up to 1 s, so that the last bytes reach the peer. */
void conn_close(struct conn *c, bool linger);

/* Frees what closed connections left behind; the owner of the loop calls it once at the end of each turn. */
void conn_sweep(struct conn_env *env);

/* Gives buffers back while the connection is idle. */
void conn_release_buffers(struct conn *c);

/* After on_end with CONN_END_TLS: what kind of failure it was. */
enum refusal conn_refusal(const struct conn *c);

/* As tls_peer_left; NS_NEVER without TLS. */
ns_t conn_peer_left(const struct conn *c);

/* What its TLS context trusts has changed since the peer was verified: conn_recheck is due. */
bool conn_is_stale(const struct conn *c);

/* Verifies the peer again. NULL: it is still trusted. Else why not, valid as long as c is; the caller ends it in its
 * own way. */
MUST_CHECK const char *conn_recheck(struct conn *c);

const char *conn_peer_identity(const struct conn *c); /* "" without TLS */
const char *conn_peer_dns(const struct conn *c);

/* Of an accepted connection: what its certificate is told as, see tls_client_cert; "" without TLS. Lives as long as the
 * connection. */
const char *conn_client_cert(struct conn *c);

/* Where an accepted connection comes from. ERR_IO when it is gone. */
MUST_CHECK enum err conn_peer_address(const struct conn *c, struct address *ret);

#endif
