/* Certificates and keys as DER, as the SPIFFE Workload API gives them, in the form in which files have them. */
#ifndef NET_TLS_DER_H
#define NET_TLS_DER_H

#include "base/slice.h"
#include "net/tls_bytes.h"

enum { TLS_DER_WHY_MAX = 160 };

struct tls_der_bundle {
    struct slice domain, roots;
};

/* All borrowed. Certificates stand one behind the other. */
struct tls_der {
    const char *name; /* where they come from, for messages; must outlive the bytes */
    struct slice chain, key, roots;
    struct slice id; /* the SPIFFE id that the leaf must bear; its trust domain is that of `roots` */
    const struct tls_der_bundle *bundles; /* of other trust domains */
    size_t bundles_n;
    const struct slice *lists; /* revocation lists */
    size_t lists_n;
};

/* Fills *b, to be ended with tls_bytes_fini in any case. False: *why tells what is wrong. Whether key, certificate and
 * roots can be used is for tls_material_new to say. */
bool tls_bytes_of_der(struct tls_bytes *b, const struct tls_der *d, char *why /* TLS_DER_WHY_MAX */);

#endif
