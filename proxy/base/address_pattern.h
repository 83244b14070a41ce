/* What a route may say about an address: a network, a port, or both. Parsing, matching and printing only. */
#ifndef BASE_ADDRESS_PATTERN_H
#define BASE_ADDRESS_PATTERN_H

#include "base/cidr.h"

struct address_pattern {
    struct cidr network;
    bool any;      /* whatever the network */
    uint16_t port; /* 0: whatever the port */
};

/* "10.0.0.0/8", "10.0.0.7:50051", "10.0.0.0/8:50051", "fd00::/8", "[fd00::/8]:50051", "*:50051". ERR_INVALID for
 * anything else, *ret_why tells what was expected. */
MUST_CHECK enum err address_pattern_parse(struct slice text, struct address_pattern *ret, const char **ret_why);

/* Whether the address is an IP address that the pattern takes. */
bool address_pattern_has(const struct address_pattern *p, const struct address *a);

/* The text form; returns out. */
enum { ADDRESS_PATTERN_TEXT_MAX = CIDR_TEXT_MAX + 8 };
const char *address_pattern_format(const struct address_pattern *p, char *out /* ADDRESS_PATTERN_TEXT_MAX */);

#endif
