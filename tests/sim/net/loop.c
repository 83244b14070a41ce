/* net/loop.h on the virtual clock. A turn takes what is ready when it begins, in a drawn order, as one wait of the real
 * loop would return it; an io that lost its interest or its life meanwhile is passed over. */
#include "inside.h"

#include <stdatomic.h>
#include <stdlib.h>

struct loop_io {
    struct list node;
    struct loop *loop;
    int fd;
    unsigned want, ready_now;
    void (*ready)(void *ctx, unsigned what);
    void *ctx;
};

struct loop_timer {
    struct list node; /* in loop->timers while armed */
    struct loop *loop;
    ns_t at;
    void (*fire)(void *ctx);
    void *ctx;
};

struct loop_signal {
    struct list node;
    int number, raised;
    void (*fn)(void *ctx, int number);
    void *ctx;
};

struct post {
    struct list node;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    struct list node; /* in world.loops */
    struct list ios, timers, signals, posts;
    struct loop_io **turn; /* ios of this turn; an entry is NULL once freed */
    size_t turn_n, turn_cap;
    struct loop_timer alarm;
    void (*turn_end)(void *ctx);
    void *turn_end_ctx;
    uint64_t polls;
    atomic_bool stopping, ended; /* ended: no turns until loop_run is called again */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* posts, and stops that other threads wait for */
static pthread_cond_t stopped = PTHREAD_COND_INITIALIZER;

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    list_init(&l->ios);
    list_init(&l->timers);
    list_init(&l->signals);
    list_init(&l->posts);
    l->alarm = (struct loop_timer){.loop = l, .at = NS_NEVER};
    list_init(&l->alarm.node);
    list_push_back(&world.loops, &l->node);
    return l;
}

void loop_free(struct loop *l)
{
    struct list *node;
    if (!l)
        return;
    while ((node = list_pop(&l->posts)) != NULL)
        free(CONTAINER_OF(node, struct post, node));
    list_remove(&l->node);
    free(l->turn);
    free(l);
}

static bool has_timer_due(const struct loop *l)
{
    LIST_FOR(node, &l->timers)
        if (CONTAINER_OF(node, struct loop_timer, node)->at <= world.now)
            return true;
    return false;
}

static unsigned ready_of(const struct loop_io *io)
{
    return io->want == 0 ? 0 : sock_ready(io->fd) & io->want;
}

static bool is_ready(const struct loop *l)
{
    if (l->ended || l->stopping)
        return false;
    if (!list_is_empty(&l->posts) || has_timer_due(l))
        return true;
    LIST_FOR(node, &l->signals)
        if (CONTAINER_OF(node, struct loop_signal, node)->raised)
            return true;
    LIST_FOR(node, &l->ios)
        if (ready_of(CONTAINER_OF(node, struct loop_io, node)))
            return true;
    return false;
}

static void collect(struct loop *l)
{
    l->turn_n = 0;
    LIST_FOR(node, &l->ios) {
        struct loop_io *io = CONTAINER_OF(node, struct loop_io, node);
        if ((io->ready_now = ready_of(io)) == 0)
            continue;
        if (l->turn_n == l->turn_cap) {
            l->turn_cap = l->turn_cap ? l->turn_cap * 2 : 16;
            l->turn = realloc(l->turn, l->turn_cap * sizeof *l->turn);
            if (!l->turn)
                world_die("out of memory", io->fd);
        }
        l->turn[l->turn_n++] = io;
    }
    for (size_t i = l->turn_n; i > 1; i--) {
        size_t j = rng_below(&world.rng, i);
        struct loop_io *io = l->turn[j];
        l->turn[j] = l->turn[i - 1];
        l->turn[i - 1] = io;
    }
}

/* Both kinds of readiness come in one call or in two. */
static void dispatch(struct loop *l, size_t i)
{
    struct loop_io *io = l->turn[i];
    unsigned what = io ? io->ready_now & io->want : 0;
    bool split = what == (LOOP_READ | LOOP_WRITE) && rng_below(&world.rng, 2) == 0;
    if (what == 0)
        return;
    world_note((uint64_t)io->fd, what);
    io->ready(io->ctx, split ? LOOP_READ : what);
    if (split && (io = l->turn[i]) != NULL && (io->want & LOOP_WRITE))
        io->ready(io->ctx, LOOP_WRITE);
}

static void fire_due(struct loop *l)
{
    struct list due, *node;
    list_init(&due);
    LIST_FOR_SAFE(each, &l->timers)
        if (CONTAINER_OF(each, struct loop_timer, node)->at <= world.now) {
            list_remove(each);
            list_push_back(&due, each);
        }
    while ((node = list_pop(&due)) != NULL) {
        struct loop_timer *t = CONTAINER_OF(node, struct loop_timer, node);
        t->at = NS_NEVER;
        t->fire(t->ctx);
    }
}

static void run_posts(struct loop *l)
{
    struct list run, *node;
    list_init(&run);
    pthread_mutex_lock(&lock);
    list_splice(&run, &l->posts);
    pthread_mutex_unlock(&lock);
    while ((node = list_pop(&run)) != NULL) {
        struct post *p = CONTAINER_OF(node, struct post, node);
        p->fn(p->arg);
        free(p);
    }
}

