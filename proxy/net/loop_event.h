/* The libevent base behind a loop, for the one user that libevent itself must drive (net/http). */
#ifndef NET_LOOP_EVENT_H
#define NET_LOOP_EVENT_H

#include "net/loop.h"

struct event_base;

/* Borrowed; lives as long as the loop. */
struct event_base *loop_event_base(struct loop *l);

#endif
