/* The simulator: sim [--seeds N] [--from SEED] [--calls N], or sim --seed N [--calls N] [--verbose] for one of them.
 * SIM_SEEDS sets how many when no option does. Each seed is a run of the real app with TLS in virtual time under drawn
 * faults. */
#include "sim.h"

#include "run.h"

#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 100, CALLS = 1000, TWICE_EVERY = 20, FAULTS_MIN = 3, OK_PERCENT_MIN = 30 };

struct options {
    uint64_t seeds, from, seed; /* seed 0: all */
    size_t calls;
    bool verbose;
};

static bool take_number(int argc, char **argv, int *i, uint64_t *ret)
{
    char *end;
    if (*i + 1 >= argc)
        return false;
    *ret = strtoull(argv[++*i], &end, 10);
    return *end == '\0' && *ret > 0;
}

static bool parse(int argc, char **argv, struct options *o)
{
    const char *seeds = getenv("SIM_SEEDS");
    uint64_t calls = CALLS;
    *o = (struct options){.seeds = seeds ? strtoull(seeds, NULL, 10) : SEEDS, .from = 1};
    for (int i = 1; i < argc; i++) {
        bool ok = false;
        if (strcmp(argv[i], "--seeds") == 0)
            ok = take_number(argc, argv, &i, &o->seeds);
        else if (strcmp(argv[i], "--from") == 0)
            ok = take_number(argc, argv, &i, &o->from);
        else if (strcmp(argv[i], "--seed") == 0)
            ok = take_number(argc, argv, &i, &o->seed);
        else if (strcmp(argv[i], "--calls") == 0)
            ok = take_number(argc, argv, &i, &calls);
        else if (strcmp(argv[i], "--verbose") == 0)
            ok = o->verbose = true;
        if (!ok)
            return false;
    }
    o->calls = (size_t)calls;
    return o->seeds > 0;
}

static bool check_same(uint64_t seed, const struct options *o, uint64_t trace)
{
    struct run_result again = run_seed(seed, o->calls, false);
    if (again.trace == trace)
        return true;
    (void)fprintf(stderr, "sim: seed %llu gives another trace the second time\n", (unsigned long long)seed);
    return false;
}

static void print(const char *name, uint64_t n, const struct run_result *r)
{
    (void)printf("%s %llu: %zu calls, %zu ok, %zu failed, %zu cancelled, %zu lost, %u faults, trace %016llx\n", name,
                 (unsigned long long)n, r->calls, r->ok, r->failed, r->cancelled, r->lost, r->faults,
                 (unsigned long long)r->trace);
}

static uint64_t current;

/* An assertion, or the world gave up: which seed was it? */
static void on_abort(int number)
{
    (void)number;
    (void)fprintf(stderr, "sim: aborted in seed %llu; run it alone: sim --seed %llu --verbose\n",
                  (unsigned long long)current, (unsigned long long)current);
}

static int run_all(const struct options *o)
{
    struct run_result all = {0};
    for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
        current = seed;
        struct run_result r = run_seed(seed, o->calls, false);
        if (r.faults < FAULTS_MIN || (seed % TWICE_EVERY == 1 && !check_same(seed, o, r.trace)))
            return 1;
        all = (struct run_result){.trace = all.trace * 31 + r.trace,
                                  .calls = all.calls + r.calls,
                                  .ok = all.ok + r.ok,
                                  .failed = all.failed + r.failed,
                                  .cancelled = all.cancelled + r.cancelled,
                                  .lost = all.lost + r.lost,
                                  .faults = all.faults + r.faults};
    }
    print("seeds", o->seeds, &all);
    witness_print();
    if (all.ok * 100 < all.calls * OK_PERCENT_MIN) {
        (void)fprintf(stderr, "sim: fewer than %d in 100 calls were OK: the faults hide the proxy\n", OK_PERCENT_MIN);
        return 1;
    }
    return o->seeds < SEEDS || witness_is_complete() ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!parse(argc, argv, &o)) {
        (void)fprintf(stderr,
                      "usage: sim [--seeds N] [--from SEED] [--calls N] | sim --seed N [--calls N] [--verbose]\n");
        return 2;
    }
    if (!o.verbose)
        log_to(-1);
    (void)signal(SIGABRT, on_abort);
    run_prepare();
    int code = 0;
    if (o.seed > 0) {
        current = o.seed;
        struct run_result r = run_seed(o.seed, o.calls, o.verbose);
        print("seed", o.seed, &r);
        code = check_same(o.seed, &o, r.trace) ? 0 : 1;
    } else {
        code = run_all(&o);
    }
    run_finish();
    return code;
}
