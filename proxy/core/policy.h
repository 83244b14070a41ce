/* The immutable policy snapshot: what the YAML said, validated, merged and placed. conf/ makes it; everybody reads it;
 * nobody changes it. Pure data, freed as a whole when its last reference goes. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "base/address_pattern.h"
#include "base/arena.h"
#include "base/clock.h"
#include "core/bounds.h"
#include "core/member.h"

#include <stdatomic.h>

struct allow;

/* Where a value was written; line 0: nowhere, the default holds. */
struct place {
    const char *file;
    uint32_t line, column;
};

enum tls_mode { TLS_MODE_OFF, TLS_MODE_SERVER, TLS_MODE_MUTUAL };

#define BALANCE_LIST(X)                                                                                                \
    X(PICK_FIRST, "pick_first")                                                                                        \
    X(ROUND_ROBIN, "round_robin") X(RANDOM, "random") X(LEAST_REQUEST, "least_request") X(PEAK_EWMA, "peak_ewma")

enum balance_kind {
#define X(name, text) BALANCE_##name,
    BALANCE_LIST(X)
#undef X
};

/* How endpoints are chosen; 0 takes the default everywhere. */
struct balance_options {
    ns_t slow_start_ns;     /* the share of a newly connected endpoint grows over this long; default: all at once */
    ns_t ewma_initial_ns;   /* peak_ewma: guessed while the first call is in flight; default 30 ms */
    ns_t ewma_decay_ns;     /* peak_ewma: a peak is forgotten over this long; default 10 s */
    ns_t failure_counts_ns; /* peak_ewma: a failure counts as a call that takes this long; default 1 s */
    struct place slow_start_place, decay_place, initial_place, failure_counts_place;
};

/* Bit `status` of a set of statuses. */
#define STATUS_BIT(status) (1u << (status))

/* gRFC A6. */
struct retry_policy {
    uint8_t max_attempts; /* the original included, 2 to 5 */
    bool hold_headers;    /* response headers wait while an error in the trailers could still be tried again */
    uint32_t on;          /* STATUS_BIT of each status that is tried again */
    ns_t backoff_initial_ns, backoff_max_ns;
    double backoff_multiplier;
    ns_t per_try_timeout_ns; /* until the first response message of an attempt; 0: none */
    uint32_t buffer_bytes;   /* of request kept for replay; default 256 KiB */
    struct place place, max_attempts_place, on_place, backoff_place, per_try_timeout_place, buffer_place,
        hold_headers_place;
};

/* A6 throttle, in thousandths of a token. */
struct budget_policy {
    bool present; /* false: retries need no token */
    uint32_t max_milli, ratio_milli;
    struct place place, max_place, ratio_place;
};

enum breaker_scope { BREAKER_SCOPE_ENDPOINT_METHOD, BREAKER_SCOPE_ENDPOINT, BREAKER_SCOPE_SERVICE };

/* A share of the calls of the last window_ns, when there were at least min_requests. threshold 0: off. */
struct breaker_rate {
    double threshold;
    ns_t window_ns;
    uint32_t min_requests;
};

struct breaker_policy {
    enum breaker_scope scope;
    uint32_t consecutive_failures; /* 0: off */
    struct breaker_rate failure_rate, slow_calls;
    ns_t slow_ns;      /* a call is slow when it takes longer */
    uint32_t failures; /* STATUS_BIT of each status that is a failure */
    ns_t open_base_ns, open_max_ns;
    double open_multiplier, open_jitter; /* jitter: the wait is uniform in [1 - jitter, 1 + jitter) of itself */
    uint32_t probes;                     /* in flight while half open, and successes in a row that close */
    ns_t ramp_ns;                        /* 0: all traffic at once */
    double max_open;                     /* share of the endpoints, while another one is healthy */
    bool try_when_all_open;              /* else BREAKER_OPEN */
    struct place place, scope_place, consecutive_place, failure_rate_place, slow_calls_place, failures_place,
        open_place, probes_place, ramp_place, max_open_place, when_all_open_place;
};

struct limits_policy {
    uint32_t max_requests;                 /* in flight, default 1024 */
    uint32_t max_pending;                  /* waiting for an endpoint, default 1024 */
    ns_t pending_timeout_ns;               /* default 1 s */
    uint32_t max_connections_per_endpoint; /* default 4, for the process */
    struct place max_requests_place, max_pending_place, pending_timeout_place, max_connections_place;
};

