/* The tree of a configuration file: scalars, lists and mappings, each with its place. Built by yaml.c, read by the
 * schema and the loader. Scalars are text; what they mean is for the schema to say. */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "base/arena.h"
#include "conf/problems.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

/* Owned by: the arena of its tree. */
struct node {
    enum node_kind kind;
    bool quoted;                   /* scalar: a string whatever it looks like */
    bool bad;                      /* reported by the schema; do not read */
    uint32_t line, column;         /* of the value, 1-based; columns count characters */
    uint32_t key_line, key_column; /* of the key when the parent is a mapping */
    uint32_t index;                /* among the children of the parent */
    uint32_t n;                    /* children */
    uint32_t index_mask;
    const char *file;  /* where it stands */
    struct slice key;  /* when the parent is a mapping; terminated */
    struct slice text; /* scalar: after substitution; terminated */
    struct node *parent, *first, *last, *next;
    struct node **children_index; /* big mappings: open addressing by key */
};

/* Owned by: whoever loads. */
struct tree {
    struct arena arena;
    const char *file;
    struct node *root; /* NULL when nothing could be read */
};

void tree_init(struct tree *t, const char *file);
void tree_fini(struct tree *t);

/* Appends a child. */
void node_append(struct node *parent, struct node *child);

/* Call once when a mapping is complete: makes finding fast, and calls `twice` for each child whose key was there
 * before. */
void node_index(struct arena *a, struct node *map, void (*twice)(void *ctx, struct node *first, struct node *again),
                void *ctx);

/* The child of a mapping with this key, whatever its state, or NULL. The first one when there are several. */
struct node *node_find(const struct node *map, struct slice key);

/* node_find, but NULL for a child that the schema found wrong. `map` may be NULL. */
struct node *node_get(const struct node *map, const char *key);

/* Neither NULL nor wrong. */
static inline bool node_is_good(const struct node *n)
{
    return n && !n->bad;
}

/* A plain scalar that says nothing: empty, ~ or null. */
bool node_is_null(const struct node *n);

/* "outbound[0].routes[1].service", with ".key" behind it when key is not NULL. Truncated to size. */
void node_path(const struct node *n, const char *key, char *out, size_t size);

/* Where the value stands; where its key stands (the value, when it has no key). */
struct place node_place(const struct tree *t, const struct node *n);
struct place node_key_place(const struct tree *t, const struct node *n);

enum { NODE_PATH_MAX = 512 };

/* Adds a problem at the value of n, or at its key, with its path. `key` names a missing child, or is NULL. */
#define node_error(t, p, n, ...)     node_problem((p), PROBLEM_ERROR, node_place((t), (n)), (n), NULL, __VA_ARGS__)
#define node_key_error(t, p, n, ...) node_problem((p), PROBLEM_ERROR, node_key_place((t), (n)), (n), NULL, __VA_ARGS__)
#define node_warn(t, p, n, ...)      node_problem((p), PROBLEM_WARNING, node_key_place((t), (n)), (n), NULL, __VA_ARGS__)
#define node_missing(t, p, n, key, ...)                                                                                \
    node_problem((p), PROBLEM_ERROR, node_key_place((t), (n)), (n), (key), __VA_ARGS__)

void node_problem(struct problems *p, enum problem_kind kind, struct place place, const struct node *n, const char *key,
                  const char *format, ...) __attribute__((format(printf, 6, 7)));

#define NODE_FOR(child, parent) for (struct node *child = (parent) ? (parent)->first : NULL; child; child = child->next)

#endif
