/* A connection that somebody opened to us: handshake and preface deadlines, its calls, its drain. */
#ifndef APP_DOWNSTREAM_H
#define APP_DOWNSTREAM_H

#include "app/captured.h"
#include "app/gate.h"
#include "app/link.h"
#include "app/process.h"
#include "base/wheel.h"

#define DOWNSTREAM_PONG_NS NS_PER_S

/* What the connection's timer waits for, in this order; the pong of a drain at any time. */
enum downstream_stage {
    DOWNSTREAM_HANDSHAKE, /* of TLS */
    DOWNSTREAM_PREFACE,   /* and SETTINGS */
    DOWNSTREAM_ACK,       /* of our SETTINGS */
    DOWNSTREAM_READY      /* nothing, but that it stays without streams for too long */
};

/* Owned by: the worker's list. */
struct downstream {
    struct link link;          /* first */
    struct bound *bound;       /* counted in bound->connections */
    struct captured *captured; /* what it was going to; NULL: nothing else, see flaw */
    enum original_flaw flaw;
    bool announced;   /* first GOAWAY sent */
    bool ended;       /* closed, to be freed */
    struct gate gate; /* of inbound listeners that have one */
    enum downstream_stage stage;
    struct timer timer; /* what the stage waits for, or the drain pong */
    struct list held;   /* exchanges whose place is not free yet */
    int64_t lent;       /* of connection_buffer, to windows of answers */
    struct list node;
};

/* Takes the descriptor and what is captured over. Nothing happens when memory is out but that the descriptor is closed.
 */
void downstream_new(struct worker *w, struct bound *b, const struct accepted *a);

/* GOAWAY in two phases; the connection closes when its streams have ended. */
void downstream_drain(struct downstream *d);

/* Closes when it drains and nothing is left on it. */
void downstream_check_drained(struct downstream *d);

/* Closes at once. */
void downstream_close(struct downstream *d);

#endif
