/* Inner side of load.c: what its parts share while a snapshot is being made. Included by load*.c and check.c only. */
#ifndef CONF_LOADER_H
#define CONF_LOADER_H

#include "conf/descriptors.h"
#include "conf/load.h"
#include "conf/schema.h"
#include "conf/tree.h"

/* A file that the configuration names and conf/ reads. Owned by: the tree's arena. */
struct loader_file {
    const char *path;
    struct descriptors descriptors;
    const char *error; /* what is wrong with it; NULL: nothing */
    struct loader_file *next;
};

struct policy_file;

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
    bool skip_files;                        /* as load_env says */
    struct loader_file *files;              /* read so far, each once */
    const struct yaml_env *variables;
    bool policies_missing;            /* files of policy_dir were not read, or not taken: a name may stand in one */
    struct policy_file *policy_files; /* of policy_dir, in order of their names; owned */
};

/* The snapshot's copy of the name of the file in which it stands. */
const char *loader_file_of(const struct loader *l, const struct node *n);

/* The place of its key. */
struct place loader_key_place(const struct loader *l, const struct node *n);

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

/* Reads up to `size` bytes of a file; -1 with errno. */
ssize_t loader_read(const char *path, char *out, size_t size);

/* How many values a list holds, or 1 for the single value itself; and the first of them, the next is c->next of a list
 * only. NULL: none. */
size_t loader_count(const struct node *n);
const struct node *loader_first(const struct node *n);

/* `off`, `false`, and nothing at all are NULL to the loaders of optional sections. */
const struct node *loader_on(const struct node *n);

bool loader_is(const struct node *n, const char *word);

/* The identity of a listener or service: its own section, or for NULL that of the whole file. */
const struct identity_conf *loader_identity(struct loader *l, const struct node *n);

/* mutual for NULL. */
enum tls_mode loader_tls(const struct node *n);

/* The value of a scalar, or `otherwise` for NULL. A duration that is off is 0. */
ns_t loader_duration(const struct node *n, ns_t otherwise);
uint32_t loader_number(const struct node *n, uint32_t otherwise);

/* Sets a duration and its place when it is written. */
void loader_set_duration(struct loader *l, const struct node *n, ns_t *ns, struct place *place);

/* Of the sections `retry` (NULL for NULL and off), `retry_budget` and `circuit_breaker` (likewise). */
const struct retry_policy *load_retry(struct loader *l, const struct node *n);
struct budget_policy load_budget(struct loader *l, const struct node *n);
const struct breaker_policy *load_breaker(struct loader *l, const struct node *n);

/* The descriptors in the file that the scalar names, read once; NULL when it is NULL, when files are skipped, and when
 * the file is wrong. load_descriptors reports what is wrong with it, too. */
const struct descriptors *loader_descriptors(struct loader *l, const struct node *n);
const struct descriptors *load_descriptors(struct loader *l, const struct node *n);

/* Fills policy->base and policy->methods from the section of the policy. */
void load_methods(struct loader *l, const struct node *section, struct policy *policy);

/* The patterns of `methods`, *ret_n; none for NULL. */
struct method_pattern *load_method_patterns(struct loader *l, const struct node *n, size_t *ret_n);

/* Whom an inbound listener lets call, and what it tells the service about them: allow, forward_client_cert. */
void load_guard(struct loader *l, const struct node *n, struct listener_conf *listener);

/* The section `bounds`, NULL for its defaults. */
struct bounds load_bounds(const struct node *n);

void load_policies(struct loader *l);
/* Keeps places for so many services that listeners make. */
void load_services(struct loader *l, size_t implicit_n);
void load_listeners(struct loader *l, const struct node *inbound, const struct node *outbound);

#endif
