/* Huffman decoding against an encoder built from the lengths of RFC 7541 appendix B, and against nghttp2's verdict. */
#include "h2/huffman.h"

#include "hpack_help.h"

enum { SYMBOLS = 257, EOS = 256, TEXT_MAX = 600 };

static const uint8_t LENGTHS[SYMBOLS] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,
    7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,
    5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24,
    24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26,
    27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23,
    22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};

static uint32_t codes[SYMBOLS];

static int make_codes(void **state)
{
    (void)state;
    uint32_t code = 0;
    for (unsigned length = 1; length <= 30; length++, code <<= 1)
        for (unsigned s = 0; s < SYMBOLS; s++)
            if (LENGTHS[s] == length)
                codes[s] = code++;
    return 0;
}

struct writer {
    uint8_t p[TEXT_MAX * 4];
    size_t bits;
};

static void put_bits(struct writer *w, uint32_t code, unsigned n)
{
    for (unsigned i = n; i-- > 0; w->bits++) {
        if (w->bits % 8 == 0)
            w->p[w->bits / 8] = 0;
        w->p[w->bits / 8] |= (uint8_t)((code >> i & 1) << (7 - w->bits % 8));
    }
}

static void put_symbol(struct writer *w, unsigned symbol)
{
    put_bits(w, codes[symbol], LENGTHS[symbol]);
}

/* The rest of the last byte is the head of the end-of-string code. Returns the bytes. */
static size_t pad(struct writer *w)
{
    if (w->bits % 8 > 0)
        put_bits(w, 0xff, (unsigned)(8 - w->bits % 8));
    return w->bits / 8;
}

/* Decodes from a copy of the exact size to a room of the documented size, both ways. */
static enum err decode(const uint8_t *p, size_t n, char **ret, size_t *ret_n)
{
    uint8_t *copy = malloc(n ? n : 1);
    *ret = malloc(huffman_room(n));
    memcpy(copy, p, n);
    enum err e = huffman_decode(copy, n, *ret, ret_n);
    size_t measured;
    assert_int_equal(huffman_measure(copy, n, &measured), e);
    if (e == ERR_NONE)
        assert_int_equal(measured, *ret_n);
    free(copy);
    return e;
}

static bool is_decodable(const uint8_t *p, size_t n)
{
    char *text;
    size_t text_n;
    bool ok = decode(p, n, &text, &text_n) == ERR_NONE;
    free(text);
    return ok;
}

/* nghttp2's verdict on the same bytes as a value. */
static bool is_decodable_by_nghttp2(const uint8_t *p, size_t n)
{
    uint8_t block[TEXT_MAX * 4 + 16] = {0x00, 0x01, 'a'};
    size_t at = 3;
    if (n < 127) {
        block[at++] = (uint8_t)(0x80 | n);
    } else {
        block[at++] = 0xff;
        block[at++] = (uint8_t)((n - 127) | 0x80);
        block[at++] = (uint8_t)((n - 127) >> 7);
    }
    memcpy(block + at, p, n);
    nghttp2_hd_inflater *inflater;
    nghttp2_nv nv;
    int flags = 0;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, at + n, 1);
    nghttp2_hd_inflate_del(inflater);
    return used >= 0;
}

static void assert_round_trip(const uint8_t *text, size_t n)
{
    static struct writer w;
    char *got;
    size_t got_n;
    w.bits = 0;
    for (size_t i = 0; i < n; i++)
        put_symbol(&w, text[i]);
    size_t bytes = pad(&w);
    assert_int_equal(decode(w.p, bytes, &got, &got_n), ERR_NONE);
    assert_int_equal(got_n, n);
    assert_memory_equal(got, text, n);
    free(got);
}

static void test_every_symbol_at_every_place(void **state)
{
    (void)state;
    uint8_t text[24];
    for (unsigned symbol = 0; symbol < EOS; symbol++) {
        for (size_t n = 1; n <= sizeof text; n++) {
            memset(text, 'a', n);
            text[n / 2] = (uint8_t)symbol;
            assert_round_trip(text, n);
            memset(text, (int)symbol, n);
            assert_round_trip(text, n);
        }
    }
}

