/* The answers of FetchX509SVID, the server stream of the SPIFFE Workload API: gRPC messages out of bytes, and what is
 * in one. It does not look into certificates and keys. Source: SPIFFE_Workload_API.md, sections 4 to 6 and Appendix A.
 */
#ifndef H2_WORKLOAD_H
#define H2_WORKLOAD_H

#include "base/buf.h"

#define WORKLOAD_PATH   "/SpiffeWorkloadAPI/FetchX509SVID"
#define WORKLOAD_HEADER "workload.spiffe.io" /* with the value "true" on every request */

enum { WORKLOAD_MESSAGE_MAX = 4 << 20, WORKLOAD_BUNDLES_MAX = 64, WORKLOAD_LISTS_MAX = 64 };

/* The roots of another trust domain. */
struct workload_bundle {
    struct slice domain; /* "shop.example", without the scheme */
    struct slice der;    /* certificates, one behind the other */
};

/* All borrow from the message. DER: certificates one behind the other, the key as PKCS #8. */
struct workload_svid {
    struct slice id;
    struct slice chain, key, bundle;
    struct workload_bundle federated[WORKLOAD_BUNDLES_MAX];
    size_t federated_n;
    struct slice lists[WORKLOAD_LISTS_MAX]; /* revocation lists */
    size_t lists_n;
    void *message; /* owned */
};

/* Cuts a whole gRPC message off the head of b; ERR_AGAIN: not there yet. ERR_LIMIT: longer than WORKLOAD_MESSAGE_MAX.
 * ERR_UNSUPPORTED: compressed. The slice is valid until b changes. */
MUST_CHECK enum err workload_next(struct buf *b, struct slice *ret);

/* Reads the first SVID of an answer, which is the default one, into *ret; end with workload_fini. ERR_INVALID: not such
 * a message, or something that must be there is not; *ret_why tells what. */
MUST_CHECK enum err workload_parse(struct slice message, struct workload_svid *ret, const char **ret_why);

/* Wipes the keys and frees. */
void workload_fini(struct workload_svid *s);

#endif
