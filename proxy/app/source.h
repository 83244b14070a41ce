/* Endpoints that come from a DNS name: one look-up after the other, for as long as a service of the configuration in
 * force names it. A changed set becomes a new generation. Control thread only. */
#ifndef APP_SOURCE_H
#define APP_SOURCE_H

#include "app/process.h"
#include "base/rng.h"
#include "discovery/dns.h"

/* Owned by: process->sources. */
struct source {
    struct process *process;
    char *service;       /* whose endpoints they are */
    struct address name; /* kind NAME, its text owned */
    char text[ADDRESS_TEXT_MAX];
    struct dns dns;
    struct rng rng;
    struct lookup *lookup; /* under way, or NULL */
    struct loop_timer *timer;
    ns_t good_wall; /* when the last good answer came, 0: never */
    bool wanted;
    struct list node;
};

/* Begins and ends sources so that they are those of the generation in force. What goes on keeps its answers and its
 * rhythm. */
void source_sync(struct process *p);

/* The source behind this service, NULL when there is none (yet). */
const struct source *source_find(const struct process *p, const struct service_conf *conf);

/* A worker lost an endpoint of this scope, or cannot reach it: if it came from a name, the name is looked up again
 * soon. Any thread; costs one message between two look-ups. */
void source_doubt(struct process *p, struct scope *scope);

/* Ends all. */
void source_free_all(struct process *p);

#endif
