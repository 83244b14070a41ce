/* Nodes of a configuration file: children, lookup, paths, places. */
#include "conf/tree.h"

#include "conf/memory.h"

#include <stdarg.h>

enum { INDEX_FROM = 9, DEPTH_PATH_MAX = 40 };

void tree_init(struct tree *t, const char *file)
{
    *t = (struct tree){0};
    arena_init(&t->arena, NULL, 0);
    t->file = memory_copy(&t->arena, slice_str(file)).p;
}

void tree_fini(struct tree *t)
{
    arena_fini(&t->arena);
    *t = (struct tree){0};
}

void node_append(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->index = parent->n++;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static struct node *find_linear(const struct node *map, struct slice key, const struct node *until)
{
    for (struct node *c = map->first; c != until; c = c->next)
        if (slice_eq(c->key, key))
            return c;
    return NULL;
}

static struct node **slot_of(const struct node *map, struct slice key)
{
    uint32_t at = (uint32_t)slice_hash(key, 0) & map->index_mask;
    while (map->children_index[at] && !slice_eq(map->children_index[at]->key, key))
        at = (at + 1) & map->index_mask;
    return &map->children_index[at];
}

void node_index(struct arena *a, struct node *map, void (*twice)(void *ctx, struct node *first, struct node *again),
                void *ctx)
{
    if (map->n >= INDEX_FROM) {
        uint32_t size = 16;
        while (size < map->n * 2)
            size *= 2;
        map->children_index = memory_array(a, size, sizeof(struct node *));
        map->index_mask = size - 1;
    }
    NODE_FOR(c, map) {
        struct node **slot = map->children_index ? slot_of(map, c->key) : NULL;
        struct node *first = slot ? *slot : find_linear(map, c->key, c);
        if (first)
            twice(ctx, first, c);
        else if (slot)
            *slot = c;
    }
}

struct node *node_find(const struct node *map, struct slice key)
{
    if (!map || map->kind != NODE_MAP)
        return NULL;
    return map->children_index ? *slot_of(map, key) : find_linear(map, key, NULL);
}

struct node *node_get(const struct node *map, const char *key)
{
    struct node *n = node_find(map, slice_str(key));
    return node_is_good(n) ? n : NULL;
}

bool node_is_null(const struct node *n)
{
    return n->kind == NODE_SCALAR && !n->quoted &&
           (n->text.n == 0 || slice_eq(n->text, SLICE("~")) || slice_eq(n->text, SLICE("null")));
}

static size_t put(char *out, size_t size, size_t at, struct slice s)
{
    for (size_t i = 0; i < s.n && at + 1 < size; i++)
        out[at++] = s.p[i];
    out[at] = '\0';
    return at;
}

void node_path(const struct node *n, const char *key, char *out, size_t size)
{
    const struct node *chain[DEPTH_PATH_MAX];
    size_t depth = 0, at = 0;
    for (; n && n->parent && depth < DEPTH_PATH_MAX; n = n->parent)
        chain[depth++] = n;
    out[0] = '\0';
    while (depth-- > 0) {
        char number[16];
        const struct node *step = chain[depth];
        if (step->parent->kind == NODE_LIST) {
            snprintf(number, sizeof number, "[%u]", step->index);
            at = put(out, size, at, slice_str(number));
            continue;
        }
        at = put(out, size, at, at ? SLICE(".") : SLICE(""));
        at = put(out, size, at, step->key);
    }
    if (key) {
        at = put(out, size, at, at ? SLICE(".") : SLICE(""));
        put(out, size, at, slice_str(key));
    }
}

struct place node_place(const struct tree *t, const struct node *n)
{
    return (struct place){n->file ? n->file : t->file, n->line, n->column};
}

struct place node_key_place(const struct tree *t, const struct node *n)
{
    if (!n->key_line)
        return node_place(t, n);
    return (struct place){n->file ? n->file : t->file, n->key_line, n->key_column};
}

void node_problem(struct problems *p, enum problem_kind kind, struct place place, const struct node *n, const char *key,
                  const char *format, ...)
{
    char path[NODE_PATH_MAX], text[1024];
    va_list list;
    if (problems_is_full(p, kind)) {
        problems_add(p, kind, place, "", "%s", "");
        return;
    }
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    node_path(n, key, path, sizeof path);
    problems_add(p, kind, place, path, "%s", text);
}
