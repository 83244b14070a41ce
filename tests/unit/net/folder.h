/* A temporary folder of a test, and its removal with all that is in it. */
#ifndef TESTS_UNIT_NET_FOLDER_H
#define TESTS_UNIT_NET_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDER_MAX = 256, FOLDER_FDS = 16 };

/* Makes a folder below $TMPDIR or /tmp and writes its path to out[FOLDER_MAX]; aborts when it cannot. */
static inline void folder_make(char *out)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, FOLDER_MAX, "%s/outrigger-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(out)) {
        perror(out);
        abort();
    }
}

static inline int folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static inline int folder_remove(const char *path)
{
    return nftw(path, folder_remove_one, FOLDER_FDS, FTW_DEPTH | FTW_PHYS);
}

#endif
