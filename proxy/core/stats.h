/* Counters and histograms of calls, in the terms of gRFC A66 and A96. Each worker writes its own; any thread may read
 * them relaxed. Rendering is telemetry's. */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/refusal.h"
#include "core/bounds.h"
#include "core/policy.h"
#include "core/status.h"

#include <pthread.h>

/* One writer, many readers, no read-modify-write on the bus. */
typedef _Atomic uint64_t counter_t;

static inline void counter_add(counter_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* Bucket bounds, each the largest value of its bucket. A66: latency 0, 10 us .. 100 s; size 0, 1 KiB .. 4 GiB. A96:
 * counts of transparent retries 1 .. 5, 10; of others 1 .. 5. */
enum {
    STATS_LATENCY_BOUNDS = 41,
    STATS_SIZE_BOUNDS = 14,
    STATS_COUNT_BOUNDS = 6,
    STATS_BUCKETS_MAX = STATS_LATENCY_BOUNDS + 1
};

extern const ns_t stats_latency_bounds[STATS_LATENCY_BOUNDS];
extern const uint64_t stats_size_bounds[STATS_SIZE_BOUNDS];
extern const uint64_t stats_count_bounds[STATS_COUNT_BOUNDS];

/* Bucket i holds values above bound i - 1 up to bound i, which is included; the last bucket has no bound. */
struct histogram {
    counter_t sum; /* ns, bytes, or a count */
    counter_t buckets[STATS_BUCKETS_MAX];
};

struct status_stats {
    struct histogram duration, sent, received; /* sent: message bytes down the wire of this side (A66 meaning) */
};

/* Statistics of one method on one side. by_status entries appear at the first use. */
struct method_stats {
    counter_t started;
    struct status_stats *_Atomic by_status[STATUS_COUNT];
};

/* How the calls of a method were tried again (gRFC A96). A call that was not tried again leaves nothing. */
struct retry_stats {
    struct histogram retries, transparent, delay;
};

/* What one call remembers for them. All zero before the first attempt. Owned by: an exchange. */
struct retry_count {
    bool started;     /* there was an attempt */
    uint8_t previous; /* attempts retried by policy when the last one started */
    uint8_t retries;  /* attempts that the policy started */
    uint8_t transparent;
    ns_t ended_at; /* of the last attempt */
    ns_t delay;    /* time between attempts */
};

/* Add one value; below 0 counts as 0. */
void histogram_add_latency(struct histogram *h, ns_t value);
void histogram_add_size(struct histogram *h, uint64_t bytes);
void histogram_add_count(struct histogram *h, uint64_t count);

/* An attempt starts, after `previous` that were retried by policy, or ends. */
void retry_count_on_start(struct retry_count *c, uint8_t previous, ns_t now);
void retry_count_on_end(struct retry_count *c, ns_t now);

/* Adds an ended call. */
void retry_stats_add(struct retry_stats *s, const struct retry_count *c);

/* Adds one ended call or attempt. Allocates at the first use of a status from malloc; when memory is out, the sample is
 * dropped. status > 16 counts as UNKNOWN. */
void method_stats_end(struct method_stats *m, unsigned status, ns_t duration, uint64_t sent_bytes,
                      uint64_t received_bytes);

/* Frees what method_stats_end allocated. */
void method_stats_fini(struct method_stats *m);

/* A method as one worker knows it under one service. */
struct method_entry {
    struct slice path;                  /* "" for the shared `other` */
    const struct method_policy *policy; /* for the worker alone */
    struct method_entry
        *counted;              /* whose statistics its calls go to: its own or those of `other`; for the worker alone */
    uint32_t breaker;          /* index of breaker_set, 0 until asked; for the worker alone */
    struct method_stats calls; /* inbound: grpc_server_call; outbound: grpc_client_call */
    struct method_stats attempts; /* outbound: grpc_client_attempt */
    struct retry_stats again;     /* outbound: grpc_client_call_retries and the like */
};

enum { METHOD_TABLE_MAX = 256, METHOD_PATH_MAX = 256 };

/* Bounded table path -> entry: those that `methods` of the policy names one by one, plus METHOD_TABLE_MAX well-formed
 * paths of at most METHOD_PATH_MAX bytes; the rest share the entry `other`, but still get their own policy. Named ones
 * are counted by themselves from the first call, others once method_table_learn said so. Entries appear at their first
 * call and stay where they are. One thread finds, learns and sets; any thread may call method_table_each. Owned by: a
 * worker's upstream. */
struct method_table;

/* The unnamed methods of a service that are counted by themselves, the same for all workers. Owned by: a scope. */
struct method_names {
    pthread_mutex_t lock;
    uint32_t n;
    struct slice v[METHOD_TABLE_MAX]; /* owned bytes */
};

void method_names_init(struct method_names *names);
void method_names_fini(struct method_names *names);

/* Borrows the policy until the next method_table_set_policy. NULL when memory is out. */
struct method_table *method_table_new(const struct policy *policy);

/* NULL is ignored. */
void method_table_free(struct method_table *t);

/* Points all entries at the new policy's values (reload); statistics stay. */
void method_table_set_policy(struct method_table *t, const struct policy *policy);

/* The entry for statistics and, in *ret_policy, the merged policy. Never NULL. One hash and one compare when known. */
struct method_entry *method_table_find(struct method_table *t, struct slice path,
                                       const struct method_policy **ret_policy);

/* An application answered a call of this path with OK: from the next call on it is counted by itself, if it is
 * well-formed and one of the first `max` of `names`. False when it would be one more. */
bool method_table_learn(struct method_table *t, struct slice path, struct method_names *names, uint32_t max);

/* Calls `each` for every entry with traffic, `other` included (empty path). */
void method_table_each(struct method_table *t, void (*each)(void *ctx, const struct method_entry *e), void *ctx);

/* Local answers by reason, bounds by name: plain counters of one worker. */
struct worker_stats {
    counter_t answers[REASON_COUNT];
    counter_t connections_accepted, connections_closed, streams_opened, streams_closed;
    counter_t reads, writes, polls;
    counter_t bytes_received, bytes_sent;
    counter_t upstream_connects, upstream_connect_failures, upstream_disconnects, upstream_goaways;
    counter_t refused_callers[REFUSAL_COUNT], refused_endpoints[REFUSAL_COUNT];
    counter_t peers_ending, peers_distrusted;
    counter_t attempts_unsent, attempts_refused;
    counter_t allow_allowed, allow_not_allowed, allow_no_identity, allow_audit_not_allowed, allow_audit_no_identity;
    counter_t bounds[BOUND_SIDES][BOUND_COUNT]; /* times that each was met */
};

#endif
