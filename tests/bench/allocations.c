/* Preloaded into a process, counts its heap allocations (never frees) in the file that BENCH_ALLOCATIONS names, in all
 * and by calling address; scripts/bench reads it while the process runs. It changes nothing else about the heap. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The allocator of glibc under the names that interposers may use. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

enum { SITES = 4096 };

/* What the file holds, in native byte order. Unused sites have address 0; sites that found no place count in `total`
 * alone. */
struct table {
    uint64_t total, bytes;
    struct {
        uint64_t address, count;
    } sites[SITES];
};

static struct table *table;

__attribute__((constructor)) static void open_table(void)
{
    const char *path = getenv("BENCH_ALLOCATIONS");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof *table) == 0) {
        void *mapped = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        table = mapped == MAP_FAILED ? NULL : mapped;
    }
    close(fd);
}

static void count(size_t bytes, const void *caller)
{
    struct table *t = table;
    uint64_t address = (uint64_t)(uintptr_t)caller;
    if (!t)
        return;
    __atomic_fetch_add(&t->total, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->bytes, bytes, __ATOMIC_RELAXED);
    for (uint64_t probe = 0; probe < 64; probe++) {
        uint64_t cell = (address * 0x9E3779B97F4A7C15u >> 52) + probe, found = 0;
        uint64_t *place = &t->sites[cell % SITES].address;
        if (__atomic_compare_exchange_n(place, &found, address, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
            found == address) {
            __atomic_fetch_add(&t->sites[cell % SITES].count, 1, __ATOMIC_RELAXED);
            return;
        }
    }
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    count(size, __builtin_return_address(0));
    return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t number, size_t size)
{
    count(number * size, __builtin_return_address(0));
    return __libc_calloc(number, size);
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
    count(size, __builtin_return_address(0));
    return __libc_realloc(old, size);
}

__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t size)
{
    count(size, __builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
    count(size, __builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) int posix_memalign(void **ret, size_t alignment, size_t size)
{
    count(size, __builtin_return_address(0));
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    *ret = __libc_memalign(alignment, size);
    return *ret ? 0 : ENOMEM;
}
