/* Rules between the keys of one mapping, run by the schema once each key has been checked by itself. */
#ifndef CONF_RULE_H
#define CONF_RULE_H

#include "conf/tree.h"

typedef void schema_rule(const struct tree *t, const struct node *map, struct problems *p);

schema_rule rule_identity;       /* a certificate and its key come together; something is there */
schema_rule rule_inbound;        /* identities and certificates are those of verified peers */
schema_rule rule_outbound;       /* routes, unless captured calls may go on */
schema_rule rule_allow;          /* a rule of allow has a condition */
schema_rule rule_route;          /* exactly one of service and split */
schema_rule rule_one_source;     /* exactly one source of endpoints */
schema_rule rule_one_peer;       /* exactly one of identity and dns */
schema_rule rule_one_balancer;   /* exactly one balancer in a mapping */
schema_rule rule_retry_or_hedge; /* not both */
schema_rule rule_backoff;        /* initial <= max */
schema_rule rule_drain;          /* window <= deadline */
schema_rule rule_open;           /* base <= max */
schema_rule rule_outlier;        /* base_ejection <= max_ejection */
schema_rule rule_adaptive;       /* min <= max */
schema_rule rule_ring_hash;      /* min_ring_size <= max_ring_size */

#endif
