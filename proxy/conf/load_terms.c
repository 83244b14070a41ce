/* The sections `retry`, `retry_budget` and `circuit_breaker` of a policy: their values, and the defaults of what they
 * do not write. */
#include "conf/loader.h"
#include "conf/memory.h"
#include "core/status.h"

enum { PPM = 1000000, MILLI = 1000 };

/* Of a key, as a section may begin on the next line; nowhere for NULL. */
static struct place key_place(const struct loader *l, const struct node *n)
{
    return n ? loader_key_place(l, n) : (struct place){0};
}

static double share(const struct node *n, double otherwise)
{
    return n ? (double)schema_value(SCHEMA_SHARE, n) / PPM : otherwise;
}

static double factor(const struct node *n, double otherwise)
{
    return n ? (double)schema_value(SCHEMA_NUMBER, n) / MILLI : otherwise;
}

/* A status or a list of them. */
static uint32_t statuses(const struct node *n, uint32_t otherwise)
{
    uint32_t set = 0;
    if (!n)
        return otherwise;
    if (n->kind == NODE_SCALAR)
        return STATUS_BIT(schema_value(SCHEMA_STATUS, n));
    NODE_FOR(c, n)
        if (!c->bad)
            set |= STATUS_BIT(schema_value(SCHEMA_STATUS, c));
    return set;
}

const struct retry_policy *load_retry(struct loader *l, const struct node *n)
{
    const struct node *map = loader_on(n), *backoff = node_get(map, "backoff");
    const struct node *attempts = node_get(map, "max_attempts"), *on = node_get(map, "on"),
                      *per_try = node_get(map, "per_try_timeout"), *buffer = node_get(map, "buffer"),
                      *hold = node_get(map, "hold_headers");
    if (!map)
        return NULL;
    struct retry_policy *r = memory_take(&l->s->arena, sizeof *r);
    *r = (struct retry_policy){.max_attempts = (uint8_t)loader_number(attempts, 2),
                               .hold_headers = !hold || loader_is(hold, "true"),
                               .on = statuses(on, 0),
                               .backoff_initial_ns = loader_duration(node_get(backoff, "initial"), 25 * NS_PER_MS),
                               .backoff_max_ns = loader_duration(node_get(backoff, "max"), 250 * NS_PER_MS),
                               .backoff_multiplier = factor(node_get(backoff, "multiplier"), 2),
                               .per_try_timeout_ns = loader_duration(per_try, 0),
                               .buffer_bytes = buffer ? (uint32_t)schema_value(SCHEMA_SIZE, buffer) : 256 << 10,
                               .place = key_place(l, n),
                               .max_attempts_place = key_place(l, attempts),
                               .on_place = key_place(l, on),
                               .backoff_place = key_place(l, backoff),
                               .per_try_timeout_place = key_place(l, per_try),
                               .buffer_place = key_place(l, buffer),
                               .hold_headers_place = key_place(l, hold)};
    return r;
}

struct budget_policy load_budget(struct loader *l, const struct node *n)
{
    const struct node *map = loader_on(n), *tokens = node_get(map, "max_tokens"), *ratio = node_get(map, "token_ratio");
    return (struct budget_policy){.present = !n || map,
                                  .max_milli = loader_number(tokens, 10) * MILLI,
                                  .ratio_milli = ratio ? (uint32_t)schema_value(SCHEMA_NUMBER, ratio) : MILLI / 10,
                                  .place = key_place(l, n),
                                  .max_place = key_place(l, tokens),
                                  .ratio_place = key_place(l, ratio)};
}

/* Off unless written. */
static struct breaker_rate load_rate(const struct node *n, double threshold)
{
    const struct node *map = loader_on(n);
    if (!map)
        return (struct breaker_rate){0};
    return (struct breaker_rate){.threshold = share(node_get(map, "threshold"), threshold),
                                 .window_ns = loader_duration(node_get(map, "window"), 10 * NS_PER_S),
                                 .min_requests = loader_number(node_get(map, "min_requests"), 10)};
}

static enum breaker_scope load_scope(const struct node *n)
{
    return loader_is(n, "service")    ? BREAKER_SCOPE_SERVICE
           : loader_is(n, "endpoint") ? BREAKER_SCOPE_ENDPOINT
                                      : BREAKER_SCOPE_ENDPOINT_METHOD;
}

/* Only the rules that are written hold; where none is, five failures in a row. */
static uint32_t load_consecutive(const struct node *map)
{
    const struct node *n = node_get(map, "consecutive_failures");
    bool others = node_find(map, SLICE("failure_rate")) || node_find(map, SLICE("slow_calls"));
    if (n)
        return loader_on(n) ? loader_number(n, 0) : 0;
    return others ? 0 : 5;
}

static void set_places(struct loader *l, const struct node *map, struct breaker_policy *b)
{
    b->scope_place = key_place(l, node_get(map, "scope"));
    b->consecutive_place = key_place(l, node_get(map, "consecutive_failures"));
    b->failure_rate_place = key_place(l, node_get(map, "failure_rate"));
    b->slow_calls_place = key_place(l, node_get(map, "slow_calls"));
    b->failures_place = key_place(l, node_get(map, "failures"));
    b->open_place = key_place(l, node_get(map, "open"));
    b->probes_place = key_place(l, node_get(map, "probes"));
    b->ramp_place = key_place(l, node_get(map, "ramp"));
    b->max_open_place = key_place(l, node_get(map, "max_open"));
    b->when_all_open_place = key_place(l, node_get(map, "when_all_open"));
}

const struct breaker_policy *load_breaker(struct loader *l, const struct node *n)
{
    static const uint32_t failures = STATUS_BIT(STATUS_UNAVAILABLE) | STATUS_BIT(STATUS_INTERNAL) |
                                     STATUS_BIT(STATUS_DATA_LOSS) | STATUS_BIT(STATUS_DEADLINE_EXCEEDED);
    const struct node *map = loader_on(n), *open = node_get(map, "open"), *slow = node_get(map, "slow_calls");
    if (!map)
        return NULL;
    struct breaker_policy *b = memory_take(&l->s->arena, sizeof *b);
    *b = (struct breaker_policy){.scope = load_scope(node_get(map, "scope")),
                                 .consecutive_failures = load_consecutive(map),
                                 .failure_rate = load_rate(node_get(map, "failure_rate"), 0.5),
                                 .slow_calls = load_rate(slow, 0.8),
                                 .slow_ns = loader_duration(node_get(loader_on(slow), "longer_than"), NS_PER_S),
                                 .failures = statuses(node_get(map, "failures"), failures),
                                 .open_base_ns = loader_duration(node_get(open, "base"), NS_PER_S),
                                 .open_max_ns = loader_duration(node_get(open, "max"), 60 * NS_PER_S),
                                 .open_multiplier = factor(node_get(open, "multiplier"), 2),
                                 .open_jitter = share(node_get(open, "jitter"), 0.5),
                                 .probes = loader_number(node_get(map, "probes"), 1),
                                 .ramp_ns = loader_duration(node_get(map, "ramp"), 10 * NS_PER_S),
                                 .max_open = share(node_get(map, "max_open"), 0.5),
                                 .try_when_all_open = loader_is(node_get(map, "when_all_open"), "try"),
                                 .place = key_place(l, n)};
    set_places(l, map, b);
    return b;
}
