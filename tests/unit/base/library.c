/* Which libraries are too old. */
#include "base/library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void versions_are_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *linked, *oldest;
        bool too_old;
    } rows[] = {{"3.0.22", "3.0.22", false},
                {"3.0.21", "3.0.22", true},
                {"3.0.9", "3.0.22", true},
                {"3.0.100", "3.0.22", false},
                {"3.5.1", "3.0.22", false},
                {"2.9.99", "3.0.22", true},
                {"3", "3.0.22", true},
                {"3.0", "3.0.22", true},
                {"4", "3.0.22", false},
                {"2.1.12-stable", "2.1.12", false},
                {"2.1.11-stable", "2.1.12", true},
                {"3.0.22-beta", "3.0.22", false},
                {"", "3.0.22", false},
                {"0.1", NULL, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct library l = {"l", "", rows[i].linked, rows[i].oldest};
        assert_int_equal(library_is_too_old(&l), rows[i].too_old);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(versions_are_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
