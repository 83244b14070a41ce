/* YAML text -> tree of nodes with places. Only the plain part of YAML is taken: one document of mappings, lists and
 * scalars; anchors, aliases, tags, merge keys and duplicate keys are refused. The only user of libyaml. */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include "conf/tree.h"

enum { YAML_DEPTH_MAX = 32, YAML_BYTES_MAX = 1 << 20 };

/* Where the variables come from; NULL `get` means getenv. */
struct yaml_env {
    const char *(*get)(void *ctx, const char *name);
    void *ctx;
};

/* Reads `text` into the empty tree `t`. True when a whole document was read; it may still hold problems. In scalars,
 * keys included, ${VAR} and ${VAR:-default} are replaced (the default also for an empty VAR, as in a shell); $${ stands
 * for a literal ${ ; any other $ is left alone. Bounds: YAML_DEPTH_MAX levels, YAML_BYTES_MAX bytes before and after
 * replacing. */
bool yaml_parse(struct tree *t, struct slice text, const struct yaml_env *env, struct problems *p);

/* Replaces the variables of one scalar; the result is terminated. On failure NULL with a message in error. */
struct slice yaml_substitute(struct arena *a, struct slice text, const struct yaml_env *env, char *error, size_t size);

/* True for well-formed UTF-8 without NUL; else *ret_at is the offset of the first byte that is not. */
bool yaml_is_text(struct slice text, size_t *ret_at);

#endif
