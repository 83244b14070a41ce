/* HPACK: the examples of RFC 7541 appendix C, and every bound of the decoder at it and one past. */
#include "h2/hpack.h"

#include "hpack_help.h"

struct field {
    const char *name, *value;
};

struct example {
    const char *hex;
    struct field fields[8];
    uint32_t table_size; /* afterwards */
};

static void assert_field(const struct header *f, const char *name, const char *value)
{
    if (!slice_eq(header_name(f), slice_str(name)) || !slice_eq(header_value(f), slice_str(value)))
        fail_msg("%.*s: %.*s instead of %s: %s", (int)f->name_n, f->name, (int)f->value_n, f->value, name, value);
    assert_int_equal(f->token, token_find(name, strlen(name)));
}

static enum err decode_hex(struct hpack_decoder *d, const char *hex, struct decoded *to)
{
    uint8_t block[4096];
    decoded_reset(to);
    return decode_copy(d, block, unhex(hex, block), &to->sink);
}

/* One connection whose table has table_max bytes. */
static void assert_examples(const struct example *examples, size_t n, uint32_t table_max)
{
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    d.size_max = table_max;
    decoded_init(&got);
    for (size_t i = 0; i < n; i++) {
        const struct example *x = &examples[i];
        assert_int_equal(decode_hex(&d, x->hex, &got), ERR_NONE);
        uint32_t fields = 0;
        for (; x->fields[fields].name; fields++)
            assert_field(&got.h.v[fields], x->fields[fields].name, x->fields[fields].value);
        assert_int_equal(got.h.n, fields);
        assert_int_equal(got.sink.fields, fields);
        assert_int_equal(got.sink.bytes, got.h.bytes);
        assert_false(got.sink.malformed);
        assert_int_equal(d.table ? d.table->size : 0, x->table_size);
    }
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

#define ASSERT_EXAMPLES(examples, table_max)                                                                           \
    assert_examples(examples, sizeof(examples) / sizeof(examples)[0], table_max)

static void test_rfc_c2_each_representation(void **state)
{
    (void)state;
    const struct example with_indexing[] = {
        {"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", {{"custom-key", "custom-header"}}, 55}};
    const struct example without[] = {{"040c 2f73 616d 706c 652f 7061 7468", {{":path", "/sample/path"}}, 0}};
    const struct example never[] = {{"1008 7061 7373 776f 7264 0673 6563 7265 74", {{"password", "secret"}}, 0}};
    const struct example indexed[] = {{"82", {{":method", "GET"}}, 0}};
    ASSERT_EXAMPLES(with_indexing, 4096);
    ASSERT_EXAMPLES(without, 4096);
    ASSERT_EXAMPLES(never, 4096);
    ASSERT_EXAMPLES(indexed, 4096);
}

#define REQUESTS(first, second, third)                                                                                 \
    {                                                                                                                  \
        {first, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}}, 57},     \
            {second,                                                                                                   \
             {{":method", "GET"},                                                                                      \
              {":scheme", "http"},                                                                                     \
              {":path", "/"},                                                                                          \
              {":authority", "www.example.com"},                                                                       \
              {"cache-control", "no-cache"}},                                                                          \
             110},                                                                                                     \
            {third,                                                                                                    \
             {{":method", "GET"},                                                                                      \
              {":scheme", "https"},                                                                                    \
              {":path", "/index.html"},                                                                                \
              {":authority", "www.example.com"},                                                                       \
              {"custom-key", "custom-value"}},                                                                         \
             164},                                                                                                     \
    }

static void test_rfc_c3_requests(void **state)
{
    (void)state;
    const struct example examples[] =
        REQUESTS("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
                 "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65");
    ASSERT_EXAMPLES(examples, 4096);
}

