/* The bounds of a sink and of the tables, each at it and one past. */
#include "h2/hpack.h"

#include "hpack_help.h"

enum { ENTRY = HEADERS_FIELD_OVERHEAD + 2 /* "a: b" */ };

struct block {
    uint8_t p[1 << 16];
    size_t n;
};

static struct block block;

static void put_int(uint8_t kind, uint8_t mask, uint32_t v)
{
    if (v < mask) {
        block.p[block.n++] = (uint8_t)(kind | v);
        return;
    }
    block.p[block.n++] = kind | mask;
    for (v -= mask; v >= 0x80; v >>= 7)
        block.p[block.n++] = (uint8_t)(v | 0x80);
    block.p[block.n++] = (uint8_t)v;
}

static void put_text(uint32_t n, char c)
{
    put_int(0, 0x7f, n);
    memset(block.p + block.n, c, n);
    block.n += n;
}

/* A literal `name_n` times x, `value_n` times `c`. */
static void put_literal(uint8_t kind, uint32_t name_n, uint32_t value_n, char c)
{
    block.p[block.n++] = kind;
    put_text(name_n, 'x');
    put_text(value_n, c);
}

static enum err decode(struct hpack_decoder *d, struct decoded *to)
{
    decoded_reset(to);
    enum err e = decode_copy(d, block.p, block.n, &to->sink);
    block.n = 0;
    return e;
}

static void test_fields(void **state)
{
    (void)state;
    const struct {
        uint32_t fields;
        enum err expected;
    } rows[] = {{9, ERR_NONE}, {10, ERR_NONE}, {11, ERR_NONE}, {40, ERR_NONE}, {41, ERR_LIMIT}, {400, ERR_LIMIT}};
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct hpack_decoder d;
            struct decoded got;
            hpack_decoder_init(&d);
            decoded_init(&got);
            got.sink.fields_max = 10;
            put_literal(0x40, 1, 1, 'b');
            for (uint32_t n = 1; n < rows[i].fields; n++) {
                if (kind == 0)
                    put_int(0x80, 0x7f, 62);
                else if (kind == 1)
                    put_int(0x80, 0x7f, 2);
                else
                    put_literal(0, 1, 1, 'c');
            }
            assert_int_equal(decode(&d, &got), rows[i].expected);
            assert_int_equal(got.h.n, rows[i].fields < 10 ? rows[i].fields : 10);
            if (rows[i].expected == ERR_NONE)
                assert_int_equal(got.sink.fields, rows[i].fields);
            decoded_fini(&got);
            hpack_decoder_fini(&d);
        }
    }
}

