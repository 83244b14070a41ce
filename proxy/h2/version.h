/* The versions of the libraries that h2/ stands on. */
#ifndef H2_VERSION_H
#define H2_VERSION_H

#include "base/library.h"

enum { H2_LIBRARIES = 1 };

void h2_versions(struct library out[H2_LIBRARIES]);

#endif
