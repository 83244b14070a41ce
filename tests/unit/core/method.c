/* The method table: its bound, what is always welcome, policies, reload, and a reader beside the writer. */
#include "core/stats.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct policy_method methods[] = {
    {.service = SLICE("p.Pay"), .method = SLICE("Charge"), .effective = {.timeout_ns = 1}},
    {.service = SLICE("p.Pay"), .method = SLICE("Refund"), .effective = {.timeout_ns = 2}},
    {.service = SLICE("p.Pay"), .effective = {.timeout_ns = 3}},
};
static const struct policy policy = {.name = "", .base = {.timeout_ns = 9}, .methods = methods, .methods_n = 3};
static const struct policy plain = {.name = "", .base = {.timeout_ns = 7}};

static struct method_entry *find(struct method_table *t, const char *path, ns_t *ret_timeout)
{
    const struct method_policy *p = NULL;
    struct method_entry *e = method_table_find(t, slice_str(path), &p);
    assert_non_null(e);
    assert_non_null(p);
    *ret_timeout = p->timeout_ns;
    return e;
}

/* prefix and number, filled with zeros to `width`. */
static struct method_entry *find_numbered(struct method_table *t, const char *prefix, int width, int i)
{
    char path[600];
    ns_t timeout;
    snprintf(path, sizeof path, "%s%0*d", prefix, width, i);
    return find(t, path, &timeout);
}

static void test_same_path_same_entry(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&policy);
    static const struct {
        const char *path;
        ns_t timeout;
    } rows[] = {{"/p.Pay/Charge", 1}, {"/p.Pay/Refund", 2}, {"/p.Pay/Get", 3}, {"/q/X", 9}};
    struct method_entry *entries[4];
    ns_t timeout;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            struct method_entry *e = find(t, rows[i].path, &timeout);
            assert_true(timeout == rows[i].timeout);
            assert_true(slice_eq(e->path, slice_str(rows[i].path)));
            assert_true(round == 0 || e == entries[i]);
            entries[i] = e;
        }
    }
    method_table_free(t);
    method_table_free(NULL);
}

/* METHOD_TABLE_MAX invented methods get entries, one more does not; named ones always do; policies hold for all. */
static void test_bound(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&policy);
    ns_t timeout;
    for (int i = 0; i < METHOD_TABLE_MAX; i++)
        assert_int_not_equal(find_numbered(t, "/x/M", 0, i)->path.n, 0);
    struct method_entry *other = find_numbered(t, "/x/M", 0, METHOD_TABLE_MAX);
    assert_int_equal(other->path.n, 0);
    for (int i = 0; i < 10000; i++)
        assert_ptr_equal(find_numbered(t, "/y/N", 0, i), other);
    assert_ptr_equal(find(t, "/p.Pay/Get", &timeout), other);
    assert_true(timeout == 3);
    assert_ptr_equal(find(t, "/z/Z", &timeout), other);
    assert_true(timeout == 9);
    assert_ptr_not_equal(find(t, "/p.Pay/Charge", &timeout), other);
    assert_ptr_not_equal(find(t, "/p.Pay/Refund", &timeout), other);
    assert_true(timeout == 2);
    assert_int_not_equal(find_numbered(t, "/x/M", 0, 7)->path.n, 0);
    method_table_free(t);
}

static void test_named_ones_do_not_count(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&policy);
    ns_t timeout;
    find(t, "/p.Pay/Charge", &timeout);
    find(t, "/p.Pay/Refund", &timeout);
    for (int i = 0; i < METHOD_TABLE_MAX; i++)
        assert_int_not_equal(find_numbered(t, "/x/M", 0, i)->path.n, 0);
    assert_int_equal(find_numbered(t, "/x/M", 0, METHOD_TABLE_MAX)->path.n, 0);
    method_table_free(t);
}

static void test_what_is_no_method_is_other(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&policy);
    static const char *const paths[] = {"", "/", "*", "/x", "x/y", "/x/", "//y"};
    ns_t timeout;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(find(t, paths[i], &timeout)->path.n, 0);
    assert_int_equal(find_numbered(t, "/x/", METHOD_PATH_MAX - 3, 1)->path.n, METHOD_PATH_MAX);
    assert_int_equal(find_numbered(t, "/x/", METHOD_PATH_MAX - 2, 1)->path.n, 0);
    method_table_free(t);
}

