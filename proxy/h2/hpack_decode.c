/* HPACK decoding. A field's bytes are judged when they are decoded from a literal; a table entry remembers the verdict
 * and the token, so an indexed field costs a load and a copy. */
#include "h2/hpack_check.h"
#include "h2/hpack_table.h"
#include "h2/huffman.h"

enum { SIZE_UPDATES_MAX = 2, BOUND_FACTOR = 4, COPY_PAD = HPACK_TABLE_PAD };

struct decoding {
    struct hpack_decoder *d;
    struct hpack_sink *sink;
    const uint8_t *p, *end;
};

/* A string as it stands in the block. */
struct text {
    const uint8_t *p;
    uint32_t n;
    bool huffman;
};

/* A literal before its bytes are decoded. With `token` or `old` the name is known, else it stands in `name`. */
struct literal {
    struct text name, value;
    const struct hpack_entry *old; /* a dynamic entry without token that has the name; gone after an insertion */
    enum token token;
    uint8_t flags;
    bool insert, never;
};

void hpack_decoder_init(struct hpack_decoder *d)
{
    *d = (struct hpack_decoder){.size_max = HPACK_TABLE_BYTES};
}

void hpack_decoder_fini(struct hpack_decoder *d)
{
    hpack_table_free(d->table);
    *d = (struct hpack_decoder){0};
}

/* Continuation of an integer (RFC 7541 section 5.1); at most 5 bytes, 32 bits. */
static bool read_more(struct decoding *c, uint32_t *v)
{
    uint64_t sum = *v;
    for (unsigned shift = 0; shift < 35 && c->p < c->end; shift += 7) {
        uint8_t b = *c->p++;
        sum += (uint64_t)(b & 0x7f) << shift;
        if (b & 0x80)
            continue;
        *v = (uint32_t)sum;
        return sum <= UINT32_MAX;
    }
    return false;
}

static inline bool read_int(struct decoding *c, uint8_t mask, uint32_t *ret)
{
    *ret = *c->p++ & mask;
    return *ret < mask || read_more(c, ret);
}

static bool read_text(struct decoding *c, struct text *ret)
{
    if (c->p == c->end)
        return false;
    ret->huffman = *c->p & 0x80;
    if (!read_int(c, 0x7f, &ret->n) || ret->n > (size_t)(c->end - c->p))
        return false;
    ret->p = c->p;
    c->p += ret->n;
    return true;
}

/* Counts a field of `size` (overhead included) that will be stored if this says so. */
static inline bool fits(const struct hpack_sink *s, uint64_t size)
{
    return s->fields < s->fields_max && s->bytes + size <= s->bytes_max && s->headers->n < HEADERS_FIELDS_MAX;
}

static inline void store(struct hpack_sink *s, const struct header *f)
{
    uint32_t size = f->name_n + f->value_n + HEADERS_FIELD_OVERHEAD;
    s->fields++;
    s->bytes += size;
    s->headers->bytes += size;
    s->headers->v[s->headers->n++] = *f;
}

/* Counts a field that is not stored. */
static enum err overflow(struct hpack_sink *s, uint64_t size)
{
    uint64_t bytes = s->bytes + size;
    s->fields++;
    s->bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    bool far = s->fields > (uint64_t)BOUND_FACTOR * s->fields_max || bytes > (uint64_t)BOUND_FACTOR * s->bytes_max;
    return far ? ERR_LIMIT : ERR_NONE;
}

/* The dynamic entry with this index, or NULL. */
static inline const struct hpack_entry *find_entry(const struct hpack_decoder *d, uint32_t index)
{
    uint32_t back = index - HPACK_STATIC_ENTRIES - 1;
    if (!d->table || back >= d->table->n)
        return NULL;
    return hpack_table_entry(d->table, d->table->last - back);
}

/* Copies n bytes by sixteens: `from` and `to` have COPY_PAD bytes more than that. */
static inline void copy_padded(char *to, const char *from, size_t n)
{
    size_t i = 0;
    do {
        memcpy(to + i, from + i, COPY_PAD);
        i += COPY_PAD;
    } while (i < n);
}

