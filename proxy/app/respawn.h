/* When a worker process that died is started again: at once while it happens seldom, later and later when it goes on.
 * Knows no clock. */
#ifndef APP_RESPAWN_H
#define APP_RESPAWN_H

#include "base/clock.h"

#include <stdbool.h>

#define RESPAWN_SPAN_NS  (60 * NS_PER_S)
#define RESPAWN_FIRST_NS (500 * NS_PER_MS)
#define RESPAWN_MAX_NS   (30 * NS_PER_S)

enum { RESPAWN_BUDGET = 5 }; /* deaths within the span that cost no wait */

/* Zero: nothing has died yet. */
struct respawn {
    ns_t deaths[RESPAWN_BUDGET]; /* the last ones, a ring */
    unsigned n;                  /* all of them */
    ns_t wait;                   /* the last one that was not zero */
};

/* A worker died at `now`; how long to wait before the next one starts. Up to five deaths in 60 s: not at all. From the
 * sixth on 500 ms, doubling to 30 s, until a minute has fewer again. */
ns_t respawn_on_death(struct respawn *r, ns_t now);

#endif
