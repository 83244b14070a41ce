/* HPACK's tables (RFC 7541 sections 2.3 and 4): the static one, and a dynamic one as decoder and encoder both hold it.
 * Private to hpack. */
#ifndef H2_HPACK_TABLE_H
#define H2_HPACK_TABLE_H

#include "h2/hpack.h"

enum { HPACK_STATIC_ENTRIES = 61 };

/* By index from 1; names and values are constants. */
extern const struct header HPACK_STATIC[HPACK_STATIC_ENTRIES + 1];

/* Where a token's entries stand in HPACK_STATIC; n is 0 when it has none. */
struct hpack_range {
    uint8_t first, n;
};

extern const struct hpack_range HPACK_STATIC_RANGE[TOKEN_COUNT];

enum hpack_entry_flag { HPACK_BAD_NAME = 1, HPACK_BAD_VALUE = 2 };

_Static_assert(TOKEN_COUNT <= UINT8_MAX + 1, "an entry keeps its token in a byte");

/* The bytes are the value; before it the name when it has no token. */
struct hpack_entry {
    uint32_t at; /* position of the bytes */
    uint16_t name_n, value_n;
    uint8_t token;
    uint8_t flags; /* enum hpack_entry_flag */
};

/* A first-in first-out table. Entries have numbers from 1 in order of insertion; number k sits in v[k & mask], and v
 * grows up to HPACK_TABLE_ENTRIES, so that a connection with few fields stays small. Bytes have positions that only
 * grow; position p sits at bytes[p - base]. Owned by: a decoder or an encoder. */
struct hpack_table {
    uint32_t last; /* number of the newest entry */
    uint32_t n;    /* entries alive: last - n + 1 .. last */
    uint32_t size; /* as section 4.1 counts */
    uint32_t base, tail, cap;
    char *bytes; /* owned; HPACK_TABLE_PAD readable bytes behind cap */
    uint32_t mask;
    struct hpack_entry *v; /* owned */
};

enum { HPACK_TABLE_PAD = 16 };

/* NULL when memory is out. */
struct hpack_table *hpack_table_new(void);
void hpack_table_free(struct hpack_table *t);

/* Evicts until `size` is at most size_max. */
void hpack_table_shrink(struct hpack_table *t, uint32_t size_max);

/* Makes room as section 4.4 says and adds the field. A field larger than size_max leaves an empty table. The field's
 * bytes must not be in the table. ERR_NOMEM: nothing was added. */
MUST_CHECK enum err hpack_table_insert(struct hpack_table *t, uint32_t size_max, const struct header *f, uint8_t flags);

static inline bool hpack_table_has(const struct hpack_table *t, uint32_t number)
{
    return t->last - number < t->n;
}

static inline const struct hpack_entry *hpack_table_entry(const struct hpack_table *t, uint32_t number)
{
    return &t->v[number & t->mask];
}

static inline const char *hpack_table_bytes(const struct hpack_table *t, const struct hpack_entry *e)
{
    return t->bytes + (e->at - t->base);
}

/* The entry as a field whose bytes are borrowed until the next insertion. */
static inline struct header hpack_table_field(const struct hpack_table *t, const struct hpack_entry *e)
{
    const char *p = hpack_table_bytes(t, e);
    struct header f = {.name = p, .value = p, .name_n = e->name_n, .value_n = e->value_n, .token = e->token};
    if (e->token == TOKEN_NONE)
        f.value += e->name_n;
    else
        f.name = token_name(e->token).p;
    return f;
}

#endif