static void test_reload_keeps_statistics(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&plain);
    ns_t timeout;
    struct method_entry *charge = find(t, "/p.Pay/Charge", &timeout), *get = find(t, "/p.Pay/Get", &timeout);
    assert_true(timeout == 7);
    counter_add(&charge->calls.started, 5);
    for (int i = 2; i < METHOD_TABLE_MAX; i++)
        find_numbered(t, "/x/M", 0, i);
    struct method_entry *other = find_numbered(t, "/x/M", 0, METHOD_TABLE_MAX);
    assert_int_equal(other->path.n, 0);
    method_table_set_policy(t, &policy);
    assert_ptr_equal(find(t, "/p.Pay/Charge", &timeout), charge);
    assert_true(timeout == 1);
    assert_int_equal(counter_get(&charge->calls.started), 5);
    assert_ptr_equal(find(t, "/p.Pay/Get", &timeout), get);
    assert_true(timeout == 3);
    assert_true(other->policy == &policy.base);
    assert_int_not_equal(find_numbered(t, "/x/M", 0, METHOD_TABLE_MAX)->path.n, 0);
    assert_ptr_equal(find_numbered(t, "/x/M", 0, METHOD_TABLE_MAX + 1), other);
    method_table_free(t);
}

/* Named methods are counted by themselves from their first call, others after an answer with OK, and only `max` of
 * them. */
static void test_counted_by_itself(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&policy), *second = method_table_new(&policy);
    struct method_names names;
    ns_t timeout;
    method_names_init(&names);
    struct method_entry *charge = find(t, "/p.Pay/Charge", &timeout), *other = find(t, "", &timeout)->counted;
    assert_ptr_equal(charge->counted, charge);
    assert_int_equal(other->path.n, 0);
    struct method_entry *get = find(t, "/p.Pay/Get", &timeout), *put = find(t, "/p.Pay/Put", &timeout);
    assert_ptr_equal(get->counted, other);
    assert_true(method_table_learn(t, get->path, &names, 2));
    assert_ptr_equal(get->counted, get);
    assert_ptr_equal(put->counted, other);
    assert_true(method_table_learn(t, get->path, &names, 2));
    assert_true(method_table_learn(t, put->path, &names, 2));
    assert_false(method_table_learn(t, SLICE("/p.Pay/List"), &names, 2));
    assert_ptr_equal(find(t, "/p.Pay/List", &timeout)->counted, other);
    /* the other worker may count the same two, and no third one */
    assert_false(method_table_learn(second, SLICE("/p.Pay/List"), &names, 2));
    assert_true(method_table_learn(second, get->path, &names, 2));
    struct method_entry *there = find(second, "/p.Pay/Get", &timeout);
    assert_ptr_equal(there->counted, there);
    assert_true(method_table_learn(t, SLICE("no method"), &names, 2));
    assert_ptr_equal(find(t, "no method", &timeout), other);
    assert_int_equal(names.n, 2);
    method_names_fini(&names);
    method_table_free(t);
    method_table_free(second);
}

/* A crowd of invented methods does not keep the application's own out, and 0 means none. */
static void test_learned_behind_a_crowd(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&plain);
    struct method_names names;
    ns_t timeout;
    method_names_init(&names);
    for (int i = 0; i <= METHOD_TABLE_MAX; i++)
        find_numbered(t, "/x/M", 0, i);
    struct method_entry *other = find(t, "/p.Pay/Get", &timeout);
    assert_int_equal(other->path.n, 0);
    assert_false(method_table_learn(t, SLICE("/p.Pay/Get"), &names, 0));
    assert_true(method_table_learn(t, SLICE("/p.Pay/Get"), &names, 1));
    struct method_entry *get = find(t, "/p.Pay/Get", &timeout);
    assert_int_equal(get->path.n, 10);
    assert_ptr_equal(get->counted, get);
    assert_ptr_equal(find(t, "/p.Pay/Charge", &timeout), other);
    for (int i = 0; i < METHOD_TABLE_MAX - 1; i++)
        assert_true(method_table_learn(t, find_numbered(t, "/x/M", 0, i)->path, &names, 1000));
    assert_false(method_table_learn(t, SLICE("/x/Last"), &names, 1000));
    method_names_fini(&names);
    method_table_free(t);
}

