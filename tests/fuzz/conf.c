/* A configuration: whatever the bytes are, the loader gives a snapshot or at least one error, and what it gives can be
 * explained. */
#include "conf/explain.h"
#include "conf/load.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char *variable(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "A") == 0 ? "a" : NULL;
}

static void explain(const struct snapshot *s, bool inbound)
{
    struct explanation e;
    struct explain_query q = {.inbound = inbound, .path = "/a.B/C", .timeout_ns = NS_PER_S};
    explain_call(&e, s, &q);
    for (size_t i = 0; i < e.listeners_n; i++)
        if ((e.listeners[i].route == NULL) != (e.listeners[i].targets_n == 0))
            abort();
    explanation_fini(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct load_env env = {.variables = {variable, NULL}, .cores = 2, .skip_files = true};
    struct problems problems;
    char line[256];
    problems_init(&problems);
    struct snapshot *s = load_text("f.yaml", slice_make(p, n), &env, &problems);
    if ((s == NULL) != (problems.errors > 0))
        abort();
    for (size_t i = 0; i < problems.n; i++)
        problem_format(&problems.v[i], line, sizeof line);
    if (s) {
        explain(s, false);
        explain(s, true);
    }
    snapshot_unref(s);
    problems_fini(&problems);
    return 0;
}
