/* Accepting: up to 64 connections a readiness. When descriptors run low the connection at hand is closed and accepting
 * rests for a tenth of a second, instead of spinning on a backlog that cannot be taken. */
#include "net/listener.h"

#include <stdlib.h>
#include <sys/resource.h>

/* Owned by: its creator. Borrows: loop, ops. */
struct listener {
    struct loop *loop;
    struct loop_io *io;
    int fd; /* owned */
    const struct listener_ops *ops;
    void *ctx;
    uint32_t fds_kept;
    bool paused;     /* by the owner */
    ns_t rest_until; /* 0: not resting */
};

static void update_want(struct listener *l)
{
    loop_io_want(l->io, l->paused || l->rest_until != 0 ? 0 : LOOP_READ);
}

static void rest(struct listener *l)
{
    l->rest_until = loop_now(l->loop) + LISTENER_PAUSE_NS;
    update_want(l);
    l->ops->on_pressure(l->ctx, true);
}

/* Descriptors are given out lowest first, so a number near the limit means that nearly all are in use. */
static bool is_near_limit(const struct listener *l, int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    return (rlim_t)fd + l->fds_kept >= limit.rlim_cur;
}

/* False when nobody waits. */
static bool accept_one(struct listener *l)
{
    struct address peer;
    int fd;
    enum err e = sock_accept(l->fd, &fd, &peer);
    if (e == ERR_NONE && !is_near_limit(l, fd))
        l->ops->on_accept(l->ctx, fd, &peer);
    else if (e == ERR_NONE) {
        sock_close(fd);
        rest(l);
    } else if (e == ERR_LIMIT)
        rest(l);
    return e != ERR_AGAIN;
}

static void on_ready(void *ctx, unsigned what)
{
    (void)what;
    struct listener *l = ctx;
    for (int i = 0; i < LISTENER_BURST && !l->paused && l->rest_until == 0; i++)
        if (!accept_one(l))
            return;
}

void listener_take_rest(struct listener *l)
{
    while (!l->paused && l->rest_until == 0 && accept_one(l))
        ;
}

struct listener *listener_new(struct loop *loop, int fd, const struct listener_ops *ops, void *ctx)
{
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct listener){.loop = loop, .fd = fd, .ops = ops, .ctx = ctx};
    l->io = loop_io_new(loop, fd, on_ready, l);
    if (!l->io) {
        free(l);
        return NULL;
    }
    return l;
}

void listener_keep_fds(struct listener *l, uint32_t n)
{
    l->fds_kept = n;
}

void listener_pause(struct listener *l, bool paused)
{
    l->paused = paused;
    update_want(l);
}

void listener_tick(struct listener *l, ns_t now)
{
    if (l->rest_until == 0 || now < l->rest_until)
        return;
    l->rest_until = 0;
    update_want(l);
    l->ops->on_pressure(l->ctx, false);
}

bool listener_is_resting(const struct listener *l)
{
    return l->rest_until != 0;
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    loop_io_free(l->io);
    sock_close(l->fd);
    free(l);
}
