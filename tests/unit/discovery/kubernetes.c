/* The Kubernetes machine: what it asks for after each answer, when, and what set it makes of slices. */
#include "discovery/kubernetes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct kubernetes k;
    struct rng rng;
    ns_t now;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kubernetes_init(&f->k, &(struct slice_query){.port = "grpc", .zone = "here"});
    rng_init(&f->rng, 7);
    f->now = 1000 * NS_PER_S;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kubernetes_fini(&f->k);
    free(f);
    return 0;
}

#define SLICE_OF(name, version, type, endpoints)                                                                       \
    "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"},\"addressType\":\"" type                \
    "\",\"endpoints\":[" endpoints "],\"ports\":[{\"name\":\"grpc\",\"port\":8443,\"protocol\":\"TCP\"}]}"
#define LIST(more, items)   "{\"metadata\":{\"resourceVersion\":\"40\"" more "},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"
#define AT(ip)              "{\"addresses\":[\"" ip "\"]}"

static bool page(struct fixture *f, const char *body)
{
    kubernetes_on_asked(&f->k, f->now);
    return kubernetes_on_page(&f->k, slice_str(body), f->now, &f->rng);
}

static enum kubernetes_event line(struct fixture *f, const char *text)
{
    return kubernetes_on_line(&f->k, slice_str(text), f->now, &f->rng);
}

/* The set as "ip/priority ip/priority". */
static void assert_set(struct fixture *f, const char *expected)
{
    size_t n;
    char text[1000] = "", address[ADDRESS_TEXT_MAX];
    struct member *v = kubernetes_members(&f->k, &n);
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(text);
        assert_int_equal(v[i].rank.weight, 1);
        (void)snprintf(text + at, sizeof text - at, "%s%s/%u", i ? " " : "",
                       address_format(&v[i].address, address, sizeof address), v[i].rank.priority);
    }
    free(v);
    assert_string_equal(text, expected);
}

static void assert_next(struct fixture *f, enum kubernetes_want want, ns_t from, ns_t to)
{
    assert_int_equal(f->k.want, want);
    assert_in_range(f->k.due - f->now, from, to);
}

static void test_pages_then_watch(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->k.want, KUBERNETES_LIST);
    assert_false(page(f, LIST(",\"continue\":\"more\"", SLICE_OF("a", "1", "IPv4", AT("10.0.0.2")))));
    assert_next(f, KUBERNETES_LIST, 0, 0);
    assert_string_equal(f->k.next, "more");
    assert_set(f, ""); /* half a list is no list */
    assert_true(page(f, LIST("", SLICE_OF("b", "2", "IPv4", AT("10.0.0.1")))));
    assert_next(f, KUBERNETES_WATCH, 0, 0);
    assert_string_equal(f->k.version, "40");
    assert_set(f, "10.0.0.1:8443/0 10.0.0.2:8443/0");
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    assert_true(page(f, LIST("", SLICE_OF("a", "1", "IPv4", AT("10.0.0.1")))));
    kubernetes_on_asked(&f->k, f->now);
    assert_int_equal(line(f, EVENT("ADDED", SLICE_OF("b", "41", "IPv4", AT("10.0.0.2")))), KUBERNETES_CHANGED);
    assert_int_equal(line(f, EVENT("MODIFIED", SLICE_OF("a", "42", "IPv4", AT("10.0.0.3")))), KUBERNETES_CHANGED);
    assert_set(f, "10.0.0.2:8443/0 10.0.0.3:8443/0");
    assert_int_equal(line(f, EVENT("DELETED", SLICE_OF("b", "43", "IPv4", ""))), KUBERNETES_CHANGED);
    assert_int_equal(line(f, EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"44\"}}")), KUBERNETES_SAME);
    assert_string_equal(f->k.version, "44");
    assert_set(f, "10.0.0.3:8443/0");
    kubernetes_on_watch_end(&f->k, f->now, &f->rng);
    assert_next(f, KUBERNETES_WATCH, 0, KUBERNETES_AGAIN_NS);
    assert_int_equal(f->k.failures, 0);
}