static enum err decode_dynamic(struct decoding *c, uint32_t index)
{
    const struct hpack_table *t = c->d->table;
    const struct hpack_entry *e = find_entry(c->d, index);
    if (!e)
        return ERR_COMPRESSION;
    uint32_t size = (uint32_t)e->name_n + e->value_n + HEADERS_FIELD_OVERHEAD;
    if (!fits(c->sink, size))
        return overflow(c->sink, size);
    struct header f = hpack_table_field(t, e);
    uint32_t name_n = e->token == TOKEN_NONE ? e->name_n : 0, n = name_n + e->value_n;
    char *to = arena_room(c->sink->arena, n + COPY_PAD);
    if (!to)
        return ERR_NOMEM;
    copy_padded(to, hpack_table_bytes(t, e), n);
    arena_take(c->sink->arena, n);
    if (name_n > 0)
        f.name = to;
    f.value = to + name_n;
    c->sink->malformed |= e->flags != 0;
    store(c->sink, &f);
    return ERR_NONE;
}

static inline enum err decode_indexed(struct decoding *c)
{
    uint32_t index;
    if (!read_int(c, 0x7f, &index) || index == 0)
        return ERR_COMPRESSION;
    if (index > HPACK_STATIC_ENTRIES)
        return decode_dynamic(c, index);
    const struct header *f = &HPACK_STATIC[index];
    uint32_t size = f->name_n + f->value_n + HEADERS_FIELD_OVERHEAD;
    if (!fits(c->sink, size))
        return overflow(c->sink, size);
    store(c->sink, f);
    return ERR_NONE;
}

static inline size_t room_of(const struct text *t)
{
    return t->huffman ? huffman_room(t->n) : t->n;
}

/* `out` has COPY_PAD bytes more than room_of(t). */
static inline enum err expand(const struct decoding *c, const struct text *t, char *out, size_t *ret_n)
{
    if (t->huffman)
        return huffman_decode(t->p, t->n, out, ret_n);
    if ((size_t)(c->end - t->p) >= (size_t)t->n + COPY_PAD)
        copy_padded(out, (const char *)t->p, t->n);
    else
        memcpy(out, t->p, t->n);
    *ret_n = t->n;
    return ERR_NONE;
}

static enum err measure(const struct text *t, size_t *ret_n)
{
    *ret_n = t->n;
    return t->huffman ? huffman_measure(t->p, t->n, ret_n) : ERR_NONE;
}

/* Writes the name to *to unless it is a constant, and moves *to behind it. */
static enum err expand_name(const struct decoding *c, struct literal *l, struct header *f, char **to)
{
    f->name = *to;
    if (l->token == TOKEN_NONE && l->old) {
        f->name_n = l->old->name_n;
        memcpy(*to, hpack_table_bytes(c->d->table, l->old), f->name_n);
        *to += f->name_n;
        return ERR_NONE;
    }
    size_t n = 0;
    if (l->token == TOKEN_NONE) {
        if (expand(c, &l->name, *to, &n) != ERR_NONE)
            return ERR_COMPRESSION;
        l->flags = hpack_check_name(*to, n) ? 0 : HPACK_BAD_NAME;
        l->token = token_find(*to, n);
    }
    if (l->token != TOKEN_NONE) {
        f->name = token_name(l->token).p;
        n = token_name(l->token).n;
    } else {
        *to += n;
    }
    f->name_n = (uint32_t)n;
    return ERR_NONE;
}

/* Writes the literal's bytes from `to` on; *ret_used is how many. `to` has COPY_PAD bytes more than that. */
static enum err expand_literal(const struct decoding *c, struct literal *l, char *to, struct header *f,
                               size_t *ret_used)
{
    char *at = to;
    size_t n = 0;
    *f = (struct header){.flags = l->never ? HEADER_NEVER_INDEX : 0};
    if (expand_name(c, l, f, &at) != ERR_NONE || expand(c, &l->value, at, &n) != ERR_NONE)
        return ERR_COMPRESSION;
    f->token = (uint16_t)l->token;
    f->value = at;
    f->value_n = (uint32_t)n;
    if (!hpack_check_value(at, n, l->token == TOKEN_GRPC_MESSAGE))
        l->flags |= HPACK_BAD_VALUE;
    *ret_used = (size_t)(at - to) + n;
    return ERR_NONE;
}

static enum err insert(struct hpack_decoder *d, const struct header *f, uint8_t flags)
{
    if (!d->table && !(d->table = hpack_table_new()))
        return ERR_NOMEM;
    return hpack_table_insert(d->table, d->size_max, f, flags);
}

