/* A FileDescriptorSet: whatever the bytes are, there are methods in order that are found again, or an error. */
#include "conf/descriptors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena arena;
    struct descriptors d;
    char error[DESCRIPTORS_ERROR_MAX] = "";
    arena_init(&arena, NULL, 0);
    bool good = descriptors_parse(&d, &arena, slice_make(p, n), error);
    if (good != (error[0] == '\0') || (!good && d.n > 0))
        abort();
    for (size_t i = 0; i < d.n; i++)
        if (descriptors_find(&d, d.methods[i].service, d.methods[i].method) != &d.methods[i] ||
            !descriptors_have_service(&d, d.methods[i].service))
            abort();
    arena_fini(&arena);
    return 0;
}