/* What descriptors tell of a method. */
enum method_kind { METHOD_KIND_UNKNOWN, METHOD_UNARY, METHOD_STREAMS };

/* What holds for one method after merging. */
struct method_policy {
    ns_t timeout_ns;      /* 0: none, the caller's alone */
    ns_t idle_timeout_ns; /* 0: off; default 5 min; for calls whose request is open or whose response has begun */
    const struct retry_policy *retry; /* NULL: only what never reached the application is sent again */
    enum method_kind kind;
    bool idempotent;            /* known to be: a retry written for more than this method reaches it */
    const char *idempotent_why; /* the idempotency_level of the descriptors; NULL: listed, or not known to be */
    /* What is written, but for more methods than this one, which it does not touch: a retry, as it is not known to be
     * idempotent; a timeout, as it streams. The places are those of what is written. */
    bool retry_withheld, timeout_withheld;
    struct place timeout_place, idle_timeout_place, retry_place, kind_place, idempotent_place;
};

/* One entry of `methods`, effective values already merged over the wider ones. */
struct policy_method {
    struct slice service; /* "payment.v1.Payment" */
    struct slice method;  /* "Charge"; empty: every method of the service */
    struct method_policy effective;
    struct place place;
};

struct policy {
    const char *name; /* "" for the built-in one of a service without `policy` */
    struct place place;
    struct method_policy base;
    struct limits_policy limits;
    struct budget_policy budget;
    const struct breaker_policy *breaker; /* NULL: off */
    /* What the file or the descriptors name, in order of the bytes of the service, then of the method; the entry of a
     * whole service is the last of it. No two of one name. */
    struct policy_method *methods;
    size_t methods_n;
};

/* Where the endpoints of a service come from. */
enum endpoint_source {
    ENDPOINTS_STATIC,     /* what is written; host names (of `forward`) are resolved when it is read */
    ENDPOINTS_DNS,        /* the name endpoints[0] is looked up for as long as it is in force */
    ENDPOINTS_SRV,        /* the same, with SRV records and what they lead to */
    ENDPOINTS_FILE,       /* a watched file; `members` is what it said when the configuration was read */
    ENDPOINTS_KUBERNETES, /* the EndpointSlices of a Service, watched */
    ENDPOINTS_ORIGINAL    /* no set: each captured connection brings the one that it was going to */
};

/* Which Service, and how the API server is reached; paths and address as written, or NULL for what a pod is given. */
struct kubernetes_conf {
    const char *service, *name_space, *port; /* name_space NULL: that of the pod */
    const char *api, *token, *ca;
};

struct service_conf {
    const char *name; /* inbound forwards: "inbound/<listen>" */
    uint32_t index;   /* position in snapshot.services */
    struct place place;
    bool inbound; /* the implicit service behind an inbound listener */
    enum endpoint_source source;
    const char *source_key;  /* what is asked, and how: alike means that answers hold on; NULL for static */
    const char *source_text; /* the same for people */
    const char *file;        /* ENDPOINTS_FILE: its path */
    struct kubernetes_conf kubernetes;
    struct address *endpoints; /* what stands for the endpoints of a source until they are known is a NAME */
    size_t endpoints_n;
    struct member *members; /* ENDPOINTS_FILE */
    size_t members_n;
    struct place endpoints_place;
    enum tls_mode tls;
    struct place tls_place;
    const char *peer_identity; /* exact SPIFFE id the endpoint must prove, or NULL */
    const char *peer_dns;      /* or the DNS name it must prove, or NULL */
    struct place peer_place;
    enum { AUTHORITY_KEEP, AUTHORITY_SERVICE, AUTHORITY_NAME } authority;
    const char *authority_name; /* AUTHORITY_NAME: the name; AUTHORITY_SERVICE: the name checked */
    struct place authority_place;
    const struct identity_conf *identity; /* its own, or that of the snapshot */
    enum balance_kind balance;
    struct balance_options balance_options;
    struct place balance_place;
    const struct policy *policy; /* never NULL */
    struct place policy_place;
};

/* Whether something tells the endpoints while the process runs. */
static inline bool service_has_source(const struct service_conf *c)
{
    return c->source != ENDPOINTS_STATIC && c->source != ENDPOINTS_ORIGINAL;
}