static enum err store_literal(struct decoding *c, struct literal *l, size_t room)
{
    struct header f;
    size_t used;
    char *to = arena_room(c->sink->arena, room + COPY_PAD);
    if (!to)
        return ERR_NOMEM;
    enum err e = expand_literal(c, l, to, &f, &used);
    if (e != ERR_NONE)
        return e;
    arena_take(c->sink->arena, used);
    c->sink->malformed |= l->flags != 0;
    store(c->sink, &f);
    return l->insert ? insert(c->d, &f, l->flags) : ERR_NONE;
}

/* Does with a field that is not stored what the table needs. */
static enum err skip_literal(struct decoding *c, struct literal *l, uint64_t size)
{
    char bytes[HPACK_TABLE_BYTES + HPACK_TABLE_BYTES / 2];
    struct header f;
    size_t used;
    if (l->insert && size > c->d->size_max && c->d->table)
        hpack_table_shrink(c->d->table, 0);
    if (!l->insert || size > c->d->size_max)
        return overflow(c->sink, size);
    enum err e = expand_literal(c, l, bytes, &f, &used);
    if (e == ERR_NONE)
        e = insert(c->d, &f, l->flags);
    return e == ERR_NONE ? overflow(c->sink, size) : e;
}

/* The literal's size is measured first: near the bounds, where the estimate is too coarse. */
static enum err weigh_literal(struct decoding *c, struct literal *l, size_t name_n)
{
    size_t value_n;
    if (l->token == TOKEN_NONE && !l->old && measure(&l->name, &name_n) != ERR_NONE)
        return ERR_COMPRESSION;
    if (measure(&l->value, &value_n) != ERR_NONE)
        return ERR_COMPRESSION;
    uint64_t size = (uint64_t)name_n + value_n + HEADERS_FIELD_OVERHEAD;
    if (fits(c->sink, size))
        return store_literal(c, l, room_of(&l->name) + name_n + room_of(&l->value));
    return skip_literal(c, l, size);
}

static bool find_name(const struct decoding *c, struct literal *l, uint32_t index, size_t *ret_n)
{
    if (index <= HPACK_STATIC_ENTRIES) {
        l->token = HPACK_STATIC[index].token;
        *ret_n = HPACK_STATIC[index].name_n;
        return true;
    }
    const struct hpack_entry *e = find_entry(c->d, index);
    if (!e)
        return false;
    l->old = e;
    l->token = e->token;
    l->flags = e->flags & HPACK_BAD_NAME;
    *ret_n = e->name_n;
    return true;
}

static enum err decode_literal(struct decoding *c, uint8_t mask, bool is_insert, bool is_never)
{
    struct literal l = {.insert = is_insert, .never = is_never};
    uint32_t index;
    size_t name_n = 0;
    if (!read_int(c, mask, &index))
        return ERR_COMPRESSION;
    if (index == 0 ? !read_text(c, &l.name) : !find_name(c, &l, index, &name_n))
        return ERR_COMPRESSION;
    if (!read_text(c, &l.value))
        return ERR_COMPRESSION;
    size_t room = room_of(&l.name) + name_n + room_of(&l.value);
    if (fits(c->sink, room + HEADERS_FIELD_OVERHEAD))
        return store_literal(c, &l, room);
    return weigh_literal(c, &l, name_n);
}

static enum err decode_size_update(struct decoding *c)
{
    uint32_t size;
    if (!read_int(c, 0x1f, &size) || size > HPACK_TABLE_BYTES)
        return ERR_COMPRESSION;
    c->d->size_max = size;
    if (c->d->table)
        hpack_table_shrink(c->d->table, size);
    return ERR_NONE;
}

static enum err decode_size_updates(struct decoding *c)
{
    enum err e = ERR_NONE;
    for (int n = 0; e == ERR_NONE && c->p < c->end && (*c->p & 0xe0) == 0x20; n++)
        e = n < SIZE_UPDATES_MAX ? decode_size_update(c) : ERR_COMPRESSION;
    return e;
}

static inline enum err decode_field(struct decoding *c)
{
    uint8_t b = *c->p;
    if (b & 0x80)
        return decode_indexed(c);
    if (b & 0x40)
        return decode_literal(c, 0x3f, true, false);
    if (b & 0x20)
        return ERR_COMPRESSION; /* a size update after a field */
    return decode_literal(c, 0x0f, false, b & 0x10);
}

enum err hpack_decode(struct hpack_decoder *d, const uint8_t *p, size_t n, struct hpack_sink *sink)
{
    struct decoding c = {.d = d, .sink = sink, .p = p, .end = p + n};
    enum err e = decode_size_updates(&c);
    while (e == ERR_NONE && c.p < c.end)
        e = decode_field(&c);
    return e;
}
