/* The rest of the outside: names, file watches and the admin server, as tables that tests fill and ask. */
#include "inside.h"

#include "net/footprint.h"
#include "net/http_get.h"
#include "net/lookup.h"
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
    enum lookup_status says; /* when it is looked up for a source */
    uint32_t ttl_s;
};

struct lookup {
    struct loop_timer *timer;
    const struct address *asked;
    void (*done)(void *ctx, const struct lookup_answer *answer);
    void *ctx;
    struct address found[LOOKUP_FAMILIES][RESOLVE_MAX];
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

static struct name *find_name(const char *text)
{
    size_t i = 0;
    while (i < names_n && strcmp(names[i].text, text) != 0)
        i++;
    return i < names_n ? &names[i] : NULL;
}

static struct name *get_name(const char *text)
{
    struct name *name = find_name(text);
    if (name)
        return name;
    if (names_n == NAMES_MAX)
        world_die("too many names", -1);
    names[names_n] = (struct name){.text = world_keep(text)};
    return &names[names_n++];
}

void world_name(const char *text, const struct address *addresses, size_t n)
{
    struct name *name = get_name(text);
    if (n > RESOLVE_MAX)
        world_die("too many addresses", -1);
    name->n = n;
    name->says = n > 0 ? LOOKUP_OK : LOOKUP_NXDOMAIN;
    for (size_t k = 0; k < n; k++)
        name->addresses[k] = addresses[k];
}

void world_name_says(const char *text, enum lookup_status status, uint32_t ttl_s)
{
    struct name *name = get_name(text);
    name->says = status;
    name->ttl_s = ttl_s;
}

static void answer_part(struct lookup *l, const struct name *name, enum lookup_family family, struct lookup_part *part)
{
    enum address_kind kind = family == LOOKUP_V4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    *part = (struct lookup_part){.status = name ? name->says : LOOKUP_NXDOMAIN, .v = l->found[family]};
    if (part->status != LOOKUP_OK)
        return;
    part->ttl_s = name->ttl_s;
    for (size_t i = 0; i < name->n; i++)
        if (name->addresses[i].kind == kind) {
            part->v[part->n] = name->addresses[i];
            part->v[part->n++].port = l->asked->port;
        }
    part->status = part->n > 0 ? LOOKUP_OK : LOOKUP_EMPTY;
}

static void on_looked_up(void *ctx)
{
    struct lookup *l = ctx;
    const struct name *name = find_name(l->asked->name);
    struct lookup_answer answer;
    answer_part(l, name, LOOKUP_V4, &answer.parts[LOOKUP_V4]);
    answer_part(l, name, LOOKUP_V6, &answer.parts[LOOKUP_V6]);
    l->done(l->ctx, &answer);
}

/* No name of a simulation has SRV records: nobody can be asked. */
struct lookup *lookup_srv_new(struct loop *l, const char *name,
                              void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx)
{
    (void)l, (void)name, (void)done, (void)ctx;
    return NULL;
}

struct lookup *lookup_new(struct loop *loop, const struct address *a,
                          void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx)
{
    const struct name *name = find_name(a->name);
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct lookup){.asked = a, .done = done, .ctx = ctx, .timer = loop_timer_new(loop, on_looked_up, l)};
    if (!l->timer)
        world_die("no timer for a look-up", -1);
    loop_timer_set(l->timer, ns_add(world_now(), name && name->says == LOOKUP_TIMEOUT ? LOOKUP_NS : NS_PER_MS));
    return l;
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    loop_timer_free(l->timer);
    free(l);
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

/* Probes, whose answers come later and which ask over HTTP, are not played: nothing in the simulated world lists any.
 */
void http_answer_later(struct http_later *later, struct http_answer *answer)
{
    (void)later;
    (void)answer;
    world_die("an answer came later than its request", -1);
}

struct http_get *http_get_new(struct loop *l, const char *ip, uint16_t port, const char *path, ns_t timeout_ns,
                              void (*on_end)(void *ctx, int status), void *ctx)
{
    (void)l;
    (void)ip;
    (void)port;
    (void)path;
    (void)timeout_ns;
    (void)on_end;
    (void)ctx;
    world_die("somebody asks over HTTP", -1);
    return NULL;
}

void http_get_free(struct http_get *g)
{
    if (g)
        world_die("nobody has asked over HTTP", -1);
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

static uint64_t memory_held;

void world_memory(uint64_t bytes)
{
    memory_held = bytes;
}

void footprint_open(void) {}

uint64_t footprint_limit(void)
{
    return 0;
}

uint64_t footprint_group_bytes(void)
{
    return 0;
}

uint64_t footprint_bytes(void)
{
    return memory_held;
}

void footprint_trim(void) {}

enum err sock_original(int fd, struct address *ret, struct address *ret_local)
{
    (void)fd, (void)ret, (void)ret_local;
    return ERR_NOT_FOUND; /* nobody redirects here */
}
