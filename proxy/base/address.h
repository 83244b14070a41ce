/* Network addresses as configuration and endpoints name them: IPv4, IPv6, unix path, or a host name that still must be
 * resolved. Parsing and printing only; no sockets. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/err.h"
#include "base/slice.h"

enum address_kind { ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_UNIX, ADDRESS_NAME };

enum { ADDRESS_PATH_MAX = 107, ADDRESS_TEXT_MAX = 320 };

struct address {
    enum address_kind kind;
    uint16_t port;    /* host order; 0 for unix */
    uint8_t ip[16];   /* IPV4: the first 4 */
    const char *name; /* UNIX: path; NAME: host name; borrowed, terminated; NULL for IP */
};

/* "1.2.3.4:80", "[::1]:80", "unix:/run/x.sock", "host:80". Paths and host names are copied, terminated, to copy_name,
 * storage of text.n + 1 bytes that must outlive the address; NULL: only IP addresses are taken. ERR_INVALID for
 * anything else, including port 0, a port with leading zeros, and a path past ADDRESS_PATH_MAX. */
MUST_CHECK enum err address_parse(struct slice text, char *copy_name, struct address *ret);

/* Same address, bytes and port (names compare exactly). */
bool address_eq(const struct address *a, const struct address *b);

/* "::ffff:1.2.3.4", as a socket on [::] sees IPv4, becomes "1.2.3.4"; any other address stays. */
void address_unmap(struct address *a);

/* 0.0.0.0 or [::], which stands for all addresses of a machine. */
bool address_is_any(const struct address *a);

/* "1" to "65535", without leading zeros. */
bool address_parse_port(struct slice s, uint16_t *ret);

/* 127.0.0.0/8, also written as IPv6, ::1, a unix socket, or the name "localhost". */
bool address_is_loopback(const struct address *a);

/* Whether a host is written as an IP address, IPv6 with or without brackets. */
bool address_is_ip_text(struct slice host);

/* The text form into out[size >= ADDRESS_TEXT_MAX]; returns out. */
const char *address_format(const struct address *a, char *out, size_t size);

#endif
