/* The listening sockets of a process, one for each address that a generation names. A socket file that we made is
 * removed with its socket; one that came with an inherited socket is not. Control thread, but for bound_leave. */
#ifndef APP_BOUND_H
#define APP_BOUND_H

#include "base/address.h"
#include "base/list.h"
#include "core/policy.h"
#include "net/listener.h"

#include <stdatomic.h>

struct process;

/* A listening socket. Lives as long as some generation or connection needs it. */
struct bound {
    struct process *process;
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    char name[ADDRESS_PATH_MAX + 1];
    bool is_public;
    bool ours;                 /* opened here, not inherited */
    struct listener *listener; /* NULL once removed */
    atomic_uint connections;
    bool wanted;
    struct list node;
};

/* What to listen on, and where the configuration says so. */
struct bound_want {
    const struct address *address;
    bool is_public;
    struct place place;
    const char *text;
};

/* A listening descriptor, the caller's: an inherited one, else a new one, *ret_ours. ERR_IO: the text tells why. */
MUST_CHECK enum err bound_listen(struct process *p, const struct bound_want *want, int *ret_fd, bool *ret_ours,
                                 char *error /* PROCESS_ERROR_MAX */);

/* The socket of a listener, opened unless it is open; owned by the process. `ops` get the bound as ctx. ERR_IO: the
 * text tells why. ERR_NOMEM. */
MUST_CHECK enum err bound_open(struct process *p, const struct listener_conf *conf, const struct listener_ops *ops,
                               struct bound **ret, char *error /* PROCESS_ERROR_MAX */);

/* Whoever started the process gets a copy of each socket that it does not have; the socket file is theirs then. */
void bound_tell_all(struct process *p);

/* Closes the sockets that the generation in force does not name. */
void bound_close_unwanted(struct process *p);

/* Closes every listening socket; with `take_rest` who has connected already is accepted first. */
void bound_close_all(struct process *p, bool take_rest);

/* Stops and starts accepting everywhere. */
void bound_pause_all(struct process *p, bool paused);

/* How many descriptors all keep back. */
void bound_keep_fds(struct process *p, uint32_t n);

/* Lets listeners that rest for want of descriptors look again; whether any does. */
void bound_tick_all(struct process *p, ns_t now);
bool bound_any_rests(const struct process *p);

/* Removes the socket files of ours, for an exit that closes nothing. */
void bound_remove_files(struct process *p);

/* Closes and frees all. */
void bound_free_all(struct process *p);

/* Whether one more connection may come in; counts the bound that keeps it out. */
bool bound_has_room(struct bound *b);

/* A connection of this listener has sent its preface, or will not. Any thread. */
void bound_greeted(struct bound *b);

/* A connection of this listener is gone. Any thread. */
void bound_leave(struct bound *b);

#endif
