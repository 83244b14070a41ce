/* The event loop over libevent (epoll). Timers do not use libevent's, whose clock ticks in steps of 4 ms: they share
 * one timerfd, set only when the first timer moves forward or fires, so a turn without a timer costs one epoll_wait. */
#include "net/loop_event.h"

#include "base/list.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct loop_timer {
    struct loop *loop;
    struct list node; /* in loop->timers while armed */
    ns_t at;
    void (*fire)(void *ctx);
    void *ctx;
};

struct post {
    struct list node;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    struct event_base *base; /* owned */
    ns_t now;                /* 0: not read in this turn */
    bool stopping;
    void (*turn_end)(void *ctx);
    void *turn_end_ctx;
    uint64_t polls;

    int timer_fd;
    ns_t timer_armed; /* what timer_fd is set to, NS_NEVER: nothing */
    struct event timer_event;
    struct list timers; /* armed, in no order: there are a handful */
    struct loop_timer alarm;

    int post_fd;
    struct event post_event;
    pthread_mutex_t post_lock;
    struct list posts; /* guarded by post_lock */
};

struct loop_io {
    struct loop *loop;
    void (*ready)(void *ctx, unsigned what);
    void *ctx;
    unsigned want;
    struct event read, write;
};

struct loop_signal {
    struct event event;
    void (*fn)(void *ctx, int number);
    void *ctx;
};

static void arm(struct loop *l, ns_t at)
{
    ns_t t = at == NS_NEVER ? 0 : at < 1 ? 1 : at;
    struct itimerspec spec = {.it_value = {.tv_sec = t / NS_PER_S, .tv_nsec = t % NS_PER_S}};
    (void)timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    l->timer_armed = at;
}

static ns_t first_timer(const struct loop *l)
{
    ns_t first = NS_NEVER;
    LIST_FOR(node, &l->timers)
        first = ns_min(first, CONTAINER_OF(node, struct loop_timer, node)->at);
    return first;
}

static void set_timer(struct loop_timer *t, ns_t at)
{
    t->at = at;
    if (at == NS_NEVER) {
        list_remove(&t->node);
        return;
    }
    list_remove(&t->node); /* perhaps out of the due list of fire_due */
    list_push_back(&t->loop->timers, &t->node);
    if (at < t->loop->timer_armed)
        arm(t->loop, at);
}

/* Only timers that were due when this began are fired, so that one which sets itself to the past cannot hold the turn.
 */
static void fire_due(struct loop *l)
{
    struct list due;
    list_init(&due);
    ns_t now = loop_now(l);
    LIST_FOR_SAFE(node, &l->timers) {
        if (CONTAINER_OF(node, struct loop_timer, node)->at <= now) {
            list_remove(node);
            list_push_back(&due, node);
        }
    }
    struct list *node;
    while ((node = list_pop(&due)) != NULL) {
        struct loop_timer *t = CONTAINER_OF(node, struct loop_timer, node);
        t->at = NS_NEVER;
        t->fire(t->ctx);
    }
}

/* The timerfd may be set for a time that no timer has any more; then this only sets it again. */
static void on_timer_fd(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *l = arg;
    l->timer_armed = NS_NEVER;
    fire_due(l);
    ns_t first = first_timer(l);
    if (first < l->timer_armed || l->timer_armed == NS_NEVER)
        arm(l, first);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *ctx), void *ctx)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct loop_timer){.loop = l, .at = NS_NEVER, .fire = fire, .ctx = ctx};
    list_init(&t->node);
    return t;
}

void loop_timer_set(struct loop_timer *t, ns_t at)
{
    set_timer(t, at);
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    list_remove(&t->node);
    free(t);
}

void loop_set_alarm(struct loop *l, ns_t at, void (*fire)(void *ctx), void *ctx)
{
    l->alarm.fire = fire;
    l->alarm.ctx = ctx;
    set_timer(&l->alarm, at);
}

static void on_post_fd(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct loop *l = arg;
    struct list run, *node;
    uint64_t count;
    list_init(&run);
    (void)!read(fd, &count, sizeof count);
    pthread_mutex_lock(&l->post_lock);
    list_splice(&run, &l->posts);
    pthread_mutex_unlock(&l->post_lock);
    while ((node = list_pop(&run)) != NULL) {
        struct post *p = CONTAINER_OF(node, struct post, node);
        p->fn(p->arg);
        free(p);
    }
}

