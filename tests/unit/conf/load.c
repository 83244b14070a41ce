/* What a configuration becomes: every part of the snapshot, defaults, merging, places, paths. */
#include "conf/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *no_variable(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static const struct load_env env = {.variables = {no_variable, NULL}, .cores = 4};

/* The snapshot of a text that has no error. */
static struct snapshot *load(const char *file, const char *text)
{
    struct problems p;
    problems_init(&p);
    struct snapshot *s = load_text(file, slice_str(text), &env, &p);
    if (!s)
        problems_print(&p, stdout);
    problems_fini(&p);
    assert_non_null(s);
    return s;
}

static void assert_slice(struct slice s, const char *text)
{
    if (!slice_eq(s, slice_str(text)))
        fail_msg("%.*s is not %s", (int)s.n, s.p, text);
}

static void assert_place(struct place place, uint32_t line)
{
    assert_int_equal(place.line, line);
    if (line)
        assert_string_equal(place.file, "conf/f.yaml");
}

static void assert_address(const struct address *a, const char *text)
{
    char printed[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(a, printed, sizeof printed), text);
}

static const char full[] =
    "version: 1\n"
    "workers: 4\n"
    "node: { service: order, namespace: shop, zone: eu }\n"
    "admin: { listen: \"0.0.0.0:9901\", public: true }\n"
    "identity: { certificate: tls/tls.crt, private_key: /abs/tls.key, trust: ca.crt, revoked: crl.pem }\n"
    "outbound:\n"
    "  - { listen: \"unix:run/out\", routes: [ { service: payment } ] }\n"
    "  - listen: 127.0.0.1:15001\n"
    "    routes:\n"
    "      - { authority: [Payment*, LEDGER.shop:443], methods: [a.B/C, a.B/*], metadata: { X-Canary: 1 }, service: "
    "ledger }\n"
    "      - { authority: \"*\", methods: \"*\", split: { payment: 9, ledger: 1 } }\n"
    "inbound:\n"
    "  - { listen: \"[::1]:8443\", tls: server, forward: \"localhost:50051\", policy: guard }\n"
    "  - { listen: \"0.0.0.0:8444\", forward: \"unix:/run/s\" }\n"
    "services:\n"
    "  payment:\n"
    "    endpoints: { static: [\"10.0.0.7:8443\", \"[fd00::8]:8443\", \"unix:p\"] }\n"
    "    tls: mutual\n"
    "    peer: { identity: \"spiffe://shop/payment\" }\n"
    "    balance: round_robin\n"
    "    policy: guard\n"
    "  ledger: { endpoints: { static: [\"10.0.0.9:1\"] }, tls: server, peer: { dns: ledger.shop }, authority: service "
    "}\n"
    "policies:\n"
    "  guard: { limits: { max_requests: 200, pending_timeout: 250ms } }\n";

static void test_process(void **state)
{
    struct snapshot *s = load("conf/f.yaml", full);
    (void)state;
    assert_string_equal(s->file, "conf/f.yaml");
    assert_int_equal(s->refs, 1);
    assert_int_equal(s->generation, 0);
    assert_int_equal(s->workers, 4);
    assert_string_equal(s->node.service, "order");
    assert_string_equal(s->node.name_space, "shop");
    assert_string_equal(s->node.zone, "eu");
    assert_true(s->admin.present && s->admin.is_public);
    assert_address(&s->admin.address, "0.0.0.0:9901");
    assert_place(s->admin.place, 4);
    assert_true(s->identity.present && !s->identity.trust_system);
    assert_string_equal(s->identity.certificate, "conf/tls/tls.crt");
    assert_string_equal(s->identity.private_key, "/abs/tls.key");
    assert_string_equal(s->identity.trust, "conf/ca.crt");
    assert_string_equal(s->identity.revoked, "conf/crl.pem");
    assert_place(s->identity.trust_place, 5);
    snapshot_unref(s);
}

