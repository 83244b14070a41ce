/* A blocking name look-up: c-ares with a poll loop of its own and one deadline for everything. */
#include "net/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SOCKETS_MAX = 16, TRY_MS = 1000, TRIES = 3 };

struct resolve {
    const struct address *asked;
    struct address *ret;
    size_t n;
    int status; /* of c-ares */
    bool done;
    struct pollfd sockets[SOCKETS_MAX];
    nfds_t n_sockets;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
    (void)ares_library_init(ARES_LIB_INIT_ALL);
}

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
    struct resolve *r = data;
    short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
    nfds_t i = 0;
    while (i < r->n_sockets && r->sockets[i].fd != fd)
        i++;
    if (events == 0 && i < r->n_sockets)
        r->sockets[i] = r->sockets[--r->n_sockets];
    else if (events != 0 && i < SOCKETS_MAX) {
        r->sockets[i] = (struct pollfd){.fd = fd, .events = events};
        r->n_sockets += i == r->n_sockets;
    }
}

static void keep(struct resolve *r, const struct ares_addrinfo_node *node)
{
    struct address a = {.port = r->asked->port};
    const void *name = node->ai_addr;
    if (node->ai_family == AF_INET) {
        a.kind = ADDRESS_IPV4;
        memcpy(a.ip, &((const struct sockaddr_in *)name)->sin_addr, 4);
    } else {
        a.kind = ADDRESS_IPV6;
        memcpy(a.ip, &((const struct sockaddr_in6 *)name)->sin6_addr, 16);
    }
    for (size_t i = 0; i < r->n; i++)
        if (address_eq(&r->ret[i], &a))
            return;
    if (r->n < RESOLVE_MAX)
        r->ret[r->n++] = a;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct resolve *r = arg;
    r->status = status;
    r->done = true;
    if (!info)
        return;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        if (node->ai_family == AF_INET)
            keep(r, node);
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        if (node->ai_family == AF_INET6)
            keep(r, node);
    ares_freeaddrinfo(info);
}

/* Milliseconds until c-ares wants to be called or the deadline passes; -1 when it has passed. */
static int wait_ms(ares_channel channel, ns_t deadline)
{
    ns_t left = deadline - clock_monotonic();
    if (left <= 0)
        return -1;
    struct timeval most = {.tv_sec = left / NS_PER_S, .tv_usec = left % NS_PER_S / NS_PER_US}, wait;
    const struct timeval *t = ares_timeout(channel, &most, &wait);
    return (int)(t->tv_sec * 1000 + t->tv_usec / 1000 + 1);
}

static void process(ares_channel channel, struct resolve *r, int ready)
{
    struct pollfd polled[SOCKETS_MAX]; /* the callbacks change r->sockets */
    nfds_t n = r->n_sockets;
    memcpy(polled, r->sockets, n * sizeof *polled);
    if (ready <= 0)
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (nfds_t i = 0; i < n && ready > 0; i++)
        if (polled[i].revents)
            ares_process_fd(channel, polled[i].revents & ~POLLOUT ? polled[i].fd : ARES_SOCKET_BAD,
                            polled[i].revents & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
}

static void run(ares_channel channel, struct resolve *r, ns_t deadline)
{
    while (!r->done) {
        int ms = wait_ms(channel, deadline);
        if (ms < 0) {
            ares_cancel(channel);
            r->status = ARES_ETIMEOUT;
            return;
        }
        int ready = poll(r->sockets, r->n_sockets, ms);
        process(channel, r, ready);
    }
}

enum err resolve_now(const struct address *a, ns_t timeout_ns, struct address *ret, size_t *ret_n, char *error)
{
    struct resolve r = {.asked = a, .ret = ret};
    struct ares_options options = {
        .timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_socket, .sock_state_cb_data = &r};
    const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};
    ares_channel channel;
    ns_t deadline = ns_add(clock_monotonic(), timeout_ns);
    *ret_n = 0;
    pthread_once(&library_once, init_library);
    int status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        (void)snprintf(error, RESOLVE_ERROR_MAX, "the resolver cannot start: %s", ares_strerror(status));
        return ERR_IO;
    }
    ares_getaddrinfo(channel, a->name, NULL, &hints, on_answer, &r);
    run(channel, &r, deadline);
    ares_destroy(channel);
    *ret_n = r.n;
    if (r.n > 0)
        return ERR_NONE;
    const char *why = r.status == ARES_SUCCESS ? "no address" : ares_strerror(r.status);
    (void)snprintf(error, RESOLVE_ERROR_MAX, "%.80s: %s", a->name, why);
    return r.status == ARES_ETIMEOUT ? ERR_TIMEOUT : ERR_NOT_FOUND;
}
