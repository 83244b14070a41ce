/* Allocation functions for OpenSSL that clean up behind themselves. */
#include "net/secret.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void secret_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

static void *take(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(n);
}

static void give(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p)
        secret_wipe(p, malloc_usable_size(p));
    free(p);
}

static void *move(void *p, size_t n, const char *file, int line)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    void *to = had > 0 && had >= n && n > had / 2 ? p : malloc(n);
    if (!to || to == p)
        return to;
    if (p)
        memcpy(to, p, had < n ? had : n);
    give(p, file, line);
    return to;
}

void secret_init(void)
{
    (void)CRYPTO_set_mem_functions(take, move, give);
}
