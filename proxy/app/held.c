/* A small table; positions move when one goes. */
#include "app/held.h"

#include "base/log.h"
#include "net/sock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int find(const struct held *h, const struct address *a)
{
    for (int i = 0; i < h->n; i++)
        if (address_eq(&h->v[i].address, a))
            return i;
    return -1;
}

bool held_add(struct held *h, int fd, bool ours)
{
    struct address a;
    char name[ADDRESS_PATH_MAX + 1];
    if (h->n == HELD_MAX || sock_local(fd, &a, name) != ERR_NONE || !sock_is_listening_on(fd, &a) || find(h, &a) >= 0) {
        sock_close(fd);
        return false;
    }
    struct held_socket *s = &h->v[h->n++];
    *s = (struct held_socket){.fd = fd, .address = a, .ours = ours};
    if (a.name) {
        snprintf(s->name, sizeof s->name, "%s", a.name);
        s->address.name = s->name;
    }
    return true;
}

static void let_go(struct held *h, int i)
{
    if (h->v[i].ours)
        sock_remove_file(&h->v[i].address);
    sock_close(h->v[i].fd);
    h->n--;
    if (i == h->n)
        return;
    h->v[i] = h->v[h->n];
    if (h->v[i].address.name)
        h->v[i].address.name = h->v[i].name;
}

static bool open_one(struct held *h, const struct address *a, bool is_public, int *ret_errno)
{
    int fd;
    if (find(h, a) >= 0 || h->n == HELD_MAX)
        return true;
    if (sock_listen(a, is_public, &fd, ret_errno) != ERR_NONE)
        return false;
    held_add(h, fd, true);
    return true;
}

bool held_open(struct held *h, const struct snapshot *snap)
{
    int why = 0;
    for (size_t i = 0; i < snap->listeners_n; i++) {
        const struct listener_conf *l = &snap->listeners[i];
        if (open_one(h, &l->address, l->is_public || l->inbound, &why))
            continue;
        fprintf(stderr, "%s:%u:%u: cannot listen on %s: %s\n", l->place.file, l->place.line, l->place.column, l->text,
                strerror(why));
        return false;
    }
    if (snap->admin.present)
        (void)open_one(h, &snap->admin.address, snap->admin.is_public, &why);
    return true;
}

static bool is_named(const struct snapshot *snap, const struct address *a)
{
    for (size_t i = 0; i < snap->listeners_n; i++)
        if (address_eq(&snap->listeners[i].address, a))
            return true;
    return snap->admin.present && address_eq(&snap->admin.address, a);
}

void held_close_unnamed(struct held *h, const struct snapshot *snap)
{
    char text[ADDRESS_TEXT_MAX];
    for (int i = h->n; i-- > 0;) {
        if (is_named(snap, &h->v[i].address))
            continue;
        address_format(&h->v[i].address, text, sizeof text);
        if (!h->v[i].ours)
            log_line(LOG_WARN, "passed_socket_closed", LOG_TEXT("listen", text),
                     LOG_TEXT("why", "the configuration names no such address"));
        let_go(h, i);
    }
}

void held_close(struct held *h)
{
    while (h->n > 0)
        let_go(h, h->n - 1);
}

/* Whoever opened it may have left it blocking. */
static void prepare(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void held_adopt(struct held *h)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    long count = pid && n && strtol(pid, NULL, 10) == getpid() ? strtol(n, NULL, 10) : 0;
    for (int fd = 3; fd < 3 + count; fd++) {
        prepare(fd);
        held_add(h, fd, false);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

bool held_arrange(const struct held *h)
{
    int moved[HELD_MAX];
    for (int i = 0; i < h->n; i++)
        moved[i] = fcntl(h->v[i].fd, F_DUPFD_CLOEXEC, held_above(h));
    for (int i = 0; i < h->n; i++)
        if (moved[i] < 0 || dup2(moved[i], 3 + i) < 0)
            return false;
    return true;
}
