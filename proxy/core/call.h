/* The life of one call as a pure machine: (state, event with time) -> actions. It owns no bytes and knows no socket;
 * the driver (app/exchange) carries the actions out in order. Hedges will add states here, not elsewhere.
 *
 *           START                          picked                    HEADERS
 *   IDLE -----------> (pick) <----------------------------+------------------------+
 *                      |  |                               |                        |
 *           none has   |  | picked                        | again at once: unsent, |
 *           room       |  +----------------> TRYING ------+ refused, unprocessed   |
 *                      v      ROOM, picked   ^ |  |  |      (once)                 |
 *                   WAITING -----------------+ |  |  +--- HEADERS, final --------> STREAMING
 *                      |                       |  |                                ^  |
 *                      |         a status of   |  | HEADERS that an error          |  |
 *                      |  retry.on, time left  |  v may follow                     |  |
 *                      |     BACKING_OFF <-----+ HOLDING --------------------------+  |
 *                      |        |  ^              |  |     DATA, or 20 ms            |
 *                      |        |  +--------------+  |                               |
 *                      |        +--> (pick)          |                               |
 *                      v                             v                               v
 *                    ENDED <---- TRAILERS, RESET, CANCEL, deadline, drain ... from any state
 *
 * States in which it waits: WAITING for an endpoint with room; BACKING_OFF for the time of the next attempt; TRYING for
 * the response; HOLDING, with the response headers kept back, for the first message or the trailers; STREAMING for the
 * trailers. */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "core/balance.h"
#include "core/budget.h"
#include "core/limit.h"
#include "core/status.h"

enum call_state { CALL_IDLE, CALL_WAITING, CALL_BACKING_OFF, CALL_TRYING, CALL_HOLDING, CALL_STREAMING, CALL_ENDED };

enum {
    CALL_ATTEMPTS_MAX = 64, /* a call that never gets a byte to an endpoint still ends */
    CALL_RETRIES_MAX = 5    /* gRFC A6: attempts by policy, whatever max_attempts says */
};

/* Response headers of a method not known to be unary are held no longer than this. */
#define CALL_HOLD_NS (20 * NS_PER_MS)

/* What a step may consult. Borrowed for the step; all are the same ones for the whole life of a call. */
struct call_env {
    const struct method_policy *method;
    const struct limits_policy *limits;
    struct limit *limit;
    struct balance *balance;
    struct rng *rng;
    const struct budget_policy *budget_policy; /* NULL with a NULL budget: no throttle */
    struct budget *budget;
    const struct breaker_view *breaker; /* NULL: none */
};

/* Owned by: an exchange. */
struct call {
    enum call_state state;
    bool admitted;      /* holds a place of the limit */
    bool waited;        /* holds a place in the queue */
    bool request_ended; /* fact kept by the driver: the caller half-closed */
    bool uncommitted;   /* fact kept by the driver: the whole request so far can be replayed */
    bool one_message;   /* fact kept by the driver: the request so far is one whole message */
    bool refused_once;  /* the one transparent retry after the endpoint saw it was used */
    bool own_deadline;  /* the deadline is the caller's own, shorter than the policy's */
    bool wants_data;    /* the driver owes CALL_EV_DATA at the first response message of this attempt */
    bool judged;        /* the breaker has had the result of this attempt */
    uint8_t attempts;   /* started, at most CALL_ATTEMPTS_MAX */
    uint8_t previous;   /* attempts that failed and were retried by policy: grpc-previous-rpc-attempts when > 0 */
    uint8_t backoffs;   /* waits since the last pushback: how far the next one has grown */
    int candidate;      /* of the current attempt, or BALANCE_NONE */
    struct tried tried;
    struct breaker_ticket ticket;
    ns_t started, deadline, pending_until;
    ns_t moved;            /* fact kept by the driver: when bytes last moved; START and an attempt's start set it too */
    ns_t request_ended_at; /* fact kept by the driver, with request_ended */
    ns_t attempt_at;       /* when the current attempt started */
    ns_t answered_at;      /* its first response message, 0 before it */
    ns_t until;            /* BACKING_OFF: of the next attempt; HOLDING: when the headers go down all the same; WAITING:
                              when a breaker that keeps it from an endpoint wants a probe */
};

