/* Shared by the files explain*.c only. */
#ifndef CONF_EXPLAIN_INTERNAL_H
#define CONF_EXPLAIN_INTERNAL_H

#include "conf/explain.h"

/* "FILE:LINE", or "default" for a place that is nowhere. */
const char *explain_from(struct arena *a, struct place place);

/* Appends while there is room. */
void explain_row(struct explain_row *rows, size_t *n, struct explain_row row);

/* Adds a row to a target; a value with the place it comes from. */
void explain_add(struct explain_target *t, const char *key, const char *value, const char *from, const char *why);
void explain_add_placed(struct arena *a, struct explain_target *t, const char *key, const char *value,
                        struct place place);

const char *explain_duration(struct arena *a, ns_t ns);
const char *explain_size(struct arena *a, uint32_t bytes);

/* The names of a set of statuses, separated by spaces. */
const char *explain_statuses(struct arena *a, uint32_t set);

/* The name of a balancer. */
const char *explain_balance(enum balance_kind kind);

/* Rows on who may call through an inbound listener, and what the service is told about the caller. */
void explain_guard(struct arena *a, struct explain_listener *e, const struct explain_query *q);

/* Rows on what is known of the method, its retry, the budget and the breaker. */
void explain_terms(struct arena *a, struct explain_target *t, const struct method_policy *m);

/* The plan of attempts. deadline_ns: of the call; NS_NEVER: none. */
void explain_plan(struct arena *a, struct explain_target *t, const struct method_policy *m, ns_t deadline_ns);

/* Fills the i-th target of a route: service, policy, values, plan. */
void explain_target(struct arena *a, const struct route *r, size_t i, const struct explain_query *q,
                    struct explain_target *out);

#endif