static void run_signals(struct loop *l)
{
    LIST_FOR_SAFE(node, &l->signals) {
        struct loop_signal *s = CONTAINER_OF(node, struct loop_signal, node);
        bool raised = s->raised > 0;
        s->raised = 0;
        if (raised)
            s->fn(s->ctx, s->number);
    }
}

static void turn(struct loop *l)
{
    l->polls++;
    world_note((uint64_t)world.now, l->polls);
    bool timers_first = rng_below(&world.rng, 2) == 0;
    collect(l);
    if (timers_first)
        fire_due(l);
    for (size_t i = 0; i < l->turn_n; i++)
        dispatch(l, i);
    l->turn_n = 0;
    if (!timers_first)
        fire_due(l);
    run_signals(l);
    run_posts(l);
    if (l->turn_end)
        l->turn_end(l->turn_end_ctx);
}

bool loop_step(void)
{
    struct loop *chosen = NULL;
    uint64_t ready = 0;
    LIST_FOR(node, &world.loops) {
        struct loop *l = CONTAINER_OF(node, struct loop, node);
        if (is_ready(l) && rng_below(&world.rng, ++ready) == 0)
            chosen = l;
    }
    if (chosen)
        turn(chosen);
    return chosen != NULL;
}

ns_t loop_next(void)
{
    ns_t first = NS_NEVER;
    LIST_FOR(node, &world.loops) {
        struct loop *l = CONTAINER_OF(node, struct loop, node);
        if (l->ended || l->stopping)
            continue;
        LIST_FOR(timer, &l->timers)
            first = ns_min(first, CONTAINER_OF(timer, struct loop_timer, node)->at);
    }
    return first;
}

void loop_raise(int number)
{
    LIST_FOR(node, &world.loops)
        LIST_FOR(signal, &CONTAINER_OF(node, struct loop, node)->signals) {
            struct loop_signal *s = CONTAINER_OF(signal, struct loop_signal, node);
            s->raised += s->number == number;
        }
}

int world_live_loops(void)
{
    int n = 0;
    LIST_FOR(node, &world.loops)
        n++;
    return n;
}

/* The world's own thread drives; any other only waits for the stop. */
void loop_run(struct loop *l)
{
    l->ended = false;
    if (pthread_equal(pthread_self(), world.thread)) {
        while (!l->stopping)
            if (!world_step())
                world_die("loop_run waits for ever: nothing can happen any more", -1);
    } else {
        pthread_mutex_lock(&lock);
        while (!l->stopping)
            pthread_cond_wait(&stopped, &lock);
        pthread_mutex_unlock(&lock);
    }
    l->ended = true;
    l->stopping = false;
}

void loop_stop(struct loop *l)
{
    pthread_mutex_lock(&lock);
    l->stopping = true;
    pthread_cond_broadcast(&stopped);
    pthread_mutex_unlock(&lock);
}

ns_t loop_now(struct loop *l)
{
    (void)l;
    return world.now;
}

void loop_set_turn_end(struct loop *l, void (*hook)(void *ctx), void *ctx)
{
    l->turn_end = hook;
    l->turn_end_ctx = ctx;
}

static void set_timer(struct loop_timer *t, ns_t at)
{
    t->at = at;
    list_remove(&t->node);
    if (at != NS_NEVER)
        list_push_back(&t->loop->timers, &t->node);
}

void loop_set_alarm(struct loop *l, ns_t at, void (*fire)(void *ctx), void *ctx)
{
    l->alarm.fire = fire;
    l->alarm.ctx = ctx;
    set_timer(&l->alarm, at);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *ctx), void *ctx)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct loop_timer){.loop = l, .at = NS_NEVER, .fire = fire, .ctx = ctx};
    list_init(&t->node);
    world.watches++;
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
    world.watches--;
    free(t);
}

struct loop_io *loop_io_new(struct loop *l, int fd, void (*ready)(void *ctx, unsigned what), void *ctx)
{
    struct loop_io *io = calloc(1, sizeof *io);
    if (!io)
        return NULL;
    *io = (struct loop_io){.loop = l, .fd = fd, .want = LOOP_READ, .ready = ready, .ctx = ctx};
    list_push_back(&l->ios, &io->node);
    world.watches++;
    return io;
}

void loop_io_want(struct loop_io *io, unsigned what)
{
    io->want = what;
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    for (size_t i = 0; i < io->loop->turn_n; i++)
        if (io->loop->turn[i] == io)
            io->loop->turn[i] = NULL;
    list_remove(&io->node);
    world.watches--;
    free(io);
}

enum err loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct post *p = malloc(sizeof *p);
    if (!p)
        return ERR_NOMEM;
    *p = (struct post){.fn = fn, .arg = arg};
    pthread_mutex_lock(&lock);
    list_push_back(&l->posts, &p->node);
    pthread_mutex_unlock(&lock);
    return ERR_NONE;
}

struct loop_signal *loop_signal_new(struct loop *l, int number, void (*fn)(void *ctx, int number), void *ctx)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct loop_signal){.number = number, .fn = fn, .ctx = ctx};
    list_push_back(&l->signals, &s->node);
    world.watches++;
    return s;
}

void loop_signal_free(struct loop_signal *s)
{
    if (!s)
        return;
    list_remove(&s->node);
    world.watches--;
    free(s);
}

uint64_t loop_polls(const struct loop *l)
{
    return l->polls;
}
