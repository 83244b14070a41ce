/* The grammar of the configuration as tables: every key, its type, its bounds, and whether this version does it.
 * The defaults in the descriptions are the loader's. */
#include "conf/form.h"
#include "conf/rule.h"
#include "conf/schema.h"
#include "conf/value.h"
#include "core/bounds.h"
#include "core/status.h"

#define NO_MAX UINT32_MAX
#define MS     ((uint64_t)NS_PER_MS)
#define HOUR   ((uint64_t)(3600 * NS_PER_S))
#define FULL   1000000u /* 100 % */
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, 0, NULL                                                                                            \
    }

enum { REQUIRED = SCHEMA_REQUIRED, LATER = SCHEMA_UNSUPPORTED, OFF = SCHEMA_OFF, FILLED = SCHEMA_FILLED };

const char *const grammar_reserved[] = {"log",    "traces", "tap",     "keepalive",      "fault",
                                        "health", "mirror", "headers", "wait_for_ready", NULL};

static const struct schema boolean = {.type = SCHEMA_BOOL};
static const struct schema text = {.type = SCHEMA_TEXT, .format = form_text};
static const struct schema path = {.type = SCHEMA_TEXT, .format = form_path};
static const struct schema name = {.type = SCHEMA_TEXT, .format = form_name};
static const struct schema dns_name = {.type = SCHEMA_TEXT, .format = form_dns};
static const struct schema identity_uri = {.type = SCHEMA_TEXT, .format = form_identity};
static const struct schema method = {.type = SCHEMA_TEXT, .format = form_method};
static const struct schema methods = {.type = SCHEMA_TEXT_LIST, .item = &method, .flags = FILLED};
static const struct schema status = {.type = SCHEMA_STATUS, .min = STATUS_CANCELLED, .max = STATUS_UNAUTHENTICATED};
static const struct schema statuses = {.type = SCHEMA_TEXT_LIST, .item = &status, .flags = FILLED};
static const struct schema share = {.type = SCHEMA_SHARE, .max = FULL};
static const struct schema share_over_zero = {.type = SCHEMA_SHARE, .min = 1, .max = FULL};
static const struct schema duration = {.type = SCHEMA_DURATION, .min = MS, .max = VALUE_DURATION_MAX};
static const struct schema duration_or_off = {
    .type = SCHEMA_DURATION, .min = MS, .max = VALUE_DURATION_MAX, .flags = OFF};
static const struct schema count = {.type = SCHEMA_INT, .min = 1, .max = NO_MAX};
static const struct schema factor = {.type = SCHEMA_NUMBER, .min = 1000, .max = 100000};
static const struct schema listen_address = {.type = SCHEMA_TEXT, .format = form_listen};

/* The process: node, admin, identity. */

static const struct schema_key node_keys[] = {
    {"service", &text, 0, "Name of the service that this sidecar stands next to; a label in telemetry."},
    {"namespace", &text, 0, "Namespace of the service; a label in telemetry."},
    {"zone", &text, 0, "Zone of the node; a label in telemetry, and what zone-aware balancing compares."},
    END};
static const struct schema node = {.type = SCHEMA_MAP, .keys = node_keys};

static const struct schema_key admin_keys[] = {
    {"listen", &listen_address, REQUIRED, "Loopback IP:port or unix:PATH; another address needs public: true."},
    {"public", &boolean, 0, "Allows an address that strangers can reach."},
    END};
static const struct schema admin = {.type = SCHEMA_MAP, .keys = admin_keys};

static const struct schema window = {.type = SCHEMA_DURATION, .max = HOUR, .flags = OFF};
static const struct schema drain_deadline = {.type = SCHEMA_DURATION, .min = MS, .max = HOUR};
static const struct schema_key drain_keys[] = {
    {"window", &window, 0, "After SIGTERM new calls are still taken for so long, while /ready says no; 5s."},
    {"deadline", &drain_deadline, 0, "So long after SIGTERM calls that have not ended are answered UNAVAILABLE; 30s."},
    END};
static const struct schema drain = {.type = SCHEMA_MAP, .keys = drain_keys, .rule = rule_drain};

