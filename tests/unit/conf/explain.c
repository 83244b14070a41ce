/* What an explanation says of a call: rows, routes passed over, deadlines, and that it holds what the data path would
 * do. */
#include "conf/explain.h"
#include "conf/load.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char text[] = "version: 1\n"
                           "outbound:\n"
                           "  - listen: 127.0.0.1:1\n"
                           "    routes:\n"
                           "      - { authority: pay*, methods: [a.B/*], metadata: { k: v }, service: s }\n"
                           "      - { methods: [a.B/C], split: { s: 1, t: 3 } }\n"
                           "  - { listen: \"unix:o\", routes: [ { authority: localhost, service: t } ] }\n"
                           "inbound: [ { listen: \"127.0.0.1:2\", tls: off, forward: \"127.0.0.1:3\" } ]\n"
                           "services:\n"
                           "  s: { endpoints: { static: [\"10.0.0.1:1\", \"10.0.0.2:1\"] }, tls: off, policy: p }\n"
                           "  t: { endpoints: { static: [\"10.0.0.3:1\"] }, tls: off }\n"
                           "policies:\n"
                           "  p: { methods: { a.B/C: { timeout: 2s } } }\n";

struct fixture {
    struct snapshot *snapshot;
    struct explanation e;
};

static void explain_text(struct fixture *f, const struct explain_query *q, const char *config)
{
    struct problems p;
    problems_init(&p);
    f->snapshot = load_text("f.yaml", slice_str(config), NULL, &p);
    problems_fini(&p);
    assert_non_null(f->snapshot);
    explain_call(&f->e, f->snapshot, q);
}

static void explain(struct fixture *f, const struct explain_query *q)
{
    explain_text(f, q, text);
}

static void fini(struct fixture *f)
{
    explanation_fini(&f->e);
    snapshot_unref(f->snapshot);
}

static const struct explain_row *row(const struct explain_target *t, const char *key)
{
    for (size_t i = 0; i < t->rows_n; i++)
        if (strcmp(t->rows[i].key, key) == 0)
            return &t->rows[i];
    fail_msg("there is no row %s", key);
    return NULL;
}

static void assert_row(const struct explain_target *t, const char *key, const char *value, const char *from)
{
    assert_string_equal(row(t, key)->value, value);
    assert_string_equal(row(t, key)->from, from);
}

static void test_split_and_misses(void **state)
{
    struct fixture f;
    struct explain_query q = {.path = "/a.B/C", .authority = "payment:1", .timeout_ns = NS_NEVER};
    (void)state;
    explain(&f, &q);
    const struct explain_listener *l = &f.e.listeners[0];
    assert_int_equal(f.e.listeners_n, 2);
    assert_ptr_equal(l->route, &f.snapshot->listeners[1].routes[1]);
    assert_int_equal(l->misses_n, 1);
    assert_string_equal(l->misses[0].route, "f.yaml:5");
    assert_string_equal(l->misses[0].why, "the metadata it asks for is not there");
    assert_int_equal(l->targets_n, 2);
    assert_string_equal(row(&l->targets[1], "service")->why, "3 of 4 calls");
    assert_row(&l->targets[0], "timeout", "2s", "f.yaml:13");
    assert_row(&l->targets[0], "endpoints", "10.0.0.1:1 10.0.0.2:1", "f.yaml:10");
    assert_row(&l->targets[1], "timeout", "off", "default");
    assert_row(&l->targets[1], "policy", "built-in", "default");
    assert_null(f.e.listeners[1].route);
    assert_string_equal(f.e.listeners[1].misses[0].why, "authority payment:1 is not among its authorities");
    fini(&f);
}

/* A name is not "the only endpoint". */
static void test_dns(void **state)
{
    struct fixture f;
    struct explain_query q = {.path = "/a.B/C", .timeout_ns = NS_NEVER};
    (void)state;
    explain_text(&f, &q,
                 "version: 1\n"
                 "outbound: [ { listen: \"127.0.0.1:1\", routes: [ { service: s } ] } ]\n"
                 "services: { s: { endpoints: { dns: \"payment.shop:1\" }, tls: off } }\n");
    const struct explain_target *t = &f.e.listeners[0].targets[0];
    assert_row(t, "endpoints", "payment.shop:1", "f.yaml:3");
    assert_string_equal(row(t, "endpoints")->why, "looked up in DNS, A and AAAA, and again when the TTL is over");
    assert_string_equal(t->plan[0], "attempt 1: at once, any of the endpoints that DNS tells by least_request");
    fini(&f);
}

