/* Which endpoints of a set one worker connects to, and in what order: all of a small set, and of a big one a part that
 * hardly changes when the set does. Pure. */
#ifndef CORE_SUBSET_H
#define CORE_SUBSET_H

#include "core/endpoint.h"

enum { SUBSET_MAX = 256 };

/* Writes the indexes of at most SUBSET_MAX endpoints to `ret` (room for as many), lower priorities first when there are
 * more, and returns how many. They keep their order; with `shuffle` those of one family and priority are mixed among
 * their places. Another seed chooses and mixes differently (gRFC A62; rendezvous hashing). */
uint32_t subset_choose(struct endpoint *const *endpoints, const struct rank *ranks, size_t n, uint64_t seed,
                       bool shuffle, uint32_t *ret);

#endif