static const struct schema spiffe_socket = {.type = SCHEMA_TEXT, .format = form_spiffe_socket};
static const struct schema_key identity_keys[] = {
    {"certificate", &path, 0, "PEM file of our certificate chain."},
    {"private_key", &path, 0, "PEM file of our private key."},
    {"trust", &path, 0, "PEM file of the authorities whose peers are believed, or system."},
    {"revoked", &path, 0, "PEM file of revocation lists."},
    {"spiffe_socket", &spiffe_socket, 0,
     "Socket of a SPIFFE Workload API, such as SPIRE's agent: key pair, bundles and lists come from there and rotate."},
    END};
static const struct schema identity = {.type = SCHEMA_MAP, .keys = identity_keys, .rule = rule_identity};

/* Listeners: inbound, outbound and its routes. */

static const struct schema_word tls_words[] = {{"mutual", 0}, {"server", 0}, {"off", 0}, {NULL, 0}};
static const struct schema tls = {.type = SCHEMA_WORD, .words = tls_words};

static const struct schema allowed_identity = {.type = SCHEMA_TEXT, .format = form_identity_pattern};
static const struct schema allowed_identities = {.type = SCHEMA_TEXT_LIST, .item = &allowed_identity, .flags = FILLED};
static const struct schema network = {.type = SCHEMA_TEXT, .format = form_network};
static const struct schema networks = {.type = SCHEMA_TEXT_LIST, .item = &network, .flags = FILLED};
static const struct schema_key allow_rule_keys[] = {
    {"identity", &allowed_identities, 0,
     "Who: the URI of the peer's certificate; in a SPIFFE id * stands for one whole segment of the path. Absent: "
     "whoever it is."},
    {"methods", &methods, 0, "What: pkg.Service/Method, pkg.Service/* or *; absent: everything."},
    {"source", &networks, 0, "From where: networks such as 10.0.0.0/8, or IP addresses; absent: from everywhere."},
    END};
static const struct schema allow_rule = {.type = SCHEMA_MAP, .keys = allow_rule_keys, .rule = rule_allow};
static const struct schema allow_rules = {.type = SCHEMA_LIST, .item = &allow_rule};
static const struct schema_word allow_mode_words[] = {{"enforce", 0}, {"audit", 0}, {NULL, 0}};
static const struct schema allow_mode = {.type = SCHEMA_WORD, .words = allow_mode_words};
static const struct schema_key allow_keys[] = {
    {"mode", &allow_mode, 0, "enforce (default), or audit: what would be denied passes, and is counted and logged."},
    {"rules", &allow_rules, REQUIRED, "One that holds lets a call pass; all conditions of a rule are needed."},
    END};
static const struct schema allow = {.type = SCHEMA_LIST, .item = &allow_rule, .keys = allow_keys};
static const struct schema_word client_cert_words[] = {{"set", 0}, {"strip", 0}, {NULL, 0}};
static const struct schema client_cert = {.type = SCHEMA_WORD, .words = client_cert_words};

static const struct schema forward = {.type = SCHEMA_TEXT, .format = form_forward_or_original};
static const struct schema_key inbound_keys[] = {
    {"listen", &listen_address, REQUIRED, "IP:port, [v6]:port or unix:PATH."},
    {"public", &boolean, 0, "Says that a clear-text listener which strangers can reach is meant."},
    {"tls", &tls, 0, "mutual (default): peers prove who they are; server: only we do; off: clear text."},
    {"identity", &identity, 0, "An identity for this listener alone, in the place of the one of the file."},
    {"capture", &boolean, 0, "Connections are redirected here by outrigger capture: where they were going to counts."},
    {"forward", &forward, REQUIRED,
     "The guarded service, plain HTTP/2: host:port, [v6]:port or unix:PATH; original with capture: true: the port that "
     "was meant, on loopback."},
    {"policy", &name, 0, "Name of the policy for calls to the guarded service."},
    {"allow", &allow, 0,
     "Who may call what: a list of rules, or { mode, rules }; absent: every verified peer. Present: what is not listed "
     "is denied."},
    {"forward_client_cert", &client_cert, 0,
     "set (default with tls: mutual): the service reads the caller's certificate in x-forwarded-client-cert; strip: it "
     "does not. What callers send under that name never passes."},
    END};
static const struct schema inbound_entry = {.type = SCHEMA_MAP, .keys = inbound_keys, .rule = rule_inbound};
static const struct schema inbound = {.type = SCHEMA_LIST, .item = &inbound_entry};

