/* Sorts the replacements and copies what lies between them. */
#include "inject/edits.h"

#include "conf/memory.h"

void edits_init(struct edits *e)
{
    *e = (struct edits){0};
    arena_init(&e->arena, NULL, 0);
}

void edits_fini(struct edits *e)
{
    arena_fini(&e->arena);
}

void edits_add(struct edits *e, size_t at, size_t remove, struct slice text)
{
    if (e->n == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 16;
        struct edit *v = memory_array(&e->arena, cap, sizeof *v);
        for (size_t i = 0; i < e->n; i++)
            v[i] = e->v[i];
        e->v = v;
        e->cap = cap;
    }
    size_t i = e->n++;
    for (; i > 0 && e->v[i - 1].at > at; i--)
        e->v[i] = e->v[i - 1];
    e->v[i] = (struct edit){at, remove, memory_copy(&e->arena, text)};
}

void edits_apply(struct edits *e, struct slice text, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < e->n; i++) {
        const struct edit *one = &e->v[i];
        memory_append(out, slice_sub(text, at, one->at));
        memory_append(out, one->text);
        at = one->at + one->remove;
    }
    memory_append(out, slice_sub(text, at, text.n));
}