static void test_empty_string(void **state)
{
    (void)state;
    assert_round_trip((const uint8_t *)"", 0);
}

static void test_random_strings(void **state)
{
    (void)state;
    struct rng rng;
    uint8_t text[TEXT_MAX];
    rng_init(&rng, 7);
    for (int round = 0; round < 20000; round++) {
        size_t n = rng_below(&rng, round % 10 ? 40 : TEXT_MAX);
        bool is_text = rng_below(&rng, 2);
        for (size_t i = 0; i < n; i++)
            text[i] = (uint8_t)(is_text ? 0x20 + rng_below(&rng, 0x5f) : rng_next(&rng));
        assert_round_trip(text, n);
    }
}

static void test_padding_of_ones_up_to_seven(void **state)
{
    (void)state;
    /* '0' has 5 bits, ';' 8, '&' 8, 'X' 8: so many bits, then so many ones */
    for (unsigned fives = 0; fives < 24; fives++) {
        for (unsigned ones = 0; ones < 24; ones++) {
            struct writer w = {.bits = 0};
            for (unsigned i = 0; i < fives; i++)
                put_symbol(&w, '0');
            put_bits(&w, 0xffffff, ones);
            if (w.bits % 8 != 0)
                continue;
            assert_int_equal(is_decodable(w.p, w.bits / 8), ones <= 7);
            assert_int_equal(is_decodable_by_nghttp2(w.p, w.bits / 8), ones <= 7);
        }
    }
}

static void test_padding_of_other_bits(void **state)
{
    (void)state;
    for (unsigned fives = 1; fives < 24; fives++) {
        unsigned room = (8 - fives * 5 % 8) % 8;
        for (uint32_t padding = 0; padding < 1u << room; padding++) {
            struct writer w = {.bits = 0};
            for (unsigned i = 0; i < fives; i++)
                put_symbol(&w, '0');
            put_bits(&w, padding, room);
            bool ok = is_decodable(w.p, w.bits / 8);
            if (room < 5) /* no symbol has room */
                assert_int_equal(ok, padding == (1u << room) - 1);
            assert_int_equal(ok, is_decodable_by_nghttp2(w.p, w.bits / 8));
        }
    }
}

static void test_end_of_string_is_refused(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 20; before++) {
        for (unsigned after = 0; after < 20; after++) {
            struct writer w = {.bits = 0};
            for (unsigned i = 0; i < before; i++)
                put_symbol(&w, 'a');
            put_symbol(&w, EOS);
            for (unsigned i = 0; i < after; i++)
                put_symbol(&w, 'a');
            size_t n = pad(&w);
            assert_false(is_decodable(w.p, n));
        }
    }
}

static void test_random_bytes_as_nghttp2_judges(void **state)
{
    (void)state;
    struct rng rng;
    uint8_t bytes[300];
    unsigned accepted = 0;
    rng_init(&rng, 11);
    for (int round = 0; round < 200000; round++) {
        size_t n = rng_below(&rng, round % 50 ? 20 : sizeof bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(rng_below(&rng, 4) ? rng_next(&rng) : 0xff);
        bool ok = is_decodable(bytes, n);
        assert_int_equal(ok, is_decodable_by_nghttp2(bytes, n));
        accepted += ok;
    }
    assert_in_range(accepted, 2000, 198000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_symbol_at_every_place),
        cmocka_unit_test(test_empty_string),
        cmocka_unit_test(test_random_strings),
        cmocka_unit_test(test_padding_of_ones_up_to_seven),
        cmocka_unit_test(test_padding_of_other_bits),
        cmocka_unit_test(test_end_of_string_is_refused),
        cmocka_unit_test(test_random_bytes_as_nghttp2_judges),
    };
    return cmocka_run_group_tests(tests, make_codes, NULL);
}