static const struct schema authority_pattern = {.type = SCHEMA_TEXT, .format = form_authority_pattern};
static const struct schema authority_patterns = {.type = SCHEMA_TEXT_LIST, .item = &authority_pattern, .flags = FILLED};
static const struct schema address_pattern = {.type = SCHEMA_TEXT, .format = form_address_pattern};
static const struct schema address_patterns = {.type = SCHEMA_TEXT_LIST, .item = &address_pattern, .flags = FILLED};
static const struct schema metadata = {
    .type = SCHEMA_NAMED, .item = &text, .format = form_metadata_name, .flags = FILLED};
static const struct schema weight = {.type = SCHEMA_INT, .min = 1, .max = 1000000};
static const struct schema split = {.type = SCHEMA_NAMED, .item = &weight, .format = form_name, .flags = FILLED};
static const struct schema_key route_keys[] = {
    {"authority", &authority_patterns, 0,
     "Authority of the call, without case and port; * only as the last character."},
    {"methods", &methods, 0, "pkg.Service/Method, pkg.Service/* or *; one is enough."},
    {"metadata", &metadata, 0, "Metadata that the call must carry, all of it, with these values."},
    {"address", &address_patterns, 0,
     "With capture: true, where the connection was going to: 10.0.0.0/8, 10.0.0.7:50051, [fd00::/8]:50051 or *:50051."},
    {"service", &name, 0, "Where calls of this route go."},
    {"split", &split, 0, "Where calls of this route go, by weight: whole numbers over 0, any sum."},
    END};
static const struct schema route = {.type = SCHEMA_MAP, .keys = route_keys, .rule = rule_route};
static const struct schema routes = {.type = SCHEMA_LIST, .item = &route, .flags = FILLED};
static const struct schema_key outbound_keys[] = {
    {"listen", &listen_address, REQUIRED, "Loopback IP:port or unix:PATH; another address needs public: true."},
    {"public", &boolean, 0, "Allows an address that strangers can reach: whoever does speaks with our identity."},
    {"capture", &boolean, 0, "Connections are redirected here by outrigger capture: where they were going to counts."},
    {"routes", &routes, 0,
     "First match wins; a route without a condition takes the rest. With capture: true calls that none takes go on to "
     "where they were going, in clear text; otherwise required."},
    END};
static const struct schema outbound_entry = {.type = SCHEMA_MAP, .keys = outbound_keys, .rule = rule_outbound};
static const struct schema outbound = {.type = SCHEMA_LIST, .item = &outbound_entry};

/* Services: endpoints, peer, balance. */

static const struct schema endpoint = {.type = SCHEMA_TEXT, .format = form_endpoint};
static const struct schema endpoint_list = {.type = SCHEMA_LIST, .item = &endpoint, .flags = FILLED};
static const struct schema host_port = {.type = SCHEMA_TEXT, .format = form_host_port};
static const struct schema srv_name = {.type = SCHEMA_TEXT, .format = form_srv};
static const struct schema port = {.type = SCHEMA_TEXT, .format = form_port};
static const struct schema api_url = {.type = SCHEMA_TEXT, .format = form_api};
static const struct schema_key kubernetes_keys[] = {
    {"service", &name, REQUIRED, "Name of the Kubernetes Service."},
    {"namespace", &name, 0, "Its namespace; absent: our own."},
    {"port", &port, REQUIRED, "Name or number of its port, as its EndpointSlices have it."},
    {"api", &api_url, 0, "The API server, https://HOST:PORT; absent: as a pod is told."},
    {"token", &path, 0, "File of the bearer token, read for every request; absent: that of the pod."},
    {"ca", &path, 0, "PEM file of the authorities that sign for the API server; absent: that of the pod."},
    END};
static const struct schema kubernetes = {.type = SCHEMA_MAP, .keys = kubernetes_keys};
static const struct schema_key endpoints_keys[] = {
    {"static", &endpoint_list, 0, "Fixed addresses: IP:port, [v6]:port or unix:PATH."},
    {"dns", &host_port, 0,
     "A and AAAA records of host:port, kept for their TTL; a dot at the end of host: no search domains."},
    {"srv", &srv_name, 0, "SRV records; priority and weight are kept."},
    {"file", &path, 0, "A watched file of endpoints: a list under the key endpoints."},
    {"kubernetes", &kubernetes, 0, "The EndpointSlices of a Kubernetes Service, watched."},
    {"original", &boolean, 0, "true: where the captured connection of the call was going to, and nowhere else."},
    END};
