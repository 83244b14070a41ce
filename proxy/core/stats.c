/* Histograms with the bounds of gRFC A66 and the statistics of a method. */
#include "core/stats.h"

#include <stdlib.h>

#define US NS_PER_US
#define MS NS_PER_MS
#define S  NS_PER_S

const ns_t stats_latency_bounds[STATS_LATENCY_BOUNDS] = {
    0,        10 * US, 50 * US,  100 * US, 300 * US, 600 * US, 800 * US, 1 * MS,   2 * MS,   3 * MS,   4 * MS,
    5 * MS,   6 * MS,  8 * MS,   10 * MS,  13 * MS,  16 * MS,  20 * MS,  25 * MS,  30 * MS,  40 * MS,  50 * MS,
    65 * MS,  80 * MS, 100 * MS, 130 * MS, 160 * MS, 200 * MS, 250 * MS, 300 * MS, 400 * MS, 500 * MS, 650 * MS,
    800 * MS, 1 * S,   2 * S,    5 * S,    10 * S,   20 * S,   50 * S,   100 * S,
};

const uint64_t stats_size_bounds[STATS_SIZE_BOUNDS] = {
    0, 1024, 2048, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864, 268435456, 1073741824, 4294967296,
};

const uint64_t stats_count_bounds[STATS_COUNT_BOUNDS] = {1, 2, 3, 4, 5, 10};

/* The bucket of the smallest value of each bit length; from there at most three steps lead to the right one. */
static const uint8_t first_bucket[] = {
    0, 1, 1, 1, 1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  2,  2,  3,  4,
    4, 5, 8, 9, 11, 14, 17, 20, 23, 26, 29, 32, 35, 36, 36, 37, 38, 39, 40,
};

enum { BIT_LENGTHS = sizeof first_bucket };

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static unsigned latency_bucket(ns_t value)
{
    uint64_t v = value > 0 ? (uint64_t)value : 0;
    unsigned bits = bit_length(v);
    if (bits >= BIT_LENGTHS)
        return STATS_LATENCY_BOUNDS;
    unsigned i = first_bucket[bits];
    while (i < STATS_LATENCY_BOUNDS && v > (uint64_t)stats_latency_bounds[i])
        i++;
    return i;
}

/* The bounds are 2^10, 2^11, 2^12, then every other power of two up to 2^32. */
static unsigned size_bucket(uint64_t bytes)
{
    if (bytes == 0)
        return 0;
    unsigned power = bit_length(bytes - 1); /* the smallest with bytes <= 2^power */
    if (power <= 10)
        return 1;
    if (power <= 12)
        return power - 9;
    return power <= 32 ? (power + 1) / 2 - 3 : STATS_SIZE_BOUNDS;
}

void histogram_add_latency(struct histogram *h, ns_t value)
{
    counter_add(&h->sum, value > 0 ? (uint64_t)value : 0);
    counter_add(&h->buckets[latency_bucket(value)], 1);
}

void histogram_add_size(struct histogram *h, uint64_t bytes)
{
    counter_add(&h->sum, bytes);
    counter_add(&h->buckets[size_bucket(bytes)], 1);
}

void histogram_add_count(struct histogram *h, uint64_t count)
{
    unsigned i = 0;
    while (i < STATS_COUNT_BOUNDS && count > stats_count_bounds[i])
        i++;
    counter_add(&h->sum, count);
    counter_add(&h->buckets[i], 1);
}

void retry_count_on_start(struct retry_count *c, uint8_t previous, ns_t now)
{
    if (previous > c->previous)
        c->retries++;
    else if (c->started)
        c->transparent++;
    if (c->started)
        c->delay += now - c->ended_at;
    c->started = true;
    c->previous = previous;
}

void retry_count_on_end(struct retry_count *c, ns_t now)
{
    c->ended_at = now;
}

void retry_stats_add(struct retry_stats *s, const struct retry_count *c)
{
    if (c->retries > 0)
        histogram_add_count(&s->retries, c->retries);
    if (c->transparent > 0)
        histogram_add_count(&s->transparent, c->transparent);
    if (c->retries > 0 || c->transparent > 0)
        histogram_add_latency(&s->delay, c->delay);
}

static struct status_stats *add_status(struct method_stats *m, unsigned status)
{
    struct status_stats *s = calloc(1, sizeof *s);
    if (s)
        atomic_store_explicit(&m->by_status[status], s, memory_order_release);
    return s;
}

void method_stats_end(struct method_stats *m, unsigned status, ns_t duration, uint64_t sent_bytes,
                      uint64_t received_bytes)
{
    if (status >= STATUS_COUNT)
        status = STATUS_UNKNOWN;
    struct status_stats *s = atomic_load_explicit(&m->by_status[status], memory_order_relaxed);
    if (!s && !(s = add_status(m, status)))
        return;
    histogram_add_latency(&s->duration, duration);
    histogram_add_size(&s->sent, sent_bytes);
    histogram_add_size(&s->received, received_bytes);
}

void method_stats_fini(struct method_stats *m)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        free(atomic_load_explicit(&m->by_status[i], memory_order_relaxed));
        atomic_store_explicit(&m->by_status[i], NULL, memory_order_relaxed);
    }
}
