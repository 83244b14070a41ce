/* An endpoint as a source of endpoints tells it: where it is, and how it stands beside the others of its set. */
#ifndef CORE_MEMBER_H
#define CORE_MEMBER_H

#include "base/address.h"

struct rank {
    uint32_t weight;   /* > 0: its share of the calls among those of its priority */
    uint32_t priority; /* lower ones come first; higher ones serve when no lower one is healthy */
};

struct member {
    struct address address; /* a name in it is borrowed */
    struct rank rank;
};

static inline struct member member_of(struct address a)
{
    return (struct member){.address = a, .rank = {.weight = 1}};
}

static inline bool member_eq(const struct member *a, const struct member *b)
{
    return address_eq(&a->address, &b->address) && a->rank.weight == b->rank.weight &&
           a->rank.priority == b->rank.priority;
}

#endif
