/* What answers make of the set, and when the next question is due. */
#include "discovery/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 1500 };

struct fixture {
    struct dns dns;
    struct rng rng;
    ns_t now;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.now = 1000 * NS_PER_S};
    dns_init(&f.dns);
    rng_init(&f.rng, 7);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    dns_fini(&f->dns);
    return 0;
}

static struct address address_of(const char *ip)
{
    struct address a;
    char text[64];
    snprintf(text, sizeof text, strchr(ip, ':') ? "[%s]:8443" : "%s:8443", ip);
    assert_int_equal(address_parse(slice_str(text), NULL, &a), ERR_NONE);
    return a;
}

/* One answer: addresses separated by blanks, NULL for a family that has `status` instead. */
struct said {
    const char *v4, *v6;
    enum lookup_status status4, status6;
    uint32_t ttl_s;
};

static void fill(struct lookup_part *part, struct address *v, const char *list, enum lookup_status status,
                 uint32_t ttl_s)
{
    char copy[256], *save = NULL;
    *part = (struct lookup_part){.status = list ? LOOKUP_OK : status, .v = v, .ttl_s = ttl_s};
    snprintf(copy, sizeof copy, "%s", list ? list : "");
    for (char *ip = strtok_r(copy, " ", &save); ip; ip = strtok_r(NULL, " ", &save))
        v[part->n++] = address_of(ip);
}

static bool say(struct fixture *f, struct said s)
{
    struct address v4[16], v6[16];
    struct lookup_answer a;
    fill(&a.parts[LOOKUP_V4], v4, s.v4, s.status4, s.ttl_s);
    fill(&a.parts[LOOKUP_V6], v6, s.v6, s.status6, s.ttl_s);
    return dns_on_answer(&f->dns, &a, f->now, &f->rng);
}

static void assert_set(const struct fixture *f, const char *want)
{
    char got[512] = "", text[ADDRESS_TEXT_MAX];
    size_t n = 0;
    for (size_t i = 0; i < f->dns.n; i++) {
        address_format(&f->dns.v[i], text, sizeof text);
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s", i ? " " : "", (int)(strlen(text) - 5), text);
    }
    assert_string_equal(got, want);
}

static void assert_due(const struct fixture *f, ns_t from, ns_t to)
{
    assert_in_range(f->dns.due - f->now, from, to);
}

static void test_begins_empty_and_due(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->dns.n, 0);
    assert_true(f->dns.due <= f->now);
    assert_true(f->dns.good_at == NS_NEVER);
}

/* Sorted, each once, families in turns; neither order nor repetition is a change. */
static void test_canonical_set(void **state)
{
    struct fixture *f = *state;
    assert_true(say(f, (struct said){.v4 = "10.0.0.9 10.0.0.7 10.0.0.9", .v6 = "fd00::2 fd00::1", .ttl_s = 5}));
    assert_set(f, "[fd00::1] 10.0.0.7 [fd00::2] 10.0.0.9");
    assert_false(say(f, (struct said){.v4 = "10.0.0.7 10.0.0.9", .v6 = "fd00::1 fd00::2 fd00::1", .ttl_s = 5}));
    assert_true(say(f, (struct said){.v4 = "10.0.0.7 10.0.0.10", .v6 = "fd00::1 fd00::2", .ttl_s = 5}));
    assert_set(f, "[fd00::1] 10.0.0.7 [fd00::2] 10.0.0.10");
    assert_int_equal(f->dns.changes, 2);
    assert_int_equal(f->dns.updates, 3);
}

/* The wait is the TTL within its bounds, plus up to a tenth of it or half a second: a change is seen within TTL + 1 s.
 */
static void test_refresh(void **state)
{
    static const struct {
        uint32_t ttl_s;
        ns_t from, to;
    } rows[] = {
        {0, NS_PER_S, 1100 * NS_PER_MS},
        {1, NS_PER_S, 1100 * NS_PER_MS},
        {3, 3 * NS_PER_S, 3300 * NS_PER_MS},
        {30, 30 * NS_PER_S, 30500 * NS_PER_MS},
        {300, 300 * NS_PER_S, 300500 * NS_PER_MS},
        {301, 300 * NS_PER_S, 300500 * NS_PER_MS},
        {UINT32_MAX, 300 * NS_PER_S, 300500 * NS_PER_MS},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int k = 0; k < 100; k++) {
            say(f, (struct said){.v4 = "10.0.0.7", .status6 = LOOKUP_EMPTY, .ttl_s = rows[i].ttl_s});
            assert_due(f, rows[i].from, rows[i].to);
        }
}

