/* The text format, line by line. Numbers are printed from integers, so that no digit is lost. */
#include "telemetry/prometheus.h"

enum { NUMBER_MAX = 32 };

void prometheus_init(struct prometheus *p)
{
    *p = (struct prometheus){.name = ""};
    buf_init(&p->out);
    buf_init(&p->labels);
}

void prometheus_fini(struct prometheus *p)
{
    buf_fini(&p->out);
    buf_fini(&p->labels);
}

static void put_to(struct prometheus *p, struct buf *b, struct slice s)
{
    if (buf_append(b, s.p, s.n) != ERR_NONE)
        p->failed = true;
}

static void put(struct prometheus *p, struct slice s)
{
    put_to(p, &p->out, s);
}

static void put_text(struct prometheus *p, const char *text)
{
    put(p, slice_str(text));
}

static struct slice print_number(uint64_t value, char *out)
{
    char *at = out + NUMBER_MAX;
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return slice_make(at, (size_t)(out + NUMBER_MAX - at));
}

static void put_number(struct prometheus *p, uint64_t value)
{
    char text[NUMBER_MAX];
    put(p, print_number(value, text));
}

/* Seconds without zeros at the end: 0.0003, 0.05, 2. */
static void put_seconds(struct prometheus *p, uint64_t ns)
{
    put_number(p, ns / NS_PER_S);
    uint64_t rest = ns % NS_PER_S;
    if (rest == 0)
        return;
    char digits[] = ".000000000";
    size_t last = 0;
    for (size_t i = sizeof digits - 2; i > 0; i--, rest /= 10) {
        digits[i] = (char)('0' + rest % 10);
        if (last == 0 && digits[i] != '0')
            last = i;
    }
    put(p, slice_make(digits, last + 1));
}

static void put_value_escaped(struct prometheus *p, struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        size_t length = slice_utf8(slice_sub(s, i, s.n));
        char c = s.p[i];
        if (c == '\\' || c == '"')
            put_to(p, &p->labels, SLICE("\\"));
        if (c == '\n')
            put_to(p, &p->labels, SLICE("\\n"));
        else if (length == 0 || (unsigned char)c < 0x20 || c == 0x7f)
            put_to(p, &p->labels, SLICE("?"));
        else
            put_to(p, &p->labels, slice_sub(s, i, i + length));
        i += length ? length : 1;
    }
}

/* name="value",name="value" into the scratch. */
static void print_labels(struct prometheus *p, const struct prometheus_label *labels)
{
    buf_clear(&p->labels);
    for (const struct prometheus_label *l = labels; l->name; l++) {
        if (l > labels)
            put_to(p, &p->labels, SLICE(","));
        put_to(p, &p->labels, slice_str(l->name));
        put_to(p, &p->labels, SLICE("=\""));
        put_value_escaped(p, l->value);
        put_to(p, &p->labels, SLICE("\""));
    }
}

/* Name and labels of a line, up to the value. */
static void begin_sample(struct prometheus *p, const char *suffix)
{
    struct slice labels = slice_make(buf_head(&p->labels), buf_len(&p->labels));
    put_text(p, p->name);
    put_text(p, suffix);
    if (labels.n > 0) {
        put(p, SLICE("{"));
        put(p, labels);
        put(p, SLICE("}"));
    }
    put(p, SLICE(" "));
}

void prometheus_family(struct prometheus *p, const char *name, enum prometheus_type type, const char *help)
{
    static const char *const types[] = {
        [PROMETHEUS_COUNTER] = "counter",
        [PROMETHEUS_GAUGE] = "gauge",
        [PROMETHEUS_HISTOGRAM] = "histogram",
    };
    p->name = name;
    put(p, SLICE("# HELP "));
    put_text(p, name);
    put(p, SLICE(" "));
    put_text(p, help);
    put(p, SLICE("\n# TYPE "));
    put_text(p, name);
    put(p, SLICE(" "));
    put_text(p, types[type]);
    put(p, SLICE("\n"));
}

