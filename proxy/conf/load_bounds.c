/* The section `bounds`. */
#include "conf/loader.h"

static void load_value(const struct node *section, const char *key, enum schema_type type, int64_t *value)
{
    const struct node *n = node_get(section, key);
    if (n)
        *value = (int64_t)schema_value(type, n);
}

static void load_rate(const struct node *section, const char *key, struct bound_rate *rate)
{
    const struct node *n = node_get(section, key);
    rate->burst = (int32_t)loader_number(node_get(n, "burst"), (uint32_t)rate->burst);
    rate->per_second = (int32_t)loader_number(node_get(n, "per_second"), (uint32_t)rate->per_second);
}

struct bounds load_bounds(const struct node *n)
{
    struct bounds b = bounds_default;
#define KIND_COUNT                                  SCHEMA_INT
#define KIND_SIZE                                   SCHEMA_SIZE
#define KIND_TIME                                   SCHEMA_DURATION
#define X(field, kind, otherwise, least, most, doc) load_value(n, #field, KIND_##kind, &b.field);
    BOUNDS_VALUES(X)
#undef X
#define X(field, burst, per_second, doc) load_rate(n, #field, &b.field);
    BOUNDS_RATES(X)
#undef X
    return b;
}
