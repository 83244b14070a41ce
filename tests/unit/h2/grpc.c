/* gRPC's rules on blocks and fields, and local answers read back with protobuf-c. */
#include "h2/grpc.h"

#include "rpc_status.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROW_FIELDS_MAX = 12 };

struct field {
    const char *name, *value;
};

struct row {
    struct field fields[ROW_FIELDS_MAX];
    enum err expected;
};

static struct header plain(const char *name, const char *value)
{
    size_t n = strlen(name);
    return (struct header){.name = name,
                           .value = value,
                           .name_n = (uint32_t)n,
                           .value_n = (uint32_t)strlen(value),
                           .token = (uint16_t)token_find(name, n)};
}

static void fill(struct headers *h, const struct field *fields)
{
    h->n = h->bytes = 0;
    for (int i = 0; i < ROW_FIELDS_MAX && fields[i].name; i++)
        assert_true(headers_add(h, plain(fields[i].name, fields[i].value)));
}

static void assert_rows(const struct row *rows, size_t n, enum grpc_block kind)
{
    for (size_t i = 0; i < n; i++) {
        struct headers h;
        fill(&h, rows[i].fields);
        if (grpc_check_block(&h, kind) != rows[i].expected)
            fail_msg("row %zu is judged otherwise", i);
    }
}

#define ASSERT_ROWS(rows, kind) assert_rows(rows, sizeof(rows) / sizeof(rows)[0], kind)

