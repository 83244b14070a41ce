/* The intrusive list: order, removal from anywhere, splicing, safe loops. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list node;
};

static const char *names(struct list *head, char *out)
{
    size_t n = 0;
    LIST_FOR(node, head) {
        assert_ptr_equal(node->next->prev, node);
        out[n++] = CONTAINER_OF(node, struct item, node)->name;
    }
    out[n] = '\0';
    return out;
}

static void fill(struct list *head, struct item *items, const char *text)
{
    list_init(head);
    for (size_t i = 0; text[i]; i++) {
        items[i].name = text[i];
        list_init(&items[i].node);
        list_push_back(head, &items[i].node);
    }
}

static void test_push_and_pop(void **state)
{
    (void)state;
    struct list head;
    struct item items[3], front = {.name = 'z'};
    char text[8];
    fill(&head, items, "abc");
    list_push_front(&head, &front.node);
    assert_string_equal(names(&head, text), "zabc");
    assert_ptr_equal(list_pop(&head), &front.node);
    assert_true(list_is_empty(&front.node));
    while (list_pop(&head))
        continue;
    assert_true(list_is_empty(&head));
    assert_null(list_pop(&head));
}

static void test_remove_anywhere_and_twice(void **state)
{
    (void)state;
    static const struct {
        int at;
        const char *left;
    } rows[] = {{0, "bcd"}, {1, "acd"}, {3, "abc"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct list head;
        struct item items[4];
        char text[8];
        fill(&head, items, "abcd");
        list_remove(&items[rows[i].at].node);
        list_remove(&items[rows[i].at].node);
        assert_string_equal(names(&head, text), rows[i].left);
    }
}

static void test_splice(void **state)
{
    (void)state;
    static const struct {
        const char *to, *from, *result;
    } rows[] = {{"", "", ""}, {"ab", "", "ab"}, {"", "cd", "cd"}, {"ab", "cd", "abcd"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct list to, from;
        struct item a[4], b[4];
        char text[8];
        fill(&to, a, rows[i].to);
        fill(&from, b, rows[i].from);
        list_splice(&to, &from);
        assert_string_equal(names(&to, text), rows[i].result);
        assert_true(list_is_empty(&from));
    }
}

static void test_loop_that_removes(void **state)
{
    (void)state;
    struct list head;
    struct item items[6];
    char text[8];
    fill(&head, items, "abcdef");
    LIST_FOR_SAFE(node, &head) {
        if (CONTAINER_OF(node, struct item, node)->name % 2)
            list_remove(node);
    }
    assert_string_equal(names(&head, text), "bdf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_and_pop),
        cmocka_unit_test(test_remove_anywhere_and_twice),
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_loop_that_removes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