enum err loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct post *p = malloc(sizeof *p);
    if (!p)
        return ERR_NOMEM;
    *p = (struct post){.fn = fn, .arg = arg};
    pthread_mutex_lock(&l->post_lock);
    bool wake = list_is_empty(&l->posts);
    list_push_back(&l->posts, &p->node);
    if (wake)
        (void)!write(l->post_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_mutex_unlock(&l->post_lock);
    return ERR_NONE;
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static bool add_internal(struct loop *l, struct event *e, int fd, event_callback_fn fn)
{
    return fd >= 0 && event_assign(e, l->base, fd, EV_READ | EV_PERSIST, fn, l) == 0 && event_add(e, NULL) == 0;
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    pthread_mutex_init(&l->post_lock, NULL);
    list_init(&l->posts);
    list_init(&l->timers);
    l->alarm = (struct loop_timer){.loop = l, .at = NS_NEVER};
    list_init(&l->alarm.node);
    l->timer_armed = NS_NEVER;
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->base = new_base();
    if (!l->base || !add_internal(l, &l->timer_event, l->timer_fd, on_timer_fd) ||
        !add_internal(l, &l->post_event, l->post_fd, on_post_fd)) {
        loop_free(l);
        return NULL;
    }
    return l;
}

static void close_event(struct event *e, int fd)
{
    if (event_initialized(e))
        event_del(e);
    if (fd >= 0)
        close(fd);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    close_event(&l->timer_event, l->timer_fd);
    close_event(&l->post_event, l->post_fd);
    if (l->base)
        event_base_free(l->base);
    LIST_FOR_SAFE(node, &l->posts)
        free(CONTAINER_OF(node, struct post, node));
    pthread_mutex_destroy(&l->post_lock);
    free(l);
}

void loop_run(struct loop *l)
{
    while (!l->stopping) {
        l->now = 0;
        l->polls++;
        if (event_base_loop(l->base, EVLOOP_ONCE) < 0)
            break;
        if (l->turn_end)
            l->turn_end(l->turn_end_ctx);
    }
    l->stopping = false;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

ns_t loop_now(struct loop *l)
{
    if (l->now == 0)
        l->now = clock_monotonic();
    return l->now;
}

void loop_set_turn_end(struct loop *l, void (*hook)(void *ctx), void *ctx)
{
    l->turn_end = hook;
    l->turn_end_ctx = ctx;
}

uint64_t loop_polls(const struct loop *l)
{
    return l->polls;
}

struct event_base *loop_event_base(struct loop *l)
{
    return l->base;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct loop_io *io = arg;
    io->ready(io->ctx, what & EV_READ ? LOOP_READ : LOOP_WRITE);
}

struct loop_io *loop_io_new(struct loop *l, int fd, void (*ready)(void *ctx, unsigned what), void *ctx)
{
    struct loop_io *io = calloc(1, sizeof *io);
    if (!io)
        return NULL;
    *io = (struct loop_io){.loop = l, .ready = ready, .ctx = ctx};
    event_assign(&io->read, l->base, fd, EV_READ | EV_PERSIST, on_io, io);
    event_assign(&io->write, l->base, fd, EV_WRITE | EV_PERSIST, on_io, io);
    if (event_add(&io->read, NULL) != 0) {
        free(io);
        return NULL;
    }
    io->want = LOOP_READ;
    return io;
}

void loop_io_want(struct loop_io *io, unsigned what)
{
    unsigned change = io->want ^ what;
    io->want = what;
    if (change & LOOP_READ)
        (void)(what & LOOP_READ ? event_add(&io->read, NULL) : event_del(&io->read));
    if (change & LOOP_WRITE)
        (void)(what & LOOP_WRITE ? event_add(&io->write, NULL) : event_del(&io->write));
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    loop_io_want(io, 0);
    free(io);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct loop_signal *s = arg;
    s->fn(s->ctx, (int)number);
}

struct loop_signal *loop_signal_new(struct loop *l, int number, void (*fn)(void *ctx, int number), void *ctx)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->fn = fn;
    s->ctx = ctx;
    event_assign(&s->event, l->base, number, EV_SIGNAL | EV_PERSIST, on_signal, s);
    if (event_add(&s->event, NULL) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

void loop_signal_free(struct loop_signal *s)
{
    if (!s)
        return;
    event_del(&s->event);
    free(s);
}