static void test_metadata_and_method(void **state)
{
    struct fixture f;
    struct explain_query q = {.path = "/a.B/X",
                              .authority = "payment",
                              .timeout_ns = NS_NEVER,
                              .metadata = {{SLICE("k"), SLICE("v")}},
                              .metadata_n = 1};
    (void)state;
    explain(&f, &q);
    assert_int_equal(f.e.listeners[0].targets_n, 1);
    assert_string_equal(f.e.listeners[0].targets[0].service->name, "s");
    fini(&f);
    q.path = "/x.Y/Z";
    explain(&f, &q);
    assert_null(f.e.listeners[0].route);
    assert_int_equal(f.e.listeners[0].misses_n, 2);
    assert_string_equal(f.e.listeners[0].misses[1].why, "the method is not among its methods");
    fini(&f);
}

/* Without an authority, the listener's own address is what clients send; on a unix socket, localhost. */
static void test_default_authority(void **state)
{
    struct fixture f;
    struct explain_query q = {.path = "/x.Y/Z", .timeout_ns = NS_NEVER};
    (void)state;
    explain(&f, &q);
    assert_null(f.e.listeners[0].route);
    assert_string_equal(f.e.listeners[0].misses[0].why, "authority 127.0.0.1:1 is not among its authorities");
    assert_non_null(f.e.listeners[1].route);
    fini(&f);
}

