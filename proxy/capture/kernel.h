/* Gives capture rules to the kernel, in one transaction a call, by whatever of nftables or iptables is there. The only
 * part of capture that touches the system. */
#ifndef CAPTURE_KERNEL_H
#define CAPTURE_KERNEL_H

#include "capture/capture.h"

enum { KERNEL_ERROR_MAX = 1024 };

/* In the order in which they are tried. The library is opened here and nowhere else: a proxy never loads it. */
enum kernel_tool { KERNEL_LIBNFTABLES, KERNEL_NFT, KERNEL_IPTABLES, KERNEL_TOOLS };

/* "libnftables", "nft", "iptables". */
const char *kernel_tool_text(enum kernel_tool tool);

/* Whether the process may change the rules of its network namespace. */
bool kernel_is_allowed(void);

/* Puts the rules into the place of ours that may be there; NULL removes ours. `tool` is the only one that is tried;
 * KERNEL_TOOLS: the first that is there. *ret_tool is the one that did it. False with a text, and nothing has changed
 * (with iptables: for the version of IP that the text names). */
bool kernel_apply(const struct capture *c, enum kernel_tool tool, enum kernel_tool *ret_tool,
                  char error[KERNEL_ERROR_MAX]);

#endif
