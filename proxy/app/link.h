/* A connection and its HTTP/2 session, on either side of the proxy: feeding what was read, and one write a turn. */
#ifndef APP_LINK_H
#define APP_LINK_H

#include "app/trust.h"
#include "h2/session.h"
#include "net/conn.h"

struct worker;
struct link;

enum {
    LINK_REST_HIGH = 65536,  /* received bytes that wait for another turn until nothing more is read */
    LINK_ENDPOINT_SHARE = 10 /* frames of an endpoint for one of a caller: one connection carries the calls of many */
};

struct link_ops {
    /* Received bytes were fed, maybe not all of them. */
    void (*on_fed)(struct link *l);
    /* All output has been written. */
    void (*on_flushed)(struct link *l);
    /* The link is broken and has been flushed once more: close it. */
    void (*on_broken)(struct link *l);
    /* Says goodbye: no new streams, closed when those that are open have ended. */
    void (*drain)(struct link *l);
    /* Frees the owner, at the end of a turn. */
    void (*free)(struct link *l);
};

/* Owned by: a downstream or an upconn, as its first member. Borrows: the worker. */
struct link {
    const struct link_ops *ops;
    struct worker *worker;
    struct session session;
    struct conn *conn; /* owned; NULL once closed */
    struct bounds_ref *bounds;
    struct buf rest;     /* received and not fed: its frames of this turn are used up */
    struct list yielded; /* in worker->yielded while there is a rest */
    uint64_t turn;       /* of the worker, when it was fed last */
    struct list dirty;   /* in worker->dirty: owes a flush */
    struct list busy;    /* in worker->busy, or alone while its buffers are given back */
    struct list dead;    /* in worker->dead_links after link_close */
    struct trust trust;
    ns_t touched; /* when bytes last moved */
    bool open;    /* bytes may be written */
    bool blocked; /* the socket takes no more; on_writable comes */
    bool closed;  /* by link_close: nothing is marked any more */
    bool broken;  /* to be closed after the next flush */
};

void link_init(struct link *l, struct worker *w, const struct link_ops *ops);

/* The link owes its peer something: flush it at the end of this turn. */
void link_mark(struct link *l);

/* Feeds received bytes, as many frames as a turn allows; the rest waits for the next turns. On an error the link is
 * marked broken and flushed once more. */
void link_feed(struct link *l, const uint8_t *p, size_t n);

/* Feeds frames that waited, in a new turn; or all of them, when the connection has ended behind them. */
void link_feed_rest(struct link *l);
void link_feed_all(struct link *l);

/* Pumps and writes once. */
void link_flush(struct link *l);

/* Closes the connection, tells all streams, frees the session, and has ops->free called at the end of the turn. */
void link_close(struct link *l);

/* Looks at a busy link once a second: what time has broken, and whether its buffers may be given back. */
void link_look(struct link *l, ns_t now);

#endif
