/* Paths of probes: what parses, and what is no such path. */
#include "base/probe_path.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void reads_the_three_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text, *rest;
        enum probe_kind kind;
        uint16_t port;
    } rows[] = {{"grpc/1", "", PROBE_GRPC, 1},
                {"grpc/50051/a.B", "/a.B", PROBE_GRPC, 50051},
                {"http/65535/x/y?z=1", "/x/y?z=1", PROBE_HTTP, 65535},
                {"http/80/", "/", PROBE_HTTP, 80},
                {"tcp/5432", "", PROBE_TCP, 5432}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct probe_path path;
        assert_true(probe_path_parse(slice_str(rows[i].text), &path));
        assert_int_equal(path.kind, rows[i].kind);
        assert_int_equal(path.port, rows[i].port);
        assert_true(slice_eq(path.rest, slice_str(rows[i].rest)));
    }
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "/",      "grpc",   "grpc/",   "grpc/0",
                                      "grpc/65536", "tcp/05", "udp/53", "grpcs/1", "http//x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct probe_path path;
        assert_false(probe_path_parse(slice_str(bad[i]), &path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_the_three_kinds), cmocka_unit_test(refuses_what_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
