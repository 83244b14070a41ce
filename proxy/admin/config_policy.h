/* A policy as the /config page shows it. */
#ifndef ADMIN_CONFIG_POLICY_H
#define ADMIN_CONFIG_POLICY_H

#include "core/policy.h"

#include <jansson.h>

/* What is in force, defaults filled in; null stands for what is off. A new reference, NULL when memory is out. */
json_t *config_policy_json(const struct policy *p);

#endif
