/* Probes of the app next to us that a kubelet asks for here, as its own would end at a listener that wants a
 * certificate:
 *
 *   /probe/grpc/PORT/SERVICE   grpc.health.v1, SERVICE may be empty
 *   /probe/http/PORT/PATH      GET /PATH, any status from 200 to 399
 *   /probe/tcp/PORT            a connection
 *
 * Each goes to 127.0.0.1, and only those that the environment lists are carried out. */
#ifndef ADMIN_PROBE_H
#define ADMIN_PROBE_H

#include "app/process.h"
#include "net/http.h"

#define PROBE_VARIABLE "OUTRIGGER_PROBES" /* the paths, with blanks between */
#define PROBE_NS       (10 * NS_PER_S)    /* whoever asks gives up sooner */

enum { PROBES_MAX = 64 }; /* under way at once */

struct probes;

/* The probes of a process; NULL when memory is out. */
struct probes *probes_new(struct process *p);

/* Begins the probe of a path with its query, and answers it later: 200, or 503 with a reason. What is not listed, and
 * one too many, is answered at once. */
void probes_handle(struct probes *s, const char *path, const char *query, struct http_answer *answer);

/* Ends those under way without an answer. NULL is ignored. */
void probes_free(struct probes *s);

#endif