static void test_wrong_answers_change_nothing(void **state)
{
    static const char *const pages[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "{\"items\":[]}",
                                        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":5}",
                                        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{}]}",
                                        "{\"metadata\":{\"resourceVersion\":5},\"items\":[]}"};
    static const char *const lines[] = {"x",
                                        "{}",
                                        "[]",
                                        EVENT("ADDED", "{}"),
                                        EVENT("STRANGE", SLICE_OF("a", "9", "IPv4", "")),
                                        EVENT("ADDED", "{\"metadata\":{\"name\":\"b\"}}"),
                                        EVENT("BOOKMARK", "{}")};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        assert_true(page(f, LIST("", SLICE_OF("a", "1", "IPv4", AT("10.0.0.1")))));
        f->k.want = KUBERNETES_LIST;
        assert_false(page(f, pages[i]));
        assert_int_equal(f->k.error, LOOKUP_MALFORMED);
        assert_set(f, "10.0.0.1:8443/0");
    }
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_true(page(f, LIST("", SLICE_OF("a", "1", "IPv4", AT("10.0.0.1")))));
        assert_int_equal(line(f, lines[i]), KUBERNETES_BROKEN);
        assert_next(f, KUBERNETES_LIST, KUBERNETES_BACKOFF_MIN_NS, 2 * KUBERNETES_BACKOFF_MIN_NS);
        assert_set(f, "10.0.0.1:8443/0");
    }
}

static void test_backoff(void **state)
{
    struct fixture *f = *state;
    ns_t wait = KUBERNETES_BACKOFF_MIN_NS;
    for (int i = 0; i < 9; i++) {
        kubernetes_on_failed(&f->k, LOOKUP_FAILED, f->now, &f->rng);
        assert_next(f, KUBERNETES_LIST, ns_min(wait, KUBERNETES_BACKOFF_MAX_NS),
                    ns_min(2 * wait, KUBERNETES_BACKOFF_MAX_NS));
        wait *= 2;
    }
    f->k.failures = UINT32_MAX;
    kubernetes_on_failed(&f->k, LOOKUP_FAILED, f->now, &f->rng);
    assert_int_equal(f->k.failures, UINT32_MAX);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    assert_true(page(f, LIST("", "")));
    kubernetes_on_refused(&f->k, 410, 0, f->now, &f->rng);
    assert_next(f, KUBERNETES_LIST, 0, KUBERNETES_AGAIN_NS);
    kubernetes_on_refused(&f->k, 410, 0, f->now, &f->rng); /* again: no hurry */
    assert_next(f, KUBERNETES_LIST, KUBERNETES_BACKOFF_MIN_NS, KUBERNETES_BACKOFF_MAX_NS);
    assert_true(page(f, LIST("", "")));
    kubernetes_on_refused(&f->k, 429, 7 * NS_PER_S, f->now, &f->rng);
    assert_next(f, KUBERNETES_WATCH, 7 * NS_PER_S, 8 * NS_PER_S);
    assert_int_equal(f->k.error, LOOKUP_REFUSED);
    kubernetes_on_refused(&f->k, 503, 3600 * NS_PER_S, f->now, &f->rng);
    assert_next(f, KUBERNETES_WATCH, KUBERNETES_RETRY_AFTER_NS, KUBERNETES_RETRY_AFTER_NS + NS_PER_S);
    assert_int_equal(f->k.error, LOOKUP_SERVFAIL);
    kubernetes_on_refused(&f->k, 404, 0, f->now, &f->rng);
    assert_int_equal(f->k.error, LOOKUP_NXDOMAIN);
}

/* Who reads the log learns which verb the role lacks. */
static void test_forbidden(void **state)
{
    struct fixture *f = *state;
    char why[200];
    kubernetes_refusal(&f->k, 403, "shop", why, sizeof why);
    assert_string_equal(why,
                        "the API server answered 403: may not list endpointslices.discovery.k8s.io in namespace shop");
    assert_true(page(f, LIST("", "")));
    kubernetes_refusal(&f->k, 403, "shop", why, sizeof why);
    assert_string_equal(why,
                        "the API server answered 403: may not watch endpointslices.discovery.k8s.io in namespace shop");
    kubernetes_refusal(&f->k, 401, "shop", why, sizeof why);
    assert_string_equal(why, "the API server answered 401: it does not take the token");
    kubernetes_refusal(&f->k, 429, "shop", why, sizeof why);
    assert_string_equal(why, "the API server answered 429");
    kubernetes_on_refused(&f->k, 403, 0, f->now, &f->rng);
    assert_int_equal(f->k.error, LOOKUP_FORBIDDEN);
    kubernetes_on_refused(&f->k, 401, 0, f->now, &f->rng);
    assert_int_equal(f->k.error, LOOKUP_FORBIDDEN);
    assert_next(f, KUBERNETES_WATCH, KUBERNETES_BACKOFF_MIN_NS, KUBERNETES_BACKOFF_MAX_NS);
}

