/* What a seed stands for: where the proxy stands, what goes wrong, and a thousand calls, each with its whole story
 * drawn before it begins. Knows no socket. */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include "rules.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>

enum { PLAN_ENDPOINTS_MAX = 4, PLAN_TURNS_MAX = 4, PLAN_LAST = 8 };

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
    X(OUTAGE, "all endpoints stop and come back")                                                                      \
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
    X(RELOAD, "endpoints and policy change in mid-run")                                                                \
    X(FAIL_HEADERS, "endpoints fail calls at once")                                                                    \
    X(FAIL_TRAILERS, "endpoints fail calls in trailers behind headers")                                                \
    X(BREAK, "endpoints execute and break the connection off")                                                         \
    X(PUSHBACK, "endpoints push back")                                                                                 \
    X(UNPROCESSED, "sidecars of endpoints hand calls back")                                                            \
    X(SICK, "an endpoint fails everything for a while")                                                                \
    X(SLOW_WORK, "an endpoint takes 200 ms more for a while")                                                          \
    X(STOP, "an endpoint stops and goes on")                                                                           \
    X(HOLE, "an endpoint is black-holed for a while")                                                                  \
    X(NAMES, "the endpoints change in DNS")

enum fault {
#define X(name, text) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULTS
};

const char *fault_text(enum fault f);

enum kind { KIND_UNARY, KIND_CLIENT_STREAM, KIND_SERVER_STREAM, KIND_BIDI, KINDS };

/* How the endpoint treats an attempt. */
enum behaviour {
    BEHAVE_ANSWER,        /* the whole response, then `status` */
    BEHAVE_TRAILERS_ONLY, /* `status`, no response */
    BEHAVE_TRAILERS,      /* headers, and a millisecond later `status` */
    BEHAVE_EARLY,         /* as ANSWER, without waiting for the request */
    BEHAVE_RST,           /* RST_STREAM with `code`, half of the time in the middle of the response */
    BEHAVE_BREAK,         /* executes, and breaks the connection off */
    BEHAVE_FORGET,        /* ends without trailers, or with trailers without a status */
    BEHAVE_FOREIGN,       /* HTTP 503 and a page */
    BEHAVE_HAND_BACK,     /* as TRAILERS_ONLY, and the trailer of a sidecar that forwarded nothing */
    BEHAVE_SILENT         /* never answers */
};

struct turn {
    enum behaviour behaviour;
    unsigned status, code;
    bool midway;
    const char *pushback; /* NULL: none */
    ns_t think;
};

/* The story of a call, and what became of it. Times from the start of the run. */
struct sim_call {
    uint32_t id;
    enum kind kind;
    enum target target;
    struct turn turns[PLAN_TURNS_MAX]; /* of one execution after the other; the last one holds for all that follow */
    unsigned turns_n, refusals;        /* refused so often before it is treated as planned */
    size_t request_bytes, response_bytes;
    unsigned request_parts, response_parts;
    ns_t start, timeout, cancel_after, gap; /* timeout, cancel_after: 0 for none */
    unsigned caller;                        /* which connection */
    const char *previous;                   /* grpc-previous-rpc-attempts of the caller's own, NULL: none */

    /* caller's side */
    bool submitted, cancelled, lost, closed;
    unsigned finals;
    int final;           /* grpc-status, -1: none came */
    uint32_t close_code; /* of the stream */
    ns_t submitted_at, final_at;
    size_t received;
    /* endpoint's side */
    unsigned seen, refused; /* handed to the application; refused before that */
    unsigned tried_before;  /* bits of what attempts said of themselves in grpc-previous-rpc-attempts */
    unsigned ok_by;         /* bits of behaviours that said OK */
    bool request_whole;
};

struct plan {
    uint64_t seed;
    enum standing place;
    bool faults[FAULTS];
    unsigned callers, endpoints;
    const char *balance;
    struct rules rules[2], guard; /* before and after a reload; of a second sidecar */
    ns_t span;                    /* in which the calls begin */
    struct sim_call *calls;       /* behind calls_n, PLAN_LAST that must end with OK when all faults are over */
    size_t calls_n;
};

/* Draws everything; at least three faults. */
void plan_init(struct plan *p, uint64_t seed, size_t calls);
void plan_fini(struct plan *p);

/* How often an application may be handed the call. */
unsigned plan_executions(const struct plan *p, const struct sim_call *c);

/* The longest and the shortest that its deadline may be; 0: none. */
ns_t plan_deadline(const struct plan *p, const struct sim_call *c);
ns_t plan_deadline_min(const struct plan *p, const struct sim_call *c);

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
