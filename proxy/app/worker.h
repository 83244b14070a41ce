/* One worker: a thread with its loop, its connections on both sides, its pools, and the turn. Everything here belongs
 * to one thread; others reach it through loop_post. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include "app/process.h"
#include "app/trust.h"
#include "base/rng.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "h2/session.h"
#include "net/conn.h"

struct accepted;
struct upstream;

/* The bounds under which connections began. Owned by: the worker; freed with the last of them, unless in force. */
struct bounds_ref {
    struct bounds bounds;
    uint32_t refs;
    struct list node;
};

/* A worker's picture of one generation. Owned by: the worker. Freed when it is not current and no call uses it. */
struct view {
    struct generation *generation; /* referenced */
    struct upstream **upstreams;   /* by service index; owned by the worker's list */
    size_t upstreams_n;
    uint32_t calls; /* that began with it */
    bool current;
    struct list node;
};

struct worker {
    struct process *process;
    uint32_t id;
    struct loop *loop;
    struct conn_env *conns;
    struct wheel wheel;
    struct rng rng;
    uint64_t seed; /* of the part of big sets that this worker connects to */
    ns_t now;      /* of this turn */
    struct session_env sessions;
    struct worker_stats stats;
    struct slab exchanges;
    struct headers answer; /* scratch of local answers */
    struct list dirty;     /* links that owe a flush */
    struct list busy;      /* links with buffers that may be given back, or that time may break */
    struct list yielded;   /* links that have frames left for another turn */
    struct list deferred;  /* exchanges that begin at the end of the turn */
    struct list all_bounds;
    struct bounds_ref *bounds; /* in force */
    uint64_t turn;             /* number of this turn, from 1 */
    struct list dead;          /* exchanges to be freed at the end of the turn */
    struct list dead_links;    /* closed links likewise */
    struct list live;          /* exchanges */
    struct list downstreams;
    struct list upstreams; /* all, retired ones too */
    struct list views;
    struct view *view;
    struct timer rest; /* gives buffers back, once a second while there are busy links */
    struct timer drain_end;
    struct trust_state trust;
    ns_t alarm_at;        /* what the loop's alarm is set to */
    ns_t gate_told_at;    /* no line about a denied call before */
    uint64_t gate_untold; /* denied since the last line */
    bool draining, drained;
    _Atomic uint64_t spare_bytes; /* in slabs, for later; the control thread reads */
    size_t looked_bytes;          /* in slabs, when memory was last looked at for their growth */
    atomic_uint connections;      /* handed over and not ended; the control thread adds */
};

/* Sets the worker up on its own loop; NULL when memory or descriptors are out. */
struct worker *worker_new(struct process *p, uint32_t id, uint64_t seed);

/* Frees all that is still there. The loop has ended, and this thread may use it. */
void worker_free(struct worker *w);

/* Gives buffers of quiet links back, a second from now. */
static inline void worker_arm_rest(struct worker *w)
{
    if (!timer_is_armed(&w->rest))
        wheel_set(&w->wheel, &w->rest, ns_add(w->now, NS_PER_S));
}

/* One more user of the bounds in force, for a connection that begins; and one less. */
struct bounds_ref *worker_share_bounds(struct worker *w);
void worker_give_bounds(struct worker *w, struct bounds_ref *b);

/* Swaps the worker to a new generation (takes a reference of its own). Runs in the worker's thread. */
void worker_apply(struct worker *w, struct generation *g);

/* Every entry from the loop begins with it: the time of the turn. */
static inline void worker_begin(struct worker *w)
{
    w->now = w->sessions.now = loop_now(w->loop);
}

/* A connection accepted for this worker. Runs in the worker's thread. */
void worker_accept(struct worker *w, struct bound *b, const struct accepted *a);

/* Begins to drain; process_on_drained is posted when nothing is left. */
void worker_drain(struct worker *w, ns_t time_left);

/* The same from the control thread. */
void worker_post_drain(struct worker *w, ns_t time_left);

/* Resets stalled streams, the largest of each connection first, then uploads that are stuck, until so many bytes are
 * free. */
void worker_shed(struct worker *w, uint64_t bytes);

/* Something may have ended: tells the process once all is drained. */
void worker_check_drained(struct worker *w);

/* Counts calls of a view. */
static inline void view_enter(struct view *v)
{
    v->calls++;
}
void view_leave(struct worker *w, struct view *v);

/* The conf of a listener in the current view, NULL when it was removed. */
const struct listener_runtime *worker_listener(const struct worker *w, const struct bound *b);

#endif
