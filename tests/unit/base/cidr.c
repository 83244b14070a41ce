/* Networks: what parses, how it is written again, which addresses are in. */
#include "base/cidr.h"

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
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"1.2.3.4", "1.2.3.4"},
        {"1.2.3.4/32", "1.2.3.4"},
        {"1.2.3.4/33", NULL},
        {"1.2.3.4/31", "1.2.3.4/31"},
        {"1.2.3.5/31", NULL},
        {"128.0.0.0/1", "128.0.0.0/1"},
        {"64.0.0.0/1", NULL},
        {"::/0", "::/0"},
        {"::1", "::1"},
        {"::1/128", "::1"},
        {"::1/129", NULL},
        {"fd00::/8", "fd00::/8"},
        {"fd00::1/8", NULL},
        {"FD00::/8", "fd00::/8"},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
        {"", NULL},
        {"/8", NULL},
        {"10.0.0.0/", NULL},
        {"10.0.0.0/08", NULL},
        {"10.0.0.0/0008", NULL},
        {"10.0.0.0/-1", NULL},
        {"10.0.0.0/8 ", NULL},
        {"10.0.0/8", NULL},
        {"[::1]", NULL},
        {"localhost", NULL},
        {"10.0.0.0/8/8", NULL},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", NULL},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.25555", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cidr c;
        char out[CIDR_TEXT_MAX];
        const char *why = "unset";
        enum err e = cidr_parse(slice_str(rows[i].text), &c, &why);
        assert_int_equal(e, rows[i].again ? ERR_NONE : ERR_INVALID);
        if (rows[i].again) {
            assert_null(why);
            assert_string_equal(cidr_format(&c, out), rows[i].again);
        } else {
            assert_non_null(why);
        }
    }
}

static void test_has(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool in;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255:1", true},
        {"10.0.0.0/8", "11.0.0.0:1", false},
        {"10.0.0.0/8", "9.255.255.255:1", false},
        {"10.0.0.0/8", "[::ffff:10.1.2.3]:1", true},
        {"10.0.0.0/8", "[::10.1.2.3]:1", false},
        {"10.0.0.0/8", "[a00::]:1", false},
        {"0.0.0.0/0", "255.255.255.255:1", true},
        {"0.0.0.0/0", "[::1]:1", false},
        {"::/0", "[::1]:1", true},
        {"::/0", "1.2.3.4:1", false},
        {"::/0", "[::ffff:1.2.3.4]:1", false},
        {"192.168.4.0/22", "192.168.7.255:1", true},
        {"192.168.4.0/22", "192.168.8.0:1", false},
        {"192.168.4.0/22", "192.168.3.255:1", false},
        {"1.2.3.4", "1.2.3.4:9", true},
        {"1.2.3.4", "1.2.3.5:9", false},
        {"fd00::/8", "[fdff::1]:1", true},
        {"fd00::/8", "[fe00::1]:1", false},
        {"2001:db8::/33", "[2001:db8:7fff::]:1", true},
        {"2001:db8::/33", "[2001:db8:8000::]:1", false},
        {"::1", "unix:/run/x", false},
        {"0.0.0.0/0", "unix:/run/x", false},
        {"0.0.0.0/0", "localhost:1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cidr c;
        struct address a;
        char name[64];
        const char *why;
        assert_int_equal(cidr_parse(slice_str(rows[i].network), &c, &why), ERR_NONE);
        assert_int_equal(address_parse(slice_str(rows[i].address), name, &a), ERR_NONE);
        if (cidr_has(&c, &a) != rows[i].in)
            fail_msg("%s and %s", rows[i].network, rows[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