static const struct schema endpoints = {.type = SCHEMA_MAP, .keys = endpoints_keys, .rule = rule_one_source};

/* The file that `file` names. */

static const struct schema ip_port = {.type = SCHEMA_TEXT, .format = form_ip_port};
static const struct schema endpoint_weight = {.type = SCHEMA_INT, .min = 1, .max = 1000};
static const struct schema endpoint_priority = {.type = SCHEMA_INT, .max = 100};
static const struct schema_key file_endpoint_keys[] = {
    {"address", &ip_port, REQUIRED, "IP:port or [v6]:port."},
    {"weight", &endpoint_weight, 0, "Its share of the calls beside others of its priority; default 1."},
    {"priority", &endpoint_priority, 0, "Lower ones first; higher ones serve when no lower one is healthy; default 0."},
    {"zone", &text, 0, "Where it is: with a zone in node, others of its priority come after those of our zone."},
    END};
static const struct schema file_endpoint = {.type = SCHEMA_MAP, .keys = file_endpoint_keys};
static const struct schema file_endpoints = {.type = SCHEMA_LIST, .item = &file_endpoint};
static const struct schema_key endpoints_file_keys[] = {{"endpoints", &file_endpoints, REQUIRED, "The endpoints."},
                                                        END};
const struct schema grammar_endpoints = {.type = SCHEMA_MAP, .keys = endpoints_file_keys};

static const struct schema_key peer_keys[] = {
    {"identity", &identity_uri, 0, "The URI that the certificate of an endpoint must carry."},
    {"dns", &dns_name, 0, "The DNS name that the certificate of an endpoint must carry."},
    END};
static const struct schema peer = {.type = SCHEMA_MAP, .keys = peer_keys, .rule = rule_one_peer};

static const struct schema no_keys_map = {.type = SCHEMA_MAP, .keys = (const struct schema_key[]){END}};
static const struct schema choices = {.type = SCHEMA_INT, .min = 2, .max = 10};
#define SLOW_START_KEY                                                                                                 \
    {                                                                                                                  \
        "slow_start", &duration_or_off, 0,                                                                             \
            "The share of a newly connected endpoint grows over this long; default off."                               \
    }
static const struct schema_key slow_start_keys[] = {SLOW_START_KEY, END};
static const struct schema slow_start = {.type = SCHEMA_MAP, .keys = slow_start_keys};
static const struct schema_key least_request_keys[] = {
    {"choices", &choices, LATER, "Endpoints compared for each call."}, SLOW_START_KEY, END};
static const struct schema least_request = {.type = SCHEMA_MAP, .keys = least_request_keys};
static const struct schema_key peak_ewma_keys[] = {
    {"decay", &duration, 0, "Time over which a latency peak is forgotten; default 10s."},
    {"initial", &duration, 0, "Latency of an endpoint without a call so far; default 30ms."},
    {"failure_counts", &duration, 0, "A failure counts as a call that takes this long; default 1s."},
    SLOW_START_KEY,
    END};
static const struct schema peak_ewma = {.type = SCHEMA_MAP, .keys = peak_ewma_keys};
static const struct schema penalty = {.type = SCHEMA_NUMBER, .max = 100000};
static const struct schema_key weighted_keys[] = {
    {"blackout_period", &duration_or_off, 0, "A weight is not used until it has been reported for this long."},
    {"weight_expiration_period", &duration, 0, "A weight older than this is not used."},
    {"weight_update_period", &duration, 0, "How often weights are taken over."},
    {"error_utilization_penalty", &penalty, 0, "How much errors lower the weight."},
    END};
static const struct schema weighted = {.type = SCHEMA_MAP, .keys = weighted_keys};
static const struct schema metadata_name = {.type = SCHEMA_TEXT, .format = form_metadata_name};
static const struct schema ring_size = {.type = SCHEMA_INT, .min = 1, .max = 8388608};
static const struct schema_key ring_hash_keys[] = {
    {"metadata", &metadata_name, 0, "Metadata whose value chooses the endpoint."},
    {"min_ring_size", &ring_size, 0, "Smallest size of the ring."},
    {"max_ring_size", &ring_size, 0, "Largest size of the ring."},
    END};
