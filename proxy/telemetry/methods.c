/* Gathers the entries of all tables, sorts those of one method together, and prints each family over them. */
#include "telemetry/methods.h"

#include <stdlib.h>

enum part { STARTED, DURATION, SENT, RECEIVED, RETRIES, TRANSPARENT, DELAY };

struct family {
    const char *name, *help;
    bool of_attempts;
    enum part part;
};

static const struct family server_families[] = {
    {"grpc_server_call_started_total", "Calls that arrived, ended or not.", false, STARTED},
    {"grpc_server_call_duration_seconds", "Time from the request's headers to the final status.", false, DURATION},
    {"grpc_server_call_sent_total_compressed_message_size_bytes", "Response message bytes of a call, as on the wire.",
     false, SENT},
    {"grpc_server_call_rcvd_total_compressed_message_size_bytes", "Request message bytes of a call, as on the wire.",
     false, RECEIVED},
};

static const struct family client_families[] = {
    {"grpc_client_attempt_started_total", "Attempts that were started, ended or not.", true, STARTED},
    {"grpc_client_attempt_duration_seconds", "Time from the start of an attempt to its end.", true, DURATION},
    {"grpc_client_attempt_sent_total_compressed_message_size_bytes",
     "Request message bytes of an attempt, as on the wire.", true, SENT},
    {"grpc_client_attempt_rcvd_total_compressed_message_size_bytes",
     "Response message bytes of an attempt, as on the wire.", true, RECEIVED},
    {"grpc_client_call_duration_seconds", "Time from the request's headers to the final status, over all attempts.",
     false, DURATION},
    {"grpc_client_call_retries", "Attempts by the retry policy of a call that had any.", false, RETRIES},
    {"grpc_client_call_transparent_retries",
     "Attempts of a call that were sent again because the application never saw the one before, when there were any.",
     false, TRANSPARENT},
    {"grpc_client_call_retry_delay_seconds", "Time without an attempt, of a call that was tried again.", false, DELAY},
};

/* What one table knows of a method. */
struct row {
    const char *target; /* NULL: server side */
    const struct method_entry *entry;
};

struct rows {
    const char *target; /* of the table that is being walked */
    struct row *v;      /* owned */
    size_t n, cap;
    bool failed;
};

static void gather(void *ctx, const struct method_entry *entry)
{
    struct rows *rows = ctx;
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 64;
        struct row *v = realloc(rows->v, cap * sizeof *v);
        if (!v) {
            rows->failed = true;
            return;
        }
        rows->v = v;
        rows->cap = cap;
    }
    rows->v[rows->n++] = (struct row){rows->target, entry};
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = x->target ? strcmp(x->target, y->target) : 0;
    struct slice p = x->entry->path, q = y->entry->path;
    if (order == 0 && p.n > 0 && q.n > 0)
        order = memcmp(p.p, q.p, p.n < q.n ? p.n : q.n);
    return order ? order : (p.n > q.n) - (p.n < q.n);
}

static const struct method_stats *stats_of(const struct row *row, const struct family *f)
{
    return f->of_attempts ? &row->entry->attempts : &row->entry->calls;
}

static const struct histogram *histogram_of(const struct status_stats *s, enum part part)
{
    switch (part) {
    case STARTED:
    case RETRIES:
    case TRANSPARENT:
    case DELAY:
        break;
    case DURATION:
        return &s->duration;
    case SENT:
        return &s->sent;
    case RECEIVED:
        return &s->received;
    }
    return NULL;
}

/* Labels of one method: its name without the first slash, or "other"; room for the status. */
static void label(struct prometheus_label *labels, const struct row *row)
{
    struct slice path = row->entry->path;
    size_t n = 0;
    labels[n++] = (struct prometheus_label){"grpc_method", path.n ? slice_sub(path, 1, path.n) : SLICE("other")};
    if (row->target)
        labels[n++] = (struct prometheus_label){"grpc_target", slice_str(row->target)};
    labels[n] = labels[n + 1] = (struct prometheus_label){NULL, {NULL, 0}};
}

