/* Networks as configuration names them: an IP address and how many of its bits count. Parsing and matching only. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/address.h"

struct cidr {
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d; 0 past the bits */
    uint8_t bits;   /* of the 16 bytes; IPv4: 96 and more */
};

/* "10.0.0.0/8", "fd00::/8", or one address without the slash. ERR_INVALID for anything else, *ret_why tells what was
 * expected: no address, too many bits, a bit set behind those that count. */
MUST_CHECK enum err cidr_parse(struct slice text, struct cidr *ret, const char **ret_why);

/* Whether the address is an IP address in the network. An IPv4 address is in no IPv6 network, also when it is written
 * as IPv6 (::ffff:a.b.c.d, which is how a socket on [::] sees it). */
bool cidr_has(const struct cidr *c, const struct address *a);

/* "10.0.0.0/8", one address without the slash; returns out. */
enum { CIDR_TEXT_MAX = 52 };
const char *cidr_format(const struct cidr *c, char *out /* CIDR_TEXT_MAX */);

#endif
