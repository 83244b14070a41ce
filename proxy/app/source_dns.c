/* Drives the DNS machine of a source: its timer and its look-up. */
#include "app/source_kind.h"

#include "base/log.h"
#include "base/must.h"
#include "discovery/dns.h"

#include <stdlib.h>

struct state {
    struct address name; /* kind NAME, its text owned */
    struct dns dns;
    struct lookup *lookup; /* under way, or NULL */
};

static void tell_failure(struct source *s, const struct dns *d)
{
    source_on_failed(s, d->error, NULL);
    source_arm(s, d->due);
}

static void take_set(struct source *s, const struct dns *d)
{
    struct member *v = must_have(calloc(d->n + 1, sizeof *v));
    for (size_t i = 0; i < d->n; i++)
        v[i] = member_of(d->v[i]);
    source_on_good(s, v, d->n);
    s->error = d->error; /* of a family beside the good one */
    free(v);
}

static void on_answer(void *ctx, const struct lookup_answer *answer)
{
    struct source *s = ctx;
    struct state *state = s->state;
    struct dns *d = &state->dns;
    bool cut = d->cut;
    dns_on_answer(d, answer, loop_now(s->process->loop), &s->rng);
    lookup_free(state->lookup);
    state->lookup = NULL;
    source_on_asked(s);
    if (d->cut && !cut)
        log_line(LOG_WARN, "endpoints_cut", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_NUMBER("most", DNS_ADDRESSES_MAX));
    if (d->failures > 0) {
        tell_failure(s, d);
        return;
    }
    take_set(s, d);
    source_arm(s, d->due);
}

static void ask(struct source *s)
{
    struct state *state = s->state;
    state->lookup = lookup_new(s->process->loop, &state->name, on_answer, s);
    s->due = loop_now(s->process->loop);
    if (state->lookup)
        return;
    dns_on_failure(&state->dns, LOOKUP_FAILED, loop_now(s->process->loop), &s->rng);
    tell_failure(s, &state->dns);
}

static void doubt(struct source *s)
{
    struct state *state = s->state;
    if (state->lookup)
        return;
    dns_on_doubt(&state->dns, loop_now(s->process->loop), &s->rng);
    source_arm(s, state->dns.due);
}

static void start(struct source *s, const struct service_conf *conf)
{
    struct state *state = s->state = must_have(calloc(1, sizeof *state));
    state->name = conf->endpoints[0];
    state->name.name = must_have(strdup(conf->endpoints[0].name));
    dns_init(&state->dns);
    source_arm(s, state->dns.due);
}

static void stop(struct source *s)
{
    struct state *state = s->state;
    lookup_free(state->lookup);
    dns_fini(&state->dns);
    free((char *)(uintptr_t)state->name.name);
    free(state);
}

const struct source_kind source_dns = {.start = start, .stop = stop, .on_timer = ask, .on_doubt = doubt};
