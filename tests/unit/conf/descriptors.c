/* FileDescriptorSets written byte by byte: what is learnt of methods, what is refused, every bound at it and one past
 * it. */
#include "conf/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A message under construction. */
struct message {
    uint8_t *p;
    size_t n, room;
};

static void put(struct message *m, const void *p, size_t n)
{
    if (m->n + n > m->room) {
        m->room = (m->n + n) * 2;
        m->p = realloc(m->p, m->room);
        assert_non_null(m->p);
    }
    if (n)
        memcpy(m->p + m->n, p, n);
    m->n += n;
}

static void put_varint(struct message *m, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put(m, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    put(m, &(uint8_t){(uint8_t)v}, 1);
}

static void put_number(struct message *m, unsigned field, uint64_t v)
{
    put_varint(m, field << 3);
    put_varint(m, v);
}

static void put_bytes(struct message *m, unsigned field, const void *p, size_t n)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, n);
    put(m, p, n);
}

static void put_text(struct message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

/* Takes the inner message over. */
static void put_message(struct message *m, unsigned field, struct message inner)
{
    put_bytes(m, field, inner.p, inner.n);
    free(inner.p);
}

enum { CLIENT = 1, SERVER = 2, BOTH = 3 };

static struct message method(const char *name, int streams, int level)
{
    struct message m = {0}, options = {0};
    put_text(&m, 1, name);
    put_text(&m, 2, ".pkg.Request");
    put_text(&m, 3, ".pkg.Response");
    if (level >= 0) {
        put_number(&options, 33, 1); /* deprecated: not ours */
        put_number(&options, 34, (uint64_t)level);
        put_message(&m, 4, options);
    }
    if (streams & CLIENT)
        put_number(&m, 5, 1);
    if (streams & SERVER)
        put_number(&m, 6, 1);
    return m;
}

static struct message file(const char *package, const char *service, struct message inner)
{
    struct message f = {0}, s = {0};
    put_text(&f, 1, "a.proto");
    if (package)
        put_text(&f, 2, package);
    put_text(&f, 3, "google/protobuf/timestamp.proto"); /* dependency: not ours */
    put_text(&s, 1, service);
    put(&s, inner.p, inner.n);
    free(inner.p);
    put_message(&f, 6, s);
    put_text(&f, 12, "proto3");
    return f;
}

/* A set of one file of one service of the methods. */
static struct message set_of(const char *package, const char *service, struct message methods)
{
    struct message set = {0};
    put_message(&set, 1, file(package, service, methods));
    return set;
}

static struct message one_method(struct message m)
{
    struct message list = {0};
    put_message(&list, 2, m);
    return list;
}

struct fixture {
    struct arena arena;
    struct descriptors d;
    char error[DESCRIPTORS_ERROR_MAX];
};

/* Takes the message over, and reads it from a block of its own size. */
static bool parse(struct fixture *f, struct message m)
{
    uint8_t *exact = malloc(m.n ? m.n : 1);
    assert_non_null(exact);
    if (m.n)
        memcpy(exact, m.p, m.n);
    free(m.p);
    f->error[0] = '\0';
    arena_init(&f->arena, NULL, 0);
    bool good = descriptors_parse(&f->d, &f->arena, slice_make(exact, m.n), f->error);
    free(exact);
    assert_int_equal(good, f->error[0] == '\0');
    assert_true(good || f->d.n == 0);
    return good;
}

static void assert_refused(struct message m, const char *error)
{
    struct fixture f;
    assert_false(parse(&f, m));
    assert_string_equal(f.error, error);
    arena_fini(&f.arena);
}

static const struct descriptors_method *find(const struct fixture *f, const char *service, const char *name)
{
    return descriptors_find(&f->d, slice_str(service), slice_str(name));
}

static void test_what_is_learnt(void **state)
{
    static const struct {
        const char *name;
        int streams, level;
        enum idempotency learnt;
    } rows[] = {{"Charge", 0, -1, IDEMPOTENCY_UNKNOWN},
                {"Get", 0, 1, IDEMPOTENCY_NO_SIDE_EFFECTS},
                {"Put", 0, 2, IDEMPOTENCY_IDEMPOTENT},
                {"Said", 0, 0, IDEMPOTENCY_UNKNOWN},
                {"Later", 0, 3, IDEMPOTENCY_UNKNOWN},
                {"Upload", CLIENT, -1, IDEMPOTENCY_UNKNOWN},
                {"Watch", SERVER, 1, IDEMPOTENCY_NO_SIDE_EFFECTS},
                {"Talk", BOTH, -1, IDEMPOTENCY_UNKNOWN}};
    struct message list = {0};
    struct fixture f;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        put_message(&list, 2, method(rows[i].name, rows[i].streams, rows[i].level));
    assert_true(parse(&f, set_of("pkg.v1", "Service", list)));
    assert_int_equal(f.d.n, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct descriptors_method *m = find(&f, "pkg.v1.Service", rows[i].name);
        assert_non_null(m);
        assert_int_equal(m->streams, rows[i].streams != 0);
        assert_int_equal(m->idempotency, rows[i].learnt);
    }
    assert_null(find(&f, "pkg.v1.Service", "Charg"));
    assert_null(find(&f, "pkg.v1.Service", ""));
    assert_null(find(&f, "pkg.v1.Service", "Zebra"));
    assert_null(find(&f, "Service", "Charge"));
    assert_true(descriptors_have_service(&f.d, SLICE("pkg.v1.Service")));
    assert_false(descriptors_have_service(&f.d, SLICE("pkg.v1.Servic")));
    assert_false(descriptors_have_service(&f.d, SLICE("pkg.v1.Service2")));
    for (size_t i = 1; i < f.d.n; i++)
        assert_true(strcmp(f.d.methods[i - 1].method.p, f.d.methods[i].method.p) < 0);
    arena_fini(&f.arena);
}

static void test_packages(void **state)
{
    struct message set = {0};
    struct fixture f;
    (void)state;
    put_message(&set, 1, file(NULL, "Plain", one_method(method("A", 0, 1))));
    put_message(&set, 1, file("", "Empty", one_method(method("A", 0, 1))));
    put_message(&set, 1, file("a.b", "Deep", one_method(method("A", 0, 1))));
    assert_true(parse(&f, set));
    assert_non_null(find(&f, "Plain", "A"));
    assert_non_null(find(&f, "Empty", "A"));
    assert_non_null(find(&f, "a.b.Deep", "A"));
    arena_fini(&f.arena);
}

/* Sets may be put behind one another, and the same file may come twice: the more careful word holds. */
static void test_the_same_method_twice(void **state)
{
    static const struct {
        int streams[2], level[2];
        bool streams_both;
        enum idempotency level_both;
    } rows[] = {
        {{0, 0}, {1, 1}, false, IDEMPOTENCY_NO_SIDE_EFFECTS}, {{0, SERVER}, {2, 2}, true, IDEMPOTENCY_IDEMPOTENT},
        {{CLIENT, 0}, {1, -1}, true, IDEMPOTENCY_UNKNOWN},    {{0, 0}, {0, 2}, false, IDEMPOTENCY_UNKNOWN},
        {{0, 0}, {2, 1}, false, IDEMPOTENCY_IDEMPOTENT},      {{0, 0}, {1, 2}, false, IDEMPOTENCY_IDEMPOTENT}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message set = {0};
        struct fixture f;
        for (int k = 0; k < 2; k++)
            put_message(&set, 1, file("p", "S", one_method(method("M", rows[i].streams[k], rows[i].level[k]))));
        assert_true(parse(&f, set));
        assert_int_equal(f.d.n, 1);
        assert_int_equal(f.d.methods[0].streams, rows[i].streams_both);
        assert_int_equal(f.d.methods[0].idempotency, rows[i].level_both);
        arena_fini(&f.arena);
    }
}

static void test_no_service_is_no_error(void **state)
{
    struct message set = {0}, f = {0};
    struct fixture x;
    (void)state;
    put_text(&f, 1, "a.proto");
    put_message(&set, 1, f);
    assert_true(parse(&x, set));
    assert_int_equal(x.d.n, 0);
    assert_null(find(&x, "a", "b"));
    assert_false(descriptors_have_service(&x.d, SLICE("a")));
    arena_fini(&x.arena);
}

static struct message raw(const char *text, size_t n)
{
    struct message m = {0};
    put(&m, text, n);
    return m;
}

static void test_what_is_refused(void **state)
{
    static const char none[] = "is no FileDescriptorSet, expected what protoc --descriptor_set_out writes";
    (void)state;
    assert_refused(raw("", 0), "describes no file, expected a FileDescriptorSet");
    assert_refused(raw("syntax = \"proto3\";\n", 19), none);
    assert_refused(raw("\x0a\x05\x0a", 3), none); /* cut off */
    assert_refused(raw("{\"file\":[]}", 11), none);
    assert_refused(set_of("p", "", one_method(method("M", 0, 0))),
                   "a service of a.proto is named \"p.\", expected pkg.Service");
    assert_refused(set_of("p q", "S", one_method(method("M", 0, 0))),
                   "a service of a.proto is named \"p q.S\", expected pkg.Service");
    assert_refused(set_of("p", "S", one_method(method("", 0, 0))), "a method of p.S is named \"\", expected a name");
    assert_refused(set_of("p", "S", one_method(method("*", 0, 0))), "a method of p.S is named \"*\", expected a name");
    assert_refused(set_of("p", "S", one_method(method("a/b", 0, 0))),
                   "a method of p.S is named \"a/b\", expected a name");
}

static void test_methods_at_the_bound(void **state)
{
    (void)state;
    for (int n = DESCRIPTORS_METHODS_MAX; n <= DESCRIPTORS_METHODS_MAX + 1; n++) {
        struct message list = {0};
        struct fixture f;
        for (int i = 0; i < n; i++) {
            char name[16];
            snprintf(name, sizeof name, "M%d", i);
            put_message(&list, 2, method(name, 0, 1));
        }
        bool good = parse(&f, set_of("p", "S", list));
        assert_int_equal(good, n == DESCRIPTORS_METHODS_MAX);
        if (good)
            assert_int_equal(f.d.n, n);
        else
            assert_string_equal(f.error, "more than 10000 methods are described, expected fewer");
        arena_fini(&f.arena);
    }
}

/* Filled up with a field that is passed over. */
static void test_bytes_at_the_bound(void **state)
{
    (void)state;
    for (size_t n = DESCRIPTORS_BYTES_MAX; n <= DESCRIPTORS_BYTES_MAX + 1; n++) {
        struct message set = set_of("p", "S", one_method(method("M", 0, 1)));
        struct fixture f;
        size_t filling = n - set.n - 1 - 4; /* a tag, and four bytes of length */
        char *zeros = calloc(1, filling);
        assert_non_null(zeros);
        put_bytes(&set, 15, zeros, filling);
        free(zeros);
        assert_int_equal(set.n, n);
        assert_int_equal(parse(&f, set), n == DESCRIPTORS_BYTES_MAX);
        if (n > DESCRIPTORS_BYTES_MAX)
            assert_string_equal(f.error, "is larger than 16 MiB, expected a smaller file");
        arena_fini(&f.arena);
    }
}

/* Two bytes of file are a message of many bytes in memory. */
static void test_memory_is_bounded(void **state)
{
    struct message set = {0};
    (void)state;
    while (set.n < DESCRIPTORS_BYTES_MAX)
        put(&set, "\x0a\x00", 2);
    assert_refused(set, "takes more than 256 MiB of memory, expected fewer descriptors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_learnt),        cmocka_unit_test(test_packages),
        cmocka_unit_test(test_the_same_method_twice), cmocka_unit_test(test_no_service_is_no_error),
        cmocka_unit_test(test_what_is_refused),       cmocka_unit_test(test_methods_at_the_bound),
        cmocka_unit_test(test_bytes_at_the_bound),    cmocka_unit_test(test_memory_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