static void test_rfc_c4_requests_with_huffman(void **state)
{
    (void)state;
    const struct example examples[] =
        REQUESTS("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
                 "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
    ASSERT_EXAMPLES(examples, 4096);
}

#define RESPONSES(first, second, third)                                                                                \
    {                                                                                                                  \
        {first,                                                                                                        \
         {{":status", "302"},                                                                                          \
          {"cache-control", "private"},                                                                                \
          {"date", "Mon, 21 Oct 2013 20:13:21 GMT"},                                                                   \
          {"location", "https://www.example.com"}},                                                                    \
         222},                                                                                                         \
            {second,                                                                                                   \
             {{":status", "307"},                                                                                      \
              {"cache-control", "private"},                                                                            \
              {"date", "Mon, 21 Oct 2013 20:13:21 GMT"},                                                               \
              {"location", "https://www.example.com"}},                                                                \
             222},                                                                                                     \
            {third,                                                                                                    \
             {{":status", "200"},                                                                                      \
              {"cache-control", "private"},                                                                            \
              {"date", "Mon, 21 Oct 2013 20:13:22 GMT"},                                                               \
              {"location", "https://www.example.com"},                                                                 \
              {"content-encoding", "gzip"},                                                                            \
              {"set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"}},                             \
             215},                                                                                                     \
    }

static void test_rfc_c5_responses_with_eviction(void **state)
{
    (void)state;
    const struct example examples[] =
        RESPONSES("4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 "
                  "3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                  "4803 3330 37c1 c0bf",
                  "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 "
                  "7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 "
                  "6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31");
    ASSERT_EXAMPLES(examples, 256);
}

static void test_rfc_c6_responses_with_huffman(void **state)
{
    (void)state;
    const struct example examples[] =
        RESPONSES("4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad "
                  "1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                  "4883 640e ffc1 c0bf",
                  "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 "
                  "e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07");
    ASSERT_EXAMPLES(examples, 256);
}

static void test_static_table(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= HPACK_STATIC_ENTRIES; i++) {
        const struct header *f = &HPACK_STATIC[i];
        assert_true(slice_eq(header_name(f), token_name(f->token)));
        struct hpack_range r = HPACK_STATIC_RANGE[f->token];
        assert_in_range(i, r.first, (uint32_t)r.first + r.n - 1);
    }
    assert_field(&HPACK_STATIC[1], ":authority", "");
    assert_field(&HPACK_STATIC[16], "accept-encoding", "gzip, deflate");
    assert_field(&HPACK_STATIC[32], "cookie", "");
    assert_field(&HPACK_STATIC[61], "www-authenticate", "");
}

/* A block on a fresh connection. */
struct verdict {
    const char *hex;
    enum err expected;
};

