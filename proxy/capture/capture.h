/* What is captured in a network namespace, and the rules that say so to the kernel: arguments to text. Pure: applies
 * nothing. */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "base/slice.h"

#include <stdio.h>

enum { CAPTURE_RANGES_MAX = 64, CAPTURE_ERROR_MAX = 256, CAPTURE_UID = 65532 };
enum { CAPTURE_TO_INBOUND = 8443, CAPTURE_TO_OUTBOUND = 15001 };

#define CAPTURE_TABLE "outrigger" /* of nftables */

enum capture_side { CAPTURE_INBOUND, CAPTURE_OUTBOUND, CAPTURE_SIDES };

/* One port when both are the same. */
struct capture_range {
    uint16_t first, last;
};

/* Owned by: a command; a plain value. */
struct capture {
    struct capture_range ranges[CAPTURE_SIDES][CAPTURE_RANGES_MAX]; /* in order, none meets another of its side */
    size_t ranges_n[CAPTURE_SIDES];
    uint16_t to[CAPTURE_SIDES]; /* the port of our listener */
    uint32_t uid;               /* whose connections are never captured: ours */
};

/* Nothing is captured yet; the other values have their defaults. */
void capture_init(struct capture *c);

/* Adds "50051,60000-60010" to one side. False with a text: no ports, too many, or one of them is there already. */
bool capture_take_ports(struct capture *c, enum capture_side side, struct slice text, char error[CAPTURE_ERROR_MAX]);

/* One port, and a user's number; false when the text is something else. */
bool capture_take_port(uint16_t *ret, struct slice text);
bool capture_take_uid(uint32_t *ret, struct slice text);

/* Whether all of it together makes sense; false with a text: nothing is captured, or what is captured goes in circles.
 */
bool capture_judge(const struct capture *c, char error[CAPTURE_ERROR_MAX]);

/* Whether a port of one side is captured. */
bool capture_has(const struct capture *c, enum capture_side side, uint16_t port);

/* One transaction for nft that puts our table in the place of the one that may be there; with NULL only removes it. */
void capture_write_nft(const struct capture *c, FILE *out);

/* The rule that leads from a chain of the kernel to ours, as arguments of iptables behind -A, -C or -D. */
const char *capture_jump(enum capture_side side);

/* One transaction for iptables-restore --noflush, for either version of IP. `jumps` tells for each side whether
 * capture_jump is there. With NULL for c it removes all of it. */
void capture_write_iptables(const struct capture *c, const bool jumps[CAPTURE_SIDES], FILE *out);

#endif
