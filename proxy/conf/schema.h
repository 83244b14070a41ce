/* Describes the grammar of the configuration as tables, and checks a tree against them: unknown keys, wrong types,
 * values out of range, keys that are missing or not supported yet. What names mean across the file is load.c's. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "base/err.h"
#include "conf/tree.h"

enum schema_type {
    SCHEMA_MAP,       /* the keys of the table */
    SCHEMA_NAMED,     /* any keys of the form `format`, each with a value as `item` says */
    SCHEMA_LIST,      /* of `item`; with keys, a mapping too */
    SCHEMA_TEXT_LIST, /* of `item`, or a single one without the brackets */
    SCHEMA_TEXT,      /* of the form `format` */
    SCHEMA_INT,       /* min..max */
    SCHEMA_NUMBER,    /* min..max thousandths */
    SCHEMA_BOOL,      /* true, false, off */
    SCHEMA_DURATION,  /* min..max nanoseconds */
    SCHEMA_SIZE,      /* min..max bytes */
    SCHEMA_SHARE,     /* min..max parts per million */
    SCHEMA_WORD,      /* one of `words`; with keys, a mapping too */
    SCHEMA_STATUS     /* a gRPC status by name or number, min..max */
};

enum schema_flag {
    SCHEMA_REQUIRED = 1,    /* of a key: must be there */
    SCHEMA_UNSUPPORTED = 2, /* of a key or word: checked, then refused as not supported yet */
    SCHEMA_OFF = 4,         /* `off` or `false` instead of a value */
    SCHEMA_PERCENTILE = 8,  /* of a duration: p50 to p99.9 instead */
    SCHEMA_FILLED = 16      /* of a list or named mapping: at least one */
};

/* The form of a text: NULL when it is fine, else what was expected. */
typedef const char *schema_format(struct slice text);

struct schema_word {
    const char *word;
    unsigned flags;
};

struct schema {
    enum schema_type type;
    unsigned flags;
    const struct schema_key *keys;   /* MAP, WORD, LIST; ends with a NULL name */
    const struct schema *item;       /* NAMED, LIST */
    schema_format *format;           /* TEXT, and the keys of NAMED */
    const struct schema_word *words; /* WORD; ends with a NULL word */
    uint64_t min, max;
    /* What must hold between the keys of a MAP that are fine each by itself. */
    void (*rule)(const struct tree *t, const struct node *map, struct problems *p);
};

struct schema_key {
    const char *name;
    const struct schema *schema;
    unsigned flags;
    const char *doc; /* for editors: one line on what it does */
};

/* The whole file. */
extern const struct schema grammar_root;

/* A file of endpoints. */
extern const struct schema grammar_endpoints;

/* A file of a policy_dir. */
extern const struct schema grammar_policies;

/* Keys kept for what comes, wherever they are written; ends with NULL. */
extern const char *const grammar_reserved[];

/* Checks the tree, adds every problem, and marks wrong nodes as bad. */
void schema_check(const struct schema *root, const struct tree *t, struct problems *p);

/* Whether the scalar is plain `off` or `false`, or the string "off". */
bool schema_is_off(const struct node *n);

/* The value of a scalar that schema_check found good. Durations: ns. Shares: parts per million. */
uint64_t schema_value(enum schema_type type, const struct node *n);

#endif
