/* The words of the refusals. */
#include "base/refusal.h"

const char *refusal_text(enum refusal r)
{
    static const char *const texts[] = {
#define X(name, text) [REFUSAL_##name] = text,
        REFUSAL_LIST(X)
#undef X
    };
    return texts[r];
}
