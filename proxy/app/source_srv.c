/* SRV records as a source: one round asks for them, then for the addresses of the hosts that they name. Each host has a
 * DNS machine of its own, so that one that cannot be found keeps what it had. */
#include "app/source_kind.h"

#include "base/must.h"
#include "discovery/dns.h"

#include <stdlib.h>

enum { ASKED_AT_ONCE = 8, WEIGHT_UNIT = 100 };

struct host {
    struct srv_record record;
    struct dns dns;
    bool asked; /* in this round */
};

/* One look-up under way for a host. */
struct asking {
    struct source *source;
    struct host *host;
    struct lookup *lookup; /* NULL: free */
};

struct state {
    char *name;
    struct lookup *lookup; /* of the records */
    struct host *hosts;    /* owned */
    size_t hosts_n;
    struct asking asking[ASKED_AT_ONCE];
    struct dns pace; /* of the records: how long they hold, and when to ask after a failure */
};

static ns_t now_of(const struct source *s)
{
    return loop_now(s->process->loop);
}

static struct host *find_host(const struct state *st, const struct srv_record *r)
{
    for (size_t i = 0; i < st->hosts_n; i++)
        if (st->hosts[i].record.port == r->port && strcmp(st->hosts[i].record.host, r->host) == 0)
            return &st->hosts[i];
    return NULL;
}

/* Hosts that stay keep what is known of them. */
static void take_records(struct state *st, const struct srv_record *v, size_t n)
{
    struct host *hosts = must_have(calloc(n, sizeof *hosts));
    for (size_t i = 0; i < n; i++) {
        struct host *old = find_host(st, &v[i]);
        if (old) {
            hosts[i].dns = old->dns;
            old->dns = (struct dns){0};
        } else {
            dns_init(&hosts[i].dns);
        }
        hosts[i].record = v[i];
    }
    for (size_t i = 0; i < st->hosts_n; i++)
        dns_fini(&st->hosts[i].dns);
    free(st->hosts);
    st->hosts = hosts;
    st->hosts_n = n;
}

/* A weight of 0 is a very small one beside others (RFC 2782). */
static uint32_t weight_of(const struct state *st, const struct srv_record *r)
{
    bool weighted = false;
    for (size_t i = 0; i < st->hosts_n; i++)
        weighted |= st->hosts[i].record.weight > 0;
    return !weighted || r->weight == 0 ? 1 : WEIGHT_UNIT * (uint32_t)r->weight;
}

static bool has_address(const struct member *v, size_t n, const struct address *a)
{
    for (size_t i = 0; i < n; i++)
        if (address_eq(&v[i].address, a))
            return true;
    return false;
}

/* The addresses of all hosts; one that two have counts for the first. */
static size_t gather(const struct state *st, struct member *v, ns_t *ret_due)
{
    size_t n = 0;
    for (size_t i = 0; i < st->hosts_n; i++) {
        const struct host *h = &st->hosts[i];
        struct rank rank = {.weight = weight_of(st, &h->record), .priority = h->record.priority};
        for (size_t k = 0; k < h->dns.n && n < DNS_ADDRESSES_MAX; k++)
            if (!has_address(v, n, &h->dns.v[k]))
                v[n++] = (struct member){.address = h->dns.v[k], .rank = rank};
        *ret_due = ns_min(*ret_due, h->dns.due);
    }
    return n;
}

static enum lookup_status worst(const struct state *st)
{
    for (size_t i = 0; i < st->hosts_n; i++)
        if (st->hosts[i].dns.failures > 0)
            return st->hosts[i].dns.error;
    return LOOKUP_OK;
}

/* Every host has answered or failed. */
static void finish(struct source *s)
{
    struct state *st = s->state;
    struct member *v = must_have(calloc(DNS_ADDRESSES_MAX, sizeof *v));
    ns_t due = st->pace.due;
    size_t n = gather(st, v, &due);
    source_on_asked(s);
    if (n > 0) {
        source_on_good(s, v, n);
        s->error = worst(st);
    } else {
        source_on_failed(s, worst(st), "no host of the records has an address");
    }
    free(v);
    ns_t least = ns_add(now_of(s), DNS_TTL_MIN_NS);
    source_arm(s, due > least ? due : least);
}

