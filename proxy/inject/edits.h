/* Replacements of runs of bytes in a text, collected in any order and carried out at once. */
#ifndef INJECT_EDITS_H
#define INJECT_EDITS_H

#include "base/arena.h"
#include "base/buf.h"

struct edit {
    size_t at, remove; /* bytes of the old text */
    struct slice text; /* what comes instead */
};

/* Owned by: whoever edits. Texts live in its arena. */
struct edits {
    struct arena arena;
    struct edit *v;
    size_t n, cap;
};

void edits_init(struct edits *e);
void edits_fini(struct edits *e);

/* Puts a copy of `text` before offset `at`, or in the place of the `remove` bytes there. What is put at one offset
 * keeps the order of the calls. */
void edits_add(struct edits *e, size_t at, size_t remove, struct slice text);

/* Appends the edited text to `out`. Runs that are removed must not overlap. */
void edits_apply(struct edits *e, struct slice text, struct buf *out);

#endif
