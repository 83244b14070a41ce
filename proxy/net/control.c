/* One message each way on a socket that keeps messages apart. */
#include "net/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_MS = 1000, BACKLOG = 4 };

/* "outrigger/4026531836/" */
static void name_prefix(char *out, size_t size)
{
    char link[64] = "";
    ssize_t n = readlink("/proc/self/ns/pid", link, sizeof link - 1);
    const char *open = n > 0 ? strchr(link, '[') : NULL;
    snprintf(out, size, "outrigger/%lu/", open ? strtoul(open + 1, NULL, 10) : 0ul);
}

static socklen_t make_name(struct sockaddr_un *un, pid_t pid)
{
    char prefix[64];
    name_prefix(prefix, sizeof prefix);
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(un->sun_path + 1, sizeof un->sun_path - 1, "%s%d", prefix, (int)pid);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int control_listen(void)
{
    struct sockaddr_un un;
    socklen_t n = make_name(&un, getpid());
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (bind(fd, (const struct sockaddr *)&un, n) == 0 && listen(fd, BACKLOG) == 0))
        return fd;
    close(fd);
    return -1;
}

static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static bool receive(int fd, int wait_ms, char *text)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, wait_ms) != 1)
        return false;
    ssize_t n = recv(fd, text, CONTROL_TEXT_MAX - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

enum err control_accept(int fd, char *ret_text, int *ret_connection)
{
    int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (c < 0)
        return ERR_AGAIN;
    if (may_ask(c) && receive(c, REQUEST_MS, ret_text)) {
        *ret_connection = c;
        return ERR_NONE;
    }
    close(c);
    return ERR_AGAIN;
}

void control_answer(int connection, const char *text)
{
    if (connection < 0)
        return;
    (void)send(connection, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(connection);
}

pid_t control_find(void)
{
    char line[512], prefix[64];
    pid_t found = 0;
    FILE *f = fopen("/proc/net/unix", "re");
    name_prefix(prefix, sizeof prefix);
    while (f && found >= 0 && fgets(line, sizeof line, f)) {
        const char *name = strchr(line, '@');
        if (!name || strncmp(name + 1, prefix, strlen(prefix)) != 0)
            continue;
        pid_t pid = (pid_t)strtol(name + 1 + strlen(prefix), NULL, 10);
        found = found == 0 || found == pid ? pid : -1;
    }
    if (f)
        fclose(f);
    return found;
}

enum err control_ask(pid_t pid, const char *text, ns_t wait, char *ret_answer)
{
    struct sockaddr_un un;
    socklen_t n = make_name(&un, pid);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    enum err e = ERR_NOT_FOUND;
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, n) == 0) {
        bool sent = send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
        e = sent && receive(fd, (int)(wait / NS_PER_MS), ret_answer) ? ERR_NONE : ERR_IO;
    }
    if (fd >= 0)
        close(fd);
    return e;
}
