/* The list `allow` of a listener as the /config page shows it. */
#ifndef ADMIN_CONFIG_GUARD_H
#define ADMIN_CONFIG_GUARD_H

#include "core/allow.h"

#include <jansson.h>

/* Mode and rules, each with its place; null for NULL. A new reference, NULL when memory is out. */
json_t *config_guard_json(const struct allow *a);

#endif
