/* Asks a SPIFFE Workload API for the SVID of this process, on its unix socket, and for every later one: one stream that
 * is begun again when it ends. What comes is handed over as if it had been read from files; whether it can be used is
 * for the owner to say. Control thread only. */
#ifndef APP_WORKLOAD_H
#define APP_WORKLOAD_H

#include "base/clock.h"
#include "net/tls_bytes.h"

struct process;
struct workload;

/* Between two streams: doubled each time, +-20 %, until an SVID comes. */
#define WORKLOAD_BACKOFF_NS     (100 * NS_PER_MS)
#define WORKLOAD_BACKOFF_MAX_NS (30 * NS_PER_S)

/* An answer: bytes, borrowed, or why they could not even be read (bytes NULL). */
typedef void workload_fn(void *ctx, const struct tls_bytes *bytes, const char *why);

/* Begins to ask on the next turn of the loop. `path` of the socket and `name` for messages are borrowed. */
struct workload *workload_new(struct process *p, const char *path, const char *name, workload_fn *on_answer, void *ctx);

/* Ends it; no call follows. NULL is ignored. */
void workload_free(struct workload *w);

/* Streams that ended or could not begin, and whether one is open on which an answer came. */
uint64_t workload_failures(const struct workload *w);
bool workload_is_connected(const struct workload *w);

#endif
