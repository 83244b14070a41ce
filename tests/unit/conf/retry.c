/* Retries and their budget: values, defaults, and whom they reach. Nothing is paid twice: what is written for more than
 * one method reaches only those known to be idempotent. */
#include "conf/load.h"
#include "core/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Its folder has shop.binpb; the working directory is that of the sources. */
static const char file[] = "tests/check/f.yaml";

#define HEAD                                                                                                           \
    "version: 1\n"                                                                                                     \
    "inbound: [ { listen: \"127.0.0.1:80\", tls: off, forward: \"127.0.0.1:81\", policy: p } ]\n"                      \
    "policies:\n"                                                                                                      \
    "  p:\n"

struct fixture {
    struct problems problems;
    struct snapshot *s;
    const struct policy *p;
};

static void load(struct fixture *f, const char *text)
{
    static const struct load_env env = {.cores = 1};
    problems_init(&f->problems);
    f->s = load_text(file, slice_str(text), &env, &f->problems);
    if (!f->s)
        problems_print(&f->problems, stdout);
    assert_non_null(f->s);
    f->p = f->s->policies[0];
}

static void fini(struct fixture *f)
{
    snapshot_unref(f->s);
    problems_fini(&f->problems);
}

static const struct method_policy *find(const struct fixture *f, const char *path)
{
    return policy_find(f->p, slice_str(path));
}

static void test_values(void **state)
{
    struct fixture f;
    (void)state;
    load(&f, HEAD "    methods:\n"
                  "      a.B/C:\n"
                  "        retry:\n"
                  "          max_attempts: 4\n"
                  "          on: [ 14, ABORTED, resource_exhausted ]\n"
                  "          backoff: { initial: 10ms, max: 1s, multiplier: 1.5 }\n"
                  "          per_try_timeout: 500ms\n"
                  "          buffer: 64KiB\n"
                  "          hold_headers: off\n");
    const struct method_policy *m = find(&f, "/a.B/C");
    const struct retry_policy *r = m->retry;
    assert_non_null(r);
    assert_int_equal(r->max_attempts, 4);
    assert_int_equal(r->on, STATUS_BIT(STATUS_UNAVAILABLE) | STATUS_BIT(STATUS_ABORTED) |
                                STATUS_BIT(STATUS_RESOURCE_EXHAUSTED));
    assert_int_equal(r->backoff_initial_ns, 10 * NS_PER_MS);
    assert_int_equal(r->backoff_max_ns, NS_PER_S);
    assert_true(r->backoff_multiplier == 1.5);
    assert_int_equal(r->per_try_timeout_ns, 500 * NS_PER_MS);
    assert_int_equal(r->buffer_bytes, 64 << 10);
    assert_false(r->hold_headers);
    assert_int_equal(m->retry_place.line, 7);
    assert_int_equal(r->place.line, 7);
    assert_int_equal(r->max_attempts_place.line, 8);
    assert_int_equal(r->on_place.line, 9);
    assert_int_equal(r->backoff_place.line, 10);
    assert_int_equal(r->per_try_timeout_place.line, 11);
    assert_int_equal(r->buffer_place.line, 12);
    assert_int_equal(r->hold_headers_place.line, 13);
    assert_null(find(&f, "/a.B/D")->retry);
    assert_null(f.p->base.retry);
    fini(&f);
}

static void test_defaults(void **state)
{
    struct fixture f;
    (void)state;
    load(&f, HEAD "    methods: { a.B/C: { retry: { max_attempts: 2, on: UNAVAILABLE, backoff: {} } } }\n");
    const struct retry_policy *r = find(&f, "/a.B/C")->retry;
    assert_int_equal(r->on, STATUS_BIT(STATUS_UNAVAILABLE));
    assert_int_equal(r->backoff_initial_ns, 25 * NS_PER_MS);
    assert_int_equal(r->backoff_max_ns, 250 * NS_PER_MS);
    assert_true(r->backoff_multiplier == 2);
    assert_int_equal(r->per_try_timeout_ns, 0);
    assert_int_equal(r->buffer_bytes, 256 << 10);
    assert_true(r->hold_headers);
    assert_int_equal(r->per_try_timeout_place.line, 0);
    assert_int_equal(r->buffer_place.line, 0);
    fini(&f);
}

