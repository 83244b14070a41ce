/* The slab: distinct aligned objects, reuse without new pages, the sizes at its edges. */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECTS = 3000 };

static void test_objects_are_distinct_and_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 17, 100, 2048, 2049, 40000};
    static unsigned char *objects[OBJECTS];
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct slab s;
        slab_init(&s, sizes[k]);
        size_t n = sizes[k] > 5000 ? 20 : OBJECTS;
        for (size_t i = 0; i < n; i++) {
            objects[i] = slab_new(&s);
            assert_non_null(objects[i]);
            assert_int_equal((uintptr_t)objects[i] % 16, 0);
            memset(objects[i], (int)(i % 251), sizes[k]);
        }
        assert_int_equal(s.live, n);
        for (size_t i = 0; i < n; i++) {
            for (size_t b = 0; b < sizes[k]; b++)
                assert_int_equal(objects[i][b], i % 251);
        }
        slab_fini(&s);
        assert_int_equal(s.live, 0);
    }
}

static void test_freed_object_comes_back_first(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 64);
    void *a = slab_new(&s);
    void *b = slab_new(&s);
    slab_free(&s, a);
    slab_free(&s, b);
    slab_free(&s, NULL);
    assert_int_equal(s.live, 0);
    assert_ptr_equal(slab_new(&s), b);
    assert_ptr_equal(slab_new(&s), a);
    assert_int_equal(s.total, 2);
    slab_fini(&s);
}

/* After warm-up the number of objects stays the same. */
static void test_steady_state_adds_nothing(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 512);
    void *held[100];
    for (int i = 0; i < 100; i++)
        held[i] = slab_new(&s);
    for (int round = 0; round < 1000; round++) {
        for (int i = round % 7; i < 100; i += 7) {
            slab_free(&s, held[i]);
            held[i] = slab_new(&s);
        }
    }
    assert_int_equal(s.total, 100);
    for (int i = 0; i < 100; i++)
        slab_free(&s, held[i]);
    assert_int_equal(s.live, 0);
    slab_fini(&s);
}

/* What a peak leaves behind is kept up to SLAB_KEEP_BYTES; the next object goes back. */
static void test_keeps_so_much(void **state)
{
    (void)state;
    enum { SIZE = 64 << 10, KEEP = SLAB_KEEP_BYTES / SIZE };
    struct slab s;
    slab_init(&s, SIZE);
    void *held[KEEP + 2];
    for (int i = 0; i < KEEP + 2; i++)
        held[i] = slab_new(&s);
    for (int i = 0; i < KEEP; i++)
        slab_free(&s, held[i]);
    assert_int_equal(s.total, KEEP + 2);
    assert_int_equal(slab_spare(&s), SLAB_KEEP_BYTES);
    slab_free(&s, held[KEEP]);
    assert_int_equal(s.total, KEEP + 1);
    assert_int_equal(slab_spare(&s), SLAB_KEEP_BYTES);
    assert_int_equal(slab_bytes(&s), SLAB_KEEP_BYTES + SIZE);
    assert_int_equal(s.live, 1);
    slab_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_are_distinct_and_aligned),
        cmocka_unit_test(test_freed_object_comes_back_first),
        cmocka_unit_test(test_steady_state_adds_nothing),
        cmocka_unit_test(test_keeps_so_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
