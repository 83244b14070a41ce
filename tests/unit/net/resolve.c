/* Name look-ups that need no network: the hosts file and a name that cannot exist. */
#include "net/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG_S = 60 };

static void test_localhost(void **state)
{
    (void)state;
    const struct address name = {.kind = ADDRESS_NAME, .port = 8443, .name = "localhost"};
    struct address ret[RESOLVE_MAX];
    size_t n;
    char error[RESOLVE_ERROR_MAX];
    if (resolve_now(&name, 5 * NS_PER_S, ret, &n, error) != ERR_NONE)
        fail_msg("%s", error);
    assert_in_range(n, 1, 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ret[i].port, 8443);
        assert_true(address_is_loopback(&ret[i]));
        assert_true(i == 0 || ret[i].kind == ADDRESS_IPV6);
    }
}

static void test_unknown_name(void **state)
{
    (void)state;
    const struct address name = {.kind = ADDRESS_NAME, .port = 80, .name = "no-such-host.invalid"};
    struct address ret[RESOLVE_MAX];
    size_t n = 7;
    char error[RESOLVE_ERROR_MAX];
    ns_t start = clock_monotonic();
    enum err e = resolve_now(&name, 500 * NS_PER_MS, ret, &n, error);
    assert_true(e == ERR_NOT_FOUND || e == ERR_TIMEOUT);
    assert_int_equal(n, 0);
    assert_ptr_equal(strstr(error, "no-such-host.invalid: "), error);
    assert_true(clock_monotonic() - start < 5 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_unknown_name),
    };
    alarm(WATCHDOG_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
