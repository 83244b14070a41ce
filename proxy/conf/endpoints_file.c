/* From YAML to members. */
#include "conf/endpoints_file.h"

#include "conf/loader.h"
#include "conf/memory.h"

#include <errno.h>
#include <stdlib.h>

static struct member target_from(const struct node *n, const char *zone)
{
    struct member t = {.rank = {.weight = loader_number(node_get(n, "weight"), 1)}};
    uint32_t far = zone[0] && !loader_is(node_get(n, "zone"), zone);
    if (address_parse(node_get(n, "address")->text, NULL, &t.address) != ERR_NONE)
        t.rank.weight = 0; /* the schema has looked already */
    t.rank.priority = loader_number(node_get(n, "priority"), 0) * 2 + far;
    return t;
}

static int by_address(const void *left, const void *right)
{
    const struct node *a = *(const struct node *const *)left, *b = *(const struct node *const *)right;
    int by_text = strcmp(node_get(a, "address")->text.p, node_get(b, "address")->text.p);
    return by_text ? by_text : a->index < b->index ? -1 : 1;
}

static void check_twice(const struct tree *t, const struct node *list, struct problems *p)
{
    const struct node **v = memory_array((struct arena *)(uintptr_t)&t->arena, list->n, sizeof *v);
    size_t n = 0;
    NODE_FOR(c, list)
        v[n++] = c;
    qsort(v, n, sizeof *v, by_address);
    for (size_t i = 1; i < n; i++) {
        const struct node *a = node_get(v[i], "address");
        if (strcmp(a->text.p, node_get(v[i - 1], "address")->text.p) == 0)
            node_error(t, p, a, "%s stands here twice", a->text.p);
    }
}

static void take(const struct tree *t, const char *zone, struct arena *a, struct member **ret, size_t *ret_n,
                 struct problems *p)
{
    const struct node *list = node_get(t->root, "endpoints");
    if (list->n > ENDPOINTS_FILE_MAX)
        node_error(t, p, list, "found %zu endpoints, expected at most %d", (size_t)list->n, ENDPOINTS_FILE_MAX);
    check_twice(t, list, p);
    if (p->errors > 0)
        return;
    *ret = memory_array(a, list->n, sizeof **ret);
    NODE_FOR(c, list)
        (*ret)[(*ret_n)++] = target_from(c, zone);
}

bool endpoints_file_load(const char *path, const char *zone, struct arena *a, struct member **ret, size_t *ret_n,
                         struct problems *p)
{
    path = memory_copy(&p->arena, slice_str(path)).p; /* problems name it for as long as they live */
    size_t size = YAML_BYTES_MAX + 1, errors = p->errors;
    char *text = malloc(size);
    ssize_t n = text ? loader_read(path, text, size) : -1;
    struct tree tree;
    *ret = NULL;
    *ret_n = 0;
    tree_init(&tree, path);
    if (n < 0)
        problems_add(p, PROBLEM_ERROR, (struct place){path, 1, 1}, "", "cannot be read: %s", strerror(errno));
    else if (yaml_parse(&tree, slice_make(text, (size_t)n), NULL, p))
        schema_check(&grammar_endpoints, &tree, p);
    if (p->errors == errors && tree.root)
        take(&tree, zone, a, ret, ret_n, p);
    tree_fini(&tree);
    free(text);
    return p->errors == errors;
}
