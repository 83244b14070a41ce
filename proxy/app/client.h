/* A small HTTP/2 client for the control thread: what asks an API server, an identity agent or an exporter uses it. One
 * client is one place; it connects when a request wants to go, again when the connection was lost, and beside it when
 * its streams are used up (four connections at most). It decides nothing about trying again: every failure is an event,
 * and the owner asks again when it wants.
 *
 * Callbacks come from the loop, never from inside client_* functions, and may call any of them, client_free of their
 * own client included. All of it belongs to the thread of the loop. */
#ifndef APP_CLIENT_H
#define APP_CLIENT_H

#include "base/address.h"
#include "h2/header.h"
#include "net/loop.h"
#include "net/tls.h"

enum {
    CLIENT_REQUESTS_MAX = 256, /* of one client, waiting and open */
    CLIENT_FIELDS_MAX = 32,    /* of a request, besides the four pseudo-fields */
    CLIENT_BODY_MAX = 4 << 20  /* of a request */
};

#define CLIENT_CONNECT_NS (5 * NS_PER_S)  /* look-up, connection, handshake and SETTINGS together */
#define CLIENT_PING_NS    (20 * NS_PER_S) /* a request is open and nothing came for so long: ping, but no unix socket */
#define CLIENT_PONG_NS    (10 * NS_PER_S) /* no answer to it: the connection is lost */
#define CLIENT_IDLE_NS    (60 * NS_PER_S) /* a connection without a request is closed after this */

struct client_env;
struct client;
struct client_request;

enum client_end {
    CLIENT_END_DONE,    /* the answer is whole; its status may still be an error */
    CLIENT_END_CONNECT, /* no connection: nothing of the request was sent */
    CLIENT_END_LOST,    /* the connection broke */
    CLIENT_END_RESET,   /* the peer reset the stream, refused it, or broke a rule on it */
    CLIENT_END_TIMEOUT, /* timeout_ns passed */
    CLIENT_END_LIMIT    /* the header block of the answer passed the bounds of h2/header.h, or memory is out */
};

/* What all clients of a loop share. */

/* Takes the turn-end hook of the loop (net/loop.h), which must be free. NULL when memory is out. */
struct client_env *client_env_new(struct loop *l);

/* Frees what clients are left, without events. NULL is ignored. */
void client_env_free(struct client_env *env);

/* Where a client connects, and whom it expects there. All copied by client_new. */
struct client_target {
    struct address address;   /* IP, unix path, or a name, which is looked up for every connection */
    const char *authority;    /* sent as :authority */
    struct tls_context *tls;  /* NULL: clear HTTP/2 with prior knowledge; otherwise a reference is taken */
    struct tls_expect expect; /* with tls: SNI and who the peer must prove to be */
    bool secret;              /* bodies hold keys: what was read is wiped once it was handed over */
};

/* No connection is made before the first request. NULL when memory is out. */
struct client *client_new(struct client_env *env, const struct client_target *target);

/* Ends its requests without events and closes its connections. NULL is ignored. */
void client_free(struct client *c);

/* Uses other TLS material (a reference is taken) and closes each connection when its requests have ended; new requests
 * take a new one. Does nothing when it is the same. */
void client_set_tls(struct client *c, struct tls_context *tls);

struct client_events {
    /* The final status and fields of the answer, once; they live during the call. */
    void (*on_response)(void *ctx, unsigned status, const struct headers *h);
    /* n bytes of the body; the window is given back when this returns, so the owner bounds what it keeps (and cancels
     * when it is too much). */
    void (*on_data)(void *ctx, const uint8_t *p, size_t n);
    /* The request is over; its pointer is not valid after this returns. Comes once, unless it was cancelled.
     * `trailers` only with DONE, and NULL when there were none. `why`: a short text for logs, "" with DONE. */
    void (*on_end)(void *ctx, enum client_end end, const struct headers *trailers, const char *why);
};

/* All copied by client_open. */
struct client_call {
    const char *method;          /* "GET" */
    struct slice path;           /* with its query */
    const struct header *fields; /* names in lower case; tokens need not be set */
    size_t fields_n;             /* <= CLIENT_FIELDS_MAX */
    struct slice body;           /* p NULL: none; n <= CLIENT_BODY_MAX */
    ns_t timeout_ns;             /* for the whole, from now; 0: none (a watch) */
};

/* Sends a request, as soon as there is a connection and room for a stream. NULL when a bound is passed or memory is
 * out. A request that the peer provably did not process (a GOAWAY below it) is sent again once, over a new connection.
 */
struct client_request *client_open(struct client *c, const struct client_call *call, const struct client_events *events,
                                   void *ctx);

/* Ends it without further events; the stream is reset. NULL is ignored. */
void client_cancel(struct client_request *r);

/* A field of a request; `name` in lower case. */
struct header client_field(const char *name, struct slice value);

#endif
