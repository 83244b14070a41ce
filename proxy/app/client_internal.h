/* Inside of the client, shared by client.c and client_link.c only. */
#ifndef APP_CLIENT_INTERNAL_H
#define APP_CLIENT_INTERNAL_H

#include "app/client.h"
#include "h2/session.h"
#include "net/conn.h"
#include "net/lookup.h"

enum { CLIENT_LINKS_MAX = 4, CLIENT_ADDRESSES_MAX = 8, CLIENT_WHY_MAX = 200 };

/* Owned by: its user, through client_env_new. */
struct client_env {
    struct loop *loop;
    struct conn_env *conns;
    struct session_env sessions;
    struct worker_stats stats; /* what sessions count; nobody reads it */
    struct loop_timer *kick;   /* makes a turn */
    struct list clients;
    struct list dead_requests, dead_links; /* freed at the end of the turn */
};

struct client {
    struct client_env *env;
    struct client_target target; /* its texts are in `arena` */
    struct arena arena;
    struct list waiting; /* requests that have no stream yet */
    struct list links;
    uint32_t requests; /* waiting and open */
    bool freed;        /* goes at the end of the turn */
    struct list node;  /* in env->clients */
};

/*
 *   looking up -> connecting -> ready -> draining (a GOAWAY, or other TLS material) -> doomed -> closed
 *        +------------+-----------+-------- failure ------------------------------------+
 * doomed: to be closed at the end of the turn. `ready`: SETTINGS are in. */
struct client_link {
    struct client *client;
    struct session session;
    struct lookup *lookup;
    struct conn *conn;
    struct tls_context *tls; /* a reference; NULL: clear */
    struct address addresses[CLIENT_ADDRESSES_MAX];
    size_t addresses_n, addresses_at;
    struct loop_timer *timer; /* connect deadline, then ping and idle */
    ns_t touched, pinged;     /* when bytes came; when our ping went, NS_NEVER: none is out */
    bool open, blocked, ready, draining, doomed;
    enum client_end end; /* what its requests are told when it closes */
    char why[CLIENT_WHY_MAX];
    struct list requests; /* with a stream here */
    struct list node;     /* in client->links, then env->dead_links */
};

struct client_request {
    struct client *client;
    struct client_link *link; /* NULL while it waits */
    struct stream stream;
    const struct client_events *events;
    void *ctx;
    struct arena arena;
    struct header *fields; /* pseudo-fields first; in the arena, as the body is */
    size_t fields_n;
    struct slice body;
    struct loop_timer *timer; /* NULL: no timeout */
    bool over, again;         /* again: it was sent before and not processed */
    struct list node;         /* client->waiting, link->requests, env->dead_requests */
};

/* Begins to connect. */
void client_link_new(struct client *c);

/* To be closed at the end of the turn, for this reason; the first reason counts. */
void client_link_doom(struct client_link *l, enum client_end end, const char *why);

/* Puts waiting requests on the link and writes. */
void client_link_run(struct client_link *l);

/* Closes it and tells its requests. It is freed at the end of the turn. */
void client_link_close(struct client_link *l);

/* Tells the owner, unless it was told, and puts the request on the dead list. */
void client_finish(struct client_request *r, enum client_end end, const struct headers *trailers, const char *why);

/* Makes the loop have a turn. */
void client_kick(struct client_env *env);

#endif
