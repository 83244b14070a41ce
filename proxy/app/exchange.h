/* One call on its way through the proxy: the caller's stream, the attempt's stream, and the pure call machine between
 * them. This file carries decisions out; it makes none. */
#ifndef APP_EXCHANGE_H
#define APP_EXCHANGE_H

#include "app/worker.h"
#include "core/call.h"
#include "h2/framing.h"
#include "h2/grpc.h"
#include "h2/replay.h"

struct downstream;
struct upstream;
struct upconn;

enum {
    EXCHANGE_ARENA = 640,               /* first block: an ordinary request needs no other */
    EXCHANGE_REPLAY_MAX = 65536,        /* request bytes kept until the endpoint has begun to answer */
    EXCHANGE_REPLAY_PROCESS = 16 << 20, /* buffered in the process before calls are committed early */
    EXCHANGE_PATH_AT = 2,               /* of :path in `request` */
    EXCHANGE_NOTES_MAX = 5
};

/* Owned by: the worker's slab. Borrows: downstream and upstream objects (cleared when their streams close), its view.
 */
struct exchange {
    struct stream down, up;
    struct call call;
    struct timer timer;
    struct worker *worker;
    struct downstream *downstream;
    struct upstream *upstream; /* NULL before the route is known */
    struct upconn *upconn;     /* of the current attempt */
    struct view *view;
    struct method_entry *entry; /* that it is counted in, from its start to its end */
    const struct method_policy *method;
    const struct policy *policy;    /* in force when the call began; its view keeps it */
    struct breaker_view breaker;    /* policy NULL: none */
    struct list live, dead;         /* worker->live, worker->dead */
    struct list queue;              /* upstream->waiting; worker->deferred before that, upconn->held after the end */
    struct list place;              /* downstream->held while its place there is not free */
    struct header *request;         /* what is sent upstream, in the arena */
    uint16_t request_n, timeout_at; /* timeout_at: slot of grpc-timeout, written anew for each attempt */
    bool over;                      /* on the dead list */
    bool forwarded;                 /* some endpoint may have seen it */
    bool own_deadline;              /* it is the caller's own, not the policy's */
    bool has_deadline;              /* grpc-timeout is sent upstream */
    bool oversize;                  /* the attempt's metadata was over our bounds */
    bool block_only;                /* `block` is trailers-only */
    uint16_t foreign;               /* HTTP status of an answer that is not gRPC, 0: none */
    const struct headers *block;    /* the response block being handled, during a step only */
    const struct header *held;      /* response headers that wait for the first message, in the arena; NULL: none */
    uint32_t held_n;
    int64_t retry_after_ms;  /* of a local answer, < 0: none */
    const char *http_status; /* of a local answer, NULL: 200 */
    bool head_only;          /* HEAD: a 405 without its body */
    const char *late_text;   /* body of a 405 or 415 that waits for the end of the request */
    uint32_t final_status;
    struct replay replay;       /* request data on its way upstream */
    uint64_t up_sent, credited; /* request bytes this attempt put into the output; bytes whose window was given back */
    struct framing framing;     /* of what went to the caller: whether a message is cut */
    uint64_t received, sent;    /* message bytes from and to the caller */
    int64_t lent;               /* of downstream->lent, by which the attempt's window has grown */
    bool lacks;                 /* there was nothing to lend */
    ns_t attempt_started;
    ns_t timeout; /* the caller's, of a call that is deferred */
    uint64_t attempt_received;
    struct retry_count again;
    struct grpc_attempt_note notes[EXCHANGE_NOTES_MAX];
    uint8_t notes_n;
    char timeout_text[12];
    char previous_text[12]; /* grpc-previous-rpc-attempts, once we have sent it */
    unsigned callers_previous;
    struct arena arena;
    char first[EXCHANGE_ARENA];
};

/* A new exchange for a stream of this downstream, or NULL when memory is out. */
struct exchange *exchange_new(struct downstream *d);

/* Frees it; only the worker's sweep calls this. */
void exchange_free(struct exchange *x);

