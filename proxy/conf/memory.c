/* Arena allocation that ends the process instead of returning NULL. */
#include "conf/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *must(void *p)
{
    if (p)
        return p;
    fputs("outrigger: out of memory while reading the configuration\n", stderr);
    abort();
}

void *memory_take(struct arena *a, size_t n)
{
    void *p = must(arena_alloc(a, n ? n : 1));
    memset(p, 0, n);
    return p;
}

void *memory_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return must(NULL);
    return memory_take(a, bytes);
}

struct slice memory_copy(struct arena *a, struct slice s)
{
    struct slice copy = arena_copy(a, s);
    must((void *)copy.p);
    return copy;
}

char *memory_format(struct arena *a, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int n = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *text = memory_take(a, n < 0 ? 1 : (size_t)n + 1);
    if (n >= 0)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void memory_append(struct buf *b, struct slice s)
{
    if (s.n > 0 && buf_append(b, s.p, s.n) != ERR_NONE)
        must(NULL);
}
