/* The line between the supervisor and a worker process: messages of one byte, each maybe with a descriptor. The end of
 * one process is the end of the line at the other. */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include "base/err.h"

/* Both ends, non-blocking and close-on-exec, the caller's. ERR_IO: errno tells why. */
MUST_CHECK enum err channel_pair(int ret[2]);

/* Sends `what`, with a copy of descriptor `passed` unless it is -1. ERR_AGAIN: the other side does not read; ERR_IO: it
 * is gone. */
MUST_CHECK enum err channel_send(int fd, char what, int passed);

/* The next message; *ret_passed is a descriptor that the caller owns, or -1. ERR_AGAIN: none is waiting; ERR_IO: the
 * other side is gone. */
MUST_CHECK enum err channel_receive(int fd, char *ret_what, int *ret_passed);

#endif
