/* SRV records (RFC 2782) in the bytes of a DNS reply. Pure; asking is lookup's. */
#ifndef NET_SRV_H
#define NET_SRV_H

#include "base/slice.h"

enum { SRV_RECORDS_MAX = 100, SRV_HOST_MAX = 254 };

struct srv_record {
    uint16_t priority, weight, port;
    char host[SRV_HOST_MAX + 1]; /* with a dot at its end */
};

/* The records of the answer section into ret (room for SRV_RECORDS_MAX; more are left out), sorted by priority, host
 * and port, each host and port once, with its least priority. *ret_ttl_s is the least TTL of it, that of CNAMEs
 * included. Records whose host is the root (no such service) or whose port is 0 are left out. False when the bytes are
 * no reply. */
bool srv_parse(struct slice reply, struct srv_record *ret, size_t *ret_n, uint32_t *ret_ttl_s);

#endif