/* A reload that names a method counts it by itself; one that takes the name back leaves it so, as counters do not
 * shrink. */
static void test_named_by_reload(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&plain);
    ns_t timeout;
    struct method_entry *charge = find(t, "/p.Pay/Charge", &timeout);
    assert_ptr_not_equal(charge->counted, charge);
    method_table_set_policy(t, &policy);
    assert_ptr_equal(charge->counted, charge);
    method_table_set_policy(t, &plain);
    assert_ptr_equal(charge->counted, charge);
    method_table_free(t);
}

struct tally {
    int entries, others;
    uint64_t started;
};

static void count_entry(void *ctx, const struct method_entry *e)
{
    struct tally *n = ctx;
    n->entries++;
    n->others += e->path.n == 0;
    n->started += counter_get(&e->calls.started);
}

static void test_each_gives_those_with_traffic(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&plain);
    struct tally n = {0};
    for (int i = 0; i <= METHOD_TABLE_MAX; i++)
        find_numbered(t, "/x/M", 0, i);
    method_table_each(t, count_entry, &n);
    assert_int_equal(n.entries, 0);
    counter_add(&find_numbered(t, "/x/M", 0, 3)->calls.started, 2);
    method_stats_end(&find_numbered(t, "/x/M", 0, 4)->attempts, STATUS_OK, 1, 1, 1);
    method_stats_end(&find_numbered(t, "/x/M", 0, 5)->calls, STATUS_OK, 1, 1, 1);
    counter_add(&find_numbered(t, "/x/M", 0, 1000)->calls.started, 4);
    method_table_each(t, count_entry, &n);
    assert_int_equal(n.entries, 4);
    assert_int_equal(n.others, 1);
    assert_int_equal(n.started, 6);
    method_table_free(t);
}

enum { READER_ROUNDS = 2000 };

static void *read_on(void *table)
{
    uint64_t last = 0;
    for (int i = 0; i < READER_ROUNDS; i++) {
        struct tally n = {0};
        method_table_each(table, count_entry, &n);
        if (n.started < last)
            return table;
        last = n.started;
    }
    return NULL;
}

/* One writer adds methods and grows the index while another thread walks the entries; sums never shrink. */
static void test_reader_beside_the_writer(void **state)
{
    (void)state;
    struct method_table *t = method_table_new(&plain);
    pthread_t reader;
    void *went_back;
    assert_int_equal(pthread_create(&reader, NULL, read_on, t), 0);
    for (int i = 0; i < 50 * METHOD_TABLE_MAX; i++) {
        struct method_entry *e = find_numbered(t, "/x/M", 0, i % (METHOD_TABLE_MAX + 50));
        counter_add(&e->calls.started, 1);
        method_stats_end(&e->calls, (unsigned)i % STATUS_COUNT, i, 1, 1);
    }
    pthread_join(reader, &went_back);
    assert_null(went_back);
    struct tally n = {0};
    method_table_each(t, count_entry, &n);
    assert_int_equal(n.started, 50 * METHOD_TABLE_MAX);
    assert_int_equal(n.entries, METHOD_TABLE_MAX + 1);
    method_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_path_same_entry),     cmocka_unit_test(test_bound),
        cmocka_unit_test(test_named_ones_do_not_count),  cmocka_unit_test(test_what_is_no_method_is_other),
        cmocka_unit_test(test_reload_keeps_statistics),  cmocka_unit_test(test_each_gives_those_with_traffic),
        cmocka_unit_test(test_reader_beside_the_writer), cmocka_unit_test(test_counted_by_itself),
        cmocka_unit_test(test_learned_behind_a_crowd),   cmocka_unit_test(test_named_by_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
