/* Connects, writes the request, reads to the end of the connection, and takes the answer apart. */
#include "net/http_client.h"

#include "net/loop.h"
#include "net/resolve.h"
#include "net/sock.h"

#include <stdio.h>
#include <stdlib.h>

enum { REQUEST_MAX = 512, READ_BYTES = 16384 };

/* Owned by: http_client_get. */
struct client {
    struct loop *loop;
    struct loop_io *io;
    int fd;
    bool connected;
    char request[REQUEST_MAX];
    size_t request_n, written;
    struct buf *in;
    enum err result;
    char *error;
};

static void finish(struct client *c, enum err result, const char *what, const char *why)
{
    c->result = result;
    if (result != ERR_NONE)
        (void)snprintf(c->error, HTTP_CLIENT_ERROR_MAX, "%s%s", what, why);
    loop_stop(c->loop);
}

static void on_connected(struct client *c)
{
    int failure = sock_connect_result(c->fd);
    if (failure) {
        finish(c, ERR_IO, "cannot connect: ", strerror(failure));
        return;
    }
    c->connected = true;
    loop_io_want(c->io, LOOP_READ | LOOP_WRITE);
}

static void on_writable(struct client *c)
{
    enum err e = ERR_NONE;
    ssize_t n = sock_write(c->fd, c->request + c->written, c->request_n - c->written, &e);
    if (n > 0)
        c->written += (size_t)n;
    else if (e == ERR_IO)
        finish(c, ERR_IO, "the connection broke", "");
    if (c->written == c->request_n)
        loop_io_want(c->io, LOOP_READ);
}

static void on_readable(struct client *c)
{
    enum err e = ERR_NONE;
    uint8_t *room = buf_reserve(c->in, READ_BYTES);
    ssize_t n = room ? sock_read(c->fd, room, READ_BYTES, &e) : -1;
    if (n > 0)
        buf_commit(c->in, (size_t)n);
    if (!room || buf_len(c->in) > HTTP_CLIENT_ANSWER_MAX)
        finish(c, ERR_LIMIT, "the answer is too long", "");
    else if (n < 0 && e == ERR_IO)
        finish(c, ERR_IO, "the connection broke", "");
    else if (n == 0)
        finish(c, ERR_NONE, "", "");
}

static void on_ready(void *ctx, unsigned what)
{
    struct client *c = ctx;
    if (!c->connected)
        on_connected(c);
    else if (what & LOOP_READ)
        on_readable(c);
    else
        on_writable(c);
}

static void on_timeout(void *ctx)
{
    finish(ctx, ERR_IO, "no answer in time", "");
}

static void exchange(struct client *c, ns_t timeout_ns)
{
    c->loop = loop_new();
    c->io = c->loop ? loop_io_new(c->loop, c->fd, on_ready, c) : NULL;
    if (c->io) {
        loop_io_want(c->io, LOOP_WRITE);
        loop_set_alarm(c->loop, ns_add(loop_now(c->loop), timeout_ns), on_timeout, c);
        loop_run(c->loop);
        loop_io_free(c->io);
    } else {
        (void)snprintf(c->error, HTTP_CLIENT_ERROR_MAX, "no memory or descriptors");
    }
    if (c->loop)
        loop_free(c->loop);
}

static struct slice text_of(const struct buf *b)
{
    return slice_make(buf_head(b), buf_len(b));
}

/* Where `what` begins in s, s.n when nowhere. */
static size_t find(struct slice s, const char *what)
{
    const char *at = s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

/* Bytes of the body that the head announces; SIZE_MAX when it says nothing. */
static size_t length_of(struct slice head)
{
    static const char name[] = "\r\nContent-Length:";
    size_t at = find(head, name);
    return at == head.n ? SIZE_MAX : strtoul(head.p + at + sizeof name - 1, NULL, 10);
}

/* Leaves the body in *in. The head is followed by other bytes, so numbers in it end. */
static enum err take_apart(struct buf *in, char *error)
{
    struct slice all = text_of(in);
    size_t end = find(all, "\r\n\r\n");
    struct slice head = slice_sub(all, 0, end);
    if (end == all.n || head.n < 12 || memcmp(head.p, "HTTP/1.", 7) != 0) {
        (void)snprintf(error, HTTP_CLIENT_ERROR_MAX, "what answers there is no HTTP/1.1 server");
        return ERR_INVALID;
    }
    if (memcmp(head.p + 8, " 200", 4) != 0) {
        (void)snprintf(error, HTTP_CLIENT_ERROR_MAX, "the answer is%.4s", head.p + 8);
        return ERR_INVALID;
    }
    size_t length = length_of(head);
    buf_consume(in, end + 4);
    if (length == SIZE_MAX || length == buf_len(in))
        return ERR_NONE;
    (void)snprintf(error, HTTP_CLIENT_ERROR_MAX, "the answer is cut off");
    return ERR_INVALID;
}

/* The first address that takes a connection begun; the others are not tried. */
static enum err connect_to(const struct address *a, ns_t timeout_ns, int *ret_fd, char *error)
{
    struct address found[RESOLVE_MAX];
    size_t n = 0;
    int failure = 0;
    char why[RESOLVE_ERROR_MAX];
    found[0] = *a;
    if (a->kind == ADDRESS_NAME && resolve_now(a, timeout_ns, found, &n, why) != ERR_NONE) {
        (void)snprintf(error, HTTP_CLIENT_ERROR_MAX, "cannot resolve %s: %s", a->name, why);
        return ERR_NOT_FOUND;
    }
    enum err e = sock_connect(&found[0], ret_fd, &failure);
    if (e != ERR_NONE)
        (void)snprintf(error, HTTP_CLIENT_ERROR_MAX, "cannot connect: %s", strerror(failure));
    return e;
}

enum err http_client_get(const struct address *a, const char *path, ns_t timeout_ns, struct buf *ret, char *error)
{
    struct client c = {.in = ret, .error = error, .result = ERR_NOMEM};
    enum err e = connect_to(a, timeout_ns, &c.fd, error);
    if (e != ERR_NONE)
        return e;
    int n =
        snprintf(c.request, sizeof c.request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    c.request_n = (size_t)n < sizeof c.request ? (size_t)n : sizeof c.request - 1;
    exchange(&c, timeout_ns);
    sock_close(c.fd);
    return c.result == ERR_NONE ? take_apart(ret, error) : c.result;
}