static void test_refresh_is_spread(void **state)
{
    struct fixture *f = *state;
    ns_t low = NS_NEVER, high = 0;
    for (int k = 0; k < 200; k++) {
        say(f, (struct said){.v4 = "10.0.0.7", .status6 = LOOKUP_EMPTY, .ttl_s = 3});
        low = ns_min(low, f->dns.due - f->now);
        high = f->dns.due - f->now > high ? f->dns.due - f->now : high;
    }
    assert_true(high - low > 250 * NS_PER_MS);
}

/* The least TTL of the families that answered rules. */
static void test_least_ttl(void **state)
{
    struct fixture *f = *state;
    struct address v4 = address_of("10.0.0.7"), v6 = address_of("fd00::1");
    struct lookup_answer a = {.parts = {{LOOKUP_OK, &v4, 1, 60}, {LOOKUP_OK, &v6, 1, 7}}};
    dns_on_answer(&f->dns, &a, f->now, &f->rng);
    assert_due(f, 7 * NS_PER_S, 7500 * NS_PER_MS);
    a.parts[LOOKUP_V6] = (struct lookup_part){.status = LOOKUP_TIMEOUT};
    dns_on_answer(&f->dns, &a, f->now, &f->rng);
    assert_due(f, 60 * NS_PER_S, 60500 * NS_PER_MS);
}

static void test_failures_keep_the_last_good(void **state)
{
    struct fixture *f = *state;
    say(f, (struct said){.v4 = "10.0.0.7", .v6 = "fd00::1", .ttl_s = 5});
    for (int status = LOOKUP_OK + 1; status < LOOKUP_STATUS_COUNT; status++) {
        enum lookup_status s = (enum lookup_status)status;
        assert_false(say(f, (struct said){.status4 = s, .status6 = s}));
        assert_set(f, "[fd00::1] 10.0.0.7");
        assert_int_equal(f->dns.error, s);
        assert_int_equal(f->dns.failed[s], 1);
    }
    assert_int_equal(f->dns.failures, LOOKUP_STATUS_COUNT - 1);
    assert_true(f->dns.good_at == f->now);
    assert_false(say(f, (struct said){.v4 = "10.0.0.7", .v6 = "fd00::1", .ttl_s = 5}));
    assert_int_equal(f->dns.failures, 0);
    assert_int_equal(f->dns.error, LOOKUP_OK);
}

/* Of two bad families the one that failed is told, not the one that is empty. */
static void test_worse_news_is_told(void **state)
{
    struct fixture *f = *state;
    say(f, (struct said){.status4 = LOOKUP_NXDOMAIN, .status6 = LOOKUP_TIMEOUT});
    assert_int_equal(f->dns.error, LOOKUP_TIMEOUT);
    say(f, (struct said){.status4 = LOOKUP_SERVFAIL, .status6 = LOOKUP_EMPTY});
    assert_int_equal(f->dns.error, LOOKUP_SERVFAIL);
}

static void test_backoff(void **state)
{
    static const int first_s[] = {1, 2, 4, 5, 5, 5}, later_s[] = {1, 2, 4, 8, 16, 30, 30, 30};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof first_s / sizeof *first_s; i++) {
        dns_on_failure(&f->dns, LOOKUP_FAILED, f->now, &f->rng);
        assert_due(f, first_s[i] * NS_PER_S, first_s[i] * NS_PER_S + 500 * NS_PER_MS);
    }
    say(f, (struct said){.v4 = "10.0.0.7", .status6 = LOOKUP_EMPTY, .ttl_s = 5});
    for (size_t i = 0; i < sizeof later_s / sizeof *later_s; i++) {
        say(f, (struct said){.status4 = LOOKUP_SERVFAIL, .status6 = LOOKUP_SERVFAIL});
        assert_due(f, later_s[i] * NS_PER_S, later_s[i] * NS_PER_S + 500 * NS_PER_MS);
    }
    f->dns.failures = UINT32_MAX;
    dns_on_failure(&f->dns, LOOKUP_FAILED, f->now, &f->rng);
    assert_int_equal(f->dns.failures, UINT32_MAX);
    assert_due(f, 30 * NS_PER_S, 30500 * NS_PER_MS);
}