/* Pseudo fields of a good request; `...` follows them. */
#define REQUEST(...)                                                                                                   \
    {                                                                                                                  \
        {":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "a:1"}, __VA_ARGS__              \
    }

static void test_request_pseudo_fields(void **state)
{
    (void)state;
    const struct row rows[] = {
        {REQUEST({"te", "trailers"}), ERR_NONE},
        {{{":authority", "a"}, {":path", "/"}, {":scheme", "https"}, {":method", "GET"}}, ERR_NONE},
        {{{":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":path", "/a.B/C"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {"host", "a"}}, ERR_NONE},
        {{{0}}, ERR_PROTOCOL},
        {REQUEST({":method", "POST"}), ERR_PROTOCOL},
        {REQUEST({":scheme", "http"}), ERR_PROTOCOL},
        {REQUEST({":path", "/a.B/C"}), ERR_PROTOCOL},
        {REQUEST({":authority", "a:1"}), ERR_PROTOCOL},
        {REQUEST({":status", "200"}), ERR_PROTOCOL},
        {REQUEST({":protocol", "websocket"}), ERR_PROTOCOL},
        {REQUEST({":unknown", "x"}), ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {"x", "y"}, {":authority", "a"}},
         ERR_PROTOCOL},
        {{{":method", ""}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", ""}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a b"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a\tb"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a\x7f"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a\xc3\xa4"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", ""}, {":path", "/a.B/C"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "ftp"}, {":path", "/a.B/C"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http://x"}, {":path", "/a.B/C"}, {":authority", "a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", ""}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "u@a"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "a/b"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "a b"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "a?b"}}, ERR_PROTOCOL},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "[::1]:443"}}, ERR_NONE},
        {{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}, {":authority", "%2Frun%2Fsock"}}, ERR_NONE},
        {{{":method", "CONNECT"}, {":authority", "a:1"}}, ERR_NONE},
        {{{":method", "CONNECT"}}, ERR_PROTOCOL},
        {{{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "http"}, {":path", "/"}}, ERR_PROTOCOL},
    };
    ASSERT_ROWS(rows, GRPC_BLOCK_REQUEST);
}

static void test_request_regular_fields(void **state)
{
    (void)state;
    const struct row rows[] = {
        {REQUEST({"connection", "keep-alive"}), ERR_PROTOCOL},
        {REQUEST({"connection", ""}), ERR_PROTOCOL},
        {REQUEST({"keep-alive", "5"}), ERR_PROTOCOL},
        {REQUEST({"proxy-connection", "close"}), ERR_PROTOCOL},
        {REQUEST({"transfer-encoding", "chunked"}), ERR_PROTOCOL},
        {REQUEST({"upgrade", "h2c"}), ERR_PROTOCOL},
        {REQUEST({"te", "Trailers"}), ERR_NONE},
        {REQUEST({"te", "trailers"}, {"te", "trailers"}), ERR_NONE},
        {REQUEST({"te", ""}), ERR_PROTOCOL},
        {REQUEST({"te", "chunked"}), ERR_PROTOCOL},
        {REQUEST({"te", "trailers, deflate"}), ERR_PROTOCOL},
        {REQUEST({"te", "trailers;q=0.5"}), ERR_PROTOCOL},
        {REQUEST({"content-length", "0"}), ERR_NONE},
        {REQUEST({"content-length", "999999999999999999"}), ERR_NONE},
        {REQUEST({"content-length", "9999999999999999999"}), ERR_PROTOCOL},
        {REQUEST({"content-length", ""}), ERR_PROTOCOL},
        {REQUEST({"content-length", "+1"}), ERR_PROTOCOL},
        {REQUEST({"content-length", "-1"}), ERR_PROTOCOL},
        {REQUEST({"content-length", "0x1"}), ERR_PROTOCOL},
        {REQUEST({"content-length", "1, 1"}), ERR_PROTOCOL},
        {REQUEST({"content-length", "1"}, {"content-length", "1"}), ERR_PROTOCOL},
        {REQUEST({"host", "other"}), ERR_NONE},
        {REQUEST({"host", ""}), ERR_PROTOCOL},
        {REQUEST({"host", "a/b"}), ERR_PROTOCOL},
        {REQUEST({"host", "a:1"}, {"host", "a:1"}), ERR_PROTOCOL},
        {REQUEST({"", "x"}), ERR_PROTOCOL},
        {REQUEST({"cookie", "a=b"}, {"cookie", "c=d"}), ERR_NONE},
        {REQUEST({"x_underscore", "x"}, {"x-data-bin", "AAA="}, {"x-data-bin", "AAE"}), ERR_NONE},
    };
    ASSERT_ROWS(rows, GRPC_BLOCK_REQUEST);
}

static void test_response_block(void **state)
{
    (void)state;
    const struct row rows[] = {
        {{{":status", "200"}, {"content-type", "application/grpc"}}, ERR_NONE},
        {{{":status", "100"}}, ERR_NONE},
        {{{":status", "599"}}, ERR_NONE},
        {{{"content-type", "application/grpc"}}, ERR_PROTOCOL},
        {{{"x", "y"}, {":status", "200"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {":status", "200"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {":path", "/"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {":unknown", "/"}}, ERR_PROTOCOL},
        {{{":status", "101"}}, ERR_PROTOCOL},
        {{{":status", "099"}}, ERR_PROTOCOL},
        {{{":status", "20"}}, ERR_PROTOCOL},
        {{{":status", "2000"}}, ERR_PROTOCOL},
        {{{":status", "20x"}}, ERR_PROTOCOL},
        {{{":status", ""}}, ERR_PROTOCOL},
        {{{":status", "200"}, {"connection", "close"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {"transfer-encoding", "chunked"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {"content-length", "x"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {"content-length", "5"}}, ERR_NONE},
    };
    ASSERT_ROWS(rows, GRPC_BLOCK_RESPONSE);
}

static void test_trailers_block(void **state)
{
    (void)state;
    const struct row rows[] = {
        {{{"grpc-status", "0"}, {"grpc-message", ""}}, ERR_NONE},
        {{{0}}, ERR_NONE},
        {{{"grpc-status", "0"}, {":status", "200"}}, ERR_PROTOCOL},
        {{{":status", "200"}, {"grpc-status", "0"}}, ERR_PROTOCOL},
        {{{":path", "/"}}, ERR_PROTOCOL},
        {{{"connection", "close"}}, ERR_PROTOCOL},
        {{{"content-length", "1"}}, ERR_PROTOCOL},
        {{{"", "x"}}, ERR_PROTOCOL},
    };
    ASSERT_ROWS(rows, GRPC_BLOCK_TRAILERS);
}

static void test_judge_request(void **state)
{
    (void)state;
    const struct {
        const char *method, *type, *path;
        enum grpc_request expected;
    } rows[] = {
        {"POST", "application/grpc", "/a.B/C", GRPC_REQUEST_OK},
        {"POST", "application/grpc+proto", "/B/C", GRPC_REQUEST_OK},
        {"POST", "application/grpc;charset=utf-8", "/a/b/c", GRPC_REQUEST_OK},
        {"POST", "Application/gRPC", "/a.B/C", GRPC_REQUEST_OK},
        {"GET", "application/grpc", "/a.B/C", GRPC_REQUEST_BAD_METHOD},
        {"post", "application/grpc", "/a.B/C", GRPC_REQUEST_BAD_METHOD},
        {"POST", NULL, "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "", "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "application/json", "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "application/grp", "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "application/grpc-web", "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "application/grpcfoo", "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "application/grpc proto", "/a.B/C", GRPC_REQUEST_BAD_CONTENT_TYPE},
        {"POST", "application/grpc", "a.B/C", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "*", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B/", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "//C", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B//C", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B/..", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/../a.B/C", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B/./C", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B/...", GRPC_REQUEST_OK},
        {"POST", "application/grpc", "/a.B%2fC/D", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B/C?x", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B/C#x", GRPC_REQUEST_BAD_PATH},
        {"POST", "application/grpc", "/a.B\\C/D", GRPC_REQUEST_BAD_PATH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct headers h = {0};
        headers_add(&h, plain(":method", rows[i].method));
        headers_add(&h, plain(":path", rows[i].path));
        if (rows[i].type)
            headers_add(&h, plain("content-type", rows[i].type));
        if (grpc_judge_request(&h) != rows[i].expected)
            fail_msg("row %zu is judged otherwise", i);
    }
}

static void test_which_fields_pass(void **state)
{
    (void)state;
    const struct {
        const char *name;
        bool request, response;
    } rows[] = {
        {"connection", false, false},
        {"keep-alive", false, false},
        {"proxy-connection", false, false},
        {"transfer-encoding", false, false},
        {"upgrade", false, false},
        {"host", false, true},
        {"te", true, false},
        {"x-forwarded-client-cert", false, true},
        {"outrigger-unprocessed", false, false},
        {"outrigger-anything", false, false},
        {"outrigger", true, true},
        {"x-outrigger-a", true, true},
        {"authorization", true, true},
        {"grpc-status", true, true},
        {"grpc-encoding", true, true},
        {"grpc-previous-rpc-attempts", true, true},
        {"x-data-bin", true, true},
        {"cookie", true, true},
        {"content-length", true, true},
        {":path", true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct header f = plain(rows[i].name, "x");
        if (grpc_passes(&f, true) != rows[i].request || grpc_passes(&f, false) != rows[i].response)
            fail_msg("%s is judged otherwise", rows[i].name);
    }
}

static void assert_message(const char *text, const char *expected)
{
    struct slice s = slice_str(text);
    char out[256];
    size_t n = grpc_message_encode(s, out);
    assert_in_range(n, 0, 3 * s.n);
    assert_true(slice_eq(slice_make(out, n), slice_str(expected)));
}

static void test_message_encode(void **state)
{
    (void)state;
    assert_message("", "");
    assert_message(" plain ~ text ", "%20plain ~ text%20");
    assert_message(" ", "%20");
    assert_message("100%", "100%25");
    assert_message("\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n",
                   "%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A");
    assert_message("\x01\x1f\x7f\x80\xff", "%01%1F%7F%80%FF");
}

static void test_base64_encode(void **state)
{
    (void)state;
    /* RFC 4648 section 10, without the padding */
    const char *const rows[][2] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
                                   {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    char out[16];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = grpc_base64_encode((const uint8_t *)rows[i][0], strlen(rows[i][0]), out);
        assert_true(slice_eq(slice_make(out, n), slice_str(rows[i][1])));
    }
    size_t n = grpc_base64_encode((const uint8_t *)"\xfb\xff\xfe", 3, out);
    assert_true(slice_eq(slice_make(out, n), SLICE("+//+")));
}

static unsigned digit_value(char c)
{
    const char *digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    assert_non_null(at);
    return (unsigned)(at - digits);
}

static Rpc__Status *read_details(const struct headers *h)
{
    const struct header *f = headers_find(h, TOKEN_GRPC_STATUS_DETAILS_BIN);
    uint8_t bytes[4096];
    size_t n = 0;
    uint32_t window = 0;
    assert_non_null(f);
    assert_int_not_equal(f->value_n % 4, 1);
    for (uint32_t i = 0; i < f->value_n; i++) {
        window = window << 6 | digit_value(f->value[i]);
        if (i % 4 > 0)
            bytes[n++] = (uint8_t)(window >> (6 - 2 * (i % 4)));
    }
    Rpc__Status *s = rpc__status__unpack(NULL, n, bytes);
    assert_non_null(s);
    return s;
}

static void assert_value(const struct headers *h, enum token t, const char *expected)
{
    const struct header *f = headers_find(h, t);
    assert_non_null(f);
    assert_true(slice_eq(header_value(f), slice_str(expected)));
}

static void test_answer_with_everything(void **state)
{
    (void)state;
    const struct grpc_attempt_note attempts[] = {
        {"10.0.0.7:8443", STATUS_UNAVAILABLE, 12}, {"10.0.0.8:8443", STATUS_DEADLINE_EXCEEDED, 1000},
        {"[::1]:1", STATUS_CANCELLED, 0},          {"unix:/run/a", STATUS_UNKNOWN, 7},
        {"five", STATUS_INTERNAL, INT64_MAX},      {"six", STATUS_INTERNAL, 1},
    };
    const struct grpc_answer answer = {.status = STATUS_UNAVAILABLE,
                                       .reason = REASON_UPSTREAM_RESET,
                                       .message = "the last attempt broke: 100%",
                                       .retry_after_ms = 2345,
                                       .pushback = true,
                                       .attempts = attempts,
                                       .attempts_n = 6};
    struct arena arena;
    struct headers h = {0};
    arena_init(&arena, NULL, 0);
    assert_int_equal(grpc_answer_fields(&answer, &arena, &h), ERR_NONE);
    assert_int_equal(h.n, 4);
    assert_int_equal(grpc_check_block(&h, GRPC_BLOCK_TRAILERS), ERR_NONE);
    assert_value(&h, TOKEN_GRPC_STATUS, "14");
    assert_value(&h, TOKEN_GRPC_MESSAGE, "the last attempt broke: 100%25");
    assert_value(&h, TOKEN_GRPC_RETRY_PUSHBACK_MS, "2345");

    Rpc__Status *s = read_details(&h);
    assert_int_equal(s->code, 14);
    assert_string_equal(s->message, "the last attempt broke: 100%");
    assert_int_equal(s->n_details, 2);
    assert_string_equal(s->details[0]->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
    Rpc__ErrorInfo *info = rpc__error_info__unpack(NULL, s->details[0]->value.len, s->details[0]->value.data);
    assert_string_equal(info->reason, "UPSTREAM_RESET");
    assert_string_equal(info->domain, "outrigger");
    assert_int_equal(info->n_metadata, 5);
    assert_string_equal(info->metadata[0]->key, "attempt.1");
    assert_string_equal(info->metadata[0]->value, "10.0.0.7:8443 UNAVAILABLE 12ms");
    assert_string_equal(info->metadata[4]->key, "attempt.5");
    assert_string_equal(info->metadata[4]->value, "five INTERNAL 9223372036854775807ms");
    rpc__error_info__free_unpacked(info, NULL);
    assert_string_equal(s->details[1]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    Rpc__RetryInfo *retry = rpc__retry_info__unpack(NULL, s->details[1]->value.len, s->details[1]->value.data);
    assert_int_equal(retry->retry_delay->seconds, 2);
    assert_int_equal(retry->retry_delay->nanos, 345000000);
    rpc__retry_info__free_unpacked(retry, NULL);
    rpc__status__free_unpacked(s, NULL);
    arena_fini(&arena);
}

/* The bytes that other implementations write: a golden text made with Go's genproto. */
static void test_answer_bytes(void **state)
{
    (void)state;
    const struct grpc_attempt_note attempt = {"a:1", STATUS_UNAVAILABLE, 3};
    const struct grpc_answer answer = {.status = STATUS_UNAVAILABLE,
                                       .reason = REASON_BREAKER_OPEN,
                                       .message = "every endpoint is out",
                                       .retry_after_ms = 1500,
                                       .attempts = &attempt,
                                       .attempts_n = 1};
    struct arena arena;
    struct headers h = {0};
    arena_init(&arena, NULL, 0);
    assert_int_equal(grpc_answer_fields(&answer, &arena, &h), ERR_NONE);
    assert_int_equal(h.n, 3);
    assert_null(headers_find(&h, TOKEN_GRPC_RETRY_PUSHBACK_MS));
    assert_value(
        &h, TOKEN_GRPC_STATUS_DETAILS_BIN,
        "CA4SFWV2ZXJ5IGVuZHBvaW50IGlzIG91dBpnCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEjsKDEJSRUFL"
        "RVJfT1BFThIJb3V0cmlnZ2VyGiAKCWF0dGVtcHQuMRITYToxIFVOQVZBSUxBQkxFIDNtcxo2Cih0eXBlLmdvb2dsZWFwaXMuY29tL2dv"
        "b2dsZS5ycGMuUmV0cnlJbmZvEgoKCAgBEIDKte4B");
    arena_fini(&arena);
}

static void test_message_is_cut_between_characters(void **state)
{
    (void)state;
    char message[2000];
    memset(message, 'a', sizeof message);
    memcpy(message + 1022, "\xe2\x98\xba", 3); /* would end past 1,024 */
    message[1999] = '\0';
    const struct grpc_answer answer = {
        .status = STATUS_INTERNAL, .reason = REASON_NONE, .message = message, .retry_after_ms = -1};
    struct arena arena;
    struct headers h = {0};
    arena_init(&arena, NULL, 0);
    assert_int_equal(grpc_answer_fields(&answer, &arena, &h), ERR_NONE);
    assert_int_equal(headers_find(&h, TOKEN_GRPC_MESSAGE)->value_n, 1022);
    Rpc__Status *s = read_details(&h);
    assert_int_equal(strlen(s->message), 1022);
    assert_int_equal(s->n_details, 0);
    rpc__status__free_unpacked(s, NULL);
    arena_fini(&arena);
}

static void test_answer_needs_room(void **state)
{
    (void)state;
    const struct grpc_answer answer = {
        .status = STATUS_INTERNAL, .reason = REASON_OVERLOADED, .message = "m", .retry_after_ms = 0, .pushback = true};
    for (uint32_t room = 0; room <= 4; room++) {
        struct arena arena;
        struct headers h = {.n = HEADERS_FIELDS_MAX - room};
        arena_init(&arena, NULL, 0);
        assert_int_equal(grpc_answer_fields(&answer, &arena, &h), room < 4 ? ERR_NOMEM : ERR_NONE);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_pseudo_fields),
        cmocka_unit_test(test_request_regular_fields),
        cmocka_unit_test(test_response_block),
        cmocka_unit_test(test_trailers_block),
        cmocka_unit_test(test_judge_request),
        cmocka_unit_test(test_which_fields_pass),
        cmocka_unit_test(test_message_encode),
        cmocka_unit_test(test_base64_encode),
        cmocka_unit_test(test_answer_with_everything),
        cmocka_unit_test(test_answer_bytes),
        cmocka_unit_test(test_message_is_cut_between_characters),
        cmocka_unit_test(test_answer_needs_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