static const struct schema ring_hash = {.type = SCHEMA_MAP, .keys = ring_hash_keys, .rule = rule_ring_hash};
static const struct schema_key balance_keys[] = {
    {"pick_first", &no_keys_map, 0, "The first reachable endpoint in order."},
    {"round_robin", &slow_start, 0, "One after the other."},
    {"random", &slow_start, 0, "By chance."},
    {"least_request", &least_request, 0, "The one with the fewest calls in flight."},
    {"peak_ewma", &peak_ewma, 0, "The one with the lowest expected latency."},
    {"weighted_round_robin", &weighted, LATER, "By the load that endpoints report (ORCA)."},
    {"ring_hash", &ring_hash, LATER, "The same endpoint for the same key."},
    END};
static const struct schema_word balance_words[] = {{"pick_first", 0},    {"round_robin", 0},
                                                   {"random", 0},        {"least_request", 0},
                                                   {"peak_ewma", 0},     {"weighted_round_robin", LATER},
                                                   {"ring_hash", LATER}, {NULL, 0}};
static const struct schema balance = {
    .type = SCHEMA_WORD, .words = balance_words, .keys = balance_keys, .rule = rule_one_balancer};

static const struct schema authority = {.type = SCHEMA_TEXT, .format = form_authority};
static const struct schema_key service_keys[] = {
    {"endpoints", &endpoints, REQUIRED, "Where the service is: one of static, dns, srv, file, kubernetes."},
    {"tls", &tls, 0, "mutual (default): we show our certificate too; server: only the endpoint does; off: clear text."},
    {"identity", &identity, 0, "An identity for this service alone, in the place of the one of the file."},
    {"peer", &peer, 0, "Who an endpoint must prove to be; required unless tls is off or the endpoints come from dns."},
    {"authority", &authority, 0, "keep (default): what the caller sent; service: the name checked; or a name."},
    {"balance", &balance, 0, "How an endpoint is chosen; default least_request."},
    {"policy", &name, 0, "Name of the policy for calls to this service."},
    END};
static const struct schema service = {.type = SCHEMA_MAP, .keys = service_keys};
static const struct schema services = {.type = SCHEMA_NAMED, .item = &service, .format = form_name};

/* Policies: retry, hedge, their budget. */

static const struct schema attempts = {.type = SCHEMA_INT, .min = 2, .max = 5};
static const struct schema_key backoff_keys[] = {
    {"initial", &duration, 0, "Before the first retry, +-20 %; default 25ms."},
    {"max", &duration, 0, "Longest wait before a retry; default 250ms."},
    {"multiplier", &factor, 0, "How much each wait grows; default 2."},
    END};
static const struct schema backoff = {.type = SCHEMA_MAP, .keys = backoff_keys, .rule = rule_backoff};
static const struct schema buffer = {.type = SCHEMA_SIZE, .min = 1, .max = 16 << 20};
static const struct schema_key retry_keys[] = {
    {"max_attempts", &attempts, REQUIRED, "Attempts at most, the original included."},
    {"on", &statuses, REQUIRED, "Statuses that are tried again."},
    {"backoff", &backoff, 0, "Waits between attempts."},
    {"per_try_timeout", &duration, 0, "Until the first response message of an attempt; its end counts as UNAVAILABLE."},
    {"buffer", &buffer, 0, "Bytes of a request kept for another attempt; default 256KiB."},
    {"hold_headers", &boolean, 0,
     "Response headers wait while an error in the trailers could still be tried again; default true."},
    END};
static const struct schema retry = {.type = SCHEMA_MAP, .keys = retry_keys, .flags = OFF};

static const struct schema delay = {.type = SCHEMA_DURATION, .max = VALUE_DURATION_MAX, .flags = SCHEMA_PERCENTILE};
static const struct schema_key hedge_keys[] = {
    {"max_attempts", &attempts, REQUIRED, "Attempts at most, the original included."},
    {"delay", &delay, 0, "Before each further attempt: a duration, or a percentile of latency such as p95."},
    {"non_fatal", &statuses, 0, "Statuses after which the other attempts go on."},
    {"budget", &share_over_zero, 0, "Share of calls that may be hedged; default 5%."},
    END};
