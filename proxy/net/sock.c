/* Sockets: IPv4, IPv6 and unix, non-blocking and close-on-exec. One system call per read and write, counted by thread.
 */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };
enum {
    SO_ORIGINAL_DST = 80,
    IP6T_SO_ORIGINAL_DST = 80
}; /* linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h */
enum { KEEPALIVE_IDLE_S = 10, KEEPALIVE_EVERY_S = 5, KEEPALIVE_COUNT = 3, USER_TIMEOUT_MS = 15000 };

union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

static _Thread_local uint64_t count_reads, count_writes;

/* Length of the name, 0 for a kind that is no socket address. */
static socklen_t to_name(const struct address *a, union name *ret)
{
    *ret = (union name){0};
    switch (a->kind) {
    case ADDRESS_IPV4:
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(a->port);
        memcpy(&ret->v4.sin_addr, a->ip, 4);
        return sizeof ret->v4;
    case ADDRESS_IPV6:
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(a->port);
        memcpy(&ret->v6.sin6_addr, a->ip, 16);
        return sizeof ret->v6;
    case ADDRESS_UNIX:
        ret->un.sun_family = AF_UNIX;
        memcpy(ret->un.sun_path, a->name, strlen(a->name) + 1);
        return sizeof ret->un;
    case ADDRESS_NAME:
        break;
    }
    return 0;
}

/* `name_storage` may be NULL: then a unix path comes out as "". */
static enum err from_name(const union name *n, socklen_t len, struct address *ret, char *name_storage)
{
    *ret = (struct address){0};
    switch (n->any.sa_family) {
    case AF_INET:
        ret->kind = ADDRESS_IPV4;
        ret->port = ntohs(n->v4.sin_port);
        memcpy(ret->ip, &n->v4.sin_addr, 4);
        return ERR_NONE;
    case AF_INET6:
        ret->kind = ADDRESS_IPV6;
        ret->port = ntohs(n->v6.sin6_port);
        memcpy(ret->ip, &n->v6.sin6_addr, 16);
        return ERR_NONE;
    case AF_UNIX:
        ret->kind = ADDRESS_UNIX;
        ret->name = "";
        if (name_storage) {
            size_t most =
                len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;
            size_t path = strnlen(n->un.sun_path, most);
            memcpy(name_storage, n->un.sun_path, path);
            name_storage[path] = '\0';
            ret->name = name_storage;
        }
        return ERR_NONE;
    default:
        return ERR_INVALID;
    }
}

