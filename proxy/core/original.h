/* What a captured connection was going to before it was redirected to us, and what may be done with it. Pure. */
#ifndef CORE_ORIGINAL_H
#define CORE_ORIGINAL_H

#include "core/policy.h"

/* Whether calls of a connection may go on to where it was going. */
enum original_flaw {
    ORIGINAL_GOOD,
    ORIGINAL_DIRECT, /* it was not redirected: somebody connected to the listener itself */
    ORIGINAL_LOOP    /* it was going to one of our own listeners, which would bring it back here */
};

/* Of a connection to l at its address `local` that was going to `original`; NULL: nobody knows. */
enum original_flaw original_judge(const struct snapshot *s, const struct listener_conf *l,
                                  const struct address *original, const struct address *local);

/* The endpoint that stands for it: of an outbound connection the same address; of an inbound one the same port on the
 * loopback address of its kind, where the guarded service listens. */
struct address original_endpoint(bool inbound, const struct address *original);

/* Why a call cannot go there; "" for ORIGINAL_GOOD. Static storage. */
const char *original_text(enum original_flaw flaw);

#endif
