/* The versions of the libraries that net/ stands on. */
#ifndef NET_VERSION_H
#define NET_VERSION_H

#include "base/library.h"

enum { NET_LIBRARIES = 3 };

/* Lets libraries read their own configuration, once and early. */
void net_init(void);

/* With the oldest that the distributions still mend; theirs carry later mends under the same number. */
void net_versions(struct library out[NET_LIBRARIES]);

#endif
