/* HPACK against nghttp2, with seeds: what one writes the other reads, and both refuse the same bytes. Known
 * differences, each stricter on our side: at most two size updates open a block (RFC 7541 section 4.2 never needs a
 * third). */
#include "h2/hpack.h"

#include "hpack_help.h"

enum { FIELDS_MAX = 30, BLOCKS = 3000, SEEDS = 12, BLOCK_BYTES_MAX = 1 << 17, VALUE_BYTES_MAX = 6000 };

struct list {
    struct header v[FIELDS_MAX];
    size_t n;
    char text[FIELDS_MAX][64 + VALUE_BYTES_MAX];
};

static const char *const NAMES[] = {
    ":method",
    ":path",
    ":authority",
    ":status",
    "te",
    "content-type",
    "grpc-timeout",
    "traceparent",
    "cookie",
    "x-user",
    "x-user-id",
    "x-data-bin",
    "grpc-status",
    "x-a",
    "x-b",
    "x-c",
    "date",
    "user-agent",
    "authorization",
    "grpc-message",
    "via",
    "x-long-name-that-goes-on-and-on",
    "a",
    "X-Upper",
};
static const char *const VALUES[] = {
    "",
    "POST",
    "GET",
    "/",
    "/pkg.Service/Method",
    "200",
    "trailers",
    "application/grpc",
    "0",
    "a",
    "b",
    "c",
    "value",
    "another value",
    "identity,deflate,gzip",
    "\x01\x02\xff\xfe",
    "gzip, deflate",
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static size_t random_value(struct rng *rng, char *out)
{
    size_t n = rng_below(rng, rng_below(rng, 50) ? 80 : VALUE_BYTES_MAX);
    bool is_text = rng_below(rng, 4);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(is_text ? 'a' + rng_below(rng, 26) : rng_next(rng));
    return n;
}

static void random_field(struct rng *rng, struct header *f, char *text)
{
    const char *name = NAMES[rng_below(rng, COUNT(NAMES))];
    size_t name_n = strlen(name), n;
    memcpy(text, name, name_n);
    if (rng_below(rng, 20) == 0)
        text[name_n++] = (char)('a' + rng_below(rng, 26));
    if (rng_below(rng, 4) > 0) {
        const char *value = VALUES[rng_below(rng, COUNT(VALUES))];
        n = strlen(value);
        memcpy(text + name_n, value, n);
    } else {
        n = random_value(rng, text + name_n);
    }
    *f = (struct header){.name = text, .value = text + name_n, .name_n = (uint32_t)name_n, .value_n = (uint32_t)n};
    f->token = (uint16_t)token_find(text, name_n);
    f->flags = rng_below(rng, 30) == 0 ? HEADER_NEVER_INDEX : rng_below(rng, 20) == 0 ? HEADER_NO_INDEX : 0;
}

static void random_list(struct rng *rng, struct list *l)
{
    l->n = rng_below(rng, FIELDS_MAX + 1);
    for (size_t i = 0; i < l->n; i++)
        random_field(rng, &l->v[i], l->text[i]);
}

static uint32_t random_size(struct rng *rng)
{
    const uint32_t sizes[] = {0, 31, 64, 100, 500, 2000, 4095, 4096};
    return rng_below(rng, 2) ? sizes[rng_below(rng, COUNT(sizes))] : (uint32_t)rng_below(rng, HPACK_TABLE_BYTES + 1);
}

static void assert_same_bytes(const char *a, size_t a_n, const uint8_t *b, size_t b_n)
{
    assert_int_equal(a_n, b_n);
    if (a_n > 0)
        assert_memory_equal(a, b, a_n);
}

/* nghttp2 reads the block and finds the list. */
static void assert_nghttp2_reads(nghttp2_hd_inflater *inflater, const struct buf *block, const struct list *l)
{
    const uint8_t *p = buf_head(block);
    size_t left = buf_len(block), seen = 0;
    int flags;
    do {
        nghttp2_nv nv;
        flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, p, left, 1);
        assert_true(n >= 0);
        p += n;
        left -= (size_t)n;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        assert_in_range(seen, 0, l->n - 1);
        const struct header *f = &l->v[seen++];
        assert_same_bytes(f->name, f->name_n, nv.name, nv.namelen);
        assert_same_bytes(f->value, f->value_n, nv.value, nv.valuelen);
        /* A field that the static table has whole is an index, whatever was asked. */
        if (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX)
            assert_true(f->flags & HEADER_NEVER_INDEX);
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
    nghttp2_hd_inflate_end_headers(inflater);
    assert_int_equal(seen, l->n);
}

static void write_ours_read_theirs(uint64_t seed)
{
    static struct list l;
    struct rng rng;
    struct hpack_encoder encoder;
    struct buf block;
    nghttp2_hd_inflater *inflater;
    rng_init(&rng, seed);
    hpack_encoder_init(&encoder);
    buf_init(&block);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (int i = 0; i < BLOCKS; i++) {
        for (uint64_t n = rng_below(&rng, 20) ? 0 : 1 + rng_below(&rng, 3); n > 0; n--) {
            uint32_t size = random_size(&rng);
            hpack_encoder_set_size(&encoder, size);
            assert_int_equal(nghttp2_hd_inflate_change_table_size(inflater, size), 0);
        }
        if (rng_below(&rng, 50) == 0)
            hpack_encoder_release(&encoder);
        random_list(&rng, &l);
        buf_clear(&block);
        assert_int_equal(hpack_encode(&encoder, l.v, l.n, &block), ERR_NONE);
        assert_nghttp2_reads(inflater, &block, &l);
        assert_int_equal(hpack_encoder_table_size(&encoder), nghttp2_hd_inflate_get_dynamic_table_size(inflater));
    }
    nghttp2_hd_inflate_del(inflater);
    buf_fini(&block);
    hpack_encoder_fini(&encoder);
}

static size_t write_theirs(nghttp2_hd_deflater *deflater, const struct list *l, uint8_t *block)
{
    nghttp2_nv nv[FIELDS_MAX];
    for (size_t i = 0; i < l->n; i++)
        nv[i] = (nghttp2_nv){.name = (uint8_t *)l->v[i].name,
                             .value = (uint8_t *)l->v[i].value,
                             .namelen = l->v[i].name_n,
                             .valuelen = l->v[i].value_n,
                             .flags = l->v[i].flags ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
    ssize_t n = nghttp2_hd_deflate_hd(deflater, block, BLOCK_BYTES_MAX, nv, l->n);
    assert_true(n >= 0);
    return (size_t)n;
}

static void assert_we_read(struct hpack_decoder *decoder, const uint8_t *block, size_t n, const struct list *l)
{
    struct decoded got;
    decoded_init(&got);
    got.sink.bytes_max = 1 << 20;
    assert_int_equal(decode_copy(decoder, block, n, &got.sink), ERR_NONE);
    assert_int_equal(got.h.n, l->n);
    for (size_t i = 0; i < l->n; i++) {
        const struct header *f = &l->v[i], *g = &got.h.v[i];
        assert_same_bytes(f->name, f->name_n, (const uint8_t *)g->name, g->name_n);
        assert_same_bytes(f->value, f->value_n, (const uint8_t *)g->value, g->value_n);
        assert_int_equal(f->token, g->token);
    }
    decoded_fini(&got);
}

static void write_theirs_read_ours(uint64_t seed)
{
    static struct list l;
    static uint8_t block[BLOCK_BYTES_MAX];
    struct rng rng;
    struct hpack_decoder decoder;
    nghttp2_hd_deflater *deflater;
    rng_init(&rng, seed);
    hpack_decoder_init(&decoder);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, HPACK_TABLE_BYTES), 0);
    for (int i = 0; i < BLOCKS; i++) {
        for (uint64_t n = rng_below(&rng, 20) ? 0 : 1 + rng_below(&rng, 3); n > 0; n--)
            assert_int_equal(nghttp2_hd_deflate_change_table_size(deflater, random_size(&rng)), 0);
        random_list(&rng, &l);
        assert_we_read(&decoder, block, write_theirs(deflater, &l, block), &l);
        assert_int_equal(decoder.table ? decoder.table->size : 0, nghttp2_hd_deflate_get_dynamic_table_size(deflater));
    }
    nghttp2_hd_deflate_del(deflater);
    hpack_decoder_fini(&decoder);
}

