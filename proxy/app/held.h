/* The listening sockets that the supervisor holds for its worker processes: opened here, inherited from a service
 * manager, or sent by a worker that a reload made open one. */
#ifndef APP_HELD_H
#define APP_HELD_H

#include "app/process.h"
#include "base/address.h"

enum { HELD_MAX = PROCESS_INHERITED_MAX };

struct held_socket {
    int fd; /* owned */
    struct address address;
    char name[ADDRESS_PATH_MAX + 1];
    bool ours; /* opened by us: its socket file goes with it */
};

struct held {
    struct held_socket v[HELD_MAX];
    int n;
};

/* Takes over what a service manager passed (LISTEN_FDS, LISTEN_PID), and forgets these variables. */
void held_adopt(struct held *h);

/* Takes fd over; false, and fd is closed, when it is no listening socket, is held already, or the table is full. */
bool held_add(struct held *h, int fd, bool ours);

/* Opens what the snapshot names and is not held; the worker opens what does not fit. False with a line on stderr when a
 * listener cannot be opened; the admin pages are the worker's to complain about. */
bool held_open(struct held *h, const struct snapshot *snap);

/* Closes what the snapshot does not name; those that a service manager passed with a line in the log. */
void held_close_unnamed(struct held *h, const struct snapshot *snap);
void held_close(struct held *h);

/* In a child, before its exec: the sockets at descriptors 3 and up, inherited, with everything else that is handed over
 * beyond them. False when descriptors are out. */
bool held_arrange(const struct held *h);

/* The lowest descriptor that held_arrange leaves alone. */
static inline int held_above(const struct held *h)
{
    return 3 + h->n;
}

#endif
