/* Paths, the merged policy of a method, and the life of a snapshot. */
#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_split_path(void **state)
{
    (void)state;
    static const struct {
        const char *path, *service, *method; /* service NULL: refused */
    } rows[] = {
        {"/payment.v1.Payment/Charge", "payment.v1.Payment", "Charge"},
        {"/a/b", "a", "b"},
        {"/a/b/c", "a/b", "c"},
        {"//a/b", "/a", "b"},
        {"", NULL, NULL},
        {"/", NULL, NULL},
        {"//", NULL, NULL},
        {"///", NULL, NULL},
        {"/a", NULL, NULL},
        {"/a/", NULL, NULL},
        {"//b", NULL, NULL},
        {"a/b/c", NULL, NULL},
        {"/abc", NULL, NULL},
        {"/a/b/", NULL, NULL},
        {"*", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice service, method;
        bool ok = policy_split_path(slice_str(rows[i].path), &service, &method);
        assert_int_equal(ok, rows[i].service != NULL);
        if (ok) {
            assert_true(slice_eq(service, slice_str(rows[i].service)));
            assert_true(slice_eq(method, slice_str(rows[i].method)));
        }
    }
}

static struct policy_method methods[] = {
    {.service = SLICE("p.Other"), .effective = {.timeout_ns = 3}},
    {.service = SLICE("p.Pay"), .method = SLICE("Charge"), .effective = {.timeout_ns = 1}},
    {.service = SLICE("p.Pay"), .effective = {.timeout_ns = 2}},
    {.service = SLICE("p.Pay.More"), .method = SLICE("A"), .effective = {.timeout_ns = 4}},
    {.service = SLICE("p.Pay.More"), .method = SLICE("AB"), .effective = {.timeout_ns = 5}},
};
enum { METHODS_N = sizeof methods / sizeof methods[0] };

static void test_narrowest_section_holds(void **state)
{
    (void)state;
    const struct policy p = {.name = "", .base = {.timeout_ns = 9}, .methods = methods, .methods_n = METHODS_N};
    const struct policy none = {.name = "", .base = {.timeout_ns = 9}};
    static const struct {
        const char *path;
        ns_t timeout;
        int entry; /* -1: none */
    } rows[] = {
        {"/p.Pay/Charge", 1, 1},    {"/p.Pay/charge", 2, 2},    {"/p.Pay/Get", 2, 2},
        {"/p.Pay/Charg", 2, 2},     {"/p.Other/X", 3, 0},       {"/p.Pa/Charge", 9, -1},
        {"/p.Payx/Charge", 9, -1},  {"/p.Pay.More/A", 4, 3},    {"/p.Pay.More/AB", 5, 4},
        {"/p.Pay.More/B", 9, -1},   {"/p.Pay.More/ABC", 9, -1}, {"/a/A", 9, -1},
        {"/p.Pay/x/Charge", 9, -1}, {"p.Pay/Charge", 9, -1},    {"", 9, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice path = slice_str(rows[i].path);
        assert_true(policy_find(&p, path)->timeout_ns == rows[i].timeout);
        assert_ptr_equal(policy_find_entry(&p, path), rows[i].entry < 0 ? NULL : &methods[rows[i].entry]);
        assert_ptr_equal(policy_find(&none, path), &none.base);
    }
}

/* Every entry compares with every other one as it stands. */
static void test_order_of_entries(void **state)
{
    (void)state;
    for (int i = 0; i < METHODS_N; i++)
        for (int j = 0; j < METHODS_N; j++) {
            int order = policy_compare(methods[i].service, methods[i].method, &methods[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

/* The sanitizers see a leak or a use after the end. */
static void test_snapshot_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct snapshot *s = arena_alloc(&arena, sizeof *s);
    assert_non_null(s);
    *s = (struct snapshot){.refs = 1, .generation = 7};
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&arena, 1000));
    s->arena = arena;
    assert_ptr_equal(snapshot_ref(s), s);
    snapshot_unref(s);
    assert_int_equal(s->generation, 7);
    snapshot_unref(s);
    snapshot_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_path),
        cmocka_unit_test(test_narrowest_section_holds),
        cmocka_unit_test(test_order_of_entries),
        cmocka_unit_test(test_snapshot_lives_until_its_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
