/* The status maps, line by line as the gRPC documents have them. */
#include "core/status.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(status_name(STATUS_OK), "OK");
    assert_string_equal(status_name(STATUS_DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED");
    assert_string_equal(status_name(16), "UNAUTHENTICATED");
    assert_string_equal(status_name(17), "UNKNOWN");
    assert_string_equal(status_name(UINT32_MAX), "UNKNOWN");
    assert_string_equal(reason_name(REASON_NONE), "");
    assert_string_equal(reason_name(REASON_NO_ROUTE), "NO_ROUTE");
    assert_string_equal(reason_name(REASON_DRAINING), "DRAINING");
    assert_string_equal(reason_name(REASON_COUNT), "");
}

static void test_parse(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        enum status s = STATUS_OK;
        assert_int_equal(status_parse(slice_str(status_name(i)), &s), ERR_NONE);
        assert_int_equal(s, i);
    }
    static const struct {
        const char *text;
        enum err err;
        enum status status;
    } rows[] = {
        {"unavailable", ERR_NONE, STATUS_UNAVAILABLE},
        {"Data_Loss", ERR_NONE, STATUS_DATA_LOSS},
        {"0", ERR_NONE, STATUS_OK},
        {"16", ERR_NONE, STATUS_UNAUTHENTICATED},
        {"17", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"-1", ERR_INVALID, 0},
        {"014", ERR_INVALID, 0},
        {"UNAVAIL", ERR_INVALID, 0},
        {"UNAVAILABLE ", ERR_INVALID, 0},
        {"DEADLINE-EXCEEDED", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum status s = STATUS_OK;
        assert_int_equal(status_parse(slice_str(rows[i].text), &s), rows[i].err);
        if (rows[i].err == ERR_NONE)
            assert_int_equal(s, rows[i].status);
    }
}

static void test_parse_wire(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint32_t value;
    } rows[] = {
        {"0", ERR_NONE, 0},
        {"14", ERR_NONE, 14},
        {"17", ERR_NONE, 17},
        {"999999999", ERR_NONE, 999999999},
        {"1000000000", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"00", ERR_INVALID, 0},
        {"014", ERR_INVALID, 0},
        {"-1", ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0},
        {"OK", ERR_INVALID, 0},
        {"1:", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t v = 0;
        assert_int_equal(status_parse_wire(slice_str(rows[i].text), &v), rows[i].err);
        assert_int_equal(v, rows[i].value);
    }
}

static void test_of_h2_code(void **state)
{
    (void)state;
    static const enum status expected[] = {
        [H2_NO_ERROR] = STATUS_INTERNAL,
        [H2_PROTOCOL_ERROR] = STATUS_INTERNAL,
        [H2_INTERNAL_ERROR] = STATUS_INTERNAL,
        [H2_FLOW_CONTROL_ERROR] = STATUS_INTERNAL,
        [H2_SETTINGS_TIMEOUT] = STATUS_INTERNAL,
        [H2_STREAM_CLOSED] = STATUS_INTERNAL,
        [H2_FRAME_SIZE_ERROR] = STATUS_INTERNAL,
        [H2_REFUSED_STREAM] = STATUS_UNAVAILABLE,
        [H2_CANCEL] = STATUS_CANCELLED,
        [H2_COMPRESSION_ERROR] = STATUS_INTERNAL,
        [H2_CONNECT_ERROR] = STATUS_INTERNAL,
        [H2_ENHANCE_YOUR_CALM] = STATUS_RESOURCE_EXHAUSTED,
        [H2_INADEQUATE_SECURITY] = STATUS_PERMISSION_DENIED,
        [H2_HTTP_1_1_REQUIRED] = STATUS_INTERNAL,
        [14] = STATUS_UNKNOWN,
    };
    for (uint32_t code = 0; code < sizeof expected / sizeof expected[0]; code++)
        assert_int_equal(status_of_h2_code(code), expected[code]);
    assert_int_equal(status_of_h2_code(UINT32_MAX), STATUS_UNKNOWN);
}

static void test_of_http(void **state)
{
    (void)state;
    static const struct {
        unsigned http;
        enum status status;
    } rows[] = {
        {400, STATUS_INTERNAL},      {401, STATUS_UNAUTHENTICATED}, {403, STATUS_PERMISSION_DENIED},
        {404, STATUS_UNIMPLEMENTED}, {429, STATUS_UNAVAILABLE},     {431, STATUS_INTERNAL},
        {502, STATUS_UNAVAILABLE},   {503, STATUS_UNAVAILABLE},     {504, STATUS_UNAVAILABLE},
    };
    size_t row = 0;
    for (unsigned http = 100; http < 1000; http++) {
        bool listed = row < sizeof rows / sizeof rows[0] && rows[row].http == http;
        assert_int_equal(status_of_http(http), listed ? rows[row].status : STATUS_UNKNOWN);
        row += listed;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),      cmocka_unit_test(test_parse),   cmocka_unit_test(test_parse_wire),
        cmocka_unit_test(test_of_h2_code), cmocka_unit_test(test_of_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
