/* The metrics of breakers: one state of four holds, labels of the wider scopes are empty. */
#include "telemetry/breakers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char *page_of(struct prometheus *p)
{
    struct slice text;
    assert_int_equal(prometheus_text(p, &text), ERR_NONE);
    char *page = strndup(text.p, text.n);
    prometheus_fini(p);
    return page;
}

static void test_states(void **state)
{
    (void)state;
    static const char *const names[] = {"closed", "open", "half_open", "ramping"};
    for (int is = 0; is < 4; is++) {
        struct breakers_row row = {"pay", "10.0.0.7:1", {.method = SLICE("p.Pay/Get"), .opened = 7}};
        struct prometheus p;
        row.fact.state = (enum breaker_state)is;
        prometheus_init(&p);
        breakers_render(&p, &row, 1);
        char *page = page_of(&p), line[256];
        for (int k = 0; k < 4; k++) {
            snprintf(line, sizeof line,
                     "\noutrigger_breaker_state{service=\"pay\",endpoint=\"10.0.0.7:1\",method=\"p.Pay/"
                     "Get\",state=\"%s\"} %d\n",
                     names[k], k == is);
            if (!strstr(page, line))
                fail_msg("no line %s in\n%s", line, page);
        }
        assert_non_null(strstr(page, "\noutrigger_breaker_openings_total{service=\"pay\",endpoint=\"10.0.0.7:1\","
                                     "method=\"p.Pay/Get\"} 7\n"));
        free(page);
    }
}

static void test_wider_scopes(void **state)
{
    (void)state;
    const struct breakers_row rows[] = {{"pay", "", {.state = BREAKER_OPEN, .opened = 2, .method = SLICE("")}},
                                        {"ledger", "10.0.0.8:1", {.method = SLICE("")}}};
    struct prometheus p;
    prometheus_init(&p);
    breakers_render(&p, rows, 2);
    char *page = page_of(&p);
    assert_non_null(strstr(page, "{service=\"pay\",endpoint=\"\",method=\"\",state=\"open\"} 1\n"));
    assert_non_null(strstr(page, "{service=\"ledger\",endpoint=\"10.0.0.8:1\",method=\"\",state=\"open\"} 0\n"));
    assert_non_null(strstr(page, "{service=\"ledger\",endpoint=\"10.0.0.8:1\",method=\"\",state=\"closed\"} 1\n"));
    free(page);
}

static void test_nothing_to_show(void **state)
{
    (void)state;
    struct prometheus p;
    prometheus_init(&p);
    breakers_render(&p, NULL, 0);
    char *page = page_of(&p);
    assert_null(strchr(page, '{'));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_wider_scopes),
        cmocka_unit_test(test_nothing_to_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
