/* A stream of YAML or JSON documents read for editing: every value with the bytes it takes in the text, so that others
 * can splice text between them and leave the rest as it is. Unlike tree.h it takes all of YAML (anchors, tags, several
 * documents, duplicate keys) and replaces no variables. */
#ifndef CONF_MANIFEST_H
#define CONF_MANIFEST_H

#include "base/arena.h"

#include <stdint.h>

enum { MANIFEST_DEPTH_MAX = 64, MANIFEST_BYTES_MAX = 16 << 20, MANIFEST_ERROR_MAX = 256 };

enum span_kind { SPAN_SCALAR, SPAN_LIST, SPAN_MAP, SPAN_ALIAS };

/* Owned by: the arena of its manifest. Offsets are bytes from the start of the text. */
struct span {
    enum span_kind kind;
    bool flow;         /* list or mapping in brackets */
    bool plain;        /* scalar without quotes */
    size_t start, end; /* of the value; a block collection ends with its last scalar */
    size_t line;       /* 1-based, of the value */
    size_t key_start;  /* when the parent is a mapping */
    struct slice key;  /* when the parent is a mapping and the key is a scalar */
    struct slice text; /* scalar: its value */
    uint32_t n;        /* children */
    struct span *parent, *first, *last, *next;
};

/* Owned by: whoever edits. Borrows: the text. */
struct manifest {
    struct arena arena;
    struct slice text;
    struct span *documents; /* roots of the documents that hold something, linked by `next` */
    char error[MANIFEST_ERROR_MAX];
};

/* Reads `text`, which must outlive m. False with a message "LINE:COL: what" in m->error when it is not YAML or past a
 * bound. Follow with manifest_fini in any case. */
bool manifest_read(struct manifest *m, struct slice text);
void manifest_fini(struct manifest *m);

/* The value of a key of a mapping, or NULL; `map` may be NULL or of any kind. */
struct span *span_get(const struct span *map, const char *key);

/* span_get along the keys in "spec.template.metadata". */
struct span *span_find(const struct span *map, const char *path);

/* The scalar's text, or an empty slice for anything else, NULL included. */
struct slice span_text(const struct span *s);

/* An empty plain scalar, ~ or null. */
bool span_is_null(const struct span *s);

#define SPAN_FOR(child, parent) for (struct span *child = (parent) ? (parent)->first : NULL; child; child = child->next)

#endif
