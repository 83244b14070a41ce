/* Tokens of names, and blocks at their bound. */
#include "h2/header.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_every_known_name_finds_its_token(void **state)
{
    (void)state;
    for (int t = TOKEN_NONE + 1; t < TOKEN_COUNT; t++) {
        struct slice name = token_name((enum token)t);
        assert_true(name.n > 0);
        if (token_find(name.p, name.n) != (enum token)t)
            fail_msg("%s is not found", name.p);
    }
}

static void test_near_names_are_unknown(void **state)
{
    (void)state;
    char text[64];
    for (int t = TOKEN_NONE + 1; t < TOKEN_COUNT; t++) {
        struct slice name = token_name((enum token)t);
        for (size_t i = 0; i < name.n; i++) {
            memcpy(text, name.p, name.n);
            text[i] ^= 0x20;
            assert_int_equal(token_find(text, name.n), TOKEN_NONE);
        }
        memcpy(text, name.p, name.n);
        text[name.n] = 'x';
        assert_int_equal(token_find(text, name.n + 1), TOKEN_NONE);
    }
    assert_int_equal(token_find("", 0), TOKEN_NONE);
    assert_int_equal(token_find("tf", 2), TOKEN_NONE);
    memset(text, 'a', sizeof text);
    for (size_t n = 0; n <= sizeof text; n++)
        assert_int_equal(token_find(text, n), TOKEN_NONE);
}

static void test_make_find_value(void **state)
{
    (void)state;
    struct headers h = {0};
    assert_null(headers_find(&h, TOKEN_TE));
    assert_true(headers_add(&h, header_make(TOKEN_TE, SLICE("trailers"))));
    assert_true(headers_add(&h, header_make(TOKEN_COOKIE, SLICE("a"))));
    assert_true(headers_add(&h, header_make(TOKEN_COOKIE, SLICE("b"))));
    const struct header *f = headers_find(&h, TOKEN_COOKIE);
    assert_true(slice_eq(header_value(f), SLICE("a")));
    assert_true(slice_eq(header_name(f), SLICE("cookie")));
    assert_int_equal(h.bytes, 2 + 8 + 6 + 1 + 6 + 1 + 3 * HEADERS_FIELD_OVERHEAD);
    assert_null(headers_find(&h, TOKEN_HOST));
}

static void test_block_is_full(void **state)
{
    (void)state;
    struct headers h = {0};
    struct header f = header_make(TOKEN_TE, SLICE("trailers"));
    for (int i = 0; i < HEADERS_FIELDS_MAX; i++)
        assert_true(headers_add(&h, f));
    uint32_t bytes = h.bytes;
    assert_false(headers_add(&h, f));
    assert_int_equal(h.n, HEADERS_FIELDS_MAX);
    assert_int_equal(h.bytes, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_known_name_finds_its_token),
        cmocka_unit_test(test_near_names_are_unknown),
        cmocka_unit_test(test_make_find_value),
        cmocka_unit_test(test_block_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
