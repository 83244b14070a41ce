/* When a worker process serves: it has begun, all identities are there and, when it takes over from one that knows all
 * endpoints, it knows them too. Control thread only. */
#ifndef APP_READY_H
#define APP_READY_H

#include "app/process.h"

/* Whether it serves now; what /ready answers. */
bool ready_holds(const struct process *p);

/* An identity has come, or endpoints: when they were the last that was waited for, whoever started the process is told,
 * and one that was patient begins to accept. */
void ready_check(struct process *p);

#endif
