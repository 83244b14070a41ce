/* Log lines: one JSON object a line, whatever bytes the fields hold, and escaping at the end of the room. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        const char *out;
    } rows[] = {
        {{"", 0}, ""},
        {{"plain /:{}", 10}, "plain /:{}"},
        {{"a\"b\\c", 5}, "a\\\"b\\\\c"},
        {{"\n\t\0\x1f\x7f", 5}, "\\u000a\\u0009\\u0000\\u001f\\u007f"},
        {{"h\xc3\xa9", 3}, "h\xc3\xa9"},
        {{"\xe2\x82\xac\xf0\x9f\x98\x80", 7}, "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {{"\xc3", 1}, "\\u00c3"},
        {{"\xc3(", 2}, "\\u00c3("},
        {{"\xe2\x82", 2}, "\\u00e2\\u0082"},
        {{"\xc0\x80\xff", 3}, "\\u00c0\\u0080\\u00ff"},
        {{"\xe0\x9f\xbf", 3}, "\\u00e0\\u009f\\u00bf"},
        {{"\xed\xa0\x80", 3}, "\\u00ed\\u00a0\\u0080"},
        {{"\xf0\x8f\xbf\xbf", 4}, "\\u00f0\\u008f\\u00bf\\u00bf"},
        {{"\xf4\x90\x80\x80", 4}, "\\u00f4\\u0090\\u0080\\u0080"},
        {{"\xee\x80\x80\xf4\x8f\xbf\xbf", 7}, "\xee\x80\x80\xf4\x8f\xbf\xbf"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[128];
        assert_int_equal(log_escape(out, sizeof out, rows[i].in), strlen(rows[i].out));
        assert_string_equal(out, rows[i].out);
    }
}

/* At any size the text is terminated, inside the room, and cut between characters. */
static void test_escape_is_cut_inside_the_room(void **state)
{
    (void)state;
    struct slice in = SLICE("a\"\n\xe2\x82\xac\xff"
                            "0123456789");
    for (size_t size = 1; size < 64; size++) {
        char out[80];
        memset(out, '#', sizeof out);
        size_t n = log_escape(out, size, in);
        assert_true(n < size);
        assert_int_equal(out[n], '\0');
        assert_int_equal(out[size], '#');
        assert_true(n == 0 || out[n - 1] != '\\' || (n > 1 && out[n - 2] == '\\'));
    }
}

static size_t capture(char *out, size_t size, void (*write_lines)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_to(ends[1]);
    write_lines();
    log_to(2);
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(ends[0], out + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    close(ends[0]);
    out[n] = '\0';
    return n;
}

static void write_two(void)
{
    log_line(LOG_INFO, "ready", LOG_TEXT("listen", "127.0.0.1:80"), LOG_NUMBER("workers", -1));
    log_line(LOG_ERROR, "bad");
}

static void test_lines(void **state)
{
    (void)state;
    char text[1024];
    capture(text, sizeof text, write_two);
    unsigned year, month, day, hour, minute, second, milli;
    assert_int_equal(
        sscanf(text, "{\"ts\":\"%4u-%2u-%2uT%2u:%2u:%2u.%3uZ\",", &year, &month, &day, &hour, &minute, &second, &milli),
        7);
    assert_true(year >= 2024 && month <= 12 && day <= 31 && hour < 24 && minute < 60 && second < 61 && milli < 1000);
    const char *rest = strstr(text, ",\"level\"");
    static const char first[] =
        ",\"level\":\"info\",\"event\":\"ready\",\"listen\":\"127.0.0.1:80\",\"workers\":-1}\n{\"ts\":\"";
    assert_non_null(rest);
    assert_memory_equal(rest, first, sizeof first - 1);
    const char *second_line = strstr(rest + 1, ",\"level\"");
    assert_non_null(second_line);
    assert_string_equal(second_line, ",\"level\":\"error\",\"event\":\"bad\"}\n");
}

static void write_long(void)
{
    static char big[3000];
    memset(big, '\n', sizeof big - 1);
    log_line(LOG_WARN, "long", LOG_TEXT("a", big), LOG_TEXT("b", big), LOG_TEXT("c", big), LOG_TEXT("d", big),
             LOG_TEXT("e", big));
}

/* What does not fit is left out field by field; the line stays whole. */
static void test_long_line_stays_an_object(void **state)
{
    (void)state;
    static char text[16384];
    size_t n = capture(text, sizeof text, write_long);
    assert_true(n <= 4096);
    assert_string_equal(text + n - 3, "\"}\n");
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    assert_non_null(strstr(text, "\"c\":\""));
    assert_null(strstr(text, "\"e\":\""));
}

static void test_discard(void **state)
{
    (void)state;
    log_to(-1);
    log_line(LOG_INFO, "nobody");
    log_to(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),  cmocka_unit_test(test_escape_is_cut_inside_the_room),
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_long_line_stays_an_object),
        cmocka_unit_test(test_discard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
