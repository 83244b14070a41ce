/* Writes the files of the proxies under test, and starts them without threads. */
#include "sim.h"

#include "app/worker.h"
#include "conf/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *open_file(const char *name)
{
    FILE *f = fopen(sim_path(name), "w");
    if (!f)
        abort();
    return f;
}

static void close_file(FILE *f)
{
    if (fclose(f) != 0)
        abort();
}

/* "10.0.0.1:P", ... for the endpoints `from` up to all of them. */
static void write_endpoints(FILE *f, const struct sim *s, unsigned from)
{
    char text[ADDRESS_TEXT_MAX];
    for (unsigned i = from; i < s->plan.endpoints; i++) {
        address_format(&s->fronts[i], text, sizeof text);
        (void)fprintf(f, "%s\"%s\"", i > from ? ", " : "", text);
    }
}

static void write_service(FILE *f, const struct sim *s, bool again)
{
    const struct plan *p = &s->plan;
    bool tls = p->place != PLACE_OUTBOUND;
    (void)fprintf(f, "services:\n  sim:\n    endpoints: ");
    if (sim_has_names(s)) {
        (void)fprintf(f, "{ dns: \"%s:%u\" }\n", SIM_NAME, s->fronts[0].port);
    } else {
        (void)fprintf(f, "{ static: [");
        write_endpoints(f, s, again && p->endpoints > 1 ? 1 : 0);
        (void)fprintf(f, "] }\n");
    }
    (void)fprintf(f, "    balance: %s\n    tls: %s\n    policy: sim\n", p->balance, tls ? "mutual" : "off");
    if (tls)
        (void)fprintf(f, "    peer: { identity: \"spiffe://sim/payment\" }\n");
}

/* The second one after a reload has other endpoints and rules. */
void sidecar_write_outbound(const struct sim *s, bool again)
{
    FILE *f = open_file("outbound.yaml");
    (void)fprintf(f, "version: 1\n");
    if (s->plan.place != PLACE_OUTBOUND)
        (void)fprintf(f, "identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }\n");
    (void)fprintf(f, "outbound:\n  - listen: 127.0.0.1:%u\n    routes: [ { service: sim } ]\n", s->entry.port);
    write_service(f, s, again);
    (void)fprintf(f, "policies:\n");
    rules_write(&s->plan.rules[again], "sim", SIM_IDLE_NS / NS_PER_S, f);
    close_file(f);
}

void sidecar_write_inbound(const struct sim *s, bool again)
{
    FILE *f = open_file("inbound.yaml");
    const struct plan *p = &s->plan;
    (void)fprintf(
        f, "version: 1\nidentity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }\ninbound:\n");
    for (unsigned i = 0; i < p->endpoints; i++) {
        char front[ADDRESS_TEXT_MAX], place[ADDRESS_TEXT_MAX];
        address_format(&s->fronts[i], front, sizeof front);
        address_format(&s->places[i], place, sizeof place);
        (void)fprintf(f, "  - { listen: \"%s\", forward: \"%s\", policy: sim }\n", front, place);
    }
    (void)fprintf(f, "policies:\n");
    rules_write(p->place == PLACE_PAIR ? &p->guard : &p->rules[again], "sim", SIM_IDLE_NS / NS_PER_S, f);
    close_file(f);
}

/* Beside the files that name them. */
static void link_descriptors(void)
{
    char *path = realpath("config/payment.binpb", NULL);
    if (!path || symlink(path, sim_path("payment.binpb")) != 0)
        abort();
    free(path);
}

void sidecar_start(struct sim *s, struct sidecar *p, const char *file)
{
    char error[PROCESS_ERROR_MAX] = "?";
    struct problems problems;
    if (access(sim_path("payment.binpb"), R_OK) != 0)
        link_descriptors();
    (void)snprintf(p->config, sizeof p->config, "%s", sim_path(file));
    problems_init(&problems);
    struct snapshot *snapshot = load_file(p->config, &problems);
    if (!snapshot)
        problems_print(&problems, stderr);
    problems_fini(&problems);
    p->options = (struct process_options){.config = p->config};
    if (!snapshot || process_init(&p->process, &p->options, snapshot, error) != ERR_NONE)
        sim_violate(s, NULL, error);
    for (uint32_t i = 0; i < p->process.workers_n; i++)
        rng_init(&p->process.workers[i]->rng, s->plan.seed * 31 + i);
    p->process.ready = true;
    p->running = true;
}
