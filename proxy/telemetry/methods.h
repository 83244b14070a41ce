/* The statistics of methods as metrics, with the names of gRFC A66 and A96 as OpenTelemetry's Prometheus exporter
 * writes them.
 */
#ifndef TELEMETRY_METHODS_H
#define TELEMETRY_METHODS_H

#include "telemetry/prometheus.h"

/* The tables of one service, or of one inbound listener: one a worker. Borrowed for the call. */
struct methods_source {
    const char *target; /* grpc_target: the service; not looked at for inbound */
    struct method_table *const *tables;
    size_t tables_n;
};

/* grpc_server_call_*: by method and status, added up over all listeners and workers. ERR_NOMEM: the page is not whole.
 */
MUST_CHECK enum err methods_render_server(struct prometheus *p, const struct methods_source *inbound, size_t n);

/* grpc_client_attempt_* and grpc_client_call_duration: by method, target and status, added up over the workers;
 * grpc_client_call_retries, _transparent_retries and _retry_delay: by method and target, of calls that were tried
 * again. Targets must differ. */
MUST_CHECK enum err methods_render_client(struct prometheus *p, const struct methods_source *outbound, size_t n);

#endif
