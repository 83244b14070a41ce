/* What a kind of source does, and what all of them tell source.c. Included by source*.c only. */
#ifndef APP_SOURCE_KIND_H
#define APP_SOURCE_KIND_H

#include "app/source.h"

struct source_kind {
    /* Makes s->state and begins to ask. `conf` is borrowed until it returns. */
    void (*start)(struct source *s, const struct service_conf *conf);
    /* Frees s->state. */
    void (*stop)(struct source *s);
    void (*on_timer)(struct source *s);
    void (*on_doubt)(struct source *s); /* NULL: nothing to do */
    void (*look)(struct source *s);     /* files may have changed; NULL: nothing to do */
};

extern const struct source_kind source_dns, source_srv, source_file, source_kubernetes;

/* A good answer: counts it, ends a row of failures, and publishes the set when it is another one. Copies v, whose names
 * must be NULL. More than SOURCE_ENDPOINTS_MAX are cut. */
void source_on_good(struct source *s, const struct member *v, size_t n);

/* A failed one: counts and tells it; the set stays. `why` may be NULL. */
void source_on_failed(struct source *s, enum lookup_status error, const char *why);

/* Of a service that workers doubt: from now on they tell again. */
void source_on_asked(struct source *s);

/* Sets the timer and `due`. */
void source_arm(struct source *s, ns_t at);

#endif
