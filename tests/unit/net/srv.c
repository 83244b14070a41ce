/* Replies with SRV records, made by hand as RFC 1035 section 4.1 and RFC 2782 describe them. */
#include "net/srv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { REPLY_MAX = 65536, TYPE_A = 1, TYPE_CNAME = 5, TYPE_SRV = 33 };

static uint8_t reply[REPLY_MAX];
static size_t reply_n;
static struct srv_record found[SRV_RECORDS_MAX];
static size_t found_n;
static uint32_t ttl;

static void put16(unsigned v)
{
    reply[reply_n++] = (uint8_t)(v >> 8);
    reply[reply_n++] = (uint8_t)v;
}

/* "a.b" as labels, with the root behind. */
static void put_name(const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        reply[reply_n++] = (uint8_t)n;
        memcpy(reply + reply_n, name, n);
        reply_n += n;
        name += n + (name[n] == '.');
    }
    reply[reply_n++] = 0;
}

static void begin(unsigned questions, unsigned answers)
{
    reply_n = 0;
    put16(1), put16(0x8180), put16(questions), put16(answers), put16(0), put16(0);
    for (unsigned i = 0; i < questions; i++) {
        put_name("_grpc._tcp.a");
        put16(TYPE_SRV), put16(1);
    }
}

/* A record with everything but its data; returns where its length stands. */
static size_t put_record(unsigned type, unsigned seconds)
{
    put_name("_grpc._tcp.a");
    put16(type), put16(1), put16(seconds >> 16), put16(seconds), put16(0);
    return reply_n - 2;
}

static void close_record(size_t at)
{
    size_t n = reply_n - at - 2;
    reply[at] = (uint8_t)(n >> 8);
    reply[at + 1] = (uint8_t)n;
}

static void put_srv(unsigned priority, unsigned weight, unsigned port, const char *host, unsigned seconds)
{
    size_t at = put_record(TYPE_SRV, seconds);
    put16(priority), put16(weight), put16(port);
    put_name(host);
    close_record(at);
}

/* From memory of just that size, so that a sanitizer sees a read past the end. */
static bool parse(size_t n)
{
    uint8_t *exact = malloc(n + 1);
    assert_non_null(exact);
    memcpy(exact + 1, reply, n);
    bool good = srv_parse(slice_make(exact + 1, n), found, &found_n, &ttl);
    free(exact);
    return good;
}

static void records_come_in_order_and_each_once(void **state)
{
    (void)state;
    begin(1, 5);
    put_srv(2, 1, 80, "c.a", 60);
    put_srv(1, 7, 81, "b.a", 30);
    put_srv(1, 7, 80, "b.a", 60);
    put_srv(2, 1, 80, "c.a", 60);
    put_srv(1, 3, 80, "a.a", 60);
    assert_true(parse(reply_n));
    assert_int_equal(found_n, 4);
    assert_string_equal(found[0].host, "a.a.");
    assert_string_equal(found[1].host, "b.a.");
    assert_int_equal(found[1].port, 80);
    assert_int_equal(found[2].port, 81);
    assert_int_equal(found[2].weight, 7);
    assert_string_equal(found[3].host, "c.a.");
    assert_int_equal(found[3].priority, 2);
    assert_int_equal(ttl, 30);
}

static void the_least_priority_counts_of_one_that_is_there_twice(void **state)
{
    (void)state;
    begin(1, 3);
    put_srv(3, 1, 80, "a.a", 60);
    put_srv(2, 1, 80, "b.a", 60);
    put_srv(1, 1, 80, "a.a", 60);
    assert_true(parse(reply_n));
    assert_int_equal(found_n, 2);
    assert_string_equal(found[0].host, "a.a.");
    assert_int_equal(found[0].priority, 1);
    assert_string_equal(found[1].host, "b.a.");
}

static void an_alias_shortens_the_time_and_other_records_do_not(void **state)
{
    (void)state;
    begin(1, 3);
    size_t at = put_record(TYPE_CNAME, 20);
    put_name("x.a");
    close_record(at);
    at = put_record(TYPE_A, 5);
    put16(0x7f00), put16(1);
    close_record(at);
    put_srv(1, 1, 80, "a.a", 60);
    assert_true(parse(reply_n));
    assert_int_equal(found_n, 1);
    assert_int_equal(ttl, 20);
}

static void no_service_and_no_port_are_left_out(void **state)
{
    (void)state;
    begin(1, 3);
    put_srv(1, 1, 80, "", 60);
    put_srv(1, 1, 0, "a.a", 60);
    put_srv(1, 1, 1, "a.a", 60);
    assert_true(parse(reply_n));
    assert_int_equal(found_n, 1);
    assert_int_equal(found[0].port, 1);
}

static void no_answer_is_an_empty_set(void **state)
{
    (void)state;
    begin(1, 0);
    assert_true(parse(reply_n));
    assert_int_equal(found_n, 0);
    assert_int_equal(ttl, UINT32_MAX);
}

static void as_many_are_kept_as_there_is_room_for(void **state)
{
    (void)state;
    for (unsigned n = SRV_RECORDS_MAX - 1; n <= SRV_RECORDS_MAX + 1; n++) {
        begin(1, n);
        for (unsigned i = 0; i < n; i++)
            put_srv(1, 1, i + 1, "a", 60);
        assert_true(parse(reply_n));
        assert_int_equal(found_n, n < SRV_RECORDS_MAX ? n : SRV_RECORDS_MAX);
    }
}

static void a_reply_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    begin(1, 2);
    put_srv(1, 1, 80, "a.a", 60);
    put_srv(1, 1, 81, "a.a", 60);
    for (size_t n = 0; n < reply_n; n++)
        assert_false(parse(n));
    assert_true(parse(reply_n));
}

static void more_answers_or_questions_than_there_are_is_refused(void **state)
{
    (void)state;
    begin(1, 2);
    put_srv(1, 1, 80, "a.a", 60);
    assert_false(parse(reply_n));
    begin(0, 0);
    reply[5] = 1;
    assert_false(parse(reply_n));
}

static void a_record_without_a_host_is_refused(void **state)
{
    (void)state;
    begin(1, 1);
    size_t at = put_record(TYPE_SRV, 60);
    put16(1), put16(1), put16(80);
    close_record(at);
    assert_false(parse(reply_n));
}

static void a_name_that_points_at_itself_is_refused(void **state)
{
    (void)state;
    begin(1, 1);
    size_t at = put_record(TYPE_SRV, 60);
    put16(1), put16(1), put16(80);
    put16((unsigned)(0xc000 | reply_n));
    close_record(at);
    assert_false(parse(reply_n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_in_order_and_each_once),
        cmocka_unit_test(the_least_priority_counts_of_one_that_is_there_twice),
        cmocka_unit_test(an_alias_shortens_the_time_and_other_records_do_not),
        cmocka_unit_test(no_service_and_no_port_are_left_out),
        cmocka_unit_test(no_answer_is_an_empty_set),
        cmocka_unit_test(as_many_are_kept_as_there_is_room_for),
        cmocka_unit_test(a_reply_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(more_answers_or_questions_than_there_are_is_refused),
        cmocka_unit_test(a_record_without_a_host_is_refused),
        cmocka_unit_test(a_name_that_points_at_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