/* Reads a block with nghttp2 into the arena; false when it refuses. */
static bool read_theirs(nghttp2_hd_inflater *inflater, const uint8_t *p, size_t n, struct decoded *to)
{
    int flags;
    do {
        nghttp2_nv nv;
        flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, p, n, 1);
        if (used < 0)
            return false;
        p += used;
        n -= (size_t)used;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        struct slice name = arena_copy(&to->arena, slice_make(nv.name, nv.namelen));
        struct slice value = arena_copy(&to->arena, slice_make(nv.value, nv.valuelen));
        headers_add(&to->h, (struct header){.name = name.p,
                                            .value = value.p,
                                            .name_n = (uint32_t)name.n,
                                            .value_n = (uint32_t)value.n,
                                            .flags = nv.flags & NGHTTP2_NV_FLAG_NO_INDEX ? HEADER_NEVER_INDEX : 0});
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
    nghttp2_hd_inflate_end_headers(inflater);
    return true;
}

static void assert_same_fields(const struct headers *a, const struct headers *b)
{
    assert_int_equal(a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        assert_same_bytes(a->v[i].name, a->v[i].name_n, (const uint8_t *)b->v[i].name, b->v[i].name_n);
        assert_same_bytes(a->v[i].value, a->v[i].value_n, (const uint8_t *)b->v[i].value, b->v[i].value_n);
        assert_int_equal(a->v[i].flags, b->v[i].flags);
    }
}

