/* SPIFFE ids as text: what is a valid one (SPIFFE-ID sections 2.1 to 2.4), and patterns of them. Pure; certificates are
 * net's. The scheme and the trust domain are taken in lower case only, as they must be written. */
#ifndef BASE_SPIFFE_H
#define BASE_SPIFFE_H

#include "base/slice.h"

enum { SPIFFE_BYTES_MAX = 2048, SPIFFE_DOMAIN_MAX = 255 };

/* Both borrow from the text they were parsed of. */
struct spiffe {
    struct slice domain; /* trust domain, "shop.example" */
    struct slice path;   /* with its first slash, "/ns/shop/sa/order"; empty: the id of the trust domain itself */
};

/* Whether the text begins with the scheme in any case, so that the rules of this file are for it to keep. */
bool spiffe_is(struct slice s);

/* NULL when the text is a SPIFFE id, with its parts in *ret; else what was expected, in
 * words that stand behind "expected". */
const char *spiffe_parse(struct slice s, struct spiffe *ret);

/* The same for the id of a workload, which has a path (X509-SVID section 5.2). NULL: it is one. */
const char *spiffe_check_workload(struct slice s);

/* The same for a pattern: a workload's id in which "*" may stand for whole segments of the path. NULL: it is one. */
const char *spiffe_check_pattern(struct slice s);

/* Whether a pattern that spiffe_check_pattern found good takes a valid id: all is equal but for the segments "*", each
 * of which takes any one segment. */
bool spiffe_matches(struct slice pattern, struct slice id);

#endif