static void ask_hosts(struct source *s);

static void on_addresses(void *ctx, const struct lookup_answer *answer)
{
    struct asking *a = ctx;
    struct source *s = a->source;
    dns_on_answer(&a->host->dns, answer, now_of(s), &s->rng);
    lookup_free(a->lookup);
    a->lookup = NULL;
    ask_hosts(s);
}

static void ask_host(struct source *s, struct asking *a, struct host *h)
{
    struct address name = {.kind = ADDRESS_NAME, .name = h->record.host, .port = h->record.port};
    h->asked = true;
    *a = (struct asking){.source = s, .host = h};
    a->lookup = lookup_new(s->process->loop, &name, on_addresses, a);
    if (!a->lookup)
        dns_on_failure(&h->dns, LOOKUP_FAILED, now_of(s), &s->rng);
}

static struct host *next_host(const struct state *st)
{
    for (size_t i = 0; i < st->hosts_n; i++)
        if (!st->hosts[i].asked)
            return &st->hosts[i];
    return NULL;
}

/* As many at once as there are places; none left and none under way: the round is over. */
static void ask_hosts(struct source *s)
{
    struct state *st = s->state;
    bool busy = false;
    for (size_t i = 0; i < ASKED_AT_ONCE; i++) {
        struct host *h;
        while (!st->asking[i].lookup && (h = next_host(st)))
            ask_host(s, &st->asking[i], h);
        busy |= st->asking[i].lookup != NULL;
    }
    if (!busy)
        finish(s);
}

/* The records as an answer that the pace understands: it needs an address where there is a record. */
static void set_pace(struct source *s, const struct lookup_answer *answer)
{
    struct state *st = s->state;
    struct address any = {.kind = ADDRESS_IPV4, .port = 1};
    struct lookup_answer as = *answer;
    as.parts[LOOKUP_V4].v = &any;
    as.parts[LOOKUP_V4].n = answer->srv_n > 0;
    dns_on_answer(&st->pace, &as, now_of(s), &s->rng);
}

static void on_records(void *ctx, const struct lookup_answer *answer)
{
    struct source *s = ctx;
    struct state *st = s->state;
    set_pace(s, answer);
    if (st->pace.failures == 0)
        take_records(st, answer->srv, answer->srv_n);
    lookup_free(st->lookup);
    st->lookup = NULL;
    if (st->pace.failures == 0) {
        ask_hosts(s);
        return;
    }
    source_on_asked(s);
    source_on_failed(s, st->pace.error, NULL);
    source_arm(s, st->pace.due);
}

static bool is_busy(const struct state *st)
{
    bool busy = st->lookup != NULL;
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        busy |= st->asking[i].lookup != NULL;
    return busy;
}

static void ask(struct source *s)
{
    struct state *st = s->state;
    st->lookup = lookup_srv_new(s->process->loop, st->name, on_records, s);
    if (st->lookup)
        return;
    dns_on_failure(&st->pace, LOOKUP_FAILED, now_of(s), &s->rng);
    source_on_failed(s, LOOKUP_FAILED, NULL);
    source_arm(s, st->pace.due);
}

static void doubt(struct source *s)
{
    struct state *st = s->state;
    if (is_busy(st))
        return;
    dns_on_doubt(&st->pace, now_of(s), &s->rng);
    source_arm(s, ns_min(s->due, st->pace.due));
}

static void start(struct source *s, const struct service_conf *conf)
{
    struct state *st = s->state = must_have(calloc(1, sizeof *st));
    st->name = must_have(strdup(conf->source_text));
    dns_init(&st->pace);
    source_arm(s, st->pace.due);
}

static void stop(struct source *s)
{
    struct state *st = s->state;
    lookup_free(st->lookup);
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        lookup_free(st->asking[i].lookup);
    for (size_t i = 0; i < st->hosts_n; i++)
        dns_fini(&st->hosts[i].dns);
    dns_fini(&st->pace);
    free(st->hosts);
    free(st->name);
    free(st);
}

const struct source_kind source_srv = {.start = start, .stop = stop, .on_timer = ask, .on_doubt = doubt};
