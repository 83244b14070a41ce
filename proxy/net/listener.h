/* Listening sockets: accepts in bursts, keeps descriptors back, and stops accepting for a while instead of spinning
 * when the process has none left. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/loop.h"
#include "net/sock.h"

struct listener;

struct listener_ops {
    /* A new connection; the callee owns fd. */
    void (*on_accept)(void *ctx, int fd, const struct address *peer);
    /* Descriptors or memory are out; accepting pauses (`paused` true) and later goes on (false). */
    void (*on_pressure)(void *ctx, bool paused);
};

enum { LISTENER_BURST = 64 };
#define LISTENER_PAUSE_NS (100 * NS_PER_MS)

/* Takes the listening descriptor over. NULL when memory is out. */
struct listener *listener_new(struct loop *l, int fd, const struct listener_ops *ops, void *ctx);

/* How many descriptors of the process are kept back: accepting rests when fewer are left. 0 at first. */
void listener_keep_fds(struct listener *l, uint32_t n);

/* Stops and starts accepting (drain, memory). */
void listener_pause(struct listener *l, bool paused);

/* Accepts what waits already, however much. Before an end that must not cut off whoever has just connected. */
void listener_take_rest(struct listener *l);

/* Pauses needs a clock: the owner calls this about every 100 ms, or whenever descriptors were freed. */
void listener_tick(struct listener *l, ns_t now);

/* Whether it rests for want of descriptors. */
bool listener_is_resting(const struct listener *l);

int listener_fd(const struct listener *l);

/* Closes the descriptor too. */
void listener_free(struct listener *l);

#endif
