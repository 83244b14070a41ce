/* Reads /proc/self/statm, and limit and use from the files of cgroup v2 or v1. */
#include "net/footprint.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512, LINE_BYTES = 256, STAT_BYTES = 8192 };
#define NO_LIMIT ((uint64_t)1 << 50)

static int statm = -1;
static uint64_t limit;

/* What the cgroup holds: files of version 2 or 1, and the lines of its memory.stat that tell what it can give back. */
static int usage = -1, detail = -1;
static const char *const *cached;

struct hierarchy {
    const char *root, *limit, *usage;
    const char *cached[3];
};

static const struct hierarchy v2 = {
    "/sys/fs/cgroup", "memory.max", "memory.current", {"\ninactive_file ", "\nactive_file ", NULL}};
static const struct hierarchy v1 = {"/sys/fs/cgroup/memory",
                                    "memory.limit_in_bytes",
                                    "memory.usage_in_bytes",
                                    {"\ntotal_inactive_file ", "\ntotal_active_file ", NULL}};

/* The number in a file; 0 when there is none, or one that stands for no limit. */
static uint64_t read_number(const char *path, bool *ret_there)
{
    unsigned long long number = 0;
    FILE *f = fopen(path, "re");
    *ret_there = f != NULL;
    if (!f)
        return 0;
    int n = fscanf(f, "%llu", &number);
    fclose(f);
    return n == 1 && number < NO_LIMIT ? number : 0;
}

static int open_in(const struct hierarchy *h, const char *cgroup, const char *file)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s%s/%s", h->root, cgroup, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void close_group(void)
{
    if (usage >= 0)
        close(usage);
    if (detail >= 0)
        close(detail);
    usage = detail = -1;
}

/* The least limit from this cgroup up to the root of what we can see. When it is that of our own, which is the first
 * that can be seen, what it holds counts. */
static uint64_t least_limit(const struct hierarchy *h, char *cgroup)
{
    uint64_t least = 0;
    char path[PATH_BYTES];
    bool found = false;
    for (;;) {
        bool there;
        snprintf(path, sizeof path, "%s%s/%s", h->root, cgroup, h->limit);
        uint64_t here = read_number(path, &there);
        if (here > 0 && (least == 0 || here < least)) {
            least = here;
            close_group();
            if (!found) {
                usage = open_in(h, cgroup, h->usage);
                detail = open_in(h, cgroup, "memory.stat");
                cached = h->cached;
            }
        }
        found = found || there;
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
        char *named = strstr(line, ":memory:");
        if (strncmp(line, "0::", 3) == 0)
            found = least_limit(&v2, line + 3);
        else if (named)
            found = least_limit(&v1, named + 8);
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

static uint64_t number_at(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

uint64_t footprint_group_bytes(void)
{
    char text[STAT_BYTES];
    ssize_t n = usage < 0 ? -1 : pread(usage, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    uint64_t bytes = strtoull(text, NULL, 10), spare = 0;
    n = detail < 0 ? -1 : pread(detail, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    for (const char *const *name = cached; *name; name++)
        spare += number_at(text, *name);
    return bytes > spare ? bytes - spare : 0;
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
