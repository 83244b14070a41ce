/* The edits of one pod: where the sidecar's text goes, and where it stands. In block style the inserted lines stand
 * between the comments "# outrigger: begin" and "# outrigger: end"; in brackets there are no comments, and the items
 * are known by their names. */
#ifndef INJECT_SPLICE_H
#define INJECT_SPLICE_H

#include "conf/manifest.h"
#include "inject/edits.h"

#include <jansson.h>

/* Puts `items` (an array) first in the list `key` of the pod's spec, which is made when it is missing. Returns NULL, or
 * why it cannot be done. */
const char *splice_in(struct edits *e, const struct manifest *m, const struct span *spec, const char *key,
                      const json_t *items);

/* Puts `text`, "key: value", in the place of an entry of a mapping below the pod's spec. In block style the
 * lines that it stands on become comments beside the new ones; in brackets nothing tells what was there. */
void splice_entry(struct edits *e, const struct manifest *m, const struct span *entry, struct slice text);

/* How lines end in the text; how many bytes stand before `at` on its line. */
const char *splice_eol(struct slice text);
size_t splice_column(struct slice text, size_t at);

/* Takes out what stands between the comments, but for lines that were made comments, which are lines again, and of the
 * list `key` each item whose name `is_ours`. Returns the number of things taken out. */
size_t splice_out_marked(struct edits *e, const struct manifest *m, const struct span *spec);
size_t splice_out_named(struct edits *e, const struct manifest *m, const struct span *spec, const char *key,
                        bool (*is_ours)(struct slice name));

#endif
