/* Inner side of load.c: what its parts share while a snapshot is being made. Included by load*.c and check.c only. */
#ifndef CONF_LOADER_H
#define CONF_LOADER_H

#include "conf/load.h"
#include "conf/schema.h"
#include "conf/tree.h"

/* Owned by: load_text. Borrows: tree, problems. The arrays are as long as those of the snapshot and live in the tree's
 * arena. */
struct loader {
    struct snapshot *s;
    struct tree *tree;
    struct problems *p;
    unsigned cores;
    const struct node *services, *policies; /* sections, or NULL */
    const struct node **listener_nodes;     /* of s->listeners */
    bool *service_used, *policy_used;       /* by index in the section */
};

/* The place of a value, with the snapshot's copy of the file name. */
struct place loader_place(const struct loader *l, const struct node *n);

/* A terminated copy of a scalar in the snapshot; "" for NULL. */
const char *loader_text(struct loader *l, const struct node *n);

/* The path that a scalar names, relative to the folder of the file; NULL for NULL. */
const char *loader_path(struct loader *l, const struct node *n);

/* An address that the schema found good; a unix path is resolved as loader_path does. */
struct address loader_address(struct loader *l, const struct node *n);

/* The policy that the scalar names (an error when there is none), or the built-in one for NULL. */
const struct policy *loader_policy(struct loader *l, const struct node *n);

/* Like loader_policy, for a service named by `name`, whose place is that of n or its key. NULL after an error. */
const struct service_conf *loader_service(struct loader *l, const struct node *n, struct slice name,
                                          struct place place);

bool loader_is(const struct node *n, const char *word);

/* mutual for NULL. */
enum tls_mode loader_tls(const struct node *n);

void load_policies(struct loader *l);
void load_services(struct loader *l, size_t inbound_n);
void load_listeners(struct loader *l, const struct node *inbound, const struct node *outbound);

#endif