enum call_event_kind {
    CALL_EV_START,       /* request headers are in */
    CALL_EV_ROOM,        /* WAITING: an endpoint may have room now */
    CALL_EV_UNREACHABLE, /* WAITING: no endpoint can be connected to before a backoff ends */
    CALL_EV_HEADERS,     /* the attempt's response headers, more to come */
    CALL_EV_DATA,        /* the attempt's first response message begins; owed only while call->wants_data */
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

/* grpc-retry-pushback-ms of an answer. */
enum call_pushback { CALL_PUSHBACK_ABSENT, CALL_PUSHBACK_AFTER, CALL_PUSHBACK_STOP };

struct call_event {
    enum call_event_kind kind;
    enum call_broken broken; /* RESET */
    uint32_t code;           /* RESET: HTTP/2 code */
    uint32_t status;         /* TRAILERS: the answer's gRPC status, as mapped when it has none of its own */
    bool unprocessed;        /* TRAILERS: a verified sidecar says that it forwarded nothing; false for any other peer */
    enum call_pushback pushback; /* TRAILERS */
    ns_t pushback_ns;            /* TRAILERS: CALL_PUSHBACK_AFTER this long */
    ns_t now;
    ns_t timeout_ns; /* START: the caller's grpc-timeout, NS_NEVER when absent */
};

enum call_action_kind {
    CALL_START_ATTEMPT, /* on env->balance->candidates[candidate], with deadline left recomputed when written */
    CALL_WAIT,          /* join the queue of the service; see that something connects */
    CALL_LEAVE_QUEUE,
    CALL_HOLD_HEADERS,     /* keep a copy of the response headers, send nothing, keep what is there for replay */
    CALL_FORWARD_HEADERS,  /* those of the event or, when they were held, the copy; the call is committed */
    CALL_FORWARD_TRAILERS, /* the attempt's answer is final; what is still open of its stream is closed with NO_ERROR */
    CALL_RESET_ATTEMPT,    /* with code; on TRAILERS only what is still open of the stream. It counts as `status`, and
                              headers held of it are dropped */
    CALL_FAIL,             /* answer status and reason ourselves; as trailers when headers went down */
    CALL_DONE              /* no event may follow; always the last */
};

struct call_action {
    enum call_action_kind kind;
    uint32_t status; /* FAIL: to answer; RESET_ATTEMPT: what the attempt counts as */
    enum reason reason;
    uint32_t code;       /* RESET_ATTEMPT: to send; FAIL with UPSTREAM_RESET: what the endpoint sent */
    int candidate;       /* START_ATTEMPT */
    ns_t retry_after_ns; /* FAIL with BREAKER_OPEN: for RetryInfo; else 0 */
    ns_t timeout_ns;     /* FAIL with UPSTREAM_TIMEOUT: the timeout that ended, per_try_timeout or idle_timeout */
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
 * the limit from START to CALL_DONE; `room` of a candidate is the driver's. Tells the breaker, the balancer's latency
 * and the budget what came of an attempt. A call ends with exactly one of CALL_FORWARD_TRAILERS and CALL_FAIL, or,
 * after CALL_EV_CANCEL, with neither; CALL_DONE follows in the same step. */
void call_step(struct call *c, const struct call_env *env, const struct call_event *event,
               struct call_actions *actions);

/* The candidates of the balance were numbered anew: map[i] is the new number of candidate i, BALANCE_NONE when it is
 * gone. One with attempts in flight is never gone. The balance has the new numbers already. */
void call_renumber(struct call *c, const int *map);

/* When CALL_EV_TIMER is wanted, NS_NEVER for never. Cheap; ask after each step. */
ns_t call_next_wake(const struct call *c, const struct method_policy *method);

/* The value of grpc-retry-pushback-ms (gRFC A6): an int32 in ASCII. Negative ones and all other text stop. */
enum call_pushback call_parse_pushback(struct slice value, ns_t *ret_ns);

#endif
