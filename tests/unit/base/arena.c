/* The bump allocator: alignment, the borrowed first block, growth, reset. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool is_inside(const void *p, const char *block, size_t size)
{
    return (const char *)p >= block && (const char *)p < block + size;
}

static void test_first_block_to_its_last_byte(void **state)
{
    (void)state;
    _Alignas(8) char first[64];
    struct arena a;
    arena_init(&a, first, sizeof first);
    char *p = arena_alloc(&a, 56);
    char *q = arena_alloc(&a, 8);
    assert_ptr_equal(p, first);
    assert_ptr_equal(q, first + 56);
    assert_null(a.blocks);
    char *r = arena_alloc(&a, 1);
    assert_false(is_inside(r, first, sizeof first));
    assert_non_null(a.blocks);
    assert_int_equal(a.bytes, 72);
    arena_fini(&a);
}

static void test_alignment(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    for (size_t n = 0; n < 5000; n += 7) {
        char *p = arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 8, 0);
        memset(p, 0x5a, n);
    }
    arena_fini(&a);
}

/* A big piece gets a block of its own and leaves the current one in use. */
static void test_big_piece_keeps_current_block(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    char *p = arena_alloc(&a, 16);
    memset(arena_alloc(&a, 1 << 20), 1, 1 << 20);
    assert_ptr_equal(arena_alloc(&a, 16), p + 16);
    arena_fini(&a);
}

static void test_reset_uses_first_block_again(void **state)
{
    (void)state;
    _Alignas(8) char first[32];
    struct arena a;
    arena_init(&a, first, sizeof first);
    for (int i = 0; i < 100; i++)
        memset(arena_alloc(&a, 100), i, 100);
    arena_reset(&a);
    assert_null(a.blocks);
    assert_int_equal(a.bytes, 0);
    assert_ptr_equal(arena_alloc(&a, 32), first);
    arena_fini(&a);
}

static void test_copies_are_terminated(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    struct slice s = arena_copy(&a, SLICE("a\0b"));
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    struct slice empty = arena_copy(&a, (struct slice){NULL, 0});
    assert_int_equal(empty.n, 0);
    assert_string_equal(empty.p, "");
    assert_string_equal(arena_strdup(&a, "hello"), "hello");
    arena_fini(&a);
}

/* What arena_room shows is not handed out; what arena_take takes is, up to the last byte of the room. */
static void test_room_and_take(void **state)
{
    (void)state;
    _Alignas(8) char first[45];
    struct arena a;
    arena_init(&a, first, sizeof first);
    assert_ptr_equal(arena_room(&a, 1), first);
    assert_ptr_equal(arena_room(&a, 40), first);
    assert_int_equal(a.end - a.at, 40);
    assert_int_equal(a.bytes, 0);
    arena_take(&a, 3);
    assert_int_equal(a.bytes, 8);
    assert_ptr_equal(arena_room(&a, 32), first + 8);
    arena_take(&a, 32);
    assert_null(a.blocks);
    char *p = arena_room(&a, 5000);
    assert_false(is_inside(p, first, sizeof first));
    assert_true(a.end - a.at >= 5000);
    memset(p, 1, (size_t)(a.end - a.at));
    arena_take(&a, (size_t)(a.end - a.at));
    p = arena_room(&a, 1);
    assert_true(a.end - a.at >= 2048);
    assert_ptr_equal(arena_alloc(&a, 8), p);
    arena_fini(&a);
    arena_init(&a, NULL, 0);
    assert_non_null(arena_room(&a, 0));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_block_to_its_last_byte),  cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_big_piece_keeps_current_block), cmocka_unit_test(test_reset_uses_first_block_again),
        cmocka_unit_test(test_copies_are_terminated),         cmocka_unit_test(test_room_and_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