static void test_budget(void **state)
{
    static const struct {
        const char *text;
        bool present;
        uint32_t max_milli, ratio_milli, line;
    } rows[] = {{"{}", true, 10000, 100, 0},
                {"{ retry_budget: {} }", true, 10000, 100, 4},
                {"{ retry_budget: { max_tokens: 100, token_ratio: 0.2 } }", true, 100000, 200, 4},
                {"{ retry_budget: { max_tokens: 1000, token_ratio: 1000 } }", true, 1000000, 1000000, 4},
                {"{ retry_budget: { max_tokens: 1, token_ratio: 0.001 } }", true, 1000, 1, 4},
                {"{ retry_budget: off }", false, 10000, 100, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        struct fixture f;
        snprintf(text, sizeof text, "%s", HEAD);
        snprintf(text + strlen(text) - 1, sizeof text - strlen(text) + 1, " %s\n", rows[i].text);
        load(&f, text);
        assert_int_equal(f.p->budget.present, rows[i].present);
        assert_int_equal(f.p->budget.max_milli, rows[i].max_milli);
        assert_int_equal(f.p->budget.ratio_milli, rows[i].ratio_milli);
        assert_int_equal(f.p->budget.place.line, rows[i].line);
        assert_true(f.s->policies[1]->budget.present); /* the built-in one */
        fini(&f);
    }
}

/* What is expected of one method. */
struct reach {
    const char *path;
    uint32_t attempts; /* of the retry that holds; 0: none */
    bool withheld;
    uint32_t line; /* where the retry is written, held or withheld or off */
};

static void assert_reach(const struct fixture *f, const struct reach *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct method_policy *m = find(f, rows[i].path);
        uint32_t attempts = m->retry ? m->retry->max_attempts : 0;
        if (attempts != rows[i].attempts || m->retry_withheld != rows[i].withheld ||
            m->retry_place.line != rows[i].line)
            fail_msg("%s: %u attempts, %s, line %u", rows[i].path, attempts,
                     m->retry_withheld ? "withheld" : "not withheld", m->retry_place.line);
    }
}

#define N(rows) (sizeof(rows) / sizeof *(rows))

/* Without descriptors only what is listed is known. */
static void test_whom_a_wide_retry_reaches(void **state)
{
    static const struct reach rows[] = {
        {"/a.B/Listed", 2, false, 6},  {"/a.B/Unlisted", 0, true, 6}, {"/c.D/Any", 3, false, 11},
        {"/c.D/Other", 3, false, 11},  {"/a.B/Own", 4, false, 8},     {"/a.B/Off", 0, false, 9},
        {"/e.F/Any", 0, true, 12},     {"/e.F/Listed", 5, false, 12}, {"/c.D/Off", 0, false, 10},
        {"/x.Y/Z", 0, true, 6},        {"/c.DD/Any", 0, true, 6},     {"nonsense", 0, true, 6},
        {"/g.H/Listed", 0, false, 13}, {"/g.H/Own", 2, false, 14},    {"/g.H/Any", 0, false, 13},
    };
    struct fixture f;
    (void)state;
    load(&f, HEAD "    idempotent: [ a.B/Listed, \"c.D/*\", e.F/Listed, g.H/Listed ]\n"
                  "    retry: { max_attempts: 2, on: [UNAVAILABLE] }\n"
                  "    methods:\n"
                  "      a.B/Own: { retry: { max_attempts: 4, on: [UNAVAILABLE] } }\n"
                  "      a.B/Off: { retry: off }\n"
                  "      c.D/Off: { retry: off }\n"
                  "      c.D/*: { retry: { max_attempts: 3, on: [UNAVAILABLE] } }\n"
                  "      e.F/*: { retry: { max_attempts: 5, on: [UNAVAILABLE] } }\n"
                  "      g.H/*: { retry: off }\n"
                  "      g.H/Own: { retry: { max_attempts: 2, on: [UNAVAILABLE] } }\n");
    assert_reach(&f, rows, N(rows));
    assert_int_equal(f.problems.n, 0);
    assert_true(find(&f, "/a.B/Listed")->idempotent);
    assert_int_equal(find(&f, "/a.B/Listed")->idempotent_place.line, 5);
    assert_null(find(&f, "/a.B/Listed")->idempotent_why);
    assert_true(find(&f, "/c.D/Any")->idempotent && find(&f, "/c.D/Off")->idempotent);
    assert_false(find(&f, "/a.B/Own")->idempotent);
    fini(&f);
}

