/* Lists, reads, checks, and grafts. */
#include "conf/policy_dir.h"

#include "conf/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static int is_policy_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && strcmp(dot, ".yaml") == 0;
}

void policy_files_fini(struct policy_file *files)
{
    for (; files; files = files->next)
        tree_fini(&files->tree); /* the object itself is in the arena of the main tree */
}

/* Its policies, or NULL with problems. */
static const struct node *read_file(struct loader *l, struct policy_file *f)
{
    size_t size = YAML_BYTES_MAX + 1, errors = l->p->errors;
    char *text = malloc(size);
    ssize_t n = text ? loader_read(f->path, text, size) : -1;
    const char *named = memory_copy(&l->p->arena, slice_str(f->path)).p; /* by problems, for as long as they live */
    tree_init(&f->tree, named);
    f->tree.file = named;
    if (n < 0)
        problems_add(l->p, PROBLEM_ERROR, (struct place){named, 1, 1}, "", "cannot be read: %s", strerror(errno));
    else if (yaml_parse(&f->tree, slice_make(text, (size_t)n), l->variables, l->p))
        schema_check(&grammar_policies, &f->tree, l->p);
    free(text);
    if (l->p->errors == errors && f->tree.root)
        return node_get(f->tree.root, "policies");
    l->policies_missing = true;
    return NULL;
}

static void graft(struct loader *l, struct node *into, const struct node *from)
{
    for (struct node *c = from ? from->first : NULL, *next; c; c = next) {
        next = c->next;
        c->next = NULL;
        const struct node *other = node_find(into, c->key);
        if (other) {
            struct place place = node_key_place(l->tree, other);
            node_key_error(l->tree, l->p, c, "stands at %s:%u:%u too, expected it once", place.file, place.line,
                           place.column);
        } else {
            node_append(into, c);
        }
    }
}

static struct node *section_for(struct loader *l, const struct node *policies)
{
    if (policies) {
        struct node *section = (struct node *)(uintptr_t)policies;
        section->children_index = NULL; /* it grows: it is searched one by one */
        return section;
    }
    struct node *n = memory_take(&l->tree->arena, sizeof *n);
    *n = (struct node){.kind = NODE_MAP, .parent = l->tree->root, .key = SLICE("policies"), .file = l->tree->file};
    return n;
}

static void add_file(struct loader *l, struct node *into, const char *name, struct policy_file ***at)
{
    struct policy_file *f = memory_take(&l->tree->arena, sizeof *f);
    f->path = memory_format(&l->s->arena, "%s/%s", l->s->policy_dir, name);
    **at = f;
    *at = &f->next;
    graft(l, into, read_file(l, f));
}

const struct node *load_policy_dir(struct loader *l, const struct node *dir, const struct node *policies)
{
    struct dirent **entries;
    if (!dir)
        return policies;
    l->s->policy_dir = loader_path(l, dir);
    l->policies_missing = l->skip_files;
    if (l->skip_files)
        return policies;
    int n = scandir(l->s->policy_dir, &entries, is_policy_file, alphasort);
    if (n < 0) {
        node_error(l->tree, l->p, dir, "%s cannot be read: %s", l->s->policy_dir, strerror(errno));
        l->policies_missing = true;
        return policies;
    }
    if (n > POLICY_DIR_FILES_MAX)
        node_error(l->tree, l->p, dir, "%d files, expected at most %d", n, POLICY_DIR_FILES_MAX);
    struct node *into = section_for(l, policies);
    struct policy_file **at = &l->policy_files;
    for (int i = 0; i < n; i++) {
        if (i < POLICY_DIR_FILES_MAX)
            add_file(l, into, entries[i]->d_name, &at);
        free(entries[i]);
    }
    free(entries);
    return into;
}
