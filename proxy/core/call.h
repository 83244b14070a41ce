/* The life of one call as a pure machine: (state, event with time) -> actions. It owns no bytes and knows no socket;
 * the driver (app/exchange) carries the actions out in order. Retries and hedges will add states here, not elsewhere.
 *
 *            START                    ROOM / picked              HEADERS
 *   IDLE ------------> (pick) ----------------------> TRYING -----------------> STREAMING
 *                        | none has room                |  ^                        |
 *                        v                              |  | again: unsent,         |
 *                     WAITING <-------------------------+--+ refused (once)         |
 *                        |  deadline, pending timeout,  |  (once)                   |
 *                        |  unreachable, cancel         | TRAILERS, RESET, CANCEL,  | TRAILERS, RESET, CANCEL,
 *                        v                              v deadline                  v deadline, idle
 *                      ENDED <--------------------------+---------------------------+
 *
 * States in which it waits: WAITING for an endpoint with room; TRYING for the response; STREAMING for the trailers. */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "core/balance.h"
#include "core/limit.h"
#include "core/status.h"

enum call_state { CALL_IDLE, CALL_WAITING, CALL_TRYING, CALL_STREAMING, CALL_ENDED };

/* A call that never gets a byte to an endpoint still ends. */
enum { CALL_ATTEMPTS_MAX = 64 };

/* What a step may consult. Borrowed for the step; balance and limit are the same ones for the whole life of a call. */
struct call_env {
    const struct method_policy *method;
    const struct limits_policy *limits;
    struct limit *limit;
    struct balance *balance;
    struct rng *rng;
};

/* Owned by: an exchange. */
struct call {
    enum call_state state;
    bool admitted;      /* holds a place of the limit */
    bool waited;        /* holds a place in the queue */
    bool request_ended; /* fact kept by the driver: the caller half-closed */
    bool uncommitted;   /* fact kept by the driver: the whole request so far can be replayed */
    bool refused_once;  /* the one transparent retry after the endpoint saw it was used */
    uint8_t attempts;   /* started, at most CALL_ATTEMPTS_MAX */
    int candidate;      /* of the current attempt, or BALANCE_NONE */
    struct tried tried;
    ns_t started, deadline, pending_until;
    ns_t moved; /* fact kept by the driver: when bytes last moved; START and an attempt's start set it too */
};

enum call_event_kind {
    CALL_EV_START,       /* request headers are in */
    CALL_EV_ROOM,        /* WAITING: an endpoint may have room now */
    CALL_EV_UNREACHABLE, /* WAITING: no endpoint can be connected to before a backoff ends */
    CALL_EV_HEADERS,     /* the attempt's response headers, more to come */
    CALL_EV_TRAILERS,    /* the attempt ended with an answer (trailers, or trailers-only) */
    CALL_EV_RESET,       /* the attempt broke: see how, code */
    CALL_EV_CANCEL,      /* the caller reset its stream, or its connection is gone */
    CALL_EV_TIMER,       /* call_next_wake has passed */
    CALL_EV_DRAIN        /* the drain deadline is reached */
};

enum call_broken {
    CALL_BROKEN_UNSENT,     /* no byte of it was offered to a socket */
    CALL_BROKEN_REFUSED,    /* REFUSED_STREAM, or a GOAWAY that excludes it: the application never saw it */
    CALL_BROKEN_RESET,      /* RST_STREAM with `code` */
    CALL_BROKEN_CONNECTION, /* the connection ended under it */
    CALL_BROKEN_PROTOCOL    /* the endpoint broke the protocol */
};

struct call_event {
    enum call_event_kind kind;
    enum call_broken broken; /* RESET */
    uint32_t code;           /* RESET: HTTP/2 code */
    uint32_t status;         /* TRAILERS: the answer's gRPC status, as mapped when it has none of its own */
    bool unprocessed;        /* TRAILERS: a verified sidecar says that it forwarded nothing; false for any other peer */
    ns_t now;
    ns_t timeout_ns; /* START: the caller's grpc-timeout, NS_NEVER when absent */
};

enum call_action_kind {
    CALL_START_ATTEMPT, /* on env->balance->candidates[candidate], with deadline left recomputed when written */
    CALL_WAIT,          /* join the queue of the service; see that something connects */
    CALL_LEAVE_QUEUE,
    CALL_FORWARD_HEADERS,
    CALL_FORWARD_TRAILERS, /* the attempt's answer is final; what is still open of its stream is closed with NO_ERROR */
    CALL_RESET_ATTEMPT,    /* with code; on TRAILERS only what is still open of the stream. It counts as `status` */
    CALL_FAIL,             /* answer status and reason ourselves; as trailers when headers went down */
    CALL_DONE              /* no event may follow; always the last */
};

struct call_action {
    enum call_action_kind kind;
    uint32_t status; /* FAIL: to answer; RESET_ATTEMPT: what the attempt counts as */
    enum reason reason;
    uint32_t code; /* RESET_ATTEMPT: to send; FAIL with UPSTREAM_RESET: what the endpoint sent */
    int candidate; /* START_ATTEMPT */
};

enum { CALL_ACTIONS_MAX = 4 };

struct call_actions {
    struct call_action v[CALL_ACTIONS_MAX];
    uint8_t n;
};

/* A call before CALL_EV_START. */
void call_init(struct call *c);

/* Takes one event. `actions` is overwritten. An event that the state does not expect (a late one) gives no action.
 * Counts the attempt in candidate->inflight and endpoint->inflight from CALL_START_ATTEMPT to its end, and the call in
 * the limit from START to CALL_DONE; `room` of a candidate is the driver's. A call ends with exactly one of
 * CALL_FORWARD_TRAILERS and CALL_FAIL, or, after CALL_EV_CANCEL, with neither; CALL_DONE follows in the same step. */
void call_step(struct call *c, const struct call_env *env, const struct call_event *event,
               struct call_actions *actions);

/* The candidates of the balance were numbered anew: map[i] is the new number of candidate i, BALANCE_NONE when it is
 * gone. One with attempts in flight is never gone. The balance has the new numbers already. */
void call_renumber(struct call *c, const int *map);

/* When CALL_EV_TIMER is wanted, NS_NEVER for never. Cheap; ask after each step. */
ns_t call_next_wake(const struct call *c, const struct method_policy *method);

#endif
