/* The versions of the libraries that conf/ stands on. */
#ifndef CONF_VERSION_H
#define CONF_VERSION_H

#include "base/library.h"

enum { CONF_LIBRARIES = 1 };

void conf_versions(struct library out[CONF_LIBRARIES]);

#endif
