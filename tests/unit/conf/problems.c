/* Problems: bounded, ordered, printed as one clean line each. */
#include "conf/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(struct problems *p, enum problem_kind kind, uint32_t line, uint32_t column, const char *text)
{
    problems_add(p, kind, (struct place){"f.yaml", line, column}, "a.b", "%s", text);
}

static char *printed(const struct problems *p)
{
    char *out = NULL;
    size_t n = 0;
    FILE *stream = open_memstream(&out, &n);
    problems_print(p, stream);
    fclose(stream);
    return out;
}

static void test_order_and_form(void **state)
{
    struct problems p;
    (void)state;
    problems_init(&p);
    add(&p, PROBLEM_ERROR, 3, 1, "last");
    add(&p, PROBLEM_ERROR, 1, 9, "second");
    add(&p, PROBLEM_WARNING, 1, 2, "first");
    add(&p, PROBLEM_ERROR, 1, 9, "third");
    problems_add(&p, PROBLEM_ERROR, (struct place){"f.yaml", 9, 9}, "", "whole\nfile\t\x7f \xc3\xa9 \xe2\x82");
    problems_sort(&p);
    char *text = printed(&p);
    assert_string_equal(text, "f.yaml:1:2: warning: a.b: first\nf.yaml:1:9: a.b: second\nf.yaml:1:9: a.b: third\n"
                              "f.yaml:3:1: a.b: last\nf.yaml:9:9: whole\\x0afile\\x09\\x7f \xc3\xa9 \\xe2\\x82\n");
    free(text);
    problems_drop_warnings(&p);
    assert_int_equal(p.warnings, 0);
    assert_int_equal(p.n, 4);
    problems_fini(&p);
}

static void test_bound(void **state)
{
    struct problems p;
    (void)state;
    problems_init(&p);
    for (int i = 0; i < PROBLEMS_MAX; i++) {
        add(&p, PROBLEM_ERROR, 1, 1, "e");
        add(&p, PROBLEM_WARNING, 1, 1, "w");
    }
    assert_int_equal(p.n, 2 * PROBLEMS_MAX);
    char *text = printed(&p);
    assert_null(strstr(text, "more"));
    free(text);
    add(&p, PROBLEM_ERROR, 1, 1, "e");
    assert_int_equal(p.n, 2 * PROBLEMS_MAX);
    assert_int_equal(p.errors, PROBLEMS_MAX + 1);
    text = printed(&p);
    assert_non_null(strstr(text, "\nand 1 more errors\n"));
    free(text);
    problems_fini(&p);
}

static void test_long_texts(void **state)
{
    static char text[9000];
    char line[4096];
    struct problems p;
    (void)state;
    memset(text, 1, sizeof text - 1);
    problems_init(&p);
    problems_add(&p, PROBLEM_ERROR, (struct place){text, 1, 1}, text, "%s", text);
    problem_format(&p.v[0], line, sizeof line);
    assert_true(strlen(line) < sizeof line);
    problem_format(&p.v[0], line, 8);
    assert_true(strlen(line) < 8);
    problems_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_and_form), cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_long_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
