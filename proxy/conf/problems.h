/* What is wrong with a configuration: errors and warnings with their places, bounded in number, printed as
 * FILE:LINE:COL: path.to.field: what is wrong, what was expected. It decides nothing. */
#ifndef CONF_PROBLEMS_H
#define CONF_PROBLEMS_H

#include "base/arena.h"
#include "core/policy.h"

#include <stdio.h>

enum { PROBLEMS_MAX = 100 };

enum problem_kind { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
    enum problem_kind kind;
    struct place place;
    const char *path; /* "" for the file itself */
    const char *text;
};

/* Owned by: whoever asked for the configuration. Texts live in its arena. */
struct problems {
    struct arena arena;
    struct problem *v; /* PROBLEMS_MAX errors and as many warnings at most, in order of place after problems_sort */
    size_t n;
    size_t errors, warnings; /* found; more than PROBLEMS_MAX of a kind are counted but not kept */
};

void problems_init(struct problems *p);
void problems_fini(struct problems *p);

/* Adds one; the texts are copied. */
void problems_add(struct problems *p, enum problem_kind kind, struct place place, const char *path, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* Whether one more of this kind would be counted only: its text need not be made. */
bool problems_is_full(const struct problems *p, enum problem_kind kind);

/* Orders them by line and column; the order of one place is kept. */
void problems_sort(struct problems *p);

/* Forgets the warnings. */
void problems_drop_warnings(struct problems *p);

/* Writes one as a line without its end to out[size], always terminated. Bytes that are not printable are escaped. */
void problem_format(const struct problem *problem, char *out, size_t size);

/* Prints all as lines, then how many were not kept. */
void problems_print(const struct problems *p, FILE *out);

#endif
