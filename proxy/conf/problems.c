/* Collects, orders and prints problems of a configuration. */
#include "conf/problems.h"

#include "conf/memory.h"
#include "conf/yaml.h"

#include <stdarg.h>
#include <stdlib.h>

enum { TEXT_BYTES = 1024, LINE_BYTES = 4096 };

void problems_init(struct problems *p)
{
    *p = (struct problems){0};
    arena_init(&p->arena, NULL, 0);
}

void problems_fini(struct problems *p)
{
    arena_fini(&p->arena);
    *p = (struct problems){0};
}

void problems_add(struct problems *p, enum problem_kind kind, struct place place, const char *path, const char *format,
                  ...)
{
    size_t *count = kind == PROBLEM_ERROR ? &p->errors : &p->warnings;
    if ((*count)++ >= PROBLEMS_MAX)
        return;
    if (!p->v)
        p->v = memory_array(&p->arena, 2 * PROBLEMS_MAX, sizeof *p->v);
    char text[TEXT_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    place.file = memory_copy(&p->arena, slice_str(place.file ? place.file : "")).p;
    p->v[p->n++] = (struct problem){.kind = kind,
                                    .place = place,
                                    .path = memory_copy(&p->arena, slice_str(path)).p,
                                    .text = memory_copy(&p->arena, slice_str(text)).p};
}

bool problems_is_full(const struct problems *p, enum problem_kind kind)
{
    return (kind == PROBLEM_ERROR ? p->errors : p->warnings) >= PROBLEMS_MAX;
}

static bool is_before(const struct place *a, const struct place *b)
{
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* Insertion keeps the order of equal places; there are at most 2 * PROBLEMS_MAX. */
void problems_sort(struct problems *p)
{
    for (size_t i = 1; i < p->n; i++) {
        struct problem moved = p->v[i];
        size_t at = i;
        for (; at > 0 && is_before(&moved.place, &p->v[at - 1].place); at--)
            p->v[at] = p->v[at - 1];
        p->v[at] = moved;
    }
}

void problems_drop_warnings(struct problems *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].kind != PROBLEM_WARNING)
            p->v[kept++] = p->v[i];
    p->n = kept;
    p->warnings = 0;
}

/* Length of the character at `in`, 0 when it is a control character or no UTF-8, as where a text was cut. */
static size_t printable(const char *in)
{
    unsigned char c = (unsigned char)*in;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, at;
    return c >= 0x20 && c != 0x7f && strnlen(in, n) == n && yaml_is_text(slice_make(in, n), &at) ? n : 0;
}

static void escape(const char *in, char *out, size_t size)
{
    size_t n = 0;
    while (*in && n + 5 < size) {
        size_t length = printable(in);
        if (length == 0)
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", (unsigned char)*in);
        else
            memcpy(out + n, in, length);
        n += length;
        in += length ? length : 1;
    }
    out[n] = '\0';
}

void problem_format(const struct problem *problem, char *out, size_t size)
{
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%s:%u:%u: %s%s%s%s", problem->place.file, problem->place.line, problem->place.column,
             problem->kind == PROBLEM_WARNING ? "warning: " : "", problem->path, *problem->path ? ": " : "",
             problem->text);
    escape(line, out, size);
}

static void print_rest(size_t found, const char *what, FILE *out)
{
    if (found > PROBLEMS_MAX)
        fprintf(out, "and %zu more %s\n", found - PROBLEMS_MAX, what);
}

void problems_print(const struct problems *p, FILE *out)
{
    char line[LINE_BYTES];
    for (size_t i = 0; i < p->n; i++) {
        problem_format(&p->v[i], line, sizeof line);
        fprintf(out, "%s\n", line);
    }
    print_rest(p->errors, "errors", out);
    print_rest(p->warnings, "warnings", out);
}
