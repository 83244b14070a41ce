/* The file that `descriptors` of a policy names: read once, however many policies name it. */
#include "conf/loader.h"
#include "conf/memory.h"

#include <errno.h>
#include <stdlib.h>

static void read_file(struct loader *l, struct loader_file *f)
{
    char error[DESCRIPTORS_ERROR_MAX];
    size_t size = DESCRIPTORS_BYTES_MAX + 1;
    char *bytes = malloc(size);
    ssize_t n = bytes ? loader_read(f->path, bytes, size) : -1;
    if (n < 0)
        f->error = memory_format(&l->tree->arena, "cannot be read: %s", strerror(errno));
    else if (!descriptors_parse(&f->descriptors, &l->tree->arena, slice_make(bytes, (size_t)n), error))
        f->error = memory_copy(&l->tree->arena, slice_str(error)).p;
    free(bytes);
}

static struct loader_file *find_file(struct loader *l, const char *path)
{
    struct loader_file **at = &l->files;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->path, path) == 0)
            return *at;
    *at = memory_take(&l->tree->arena, sizeof **at);
    (*at)->path = path;
    if (!l->skip_files)
        read_file(l, *at);
    return *at;
}

const struct descriptors *loader_descriptors(struct loader *l, const struct node *n)
{
    const struct loader_file *f = n ? find_file(l, loader_path(l, n)) : NULL;
    return f && !f->error && !l->skip_files ? &f->descriptors : NULL;
}

const struct descriptors *load_descriptors(struct loader *l, const struct node *n)
{
    const struct descriptors *d = loader_descriptors(l, n);
    const struct loader_file *f = n ? find_file(l, loader_path(l, n)) : NULL;
    if (f && f->error)
        node_error(l->tree, l->p, n, "%s %s", f->path, f->error);
    else if (d && d->n == 0)
        node_problem(l->p, PROBLEM_WARNING, node_place(l->tree, n), n, NULL, "%s describes no method", f->path);
    return d;
}
