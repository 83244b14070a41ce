/* TLS as a pure transformation of bytes: cipher bytes in, plain bytes out, and back. No sockets here. Versions, ALPN,
 * groups and verification as in the configuration contract: TLS 1.3, or 1.2 with ECDHE AEAD; ALPN h2 required; no
 * tickets, no resumption, no renegotiation; verify depth 4; peers checked by URI SAN or DNS SAN. A connection lets go
 * of the keys when its handshake is over. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/refusal.h"
#include "net/tls_material.h"

struct tls_context; /* the rules of connections of one kind, and the material they use now; reference counted, any
                       thread */
struct tls;         /* one connection */

/* A context of the kind with the material, which it refers to. NULL, with a text: out of memory, or an OpenSSL that
 * lacks what is needed. */
struct tls_context *tls_context_of(bool server, bool mutual, struct tls_material *m, char *error /* TLS_ERROR_MAX */);

struct tls_config {
    bool server;
    bool mutual; /* server: a verified client certificate is required; client: we show ours */
    struct tls_files files;
};

/* The same with material of files. On failure returns NULL and the text of tls_material_new. */
struct tls_context *tls_context_new(const struct tls_config *config, char *error /* TLS_ERROR_MAX */);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

/* Connections from now on use other material, whole: key pair, roots and lists of the same moment. `distrust`: what is
 * trusted has changed, so that those that are open are to be verified again (tls_is_stale). */
void tls_context_renew(struct tls_context *c, struct tls_material *m, bool distrust);

/* Whom a client connection expects; all borrowed until tls_new returns. */
struct tls_expect {
    const char *server_name; /* SNI; NULL: none */
    const char *identity;    /* exact URI SAN, or NULL */
    const char *dns;         /* DNS SAN (wildcards in the left-most label as RFC 6125), or NULL */
    const char *ip;          /* IP SAN, as text without brackets, or NULL */
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

/* The URI SAN of the verified peer (its SPIFFE id), "" when it has none; and its first DNS SAN, else "". */
const char *tls_peer_identity(const struct tls *t);
const char *tls_peer_dns(const struct tls *t);

/* The verified peer's certificate as x-forwarded-client-cert tells it (net/client_cert.h), made at the first call; ""
 * when there is none. */
const char *tls_client_cert(struct tls *t);

/* Why it failed, for logs and error details: "certificate has expired", "no application protocol h2", "peer is
 * spiffe://a, expected spiffe://b". */
const char *tls_error(const struct tls *t);

/* The kind of that failure. */
enum refusal tls_refusal(const struct tls *t);

/* Until the certificates of the peer end, by the wall clock: 0 when they have, NS_NEVER without a verified peer. */
ns_t tls_peer_left(const struct tls *t);

/* Open, and what its context trusts has changed since its peer was verified. */
bool tls_is_stale(const struct tls *t);

/* Verifies the peer of a stale connection again; it stays open in any case. False: it is not trusted any more,
 * tls_error and tls_refusal say why. A list of revoked certificates that has itself ended does not count here. */
MUST_CHECK bool tls_recheck(struct tls *t);

/* Gives back the record buffers of an idle connection; they come again by themselves. */
void tls_release_buffers(struct tls *t);

#endif