static void test_listeners(void **state)
{
    struct snapshot *s = load("conf/f.yaml", full);
    const struct listener_conf *l = s->listeners;
    (void)state;
    assert_int_equal(s->listeners_n, 4);
    assert_true(l[0].inbound && l[1].inbound && !l[2].inbound && !l[3].inbound);
    assert_address(&l[0].address, "[::1]:8443");
    assert_string_equal(l[0].text, "[::1]:8443");
    assert_int_equal(l[0].tls, TLS_MODE_SERVER);
    assert_place(l[0].tls_place, 13);
    assert_int_equal(l[1].tls, TLS_MODE_MUTUAL);
    assert_place(l[1].tls_place, 0);
    assert_place(l[1].place, 14);
    assert_address(&l[2].address, "unix:conf/run/out");
    assert_string_equal(l[2].text, "unix:run/out");
    assert_int_equal(l[2].tls, TLS_MODE_OFF);
    const struct service_conf *behind = l[0].routes[0].targets[0].service;
    assert_int_equal(l[0].routes_n, 1);
    assert_string_equal(behind->name, "inbound/[::1]:8443");
    assert_true(behind->inbound && behind->tls == TLS_MODE_OFF);
    assert_int_equal(behind->endpoints_n, 1);
    assert_address(&behind->endpoints[0], "localhost:50051");
    assert_int_equal(behind->endpoints[0].kind, ADDRESS_NAME);
    assert_string_equal(behind->policy->name, "guard");
    assert_string_equal(l[1].routes[0].targets[0].service->policy->name, "");
    snapshot_unref(s);
}

static void test_routes(void **state)
{
    struct snapshot *s = load("conf/f.yaml", full);
    const struct route *r = s->listeners[3].routes;
    (void)state;
    assert_int_equal(s->listeners[3].routes_n, 2);
    assert_place(r[0].place, 10);
    assert_int_equal(r[0].authorities_n, 2);
    assert_slice(r[0].authorities[0].text, "payment");
    assert_true(r[0].authorities[0].prefix && !r[0].authorities[1].prefix);
    assert_slice(r[0].authorities[1].text, "ledger.shop");
    assert_int_equal(r[0].methods_n, 2);
    assert_slice(r[0].methods[0].service, "a.B");
    assert_slice(r[0].methods[0].method, "C");
    assert_slice(r[0].methods[1].service, "a.B");
    assert_int_equal(r[0].methods[1].method.n, 0);
    assert_int_equal(r[0].metadata_n, 1);
    assert_slice(r[0].metadata[0].name, "x-canary");
    assert_slice(r[0].metadata[0].value, "1");
    assert_int_equal(r[0].targets_n, 1);
    assert_int_equal(r[0].weight_sum, 1);
    assert_true(r[1].authorities[0].prefix && r[1].authorities[0].text.n == 0);
    assert_true(r[1].methods[0].any);
    assert_int_equal(r[1].weight_sum, 10);
    assert_string_equal(r[1].targets[0].service->name, "payment");
    assert_int_equal(r[1].targets[0].weight, 9);
    assert_ptr_equal(r[1].targets[1].service, r[0].targets[0].service);
    snapshot_unref(s);
}

static void test_services(void **state)
{
    struct snapshot *s = load("conf/f.yaml", full);
    const struct service_conf *payment = s->services[0], *ledger = s->services[1];
    (void)state;
    assert_int_equal(s->services_n, 4);
    for (uint32_t i = 0; i < s->services_n; i++)
        assert_int_equal(s->services[i]->index, i);
    assert_string_equal(payment->name, "payment");
    assert_place(payment->place, 16);
    assert_place(payment->endpoints_place, 17);
    assert_int_equal(payment->endpoints_n, 3);
    assert_address(&payment->endpoints[1], "[fd00::8]:8443");
    assert_address(&payment->endpoints[2], "unix:conf/p");
    assert_int_equal(payment->tls, TLS_MODE_MUTUAL);
    assert_string_equal(payment->peer_identity, "spiffe://shop/payment");
    assert_null(payment->peer_dns);
    assert_place(payment->peer_place, 19);
    assert_int_equal(payment->authority, AUTHORITY_KEEP);
    assert_int_equal(payment->balance, BALANCE_ROUND_ROBIN);
    assert_place(payment->balance_place, 20);
    assert_place(payment->policy_place, 21);
    assert_int_equal(ledger->tls, TLS_MODE_SERVER);
    assert_string_equal(ledger->peer_dns, "ledger.shop");
    assert_int_equal(ledger->authority, AUTHORITY_SERVICE);
    assert_string_equal(ledger->authority_name, "ledger.shop");
    assert_int_equal(ledger->balance, BALANCE_LEAST_REQUEST);
    assert_place(ledger->balance_place, 0);
    assert_string_equal(s->services[2]->name, "inbound/[::1]:8443");
    snapshot_unref(s);
}

