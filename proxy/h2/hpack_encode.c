/* HPACK encoding without Huffman. A field that may come again goes into the table and is one or two bytes from then on;
 * names whose values keep changing stay out of it. */
#include "h2/hpack_table.h"

#include <stdlib.h>

enum {
    BUCKETS = HPACK_TABLE_ENTRIES,
    INDEXED_VALUE_MAX = 512,
    NAMING_VALUE_MAX = 64,
    CHURN_UNKNOWN = 32, /* counters for names without token, by hash */
    MISSES_MAX = 16,    /* insertions of a name without a hit before it is left out, for the rest of 256 */
    FIELD_ROOM = 1 + 6 + 6,
    SIZE_UPDATE_ROOM = 2 * 6,
};

/* The dynamic table with ways to find an entry. Owned by: an encoder. */
struct hpack_index {
    struct hpack_table *table;            /* owned */
    uint32_t newest[TOKEN_COUNT];         /* number of the newest entry of a token; maybe gone */
    uint32_t bucket[BUCKETS];             /* number of the newest entry with such a hash; maybe gone */
    uint32_t before[HPACK_TABLE_ENTRIES]; /* by place: number of the entry before it in the bucket */
    uint32_t hash[HPACK_TABLE_ENTRIES];   /* by place */
    uint8_t misses[TOKEN_COUNT + CHURN_UNKNOWN];
};

void hpack_encoder_init(struct hpack_encoder *e)
{
    *e = (struct hpack_encoder){.size_max = HPACK_TABLE_BYTES, .size_low = HPACK_TABLE_BYTES};
}

void hpack_encoder_fini(struct hpack_encoder *e)
{
    if (e->index)
        hpack_table_free(e->index->table);
    free(e->index);
    *e = (struct hpack_encoder){0};
}

void hpack_encoder_release(struct hpack_encoder *e)
{
    if (!e->index)
        return;
    hpack_table_free(e->index->table);
    free(e->index);
    e->index = NULL;
    e->size_low = 0;
    e->size_changed = true;
}

void hpack_encoder_set_size(struct hpack_encoder *e, uint32_t size)
{
    uint32_t size_max = size < HPACK_TABLE_BYTES ? size : HPACK_TABLE_BYTES;
    if (size_max == e->size_max)
        return;
    if (!e->size_changed || size_max < e->size_low)
        e->size_low = size_max;
    e->size_changed = true;
    e->size_max = size_max;
    if (e->index)
        hpack_table_shrink(e->index->table, size_max);
}

uint32_t hpack_encoder_table_size(const struct hpack_encoder *e)
{
    return e->index ? e->index->table->size : 0;
}

static struct hpack_index *index_new(void)
{
    struct hpack_index *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->table = hpack_table_new();
    if (!x->table) {
        free(x);
        return NULL;
    }
    return x;
}

static uint8_t *put_int_more(uint8_t *w, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        *w++ = (uint8_t)(v | 0x80);
    *w++ = (uint8_t)v;
    return w;
}

static inline uint8_t *put_int(uint8_t *w, uint8_t kind, uint8_t mask, uint32_t v)
{
    if (v < mask) {
        *w = (uint8_t)(kind | v);
        return w + 1;
    }
    *w = kind | mask;
    return put_int_more(w + 1, v - mask);
}

static inline uint8_t *put_text(uint8_t *w, const char *p, uint32_t n)
{
    w = put_int(w, 0, 0x7f, n);
    if (n > 0)
        memcpy(w, p, n);
    return w + n;
}

static uint8_t *put_size_updates(struct hpack_encoder *e, uint8_t *w)
{
    if (!e->size_changed)
        return w;
    if (e->size_low < e->size_max)
        w = put_int(w, 0x20, 0x1f, e->size_low);
    e->size_changed = false;
    e->size_low = e->size_max;
    return put_int(w, 0x20, 0x1f, e->size_max);
}

