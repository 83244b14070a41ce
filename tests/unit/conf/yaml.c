/* The tree of a YAML text: kinds, places, variables, bounds, and that no input breaks the reader. */
#include "conf/yaml.h"
#include "conf/load.h"
#include "conf/memory.h"
#include "conf/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *variable(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "A") == 0 ? "one" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static const struct yaml_env env = {variable, NULL};

struct fixture {
    struct tree tree;
    struct problems problems;
    bool whole;
};

static struct fixture parse(struct slice text)
{
    struct fixture f;
    tree_init(&f.tree, "f.yaml");
    problems_init(&f.problems);
    f.whole = yaml_parse(&f.tree, text, &env, &f.problems);
    return f;
}

static void fini(struct fixture *f)
{
    tree_fini(&f->tree);
    problems_fini(&f->problems);
}

static void assert_problem(struct slice text, uint32_t line, uint32_t column, const char *part)
{
    struct fixture f = parse(text);
    assert_true(f.problems.errors > 0);
    const struct problem *p = &f.problems.v[0];
    if (p->place.line != line || p->place.column != column || !strstr(p->text, part))
        fail_msg("said %u:%u: %s, expected %u:%u: %s", p->place.line, p->place.column, p->text, line, column, part);
    fini(&f);
}

static void test_places(void **state)
{
    char path[64];
    (void)state;
    struct fixture f = parse(SLICE("a:\n  - b: \"x\"\n    c: [y, 'é', z]\nd: {}\n"));
    assert_true(f.whole);
    struct node *a = node_get(f.tree.root, "a"), *c = node_get(a->first, "c");
    assert_int_equal(f.tree.root->kind, NODE_MAP);
    assert_int_equal(a->kind, NODE_LIST);
    assert_int_equal(a->key_line, 1);
    assert_int_equal(c->key_line, 3);
    assert_int_equal(c->key_column, 5);
    assert_int_equal(c->column, 8);
    assert_true(c->first->next->quoted && !c->first->quoted);
    assert_int_equal(c->last->column, 17);
    node_path(c->last, NULL, path, sizeof path);
    assert_string_equal(path, "a[0].c[2]");
    node_path(c, "more", path, sizeof path);
    assert_string_equal(path, "a[0].c.more");
    node_path(c->last, NULL, path, 7);
    assert_string_equal(path, "a[0].c");
    assert_null(node_get(f.tree.root, "e"));
    assert_null(node_get(a, "b"));
    assert_null(node_get(NULL, "b"));
    fini(&f);
}

static void test_find_in_big_mappings(void **state)
{
    char text[4000] = "", key[16];
    (void)state;
    for (int n = 1; n < 300; n++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "k%d: v\n", n);
    struct fixture f = parse(slice_str(text));
    assert_true(f.whole && f.problems.n == 0);
    for (int n = 1; n < 300; n++) {
        snprintf(key, sizeof key, "k%d", n);
        assert_int_equal(node_get(f.tree.root, key)->line, n);
    }
    assert_null(node_get(f.tree.root, "k300"));
    fini(&f);
}

static void test_substitute(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {{"${A}", "one"},
                {"x${A}y${A}", "xoneyone"},
                {"${B:-two}", "two"},
                {"${A:-two}", "one"},
                {"${EMPTY}", ""},
                {"${EMPTY:-two}", "two"},
                {"${B:-}", ""},
                {"$", "$"},
                {"$A", "$A"},
                {"$$", "$$"},
                {"$${A}", "${A}"},
                {"$$${A}", "$${A}"},
                {"a$", "a$"},
                {"${B:-$x}", "$x"},
                {"${B:-a b:-c}", "a b:-c"},
                {"}", "}"},
                {"${B}", NULL},
                {"${", NULL},
                {"${}", NULL},
                {"${1}", NULL},
                {"${A-x}", NULL},
                {"${A:x}", NULL},
                {"${ A}", NULL}};
    struct arena arena;
    (void)state;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[256] = "";
        struct slice out = yaml_substitute(&arena, slice_str(rows[i].text), &env, error, sizeof error);
        if (!rows[i].expected)
            assert_true(!out.p && *error);
        else
            assert_string_equal(out.p, rows[i].expected);
    }
    arena_fini(&arena);
}

static void test_depth(void **state)
{
    char text[200];
    (void)state;
    for (int depth = YAML_DEPTH_MAX; depth <= YAML_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct fixture f = parse(slice_make(text, (size_t)depth * 2));
        assert_int_equal(f.whole, depth == YAML_DEPTH_MAX);
        assert_int_equal(f.problems.errors, depth != YAML_DEPTH_MAX);
        fini(&f);
    }
}

