/* What the certificate of a peer says about it, and the rules that a leaf keeps besides its signatures: names, and for
 * SPIFFE ids those of X509-SVID sections 2 to 5. Trust and validity are OpenSSL's. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include "base/refusal.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

enum { TLS_PEER_NAMES_MAX = 256, TLS_PEER_CHAIN_BYTES = 64 * 1024 };

/* Owned by: a connection. */
struct tls_peer {
    char *identity; /* its one URI SAN, NULL: none */
    char *dns;      /* its first DNS SAN, NULL: none */
};

/* Why a leaf is not taken. */
struct tls_fault {
    enum refusal refusal;
    char text[200];
};

/* Reads the names of a leaf into *ret and checks them. `named`: somebody is needed, so one without a URI and a DNS SAN
 * is refused, and an authority's certificate too. False, and *fault; then *ret is empty. */
bool tls_peer_read(struct tls_peer *ret, X509 *leaf, bool named, struct tls_fault *fault);

void tls_peer_fini(struct tls_peer *p);

#endif