static void test_more_fields_than_a_block_has(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    got.sink.fields_max = 1000;
    for (int i = 0; i < HEADERS_FIELDS_MAX + 5; i++)
        put_int(0x80, 0x7f, 2);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(got.h.n, HEADERS_FIELDS_MAX);
    assert_int_equal(got.sink.fields, HEADERS_FIELDS_MAX + 5);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

/* One field of `value_n` in a sink of 1,000 bytes. */
static void assert_bytes(uint8_t kind, uint32_t value_n, enum err expected)
{
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    got.sink.bytes_max = 1000;
    put_literal(kind, 1, value_n, 'v');
    assert_int_equal(decode(&d, &got), expected);
    assert_int_equal(got.sink.bytes, HEADERS_FIELD_OVERHEAD + 1 + value_n);
    assert_int_equal(got.sink.fields, 1);
    assert_int_equal(got.h.n, HEADERS_FIELD_OVERHEAD + 1 + value_n <= 1000);
    if (got.h.n == 1)
        assert_int_equal(got.h.v[0].value_n, value_n);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_bytes(void **state)
{
    (void)state;
    const uint32_t full = 1000 - HEADERS_FIELD_OVERHEAD - 1;
    for (uint8_t kind = 0; kind <= 0x40; kind = (uint8_t)(kind + 0x40)) {
        assert_bytes(kind, full - 1, ERR_NONE);
        assert_bytes(kind, full, ERR_NONE);
        assert_bytes(kind, full + 1, ERR_NONE);
        assert_bytes(kind, full + 3000, ERR_NONE);
        assert_bytes(kind, full + 3001, ERR_LIMIT);
        assert_bytes(kind, 60000, ERR_LIMIT);
    }
}

/* The estimate for Huffman text is higher than the text; the bound is on the text. */
static void test_bytes_of_huffman(void **state)
{
    (void)state;
    for (uint32_t n = 900; n < 1000; n++) {
        struct hpack_decoder d;
        struct decoded got;
        hpack_decoder_init(&d);
        decoded_init(&got);
        got.sink.bytes_max = 1000;
        block.p[block.n++] = 0x04; /* :path */
        put_int(0x80, 0x7f, n);
        memset(block.p + block.n, 0xf8, n); /* '&' has the eight bits 11111000 */
        block.n += n;
        assert_int_equal(decode(&d, &got), ERR_NONE);
        assert_int_equal(got.h.n, HEADERS_FIELD_OVERHEAD + 5 + n <= 1000);
        assert_int_equal(got.sink.bytes, HEADERS_FIELD_OVERHEAD + 5 + n);
        decoded_fini(&got);
        hpack_decoder_fini(&d);
    }
}

/* A reference of one byte to a long entry must not become memory. */
static void test_bomb_takes_no_memory(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    put_literal(0x40, 1, 4000, 'v');
    for (int i = 0; i < 20000; i++)
        put_int(0x80, 0x7f, 62);
    assert_int_equal(decode(&d, &got), ERR_LIMIT);
    assert_in_range(got.arena.bytes, 4000, 2 * HEADERS_BYTES_MAX);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

/* Fields that are not stored still change the table: the next block shows it. */
static void test_table_stays_true_past_the_bounds(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    got.sink.fields_max = 2;
    for (char c = 'a'; c < 'g'; c++)
        put_literal(0x40, 3, 5, c);
    put_int(0x40, 0x3f, 62); /* the name of the newest */
    put_text(2, 'g');
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(got.h.n, 2);
    got.sink.fields_max = 100;
    for (uint32_t i = 62; i <= 68; i++)
        put_int(0x80, 0x7f, i);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(got.h.n, 7);
    for (uint32_t i = 0; i < 7; i++) {
        assert_true(slice_eq(header_name(&got.h.v[i]), SLICE("xxx")));
        assert_int_equal(got.h.v[i].value_n, i == 0 ? 2 : 5);
        assert_int_equal(got.h.v[i].value[0], 'g' - (int)i);
    }
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_largest_unstored_field_is_inserted(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    got.sink.bytes_max = 2000;
    for (uint32_t over = 0; over < 2; over++) {
        put_literal(0x40, 1, 1, 'a');
        put_literal(0x40, 32, HPACK_TABLE_BYTES - HEADERS_FIELD_OVERHEAD - 32 + over, 'v');
        assert_int_equal(decode(&d, &got), ERR_NONE);
        assert_int_equal(got.h.n, 1);
        assert_int_equal(d.table->n, !over);
        assert_int_equal(d.table->size, over ? 0 : HPACK_TABLE_BYTES);
    }
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_field_as_large_as_the_table(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    put_literal(0x40, 1, 1, 'a');
    put_literal(0x40, 1, HPACK_TABLE_BYTES - HEADERS_FIELD_OVERHEAD - 1, 'v');
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(d.table->n, 1);
    assert_int_equal(d.table->size, HPACK_TABLE_BYTES);
    put_literal(0x40, 1, HPACK_TABLE_BYTES - HEADERS_FIELD_OVERHEAD, 'v');
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(d.table->n, 0);
    assert_int_equal(d.table->size, 0);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_table_full_of_the_smallest_entries(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    for (int i = 0; i < 300; i++) {
        block.p[block.n++] = 0x40;
        put_text(0, 'x');
        put_text(0, 'x');
        assert_int_equal(decode(&d, &got), ERR_NONE);
    }
    assert_int_equal(d.table->n, HPACK_TABLE_ENTRIES);
    put_int(0x80, 0x7f, 61 + HPACK_TABLE_ENTRIES);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    put_int(0x80, 0x7f, 62 + HPACK_TABLE_ENTRIES);
    assert_int_equal(decode(&d, &got), ERR_COMPRESSION);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_name_of_an_entry_that_the_insertion_evicts(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    for (int i = 0; i < 50; i++) {
        put_literal(0x40, 200, 3000, 'v');
        assert_int_equal(decode(&d, &got), ERR_NONE);
        put_int(0x40, 0x3f, 62);
        put_text(3500, 'w');
        assert_int_equal(decode(&d, &got), ERR_NONE);
        assert_int_equal(d.table->n, 1);
        put_int(0x80, 0x7f, 62);
        assert_int_equal(decode(&d, &got), ERR_NONE);
        assert_int_equal(got.h.v[0].name_n, 200);
        assert_int_equal(got.h.v[0].name[199], 'x');
        assert_int_equal(got.h.v[0].value_n, 3500);
        assert_int_equal(got.h.v[0].value[3499], 'w');
    }
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_size_update_evicts(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    for (char c = 'a'; c < 'e'; c++)
        put_literal(0x40, 1, 1, c);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    put_int(0x20, 0x1f, 3 * ENTRY);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(d.table->n, 3);
    put_int(0x20, 0x1f, 3 * ENTRY - 1);
    put_int(0x20, 0x1f, HPACK_TABLE_BYTES);
    put_int(0x80, 0x7f, 63);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_int_equal(got.h.v[0].value[0], 'c');
    assert_int_equal(d.table->n, 2);
    assert_int_equal(d.size_max, HPACK_TABLE_BYTES);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

static void test_no_table_before_the_first_insertion(void **state)
{
    (void)state;
    struct hpack_decoder d;
    struct decoded got;
    hpack_decoder_init(&d);
    decoded_init(&got);
    put_literal(0, 1, 1, 'a');
    put_int(0x80, 0x7f, 2);
    assert_int_equal(decode(&d, &got), ERR_NONE);
    assert_null(d.table);
    decoded_fini(&got);
    hpack_decoder_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_more_fields_than_a_block_has),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_of_huffman),
        cmocka_unit_test(test_bomb_takes_no_memory),
        cmocka_unit_test(test_table_stays_true_past_the_bounds),
        cmocka_unit_test(test_largest_unstored_field_is_inserted),
        cmocka_unit_test(test_field_as_large_as_the_table),
        cmocka_unit_test(test_table_full_of_the_smallest_entries),
        cmocka_unit_test(test_name_of_an_entry_that_the_insertion_evicts),
        cmocka_unit_test(test_size_update_evicts),
        cmocka_unit_test(test_no_table_before_the_first_insertion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