/* The name stands in the place of the addresses; what is checked of a peer is the name without the dot at its end. */
static void test_dns(void **state)
{
    struct snapshot *s =
        load("conf/f.yaml",
             "version: 1\n"
             "identity: { certificate: c, private_key: k, trust: t }\n"
             "outbound: [ { listen: \"127.0.0.1:1\", routes: [ { authority: a, service: a }, { service: b } ] } ]\n"
             "services:\n"
             "  a: { endpoints: { dns: \"payment.shop.:8443\" }, authority: service }\n"
             "  b: { endpoints: { dns: \"b:1\" }, tls: mutual, peer: { identity: \"spiffe://a/b\" } }\n");
    const struct service_conf *a = s->services[0], *b = s->services[1];
    (void)state;
    assert_int_equal(a->source, ENDPOINTS_DNS);
    assert_int_equal(a->endpoints_n, 1);
    assert_int_equal(a->endpoints[0].kind, ADDRESS_NAME);
    assert_address(&a->endpoints[0], "payment.shop.:8443");
    assert_place(a->endpoints_place, 5);
    assert_string_equal(a->peer_dns, "payment.shop");
    assert_string_equal(a->authority_name, "payment.shop");
    assert_place(a->peer_place, 5);
    assert_null(b->peer_dns);
    assert_string_equal(b->peer_identity, "spiffe://a/b");
    snapshot_unref(s);
}

static void test_limits(void **state)
{
    struct snapshot *s = load("conf/f.yaml", full);
    const struct limits_policy *guard = &s->policies[0]->limits, *built_in = &s->policies[1]->limits;
    (void)state;
    assert_int_equal(s->policies_n, 2);
    assert_int_equal(guard->max_requests, 200);
    assert_place(guard->max_requests_place, 24);
    assert_int_equal(guard->pending_timeout_ns, 250 * NS_PER_MS);
    assert_int_equal(guard->max_pending, 1024);
    assert_place(guard->max_pending_place, 0);
    assert_string_equal(s->policies[1]->name, "");
    assert_place(s->policies[1]->place, 0);
    assert_int_equal(built_in->max_requests, 1024);
    assert_int_equal(built_in->max_pending, 1024);
    assert_int_equal(built_in->pending_timeout_ns, NS_PER_S);
    assert_int_equal(built_in->max_connections_per_endpoint, 4);
    assert_int_equal(s->policies[1]->base.timeout_ns, 0);
    assert_int_equal(s->policies[1]->base.idle_timeout_ns, 300 * NS_PER_S);
    snapshot_unref(s);
}

#define WITH_POLICY(text)                                                                                              \
    "version: 1\ninbound: [ { listen: \"127.0.0.1:80\", tls: off, forward: \"127.0.0.1:81\", policy: p } ]\n"          \
    "policies:\n  p:\n" text

static void test_merging(void **state)
{
    struct snapshot *s = load("conf/f.yaml", WITH_POLICY("    timeout: 9s\n"
                                                         "    idle_timeout: 1m\n"
                                                         "    methods:\n"
                                                         "      a.B/Exact: { timeout: 1s }\n"
                                                         "      a.B/*: { timeout: 5s, idle_timeout: 2m }\n"
                                                         "      a.B/Off: { timeout: off }\n"
                                                         "      c.D/Alone: { idle_timeout: off }\n"));
    static const struct {
        const char *path;
        ns_t timeout_ns;
        uint32_t timeout_line;
        ns_t idle_ns;
        uint32_t idle_line;
    } rows[] = {{"/a.B/Exact", NS_PER_S, 8, 120 * NS_PER_S, 9},
                {"/a.B/Other", 5 * NS_PER_S, 9, 120 * NS_PER_S, 9},
                {"/a.B/Off", 0, 10, 120 * NS_PER_S, 9},
                {"/c.D/Alone", 9 * NS_PER_S, 5, 0, 11},
                {"/c.D/Other", 9 * NS_PER_S, 5, 60 * NS_PER_S, 6},
                {"/nonsense", 9 * NS_PER_S, 5, 60 * NS_PER_S, 6}};
    const struct policy *p = s->policies[0];
    (void)state;
    assert_int_equal(p->methods_n, 4);
    assert_place(p->methods[0].place, 8);
    for (size_t i = 0; i < p->methods_n; i++)
        assert_int_equal(p->methods[i].method.n == 0, i == 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct method_policy *m = policy_find(p, slice_str(rows[i].path));
        assert_int_equal(m->timeout_ns, rows[i].timeout_ns);
        assert_place(m->timeout_place, rows[i].timeout_line);
        assert_int_equal(m->idle_timeout_ns, rows[i].idle_ns);
        assert_place(m->idle_timeout_place, rows[i].idle_line);
    }
    snapshot_unref(s);
}

