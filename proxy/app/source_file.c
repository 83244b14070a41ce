/* A file of endpoints as a source: read again when it has changed, and kept as it was while it is wrong. */
#include "app/source_kind.h"

#include "base/must.h"
#include "conf/endpoints_file.h"

#include <stdlib.h>

struct state {
    char *path, *zone;
    uint64_t mark; /* of the content read last, good or not */
};

static void tell_problems(struct source *s, const struct problems *p)
{
    char why[SOURCE_WHY_MAX] = "";
    for (size_t i = 0; i < p->n && !why[0]; i++)
        if (p->v[i].kind == PROBLEM_ERROR)
            problem_format(&p->v[i], why, sizeof why);
    source_on_failed(s, LOOKUP_MALFORMED, why);
}

static void read_again(struct source *s)
{
    struct state *state = s->state;
    struct problems problems;
    struct member *v;
    size_t n;
    problems_init(&problems);
    if (endpoints_file_load(state->path, state->zone, &problems.arena, &v, &n, &problems))
        source_on_good(s, v, n);
    else
        tell_problems(s, &problems);
    problems_fini(&problems);
}

static void look(struct source *s)
{
    struct state *state = s->state;
    uint64_t mark = file_fingerprint(state->path); /* before reading: a change in between is seen again */
    if (mark == state->mark)
        return;
    state->mark = mark;
    read_again(s);
}

static void start(struct source *s, const struct service_conf *conf)
{
    struct state *state = s->state = must_have(calloc(1, sizeof *state));
    state->path = must_have(strdup(conf->file));
    state->zone = must_have(strdup(s->process->current->snapshot->node.zone));
    source_arm(s, NS_NEVER);
    look(s);
}

static void stop(struct source *s)
{
    struct state *state = s->state;
    free(state->path);
    free(state->zone);
    free(state);
}

const struct source_kind source_file = {.start = start, .stop = stop, .on_timer = look, .look = look};
