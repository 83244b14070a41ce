/* What an inbound listener makes of the peer of a connection: which rules of `allow` it meets, and what the service is
 * told about its certificate. Decided once for a connection and configuration, asked for each call. */
#ifndef APP_GATE_H
#define APP_GATE_H

#include "core/allow.h"

struct downstream;

/* Owned by: a downstream, zeroed at first. */
struct gate {
    uint64_t generation; /* of the configuration it was decided for; 0: not yet */
    struct allow_set rules;
    enum reason denial;       /* of calls that none of these rules takes */
    struct slice client_cert; /* value of x-forwarded-client-cert, borrowed from the connection; empty: none is sent */
};

/* Whether the gate of a listener has anything to say of this connection's calls, or had before a reload. */
static inline bool gate_is_there(const struct gate *g, const struct listener_conf *l)
{
    return l->allow || l->tells_client_cert || g->generation != 0;
}

/* Lets a call of this method pass (REASON_NONE), or says why not. Counts it, and logs what is denied or would be: a
 * line each GATE_LOG_NS at most. */
#define GATE_LOG_NS (100 * NS_PER_MS)
enum reason gate_judge(struct downstream *d, const struct listener_conf *l, struct slice path);

/* Text for the caller of a denied call. */
const char *gate_text(const struct downstream *d, enum reason denial, struct slice path, char *out, size_t size);

#endif
