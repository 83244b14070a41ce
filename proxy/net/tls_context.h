/* Inside of a TLS context, shared by tls_context.c and tls.c only. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
    SSL_CTX *ssl; /* owned */
    ns_t not_after;
    atomic_int refs;
};

/* Wall time for certificates: the clock of tls_set_wall_clock, and whether one was set. */
ns_t tls_wall_now(void);
bool tls_wall_is_set(void);

/* Keeps the first reason why a handshake fails; called from OpenSSL callbacks. printf-like. */
void tls_set_error(SSL *ssl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The leaf is trusted: is it also the peer we want? Sets the error if not. */
bool tls_check_peer(SSL *ssl, X509 *leaf);

#endif
