/* A key pair, the roots that peers must lead to and the revocation lists, parsed and found fit to be used. Immutable
 * once made; any thread. Where the bytes come from is tls_bytes', how connections use them tls_context's. */
#ifndef NET_TLS_MATERIAL_H
#define NET_TLS_MATERIAL_H

#include "base/clock.h"
#include "net/tls_bytes.h"

enum { TLS_ERROR_MAX = 256 };

struct tls_material;

#define TLS_PART_BIT(part) (1u << (part))
#define TLS_PART_ALL       (TLS_PART_BIT(TLS_PART_COUNT) - 1u)

/* Parses the parts of the set `fresh` and takes the others from `old`, which may be NULL when all are fresh. NULL when
 * one of them is unfit; the text then names the file and what is wrong with it (unreadable, not PEM, key does not match
 * the certificate, expired...). */
struct tls_material *tls_material_new(const struct tls_bytes *b, unsigned fresh, const struct tls_material *old,
                                      char *error /* TLS_ERROR_MAX */);
struct tls_material *tls_material_ref(struct tls_material *m);
void tls_material_unref(struct tls_material *m);

/* When the part ends, wall nanoseconds: our certificate, the first of the trusted roots, the first of the lists. 0 when
 * there is none, NS_NEVER when it does not end. */
ns_t tls_material_end(const struct tls_material *m, enum tls_part part);

/* Replaces the wall clock that certificates are checked against, for connections and contexts made from now on; NULL
 * goes back to clock_wall. For simulations: call it before any thread uses TLS. */
void tls_set_wall_clock(ns_t (*now)(void));

/* The wall time that certificates are checked against, and whether it is not the real one. */
ns_t tls_wall_now(void);
bool tls_wall_is_set(void);

#endif
