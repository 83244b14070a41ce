/* A file of endpoints: whatever it says, there are members, each once and with a weight, or at least one problem with a
 * place. */
#include "conf/endpoints_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const struct member *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].rank.weight == 0 || (v[i].address.kind != ADDRESS_UNIX && v[i].address.port == 0))
            abort();
}

static void load(const char *path, const char *zone)
{
    struct problems problems;
    struct arena arena;
    struct member *v;
    size_t found;
    char line[256];
    arena_init(&arena, NULL, 0);
    problems_init(&problems);
    bool good = endpoints_file_load(path, zone, &arena, &v, &found, &problems);
    if (good == (problems.errors > 0) || found > ENDPOINTS_FILE_MAX || (!good && found > 0))
        abort();
    check(v, found);
    for (size_t i = 0; i < problems.n; i++) {
        problem_format(&problems.v[i], line, sizeof line);
        if (problems.v[i].place.line == 0)
            abort();
    }
    problems_fini(&problems);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char path[64];
    int fd = memfd_create("endpoints.yaml", MFD_CLOEXEC);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    load(path, "");
    load(path, "here");
    close(fd);
    return 0;
}
