/* Asks protobuf-c for its version. */
#include "h2/version.h"

#include <protobuf-c/protobuf-c.h>

void h2_versions(struct library out[H2_LIBRARIES])
{
    out[0] = (struct library){"protobuf-c", PROTOBUF_C_VERSION, protobuf_c_version(), NULL};
}
