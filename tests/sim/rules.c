/* Policies by chance: mostly tight ones, so that every bound is met somewhere. */
#include "rules.h"

#include "draw.h"

static const char *const paths[TARGETS] = {
    [TARGET_CHARGE] = "/payment.v1.Payment/Charge",
    [TARGET_GET] = "/payment.v1.Payment/GetPayment",
    [TARGET_WATCH] = "/payment.v1.Payment/WatchCharges",
    [TARGET_CALL] = "/sim.Sim/Call",
    [TARGET_READ] = "/sim.Sim/Read",
    [TARGET_OWN] = "/sim.Sim/Own",
};

static const char *const statuses[] = {"UNAVAILABLE", "UNAVAILABLE, INTERNAL, RESOURCE_EXHAUSTED",
                                       "UNAVAILABLE, ABORTED, DEADLINE_EXCEEDED, UNKNOWN"};
static const char *const scopes[] = {"endpoint_method", "endpoint", "service"};

static void draw_retry(struct rules *r, struct rng *rng)
{
    static const unsigned buffers[] = {1, 100, 4096, 65536, 262144};
    r->attempts = chance(rng, 75) ? (unsigned)draw(rng, 2, 5) : 0;
    r->on = (unsigned)rng_below(rng, sizeof statuses / sizeof statuses[0]);
    r->initial = (unsigned)draw(rng, 1, 60);
    r->longest = r->initial + (unsigned)draw(rng, 0, 300);
    r->multiplier = (unsigned)draw(rng, 1, 3);
    r->per_try = chance(rng, 40) ? (unsigned)draw(rng, 20, 400) : 0;
    r->buffer = buffers[rng_below(rng, sizeof buffers / sizeof buffers[0])];
    r->holds = chance(rng, 85);
    r->tokens = chance(rng, 70) ? (unsigned)draw(rng, 1, 200) : 0;
    r->ratio_milli = (unsigned)draw(rng, 1, 999);
}

static void draw_breaker(struct rules *r, struct rng *rng)
{
    r->breaks = chance(rng, 60);
    r->scope = (unsigned)rng_below(rng, 3);
    r->in_a_row = chance(rng, 60) ? (unsigned)draw(rng, 1, 8) : 0;
    r->failure_share = chance(rng, 50) || r->in_a_row == 0 ? (unsigned)draw(rng, 20, 80) : 0;
    r->slow_share = chance(rng, 40) ? (unsigned)draw(rng, 20, 100) : 0;
    r->slow_after = (unsigned)draw(rng, 20, 300);
    r->window = (unsigned)draw(rng, 100, 3000);
    r->min_requests = (unsigned)draw(rng, 2, 15);
    r->open = (unsigned)draw(rng, 30, 600);
    r->open_most = r->open + (unsigned)draw(rng, 0, 1500);
    r->jitter = (unsigned)draw(rng, 0, 50);
    r->probes = (unsigned)draw(rng, 1, 3);
    r->ramp = chance(rng, 50) ? (unsigned)draw(rng, 10, 2000) : 0;
    r->open_share = (unsigned)draw(rng, 30, 100);
    r->tries = chance(rng, 40);
}

static void draw_limits(struct rules *r, struct rng *rng)
{
    r->requests = chance(rng, 20) ? (unsigned)draw(rng, 2, 40) : 1000;
    r->pending = chance(rng, 25) ? (unsigned)draw(rng, 1, 10) : 1000;
    r->pending_timeout = chance(rng, 50) ? (unsigned)draw(rng, 5, 500) : 1000;
    r->connections = (unsigned)draw(rng, 1, 4);
}

void rules_init(struct rules *r, struct rng *rng)
{
    *r = (struct rules){0};
    draw_retry(r, rng);
    draw_breaker(r, rng);
    draw_limits(r, rng);
    r->timeout = chance(rng, 30) ? (unsigned)draw(rng, 200, 3000) : 0;
}

void rules_init_guard(struct rules *r, struct rng *rng)
{
    *r = (struct rules){0};
    draw_breaker(r, rng);
    draw_limits(r, rng);
}

static void write_retry_terms(const struct rules *r, FILE *f)
{
    (void)fprintf(f,
                  "{ max_attempts: %u, on: [%s], backoff: { initial: %ums, max: %ums, multiplier: %u }, buffer: %uB, "
                  "hold_headers: %s",
                  r->attempts, statuses[r->on], r->initial, r->longest, r->multiplier, r->buffer,
                  r->holds ? "true" : "false");
    if (r->per_try > 0)
        (void)fprintf(f, ", per_try_timeout: %ums", r->per_try);
    (void)fprintf(f, " }");
}

static void write_retry(const struct rules *r, FILE *f)
{
    (void)fprintf(f, "    retry: ");
    write_retry_terms(r, f);
    (void)fprintf(f, "\n    idempotent: [\"sim.Sim/Read\"]\n    methods:\n      sim.Sim/Own: { retry: ");
    write_retry_terms(r, f);
    (void)fprintf(f, " }\n");
    if (r->tokens > 0)
        (void)fprintf(f, "    retry_budget: { max_tokens: %u, token_ratio: 0.%03u }\n", r->tokens, r->ratio_milli);
    else
        (void)fprintf(f, "    retry_budget: off\n");
}

static void write_breaker(const struct rules *r, FILE *f)
{
    (void)fprintf(f, "    circuit_breaker:\n      scope: %s\n      probes: %u\n      max_open: %u%%\n",
                  scopes[r->scope], r->probes, r->open_share);
    (void)fprintf(f, "      open: { base: %ums, max: %ums, multiplier: 2, jitter: %u%% }\n", r->open, r->open_most,
                  r->jitter);
    (void)fprintf(f, "      when_all_open: %s\n", r->tries ? "try" : "fail");
    (void)fprintf(f, r->ramp > 0 ? "      ramp: %ums\n" : "      ramp: off\n", r->ramp);
    if (r->in_a_row > 0)
        (void)fprintf(f, "      consecutive_failures: %u\n", r->in_a_row);
    if (r->failure_share > 0)
        (void)fprintf(f, "      failure_rate: { threshold: %u%%, window: %ums, min_requests: %u }\n", r->failure_share,
                      r->window, r->min_requests);
    if (r->slow_share > 0)
        (void)fprintf(f, "      slow_calls: { longer_than: %ums, threshold: %u%%, window: %ums, min_requests: %u }\n",
                      r->slow_after, r->slow_share, r->window, r->min_requests);
}

void rules_write(const struct rules *r, const char *name, unsigned idle_s, FILE *f)
{
    (void)fprintf(f, "  %s:\n    idle_timeout: %us\n    descriptors: payment.binpb\n", name, idle_s);
    (void)fprintf(f,
                  "    limits: { max_requests: %u, max_pending: %u, pending_timeout: %ums, "
                  "max_connections_per_endpoint: %u }\n",
                  r->requests, r->pending, r->pending_timeout, r->connections);
    if (r->timeout > 0)
        (void)fprintf(f, "    timeout: %ums\n", r->timeout);
    if (r->attempts > 0)
        write_retry(r, f);
    if (r->breaks)
        write_breaker(r, f);
}

const char *target_path(enum target t)
{
    return paths[t];
}

unsigned rules_executions(const struct rules *r, enum target t)
{
    bool once = t == TARGET_CHARGE || t == TARGET_CALL || r->attempts == 0;
    return once ? 1 : r->attempts;
}
