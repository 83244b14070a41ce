/* Reads /proc/self/statm, and the limit from the files of cgroup v2 or v1. */
#include "net/footprint.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512, LINE_BYTES = 256 };
#define NO_LIMIT ((uint64_t)1 << 50)

static int statm = -1;
static uint64_t limit;

/* The number in a file; 0 when there is none, or one that stands for no limit. */
static uint64_t read_number(const char *path)
{
    unsigned long long number = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int n = fscanf(f, "%llu", &number);
    fclose(f);
    return n == 1 && number < NO_LIMIT ? number : 0;
}

/* The least limit from this cgroup up to the root of what we can see. */
static uint64_t least_limit(const char *root, const char *file, char *cgroup)
{
    uint64_t least = 0;
    char path[PATH_BYTES];
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", root, cgroup, file);
        uint64_t here = read_number(path);
        if (here > 0 && (least == 0 || here < least))
            least = here;
        char *slash = strrchr(cgroup, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

static uint64_t find_limit(void)
{
    char line[LINE_BYTES];
    uint64_t found = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && found == 0 && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *v1 = strstr(line, ":memory:");
        if (strncmp(line, "0::", 3) == 0)
            found = least_limit("/sys/fs/cgroup", "memory.max", line + 3);
        else if (v1)
            found = least_limit("/sys/fs/cgroup/memory", "memory.limit_in_bytes", v1 + 8);
    }
    if (f)
        fclose(f);
    return found;
}

void footprint_open(void)
{
    if (statm < 0)
        statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    limit = find_limit();
}

uint64_t footprint_limit(void)
{
    return limit;
}

uint64_t footprint_bytes(void)
{
    char text[LINE_BYTES];
    unsigned long long resident, shared;
    ssize_t n = statm < 0 ? -1 : pread(statm, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || shared > resident)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void footprint_trim(void)
{
    malloc_trim(0);
}
