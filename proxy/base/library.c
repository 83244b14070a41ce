/* Versions as numbers between dots. */
#include "base/library.h"

#include <stdlib.h>

/* The next number, 0 behind the end. */
static unsigned long next_number(const char **at)
{
    char *end;
    if (**at < '0' || **at > '9')
        return 0;
    unsigned long n = strtoul(*at, &end, 10);
    *at = *end == '.' ? end + 1 : end;
    return n;
}

bool library_is_too_old(const struct library *l)
{
    const char *have = l->linked, *want = l->oldest;
    if (!want || !have || *have == '\0')
        return false;
    while (*want != '\0') {
        unsigned long a = next_number(&have), b = next_number(&want);
        if (a != b)
            return a < b;
    }
    return false;
}
