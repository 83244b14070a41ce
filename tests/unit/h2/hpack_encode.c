/* The encoder: what enters its table, size updates, and what stays out. That others can read it is tested against
 * nghttp2. */
#include "h2/hpack.h"
#include "h2/hpack_table.h"

#include "hpack_help.h"

struct pair {
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    struct buf block;
    struct decoded got;
};

static void pair_init(struct pair *p)
{
    hpack_encoder_init(&p->encoder);
    hpack_decoder_init(&p->decoder);
    buf_init(&p->block);
    decoded_init(&p->got);
}

static void pair_fini(struct pair *p)
{
    hpack_encoder_fini(&p->encoder);
    hpack_decoder_fini(&p->decoder);
    buf_fini(&p->block);
    decoded_fini(&p->got);
}

/* Encodes and reads back; the bytes of the block. */
static size_t pass(struct pair *p, const struct header *v, size_t n)
{
    buf_clear(&p->block);
    decoded_reset(&p->got);
    assert_int_equal(hpack_encode(&p->encoder, v, n, &p->block), ERR_NONE);
    assert_int_equal(decode_copy(&p->decoder, buf_head(&p->block), buf_len(&p->block), &p->got.sink), ERR_NONE);
    assert_int_equal(p->got.h.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(slice_eq(header_name(&v[i]), header_name(&p->got.h.v[i])));
        assert_true(slice_eq(header_value(&v[i]), header_value(&p->got.h.v[i])));
    }
    return buf_len(&p->block);
}

static size_t pass_one(struct pair *p, const char *name, const char *value)
{
    struct header f = plain(name, value);
    return pass(p, &f, 1);
}

static uint8_t first_byte(const struct pair *p)
{
    return *buf_head(&p->block);
}

static void test_static_fields_are_one_byte(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    for (uint32_t i = 1; i <= HPACK_STATIC_ENTRIES; i++) {
        if (HPACK_STATIC[i].value_n == 0)
            continue;
        assert_int_equal(pass(&p, &HPACK_STATIC[i], 1), 1);
        assert_int_equal(first_byte(&p), 0x80 | i);
    }
    assert_null(p.encoder.index);
    pair_fini(&p);
}

static void test_what_is_indexed(void **state)
{
    (void)state;
    const struct {
        const char *name, *value;
        bool indexed;
    } rows[] = {
        {":path", "/pkg.Service/Method", true},
        {":authority", "payment:8443", true},
        {"grpc-status", "0", true},
        {"te", "trailers", true},
        {"content-type", "application/grpc", true},
        {"authorization", "Bearer abc", true},
        {"x-custom", "value", true},
        {"x-empty", "", true},
        {"content-length", "12", false},
        {"date", "Mon, 21 Oct 2013 20:13:21 GMT", false},
        {"x-user-id", "1", false},
        {"x-data-bin", "AAEC", false},
        {"grpc-status-details-bin",
         "CAUSBWVycm9yIGRldGFpbHMgdGhhdCBhcmUgYSBiaXQgbG9uZ2VyIHRoYW4gc2l4dHktZm91ciBieXRlcw", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;
        pair_init(&p);
        size_t first = pass_one(&p, rows[i].name, rows[i].value);
        assert_int_equal(first_byte(&p) & 0xc0, rows[i].indexed ? 0x40 : 0);
        size_t second = pass_one(&p, rows[i].name, rows[i].value);
        if (rows[i].indexed)
            assert_int_equal(second, 1);
        else
            assert_int_equal(second, first);
        pair_fini(&p);
    }
}

static void test_varying_value_keeps_only_its_name(void **state)
{
    (void)state;
    struct pair p;
    char value[16];
    pair_init(&p);
    pass_one(&p, "grpc-timeout", "1000m");
    uint32_t size = hpack_encoder_table_size(&p.encoder);
    assert_int_equal(size, HEADERS_FIELD_OVERHEAD + 12 + 5);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(value, sizeof value, "%um", 2000 + i);
        assert_int_equal(pass_one(&p, "grpc-timeout", value),
                         2 + 1 + 5); /* 0x0f, the rest of the index, length, value */
        assert_int_equal(hpack_encoder_table_size(&p.encoder), size);
    }
    pair_fini(&p);
}

static void test_marks(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    struct header f = plain("authorization", "Bearer secret");
    f.flags = HEADER_NEVER_INDEX;
    for (int i = 0; i < 2; i++) {
        pass(&p, &f, 1);
        assert_int_equal(first_byte(&p) & 0xf0, 0x10);
        assert_int_equal(p.got.h.v[0].flags, HEADER_NEVER_INDEX);
    }
    f = plain("x-custom", "value");
    f.flags = HEADER_NO_INDEX;
    for (int i = 0; i < 2; i++) {
        pass(&p, &f, 1);
        assert_int_equal(first_byte(&p), 0);
        assert_int_equal(p.got.h.v[0].flags, 0);
    }
    assert_int_equal(hpack_encoder_table_size(&p.encoder), 0);
    pair_fini(&p);
}