static const struct schema hedge = {.type = SCHEMA_MAP, .keys = hedge_keys, .flags = OFF};

static const struct schema tokens = {.type = SCHEMA_INT, .min = 1, .max = 1000};
static const struct schema ratio = {.type = SCHEMA_NUMBER, .min = 1, .max = 1000000};
static const struct schema_key retry_budget_keys[] = {
    {"max_tokens", &tokens, 0, "Tokens at the start; retries and hedges only above half; default 10."},
    {"token_ratio", &ratio, 0, "Tokens that a success gives back; default 0.1."},
    END};
static const struct schema retry_budget = {.type = SCHEMA_MAP, .keys = retry_budget_keys, .flags = OFF};

/* Policies: circuit breaker, outlier detection. */

static const struct schema_key failure_rate_keys[] = {
    {"threshold", &share_over_zero, 0, "Share of failures that opens; default 50%."},
    {"window", &duration, 0, "Over this long; default 10s."},
    {"min_requests", &count, 0, "With at least so many calls in it; default 10."},
    END};
static const struct schema failure_rate = {.type = SCHEMA_MAP, .keys = failure_rate_keys, .flags = OFF};
static const struct schema_key slow_calls_keys[] = {
    {"longer_than", &duration, 0, "A call that takes longer is slow; default 1s."},
    {"threshold", &share_over_zero, 0, "Share of slow calls that opens; default 80%."},
    {"window", &duration, 0, "Over this long; default 10s."},
    {"min_requests", &count, 0, "With at least so many calls in it; default 10."},
    END};
static const struct schema slow_calls = {.type = SCHEMA_MAP, .keys = slow_calls_keys, .flags = OFF};
static const struct schema_key open_keys[] = {
    {"base", &duration, 0, "How long it stays open the first time; default 1s."},
    {"max", &duration, 0, "And at most; default 60s."},
    {"multiplier", &factor, 0, "How much it grows when a probe fails; default 2."},
    {"jitter", &share, 0, "Share of it that chance adds or takes; default 50%."},
    END};
static const struct schema open_times = {.type = SCHEMA_MAP, .keys = open_keys, .rule = rule_open};
static const struct schema_word scope_words[] = {{"endpoint_method", 0}, {"endpoint", 0}, {"service", 0}, {NULL, 0}};
static const struct schema scope = {.type = SCHEMA_WORD, .words = scope_words};
static const struct schema_word all_open_words[] = {{"fail", 0}, {"try", 0}, {NULL, 0}};
static const struct schema when_all_open = {.type = SCHEMA_WORD, .words = all_open_words};
static const struct schema failures_in_row = {.type = SCHEMA_INT, .min = 1, .max = 100000, .flags = OFF};
static const struct schema probes = {.type = SCHEMA_INT, .min = 1, .max = 100};
static const struct schema_key breaker_keys[] = {
    {"scope", &scope, 0, "What has a breaker of its own: endpoint_method (default), endpoint or service."},
    {"consecutive_failures", &failures_in_row, 0,
     "So many failures in a row open it; default 5 when no rule is written."},
    {"failure_rate", &failure_rate, 0, "A share of failures opens it."},
    {"slow_calls", &slow_calls, 0, "A share of slow calls opens it."},
    {"failures", &statuses, 0, "What is a failure; default UNAVAILABLE, INTERNAL, DATA_LOSS, DEADLINE_EXCEEDED."},
    {"open", &open_times, 0, "How long it stays open."},
    {"probes", &probes, 0, "Calls in flight while half open; default 1."},
    {"ramp", &duration_or_off, 0, "The share of traffic grows back over this long; default 10s."},
    {"max_open", &share, 0, "Share of the endpoints that may be open while another is healthy; default 50%."},
    {"when_all_open", &when_all_open, 0, "fail (default): BREAKER_OPEN with RetryInfo; try: send all the same."},
    END};
static const struct schema breaker = {.type = SCHEMA_MAP, .keys = breaker_keys, .flags = OFF};

static const struct schema stdev_factor = {.type = SCHEMA_NUMBER, .min = 1, .max = 100000};
static const struct schema_key success_rate_keys[] = {
    {"stdev_factor", &stdev_factor, 0, "Standard deviations under the mean that eject; default 1.9."},
    {"enforce", &share, 0, "Share of such ejections that are carried out; default 100%."},
    {"min_hosts", &count, 0, "With at least so many endpoints; default 5."},
    {"min_requests", &count, 0, "That have at least so many calls; default 100."},
    END};
