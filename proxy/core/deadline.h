/* The arithmetic of grpc-timeout (PROTOCOL-HTTP2 "Timeout"): parse exactly, saturate, print what is left. */
#ifndef CORE_DEADLINE_H
#define CORE_DEADLINE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

enum { DEADLINE_TEXT_MAX = 10 };

/* 1 to 8 digits and one of H M S m u n. Saturates at NS_NEVER. ERR_INVALID for every other form. */
MUST_CHECK enum err deadline_parse(struct slice text, ns_t *ret_timeout_ns);

/* The shortest exact-enough form of a remaining time (> 0): at most 8 digits, rounded up in the finest unit that fits.
 * Writes to out[DEADLINE_TEXT_MAX], not terminated; returns the length. */
size_t deadline_format(ns_t left_ns, char *out);

/* The absolute deadline of a call that began at `start`: the earlier of the caller's timeout (NS_NEVER: none) and the
 * policy's (0: none). NS_NEVER when neither is set. */
ns_t deadline_of(ns_t start, ns_t caller_timeout_ns, ns_t policy_timeout_ns);

#endif
