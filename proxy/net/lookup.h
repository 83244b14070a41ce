/* A host name to its addresses with c-ares on a loop: A and AAAA in parallel, the search domains of resolv.conf in
 * order, with TTL and outcome of each family. One object is one look-up: resolv.conf and hosts are read for each,
 * nothing is cached, nothing is asked twice of one server. When to ask again is the caller's. */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "base/address.h"
#include "net/loop.h"
#include "net/srv.h"

#define LOOKUP_NS       (5 * NS_PER_S)    /* bound on the whole */
#define LOOKUP_TRY_NS   NS_PER_S          /* bound on one question to one server */
#define LOOKUP_GRACE_NS (500 * NS_PER_MS) /* for the other family once one has addresses (RFC 8305 section 3) */

#define LOOKUP_STATUS_LIST(X)                                                                                          \
    X(OK, "ok")                                                                                                        \
    X(NXDOMAIN, "nxdomain") /* there is no such name */                                                                \
    X(EMPTY, "empty")       /* the name has no address of this family */                                               \
    X(SERVFAIL, "servfail")                                                                                            \
    X(REFUSED, "refused")                                                                                              \
    X(FORBIDDEN, "forbidden") /* we were understood, but may not ask this; no DNS server says so */                    \
    X(TIMEOUT, "timeout")                                                                                              \
    X(MALFORMED, "malformed")                                                                                          \
    X(FAILED, "failed") /* no server can be asked, or memory is out */

enum lookup_status {
#define X(name, text) LOOKUP_##name,
    LOOKUP_STATUS_LIST(X)
#undef X
        LOOKUP_STATUS_COUNT
};

enum lookup_family { LOOKUP_V4, LOOKUP_V6, LOOKUP_FAMILIES };

/* At most so many addresses of a family are kept; more than 64 KiB of DNS answer can hold. */
enum { LOOKUP_ADDRESSES_MAX = 4096 };

struct lookup_part {
    enum lookup_status status;
    struct address *v; /* with the port of the name; in the order of the answer */
    size_t n;          /* > 0 with LOOKUP_OK */
    uint32_t ttl_s;    /* the least of the records and of the CNAMEs that led to them */
};

struct lookup_answer {
    struct lookup_part parts[LOOKUP_FAMILIES];
    struct srv_record *srv; /* of lookup_srv_new, whose status is that of the first part; NULL when there are none */
    size_t srv_n;
};

struct lookup;

/* Looks up a->name (kind NAME; a dot at its end: no search domains). `done` comes once, from the loop, never from in
 * here, and may free the lookup; the answer is borrowed until then. NULL when memory or descriptors are out. */
struct lookup *lookup_new(struct loop *l, const struct address *a,
                          void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx);

/* The SRV records of a name, in the same way; the TTL is in the first part. */
struct lookup *lookup_srv_new(struct loop *l, const char *name,
                              void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx);

/* Also before `done`, which does not come then. NULL is ignored. */
void lookup_free(struct lookup *l);

/* The word of a status. */
const char *lookup_status_text(enum lookup_status status);

#endif
