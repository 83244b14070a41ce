/* The end of a worker process in order: not ready, a window in which calls are still taken, no new connections, GOAWAY
 * to every caller, the deadline. Control thread. */
#ifndef APP_DRAIN_H
#define APP_DRAIN_H

#include "app/process.h"

enum drain_kind {
    DRAIN_WINDOW,  /* who chooses us by our readiness needs time to see that it is gone */
    DRAIN_NOW,     /* without the window */
    DRAIN_HANDOVER /* another worker process accepts on the same sockets from now on */
};

/* Begins to drain, as the `drain` of the configuration in force says; ends the process when nothing is left or at the
 * deadline. Does nothing when it drains already. */
void drain_begin(struct process *p, enum drain_kind kind);

/* What is due at `now`; p->drain_at says when to come again. */
void drain_on_time(struct process *p, ns_t now);

#endif
