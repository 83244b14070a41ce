/* An address: what is taken is within its bounds, equals itself, and is the same again when it was written. */
#include "base/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void write_and_read(const struct address *a)
{
    char text[512], name[512];
    struct address again;
    address_format(a, text, sizeof text);
    if (address_parse(slice_str(text), name, &again) != ERR_NONE || !address_eq(a, &again))
        abort();
}

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
        if (address_is_loopback(&a) && a.kind == ADDRESS_NAME && strcmp(a.name, "localhost") != 0)
            abort();
        write_and_read(&a);
    }
    (void)address_is_ip_text(text);
    free(name);
    free(again);
    return 0;
}