static void print_started(struct prometheus *p, const struct family *f, const struct row *rows, size_t n)
{
    struct prometheus_label labels[4];
    uint64_t started = 0;
    for (size_t i = 0; i < n; i++)
        started += counter_get(&stats_of(&rows[i], f)->started);
    label(labels, rows);
    prometheus_sample(p, labels, started);
}

static void print_status(struct prometheus *p, const struct family *f, const struct row *rows, size_t n,
                         unsigned status)
{
    struct tally tally = {0};
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        const struct status_stats *s =
            atomic_load_explicit(&stats_of(&rows[i], f)->by_status[status], memory_order_acquire);
        if (!s)
            continue;
        tally_add(&tally, histogram_of(s, f->part));
        any = true;
    }
    if (!any)
        return;
    struct prometheus_label labels[4];
    label(labels, rows);
    size_t last = rows->target ? 2 : 1;
    labels[last] = (struct prometheus_label){"grpc_status", slice_str(status_name(status))};
    prometheus_histogram(p, labels, f->part == DURATION ? PROMETHEUS_SECONDS : PROMETHEUS_BYTES, &tally);
}

static const struct histogram *again_of(const struct retry_stats *s, enum part part)
{
    return part == RETRIES ? &s->retries : part == TRANSPARENT ? &s->transparent : &s->delay;
}

static enum prometheus_unit unit_of_again(enum part part)
{
    if (part == DELAY)
        return PROMETHEUS_SECONDS;
    return part == RETRIES ? PROMETHEUS_RETRIES : PROMETHEUS_COUNT;
}

static bool is_of_again(enum part part)
{
    return part == RETRIES || part == TRANSPARENT || part == DELAY;
}

/* Calls of every status together. */
static void print_again(struct prometheus *p, const struct family *f, const struct row *rows, size_t n)
{
    struct prometheus_label labels[4];
    struct tally tally = {0};
    uint64_t calls = 0;
    for (size_t i = 0; i < n; i++)
        tally_add(&tally, again_of(&rows[i].entry->again, f->part));
    for (int i = 0; i < STATS_BUCKETS_MAX; i++)
        calls += tally.buckets[i];
    if (calls == 0)
        return;
    label(labels, rows);
    prometheus_histogram(p, labels, unit_of_again(f->part), &tally);
}

/* The n rows are one method. */
static void print_method(struct prometheus *p, const struct family *f, const struct row *rows, size_t n)
{
    if (f->part == STARTED) {
        print_started(p, f, rows, n);
        return;
    }
    if (is_of_again(f->part)) {
        print_again(p, f, rows, n);
        return;
    }
    for (unsigned status = 0; status < STATUS_COUNT; status++)
        print_status(p, f, rows, n, status);
}

static void print_family(struct prometheus *p, const struct family *f, const struct rows *rows)
{
    prometheus_family(p, f->name, f->part == STARTED ? PROMETHEUS_COUNTER : PROMETHEUS_HISTOGRAM, f->help);
    for (size_t from = 0, to; from < rows->n; from = to) {
        to = from + 1;
        while (to < rows->n && compare(&rows->v[from], &rows->v[to]) == 0)
            to++;
        print_method(p, f, rows->v + from, to - from);
    }
}

static enum err render(struct prometheus *p, const struct methods_source *sources, size_t n, bool is_server,
                       const struct family *families, size_t families_n)
{
    struct rows rows = {0};
    for (size_t i = 0; i < n; i++) {
        rows.target = is_server ? NULL : sources[i].target;
        for (size_t t = 0; t < sources[i].tables_n; t++)
            method_table_each(sources[i].tables[t], gather, &rows);
    }
    if (rows.n > 0)
        qsort(rows.v, rows.n, sizeof *rows.v, compare);
    for (size_t i = 0; i < families_n; i++)
        print_family(p, &families[i], &rows);
    free(rows.v);
    return rows.failed || p->failed ? ERR_NOMEM : ERR_NONE;
}

enum err methods_render_server(struct prometheus *p, const struct methods_source *inbound, size_t n)
{
    return render(p, inbound, n, true, server_families, sizeof server_families / sizeof server_families[0]);
}

enum err methods_render_client(struct prometheus *p, const struct methods_source *outbound, size_t n)
{
    return render(p, outbound, n, false, client_families, sizeof client_families / sizeof client_families[0]);
}
