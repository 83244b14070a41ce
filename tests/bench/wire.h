/* A non-blocking socket, in the clear or under TLS, with one output buffer that is handed to the kernel in as few
 * writes as possible. Knows bytes only; HTTP/2 is peer.h. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wire {
    int fd;
    SSL *ssl; /* NULL in the clear */
    uint8_t *out;
    size_t out_start, out_end, out_capacity;
    bool blocked; /* the kernel took less than it was offered: write again when it says so */
};

/* Takes over `fd` (already non-blocking, connected or connecting). With a context the wire speaks TLS, as server or as
 * client; `name`, for clients, is sent as SNI and must be in the peer's certificate. */
void wire_init(struct wire *w, int fd, SSL_CTX *context, bool server, const char *name);

/* Closes the socket and releases the rest. */
void wire_fini(struct wire *w);

/* At most `capacity` bytes that have arrived: their number, 0 when there are none now, -1 when the peer is gone or
 * broke the protocol. One read of the socket unless TLS needs more. */
ssize_t wire_read(struct wire *w, uint8_t *bytes, size_t capacity);

/* True when decrypted or buffered bytes can be had without waiting for the socket. */
bool wire_has_pending(const struct wire *w);

/* Adds to the output buffer; nothing is sent yet. */
void wire_append(struct wire *w, const uint8_t *bytes, size_t length);

/* Sends what is buffered; false when the connection is broken. What the kernel does not take stays, `blocked` is set.
 */
bool wire_flush(struct wire *w);

/* TLS 1.3 context with ALPN h2. A server with `trust` demands a client certificate; a client verifies with `trust` and
 * shows a certificate when one is given. Ends the program with a message when a file cannot be used. */
SSL_CTX *wire_context(bool server, const char *certificate, const char *key, const char *trust);

#endif