static void set_int(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

/* A path is free for binding when nothing answers there; only a socket file is ever removed. */
static void remove_stale(const union name *n, socklen_t len)
{
    struct stat st;
    if (lstat(n->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return;
    if (connect(probe, &n->any, len) != 0 && errno == ECONNREFUSED)
        (void)unlink(n->un.sun_path);
    close(probe);
}

static bool bind_and_listen(int fd, const union name *n, socklen_t len, bool is_public)
{
    if (n->any.sa_family != AF_UNIX) {
        set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (n->any.sa_family == AF_INET6)
            set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
        return bind(fd, &n->any, len) == 0 && listen(fd, BACKLOG) == 0;
    }
    remove_stale(n, len);
    /* Nobody can connect before listen, so the mode is right from the first connection on. */
    return bind(fd, &n->any, len) == 0 && chmod(n->un.sun_path, is_public ? 0666 : 0600) == 0 &&
           listen(fd, BACKLOG) == 0;
}

enum err sock_listen(const struct address *a, bool is_public, int *ret_fd, int *ret_errno)
{
    union name n;
    socklen_t len = to_name(a, &n);
    *ret_errno = EAFNOSUPPORT;
    if (len == 0)
        return ERR_INVALID;
    int fd = socket(n.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !bind_and_listen(fd, &n, len, is_public)) {
        *ret_errno = errno;
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    *ret_errno = 0;
    *ret_fd = fd;
    return ERR_NONE;
}

static bool is_limit(int e)
{
    return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

void sock_remove_file(const struct address *a)
{
    struct stat st;
    if (a->kind == ADDRESS_UNIX && lstat(a->name, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(a->name);
}

enum err sock_accept(int listen_fd, int *ret_fd, struct address *ret_peer)
{
    union name n;
    socklen_t len = sizeof n;
    int fd = accept4(listen_fd, &n.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EAGAIN ? ERR_AGAIN : is_limit(errno) ? ERR_LIMIT : ERR_IO;
    if (n.any.sa_family != AF_UNIX)
        set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (ret_peer && from_name(&n, len, ret_peer, NULL) != ERR_NONE)
        *ret_peer = (struct address){.kind = ADDRESS_UNIX, .name = ""};
    *ret_fd = fd;
    return ERR_NONE;
}

static void set_tcp_client(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

enum err sock_connect(const struct address *a, int *ret_fd, int *ret_errno)
{
    union name n;
    socklen_t len = to_name(a, &n);
    *ret_errno = EAFNOSUPPORT;
    if (len == 0)
        return ERR_INVALID;
    int fd = socket(n.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *ret_errno = errno;
        return is_limit(errno) ? ERR_LIMIT : ERR_IO;
    }
    if (n.any.sa_family != AF_UNIX)
        set_tcp_client(fd);
    if (connect(fd, &n.any, len) != 0 && errno != EINPROGRESS) {
        *ret_errno = errno;
        close(fd);
        return ERR_IO;
    }
    *ret_errno = 0;
    *ret_fd = fd;
    return ERR_NONE;
}

int sock_connect_result(int fd)
{
    int e = 0;
    socklen_t len = sizeof e;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 ? e : errno;
}

static bool is_again(int e)
{
    return e == EAGAIN || e == EINTR;
}

ssize_t sock_read(int fd, void *p, size_t n, enum err *ret)
{
    count_reads++;
    ssize_t got = read(fd, p, n);
    *ret = got >= 0 ? ERR_NONE : is_again(errno) ? ERR_AGAIN : ERR_IO;
    return got;
}

ssize_t sock_write(int fd, const void *p, size_t n, enum err *ret)
{
    count_writes++;
    ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
    *ret = put >= 0 ? ERR_NONE : is_again(errno) ? ERR_AGAIN : ERR_IO;
    return put;
}

void sock_shutdown_write(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

void sock_close(int fd)
{
    (void)close(fd);
}

enum err sock_local(int fd, struct address *ret, char *name_storage)
{
    union name n;
    socklen_t len = sizeof n;
    if (getsockname(fd, &n.any, &len) != 0)
        return ERR_IO;
    return from_name(&n, len, ret, name_storage);
}

enum err sock_peer(int fd, struct address *ret)
{
    union name n;
    socklen_t len = sizeof n;
    if (getpeername(fd, &n.any, &len) != 0)
        return ERR_IO;
    return from_name(&n, len, ret, NULL);
}

enum err sock_original(int fd, struct address *ret, struct address *ret_local)
{
    union name n = {0};
    socklen_t len = sizeof n;
    if (sock_local(fd, ret_local, NULL) != ERR_NONE || ret_local->kind == ADDRESS_UNIX)
        return ERR_NOT_FOUND;
    address_unmap(ret_local);
    bool v4 = ret_local->kind == ADDRESS_IPV4;
    if (getsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? SO_ORIGINAL_DST : IP6T_SO_ORIGINAL_DST, &n, &len) != 0)
        return ERR_NOT_FOUND;
    return from_name(&n, len, ret, NULL) == ERR_NONE ? ERR_NONE : ERR_NOT_FOUND;
}

bool sock_is_listening_on(int fd, const struct address *a)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    struct address local;
    char path[ADDRESS_PATH_MAX + 1];
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
        return false;
    return sock_local(fd, &local, path) == ERR_NONE && address_eq(&local, a);
}

void sock_counts(uint64_t *ret_reads, uint64_t *ret_writes)
{
    *ret_reads = count_reads;
    *ret_writes = count_writes;
}