static void test_large_values_stay_out(void **state)
{
    (void)state;
    char value[514];
    memset(value, 'v', sizeof value);
    for (size_t n = 512; n <= 513; n++) {
        struct pair p;
        pair_init(&p);
        value[n] = '\0';
        pass_one(&p, "x-large", value);
        assert_int_equal(first_byte(&p), n <= 512 ? 0x40 : 0);
        value[n] = 'v';
        pair_fini(&p);
    }
}

/* Insertions of a name whose value is new each time. */
static uint32_t count_insertions(const char *name, unsigned calls)
{
    struct pair p;
    char value[16];
    uint32_t insertions = 0;
    pair_init(&p);
    for (unsigned i = 0; i < calls; i++) {
        snprintf(value, sizeof value, "%u", i);
        pass_one(&p, name, value);
        insertions += (first_byte(&p) & 0xc0) == 0x40;
    }
    pair_fini(&p);
    return insertions;
}

static void test_changing_names_stop_being_indexed(void **state)
{
    (void)state;
    assert_int_equal(count_insertions("x-serial", 16), 16);
    assert_int_equal(count_insertions("x-serial", 200), 16);
    assert_int_equal(count_insertions(":authority", 200), 16);
    assert_in_range(count_insertions("x-serial", 2560), 17, 2560 / 256 * 17);
}

static void test_many_methods_stay_indexed(void **state)
{
    (void)state;
    struct pair p;
    char value[32];
    size_t bytes = 0;
    pair_init(&p);
    for (unsigned i = 0; i < 400; i++) {
        snprintf(value, sizeof value, "/pkg.Service/Method%u", i % 40);
        size_t n = pass_one(&p, ":path", value);
        bytes += i >= 200 ? n : 0;
    }
    assert_in_range(bytes, 200, 400);
    pair_fini(&p);
}

static void test_size_updates(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    hpack_encoder_set_size(&p.encoder, 65536); /* as if 4,096 */
    pass_one(&p, "te", "trailers");
    assert_int_equal(first_byte(&p), 0x40);
    hpack_encoder_set_size(&p.encoder, 4096);
    assert_int_equal(pass_one(&p, "te", "trailers"), 1);
    hpack_encoder_set_size(&p.encoder, 0);
    pass_one(&p, "te", "trailers");
    assert_int_equal(first_byte(&p), 0x20);
    assert_int_equal(hpack_encoder_table_size(&p.encoder), 0);
    assert_int_equal(p.decoder.size_max, 0);
    pass_one(&p, "te", "trailers");
    assert_int_equal(first_byte(&p), 0); /* nothing fits */
    hpack_encoder_set_size(&p.encoder, 100);
    pass_one(&p, "te", "trailers");
    assert_int_equal(p.decoder.size_max, 100);
    hpack_encoder_set_size(&p.encoder, 50);
    hpack_encoder_set_size(&p.encoder, 10);
    hpack_encoder_set_size(&p.encoder, 4096);
    pass_one(&p, "te", "trailers"); /* the least, then the last */
    assert_int_equal(buf_head(&p.block)[0], 0x20 | 10);
    assert_int_equal(buf_head(&p.block)[1], 0x3f);
    assert_int_equal(p.decoder.size_max, 4096);
    assert_int_equal(pass_one(&p, "te", "trailers"), 1);
    pair_fini(&p);
}

static void test_size_there_and_back_is_told(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    pass_one(&p, "te", "trailers");
    hpack_encoder_set_size(&p.encoder, 0);
    hpack_encoder_set_size(&p.encoder, 4096);
    pass_one(&p, "te", "trailers");
    assert_int_equal(buf_head(&p.block)[0], 0x20);
    assert_int_equal(p.decoder.table->n, 1);
    pair_fini(&p);
}

static void test_released_table_starts_anew(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    pass_one(&p, "x-a", "1");
    size_t known = pass_one(&p, "x-a", "1");
    hpack_encoder_release(&p.encoder);
    hpack_encoder_release(&p.encoder);
    assert_int_equal(hpack_encoder_table_size(&p.encoder), 0);
    assert_true(pass_one(&p, "x-a", "1") > known);
    static const uint8_t updates[] = {0x20, 0x3f, 0xe1, 0x1f}; /* 0, then 4096 */
    assert_memory_equal(buf_head(&p.block), updates, sizeof updates);
    assert_int_equal(p.decoder.table->n, 1);
    assert_int_equal(pass_one(&p, "x-a", "1"), known);
    pair_fini(&p);
}

static void test_size_update_opens_an_empty_block(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    hpack_encoder_set_size(&p.encoder, 30);
    assert_int_equal(pass(&p, NULL, 0), 1);
    assert_int_equal(p.decoder.size_max, 30);
    assert_int_equal(pass(&p, NULL, 0), 0);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_fields_are_one_byte),
        cmocka_unit_test(test_what_is_indexed),
        cmocka_unit_test(test_varying_value_keeps_only_its_name),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_large_values_stay_out),
        cmocka_unit_test(test_changing_names_stop_being_indexed),
        cmocka_unit_test(test_many_methods_stay_indexed),
        cmocka_unit_test(test_size_updates),
        cmocka_unit_test(test_size_there_and_back_is_told),
        cmocka_unit_test(test_released_table_starts_anew),
        cmocka_unit_test(test_size_update_opens_an_empty_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