static void test_deadline(void **state)
{
    static const struct {
        const char *path;
        ns_t caller;
        const char *deadline, *from;
    } rows[] = {{"/a.B/C", NS_NEVER, "2s", "f.yaml:13"},
                {"/a.B/C", NS_PER_S, "1s", "caller"},
                {"/a.B/C", 3 * NS_PER_S, "2s", "f.yaml:13"},
                {"/a.B/D", NS_NEVER, "none", ""},
                {"/a.B/D", 3 * NS_PER_S, "3s", "caller"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct explain_query q = {.path = rows[i].path,
                                  .authority = "pay",
                                  .timeout_ns = rows[i].caller,
                                  .metadata = {{SLICE("k"), SLICE("v")}},
                                  .metadata_n = 1};
        explain(&f, &q);
        assert_row(&f.e.listeners[0].targets[0], "deadline", rows[i].deadline, rows[i].from);
        fini(&f);
    }
}

static void test_tls_and_what_is_off(void **state)
{
    static const char secure[] =
        "version: 1\n"
        "identity: { certificate: a, private_key: b, trust: c }\n"
        "inbound: [ { listen: \"127.0.0.1:2\", forward: \"127.0.0.1:3\" } ]\n"
        "outbound: [ { listen: \"127.0.0.1:1\", routes: [ { split: { s: 1, t: 1 } } ] } ]\n"
        "services:\n"
        "  s: { endpoints: { static: [\"10.0.0.1:1\"] }, peer: { identity: \"spiffe://a/b\" }, policy: p }\n"
        "  t: { endpoints: { static: [\"10.0.0.3:1\"] }, tls: server, peer: { dns: t.shop }, authority: service }\n"
        "policies: { p: { idle_timeout: off } }\n";
    struct fixture f;
    struct explain_query q = {.path = "/a.B/C", .identity = "spiffe://x/y", .timeout_ns = NS_NEVER};
    (void)state;
    explain_text(&f, &q, secure);
    const struct explain_target *s = &f.e.listeners[0].targets[0], *t = &f.e.listeners[0].targets[1];
    assert_row(s, "tls", "mutual", "default");
    assert_row(s, "peer.identity", "spiffe://a/b", "f.yaml:6");
    assert_row(s, "idle_timeout", "off", "f.yaml:8");
    assert_row(t, "tls", "server", "f.yaml:7");
    assert_row(t, "peer.dns", "t.shop", "f.yaml:7");
    assert_row(t, "authority", "t.shop", "f.yaml:7");
    assert_row(t, "idle_timeout", "5m", "default");
    assert_string_equal(s->plan[0], "attempt 1: at once, the only endpoint by least_request");
    fini(&f);
    q.inbound = true;
    explain_text(&f, &q, secure);
    assert_string_equal(f.e.listeners[0].rows[1].value, "mutual");
    assert_string_equal(f.e.listeners[0].rows[2].value, "spiffe://x/y");
    assert_non_null(strstr(f.e.listeners[0].rows[2].why, "let in"));
    fini(&f);
}

static void test_inbound(void **state)
{
    struct fixture f;
    struct explain_query q = {.inbound = true, .path = "/a.B/C", .timeout_ns = NS_NEVER};
    (void)state;
    explain(&f, &q);
    assert_int_equal(f.e.listeners_n, 1);
    assert_string_equal(f.e.listeners[0].targets[0].service->name, "inbound/127.0.0.1:2");
    assert_row(&f.e.listeners[0].targets[0], "endpoints", "127.0.0.1:3", "f.yaml:8");
    assert_true(f.e.listeners[0].targets[0].plan_n >= 3);
    fini(&f);
}

static const char guarded[] = "version: 1\n"
                              "identity: { certificate: a, private_key: b, trust: c }\n"
                              "inbound:\n"
                              "  - listen: 127.0.0.1:1\n"
                              "    forward: 127.0.0.1:9\n"
                              "    allow:\n"
                              "      - { identity: \"spiffe://t/ns/*/sa/x\", methods: [a.B/C, a.W/*] }\n"
                              "      - { identity: \"spiffe://t/y\", source: 10.0.0.0/8 }\n"
                              "      - { methods: h.H/Check }\n"
                              "  - listen: 127.0.0.1:2\n"
                              "    forward: 127.0.0.1:9\n"
                              "    forward_client_cert: strip\n"
                              "    allow: { mode: audit, rules: [ { identity: \"spiffe://t/y\" } ] }\n"
                              "  - { listen: \"127.0.0.1:3\", forward: \"127.0.0.1:9\" }\n";

static const struct explain_row *listener_row(const struct explain_listener *l, const char *key)
{
    for (size_t i = 0; i < l->rows_n; i++)
        if (strcmp(l->rows[i].key, key) == 0)
            return &l->rows[i];
    fail_msg("there is no row %s", key);
    return NULL;
}

/* What allow says, and which line says it. */
static void test_allow(void **state)
{
    (void)state;
    static const struct {
        const char *identity, *path, *value, *from, *why;
        size_t listener;
    } rows[] = {
        {"spiffe://t/ns/a/sa/x", "/a.B/C", "passes", "f.yaml:7", "", 0},
        {"spiffe://t/ns/a/sa/x", "/a.W/Z", "passes", "f.yaml:7", "", 0},
        {"spiffe://t/ns/a/sa/x", "/h.H/Check", "passes", "f.yaml:9", "", 0},
        {"spiffe://t/ns/a/sa/x", "/a.B/D", "denied", "f.yaml:7",
         "no rule; answered PERMISSION_DENIED, reason NOT_ALLOWED", 0},
        {"spiffe://t/y", "/a.B/D", "passes", "f.yaml:8", "from the networks of its source alone", 0},
        {NULL, "/h.H/Check", "passes", "f.yaml:9", "", 0},
        {NULL, "/a.B/C", "depends", "f.yaml:7", "tell --identity", 0},
        {"spiffe://t/y", "/a.B/D", "passes", "f.yaml:13", "", 1},
        {"spiffe://t/z", "/a.B/D", "would be denied", "f.yaml:13", "no rule; it passes", 1},
        {"spiffe://t/z", "/a.B/D", "passes", "default", "every verified peer", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct explain_query q = {
            .inbound = true, .path = rows[i].path, .identity = rows[i].identity, .timeout_ns = NS_NEVER};
        explain_text(&f, &q, guarded);
        const struct explain_row *r = listener_row(&f.e.listeners[rows[i].listener], "allow");
        assert_string_equal(r->value, rows[i].value);
        assert_string_equal(r->from, rows[i].from);
        assert_non_null(strstr(r->why, rows[i].why));
        r = listener_row(&f.e.listeners[rows[i].listener], "forward_client_cert");
        assert_string_equal(r->value, rows[i].listener == 1 ? "strip" : "set");
        assert_string_equal(r->from, rows[i].listener == 1 ? "f.yaml:12" : "default");
        fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_split_and_misses),
                                       cmocka_unit_test(test_dns),
                                       cmocka_unit_test(test_metadata_and_method),
                                       cmocka_unit_test(test_default_authority),
                                       cmocka_unit_test(test_deadline),
                                       cmocka_unit_test(test_tls_and_what_is_off),
                                       cmocka_unit_test(test_inbound),
                                       cmocka_unit_test(test_allow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
