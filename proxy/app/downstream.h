/* A connection that somebody opened to us: handshake and preface deadlines, its calls, its drain. */
#ifndef APP_DOWNSTREAM_H
#define APP_DOWNSTREAM_H

#include "app/gate.h"
#include "app/link.h"
#include "app/process.h"
#include "base/wheel.h"

#define DOWNSTREAM_HANDSHAKE_NS (5 * NS_PER_S)
#define DOWNSTREAM_PREFACE_NS   (5 * NS_PER_S)
#define DOWNSTREAM_PONG_NS      NS_PER_S

enum { DOWNSTREAM_STREAMS_INBOUND = 100, DOWNSTREAM_STREAMS_OUTBOUND = 1000 };

/* Owned by: the worker's list. */
struct downstream {
    struct link link;    /* first */
    struct bound *bound; /* counted in bound->connections */
    bool announced;      /* first GOAWAY sent */
    bool ended;          /* closed, to be freed */
    struct gate gate;    /* of inbound listeners that have one */
    struct timer timer;  /* handshake, then preface, then drain pong */
    struct list node;
};

/* Takes fd over. Nothing happens when memory is out but that fd is closed. */
void downstream_new(struct worker *w, struct bound *b, int fd);

/* GOAWAY in two phases; the connection closes when its streams have ended. */
void downstream_drain(struct downstream *d);

/* Closes when it drains and nothing is left on it. */
void downstream_check_drained(struct downstream *d);

/* Closes at once. */
void downstream_close(struct downstream *d);

#endif
