/* The thinnest layer over sockets. Everything non-blocking, close-on-exec. tests/ link memory pipes under this header.
 */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "base/address.h"

#include <sys/types.h>

/* Binds and listens (SO_REUSEADDR; IPV6_V6ONLY for [::] off; unix: a stale socket file is replaced, mode 0600 unless
 * is_public). On failure *ret_errno tells why. */
MUST_CHECK enum err sock_listen(const struct address *a, bool is_public, int *ret_fd, int *ret_errno);

/* Removes the file of a unix socket that sock_listen made; to be called before its descriptor is closed, while nobody
 * else can have bound the path. Does nothing for other addresses. */
void sock_remove_file(const struct address *a);

/* A connected descriptor with TCP_NODELAY, or ERR_AGAIN (none waiting), ERR_LIMIT (descriptors or memory out:
 * EMFILE, ENFILE, ENOBUFS, ENOMEM), ERR_IO (that connection died; try again). The peer's address goes to *ret_peer when
 * not NULL. */
MUST_CHECK enum err sock_accept(int listen_fd, int *ret_fd, struct address *ret_peer);

/* Begins to connect. ERR_NONE: *ret_fd will become writable when connected or failed (then sock_connect_result).
 * TCP_NODELAY, TCP keepalive 10 s + 3 x 5 s, TCP_USER_TIMEOUT 15 s. */
MUST_CHECK enum err sock_connect(const struct address *a, int *ret_fd, int *ret_errno);

/* 0 when connected, else the errno of the failure. */
int sock_connect_result(int fd);

/* Bytes read (> 0), 0 at the end of the stream, -1 with ERR_AGAIN or ERR_IO in *ret; errno tells which failure. One
 * system call. */
ssize_t sock_read(int fd, void *p, size_t n, enum err *ret);

/* Bytes written (maybe fewer than n), -1 with ERR_AGAIN or ERR_IO in *ret; errno tells which failure. No SIGPIPE. One
 * system call. */
ssize_t sock_write(int fd, const void *p, size_t n, enum err *ret);

/* Tells the peer that nothing more comes, without closing. */
void sock_shutdown_write(int fd);
void sock_close(int fd);

/* The address a listening or connected descriptor is bound to (LISTEN_FDS, port 0 in tests). */
MUST_CHECK enum err sock_local(int fd, struct address *ret, char *name_storage /* ADDRESS_PATH_MAX + 1 */);

/* The address that a connected descriptor is connected to; of a unix socket the kind only. ERR_IO when it is gone. */
MUST_CHECK enum err sock_peer(int fd, struct address *ret);

/* What an accepted connection was going to before the kernel redirected it here, and its own end of it; both as IPv4
 * when they are, whatever the socket. ERR_NOT_FOUND: the kernel knows of no redirection in this family, or it is no IP
 * connection. */
MUST_CHECK enum err sock_original(int fd, struct address *ret, struct address *ret_local);

/* A descriptor for which `fd` may be an inherited listening socket bound to `a`. */
bool sock_is_listening_on(int fd, const struct address *a);

/* reads and writes made on this thread since it began. */
void sock_counts(uint64_t *ret_reads, uint64_t *ret_writes);

#endif