static void test_what_descriptors_tell(void **state)
{
    static const struct reach rows[] = {{"/shop.v1.Shop/Get", 2, false, 7},
                                        {"/shop.v1.Shop/Put", 2, false, 7},
                                        {"/shop.v1.Shop/Pay", 0, true, 7},
                                        {"/shop.v1.Shop/Watch", 2, false, 7},
                                        {"/shop.v1.Shop/Upload", 0, true, 7},
                                        {"/shop.v1.Shop/Talk", 0, true, 7},
                                        {"/shop.v1.Other/Plain", 2, false, 7},
                                        {"/shop.v1.Shop/Unknown", 0, true, 7},
                                        {"/x.Y/Z", 0, true, 7}};
    static const struct {
        const char *path;
        enum method_kind kind;
        ns_t timeout_ns;
        bool withheld;
        const char *why;
        uint32_t idempotent_line;
    } kinds[] = {{"/shop.v1.Shop/Get", METHOD_UNARY, NS_PER_S, false, "NO_SIDE_EFFECTS", 5},
                 {"/shop.v1.Shop/Put", METHOD_UNARY, NS_PER_S, false, "IDEMPOTENT", 5},
                 {"/shop.v1.Shop/Pay", METHOD_UNARY, NS_PER_S, false, NULL, 0},
                 {"/shop.v1.Shop/Watch", METHOD_STREAMS, 0, true, "NO_SIDE_EFFECTS", 5},
                 {"/shop.v1.Shop/Upload", METHOD_STREAMS, 0, true, NULL, 0},
                 {"/shop.v1.Shop/Talk", METHOD_STREAMS, 9 * NS_PER_S, false, NULL, 0},
                 {"/shop.v1.Other/Plain", METHOD_UNARY, NS_PER_S, false, NULL, 8},
                 {"/shop.v1.Shop/Unknown", METHOD_KIND_UNKNOWN, NS_PER_S, false, NULL, 0}};
    struct fixture f;
    (void)state;
    load(&f, HEAD "    descriptors: shop.binpb\n"
                  "    timeout: 1s\n"
                  "    retry: { max_attempts: 2, on: [UNAVAILABLE] }\n"
                  "    idempotent: shop.v1.Other/Plain\n"
                  "    methods: { shop.v1.Shop/Talk: { timeout: 9s } }\n");
    assert_reach(&f, rows, N(rows));
    for (size_t i = 0; i < N(kinds); i++) {
        const struct method_policy *m = find(&f, kinds[i].path);
        assert_int_equal(m->kind, kinds[i].kind);
        assert_int_equal(m->kind_place.line, m->kind == METHOD_KIND_UNKNOWN ? 0 : 5);
        assert_int_equal(m->timeout_ns, kinds[i].timeout_ns);
        assert_int_equal(m->timeout_withheld, kinds[i].withheld);
        assert_int_equal(m->timeout_place.line, i == 5 ? 9 : 6);
        assert_int_equal(m->idempotent_place.line, kinds[i].idempotent_line);
        assert_int_equal(m->idempotent, kinds[i].idempotent_line != 0);
        assert_true(kinds[i].why ? m->idempotent_why && strcmp(m->idempotent_why, kinds[i].why) == 0
                                 : !m->idempotent_why);
    }
    assert_int_equal(f.p->methods_n, 7);
    assert_int_equal(f.problems.n, 0); /* neither that streams are ended nor that a retry reaches nobody */
    fini(&f);
}

