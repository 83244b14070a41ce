/* Which word is offered for a misspelt one. */
#include "conf/nearest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_nearest(void **state)
{
    static const char *const words[] = {"listen", "tls", "forward", "policy", "on"};
    static const struct {
        const char *wanted, *best;
    } rows[] = {{"listne", "listen"}, {"lisetn", "listen"}, {"Listen", "listen"}, {"lissten", "listen"},
                {"lstn", NULL},       {"tsl", "tls"},       {"ttls", "tls"},      {"tlss", "tls"},
                {"xyz", NULL},        {"ON", "on"},         {"an", NULL},         {"polices", "policy"},
                {"", NULL},           {"forwarding", NULL}, {"foward", "forward"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct nearest n;
        nearest_init(&n, slice_str(rows[i].wanted));
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            nearest_offer(&n, words[j]);
        if ((n.best == NULL) != (rows[i].best == NULL) || (n.best && strcmp(n.best, rows[i].best) != 0))
            fail_msg("%s: %s, expected %s", rows[i].wanted, n.best ? n.best : "none",
                     rows[i].best ? rows[i].best : "none");
    }
}

static void test_long_words(void **state)
{
    char at_bound[65], past[66];
    struct nearest n;
    (void)state;
    memset(at_bound, 'a', 64);
    memset(past, 'a', 65);
    at_bound[64] = past[65] = '\0';
    nearest_init(&n, slice_str(at_bound));
    nearest_offer(&n, past);
    assert_null(n.best);
    nearest_offer(&n, at_bound);
    assert_ptr_equal(n.best, at_bound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearest), cmocka_unit_test(test_long_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