static void test_verdicts(void **state)
{
    (void)state;
    const struct verdict verdicts[] = {
        {"", ERR_NONE},
        {"80", ERR_COMPRESSION},             /* index 0 */
        {"bd", ERR_NONE},                    /* 61 */
        {"be", ERR_COMPRESSION},             /* 62 with an empty table */
        {"400161 0162 be", ERR_NONE},        /* the one entry */
        {"400161 0162 bf", ERR_COMPRESSION}, /* one past */
        {"400161 0162 7e 0163", ERR_NONE},   /* its name */
        {"400161 0162 7f00 0163", ERR_COMPRESSION},
        {"ff00", ERR_COMPRESSION}, /* 127 */
        {"ff", ERR_COMPRESSION},   /* an integer without its end */
        {"ff80", ERR_COMPRESSION},
        {"3fe11f", ERR_NONE},                /* a table of 4,096 */
        {"3fe21f", ERR_COMPRESSION},         /* 4,097 */
        {"3fe19f808000", ERR_NONE},          /* 4,096 in five continuation bytes */
        {"3fe19f80808000", ERR_COMPRESSION}, /* in six */
        {"3fffffffff0f", ERR_COMPRESSION},   /* 2^32 + 30 */
        {"3fe0ffffff0f", ERR_COMPRESSION},   /* 2^32 - 1 */
        {"20 3fe11f", ERR_NONE},             /* two updates */
        {"20 20 20", ERR_COMPRESSION},       /* three */
        {"82 20", ERR_COMPRESSION},          /* an update behind a field */
        {"00 00 00", ERR_NONE},              /* an empty name is malformed, not more */
        {"40", ERR_COMPRESSION},
        {"4001", ERR_COMPRESSION},
        {"400161", ERR_COMPRESSION},
        {"40016101", ERR_COMPRESSION},
        {"4001610162", ERR_NONE},
        {"00ff", ERR_COMPRESSION},
        {"007f80", ERR_COMPRESSION},
        {"007fffffffff0f61", ERR_COMPRESSION},  /* a name of more than 2^32 bytes */
        {"007fffffffff07 61", ERR_COMPRESSION}, /* of 2^31 */
        {"0f2f 0161", ERR_COMPRESSION},         /* a name by index 62 of an empty table */
        {"0f2e 0161", ERR_NONE},                /* by index 61 */
        {"1f2e 0161", ERR_NONE},
        {"0161 8161", ERR_COMPRESSION},      /* Huffman: five bits, then padding of zeros */
        {"04 811f", ERR_NONE},               /* 'a' and three ones */
        {"04 82 1fff", ERR_COMPRESSION},     /* and eleven */
        {"04 84 ffffffff", ERR_COMPRESSION}, /* end of string */
        {"04 80", ERR_NONE},                 /* an empty string */
        {"00 81ff 0161", ERR_COMPRESSION},
    };
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        struct hpack_decoder d;
        struct decoded got;
        hpack_decoder_init(&d);
        decoded_init(&got);
        enum err e = decode_hex(&d, verdicts[i].hex, &got);
        if (e != verdicts[i].expected)
            fail_msg("%s: %s", verdicts[i].hex, err_text(e));
        decoded_fini(&got);
        hpack_decoder_fini(&d);
    }
}

static void test_every_cut_is_refused_or_a_whole_field(void **state)
{
    (void)state;
    uint8_t block[128];
    size_t n = unhex("3fe11f 82 400161 0162 4401 2f 1f2e 0161 0002 6162 8c f1e3 c2e5 f23a 6ba0 ab90 f4ff be", block);
    const size_t whole[] = {0, 3, 4, 9, 12, 16, 33, 34};
    assert_int_equal(n, 34);
    for (size_t cut = 0, w = 0; cut <= n; cut++) {
        struct hpack_decoder d;
        struct decoded got;
        hpack_decoder_init(&d);
        decoded_init(&got);
        enum err e = decode_copy(&d, block, cut, &got.sink);
        assert_int_equal(e, cut == whole[w] ? ERR_NONE : ERR_COMPRESSION);
        w += cut == whole[w];
        decoded_fini(&got);
        hpack_decoder_fini(&d);
    }
}

