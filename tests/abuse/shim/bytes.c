/* Makes sockets give few bytes a read and take at most a few a write, whatever was asked: TCP may do that too. The
 * bytes of a write are in ABUSE_WRITE (default 7). Reads give 1 byte; with ABUSE_READ=N 1, 2, ... N and 1 again, each
 * thread for itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static size_t write_max = 7, read_max = 1;

__attribute__((constructor)) static void begin(void)
{
    const char *n = getenv("ABUSE_WRITE");
    if (n)
        write_max = (size_t)strtoul(n, NULL, 10);
    n = getenv("ABUSE_READ");
    if (n)
        read_max = (size_t)strtoul(n, NULL, 10);
}

static size_t next_read(void)
{
    static _Thread_local size_t last;
    last = last % read_max + 1;
    return last;
}

static int is_stream(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static size_t clip(int fd, size_t n, size_t max)
{
    return n > max && is_stream(fd) ? max : n;
}

ssize_t read(int fd, void *p, size_t n)
{
    return syscall(SYS_read, fd, p, clip(fd, n, next_read()));
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
    return syscall(SYS_recvfrom, fd, p, clip(fd, n, next_read()), flags, NULL, NULL);
}

ssize_t write(int fd, const void *p, size_t n)
{
    return syscall(SYS_write, fd, p, clip(fd, n, write_max));
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    return syscall(SYS_sendto, fd, p, clip(fd, n, write_max), flags, NULL, 0);
}

ssize_t readv(int fd, const struct iovec *v, int n)
{
    if (n > 0 && is_stream(fd))
        return read(fd, v[0].iov_base, v[0].iov_len);
    return syscall(SYS_readv, fd, v, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    for (int i = 0; i < n && is_stream(fd); i++)
        if (v[i].iov_len > 0)
            return write(fd, v[i].iov_base, v[i].iov_len);
    return syscall(SYS_writev, fd, v, n);
}
