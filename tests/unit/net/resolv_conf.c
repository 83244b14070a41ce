/* What is read of a resolv.conf. */
#include "net/resolv_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct resolv_conf read_text(const char *text, const char *host)
{
    char path[] = "/tmp/resolv-conf-XXXXXX";
    struct resolv_conf c;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    resolv_conf_read(&c, path, host);
    unlink(path);
    return c;
}

static void test_rows(void **state)
{
    static const struct {
        const char *text, *host, *domains;
        int ndots, servers;
    } rows[] = {
        {"", NULL, "", 1, 0},
        {"nameserver 10.0.0.10\n", "order", "", 1, 1},
        {"nameserver 10.0.0.10\nnameserver fd00::10", "order.shop.example", "shop.example", 1, 2},
        {"nameserver\n", "order.", "", 1, 0},
        {"search a.test b.test\t c.test.\noptions ndots:5 edns0\n", "x.y", "a.test b.test c.test", 5, 0},
        {"search a.test\nsearch b.test\n", NULL, "b.test", 1, 0},
        {"search a.test\ndomain b.test c.test\n", NULL, "b.test", 1, 0},
        {"domain b.test\r\nsearch .\n", NULL, ".", 1, 0},
        {"# search a.test\n;search b.test\nsearching c.test\nsearch\n", NULL, "", 1, 0},
        {"options ndots:99\n", NULL, "", 15, 0},
        {"options ndots:-1\n", NULL, "", 0, 0},
        {"options rotate\noptions ndots:x\n", NULL, "", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct resolv_conf c = read_text(rows[i].text, rows[i].host);
        char got[512] = "";
        for (size_t k = 0, n = 0; k < c.domains_n; k++)
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%s", k ? " " : "", c.domains[k]);
        assert_string_equal(got, rows[i].domains);
        assert_int_equal(c.ndots, rows[i].ndots);
        assert_int_equal(c.servers, rows[i].servers);
    }
}

static void test_bounds(void **state)
{
    char text[2048] = "search";
    size_t n = strlen(text);
    (void)state;
    for (int i = 0; i < RESOLV_CONF_DOMAINS_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " d%d.test", i);
    assert_int_equal(read_text(text, NULL).domains_n, RESOLV_CONF_DOMAINS_MAX);
    snprintf(text, sizeof text, "search %0*d %0*d\n", RESOLV_CONF_DOMAIN_BYTES, 1, RESOLV_CONF_DOMAIN_BYTES - 1, 2);
    struct resolv_conf c = read_text(text, NULL);
    assert_int_equal(c.domains_n, 1);
    assert_int_equal(strlen(c.domains[0]), RESOLV_CONF_DOMAIN_BYTES - 1);
}

static void test_no_file(void **state)
{
    struct resolv_conf c;
    (void)state;
    resolv_conf_read(&c, "/nonexistent/resolv.conf", "a.b.test");
    assert_int_equal(c.domains_n, 1);
    assert_string_equal(c.domains[0], "b.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
