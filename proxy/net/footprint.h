/* How much memory this process holds and may hold, as the kernel tells. */
#ifndef NET_FOOTPRINT_H
#define NET_FOOTPRINT_H

#include <stdint.h>

/* Finds the limit of the cgroup and opens what footprint_bytes reads. Once, before files are closed off. */
void footprint_open(void);

/* Bytes that the cgroup of the process may hold; 0: no limit is known. */
uint64_t footprint_limit(void);

/* Bytes that the cgroup holds now, all its processes, their sockets and what the kernel keeps for them, without files
 * that can be read again; 0: unknown, or its limit is that of another above it. Any thread. */
uint64_t footprint_group_bytes(void);

/* Private bytes of the process in memory now; 0: unknown. Any thread. */
uint64_t footprint_bytes(void);

/* Gives free memory of the allocator back to the kernel. Takes a millisecond for each ten MiB or so. Any thread. */
void footprint_trim(void);

#endif
