/* Slab allocator: objects on a list of all and, when they are spare, on a list of free ones. Under a sanitizer free
 * objects are poisoned. */
#include "base/slab.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGNMENT = 16 };

struct slab_object {
    struct list all; /* in slab->all */
    char bytes[];
};

_Static_assert(offsetof(struct slab_object, bytes) % ALIGNMENT == 0, "objects are aligned");

void slab_init(struct slab *s, size_t size)
{
    *s = (struct slab){.size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
    list_init(&s->all);
    s->keep = SLAB_KEEP_BYTES / s->size;
}

static void *add(struct slab *s)
{
    struct slab_object *o = malloc(sizeof *o + s->size);
    if (!o)
        return NULL;
    list_init(&o->all);
    list_push_back(&s->all, &o->all);
    s->total++;
    s->live++;
    return o->bytes;
}

void *slab_new(struct slab *s)
{
    if (!s->free)
        return add(s);
    void *object = s->free;
    memcpy(&s->free, object, sizeof s->free);
    ASAN_UNPOISON_MEMORY_REGION(object, s->size);
    s->live++;
    return object;
}

static void drop(struct slab *s, struct slab_object *o)
{
    list_remove(&o->all);
    s->total--;
    free(o);
}

void slab_free(struct slab *s, void *object)
{
    if (!object)
        return;
    s->live--;
    if (s->total - s->live > s->keep) {
        drop(s, CONTAINER_OF(object, struct slab_object, bytes));
        return;
    }
    memcpy(object, &s->free, sizeof s->free);
    s->free = object;
    ASAN_POISON_MEMORY_REGION((char *)object + sizeof(void *), s->size - sizeof(void *));
}

void slab_fini(struct slab *s)
{
    for (struct list *n; (n = list_pop(&s->all));)
        free(CONTAINER_OF(n, struct slab_object, all));
    s->free = NULL;
    s->live = s->total = 0;
}
