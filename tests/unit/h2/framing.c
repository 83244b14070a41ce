/* Message boundaries, whatever the pieces. */
#include "h2/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static size_t put_message(uint8_t *p, uint32_t n)
{
    uint8_t head[5] = {0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    memcpy(p, head, 5);
    memset(p + 5, 0xff, n);
    return n + 5;
}

static void boundaries_are_seen_in_any_pieces(void **state)
{
    static const uint32_t sizes[] = {0, 1, 3, 300, 0, 0, 70000, 5};
    static uint8_t bytes[80000];
    bool boundary[80001] = {true};
    size_t total = 0;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        total += put_message(bytes + total, sizes[i]);
        boundary[total] = true;
    }
    for (size_t step = 1; step <= total; step = step * 3 + 1) {
        struct framing f = {0};
        for (size_t at = 0; at < total;) {
            size_t n = total - at < step ? total - at : step;
            framing_pass(&f, bytes + at, n);
            at += n;
            assert_int_equal(framing_is_cut(&f), !boundary[at]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(boundaries_are_seen_in_any_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
