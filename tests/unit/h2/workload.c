/* Answers of the Workload API: cutting messages off a stream, reading them, and what must not be taken. */
#include "h2/workload.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A message under construction, fields as the wire has them. */
struct writer {
    uint8_t bytes[4096];
    size_t n;
};

static void put_length(struct writer *w, size_t n)
{
    for (; n >= 0x80; n >>= 7)
        w->bytes[w->n++] = (uint8_t)(n | 0x80);
    w->bytes[w->n++] = (uint8_t)n;
}

static void put(struct writer *w, int field, const void *p, size_t n)
{
    w->bytes[w->n++] = (uint8_t)(field << 3 | 2);
    put_length(w, n);
    if (n > 0)
        memcpy(w->bytes + w->n, p, n);
    w->n += n;
}

static void put_text(struct writer *w, int field, const char *text)
{
    put(w, field, text, strlen(text));
}

static struct writer svid(const char *id, const char *chain, const char *key, const char *bundle)
{
    struct writer w = {.n = 0};
    put_text(&w, 1, id);
    put_text(&w, 2, chain);
    put_text(&w, 3, key);
    put_text(&w, 4, bundle);
    put_text(&w, 5, "hint");
    return w;
}

static enum err parse(const struct writer *w, struct workload_svid *ret)
{
    const char *why;
    enum err e = workload_parse(slice_make(w->bytes, w->n), ret, &why);
    assert_int_equal(e == ERR_NONE, why == NULL);
    return e;
}

static void test_whole(void **state)
{
    (void)state;
    struct writer w = {.n = 0}, first = svid("spiffe://a/b", "chain", "key", "roots"),
                  second = svid("spiffe://a/c", "x", "y", "z"), bundle = {.n = 0};
    struct workload_svid s;
    put(&w, 1, first.bytes, first.n);
    put(&w, 1, second.bytes, second.n);
    put_text(&w, 2, "list");
    put_text(&bundle, 1, "spiffe://other");
    put_text(&bundle, 2, "theirs");
    put(&w, 3, bundle.bytes, bundle.n);
    assert_int_equal(parse(&w, &s), ERR_NONE);
    assert_true(slice_eq(s.id, SLICE("spiffe://a/b")));
    assert_true(slice_eq(s.chain, SLICE("chain")));
    assert_true(slice_eq(s.key, SLICE("key")));
    assert_true(slice_eq(s.bundle, SLICE("roots")));
    assert_int_equal(s.federated_n, 1);
    assert_true(slice_eq(s.federated[0].domain, SLICE("other")));
    assert_true(slice_eq(s.federated[0].der, SLICE("theirs")));
    assert_int_equal(s.lists_n, 1);
    assert_true(slice_eq(s.lists[0], SLICE("list")));
    workload_fini(&s);
}

/* Each part of an SVID is needed. */
static void test_lacking(void **state)
{
    (void)state;
    static const char *const parts[][4] = {
        {"", "c", "k", "b"}, {"i", "", "k", "b"}, {"i", "c", "", "b"}, {"i", "c", "k", ""}};
    struct workload_svid s;
    for (size_t i = 0; i < 4; i++) {
        struct writer w = {.n = 0}, one = svid(parts[i][0], parts[i][1], parts[i][2], parts[i][3]);
        put(&w, 1, one.bytes, one.n);
        assert_int_equal(parse(&w, &s), ERR_INVALID);
    }
    struct writer none = {.n = 0};
    assert_int_equal(parse(&none, &s), ERR_INVALID);
}

static void test_bounds(void **state)
{
    (void)state;
    struct workload_svid s;
    struct writer one = svid("i", "c", "k", "b"), bundle = {.n = 0};
    put_text(&bundle, 1, "d");
    for (int field = 2; field <= 3; field++) {
        struct writer w = {.n = 0};
        put(&w, 1, one.bytes, one.n);
        for (int i = 0; i < 64; i++)
            put(&w, field, bundle.bytes, bundle.n);
        assert_int_equal(parse(&w, &s), ERR_NONE);
        assert_int_equal(field == 2 ? s.lists_n : s.federated_n, 64);
        workload_fini(&s);
        put(&w, field, bundle.bytes, bundle.n);
        assert_int_equal(parse(&w, &s), ERR_INVALID);
    }
}

/* Cut at every byte it is never taken for a whole one with other parts. */
static void test_cut(void **state)
{
    (void)state;
    struct writer w = {.n = 0}, one = svid("spiffe://a/b", "chain", "key", "roots");
    struct workload_svid s;
    put(&w, 1, one.bytes, one.n);
    for (size_t n = w.n - 1; n > 0; n--) {
        struct writer cut = w;
        cut.n = n;
        assert_int_equal(parse(&cut, &s), ERR_INVALID);
    }
}

static void test_next(void **state)
{
    (void)state;
    static const uint8_t stream[] = {0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'c'};
    struct buf b = {0};
    struct slice message = {NULL, 0};
    size_t found = 0, sizes[3];
    for (size_t i = 0; i < sizeof stream; i++) {
        enum err e;
        assert_int_equal(buf_append(&b, &stream[i], 1), ERR_NONE);
        while ((e = workload_next(&b, &message)) == ERR_NONE) {
            assert_in_range(found, 0, 2);
            sizes[found++] = message.n;
            buf_consume(&b, 5 + message.n);
        }
        assert_int_equal(e, ERR_AGAIN);
    }
    assert_int_equal(found, 3);
    assert_int_equal(sizes[0] * 100 + sizes[1] * 10 + sizes[2], 201);
    buf_fini(&b);
}

static void test_next_refuses(void **state)
{
    (void)state;
    static const struct {
        uint8_t prefix[5];
        enum err err;
    } rows[] = {{{0, 0, 0x40, 0, 0}, ERR_AGAIN},
                {{0, 0, 0x40, 0, 1}, ERR_LIMIT},
                {{0, 0xff, 0xff, 0xff, 0xff}, ERR_LIMIT},
                {{1, 0, 0, 0, 0}, ERR_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = {0};
        struct slice message;
        assert_int_equal(buf_append(&b, rows[i].prefix, 5), ERR_NONE);
        assert_int_equal(workload_next(&b, &message), rows[i].err);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_lacking), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_next),    cmocka_unit_test(test_next_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
