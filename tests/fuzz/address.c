/* An address: what is taken is within its bounds, and equals itself. */
#include "base/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice text = slice_make(p, n);
    struct address a, b;
    char *name = malloc(n + 1), *again = malloc(n + 1);
    if (!name || !again)
        abort();
    if (address_parse(text, name, &a) == ERR_NONE) {
        if (address_parse(text, again, &b) != ERR_NONE || !address_eq(&a, &b) || (a.name && strlen(a.name) > n))
            abort();
        (void)address_is_loopback(&a);
    }
    free(name);
    free(again);
    return 0;
}
