/* Endpoints that come from elsewhere: one source for each service of the configuration in force that names one. It asks
 * in the way of its kind, keeps what was told last, and a changed set becomes a new generation. Control thread only. */
#ifndef APP_SOURCE_H
#define APP_SOURCE_H

#include "app/process.h"
#include "base/rng.h"
#include "net/lookup.h"

struct source_kind;

#define SOURCE_MERGE_NS (20 * NS_PER_MS) /* changes within this become one generation */

enum { SOURCE_ENDPOINTS_MAX = 10000, SOURCE_WHY_MAX = 200 };

/* Owned by: process->sources. */
struct source {
    struct process *process;
    const struct source_kind *kind;
    enum endpoint_source from;
    char *service; /* whose endpoints they are */
    char *key;     /* what is asked, and how; conf's source_key */
    char *text;    /* the same for people */

    struct member *v; /* the last good set; names in it live as long; owned */
    size_t n;
    bool known; /* there was a good answer */

    uint64_t updates;  /* good answers */
    uint64_t changes;  /* of the set */
    uint32_t failures; /* in a row */
    uint64_t failed[LOOKUP_STATUS_COUNT];
    enum lookup_status error; /* of the last answer; LOOKUP_OK when nothing of it failed */
    char why[SOURCE_WHY_MAX]; /* the same in words, "" when there are none */
    ns_t good_at, good_wall;  /* of the last good answer; NS_NEVER and 0 when there was none */
    ns_t due;                 /* when it asks next; NS_NEVER: it is told */

    struct rng rng;
    struct loop_timer *timer; /* for its kind */
    void *state;              /* of its kind */
    bool wanted;
    struct list node;
};

/* Begins and ends sources so that they are those of the generation in force. What goes on keeps its answers and its
 * rhythm. */
void source_sync(struct process *p);

/* The source behind this service, NULL when there is none (yet). */
const struct source *source_find(const struct process *p, const struct service_conf *conf);

/* Whether each has had a good answer. */
bool source_all_known(const struct process *p);

/* A worker lost an endpoint of this scope, or cannot reach it: if it came from a name, the name is looked up again
 * soon. Any thread; costs one message between two look-ups. */
void source_doubt(struct process *p, struct scope *scope);

/* Files may have changed: sources that are files look at theirs. */
void source_look(struct process *p);

/* Ends all. */
void source_free_all(struct process *p);

#endif