static void test_length(void **state)
{
    char *text = malloc(YAML_BYTES_MAX + 1);
    (void)state;
    memset(text, '#', YAML_BYTES_MAX + 1);
    memcpy(text, "a: b\n", 5);
    struct fixture f = parse(slice_make(text, YAML_BYTES_MAX));
    assert_true(f.whole);
    fini(&f);
    assert_problem(slice_make(text, YAML_BYTES_MAX + 1), 1, 1, "longer than 1 MiB");
    free(text);
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    assert_problem(SLICE("a: b\nc: \xff\n"), 2, 4, "not UTF-8");
    assert_problem(SLICE("é: \xc3"), 1, 4, "not UTF-8");
    assert_problem(SLICE("a: \xc0\x80"), 1, 4, "not UTF-8");
    assert_problem(SLICE("a: \xed\xa0\x80"), 1, 4, "not UTF-8");
    assert_problem(SLICE("a: \xf4\x90\x80\x80"), 1, 4, "not UTF-8");
    assert_problem(SLICE("a: b\0c"), 1, 5, "NUL");
    assert_problem(SLICE("\xff\xfe"
                         "a\0"),
                   1, 1, "not UTF-8");
    assert_problem(SLICE("a: \x01"), 1, 4, "control characters are not allowed");
    struct fixture f = parse(SLICE("\xef\xbb\xbf"
                                   "a: \xf0\x9f\x98\x80"));
    assert_true(f.whole);
    assert_string_equal(node_get(f.tree.root, "a")->text.p, "\xf0\x9f\x98\x80");
    fini(&f);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_problem(SLICE("a: &x b\n"), 1, 4, "anchors");
    assert_problem(SLICE("a: *x\n"), 1, 4, "aliases");
    assert_problem(SLICE("a: ! b\n"), 1, 4, "tags");
    assert_problem(SLICE("a: !!map {}\n"), 1, 4, "tags");
    assert_problem(SLICE("<<: {}\n"), 1, 1, "merge keys");
    assert_problem(SLICE("a: b\n--- \nc: d\n"), 2, 1, "second document");
    assert_problem(SLICE("? [a]\n: b\n"), 1, 3, "as a key");
    assert_problem(SLICE("a: 1\nb: 2\na: 3\n"), 3, 1, "duplicate key, first written in line 1");
    assert_problem(SLICE(""), 1, 1, "empty");
    assert_problem(SLICE("a: [\n"), 2, 1, "not YAML");
}

/* Loads what is there; whatever it is, nothing may break, and NULL comes with an error. */
static void load_anything(struct slice text)
{
    struct problems p;
    struct load_env surroundings = {.variables = env, .cores = 2};
    problems_init(&p);
    struct snapshot *s = load_text("dir/f.yaml", text, &surroundings, &p);
    assert_int_equal(s == NULL, p.errors > 0);
    snapshot_unref(s);
    problems_fini(&p);
}

static const char sample[] = "version: 1\n"
                             "node: { service: order, zone: \"${ZONE:-eu}\" }\n"
                             "admin: { listen: 127.0.0.1:9901 }\n"
                             "identity: { certificate: a.crt, private_key: a.key, trust: ca.crt }\n"
                             "inbound:\n"
                             "  - { listen: \"[::]:8443\", tls: mutual, forward: localhost:50051, policy: p }\n"
                             "outbound:\n"
                             "  - listen: unix:out.sock\n"
                             "    routes:\n"
                             "      - { authority: [a*, b], methods: [x.Y/Z, x.Y/*], metadata: { k: v }, service: s }\n"
                             "      - split: { s: 9, t: 1 }\n"
                             "services:\n"
                             "  s: { endpoints: { static: [\"10.0.0.7:1\", \"unix:s\"] }, peer: { dns: s.shop }, "
                             "authority: service, balance: random }\n"
                             "  t: { endpoints: { static: [\"[fd00::1]:1\"] }, tls: off, policy: p }\n"
                             "policies:\n"
                             "  p: { idle_timeout: 1.5m, limits: { max_requests: 9 }, methods: { x.Y/Z: { timeout: 1s "
                             "}, x.Y/*: { timeout: off } } }\n";

static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof sample; n++) {
        char *copy = malloc(n + 1); /* exactly as long as it says, so that reading past it is seen */
        memcpy(copy, sample, n);
        load_anything(slice_make(copy, n));
        free(copy);
    }
}

static void test_every_byte_changed(void **state)
{
    static const char bytes[] = "\0 \n:{}[],\"'*&!%#-?|>$~0\x80";
    char text[sizeof sample];
    (void)state;
    for (size_t at = 0; at + 1 < sizeof sample; at++) {
        memcpy(text, sample, sizeof sample);
        for (size_t i = 0; i + 1 < sizeof bytes; i += 1 + at % 3) {
            text[at] = bytes[i];
            load_anything(slice_make(text, sizeof sample - 1));
        }
    }
}

/* Cuts a run of bytes out, or doubles it. */
static void test_every_piece_moved(void **state)
{
    char text[2 * sizeof sample];
    size_t n = sizeof sample - 1;
    (void)state;
    for (size_t at = 0; at < n; at += 3)
        for (size_t length = 1; length < 40 && at + length < n; length += 13) {
            memcpy(text, sample, at);
            memcpy(text + at, sample + at + length, n - at - length);
            load_anything(slice_make(text, n - length));
            memcpy(text, sample, at + length);
            memcpy(text + at + length, sample + at, n - at);
            load_anything(slice_make(text, n + length));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_find_in_big_mappings),
                                       cmocka_unit_test(test_substitute),
                                       cmocka_unit_test(test_depth),
                                       cmocka_unit_test(test_length),
                                       cmocka_unit_test(test_bytes_that_are_no_text),
                                       cmocka_unit_test(test_what_is_refused),
                                       cmocka_unit_test(test_every_prefix),
                                       cmocka_unit_test(test_every_byte_changed),
                                       cmocka_unit_test(test_every_piece_moved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
