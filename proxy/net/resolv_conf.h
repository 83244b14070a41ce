/* What resolv.conf(5) says of names: the search domains, ndots, and how many servers there are. The servers themselves
 * are c-ares' to read; it does not tell the rest in all versions. */
#ifndef NET_RESOLV_CONF_H
#define NET_RESOLV_CONF_H

#include <stddef.h>

#define RESOLV_CONF_PATH "/etc/resolv.conf"

enum { RESOLV_CONF_DOMAINS_MAX = 16, RESOLV_CONF_DOMAIN_BYTES = 256, RESOLV_CONF_NDOTS_MAX = 15 };

struct resolv_conf {
    char domains[RESOLV_CONF_DOMAINS_MAX][RESOLV_CONF_DOMAIN_BYTES]; /* in order; longer ones and more are left out */
    size_t domains_n;
    int ndots; /* 1 unless written */
    int servers;
};

/* Reads the file; one that is not there says nothing. Without `search` and `domain` the domain is that of the host's
 * name, given as `host` (NULL or without a dot: none). */
void resolv_conf_read(struct resolv_conf *ret, const char *path, const char *host);

#endif