/* The end of the turn in which a suspect connection asked: the call begins. */
void exchange_start_deferred(struct exchange *x);

/* Its cancelled attempt has left us: the place of its stream is free. */
void exchange_release(struct exchange *x);

/* Events of the caller's stream. */
void exchange_on_request(struct exchange *x, const struct headers *h, bool end, bool oversize);
void exchange_on_request_data(struct exchange *x, const uint8_t *p, size_t n, bool end);
void exchange_on_request_trailers(struct exchange *x);
void exchange_on_caller_reset(struct exchange *x);
void exchange_on_caller_sent(struct exchange *x, size_t n);

/* Events of the attempt's stream. */
void exchange_on_response(struct exchange *x, const struct headers *h, bool end, bool oversize);
void exchange_on_response_data(struct exchange *x, const uint8_t *p, size_t n, bool end);
void exchange_on_response_trailers(struct exchange *x, const struct headers *h, bool oversize);
void exchange_on_attempt_reset(struct exchange *x, uint32_t code, enum call_broken broken);
void exchange_on_attempt_sent(struct exchange *x, size_t n);

/* A stream closed in order after a delay. */
void exchange_on_done(struct exchange *x);

/* Events of the pool: an endpoint may have room; none can be reached (`why` for the message). */
void exchange_on_room(struct exchange *x);
void exchange_on_unreachable(struct exchange *x);

/* Bytes of the request that no endpoint takes now; 0 when its caller's stream is over. */
uint64_t exchange_stuck(const struct exchange *x);

/* The drain deadline. */
void exchange_on_drain(struct exchange *x);

/* Shared by the files of the exchange. */

/* One event through the call machine, and its actions. */
void exchange_step(struct exchange *x, struct call_event event);

/* Answers the caller with a status of our own. */
void exchange_answer(struct exchange *x, enum status status, enum reason reason, const char *message);

/* Answers that are not gRPC: 405 and 415 with a short text, when the request has ended or EXCHANGE_LATE_NS have passed:
 * what else is wrong with the request is told first. */
#define EXCHANGE_LATE_NS (100 * NS_PER_MS)
void exchange_answer_http(struct exchange *x, const char *status, const char *text);
void exchange_answer_late(struct exchange *x);

/* Answers a request that never became a call: nothing upstream, no machine. */
void exchange_refuse(struct exchange *x, enum status status, enum reason reason, const char *message, const char *http);

/* Keeps what is to be sent upstream: pseudo fields first, a slot for grpc-timeout, then what passes. ERR_NOMEM only. */
MUST_CHECK enum err exchange_keep_request(struct exchange *x, const struct headers *h, const char *scheme);

/* A copy of a field whose bytes outlive its block; false when memory is out. Names that are known are constants. */
bool exchange_keep_field(struct exchange *x, const struct header *f, struct header *to);

/* Sends HEADERS and what is kept of the data on a fresh stream of `c`. ERR_NOMEM only. */
MUST_CHECK enum err exchange_send_request(struct exchange *x, struct upconn *c);

/* Commits the call when no more of its request can be kept; an attempt is under way or begins. */
void exchange_commit_if_full(struct exchange *x);

/* Gives the attempt's stream what it can take of the kept request data, and the end. ERR_NOMEM only. */
MUST_CHECK enum err exchange_feed(struct exchange *x);

/* n bytes of the answer went into the caller's output: the endpoint may send as many again, and more once it is seen
 * that the caller takes them. */
void exchange_give_back(struct exchange *x, size_t n);

/* Forwarding of the attempt's answer. */
void exchange_forward_headers(struct exchange *x);

/* Keeps a copy of the response block for exchange_forward_headers. ERR_NOMEM only. */
MUST_CHECK enum err exchange_hold_headers(struct exchange *x);
void exchange_forward_trailers(struct exchange *x, const struct headers *h, bool trailers_only);

/* Frees the exchange at the end of the turn when nothing of it is open any more. */
void exchange_check_over(struct exchange *x);

#endif