static void test_watch_gone_and_short(void **state)
{
    struct fixture *f = *state;
    assert_true(page(f, LIST("", SLICE_OF("a", "1", "IPv4", AT("10.0.0.1")))));
    assert_int_equal(line(f, EVENT("ERROR", "{\"code\":410}")), KUBERNETES_BROKEN);
    assert_next(f, KUBERNETES_LIST, 0, KUBERNETES_AGAIN_NS);
    assert_true(page(f, LIST("", SLICE_OF("a", "1", "IPv4", AT("10.0.0.1")))));
    kubernetes_on_asked(&f->k, f->now);
    f->now += KUBERNETES_WORKED_NS - 1;
    kubernetes_on_watch_end(&f->k, f->now, &f->rng);
    assert_next(f, KUBERNETES_WATCH, KUBERNETES_BACKOFF_MIN_NS, KUBERNETES_BACKOFF_MAX_NS);
    kubernetes_on_asked(&f->k, f->now);
    f->now += KUBERNETES_WORKED_NS;
    kubernetes_on_watch_end(&f->k, f->now, &f->rng);
    assert_next(f, KUBERNETES_WATCH, 0, KUBERNETES_AGAIN_NS);
    assert_set(f, "10.0.0.1:8443/0");
}

static void test_too_big(void **state)
{
    struct fixture *f = *state;
    kubernetes_on_too_big(&f->k, f->now, &f->rng);
    assert_int_equal(f->k.page, KUBERNETES_PAGE / 4);
    for (int i = 0; i < 5; i++)
        kubernetes_on_too_big(&f->k, f->now, &f->rng);
    assert_int_equal(f->k.page, 1);
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    char text[400];
    assert_true(page(f, LIST("", "")));
    for (int i = 0; i <= KUBERNETES_SLICES_MAX; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"s%d\",\"resourceVersion\":\"%d\"}}}",
                       i, 100 + i);
        assert_false(f->k.cut);
        assert_int_equal(line(f, text), KUBERNETES_CHANGED);
    }
    assert_true(f->k.cut);
    assert_int_equal(f->k.slices.n, KUBERNETES_SLICES_MAX);
}

#define READY(ip, more) "{\"addresses\":[\"" ip "\"],\"conditions\":{\"ready\":true}" more "}"
#define ENDING(ip)      "{\"addresses\":[\"" ip "\"],\"conditions\":{\"ready\":false,\"serving\":true,\"terminating\":true}}"
#define POD(name)       ",\"targetRef\":{\"uid\":\"" name "\"}"
#define ZONE(name)      ",\"hints\":{\"forZones\":[{\"name\":\"" name "\"}]}"

static void test_sets(void **state)
{
    static const struct {
        const char *items, *expected;
    } rows[] = {
        {"{\"metadata\":{\"name\":\"n\"},\"addressType\":\"IPv4\",\"endpoints\":null,\"ports\":null}", ""},
        {"{\"metadata\":{\"name\":\"n\"},\"addressType\":\"IPv4\",\"endpoints\":[" AT("10.0.0.1") "],\"ports\":null}",
         ""},
        {SLICE_OF("a", "1", "FQDN", AT("a.b")), ""},
        {SLICE_OF("a", "1", "IPv4", AT("::1") "," AT("10.0.0.256") "," AT("10.0.0.1:5") ",{\"addresses\":null}"), ""},
        {SLICE_OF("a", "1", "IPv4", AT("10.0.0.1")) "," SLICE_OF("b", "1", "IPv4", AT("10.0.0.1")), "10.0.0.1:8443/0"},
        {SLICE_OF("a", "1", "IPv4", ENDING("10.0.0.1") "," READY("10.0.0.2", "")), "10.0.0.2:8443/0"},
        {SLICE_OF("a", "1", "IPv4", ENDING("10.0.0.1")), "10.0.0.1:8443/0"},
        {SLICE_OF("a", "1", "IPv4", ENDING("10.0.0.1")) "," SLICE_OF("b", "1", "IPv4", READY("10.0.0.1", "")),
         "10.0.0.1:8443/0"},
        {SLICE_OF("a", "1", "IPv4", READY("10.0.0.1", POD("p"))) "," SLICE_OF("b", "1", "IPv6", READY("::1", POD("p"))),
         "10.0.0.1:8443/0"},
        {SLICE_OF("b", "1", "IPv6", READY("::1", POD("p"))), "[::1]:8443/0"},
        {SLICE_OF("a", "1", "IPv4", READY("10.0.0.1", ZONE("here")) "," READY("10.0.0.2", ZONE("there"))),
         "10.0.0.1:8443/0 10.0.0.2:8443/1"},
        {SLICE_OF("a", "1", "IPv4", READY("10.0.0.1", ZONE("here")) "," READY("10.0.0.2", "")),
         "10.0.0.1:8443/0 10.0.0.2:8443/0"},
        {SLICE_OF("a", "1", "IPv4", READY("10.0.0.1", ZONE("there"))), "10.0.0.1:8443/0"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[4000];
        (void)snprintf(body, sizeof body, "{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":[%s]}", rows[i].items);
        assert_true(page(f, body));
        assert_set(f, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages_then_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_answers_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forbidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_gone_and_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_big, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
