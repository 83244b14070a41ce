/* A pair of unix sockets that keep messages apart. Descriptors go over as SCM_RIGHTS. */
#include "net/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union ancillary {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

enum err channel_pair(int ret[2])
{
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
    return socketpair(AF_UNIX, type, 0, ret) == 0 ? ERR_NONE : ERR_IO;
}

enum err channel_send(int fd, char what, int passed)
{
    union ancillary extra = {0};
    struct iovec bytes = {.iov_base = &what, .iov_len = 1};
    struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (passed >= 0) {
        m.msg_control = &extra;
        m.msg_controllen = sizeof extra.room;
        extra.head =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof passed), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&extra.head), &passed, sizeof passed);
    }
    if (sendmsg(fd, &m, MSG_NOSIGNAL) == 1)
        return ERR_NONE;
    return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_IO;
}

enum err channel_receive(int fd, char *ret_what, int *ret_passed)
{
    union ancillary extra = {0};
    struct iovec bytes = {.iov_base = ret_what, .iov_len = 1};
    struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra.room};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    *ret_passed = -1;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return ERR_AGAIN;
    if (n <= 0)
        return ERR_IO;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_passed, CMSG_DATA(c), sizeof(int));
    return ERR_NONE;
}
