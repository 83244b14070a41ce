/* Inside of TLS contexts and connections, shared by the files net/tls*.c only. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "net/tls.h"
#include "net/tls_material_internal.h"
#include "net/tls_peer.h"

#include <pthread.h>

struct tls_context {
    SSL_CTX *ssl; /* owned: the rules, no keys and no roots */
    bool server, mutual;
    pthread_mutex_t lock;          /* of the two below */
    struct tls_material *material; /* a reference */
    atomic_uint epoch;             /* raised when what it trusts changes */
    atomic_int refs;
};

struct tls {
    SSL *ssl;                      /* owned */
    struct tls_context *context;   /* a reference */
    struct tls_material *material; /* a reference, during the handshake only */
    unsigned epoch;                /* of the context, when the peer was last verified */
    const uint8_t *in;             /* borrowed during tls_feed */
    size_t in_n;
    struct buf *out;      /* borrowed during each call */
    char *expected;       /* identity, owned; NULL after the handshake */
    struct tls_peer peer; /* of the verified leaf */
    ns_t peer_end;        /* wall time at which its chain ends */
    char *told;           /* what tls_client_cert says, owned; NULL: not asked for */
    char *error;          /* owned, NULL: none */
    enum refusal refusal;
    unsigned extras; /* handshake steps and alerts after the handshake */
    bool open, failed, closed, rechecking;
};

enum { TLS_EXTRAS_MAX = 512 };

/* Keeps the first reason why a handshake fails; called from OpenSSL callbacks. printf-like. */
void tls_set_error(struct tls *t, enum refusal refusal, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For SSL_CTX_set_cert_verify_callback: the whole verification of a peer. */
int tls_verify(X509_STORE_CTX *store, void *arg);

/* Verifies the peer of an open connection again, against what is trusted now. Whether a list of revoked certificates is
 * itself still current does not count here. */
bool tls_verify_again(struct tls *t);

/* The end of the chain that was verified, wall nanoseconds; NS_NEVER when there is none. */
ns_t tls_verified_end(SSL *ssl);

/* The material in force, a reference, and the epoch it belongs to. */
struct tls_material *tls_context_material(struct tls_context *c, unsigned *ret_epoch);

#endif
