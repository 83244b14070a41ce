/* A library that the program stands on: the version it was built with, the one it runs with, and the oldest that is
 * good enough. */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

struct library {
    const char *name;
    const char *built;  /* "" when its headers do not tell */
    const char *linked; /* "" when it does not tell */
    const char *oldest; /* NULL: any will do. Below it there are known holes */
};

/* Whether the one it runs with is older than the oldest good one. Versions are compared number by number, 3.0.9 before
 * 3.0.22; what is no number ends one. */
bool library_is_too_old(const struct library *l);

#endif