static const struct schema success_rate = {.type = SCHEMA_MAP, .keys = success_rate_keys, .flags = OFF};
static const struct schema_key failure_percentage_keys[] = {
    {"threshold", &share_over_zero, 0, "Share of failures that ejects; default 85%."},
    {"enforce", &share, 0, "Share of such ejections that are carried out; default 100%."},
    {"min_hosts", &count, 0, "With at least so many endpoints; default 5."},
    {"min_requests", &count, 0, "That have at least so many calls; default 50."},
    END};
static const struct schema failure_percentage = {.type = SCHEMA_MAP, .keys = failure_percentage_keys, .flags = OFF};
static const struct schema_key outlier_keys[] = {
    {"interval", &duration, 0, "Between two sweeps; default 10s."},
    {"base_ejection", &duration, 0, "How long an ejection lasts, times their number; default 30s."},
    {"max_ejection", &duration, 0, "And at most; default 300s."},
    {"max_ejected", &share, 0, "Share of the endpoints that may be out; default 10%."},
    {"success_rate", &success_rate, 0, "Ejects what succeeds much less than the others."},
    {"failure_percentage", &failure_percentage, 0, "Ejects what fails too much."},
    END};
static const struct schema outlier = {.type = SCHEMA_MAP, .keys = outlier_keys, .flags = OFF, .rule = rule_outlier};

/* Policies: limits, methods. */

static const struct schema many = {.type = SCHEMA_INT, .min = 1, .max = 1000000};
static const struct schema many_or_none = {.type = SCHEMA_INT, .min = 0, .max = 1000000};
static const struct schema connections = {.type = SCHEMA_INT, .min = 1, .max = 1000};
static const struct schema_key adaptive_keys[] = {{"min", &many, 0, "Never fewer calls at once; default 20."},
                                                  {"max", &many, 0, "Never more calls at once; default 1000."},
                                                  END};
static const struct schema adaptive = {.type = SCHEMA_MAP, .keys = adaptive_keys, .flags = OFF, .rule = rule_adaptive};
static const struct schema_key rate_keys[] = {
    {"per_second", &many, REQUIRED, "Calls a second."}, {"burst", &many, 0, "Calls at once."}, END};
static const struct schema rate = {.type = SCHEMA_MAP, .keys = rate_keys, .flags = OFF};
static const struct schema_key limits_keys[] = {
    {"max_requests", &many, 0, "Calls in flight; default 1024."},
    {"max_pending", &many_or_none, 0, "Calls that wait for an endpoint; default 1024."},
    {"pending_timeout", &duration, 0, "How long a call waits for an endpoint; default 1s."},
    {"max_connections_per_endpoint", &connections, 0, "Connections to one endpoint, for the whole process; default 4."},
    {"adaptive", &adaptive, LATER, "A limit that follows latency."},
    {"rate", &rate, LATER, "Calls a second."},
    END};
static const struct schema limits = {.type = SCHEMA_MAP, .keys = limits_keys};

#define METHOD_SECTION_KEYS                                                                                            \
    {"timeout", &timeout, 0,                                                                                           \
     "Longest a unary call may take; the caller's own, if shorter, rules. Absent: the caller's alone."},               \
        {"idle_timeout", &duration_or_off, 0, "Longest a stream on which nothing moves stays open; default 5m."},      \
        {"retry", &retry, 0,                                                                                           \
         "When a call is tried again; off by default. For a whole policy or service: of idempotent methods."},         \
    {                                                                                                                  \
        "hedge", &hedge, LATER, "A second attempt before the first has failed; off by default."                        \
    }

static const struct schema timeout = {.type = SCHEMA_DURATION, .min = MS, .max = VALUE_DURATION_MAX, .flags = OFF};
static const struct schema_key method_keys[] = {METHOD_SECTION_KEYS, END};
static const struct schema method_section = {.type = SCHEMA_MAP, .keys = method_keys, .rule = rule_retry_or_hedge};
static const struct schema method_sections = {
    .type = SCHEMA_NAMED, .item = &method_section, .format = form_method_section};

