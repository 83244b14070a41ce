/* One run of the simulation: the proxies under test, their callers and endpoints, and the judge. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "plan.h"
#include "wire.h"

#include "app/process.h"
#include "world.h"

enum { SIM_CALLERS_MAX = 5 };

#define SIM_IDLE_NS (20 * NS_PER_S) /* idle_timeout of the outbound sidecar */

struct caller; /* caller.c: one connection to the proxy after the other */
struct served; /* backend.c: a call at an endpoint */

/* A proxy under test with its configuration file. */
struct sidecar {
    struct process process;
    struct process_options options;
    char config[512];
    bool running;
};

/* Something planned that happens at a time; kept with the run. */
struct happening {
    struct list node;
    struct sim *sim;
    struct sim_call *call;
    unsigned which;
};

struct sim {
    struct plan plan;
    bool verbose;
    struct wires wires;
    struct sidecar outbound, inbound;
    struct caller *callers[SIM_CALLERS_MAX];
    struct backend *backends[PLAN_ENDPOINTS_MAX];
    struct tls_context *caller_tls, *endpoint_tls; /* NULL: clear text */
    struct address entry;                          /* where callers connect to */
    ns_t began, caller_delay_max;                  /* one way, to the entry */
    bool caller_is_slow;                           /* what it hears may come late for its own reasons */
    struct list happenings;
    struct world_faults far;                   /* of connections to endpoints while nothing special happens */
    struct address fronts[PLAN_ENDPOINTS_MAX]; /* what the outbound sidecar connects to */
    struct address places[PLAN_ENDPOINTS_MAX]; /* where endpoints listen */
    uint64_t hash;                             /* of outcomes */
    size_t open;                               /* calls submitted and not closed */
};

/* Tells what went wrong with the seed, and ends the program. */
_Noreturn void sim_violate(const struct sim *s, const struct sim_call *c, const char *what);

/* With --verbose: a line with the time. */
void sim_say(const struct sim *s, const struct sim_call *c, const char *what, long long number);

/* The path of a file beside the certificates; valid until the next call. */
const char *sim_path(const char *name);

/* sidecar.c: the configuration files, and the processes. `again`: with the rules and endpoints of a reload. */
void sidecar_write_outbound(const struct sim *s, bool again);
void sidecar_write_inbound(const struct sim *s, bool again);
void sidecar_start(struct sim *s, struct sidecar *p, const char *file);

/* nemesis.c: what goes wrong with the world and the endpoints, drawn for the time in which the calls begin; and the end
 * of all that: connections are new, endpoints are well. */
void nemesis_set_up(struct sim *s);
void nemesis_end(struct sim *s);

/* fn(happening) so long after the begin. */
void sim_plan(struct sim *s, ns_t after, void (*fn)(void *ctx), struct sim_call *call, unsigned which);

/* The name that the endpoints have in DNS, when they have one. */
#define SIM_NAME "sim.shop"

static inline bool sim_has_names(const struct sim *s)
{
    return s->plan.faults[FAULT_NAMES] && s->plan.place != PLACE_INBOUND;
}

/* witness.c: stands between exchanges and the call machine. */
void witness_begin(struct sim *s);
void witness_print(void);

/* True when every transition has been seen; else tells which not. */
bool witness_is_complete(void);

/* caller.c */
struct caller *caller_new(struct sim *s, unsigned index);
void caller_free(struct caller *c);

/* Begins the call (connecting first when there is no connection). */
void caller_start(struct caller *c, struct sim_call *call);
void caller_cancel(struct caller *c, struct sim_call *call);

/* The connection breaks off, as by a reset. */
void caller_break(struct caller *c);

/* Stops and starts reading. */
void caller_pause(struct caller *c, bool paused);

/* backend.c */
struct backend *backend_new(struct sim *s, unsigned index, const struct address *a);
void backend_free(struct backend *s);
void backend_stop(struct backend *s); /* closes everything */
void backend_start(struct backend *s);
void backend_go_away(struct backend *s);               /* GOAWAY on all connections */
void backend_sicken(struct backend *s, ns_t until);    /* it fails whatever comes */
void backend_slow_down(struct backend *s, ns_t until); /* it takes longer */

/* judge.c: what must hold after every step, and at the end. */
void judge_step(struct sim *s);
void judge_final(struct sim *s, struct sim_call *c);
void judge_end(struct sim *s);

#endif
