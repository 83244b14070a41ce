/* Live state for an explanation: asks the /config page of a running process and picks what concerns one call. */
#ifndef CLI_EXPLAIN_LIVE_H
#define CLI_EXPLAIN_LIVE_H

#include "conf/explain.h"

#include <jansson.h>

/* The page of the process at `text` ("host:port" or "unix:PATH"), to be given to json_decref; NULL when it cannot be
 * had: then one line on stderr says why. `address` is what the text says. */
json_t *explain_live_fetch(const struct address *address, const char *text);

/* What is in force there: {file, generation, loaded_at, refused}. A new reference. */
json_t *explain_live_process(const json_t *page);

/* How the service of a target stands for calls of `path`: {in_force} and, when true, {endpoints: [{address,
 * connections, in_flight, breaker}], breaker, retry_budget, retry: {allowed, why}}. `breaker` is null where there is
 * none. A new reference. */
json_t *explain_live_target(const json_t *page, const struct service_conf *service, const char *path);

#endif
