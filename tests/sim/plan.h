/* What a seed stands for: where the proxy stands, what goes wrong, and a thousand calls, each with its whole story
 * drawn before it begins. Knows no socket. */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include "base/clock.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

enum { PLAN_ENDPOINTS_MAX = 4, PLAN_TEXT_MAX = 4096 };

/* Callers -> outbound proxy -> endpoints in clear or over mTLS; callers -> outbound -> mTLS -> inbound -> endpoints;
 * callers over mTLS -> inbound -> endpoint. */
enum standing { PLACE_OUTBOUND, PLACE_OUTBOUND_TLS, PLACE_PAIR, PLACE_INBOUND, PLACES };

#define FAULT_LIST(X)                                                                                                  \
    X(PARTIAL, "partial reads and writes")                                                                             \
    X(LATENCY, "latency and jitter")                                                                                   \
    X(RESET, "connections reset")                                                                                      \
    X(BLACK_HOLE, "connections go silent")                                                                             \
    X(STALL, "connections rest a while")                                                                               \
    X(SMALL_PIPES, "pipes of a few kilobytes")                                                                         \
    X(REFUSE, "connects refused")                                                                                      \
    X(VANISH, "connects never answered")                                                                               \
    X(DOWN, "an endpoint stops and comes back")                                                                        \
    X(RST, "endpoints reset calls with all codes")                                                                     \
    X(REFUSED_STREAM, "endpoints refuse streams")                                                                      \
    X(GOAWAY, "endpoints go away")                                                                                     \
    X(FORGET, "endpoints forget the status")                                                                           \
    X(FOREIGN, "endpoints answer plain HTTP errors")                                                                   \
    X(SILENT, "endpoints never answer calls")                                                                          \
    X(FEW_STREAMS, "endpoints allow few streams")                                                                      \
    X(SLOW_ENDPOINT, "endpoints with small windows")                                                                   \
    X(SLOW_CALLER, "callers with small windows that stop reading")                                                     \
    X(CANCEL, "callers cancel")                                                                                        \
    X(DEADLINE, "deadlines")                                                                                           \
    X(CALLER_RESET, "callers' connections reset")                                                                      \
    X(RELOAD, "endpoints change in mid-run")

enum fault {
#define X(name, text) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULTS
};

const char *fault_text(enum fault f);

enum kind { KIND_UNARY, KIND_CLIENT_STREAM, KIND_SERVER_STREAM, KIND_BIDI, KINDS };

/* How the endpoint treats a call. */
enum behaviour {
    BEHAVE_ANSWER,        /* the whole response, then `status` */
    BEHAVE_TRAILERS_ONLY, /* `status`, no response */
    BEHAVE_EARLY,         /* as ANSWER, without waiting for the request */
    BEHAVE_RST,           /* RST_STREAM with `code`, half of the time in the middle of the response */
    BEHAVE_FORGET,        /* ends without trailers, or with trailers without a status */
    BEHAVE_FOREIGN,       /* HTTP 503 and a page */
    BEHAVE_SILENT         /* never answers */
};

/* The story of a call, and what became of it. Times from the start of the run. */
struct sim_call {
    uint32_t id;
    enum kind kind;
    enum behaviour behaviour;
    unsigned status, code, refusals; /* refused so often before it is treated as planned */
    bool midway;
    size_t request_bytes, response_bytes;
    unsigned request_parts, response_parts;
    ns_t start, timeout, cancel_after, gap, think; /* timeout, cancel_after: 0 for none */
    unsigned caller;                               /* which connection */

    /* caller's side */
    bool submitted, cancelled, lost, closed, response_wrong;
    unsigned finals;
    int final;           /* grpc-status, -1: none came */
    uint32_t close_code; /* of the stream */
    ns_t submitted_at, final_at;
    size_t received;
    /* endpoint's side */
    unsigned seen, refused; /* handed to the application; refused before that */
    bool said_ok, request_wrong, request_whole;
    size_t request_received;
};

struct plan {
    uint64_t seed;
    enum standing place;
    bool faults[FAULTS];
    unsigned callers, endpoints;
    const char *balance;
    unsigned connections_max;
    ns_t span; /* in which the calls begin */
    struct sim_call *calls;
    size_t calls_n;
};

/* Draws everything; at least three faults. */
void plan_init(struct plan *p, uint64_t seed, size_t calls);
void plan_fini(struct plan *p);

/* One direction of a call: `parts` gRPC messages that share `payload` bytes. */
struct body {
    uint32_t seed;
    size_t payload;
    unsigned parts;
};

static inline struct body plan_request(const struct sim_call *c)
{
    return (struct body){c->id * 2, c->request_bytes, c->request_parts};
}

static inline struct body plan_response(const struct sim_call *c)
{
    return (struct body){c->id * 2 + 1, c->response_bytes, c->response_parts};
}

/* Bytes of it on the wire. */
size_t plan_size(struct body b);

/* The byte at an offset: of the five before a message, or of a pattern. */
uint8_t plan_byte(struct body b, size_t at);

/* The bytes a side may have sent `after` its begin: messages come `gap` apart. */
size_t plan_released(struct body b, ns_t gap, ns_t after);

/* When all of them have been released, after the begin. */
ns_t plan_release_end(unsigned parts, ns_t gap);

#endif
