/* Finds, opens and closes listening sockets. Inherited ones are taken first and leave their socket files alone. */
#include "app/bound.h"

#include "app/process.h"
#include "base/log.h"
#include "net/sock.h"

#include <stdio.h>
#include <stdlib.h>

void bound_greeted(struct bound *b)
{
    atomic_fetch_sub(&b->process->greeting, 1);
}

void bound_leave(struct bound *b)
{
    atomic_fetch_sub(&b->connections, 1);
    atomic_fetch_sub(&b->process->connections, 1);
}

/* The bound that one more connection would break; BOUND_COUNT: none. */
static enum bound_kind connection_over(const struct bound *b)
{
    const struct process *p = b->process;
    const struct bounds *bounds = &p->current->snapshot->bounds;
    if (atomic_load(&b->connections) >= bounds->connections_per_listener)
        return BOUND_CONNECTIONS_PER_LISTENER;
    if (atomic_load(&p->connections) >= bounds->connections)
        return BOUND_CONNECTIONS;
    if (atomic_load(&p->greeting) >= bounds->pending_handshakes)
        return BOUND_PENDING_HANDSHAKES;
    return BOUND_COUNT;
}

bool bound_has_room(struct bound *b)
{
    enum bound_kind over = connection_over(b);
    if (over != BOUND_COUNT)
        counter_add(&b->process->stats.bounds[BOUND_DOWNSTREAM][over], 1);
    return over == BOUND_COUNT;
}

static struct bound *find_bound(struct process *p, const struct address *a)
{
    LIST_FOR(n, &p->bounds) {
        struct bound *b = CONTAINER_OF(n, struct bound, node);
        if (address_eq(&b->address, a))
            return b;
    }
    return NULL;
}

static struct bound *add_bound(struct process *p, const struct listener_conf *conf)
{
    struct bound *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->process = p;
    b->address = conf->address;
    if (conf->address.name) {
        snprintf(b->name, sizeof b->name, "%s", conf->address.name);
        b->address.name = b->name;
    }
    address_format(&b->address, b->text, sizeof b->text);
    list_push_back(&p->bounds, &b->node);
    return b;
}

static int take_inherited(struct process *p, const struct address *a)
{
    for (int i = 0; i < p->inherited_n; i++) {
        int fd = p->inherited[i];
        if (fd >= 0 && sock_is_listening_on(fd, a)) {
            p->inherited[i] = -1;
            return fd;
        }
    }
    return -1;
}

enum err bound_listen(struct process *p, const struct bound_want *want, int *ret_fd, bool *ret_ours, char *error)
{
    int why = 0;
    *ret_fd = take_inherited(p, want->address);
    *ret_ours = *ret_fd < 0;
    if (*ret_fd >= 0)
        return ERR_NONE;
    if (sock_listen(want->address, want->is_public, ret_fd, &why) == ERR_NONE)
        return ERR_NONE;
    snprintf(error, PROCESS_ERROR_MAX, "%s:%u:%u: cannot listen on %s: %s", want->place.file, want->place.line,
             want->place.column, want->text, strerror(why));
    return ERR_IO;
}

enum err bound_open(struct process *p, const struct listener_conf *conf, const struct listener_ops *ops,
                    struct bound **ret, char *error)
{
    struct bound_want want = {&conf->address, conf->is_public || conf->inbound, conf->place, conf->text};
    struct bound *b = find_bound(p, &conf->address);
    int fd;
    *ret = b ? b : (b = add_bound(p, conf));
    if (!b)
        return ERR_NOMEM;
    b->wanted = true;
    if (b->listener)
        return ERR_NONE;
    enum err e = bound_listen(p, &want, &fd, &b->ours, error);
    if (e != ERR_NONE)
        return e;
    b->listener = listener_new(p->loop, fd, ops, b);
    return b->listener ? ERR_NONE : ERR_NOMEM;
}

static void remove_file(struct bound *b)
{
    if (b->listener && b->ours)
        sock_remove_file(&b->address);
    b->ours = false;
}

void bound_tell_all(struct process *p)
{
    LIST_FOR(n, &p->bounds) {
        struct bound *b = CONTAINER_OF(n, struct bound, node);
        if (b->listener && b->ours)
            b->ours = !process_tell(p, PROCESS_LISTENS, listener_fd(b->listener));
    }
}

void bound_close_unwanted(struct process *p)
{
    LIST_FOR(n, &p->bounds) {
        struct bound *b = CONTAINER_OF(n, struct bound, node);
        b->wanted = false;
        for (size_t i = 0; p->current && i < p->current->listeners_n; i++)
            b->wanted |= p->current->listeners[i].bound == b;
        if (b->wanted || !b->listener)
            continue;
        remove_file(b);
        listener_free(b->listener);
        b->listener = NULL;
        log_line(LOG_INFO, "listener_closed", LOG_TEXT("listen", b->text));
    }
}

void bound_close_all(struct process *p, bool take_rest)
{
    LIST_FOR(n, &p->bounds) {
        struct bound *b = CONTAINER_OF(n, struct bound, node);
        if (!b->listener)
            continue;
        if (take_rest)
            listener_take_rest(b->listener);
        remove_file(b);
        listener_free(b->listener);
        b->listener = NULL;
    }
}

void bound_pause_all(struct process *p, bool paused)
{
    LIST_FOR(at, &p->bounds) {
        struct bound *b = CONTAINER_OF(at, struct bound, node);
        if (b->listener)
            listener_pause(b->listener, paused);
    }
}

void bound_keep_fds(struct process *p, uint32_t n)
{
    LIST_FOR(at, &p->bounds) {
        struct bound *b = CONTAINER_OF(at, struct bound, node);
        if (b->listener)
            listener_keep_fds(b->listener, n);
    }
}

void bound_tick_all(struct process *p, ns_t now)
{
    LIST_FOR(n, &p->bounds) {
        struct bound *b = CONTAINER_OF(n, struct bound, node);
        if (b->listener)
            listener_tick(b->listener, now);
    }
}

bool bound_any_rests(const struct process *p)
{
    LIST_FOR(n, &p->bounds) {
        const struct bound *b = CONTAINER_OF(n, struct bound, node);
        if (b->listener && listener_is_resting(b->listener))
            return true;
    }
    return false;
}

void bound_remove_files(struct process *p)
{
    LIST_FOR(n, &p->bounds)
        remove_file(CONTAINER_OF(n, struct bound, node));
}

void bound_free_all(struct process *p)
{
    LIST_FOR_SAFE(n, &p->bounds) {
        struct bound *b = CONTAINER_OF(n, struct bound, node);
        list_remove(&b->node);
        remove_file(b);
        if (b->listener)
            listener_free(b->listener);
        free(b);
    }
}
