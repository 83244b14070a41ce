/* Addresses: what is taken and how it prints again, what is refused, what counts as loopback. */
#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NAME_62  "a23456789.123456789.123456789.123456789.123456789.123456789.12"
#define NAME_248 NAME_62 NAME_62 NAME_62 NAME_62
#define PATH_50  "/234567890/234567890/234567890/234567890/234567890"

struct row {
    const char *text;
    enum address_kind kind;
    bool loopback;
    const char *printed; /* NULL: as text */
};

static const struct row good[] = {
    {"127.0.0.1:80", ADDRESS_IPV4, true, NULL},
    {"127.255.255.255:65535", ADDRESS_IPV4, true, NULL},
    {"126.0.0.1:1", ADDRESS_IPV4, false, NULL},
    {"0.0.0.0:8443", ADDRESS_IPV4, false, NULL},
    {"[::1]:80", ADDRESS_IPV6, true, NULL},
    {"[::]:80", ADDRESS_IPV6, false, NULL},
    {"[FD00:0::8]:8443", ADDRESS_IPV6, false, "[fd00::8]:8443"},
    {"[::ffff:127.0.0.1]:80", ADDRESS_IPV6, true, NULL},
    {"[::ffff:128.0.0.1]:80", ADDRESS_IPV6, false, NULL},
    {"unix:/run/x.sock", ADDRESS_UNIX, true, NULL},
    {"unix:x", ADDRESS_UNIX, true, NULL},
    {"unix:" PATH_50 PATH_50 "/234567", ADDRESS_UNIX, true, NULL},
    {"localhost:80", ADDRESS_NAME, true, NULL},
    {"payment.shop.svc:8443", ADDRESS_NAME, false, NULL},
    {"_grpc-1.shop:1", ADDRESS_NAME, false, NULL},
    {"1.2.3.4a:1", ADDRESS_NAME, false, NULL},
    {NAME_248 ".4567:1", ADDRESS_NAME, false, NULL},
};

static void test_good_ones_print_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct row *r = &good[i];
        char copy[512], text[ADDRESS_TEXT_MAX];
        struct address a, again;
        assert_int_equal(address_parse(slice_str(r->text), copy, &a), ERR_NONE);
        assert_int_equal(a.kind, r->kind);
        assert_int_equal(address_is_loopback(&a), r->loopback);
        assert_string_equal(address_format(&a, text, sizeof text), r->printed ? r->printed : r->text);
        char copy_again[512];
        assert_int_equal(address_parse(slice_str(text), copy_again, &again), ERR_NONE);
        assert_true(address_eq(&a, &again));
    }
}

static void test_bad_ones_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":",
        ":80",
        "host",
        "host:",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:00",
        "127.0.0.1:080",
        "127.0.0.1:65536",
        "127.0.0.1:100000",
        "127.0.0.1:8x",
        "127.0.0.1:-1",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "256.0.0.1:80",
        "1234:80",
        "::1:80",
        "::1",
        "[::1]",
        "[::1]:",
        "[::1]80",
        "[::1:80",
        "[]:80",
        "[::g]:80",
        "[127.0.0.1]:80",
        "[::1]:0",
        "[::1%lo]:80",
        "unix:",
        "-host:80",
        ".host:80",
        "ho st:80",
        "ho/st:80",
        "http://host:80",
        "unix:" PATH_50 PATH_50 "/2345678",
        NAME_248 ".45678:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char copy[512];
        struct address a;
        if (address_parse(slice_str(bad[i]), copy, &a) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    }
}

static void test_nul_bytes_are_refused(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        {"127.0.0.1\0:80", 13}, {"127.0.0.1:80\0", 13}, {"[::1\0]:80", 9}, {"unix:/a\0b", 9}, {"ho\0st:80", 8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char copy[64];
        struct address a;
        assert_int_equal(address_parse(bad[i], copy, &a), ERR_INVALID);
    }
}

static void test_without_storage_only_ip(void **state)
{
    (void)state;
    struct address a;
    assert_int_equal(address_parse(SLICE("1.2.3.4:5"), NULL, &a), ERR_NONE);
    assert_int_equal(address_parse(SLICE("[::1]:5"), NULL, &a), ERR_NONE);
    assert_int_equal(address_parse(SLICE("host:5"), NULL, &a), ERR_INVALID);
    assert_int_equal(address_parse(SLICE("unix:/x"), NULL, &a), ERR_INVALID);
}

static void test_equality(void **state)
{
    (void)state;
    static const char *const all[] = {"1.2.3.4:5", "1.2.3.4:6", "1.2.3.5:5", "[::1]:5", "[::2]:5",
                                      "host:5",    "HOST:5",    "unix:/x",   "unix:/y", "unix:/X"};
    enum { N = sizeof all / sizeof all[0] };
    char copies[N][32];
    struct address a[N];
    for (int i = 0; i < N; i++)
        assert_int_equal(address_parse(slice_str(all[i]), copies[i], &a[i]), ERR_NONE);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            assert_int_equal(address_eq(&a[i], &a[j]), i == j);
    }
}

static void test_ip_texts(void **state)
{
    static const char *const ips[] = {"10.1.2.3", "::1", "[::1]", "[2001:db8::1]", "::ffff:10.0.0.1"};
    static const char *const names[] = {"",  "payment.shop", "10.1.2",    "10.1.2.3.4",
                                        "1", "[]",           "[payment]", "10.1.2.3.shop"};
    (void)state;
    for (size_t i = 0; i < sizeof ips / sizeof ips[0]; i++)
        assert_true(address_is_ip_text(slice_str(ips[i])));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(address_is_ip_text(slice_str(names[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones_print_again),
        cmocka_unit_test(test_bad_ones_are_refused),
        cmocka_unit_test(test_nul_bytes_are_refused),
        cmocka_unit_test(test_without_storage_only_ip),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_ip_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
