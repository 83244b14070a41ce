/* Patterns of addresses: what parses, and how it is written again. */
#include "base/address_pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *again; /* NULL: refused */
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"10.0.0.7", "10.0.0.7"},
        {"10.0.0.7:50051", "10.0.0.7:50051"},
        {"10.0.0.0/8:50051", "10.0.0.0/8:50051"},
        {"0.0.0.0/0:1", "0.0.0.0/0:1"},
        {"fd00::/8", "fd00::/8"},
        {"fd00::8:5005", "fd00::8:5005"},
        {"::", "::"},
        {"[fd00::/8]:65535", "[fd00::/8]:65535"},
        {"[::1]:50051", "[::1]:50051"},
        {"*:50051", "*:50051"},
        {"*", NULL},
        {"*:0", NULL},
        {"*:", NULL},
        {":50051", NULL},
        {"10.0.0.7:65536", NULL},
        {"10.0.0.7:", NULL},
        {"10.1.2.3/8:50051", NULL},
        {"[fd00::/8]", NULL},
        {"[fd00::/8]50051", NULL},
        {"[fd00::/8]x:50051", NULL},
        {"[fd00::/8", NULL},
        {"[*]:50051", NULL},
        {"payment:50051", NULL},
        {"", NULL},
        {"[", NULL},
        {"]:1", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address_pattern p;
        char text[ADDRESS_PATTERN_TEXT_MAX];
        const char *why;
        bool good = address_pattern_parse(slice_str(rows[i].text), &p, &why) == ERR_NONE;
        if (good != (rows[i].again != NULL) || good != (why == NULL))
            fail_msg("%s: %d", rows[i].text, good);
        if (good && strcmp(address_pattern_format(&p, text), rows[i].again) != 0)
            fail_msg("%s: written as %s", rows[i].text, text);
    }
}

static void test_unix(void **state)
{
    (void)state;
    struct address_pattern any = {.any = true};
    struct address a = {.kind = ADDRESS_UNIX, .name = "/x"};
    assert_false(address_pattern_has(&any, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_unix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
