/* One thread's event loop: sockets, one alarm, signals, posts from other threads, file watches, and a hook at the end
 * of every turn. The only place that waits. tests/ link another implementation with virtual time under the same header.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>

struct loop;
struct loop_io;
struct loop_signal;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* A loop of this thread; NULL when memory or descriptors are out. */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Runs turns until loop_stop: wait, dispatch all that is ready, then the turn-end hook once. */
void loop_run(struct loop *l);

/* Ends loop_run after the current turn (before its first wait when it does not run yet). */
void loop_stop(struct loop *l);

/* Monotonic time, read once a turn. */
ns_t loop_now(struct loop *l);

/* `hook` runs after every turn's callbacks, before the next wait. One hook a loop. */
void loop_set_turn_end(struct loop *l, void (*hook)(void *ctx), void *ctx);

/* The one alarm of the loop: `fire` runs at or just after `at` (never before; within about 1 ms), once. NS_NEVER
 * clears. */
void loop_set_alarm(struct loop *l, ns_t at, void (*fire)(void *ctx), void *ctx);

/* A timer beside the alarm, for the parts of net/ that need one of their own; unarmed at first. Setting an armed timer
 * moves it; a time in the past fires in a later turn. `fire` may set or free any timer. NULL when memory is out. */
struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *ctx), void *ctx);
void loop_timer_set(struct loop_timer *t, ns_t at);
void loop_timer_free(struct loop_timer *t); /* NULL is ignored */

/* Watches a descriptor. Reading is on from the start; writing is off. `ready` gets LOOP_READ and/or LOOP_WRITE and may
 * free the io. Level triggered. NULL when memory is out. The descriptor stays the caller's. */
struct loop_io *loop_io_new(struct loop *l, int fd, void (*ready)(void *ctx, unsigned what), void *ctx);

/* Sets what is watched: any of LOOP_READ | LOOP_WRITE, or 0. No system call when nothing changes. */
void loop_io_want(struct loop_io *io, unsigned what);
void loop_io_free(struct loop_io *io);

/* Runs fn(arg) in the loop's thread, soon, in the order of posting. May be called from any thread. */
MUST_CHECK enum err loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* `fn` runs in the loop when the signal arrives. Only for the loop of the thread that handles signals. */
struct loop_signal *loop_signal_new(struct loop *l, int number, void (*fn)(void *ctx, int number), void *ctx);
void loop_signal_free(struct loop_signal *s);

/* Waits made so far (epoll_wait calls), for the counters. */
uint64_t loop_polls(const struct loop *l);

#endif
