/* TLS as a pure transformation of bytes: cipher bytes in, plain bytes out, and back. No sockets here. Versions, ALPN,
 * groups and verification as in the configuration contract: TLS 1.3, or 1.2 with ECDHE AEAD; ALPN h2 required; no
 * tickets, no resumption, no renegotiation; verify depth 4; peers checked by URI SAN or DNS SAN. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/clock.h"

struct tls_context; /* key pair, trust and rules; immutable once made; reference counted, any thread */
struct tls;         /* one connection */

struct tls_config {
    bool server;
    bool mutual;             /* server: a verified client certificate is required; client: we show ours */
    const char *certificate; /* PEM paths; may be NULL for a client that shows none */
    const char *private_key;
    const char *trust; /* PEM path, or NULL with trust_system */
    bool trust_system;
    const char *revoked; /* CRL path or NULL */
};

enum { TLS_ERROR_MAX = 256 };

/* Reads the files. On failure returns NULL and a text that names the file and what is wrong with it (unreadable, not
 * PEM, key does not match the certificate, expired...). */
struct tls_context *tls_context_new(const struct tls_config *config, char *error /* TLS_ERROR_MAX */);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

/* End of validity of our own certificate, wall nanoseconds; 0 when there is none. */
ns_t tls_context_not_after(const struct tls_context *c);

/* Whom a client connection expects; all borrowed until tls_new returns. */
struct tls_expect {
    const char *server_name; /* SNI; NULL: none */
    const char *identity;    /* exact URI SAN, or NULL */
    const char *dns;         /* DNS SAN (wildcards in the left-most label as RFC 6125), or NULL */
};

/* expect is NULL on a server. NULL when memory is out. */
struct tls *tls_new(struct tls_context *c, const struct tls_expect *expect);
void tls_free(struct tls *t);

/* Client only: puts the first flight into *out. */
MUST_CHECK enum err tls_start(struct tls *t, struct buf *out);

/* Takes n cipher bytes (all of them) and calls `plain` for each run of plain bytes, which is valid during the call
 * only. Handshake bytes to send are appended to *out. ERR_TLS: broken; an alert may be in *out; tls_error tells why.
 * ERR_CLOSED: close_notify. `plain` returning false stops early (the connection is being closed). */
MUST_CHECK enum err tls_feed(struct tls *t, const uint8_t *p, size_t n, struct buf *out,
                             bool (*plain)(void *ctx, const uint8_t *p, size_t n), void *ctx);

/* Encrypts n plain bytes to the end of *out in records of at most 16 KiB. Only after tls_is_open. */
MUST_CHECK enum err tls_seal(struct tls *t, const uint8_t *p, size_t n, struct buf *out);

/* Appends close_notify. */
void tls_close(struct tls *t, struct buf *out);

/* Handshake done and peer verified. */
bool tls_is_open(const struct tls *t);

/* The URI SAN of the verified peer (its SPIFFE id), "" when it has none or more than one; and its first DNS SAN, else
 * "". Names with anything but visible ASCII in them count as absent. */
const char *tls_peer_identity(const struct tls *t);
const char *tls_peer_dns(const struct tls *t);

/* Why it failed, for logs and error details: "certificate has expired", "no application protocol h2", "peer is
 * spiffe://a, expected spiffe://b". */
const char *tls_error(const struct tls *t);

/* Gives back the record buffers of an idle connection; they come again by themselves. */
void tls_release_buffers(struct tls *t);

/* Replaces the wall clock that certificates are checked against, for connections and contexts made from now on; NULL
 * goes back to clock_wall. For simulations: call it before any thread uses TLS. */
void tls_set_wall_clock(ns_t (*now)(void));

#endif
