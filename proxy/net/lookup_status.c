/* The words of look-ups; apart from them, so that a simulation can bring its own look-ups. */
#include "net/lookup.h"

const char *lookup_status_text(enum lookup_status status)
{
    switch (status) {
#define X(name, text)                                                                                                  \
    case LOOKUP_##name:                                                                                                \
        return text;
        LOOKUP_STATUS_LIST(X)
#undef X
    case LOOKUP_STATUS_COUNT:
        break;
    }
    return "";
}
