/* The rest of the outside: names, file watches and the admin server, as tables that tests fill and ask. */
#include "inside.h"

#include "net/resolve.h"
#include "net/sock.h"
#include "net/watch.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 64 };

struct name {
    const char *text;
    struct address addresses[RESOLVE_MAX];
    size_t n;
};

struct watch {
    struct list node;
    struct loop *loop;
    void (*changed)(void *ctx);
    void *ctx;
    size_t paths;
};

struct http_server {
    struct list node;
    int fd;
    void (*handle)(void *ctx, const char *path, const char *query, struct http_answer *answer);
    void *ctx;
};

static struct name names[NAMES_MAX];
static size_t names_n;
static struct list watches = {&watches, &watches}, servers = {&servers, &servers};

void world_name(const char *text, const struct address *addresses, size_t n)
{
    size_t i = 0;
    while (i < names_n && strcmp(names[i].text, text) != 0)
        i++;
    if (i == NAMES_MAX || n > RESOLVE_MAX)
        world_die("too many names or addresses", -1);
    names_n += i == names_n;
    names[i].text = world_keep(text);
    names[i].n = n;
    for (size_t k = 0; k < n; k++)
        names[i].addresses[k] = addresses[k];
}

enum err resolve_now(const struct address *a, ns_t timeout_ns, struct address *ret, size_t *ret_n, char *error)
{
    (void)timeout_ns;
    *ret_n = 0;
    for (size_t i = 0; i < names_n; i++)
        if (strcmp(names[i].text, a->name) == 0)
            for (size_t k = 0; k < names[i].n; k++) {
                ret[*ret_n] = names[i].addresses[k];
                ret[(*ret_n)++].port = a->port;
            }
    if (*ret_n > 0)
        return ERR_NONE;
    (void)snprintf(error, RESOLVE_ERROR_MAX, "%.80s: Domain name not found", a->name);
    return ERR_NOT_FOUND;
}

struct watch *watch_new(struct loop *l, void (*changed)(void *ctx), void *ctx)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct watch){.loop = l, .changed = changed, .ctx = ctx};
    list_push_back(&watches, &w->node);
    world.watches++;
    return w;
}

enum err watch_add(struct watch *w, const char *path)
{
    (void)path;
    w->paths++;
    return ERR_NONE;
}

void watch_clear(struct watch *w)
{
    w->paths = 0;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    list_remove(&w->node);
    world.watches--;
    free(w);
}

static void on_touch(void *arg)
{
    LIST_FOR_SAFE(node, &watches) {
        struct watch *w = CONTAINER_OF(node, struct watch, node);
        if (w == arg) {
            w->changed(w->ctx);
            return;
        }
    }
}

void world_touch(void)
{
    LIST_FOR(node, &watches) {
        struct watch *w = CONTAINER_OF(node, struct watch, node);
        if (w->paths > 0 && loop_post(w->loop, on_touch, w) != ERR_NONE)
            world_die("out of memory", -1);
    }
}

struct http_server *
http_server_new(struct loop *l, int fd,
                void (*handle)(void *ctx, const char *path, const char *query, struct http_answer *answer), void *ctx)
{
    (void)l;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct http_server){.fd = fd, .handle = handle, .ctx = ctx};
    list_push_back(&servers, &s->node);
    return s;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    list_remove(&s->node);
    sock_close(s->fd);
    free(s);
}

bool world_http_get(const struct address *a, const char *path, const char *query, struct http_answer *ret)
{
    LIST_FOR(node, &servers) {
        struct http_server *s = CONTAINER_OF(node, struct http_server, node);
        if (!sock_is_listening_on(s->fd, a))
            continue;
        *ret = (struct http_answer){0};
        s->handle(s->ctx, path, query, ret);
        return true;
    }
    return false;
}

void outside_end_world(void)
{
    names_n = 0;
    if (!list_is_empty(&watches) || !list_is_empty(&servers))
        world_die("a watch or an HTTP server was not freed", -1);
}