void prometheus_sample(struct prometheus *p, const struct prometheus_label *labels, uint64_t value)
{
    print_labels(p, labels);
    begin_sample(p, "");
    put_number(p, value);
    put(p, SLICE("\n"));
}

void prometheus_sample_time(struct prometheus *p, const struct prometheus_label *labels, ns_t value)
{
    print_labels(p, labels);
    begin_sample(p, "");
    put_seconds(p, value > 0 ? (uint64_t)value : 0);
    put(p, SLICE("\n"));
}

void prometheus_sample_milli(struct prometheus *p, const struct prometheus_label *labels, uint64_t value)
{
    prometheus_sample_time(p, labels, (ns_t)value * NS_PER_MS);
}

static void put_by_unit(struct prometheus *p, enum prometheus_unit unit, uint64_t value)
{
    if (unit == PROMETHEUS_SECONDS)
        put_seconds(p, value);
    else
        put_number(p, value);
}

static unsigned bounds_of(enum prometheus_unit unit)
{
    switch (unit) {
    case PROMETHEUS_SECONDS:
        return STATS_LATENCY_BOUNDS;
    case PROMETHEUS_BYTES:
        return STATS_SIZE_BOUNDS;
    case PROMETHEUS_COUNT:
        return STATS_COUNT_BOUNDS;
    case PROMETHEUS_RETRIES:
        return STATS_COUNT_BOUNDS - 1;
    }
    return 0;
}

static uint64_t bound_of(enum prometheus_unit unit, unsigned i)
{
    switch (unit) {
    case PROMETHEUS_SECONDS:
        return (uint64_t)stats_latency_bounds[i];
    case PROMETHEUS_BYTES:
        return stats_size_bounds[i];
    case PROMETHEUS_COUNT:
    case PROMETHEUS_RETRIES:
        return stats_count_bounds[i];
    }
    return 0;
}

/* The line of bucket i; the last one is +Inf. */
static void put_bucket(struct prometheus *p, enum prometheus_unit unit, unsigned i, uint64_t cumulative)
{
    put_text(p, p->name);
    put(p, SLICE("_bucket{"));
    put(p, slice_make(buf_head(&p->labels), buf_len(&p->labels)));
    if (buf_len(&p->labels) > 0)
        put(p, SLICE(","));
    put(p, SLICE("le=\""));
    if (i == bounds_of(unit))
        put(p, SLICE("+Inf"));
    else
        put_by_unit(p, unit, bound_of(unit, i));
    put(p, SLICE("\"} "));
    put_number(p, cumulative);
    put(p, SLICE("\n"));
}

void prometheus_histogram(struct prometheus *p, const struct prometheus_label *labels, enum prometheus_unit unit,
                          const struct tally *tally)
{
    uint64_t count = 0;
    print_labels(p, labels);
    for (unsigned i = 0; i < bounds_of(unit); i++) {
        count += tally->buckets[i];
        put_bucket(p, unit, i, count);
    }
    for (unsigned i = bounds_of(unit); i < STATS_BUCKETS_MAX; i++)
        count += tally->buckets[i];
    put_bucket(p, unit, bounds_of(unit), count);
    begin_sample(p, "_sum");
    put_by_unit(p, unit, tally->sum);
    put(p, SLICE("\n"));
    begin_sample(p, "_count");
    put_number(p, count);
    put(p, SLICE("\n"));
}

enum err prometheus_text(const struct prometheus *p, struct slice *ret)
{
    *ret = slice_make(buf_head(&p->out), buf_len(&p->out));
    return p->failed ? ERR_NOMEM : ERR_NONE;
}

void tally_add(struct tally *t, const struct histogram *h)
{
    t->sum += counter_get(&h->sum);
    for (int i = 0; i < STATS_BUCKETS_MAX; i++)
        t->buckets[i] += counter_get(&h->buckets[i]);
}
