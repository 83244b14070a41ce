/* HPACK: the input is blocks on one connection, each behind a byte with its length. nghttp2 must judge them as we do,
 * and what was read must survive our encoder. Three size updates in a row, which only we refuse, end the run. */
#include "h2/hpack.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum { BYTES_MAX = 1 << 20 };

struct peers {
    struct hpack_decoder decoder, again;
    struct hpack_encoder encoder;
    nghttp2_hd_inflater *inflater;
    struct buf out;
};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool same(const char *a, size_t a_n, const void *b, size_t b_n)
{
    return a_n == b_n && (a_n == 0 || memcmp(a, b, a_n) == 0);
}

/* Whether nghttp2 reads the same fields; *ret_ok is whether it accepts the block. */
static bool agrees(nghttp2_hd_inflater *inflater, const uint8_t *p, size_t n, const struct headers *h, bool *ret_ok)
{
    int flags;
    uint32_t seen = 0;
    *ret_ok = false;
    do {
        nghttp2_nv nv;
        flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, p, n, 1);
        if (used < 0)
            return true;
        p += used;
        n -= (size_t)used;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        if (seen >= h->n)
            continue;
        const struct header *f = &h->v[seen++];
        if (!same(f->name, f->name_n, nv.name, nv.namelen) || !same(f->value, f->value_n, nv.value, nv.valuelen))
            return false;
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
    nghttp2_hd_inflate_end_headers(inflater);
    *ret_ok = true;
    return true;
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

static enum err decode(struct hpack_decoder *d, const uint8_t *p, size_t n, struct arena *arena, struct headers *h)
{
    struct hpack_sink sink = {.arena = arena, .headers = h, .fields_max = HEADERS_FIELDS_MAX, .bytes_max = BYTES_MAX};
    h->n = h->bytes = 0;
    return hpack_decode(d, p, n, &sink);
}

static void pass_again(struct peers *x, const struct headers *h, struct arena *arena)
{
    static struct headers got;
    buf_clear(&x->out);
    CHECK(hpack_encode(&x->encoder, h->v, h->n, &x->out) == ERR_NONE);
    CHECK(decode(&x->again, buf_head(&x->out), buf_len(&x->out), arena, &got) == ERR_NONE);
    CHECK(got.n == h->n);
    for (uint32_t i = 0; i < h->n; i++) {
        CHECK(slice_eq(header_name(&got.v[i]), header_name(&h->v[i])));
        CHECK(slice_eq(header_value(&got.v[i]), header_value(&h->v[i])));
        CHECK(got.v[i].token == h->v[i].token);
    }
}

/* False when the connection is over. */
static bool run_block(struct peers *x, const uint8_t *p, size_t n)
{
    static struct headers h;
    struct arena arena;
    bool ok;
    arena_init(&arena, NULL, 0);
    enum err e = decode(&x->decoder, p, n, &arena, &h);
    CHECK(agrees(x->inflater, p, n, &h, &ok));
    CHECK(ok == (e == ERR_NONE) || has_three_updates(p, n) || e == ERR_LIMIT);
    if (e == ERR_NONE)
        pass_again(x, &h, &arena);
    arena_fini(&arena);
    return e == ERR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct peers x;
    hpack_decoder_init(&x.decoder);
    hpack_decoder_init(&x.again);
    hpack_encoder_init(&x.encoder);
    buf_init(&x.out);
    CHECK(nghttp2_hd_inflate_new(&x.inflater) == 0);
    while (n > 0) {
        size_t block_n = p[0] < n - 1 ? p[0] : n - 1;
        if (!run_block(&x, p + 1, block_n))
            break;
        p += 1 + block_n;
        n -= 1 + block_n;
    }
    nghttp2_hd_inflate_del(x.inflater);
    buf_fini(&x.out);
    hpack_encoder_fini(&x.encoder);
    hpack_decoder_fini(&x.again);
    hpack_decoder_fini(&x.decoder);
    return 0;
}
