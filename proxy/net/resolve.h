/* Host names to addresses with c-ares. This version resolves once and blocks (start and reload of `forward` names);
 * discovery adds the asynchronous kind. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/address.h"
#include "base/clock.h"

enum { RESOLVE_MAX = 64, RESOLVE_ERROR_MAX = 128 };

/* Resolves a->name (kind NAME) to at most RESOLVE_MAX addresses with the same port, IPv4 before IPv6 as the resolver
 * orders them, within timeout_ns. The hosts file counts ("localhost"). On failure `error` says why. */
MUST_CHECK enum err resolve_now(const struct address *a, ns_t timeout_ns, struct address *ret, size_t *ret_n,
                                char *error /* RESOLVE_ERROR_MAX */);

#endif
