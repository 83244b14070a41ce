/* Original destinations: which ones calls may go on to, and as which endpoint. */
#include "core/original.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct address at(const char *text)
{
    struct address a;
    assert_int_equal(address_parse(slice_str(text), NULL, &a), ERR_NONE);
    return a;
}

static void test_judge(void **state)
{
    (void)state;
    struct listener_conf listeners[] = {
        {.address = at("0.0.0.0:8443"), .inbound = true, .capture = true},
        {.address = at("127.0.0.1:15001"), .capture = true},
        {.address = at("10.0.0.5:7000"), .inbound = true},
        {.address = {.kind = ADDRESS_UNIX, .name = "/x"}},
    };
    struct snapshot s = {.listeners = listeners, .listeners_n = 4};
    s.admin.present = true;
    s.admin.address = at("127.0.0.1:9901");
    static const struct {
        int listener;
        const char *original, *local;
        enum original_flaw flaw;
    } rows[] = {
        {0, "10.0.0.5:50051", "10.0.0.5:8443", ORIGINAL_GOOD},
        {0, "[fd00::5]:50051", "[fd00::5]:8443", ORIGINAL_GOOD},
        {0, NULL, "10.0.0.5:8443", ORIGINAL_DIRECT},
        {0, "10.0.0.5:8443", "10.0.0.5:8443", ORIGINAL_DIRECT},
        {0, "10.0.0.6:8443", "10.0.0.5:8443", ORIGINAL_LOOP},
        {0, "10.0.0.5:15001", "10.0.0.5:8443", ORIGINAL_LOOP},
        {0, "10.0.0.5:9901", "10.0.0.5:8443", ORIGINAL_LOOP}, /* the admin page is for nobody outside */
        {0, "10.0.0.5:7000", "10.0.0.5:8443", ORIGINAL_GOOD}, /* on loopback nobody of ours listens */
        {1, "10.0.0.7:50051", "127.0.0.1:15001", ORIGINAL_GOOD},
        {1, "10.0.0.7:8443", "127.0.0.1:15001", ORIGINAL_GOOD}, /* another pod's sidecar */
        {1, "10.0.0.7:15001", "127.0.0.1:15001", ORIGINAL_GOOD},
        {1, "127.0.0.1:15001", "127.0.0.1:15001", ORIGINAL_DIRECT},
        {1, "127.0.0.1:8443", "127.0.0.1:15001", ORIGINAL_LOOP},
        {1, "10.0.0.5:7000", "127.0.0.1:15001", ORIGINAL_LOOP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address original, local = at(rows[i].local);
        if (rows[i].original)
            original = at(rows[i].original);
        enum original_flaw got =
            original_judge(&s, &listeners[rows[i].listener], rows[i].original ? &original : NULL, &local);
        if (got != rows[i].flaw)
            fail_msg("row %zu: %d", i, (int)got);
        assert_int_equal(*original_text(got) != '\0', got != ORIGINAL_GOOD);
    }
}

static void test_endpoint(void **state)
{
    (void)state;
    static const struct {
        bool inbound;
        const char *original, *endpoint;
    } rows[] = {
        {true, "10.0.0.5:50051", "127.0.0.1:50051"},
        {true, "[fd00::5]:50051", "[::1]:50051"},
        {false, "10.0.0.5:50051", "10.0.0.5:50051"},
        {false, "[fd00::5]:50051", "[fd00::5]:50051"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address original = at(rows[i].original), want = at(rows[i].endpoint);
        struct address got = original_endpoint(rows[i].inbound, &original);
        assert_true(address_eq(&got, &want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge), cmocka_unit_test(test_endpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