static const struct schema method_name = {.type = SCHEMA_TEXT, .format = form_method_section};
static const struct schema method_names = {.type = SCHEMA_TEXT_LIST, .item = &method_name, .flags = FILLED};

static const struct schema_key policy_keys[] = {
    METHOD_SECTION_KEYS,
    {"descriptors", &path, 0, "A FileDescriptorSet: tells which methods are idempotent and which ones stream."},
    {"idempotent", &method_names, 0, "Methods that may be sent twice: pkg.Service/Method or pkg.Service/*."},
    {"service_config", &path, LATER, "A gRPC service config, taken as it is."},
    {"retry_budget", &retry_budget, 0, "Tokens that retries and hedges need (gRFC A6); absent: the defaults hold."},
    {"circuit_breaker", &breaker, 0, "When an endpoint is left alone; off by default."},
    {"outlier_detection", &outlier, LATER,
     "Ejects endpoints that do worse than the others (gRFC A50); off by default."},
    {"limits", &limits, 0, "Bounds of a service or an inbound listener in this process."},
    {"methods", &method_sections, 0, "Values for pkg.Service/Method or pkg.Service/*; the narrower one rules."},
    END};
static const struct schema policy = {.type = SCHEMA_MAP, .keys = policy_keys, .rule = rule_retry_or_hedge};
static const struct schema policies = {.type = SCHEMA_NAMED, .item = &policy, .format = form_name};

/* Bounds of what peers may do; the tables are those of core/bounds.h. */

#define X(field, kind, otherwise, least, most, doc)                                                                    \
    static const struct schema bound_##field = {.type = KIND_##kind, .min = (least), .max = (most)};
#define KIND_COUNT SCHEMA_INT
#define KIND_SIZE  SCHEMA_SIZE
#define KIND_TIME  SCHEMA_DURATION
BOUNDS_VALUES(X)
#undef X
static const struct schema bound_tokens = {.type = SCHEMA_INT, .min = 1, .max = BOUNDS_RATE_MAX};
static const struct schema_key bound_rate_keys[] = {
    {"burst", &bound_tokens, REQUIRED, "At once."}, {"per_second", &bound_tokens, REQUIRED, "And after that."}, END};
static const struct schema bound_rate = {.type = SCHEMA_MAP, .keys = bound_rate_keys};
static const struct schema_key bounds_keys[] = {
#define X(field, kind, otherwise, least, most, doc) {#field, &bound_##field, 0, doc "."},
    BOUNDS_VALUES(X)
#undef X
#define X(field, burst, per_second, doc) {#field, &bound_rate, 0, doc "."},
        BOUNDS_RATES(X)
#undef X
            END};
static const struct schema bounds = {.type = SCHEMA_MAP, .keys = bounds_keys};

/* The whole file. */

static const struct schema version = {.type = SCHEMA_INT, .min = 1, .max = 1};
static const struct schema workers = {.type = SCHEMA_INT, .min = 1, .max = 1024};
static const struct schema_key root_keys[] = {
    {"version", &version, REQUIRED, "Version of this format: 1."},
    {"workers", &workers, 0, "Threads that carry calls, 1 (default) to the number of cores."},
    {"node", &node, 0, "Where this sidecar stands."},
    {"admin", &admin, 0, "Readiness, metrics and state over HTTP; absent: none."},
    {"drain", &drain, 0, "How the process ends."},
    {"identity", &identity, 0, "The key pair of this sidecar and whom it trusts; the files are watched."},
    {"bounds", &bounds, 0, "What peers may do at most; each has a default."},
    {"inbound", &inbound, 0, "Listeners for calls to the service that this sidecar guards."},
    {"outbound", &outbound, 0, "Listeners for calls from the service to others."},
    {"services", &services, 0, "The services that routes lead to."},
    {"policies", &policies, 0, "How long, how often and how much: what services and listeners name."},
    {"policy_dir", &path, 0,
     "A watched folder of *.yaml files with policies of their own, taken in order of their names."},
    END};
const struct schema grammar_root = {.type = SCHEMA_MAP, .keys = root_keys};

static const struct schema_key policies_keys[] = {{"policies", &policies, REQUIRED, "As in the main file."}, END};
const struct schema grammar_policies = {.type = SCHEMA_MAP, .keys = policies_keys};