static inline bool has_value(const struct header *f, const char *p, uint32_t n)
{
    return f->value_n == n && memcmp(f->value, p, n) == 0;
}

/* Index of the static entry that is this field, or 0. */
static inline uint32_t find_static(const struct header *f)
{
    struct hpack_range r = HPACK_STATIC_RANGE[f->token];
    for (uint32_t i = r.first; i < (uint32_t)r.first + r.n; i++)
        if (HPACK_STATIC[i].value_n > 0 && has_value(f, HPACK_STATIC[i].value, HPACK_STATIC[i].value_n))
            return i;
    return 0;
}

static inline uint32_t index_of(const struct hpack_table *t, uint32_t number)
{
    return HPACK_STATIC_ENTRIES + 1 + (t->last - number);
}

static inline bool is_entry(const struct hpack_table *t, uint32_t number, const struct header *f)
{
    const struct hpack_entry *e = hpack_table_entry(t, number);
    if (e->token != f->token || e->value_n != f->value_n || e->name_n != f->name_n)
        return false;
    uint32_t name_n = e->token == TOKEN_NONE ? e->name_n : 0;
    const char *p = hpack_table_bytes(t, e);
    return (f->value_n == 0 || memcmp(p + name_n, f->value, f->value_n) == 0) && memcmp(p, f->name, name_n) == 0;
}

/* What the lookup of a field learnt. */
struct place {
    uint32_t index; /* of the field, 0: not in the table */
    uint32_t hash;
    uint8_t *misses;
};

static void find_dynamic(struct hpack_index *x, const struct header *f, struct place *ret)
{
    const struct hpack_table *t = x->table;
    uint64_t name_hash = f->token ? f->token : slice_hash(header_name(f), 0);
    *ret = (struct place){.misses = &x->misses[f->token ? f->token : TOKEN_COUNT + name_hash % CHURN_UNKNOWN]};
    uint32_t newest = x->newest[f->token];
    if (f->token && hpack_table_has(t, newest) && is_entry(t, newest, f)) {
        ret->index = index_of(t, newest);
        return;
    }
    ret->hash = (uint32_t)slice_hash(header_value(f), name_hash);
    for (uint32_t k = x->bucket[ret->hash % BUCKETS]; hpack_table_has(t, k); k = x->before[k % HPACK_TABLE_ENTRIES]) {
        if (x->hash[k % HPACK_TABLE_ENTRIES] == ret->hash && is_entry(t, k, f)) {
            ret->index = index_of(t, k);
            return;
        }
    }
}

/* Index of some entry with the field's name, or 0. Names without token are not looked for. */
static inline uint32_t find_name(const struct hpack_encoder *e, const struct header *f)
{
    uint32_t first = HPACK_STATIC_RANGE[f->token].first;
    if (first > 0 || f->token == TOKEN_NONE || !e->index)
        return first;
    const struct hpack_table *t = e->index->table;
    uint32_t newest = e->index->newest[f->token];
    if (!hpack_table_has(t, newest) || hpack_table_entry(t, newest)->token != f->token)
        return 0;
    return index_of(t, newest);
}

static inline uint8_t *put_literal(const struct hpack_encoder *e, uint8_t *w, const struct header *f, uint8_t kind,
                                   uint8_t mask)
{
    uint32_t name = find_name(e, f);
    w = put_int(w, kind, mask, name);
    if (name == 0)
        w = put_text(w, f->name, f->name_n);
    return put_text(w, f->value, f->value_n);
}

static bool ends_with(const struct header *f, struct slice end)
{
    return f->name_n >= end.n && memcmp(f->name + f->name_n - end.n, end.p, end.n) == 0;
}

/* Known names whose value is another one in each call. */
static const bool VARIES[TOKEN_COUNT] = {
    [TOKEN_GRPC_TIMEOUT] = true,  [TOKEN_CONTENT_LENGTH] = true, [TOKEN_TRACEPARENT] = true,
    [TOKEN_TRACESTATE] = true,    [TOKEN_X_REQUEST_ID] = true,   [TOKEN_GRPC_MESSAGE] = true,
    [TOKEN_GRPC_TAGS_BIN] = true, [TOKEN_GRPC_TRACE_BIN] = true, [TOKEN_GRPC_STATUS_DETAILS_BIN] = true,
    [TOKEN_DATE] = true,
};

