/* The original destinations that captured connections bring: each is kept while some connection needs it, and as long
 * as there is room for the next ones. A call that goes on to one finds it in its generation as a passage: a service of
 * one endpoint, made after the service of the configuration that says `original`. Control thread, but for the counts.
 */
#ifndef APP_CAPTURED_H
#define APP_CAPTURED_H

#include "app/process.h"
#include "core/original.h"

/* Owned by: process->captured. Stays while connections > 0. */
struct captured {
    uint64_t id; /* never given twice */
    struct address original;
    const struct bound *bound; /* where its connections come in */
    atomic_uint connections;
    struct list node; /* the one used last is the last */
};

/* A connection as a worker gets it. */
struct accepted {
    int fd;
    enum original_flaw flaw;
    struct captured *captured; /* counted in connections; NULL unless it was captured and goes somewhere else */
};

/* How calls of one original destination reach it through one service of the configuration. */
struct passage {
    uint64_t captured; /* id */
    uint32_t service;  /* index in the snapshot */
    struct address original;
};

/* Finds out where a connection accepted on b was going to; a destination that is new is in force for all workers
 * before what is posted to them next. False, and it is counted: no room, the connection must be closed. */
bool captured_find(struct process *p, struct bound *b, struct accepted *a);

/* The connection is gone; NULL: it was not captured. Any thread. */
void captured_leave(struct captured *c);

/* The passages that the listeners of a snapshot need for what has been captured. *ret is the caller's to free. */
size_t captured_passages(const struct process *p, const struct snapshot *s, struct passage **ret);

void captured_free_all(struct process *p);

#endif