static void test_names_of_authority(void **state)
{
    struct snapshot *s = load(
        "f.yaml", "version: 1\n"
                  "identity: { trust: system }\n"
                  "outbound: [ { listen: \"127.0.0.1:80\", routes: [ { split: { a: 1, b: 1, c: 1 } } ] } ]\n"
                  "services:\n"
                  "  a: { endpoints: { static: [\"unix:a\"] }, tls: off, authority: a.shop:443, balance: pick_first }\n"
                  "  b: { endpoints: { static: [\"10.0.0.1:1\"] }, tls: false, authority: keep, balance: random }\n"
                  "  c: { endpoints: { static: [\"10.0.0.1:1\"] }, tls: server, peer: { dns: c } }\n");
    (void)state;
    assert_int_equal(s->services[0]->authority, AUTHORITY_NAME);
    assert_string_equal(s->services[0]->authority_name, "a.shop:443");
    assert_int_equal(s->services[0]->balance, BALANCE_PICK_FIRST);
    assert_address(&s->services[0]->endpoints[0], "unix:a");
    assert_int_equal(s->services[1]->authority, AUTHORITY_KEEP);
    assert_int_equal(s->services[1]->tls, TLS_MODE_OFF);
    assert_int_equal(s->services[1]->balance, BALANCE_RANDOM);
    assert_true(s->identity.trust_system);
    assert_null(s->identity.trust);
    assert_int_equal(s->workers, 1);
    assert_false(s->admin.present);
    assert_string_equal(s->node.service, "");
    snapshot_unref(s);
}

/* The bound of a socket's path holds behind the folder of the file. */
static void test_unix_paths_at_the_bound(void **state)
{
    char text[600], path[ADDRESS_PATH_MAX + 1];
    (void)state;
    for (size_t n = ADDRESS_PATH_MAX; n <= ADDRESS_PATH_MAX + 1; n++) {
        struct problems p;
        memset(path, 'a', sizeof path);
        snprintf(text, sizeof text,
                 "version: 1\ninbound: [ { listen: \"unix:%.*s\", tls: off, forward: \"127.0.0.1:1\" } ]\n",
                 (int)(n - strlen("conf/")), path);
        problems_init(&p);
        struct snapshot *s = load_text("conf/f.yaml", slice_str(text), &env, &p);
        assert_int_equal(s != NULL, n == ADDRESS_PATH_MAX);
        assert_int_equal(p.errors, n != ADDRESS_PATH_MAX);
        snapshot_unref(s);
        problems_fini(&p);
    }
}

/* A file as big as may be: many services, policies, routes, all found by name. */
static void test_big_file(void **state)
{
    char *text = malloc(YAML_BYTES_MAX);
    FILE *out = fmemopen(text, YAML_BYTES_MAX, "w");
    size_t n = 0;
    (void)state;
    fprintf(out, "version: 1\nservices:\n");
    for (; ftell(out) < YAML_BYTES_MAX / 2; n++)
        fprintf(out, "  s%zu: { endpoints: { static: [\"10.0.0.1:%zu\"] }, tls: off, policy: p%zu }\n", n,
                1 + n % 65535, n);
    fprintf(out, "outbound:\n  - listen: 127.0.0.1:1\n    routes:\n");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "      - { methods: a.B/M%zu, service: s%zu }\n", i, n - 1 - i);
    fprintf(out, "policies:\n");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  p%zu: {}\n", i);
    assert_true(ftell(out) < YAML_BYTES_MAX);
    fclose(out);
    struct snapshot *s = load("f.yaml", text);
    assert_int_equal(s->listeners[0].routes_n, n);
    assert_ptr_equal(s->listeners[0].routes[0].targets[0].service, s->services[n - 1]);
    assert_ptr_equal(s->services[n - 1]->policy, s->policies[n - 1]);
    snapshot_unref(s);
    free(text);
}

static void test_files(void **state)
{
    char path[] = "/tmp/outrigger-load-XXXXXX";
    struct problems p;
    (void)state;
    problems_init(&p);
    assert_null(load_file("/nonexistent/f.yaml", &p));
    assert_int_equal(p.errors, 1);
    assert_string_equal(p.v[0].text, "cannot be read: No such file or directory");
    problems_fini(&p);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, full, sizeof full - 1) == sizeof full - 1);
    close(fd);
    problems_init(&p);
    struct snapshot *s = load_file(path, &p);
    unlink(path);
    /* workers: 4 is more than some machines have */
    assert_true(s || (p.errors == 1 && strcmp(p.v[0].path, "workers") == 0));
    snapshot_unref(s);
    problems_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_process),
                                       cmocka_unit_test(test_listeners),
                                       cmocka_unit_test(test_routes),
                                       cmocka_unit_test(test_services),
                                       cmocka_unit_test(test_dns),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_merging),
                                       cmocka_unit_test(test_names_of_authority),
                                       cmocka_unit_test(test_unix_paths_at_the_bound),
                                       cmocka_unit_test(test_big_file),
                                       cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
