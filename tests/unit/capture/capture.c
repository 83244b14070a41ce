/* Ports that parse and ports that do not, what makes no sense together, and the rules that come of it. */
#include "capture/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool take(struct capture *c, enum capture_side side, const char *text, char *error)
{
    return capture_take_ports(c, side, slice_str(text), error);
}

static void test_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error; /* NULL: taken */
    } rows[] = {
        {"1", NULL},
        {"65535", NULL},
        {"50051,50052", NULL},
        {" 50052 , 50051", NULL},
        {"60000-60010,50051", NULL},
        {"60000-60001", NULL},
        {"", "found \"\", expected ports"},
        {"0", "found \"0\""},
        {"65536", "found \"65536\""},
        {"99999999999999999999", "found \"99999999999999999999\""},
        {"-1", "found \"-1\""},
        {"50051,", "found \"\""},
        {"50051;50052", "found \"50051;50052\""},
        {"60010-60000", "found \"60010-60000\""},
        {"60000-60000", "found \"60000-60000\""},
        {"60000-", "found \"60000-\""},
        {"http", "found \"http\""},
        {"50051,50051", "50051 overlaps"},
        {"60000-60010,60010", "60010 overlaps"},
        {"60000-60010,59000-60000", "59000-60000 overlaps"},
        {"60000-60010,60002-60003", "60002-60003 overlaps"},
        {"60002-60003,60000-60010", "60000-60010 overlaps"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct capture c;
        char error[CAPTURE_ERROR_MAX] = "";
        capture_init(&c);
        bool good = take(&c, CAPTURE_INBOUND, rows[i].text, error);
        if (good != !rows[i].error || (!good && (!strstr(error, rows[i].error) || !strstr(error, "--inbound:"))))
            fail_msg("\"%s\": %d %s", rows[i].text, good, error);
    }
}

static void test_most_ports(void **state)
{
    (void)state;
    struct capture c;
    char error[CAPTURE_ERROR_MAX], one[16];
    capture_init(&c);
    for (int i = 0; i < CAPTURE_RANGES_MAX; i++) {
        snprintf(one, sizeof one, "%d", 1000 + i);
        assert_true(take(&c, CAPTURE_OUTBOUND, one, error));
    }
    assert_false(take(&c, CAPTURE_OUTBOUND, "2000", error));
    assert_string_equal(error, "--outbound: more than 64 ports and ranges");
    assert_true(take(&c, CAPTURE_INBOUND, "2000", error));
}

static void test_numbers(void **state)
{
    (void)state;
    uint32_t uid = 7;
    uint16_t port = 7;
    assert_true(capture_take_uid(&uid, SLICE("0")) && uid == 0);
    assert_true(capture_take_uid(&uid, SLICE("4294967294")) && uid == 4294967294u);
    assert_false(capture_take_uid(&uid, SLICE("4294967295")));
    assert_false(capture_take_uid(&uid, SLICE("root")) || capture_take_uid(&uid, SLICE("")));
    assert_true(capture_take_port(&port, SLICE("65535")) && port == 65535);
    assert_false(capture_take_port(&port, SLICE("65536")) || capture_take_port(&port, SLICE("0")));
    assert_int_equal(port, 65535);
}

static void test_sense(void **state)
{
    (void)state;
    static const struct {
        const char *inbound, *outbound;
        uint16_t to_inbound, to_outbound;
        const char *error; /* NULL: fine */
    } rows[] = {
        {"50051", NULL, 8443, 15001, NULL},
        {NULL, "50051", 8443, 15001, NULL},
        {"50051", "50051", 8443, 15001, NULL}, /* a service and its clients on one port */
        {"15001", "8443", 8443, 15001, NULL},
        {NULL, "50051", 15001, 15001, NULL}, /* there is only one side */
        {NULL, NULL, 8443, 15001, "nothing to capture"},
        {"8000-9000", NULL, 8443, 15001, "--inbound: 8443 is the listener"},
        {NULL, "15001", 8443, 15001, "--outbound: 15001 is the listener"},
        {"50051", "50051", 15001, 15001, "both 15001"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct capture c;
        char error[CAPTURE_ERROR_MAX] = "";
        capture_init(&c);
        assert_true(!rows[i].inbound || take(&c, CAPTURE_INBOUND, rows[i].inbound, error));
        assert_true(!rows[i].outbound || take(&c, CAPTURE_OUTBOUND, rows[i].outbound, error));
        c.to[CAPTURE_INBOUND] = rows[i].to_inbound;
        c.to[CAPTURE_OUTBOUND] = rows[i].to_outbound;
        bool good = capture_judge(&c, error);
        if (good != !rows[i].error || (!good && !strstr(error, rows[i].error)))
            fail_msg("row %zu: %d %s", i, good, error);
    }
}

static struct capture example(void)
{
    struct capture c;
    char error[CAPTURE_ERROR_MAX];
    capture_init(&c);
    assert_true(take(&c, CAPTURE_INBOUND, "60000-60010,50051", error));
    assert_true(take(&c, CAPTURE_OUTBOUND, "50051", error));
    return c;
}

static void test_nft(void **state)
{
    (void)state;
    struct capture c = example();
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    capture_write_nft(&c, out);
    fclose(out);
    assert_string_equal(text, "table inet outrigger\n"
                              "delete table inet outrigger\n"
                              "table inet outrigger {\n"
                              "    chain inbound {\n"
                              "        type nat hook prerouting priority -100; policy accept;\n"
                              "        iifname \"lo\" return\n"
                              "        tcp dport { 50051, 60000-60010 } redirect to :8443\n"
                              "    }\n"
                              "    chain outbound {\n"
                              "        type nat hook output priority -100; policy accept;\n"
                              "        oifname \"lo\" return\n"
                              "        meta skuid 65532 return\n"
                              "        tcp dport { 50051 } redirect to :15001\n"
                              "    }\n"
                              "}\n");
}

static void test_iptables(void **state)
{
    (void)state;
    struct capture c = example();
    const bool half[CAPTURE_SIDES] = {[CAPTURE_INBOUND] = true};
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    capture_write_iptables(&c, half, out);
    capture_write_iptables(NULL, half, out);
    fclose(out);
    assert_string_equal(text, "*nat\n"
                              ":OUTRIGGER_IN - [0:0]\n"
                              ":OUTRIGGER_OUT - [0:0]\n"
                              "-A OUTRIGGER_IN -i lo -j RETURN\n"
                              "-A OUTRIGGER_IN -p tcp --dport 50051 -j REDIRECT --to-ports 8443\n"
                              "-A OUTRIGGER_IN -p tcp --dport 60000:60010 -j REDIRECT --to-ports 8443\n"
                              "-A OUTRIGGER_OUT -o lo -j RETURN\n"
                              "-A OUTRIGGER_OUT -m owner --uid-owner 65532 -j RETURN\n"
                              "-A OUTRIGGER_OUT -p tcp --dport 50051 -j REDIRECT --to-ports 15001\n"
                              "-A OUTPUT -p tcp -j OUTRIGGER_OUT\n"
                              "COMMIT\n"
                              "*nat\n"
                              ":OUTRIGGER_IN - [0:0]\n"
                              ":OUTRIGGER_OUT - [0:0]\n"
                              "-D PREROUTING -p tcp -j OUTRIGGER_IN\n"
                              "-X OUTRIGGER_IN\n"
                              "-X OUTRIGGER_OUT\n"
                              "COMMIT\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports), cmocka_unit_test(test_most_ports), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sense), cmocka_unit_test(test_nft),        cmocka_unit_test(test_iptables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
