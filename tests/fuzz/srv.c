/* A DNS reply with SRV records: whatever the bytes are, there are records in order with a host and a port, each once,
 * or an error. */
#include "net/srv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool is_twice(const struct srv_record *v, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (v[j].port == v[i].port && strcmp(v[j].host, v[i].host) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct srv_record *v = calloc(SRV_RECORDS_MAX, sizeof *v);
    size_t found;
    uint32_t ttl;
    if (!v)
        abort();
    if (srv_parse(slice_make(p, n), v, &found, &ttl)) {
        if (found > SRV_RECORDS_MAX)
            abort();
        for (size_t i = 0; i < found; i++) {
            size_t length = strlen(v[i].host);
            if (v[i].port == 0 || length < 2 || length > SRV_HOST_MAX || v[i].host[length - 1] != '.' ||
                (i > 0 && v[i].priority < v[i - 1].priority) || is_twice(v, i))
                abort();
        }
    }
    free(v);
    return 0;
}
