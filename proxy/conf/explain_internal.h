/* Shared by explain.c and explain_target.c only. */
#ifndef CONF_EXPLAIN_INTERNAL_H
#define CONF_EXPLAIN_INTERNAL_H

#include "conf/explain.h"

/* "FILE:LINE", or "default" for a place that is nowhere. */
const char *explain_from(struct arena *a, struct place place);

/* Appends while there is room. */
void explain_row(struct explain_row *rows, size_t *n, struct explain_row row);

/* Fills the i-th target of a route: service, policy, values, plan. */
void explain_target(struct arena *a, const struct route *r, size_t i, const struct explain_query *q,
                    struct explain_target *out);

#endif
