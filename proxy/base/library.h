/* A library that the program stands on: the version it was built with and the one it runs with. */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stddef.h>

struct library {
    const char *name;
    const char *built;  /* "" when its headers do not tell */
    const char *linked; /* "" when it does not tell */
};

#endif
