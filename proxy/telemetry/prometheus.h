/* Writes the Prometheus text format 0.0.4 into a growing buffer: families, samples, histograms with the bounds of
 * core/stats. It knows no metric by name. */
#ifndef TELEMETRY_PROMETHEUS_H
#define TELEMETRY_PROMETHEUS_H

#include "base/buf.h"
#include "core/stats.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prometheus_type { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

/* What the values of a histogram are, and so which bounds it has. RETRIES: a COUNT without its last bound, as gRFC A96
 * recommends for what a policy caps at 5. */
enum prometheus_unit { PROMETHEUS_SECONDS, PROMETHEUS_BYTES, PROMETHEUS_COUNT, PROMETHEUS_RETRIES };

struct prometheus_label {
    const char *name;   /* NULL ends a list */
    struct slice value; /* any bytes: escaped, and what is no UTF-8 text becomes '?' */
};

#define PROMETHEUS_LABELS(...) ((const struct prometheus_label[]){__VA_ARGS__ __VA_OPT__(, ){NULL, {NULL, 0}}})

/* Owned by: whoever renders a page. */
struct prometheus {
    struct buf out;
    struct buf labels; /* scratch */
    const char *name;  /* of the family that is being written */
    bool failed;       /* memory ran out */
};

/* Histograms of several workers added up. */
struct tally {
    uint64_t sum; /* ns, bytes, or a count */
    uint64_t buckets[STATS_BUCKETS_MAX];
};

void prometheus_init(struct prometheus *p);
void prometheus_fini(struct prometheus *p);

/* Begins a family; all its samples follow before the next one. `name` is kept until then. */
void prometheus_family(struct prometheus *p, const char *name, enum prometheus_type type, const char *help);

/* One sample of the family. `labels` ends with a NULL name. */
void prometheus_sample(struct prometheus *p, const struct prometheus_label *labels, uint64_t value);

/* The same for a time, printed in seconds. */
void prometheus_sample_time(struct prometheus *p, const struct prometheus_label *labels, ns_t value);

/* The same for thousandths. */
void prometheus_sample_milli(struct prometheus *p, const struct prometheus_label *labels, uint64_t value);

/* All samples of one histogram: cumulative buckets, _sum and _count. */
void prometheus_histogram(struct prometheus *p, const struct prometheus_label *labels, enum prometheus_unit unit,
                          const struct tally *tally);

/* The page, valid until the next call or prometheus_fini; ERR_NOMEM when memory ran out while it was written. */
MUST_CHECK enum err prometheus_text(const struct prometheus *p, struct slice *ret);

/* Adds what a histogram holds now. */
void tally_add(struct tally *t, const struct histogram *h);

#endif