/* "payment*" or exact; compared without case and port. */
struct authority_pattern {
    struct slice text; /* lower case, without the star and the port */
    bool prefix;
};

struct method_pattern {
    struct slice service; /* empty with any: everything ("*") */
    struct slice method;  /* empty: every method of the service */
    bool any;
};

struct metadata_match {
    struct slice name; /* lower case */
    struct slice value;
};

struct route_target {
    const struct service_conf *service;
    uint32_t weight; /* > 0 */
};

struct route {
    struct place place;
    struct authority_pattern *authorities; /* one is enough; none: all */
    size_t authorities_n;
    struct method_pattern *methods;
    size_t methods_n;
    struct metadata_match *metadata; /* all are needed */
    size_t metadata_n;
    struct address_pattern *addresses; /* one is enough; none: all, also those that are not known */
    size_t addresses_n;
    struct route_target *targets; /* one, or a split */
    size_t targets_n;
    uint64_t weight_sum;
};

struct listener_conf {
    struct place place;
    const char *text; /* as written, "0.0.0.0:8443" */
    struct address address;
    bool inbound;
    bool is_public;
    bool capture; /* connections may have been redirected here: what they were going to counts */
    struct place capture_place;
    enum tls_mode tls; /* outbound: OFF */
    struct place tls_place;
    const struct identity_conf *identity; /* its own, or that of the snapshot */
    const struct allow *allow;            /* core/allow.h; NULL: whoever tls lets in may call everything */
    bool tells_client_cert;               /* the service reads x-forwarded-client-cert, made by us */
    struct place client_cert_place;
    struct route *routes; /* inbound: one route without conditions to the implicit service */
    size_t routes_n;
};

struct identity_conf {
    bool present;
    struct place place;
    const char *certificate, *private_key; /* paths, resolved against the file that names them; NULL when absent */
    const char *trust;                     /* path; NULL with trust_system */
    bool trust_system;
    const char *revoked;       /* path or NULL */
    const char *spiffe_socket; /* path of the socket of a SPIFFE Workload API that gives all of the above; NULL: none */
    struct place certificate_place, private_key_place, trust_place, revoked_place, spiffe_socket_place;
};

struct admin_conf {
    bool present, is_public;
    struct address address;
    const char *text;
    struct place place;
};

/* How long a process that is told to end goes on. Both count from the signal; window <= deadline. */
struct drain_conf {
    ns_t window;   /* new calls are still taken; 0: not at all */
    ns_t deadline; /* then calls that have not ended are answered */
};

struct node_conf {
    const char *service, *name_space, *zone; /* "" when absent */
};

struct snapshot {
    struct arena arena; /* owns everything below, this struct included */
    atomic_uint refs;
    uint64_t generation; /* 1 for the first, given by whoever publishes it */
    const char *file;
    uint32_t workers;
    struct node_conf node;
    struct admin_conf admin;
    struct identity_conf identity;
    struct drain_conf drain;
    struct bounds bounds;
    struct listener_conf *listeners; /* inbound first, in file order */
    size_t listeners_n;
    struct service_conf **services; /* named ones first, then the implicit inbound ones */
    size_t services_n;
    struct policy **policies; /* the built-in default is the last */
    size_t policies_n;
    const char **files; /* what was read to make it, besides `file`; each once. Not those of the identity */
    size_t files_n;
    const char *policy_dir; /* NULL: none */
};

/* One more reference; returns s. Any thread. */
struct snapshot *snapshot_ref(struct snapshot *s);

/* Gives a reference back. Frees at the last reference; NULL is ignored. */
void snapshot_unref(struct snapshot *s);

/* The merged policy of a method; `path` is "/pkg.Service/Method". Never NULL: what `methods` does not name gets `base`.
 */
const struct method_policy *policy_find(const struct policy *p, struct slice path);

/* The entry of `methods` that names this path, the exact one before the one of its whole service; NULL when none does.
 */
const struct policy_method *policy_find_entry(const struct policy *p, struct slice path);

/* The order of policy.methods: < 0 when this name stands before m, 0 when it is m's. An empty method: the whole
 * service.
 */
int policy_compare(struct slice service, struct slice method, const struct policy_method *m);

/* "/pkg.Service/Method" -> its two halves, cut at the last slash as gRPC servers do; false when one would be empty or
 * the first byte is no slash. */
bool policy_split_path(struct slice path, struct slice *ret_service, struct slice *ret_method);

#endif
