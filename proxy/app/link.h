/* A connection and its HTTP/2 session, on either side of the proxy: feeding what was read, and one write a turn. */
#ifndef APP_LINK_H
#define APP_LINK_H

#include "h2/session.h"
#include "net/conn.h"

struct worker;
struct link;

struct link_ops {
    /* All output has been written. */
    void (*on_flushed)(struct link *l);
    /* The link is broken and has been flushed once more: close it. */
    void (*on_broken)(struct link *l);
    /* Frees the owner, at the end of a turn. */
    void (*free)(struct link *l);
};

/* Owned by: a downstream or an upconn, as its first member. Borrows: the worker. */
struct link {
    const struct link_ops *ops;
    struct worker *worker;
    struct session session;
    struct conn *conn; /* owned; NULL once closed */
    struct list dirty; /* in worker->dirty: owes a flush */
    struct list busy;  /* in worker->busy, or alone while its buffers are given back */
    struct list dead;  /* in worker->dead_links after link_close */
    ns_t touched;      /* when bytes last moved */
    bool open;         /* bytes may be written */
    bool blocked;      /* the socket takes no more; on_writable comes */
    bool closed;       /* by link_close: nothing is marked any more */
    bool broken;       /* to be closed after the next flush */
};

void link_init(struct link *l, struct worker *w, const struct link_ops *ops);

/* The link owes its peer something: flush it at the end of this turn. */
void link_mark(struct link *l);

/* Feeds received bytes. On an error the link is marked broken and flushed once more. Returns false then. */
bool link_feed(struct link *l, const uint8_t *p, size_t n);

/* Pumps and writes once. */
void link_flush(struct link *l);

/* Closes the connection, tells all streams, frees the session, and has ops->free called at the end of the turn. */
void link_close(struct link *l);

/* Gives buffers back when nothing has moved since `before`. True when it did. */
bool link_rest(struct link *l, ns_t before);

#endif
