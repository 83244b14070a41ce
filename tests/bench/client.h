/* The calling side of bench_load: connections, and gRPC calls on them that are judged byte by byte. A call is good only
 * with :status 200, the expected body whole and equal, and grpc-status 0 in the trailers. When to call is load.c's. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "peer.h"

#include <sys/socket.h>

/* How a call ended: its name in the report. */
#define OUTCOMES(X)                                                                                                    \
    X(OK, "ok")                                                                                                        \
    X(HTTP_STATUS, "http_status")                                                                                      \
    X(GRPC_STATUS, "grpc_status")                                                                                      \
    X(BODY, "body")                                                                                                    \
    X(NO_TRAILERS, "no_trailers")                                                                                      \
    X(RESET, "reset")                                                                                                  \
    X(CONNECTION, "connection")                                                                                        \
    X(LOST, "lost")

enum outcome {
#define X(name, text) OUTCOME_##name,
    OUTCOMES(X)
#undef X
        OUTCOME_COUNT
};

extern const char *const outcome_names[OUTCOME_COUNT];

/* Owned by: client. One request and its answer; `id` is stamped into the message, so answers cannot be mixed up. */
struct call {
    struct client_connection *connection; /* NULL while the call is unused */
    struct list member;                   /* of the connection's calls, or of the unused ones */
    uint64_t id;
    int64_t intended; /* when it should have been sent */
    size_t sent, received;
    int32_t stream_id;
    int http_status, grpc_status; /* -1: not seen */
    bool body_wrong, ended, trailers_seen, headers_seen, held;
};

/* Owned by: client. */
struct client_connection {
    struct peer peer;
    struct client *client;
    struct list calls;
    unsigned in_flight,
        limit;  /* limit: 0 until the peer's SETTINGS came, after GOAWAY and when the connection is lost */
    bool ready; /* has had SETTINGS, or was lost before */
};

/* What to call, and how. Strings are borrowed. */
struct client_settings {
    struct sockaddr_storage address;
    socklen_t address_length;
    SSL_CTX *tls;
    const char *server_name; /* verified under TLS */
    const char *authority, *path;
    unsigned connections, streams; /* streams: at most so many calls at once on a connection */
    size_t payload;                /* bytes of a request message */
    size_t expected;               /* bytes of each response message; SIZE_MAX: the request's own */
    unsigned replies;              /* response messages a call */
    unsigned timeout_us;           /* grpc-timeout; 0: none is sent */
};

/* Owned by: load. Borrows: loop, settings. */
struct client {
    struct loop *loop;
    const struct client_settings *settings;
    struct client_connection *connections;
    struct call *calls;
    struct list unused;
    uint8_t *request, *response; /* messages with prefix; the stamp of the current call is written into them */
    size_t request_length, response_length;
    unsigned opened, ready, lost, next, in_flight;
    void (*on_done)(struct call *call, enum outcome outcome, void *user); /* the call is unused afterwards */
    void (*on_headers)(struct call *call, void *user);                    /* response headers came */
    void *user;
};

/* Prepares; nothing is opened yet. on_done must be set before calls begin, on_headers may stay NULL. */
void client_init(struct client *c, struct loop *loop, const struct client_settings *settings);
void client_fini(struct client *c);

/* Opens more connections, never more than 32 of them unfinished at a time; true when all are ready (or lost). */
bool client_connect(struct client *c);

/* Begins a call on the next connection that has room; NULL when none has. With `held` the request never ends. */
struct call *client_call(struct client *c, uint64_t id, int64_t intended, bool held);

/* The same on one connection, which must have room. */
struct call *client_call_on(struct client_connection *connection, uint64_t id, int64_t intended, bool held);

#endif