/* A timeout for pkg.Service/ with a star is written for those methods: it holds for streams too. */
static void test_timeout_of_a_service_holds_for_streams(void **state)
{
    struct fixture f;
    (void)state;
    load(&f, HEAD "    descriptors: shop.binpb\n"
                  "    timeout: 1s\n"
                  "    methods: { shop.v1.Shop/*: { timeout: 5s }, shop.v1.Shop/Watch: { timeout: off } }\n");
    assert_int_equal(find(&f, "/shop.v1.Shop/Talk")->timeout_ns, 5 * NS_PER_S);
    assert_int_equal(find(&f, "/shop.v1.Shop/Watch")->timeout_ns, 0);
    assert_false(find(&f, "/shop.v1.Shop/Watch")->timeout_withheld);
    assert_int_equal(find(&f, "/shop.v1.Other/Plain")->timeout_ns, NS_PER_S);
    fini(&f);
}

/* Read once, whoever names them; each file once in the list. */
static void test_files_of_a_snapshot(void **state)
{
    static const char text[] = "version: 1\n"
                               "inbound:\n"
                               "  - { listen: \"127.0.0.1:80\", tls: off, forward: \"127.0.0.1:81\", policy: a }\n"
                               "  - { listen: \"127.0.0.1:82\", tls: off, forward: \"127.0.0.1:81\", policy: b }\n"
                               "  - { listen: \"127.0.0.1:83\", tls: off, forward: \"127.0.0.1:81\", policy: c }\n"
                               "policies: { a: { descriptors: shop.binpb }, b: { descriptors: payment.binpb }, c: { "
                               "descriptors: shop.binpb } }\n";
    struct fixture f;
    (void)state;
    load(&f, text);
    assert_int_equal(f.s->files_n, 2);
    assert_string_equal(f.s->files[0], "tests/check/shop.binpb");
    assert_string_equal(f.s->files[1], "tests/check/payment.binpb");
    fini(&f);
    load(&f, HEAD "    {}\n");
    assert_int_equal(f.s->files_n, 0);
    fini(&f);
}

/* Nothing is learnt of files that are not read, they are watched all the same, and no warning follows from it. */
static void test_skipped_files(void **state)
{
    static const struct load_env env = {.cores = 1, .skip_files = true};
    struct problems problems;
    (void)state;
    problems_init(&problems);
    struct snapshot *s = load_text(file,
                                   SLICE(HEAD "    descriptors: none.binpb\n"
                                              "    timeout: 1s\n"
                                              "    retry: { max_attempts: 2, on: [UNAVAILABLE] }\n"),
                                   &env, &problems);
    assert_non_null(s);
    assert_int_equal(problems.n, 0);
    assert_int_equal(s->files_n, 1);
    assert_string_equal(s->files[0], "tests/check/none.binpb");
    assert_int_equal(s->policies[0]->methods_n, 0);
    snapshot_unref(s);
    problems_fini(&problems);
}

/* The same name in all three places is one entry, and the section says where it stands. */
static void test_one_entry_a_name(void **state)
{
    struct fixture f;
    (void)state;
    load(&f, HEAD "    descriptors: shop.binpb\n"
                  "    idempotent: [ shop.v1.Shop/Pay, shop.v1.Shop/Pay, \"shop.v1.Other/*\" ]\n"
                  "    methods: { shop.v1.Shop/Pay: { timeout: 2s } }\n");
    assert_int_equal(f.p->methods_n, 8);
    const struct policy_method *m = policy_find_entry(f.p, SLICE("/shop.v1.Shop/Pay"));
    assert_int_equal(m->place.line, 7);
    assert_true(m->effective.idempotent && m->effective.timeout_ns == 2 * NS_PER_S);
    assert_int_equal(policy_find_entry(f.p, SLICE("/shop.v1.Other/New"))->place.line, 6);
    assert_true(find(&f, "/shop.v1.Other/New")->idempotent);
    for (size_t i = 1; i < f.p->methods_n; i++)
        assert_true(policy_compare(f.p->methods[i - 1].service, f.p->methods[i - 1].method, &f.p->methods[i]) < 0);
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_budget),
                                       cmocka_unit_test(test_whom_a_wide_retry_reaches),
                                       cmocka_unit_test(test_what_descriptors_tell),
                                       cmocka_unit_test(test_timeout_of_a_service_holds_for_streams),
                                       cmocka_unit_test(test_files_of_a_snapshot),
                                       cmocka_unit_test(test_skipped_files),
                                       cmocka_unit_test(test_one_entry_a_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
