/* Preloaded into a worker process: the allocation that the file FAILMALLOC counts down to fails, once. The file holds
 * two native 64-bit numbers: how many allocations from now, 0 for none, and the size of the one that failed last. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

struct order {
    int64_t left;
    uint64_t size;
};

static struct order *order;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAILMALLOC");
    int fd = path && getenv("OUTRIGGER_CHANNEL") ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        order = mapped;
    close(fd);
}

static int fails(size_t size)
{
    if (!order || __atomic_load_n(&order->left, __ATOMIC_RELAXED) <= 0 ||
        __atomic_sub_fetch(&order->left, 1, __ATOMIC_RELAXED) != 0)
        return 0;
    __atomic_store_n(&order->size, size, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(size) ? NULL : __libc_realloc(old, size);
}