static bool has_three_updates(const uint8_t *p, size_t n)
{
    unsigned updates = 0;
    for (size_t i = 0; i < n && (p[i] & 0xe0) == 0x20; i++, updates++)
        if ((p[i] & 0x1f) == 0x1f)
            while (++i < n && p[i] & 0x80)
                continue;
    return updates > 2;
}

/* Reads bytes with both from the same history; whether they were accepted. */
static bool judge_both(struct hpack_decoder *decoder, nghttp2_hd_inflater *inflater, const uint8_t *p, size_t n)
{
    struct decoded ours, theirs;
    decoded_init(&ours);
    decoded_init(&theirs);
    ours.sink.bytes_max = 1 << 24;
    enum err e = decode_copy(decoder, p, n, &ours.sink);
    bool ok = read_theirs(inflater, p, n, &theirs);
    if (e != ERR_NONE)
        assert_int_equal(e, ERR_COMPRESSION);
    if (!has_three_updates(p, n))
        assert_int_equal(e == ERR_NONE, ok);
    if (e == ERR_NONE)
        assert_same_fields(&ours.h, &theirs.h);
    decoded_fini(&ours);
    decoded_fini(&theirs);
    return e == ERR_NONE;
}

static void mutate(struct rng *rng, uint8_t *p, size_t *n)
{
    for (uint64_t k = 1 + rng_below(rng, 4); k > 0 && *n > 0; k--) {
        size_t at = rng_below(rng, *n);
        switch (rng_below(rng, 5)) {
        case 0:
            p[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            break;
        case 1:
            p[at] = (uint8_t)rng_next(rng);
            break;
        case 2:
            *n = at;
            break;
        case 3:
            memmove(p + at, p + at + 1, *n - at - 1);
            --*n;
            break;
        default:
            memmove(p + at + 1, p + at, *n - at);
            p[at] = (uint8_t)(rng_below(rng, 2) ? 0xff : rng_next(rng));
            ++*n;
            break;
        }
    }
}

/* Good blocks on one connection, then bad ones until one is refused. */
static unsigned judge_mutations(uint64_t seed)
{
    static struct list l;
    static uint8_t block[BLOCK_BYTES_MAX];
    struct rng rng;
    struct hpack_decoder decoder;
    nghttp2_hd_deflater *deflater;
    nghttp2_hd_inflater *inflater;
    unsigned accepted = 0;
    bool ok = true;
    rng_init(&rng, seed);
    hpack_decoder_init(&decoder);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, HPACK_TABLE_BYTES), 0);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (int i = 0; ok && i < 20; i++) {
        random_list(&rng, &l);
        size_t n = write_theirs(deflater, &l, block);
        if (i >= 3)
            mutate(&rng, block, &n);
        ok = judge_both(&decoder, inflater, block, n);
        accepted += i >= 3 && ok;
    }
    nghttp2_hd_inflate_del(inflater);
    nghttp2_hd_deflate_del(deflater);
    hpack_decoder_fini(&decoder);
    return accepted;
}

static unsigned judge_random_bytes(uint64_t seed)
{
    struct rng rng;
    struct hpack_decoder decoder;
    nghttp2_hd_inflater *inflater;
    unsigned accepted = 0;
    bool ok = true;
    rng_init(&rng, seed);
    hpack_decoder_init(&decoder);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    while (ok) {
        uint8_t block[24];
        size_t n = rng_below(&rng, sizeof block + 1);
        for (size_t i = 0; i < n; i++)
            block[i] = (uint8_t)(rng_below(&rng, 3) ? rng_below(&rng, 12) | (rng_next(&rng) & 0xc0) : rng_next(&rng));
        ok = judge_both(&decoder, inflater, block, n);
        accepted += ok;
    }
    nghttp2_hd_inflate_del(inflater);
    hpack_decoder_fini(&decoder);
    return accepted;
}

static void test_ours_to_nghttp2(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        write_ours_read_theirs(seed);
}

static void test_nghttp2_to_ours(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        write_theirs_read_ours(seed);
}

static void test_mutated_blocks(void **state)
{
    (void)state;
    unsigned accepted = 0;
    for (uint64_t seed = 1; seed <= 6000; seed++)
        accepted += judge_mutations(seed);
    assert_in_range(accepted, 1000, 100000);
}

static void test_random_bytes(void **state)
{
    (void)state;
    unsigned accepted = 0;
    for (uint64_t seed = 1; seed <= 100000; seed++)
        accepted += judge_random_bytes(seed);
    assert_in_range(accepted, 3000, 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours_to_nghttp2),
        cmocka_unit_test(test_nghttp2_to_ours),
        cmocka_unit_test(test_mutated_blocks),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