static inline bool varies(const struct header *f)
{
    if (f->token != TOKEN_NONE)
        return VARIES[f->token];
    return ends_with(f, SLICE("-id")) || ends_with(f, SLICE("-bin"));
}

static bool is_worth_it(const struct hpack_encoder *e, const struct header *f, uint8_t *misses)
{
    if (f->value_n > INDEXED_VALUE_MAX || (uint64_t)f->name_n + f->value_n + HEADERS_FIELD_OVERHEAD > e->size_max)
        return false;
    return ++*misses <= MISSES_MAX;
}

static bool insert(struct hpack_encoder *e, const struct header *f, uint32_t hash)
{
    struct hpack_index *x = e->index;
    if (hpack_table_insert(x->table, e->size_max, f, 0) != ERR_NONE)
        return false;
    uint32_t number = x->table->last, at = number % HPACK_TABLE_ENTRIES;
    x->hash[at] = hash;
    x->before[at] = x->bucket[hash % BUCKETS];
    x->bucket[hash % BUCKETS] = number;
    x->newest[f->token] = number;
    return true;
}

static uint8_t *put_dynamic(struct hpack_encoder *e, uint8_t *w, const struct header *f)
{
    struct place place;
    if (!e->index && !(e->index = index_new()))
        return put_literal(e, w, f, 0, 0x0f);
    find_dynamic(e->index, f, &place);
    if (place.index > 0) {
        if (*place.misses > 0)
            *place.misses = 0;
        return put_int(w, 0x80, 0x7f, place.index);
    }
    if (!is_worth_it(e, f, place.misses))
        return put_literal(e, w, f, 0, 0x0f);
    uint8_t *behind = put_literal(e, w, f, 0x40, 0x3f);
    if (!insert(e, f, place.hash))
        return put_literal(e, w, f, 0, 0x0f);
    return behind;
}

/* A field whose value will not come again. The first one of a known name goes into the table all the same, so that the
 * others write an index for the name, which is shorter and saves the reader a look-up. */
static inline uint8_t *put_varying(struct hpack_encoder *e, uint8_t *w, const struct header *f)
{
    if (f->token == TOKEN_NONE || f->flags & HEADER_NO_INDEX || find_name(e, f) > 0 || f->value_n > NAMING_VALUE_MAX)
        return put_literal(e, w, f, 0, 0x0f);
    return put_dynamic(e, w, f);
}

static inline uint8_t *put_field(struct hpack_encoder *e, uint8_t *w, const struct header *f)
{
    uint32_t index = find_static(f);
    if (index > 0)
        return put_int(w, 0x80, 0x7f, index);
    if (f->flags & HEADER_NEVER_INDEX)
        return put_literal(e, w, f, 0x10, 0x0f);
    if (f->flags & HEADER_NO_INDEX || varies(f))
        return put_varying(e, w, f);
    return put_dynamic(e, w, f);
}

static size_t room_for(const struct header *v, size_t n)
{
    size_t room = SIZE_UPDATE_ROOM + n * FIELD_ROOM;
    for (size_t i = 0; i < n; i++)
        room += (size_t)v[i].name_n + v[i].value_n;
    return room;
}

enum err hpack_encode(struct hpack_encoder *e, const struct header *v, size_t n, struct buf *out)
{
    uint8_t *start = buf_reserve(out, room_for(v, n));
    if (!start)
        return ERR_NOMEM;
    uint8_t *w = put_size_updates(e, start);
    for (size_t i = 0; i < n; i++)
        w = put_field(e, w, &v[i]);
    buf_commit(out, (size_t)(w - start));
    return ERR_NONE;
}
