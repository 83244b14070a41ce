/* A resolv.conf: whatever it says, what is kept is within its bounds. */
#include "net/resolv_conf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct resolv_conf c;
    char path[64];
    int fd = memfd_create("resolv.conf", MFD_CLOEXEC);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    resolv_conf_read(&c, path, "host.shop.example");
    close(fd);
    if (c.domains_n > RESOLV_CONF_DOMAINS_MAX || c.ndots < 0 || c.ndots > RESOLV_CONF_NDOTS_MAX || c.servers < 0)
        abort();
    for (size_t i = 0; i < c.domains_n; i++)
        if (memchr(c.domains[i], 0, RESOLV_CONF_DOMAIN_BYTES) == NULL)
            abort();
    return 0;
}
