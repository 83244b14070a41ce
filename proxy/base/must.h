/* What a process cannot go on without: small fixed allocations, never ones whose size a peer chose. When one fails the
 * process ends with a line in the log, and the supervisor starts the worker again. */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include "base/err.h"

/* p, when it is not NULL; else the end, with the event out_of_memory. */
void *must_have(void *p);

/* Returns when e is ERR_NONE; else the end, as above. For what fails only when memory is out. */
void must_do(enum err e);

#endif
