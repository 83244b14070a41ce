/* The byte queue: order of bytes against a model, reuse of memory, the cost of a nearly full queue. */
#include "base/buf.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_bytes_leave_in_order(void **state)
{
    (void)state;
    struct rng r;
    struct buf b;
    uint8_t in = 0, out = 0, piece[3000];
    rng_init(&r, 7);
    buf_init(&b);
    for (int step = 0; step < 20000; step++) {
        size_t n = rng_below(&r, 1 + rng_below(&r, sizeof piece));
        if (rng_below(&r, 2) == 0 && buf_len(&b) < 100000) {
            for (size_t i = 0; i < n; i++)
                piece[i] = in++;
            assert_int_equal(buf_append(&b, piece, n), ERR_NONE);
        } else {
            n = n < buf_len(&b) ? n : buf_len(&b);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(buf_head(&b)[i], out++);
            buf_consume(&b, n);
        }
        assert_int_equal((uint8_t)(in - out), (uint8_t)buf_len(&b));
        assert_true(b.tail <= b.cap);
    }
    assert_true(b.cap <= 1 << 19);
    buf_fini(&b);
}

static void test_emptying_keeps_the_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_int_equal(buf_append(&b, "hello", 5), ERR_NONE);
    uint8_t *p = b.p;
    for (int i = 0; i < 1000; i++) {
        buf_consume(&b, buf_len(&b));
        assert_int_equal(b.head, 0);
        assert_int_equal(buf_append(&b, "world", 5), ERR_NONE);
        assert_ptr_equal(b.p, p);
    }
    buf_release(&b);
    assert_ptr_equal(b.p, p);
    buf_clear(&b);
    assert_int_equal(buf_len(&b), 0);
    buf_release(&b);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
}

static void test_room_at_the_bound(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_non_null(buf_reserve(&b, 1024));
    assert_int_equal(b.cap, 1024);
    buf_commit(&b, 1024);
    buf_consume(&b, 1023);
    assert_non_null(buf_reserve(&b, 1023));
    assert_int_equal(b.cap, 1024);
    assert_int_equal(buf_len(&b), 1);
    buf_commit(&b, 1023);
    assert_non_null(buf_reserve(&b, 1));
    assert_int_equal(b.cap, 2048);
    buf_fini(&b);
}

static void test_impossible_size_changes_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_int_equal(buf_append(&b, "abc", 3), ERR_NONE);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_grow(&b, SIZE_MAX - 1), ERR_NOMEM);
    assert_int_equal(buf_grow(&b, SIZE_MAX / 4), ERR_NOMEM);
    assert_int_equal(buf_len(&b), 3);
    assert_memory_equal(buf_head(&b), "abc", 3);
    buf_fini(&b);
}

static void test_nothing_appended_to_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_int_equal(buf_append(&b, NULL, 0), ERR_NONE); /* without memory of its own yet */
    assert_int_equal(buf_append(&b, "abc", 3), ERR_NONE);
    assert_int_equal(buf_append(&b, NULL, 0), ERR_NONE);
    assert_int_equal(buf_len(&b), 3);
    buf_fini(&b);
}

/* A queue that stays nearly full moves at most four bytes for each that passes through. */
static void test_nearly_full_queue_moves_little(void **state)
{
    (void)state;
    static uint8_t block[60000];
    struct buf b;
    buf_init(&b);
    assert_int_equal(buf_append(&b, block, sizeof block), ERR_NONE);
    size_t moved = 0, passed = 0;
    for (int i = 0; i < 200000; i++) {
        size_t head = b.head + 10;
        buf_consume(&b, 10);
        assert_int_equal(buf_append(&b, block, 10), ERR_NONE);
        passed += 10;
        if (b.head < head)
            moved += buf_len(&b);
    }
    assert_true(moved <= 4 * passed + 2 * sizeof block);
    assert_true(b.cap <= 4 * sizeof block);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_leave_in_order),        cmocka_unit_test(test_emptying_keeps_the_memory),
        cmocka_unit_test(test_room_at_the_bound),           cmocka_unit_test(test_impossible_size_changes_nothing),
        cmocka_unit_test(test_nothing_appended_to_nothing), cmocka_unit_test(test_nearly_full_queue_moves_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
