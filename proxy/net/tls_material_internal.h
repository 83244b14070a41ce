/* Inside of the material of TLS, shared by the files net/tls*.c only. */
#ifndef NET_TLS_MATERIAL_INTERNAL_H
#define NET_TLS_MATERIAL_INTERNAL_H

#include "net/tls_material.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

enum { TLS_SECURITY_LEVEL = 2 }; /* of OpenSSL: 112 bits, so RSA from 2048 bits on and no SHA-1 */

struct tls_material {
    X509 *leaf; /* NULL: we show none */
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    STACK_OF(X509) * roots;
    STACK_OF(X509_CRL) * lists; /* NULL: nothing is asked about revocation */
    X509_STORE *store;          /* of the roots and lists */
    ns_t end[TLS_PART_COUNT];
    atomic_int refs;
};

/* Wall nanoseconds of a time in a certificate; NULL: NS_NEVER; one that cannot be read: 0. */
ns_t tls_time(const ASN1_TIME *t);

#endif
