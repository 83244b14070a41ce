/* Slab allocator: pages of objects threaded on a free list. Under a sanitizer free objects are poisoned. */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { PAGE_BYTES = 16384, PAGE_OBJECTS_MIN = 8, ALIGNMENT = 16 };

struct slab_page {
    struct slab_page *next;
    char pad[ALIGNMENT - sizeof(struct slab_page *)];
    char objects[];
};

void slab_init(struct slab *s, size_t size)
{
    *s = (struct slab){.size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
    s->per_page = PAGE_BYTES / s->size;
    if (s->per_page < PAGE_OBJECTS_MIN)
        s->per_page = PAGE_OBJECTS_MIN;
}

static int add_page(struct slab *s)
{
    struct slab_page *page = malloc(sizeof *page + s->size * s->per_page);
    if (!page)
        return -1;
    page->next = s->pages;
    s->pages = page;
    s->total += s->per_page;
    for (size_t i = s->per_page; i-- > 0;) {
        char *object = page->objects + i * s->size;
        memcpy(object, &s->free, sizeof s->free);
        s->free = object;
        ASAN_POISON_MEMORY_REGION(object + sizeof(void *), s->size - sizeof(void *));
    }
    return 0;
}

void *slab_new(struct slab *s)
{
    if (!s->free && add_page(s) != 0)
        return NULL;
    void *object = s->free;
    memcpy(&s->free, object, sizeof s->free);
    ASAN_UNPOISON_MEMORY_REGION(object, s->size);
    s->live++;
    return object;
}

void slab_free(struct slab *s, void *object)
{
    if (!object)
        return;
    memcpy(object, &s->free, sizeof s->free);
    s->free = object;
    s->live--;
    ASAN_POISON_MEMORY_REGION((char *)object + sizeof(void *), s->size - sizeof(void *));
}

void slab_fini(struct slab *s)
{
    while (s->pages) {
        struct slab_page *page = s->pages;
        s->pages = page->next;
        free(page);
    }
    s->free = NULL;
    s->live = s->total = 0;
}
