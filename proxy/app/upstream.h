/* One worker's connections to the endpoints of one service: pools, connecting, the queue of calls that wait for room.
 */
#ifndef APP_UPSTREAM_H
#define APP_UPSTREAM_H

#include "app/link.h"
#include "app/worker.h"
#include "core/balance.h"

struct exchange;

enum { UPSTREAM_ERROR_MAX = 200 };
#define UPSTREAM_CONNECT_NS       NS_PER_S
#define UPSTREAM_LOCAL_BACKOFF_NS NS_PER_S /* a sidecar's own service is asked again at least this often */

/* A pooled connection. Owned by: its upstream's pool list. */
struct upconn {
    struct link link; /* first */
    struct upstream *upstream;
    uint32_t candidate;
    bool ready;         /* SETTINGS seen */
    bool draining;      /* GOAWAY seen: no new streams */
    bool left;          /* its endpoint is no more in the set: no new streams, unless it comes back */
    bool ended;         /* closed, to be freed */
    struct timer timer; /* connect timeout, then that of the acknowledged SETTINGS */
    struct list held;   /* exchanges whose attempt was cancelled, which is not written yet */
    struct list pool;   /* in upstream->pools[candidate] */
};

/* Owned by: the worker. */
struct upstream {
    struct worker *worker;
    struct service *service;         /* shared; kept alive by a generation */
    struct generation *generation;   /* referenced: the newest that uses it */
    const struct service_conf *conf; /* of that generation */
    struct balance balance;
    struct candidate *candidates; /* balance.n of the set in force, then those that left and still have streams */
    uint32_t candidates_n;
    struct list *pools; /* one list of upconns a candidate, oldest first */
    uint32_t connections;
    uint32_t connecting;      /* of them, not ready yet */
    uint32_t calls;           /* exchanges that point here */
    uint32_t connections_max; /* per endpoint on this worker */
    struct list waiting;      /* exchanges, in order of arrival */
    struct method_table *methods;
    struct timer retry;             /* connect again after a backoff */
    bool retired;                   /* no new calls; goes when those that it has are over */
    bool active;                    /* has had a call: keep connected, unless it is a passage */
    char sni[256];                  /* server name when the conf gives none: host of the first caller's authority */
    char error[UPSTREAM_ERROR_MAX]; /* last connect failure */
    struct list node;
};

/* For a service of a generation. NULL when memory is out. */
struct upstream *upstream_new(struct worker *w, struct generation *g, uint32_t index);

/* The same connections under a newer generation, which may name other endpoints: streams, waiting calls and connections
 * to what stays go on, connections to what went close when their streams have ended. */
void upstream_renew(struct upstream *u, struct generation *g, uint32_t index);

/* Takes the endpoints of the service for its candidates; upstream_renew sees to the connections. */
void upstream_set_endpoints(struct upstream *u, const struct service *s);

/* No new calls. Those that it has may still be sent (again); then the connections close. */
void upstream_retire(struct upstream *u);

/* Frees at once; nothing may be open. */
void upstream_free(struct upstream *u);

/* A connection of this candidate with room, or NULL: then its room is known to be 0. */
struct upconn *upstream_find(struct upstream *u, int candidate);

/* Recounts the candidate's room after a stream opened or closed; serves waiting calls when there is some. */
void upstream_on_stream_closed(struct upconn *c);
void upstream_on_stream_opened(struct upconn *c);

/* A call joins the queue, connections are made as needed. */
void upstream_wait(struct upstream *u, struct exchange *x);

/* A call leaves the queue without having been served. */
void upstream_unwait(struct upstream *u, struct exchange *x);

/* Connects what is worth connecting. */
void upstream_connect(struct upstream *u);

/* Closes every connection (drain end, exit). */
void upstream_close_all(struct upstream *u);

/* True when an exchange's HEADERS at this offset were never offered to the socket. */
bool upconn_is_unsent(const struct upconn *c, uint64_t headers_at);

/* The session_ops of an upconn's streams. */
void upstream_stream_on_headers(struct stream *s, const struct headers *h, bool end, bool oversize);
void upstream_stream_on_trailers(struct stream *s, const struct headers *h, bool oversize);
void upstream_stream_on_data(struct stream *s, const uint8_t *p, size_t n, bool end);
void upstream_stream_on_reset(struct stream *s, uint32_t code, enum session_reset how);
void upstream_stream_on_sent(struct stream *s, size_t n);
void upstream_stream_on_done(struct stream *s);

#endif
