/* A SPIFFE id and a pattern, a line each: what matches must be valid, and a valid id matches itself. */
#include "base/spiffe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice all = slice_make(p, n);
    size_t line = slice_find(all, '\n');
    struct slice id = slice_sub(all, 0, line), pattern = slice_sub(all, line + (line < n), n);
    struct spiffe parts;
    bool good = spiffe_check_workload(id) == NULL;
    if (good &&
        (spiffe_parse(id, &parts) || parts.path.n == 0 || parts.domain.n == 0 || parts.domain.n > SPIFFE_DOMAIN_MAX ||
         parts.domain.n + parts.path.n + 9 != id.n || id.n > SPIFFE_BYTES_MAX))
        abort();
    if (good && (!spiffe_is(id) || spiffe_check_pattern(id) || !spiffe_matches(id, id)))
        abort();
    if (good && !spiffe_check_pattern(pattern) && spiffe_matches(pattern, id) && pattern.n > id.n + SPIFFE_BYTES_MAX)
        abort();
    return 0;
}