static void test_malformed_fields(void **state)
{
    (void)state;
    const struct {
        const char *name, *value;
        bool malformed;
    } rows[] = {
        {"a", "", false},
        {"!#$%&'*+-.0189^_`az|~", "x", false},
        {":x", "x", false},
        {"", "x", true},
        {":", "x", true},
        {"::", "x", true},
        {"a:", "x", true},
        {"A", "x", true},
        {"aZ", "x", true},
        {"a b", "x", true},
        {" a", "x", true},
        {"a\t", "x", true},
        {"a\r\n", "x", true},
        {"a\x7f", "x", true},
        {"\xc3\xa4", "x", true},
        {"a(", "x", true},
        {"a", "with space and\ttab", false},
        {"a", "\xc3\xa4 \xff", false},
        {"a", " x", true},
        {"a", "x ", true},
        {"a", "\tx", true},
        {"a", "x\t", true},
        {"a", " ", true},
        {"a", "x\ry", true},
        {"a", "x\ny", true},
        {"a", "x\x01y", true},
        {"a", "x\x7fy", true},
        {"a", "0123456789abcdef\n0123456789abcdef", true},
        {"a", "0123456789abcdef\t0123456789abcdef", false},
        {"a", "0123456789abcdef0123456789abcde\r", true},
        {"a", "\n123456789abcdef0123456789abcdef", true},
        {"te", "x ", true},
        {"grpc-message", " x ", false},
        {"grpc-message", "x\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t block[128] = {0x40};
        struct header f = plain(rows[i].name, rows[i].value);
        block[1] = (uint8_t)f.name_n;
        memcpy(block + 2, f.name, f.name_n);
        block[2 + f.name_n] = (uint8_t)f.value_n;
        memcpy(block + 3 + f.name_n, f.value, f.value_n);
        struct hpack_decoder d;
        struct decoded got;
        hpack_decoder_init(&d);
        decoded_init(&got);
        assert_int_equal(decode_copy(&d, block, 3 + f.name_n + f.value_n, &got.sink), ERR_NONE);
        if (got.sink.malformed != rows[i].malformed)
            fail_msg("row %zu: '%s: %s'", i, rows[i].name, rows[i].value);
        decoded_reset(&got); /* the entry remembers */
        assert_int_equal(decode_copy(&d, (const uint8_t *)"\xbe", 1, &got.sink), ERR_NONE);
        assert_int_equal(got.sink.malformed, rows[i].malformed);
        decoded_fini(&got);
        hpack_decoder_fini(&d);
    }
}

static void test_nul_is_malformed_everywhere(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        for (unsigned at = 0; at < n; at++) {
            uint8_t block[64] = {0x00, 0x01, 'a', (uint8_t)n};
            memset(block + 4, 'x', n);
            block[4 + at] = 0;
            struct hpack_decoder d;
            struct decoded got;
            hpack_decoder_init(&d);
            decoded_init(&got);
            assert_int_equal(decode_copy(&d, block, 4 + n, &got.sink), ERR_NONE);
            assert_true(got.sink.malformed);
            decoded_fini(&got);
            hpack_decoder_fini(&d);
        }
    }
}

static void test_malformed_name_is_inherited(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    assert_int_equal(decode_hex(&d, "400141 0162", &got), ERR_NONE);
    assert_true(got.sink.malformed);
    assert_int_equal(decode_hex(&d, "7e 0163", &got), ERR_NONE);
    assert_true(got.sink.malformed);
    assert_int_equal(decode_hex(&d, "400161 0120", &got), ERR_NONE); /* a bad value */
    assert_int_equal(decode_hex(&d, "0f2f 0162", &got), ERR_NONE);   /* does not spoil the name */
    assert_false(got.sink.malformed);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_never_indexed_mark(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    assert_int_equal(decode_hex(&d, "1f08 0161 0f08 0161 5708 6162 6364 6566 6768", &got), ERR_NONE);
    assert_field(&got.h.v[0], "authorization", "a");
    assert_int_equal(got.h.v[0].flags, HEADER_NEVER_INDEX);
    assert_int_equal(got.h.v[1].flags, 0);
    assert_int_equal(got.h.v[2].flags, 0);
    assert_field(&got.h.v[2], "authorization", "abcdefgh");
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_c2_each_representation),
        cmocka_unit_test(test_rfc_c3_requests),
        cmocka_unit_test(test_rfc_c4_requests_with_huffman),
        cmocka_unit_test(test_rfc_c5_responses_with_eviction),
        cmocka_unit_test(test_rfc_c6_responses_with_huffman),
        cmocka_unit_test(test_static_table),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_every_cut_is_refused_or_a_whole_field),
        cmocka_unit_test(test_malformed_fields),
        cmocka_unit_test(test_nul_is_malformed_everywhere),
        cmocka_unit_test(test_malformed_name_is_inherited),
        cmocka_unit_test(test_never_indexed_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
