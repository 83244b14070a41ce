/* Inside of the material of TLS, shared by the files net/tls*.c only. */
#ifndef NET_TLS_MATERIAL_INTERNAL_H
#define NET_TLS_MATERIAL_INTERNAL_H

#include "net/tls_material.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

enum { TLS_SECURITY_LEVEL = 2 }; /* of OpenSSL: 112 bits, so RSA from 2048 bits on and no SHA-1 */

/* The roots that peers of a trust domain must lead to. */
struct tls_domain {
    char *name;
    STACK_OF(X509) * roots;
};

struct tls_material {
    X509 *leaf; /* NULL: we show none */
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    STACK_OF(X509) * roots;
    STACK_OF(X509_CRL) * lists; /* NULL: nothing is asked about revocation */
    X509_STORE *store;          /* of the roots and lists */
    struct tls_domain *domains; /* NULL: the roots are for everybody; else the first is our own */
    size_t domains_n;
    ns_t end[TLS_PART_COUNT];
    atomic_int refs;
};

/* Appends the certificates of a PEM file; the ends of the first and the last of them to *first and *last, unless these
 * are before or after. False, and the text. */
bool tls_roots_read(STACK_OF(X509) * roots, const struct tls_file *f, ns_t *first, ns_t *last, char *error);

/* The domains of the bytes, those of other material, and their end. False: out of memory or, with a text, a bad file.
 */
bool tls_domains_read(struct tls_material *m, const struct tls_bytes *b, char *error);
bool tls_domains_take(struct tls_material *m, const struct tls_material *old);
void tls_domains_free(struct tls_material *m);

/* The roots for a peer with this leaf: NULL and true: those of the store. False: it is of a trust domain that there are
 * none for. */
bool tls_domains_find(const struct tls_material *m, X509 *leaf, STACK_OF(X509) * *ret);

/* Wall nanoseconds of a time in a certificate; NULL: NS_NEVER; one that cannot be read: 0. */
ns_t tls_time(const ASN1_TIME *t);

#endif