/* Doubt asks a second after the last good answer, never sooner, and not at all while answers fail. */
static void test_doubt(void **state)
{
    struct fixture *f = *state;
    ns_t due = f->dns.due;
    dns_on_doubt(&f->dns, f->now, &f->rng);
    assert_true(f->dns.due == due);
    say(f, (struct said){.v4 = "10.0.0.7", .status6 = LOOKUP_EMPTY, .ttl_s = 60});
    dns_on_doubt(&f->dns, f->now + 1, &f->rng);
    assert_due(f, NS_PER_S, 1100 * NS_PER_MS);
    say(f, (struct said){.v4 = "10.0.0.7", .status6 = LOOKUP_EMPTY, .ttl_s = 60});
    dns_on_doubt(&f->dns, f->now + 30 * NS_PER_S, &f->rng);
    assert_due(f, 30 * NS_PER_S, 30 * NS_PER_S);
    dns_on_doubt(&f->dns, f->now + 40 * NS_PER_S, &f->rng);
    assert_due(f, 30 * NS_PER_S, 30 * NS_PER_S);
    say(f, (struct said){.status4 = LOOKUP_SERVFAIL, .status6 = LOOKUP_SERVFAIL});
    due = f->dns.due;
    dns_on_doubt(&f->dns, f->now, &f->rng);
    assert_true(f->dns.due == due);
}

/* Beside a good family: a failed one keeps its part, an absent one is gone. */
static void test_one_family(void **state)
{
    struct fixture *f = *state;
    say(f, (struct said){.v4 = "10.0.0.7", .v6 = "fd00::1", .ttl_s = 5});
    assert_true(say(f, (struct said){.v4 = "10.0.0.8", .status6 = LOOKUP_SERVFAIL, .ttl_s = 5}));
    assert_set(f, "[fd00::1] 10.0.0.8");
    assert_int_equal(f->dns.error, LOOKUP_SERVFAIL);
    assert_int_equal(f->dns.failures, 0);
    assert_true(say(f, (struct said){.v4 = "10.0.0.8", .status6 = LOOKUP_EMPTY, .ttl_s = 5}));
    assert_set(f, "10.0.0.8");
    assert_int_equal(f->dns.error, LOOKUP_OK);
    assert_true(say(f, (struct said){.status4 = LOOKUP_NXDOMAIN, .v6 = "fd00::3", .ttl_s = 5}));
    assert_set(f, "[fd00::3]");
    assert_false(say(f, (struct said){.status4 = LOOKUP_TIMEOUT, .v6 = "fd00::3", .ttl_s = 5}));
    assert_set(f, "[fd00::3]");
}

static void test_bound(void **state)
{
    struct fixture *f = *state;
    struct address *v = calloc(MANY, sizeof *v);
    for (size_t i = 0; i < MANY; i++)
        v[i] = (struct address){.kind = ADDRESS_IPV4, .port = 8443, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
    struct lookup_answer a = {
        .parts = {[LOOKUP_V4] = {LOOKUP_OK, v, DNS_ADDRESSES_MAX, 5}, [LOOKUP_V6] = {.status = LOOKUP_EMPTY}}};
    assert_true(dns_on_answer(&f->dns, &a, f->now, &f->rng));
    assert_int_equal(f->dns.n, DNS_ADDRESSES_MAX);
    assert_false(f->dns.cut);
    a.parts[LOOKUP_V4].n = DNS_ADDRESSES_MAX + 1;
    assert_false(dns_on_answer(&f->dns, &a, f->now, &f->rng));
    assert_int_equal(f->dns.n, DNS_ADDRESSES_MAX);
    assert_true(f->dns.cut);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begins_empty_and_due, setup, teardown),
        cmocka_unit_test_setup_teardown(test_canonical_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refresh_is_spread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_least_ttl, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_keep_the_last_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worse_news_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_family, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
