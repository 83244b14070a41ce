/* Requests and clients: what waits, what is over, and the end of a turn. */
#include "app/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { PSEUDO_FIELDS = 4 };

struct header client_field(const char *name, struct slice value)
{
    return (struct header){.name = name,
                           .name_n = (uint32_t)strlen(name),
                           .value = value.p,
                           .value_n = (uint32_t)value.n,
                           .token = (uint16_t)token_find(name, strlen(name))};
}

void client_kick(struct client_env *env)
{
    loop_timer_set(env->kick, loop_now(env->loop));
}

static void on_kick(void *ctx)
{
    (void)ctx; /* the turn's end does the work */
}

static void free_request(struct client_request *r)
{
    list_remove(&r->node);
    if (r->timer)
        loop_timer_free(r->timer);
    arena_fini(&r->arena);
    free(r);
}

static void free_link(struct client_link *l)
{
    list_remove(&l->node);
    lookup_free(l->lookup);
    loop_timer_free(l->timer);
    tls_context_unref(l->tls);
    free(l);
}

static void free_client(struct client *c)
{
    list_remove(&c->node);
    tls_context_unref(c->target.tls);
    arena_fini(&c->arena);
    free(c);
}

static void sweep(struct client_env *env)
{
    LIST_FOR_SAFE(n, &env->dead_requests)
        free_request(CONTAINER_OF(n, struct client_request, node));
    LIST_FOR_SAFE(n, &env->dead_links)
        free_link(CONTAINER_OF(n, struct client_link, node));
    LIST_FOR_SAFE(n, &env->clients) {
        struct client *c = CONTAINER_OF(n, struct client, node);
        if (c->freed && c->requests == 0 && list_is_empty(&c->links))
            free_client(c);
    }
    conn_sweep(env->conns);
}

/* Some link takes requests, or will, or there are enough of them. */
static bool is_served(const struct client *c)
{
    uint32_t links = 0;
    LIST_FOR(n, &c->links) {
        const struct client_link *l = CONTAINER_OF(n, struct client_link, node);
        bool usable = !l->draining && !l->doomed;
        if (usable && (!l->ready || session_room(&l->session) > 0))
            return true;
        links += usable;
    }
    return links >= CLIENT_LINKS_MAX;
}

static void run(struct client *c)
{
    if (!list_is_empty(&c->waiting) && !is_served(c))
        client_link_new(c);
    LIST_FOR_SAFE(n, &c->links) {
        struct client_link *l = CONTAINER_OF(n, struct client_link, node);
        client_link_run(l);
        if (l->doomed)
            client_link_close(l);
    }
}

static void on_turn_end(void *ctx)
{
    struct client_env *env = ctx;
    LIST_FOR_SAFE(n, &env->clients)
        run(CONTAINER_OF(n, struct client, node));
    sweep(env);
}

struct client_env *client_env_new(struct loop *l)
{
    struct client_env *env = calloc(1, sizeof *env);
    if (!env)
        return NULL;
    env->loop = l;
    env->conns = conn_env_new(l);
    env->kick = loop_timer_new(l, on_kick, env);
    list_init(&env->clients);
    list_init(&env->dead_requests);
    list_init(&env->dead_links);
    if (env->conns && env->kick) {
        session_env_init(&env->sessions, &env->stats);
        loop_set_turn_end(l, on_turn_end, env);
        return env;
    }
    if (env->conns)
        conn_env_free(env->conns);
    if (env->kick)
        loop_timer_free(env->kick);
    free(env);
    return NULL;
}

void client_env_free(struct client_env *env)
{
    if (!env)
        return;
    LIST_FOR_SAFE(n, &env->clients)
        client_free(CONTAINER_OF(n, struct client, node));
    on_turn_end(env);
    loop_set_turn_end(env->loop, NULL, NULL);
    loop_timer_free(env->kick);
    session_env_fini(&env->sessions);
    conn_env_free(env->conns);
    free(env);
}

static bool copy_text(struct arena *a, const char **text)
{
    if (!*text)
        return true;
    *text = arena_strdup(a, *text);
    return *text != NULL;
}

struct client *client_new(struct client_env *env, const struct client_target *target)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->env = env;
    c->target = *target;
    arena_init(&c->arena, NULL, 0);
    list_init(&c->waiting);
    list_init(&c->links);
    const char **texts[] = {&c->target.address.name,    &c->target.authority,  &c->target.expect.server_name,
                            &c->target.expect.identity, &c->target.expect.dns, &c->target.expect.ip};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (copy_text(&c->arena, texts[i]))
            continue;
        arena_fini(&c->arena);
        free(c);
        return NULL;
    }
    if (c->target.tls)
        tls_context_ref(c->target.tls);
    list_push_back(&env->clients, &c->node);
    return c;
}

static void cancel_all(struct list *requests)
{
    LIST_FOR_SAFE(n, requests)
        client_cancel(CONTAINER_OF(n, struct client_request, node));
}

void client_free(struct client *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    cancel_all(&c->waiting);
    LIST_FOR(n, &c->links) {
        struct client_link *l = CONTAINER_OF(n, struct client_link, node);
        cancel_all(&l->requests);
        client_link_doom(l, CLIENT_END_LOST, "");
    }
    client_kick(c->env);
}

void client_set_tls(struct client *c, struct tls_context *tls)
{
    if (tls == c->target.tls)
        return;
    tls_context_unref(c->target.tls);
    c->target.tls = tls ? tls_context_ref(tls) : NULL;
    LIST_FOR(n, &c->links)
        CONTAINER_OF(n, struct client_link, node)->draining = true;
    client_kick(c->env);
}

void client_finish(struct client_request *r, enum client_end end, const struct headers *trailers, const char *why)
{
    if (r->over)
        return;
    r->over = true;
    r->client->requests--;
    list_remove(&r->node);
    list_push_back(&r->client->env->dead_requests, &r->node);
    if (r->timer)
        loop_timer_set(r->timer, NS_NEVER);
    if (stream_is_open(&r->stream))
        stream_reset(&r->stream, H2_CANCEL);
    if (r->events)
        r->events->on_end(r->ctx, end, trailers, why);
    client_kick(r->client->env);
}

void client_cancel(struct client_request *r)
{
    if (!r || r->over)
        return;
    r->events = NULL;
    client_finish(r, CLIENT_END_RESET, NULL, "");
}

static void on_timeout(void *ctx)
{
    client_finish(ctx, CLIENT_END_TIMEOUT, NULL, "no answer in time");
}

static struct header copy_field(struct arena *a, struct header h)
{
    struct slice name = arena_copy(a, header_name(&h)), value = arena_copy(a, header_value(&h));
    h.name = name.p;
    h.value = value.p;
    h.token = (uint16_t)(name.p ? token_find(name.p, name.n) : TOKEN_NONE);
    return h;
}

static bool copy_call(struct client_request *r, const struct client_call *call)
{
    const struct client *c = r->client;
    const struct header pseudo[PSEUDO_FIELDS] = {
        header_make(TOKEN_METHOD, slice_str(call->method)),
        header_make(TOKEN_SCHEME, c->target.tls ? SLICE("https") : SLICE("http")),
        header_make(TOKEN_AUTHORITY, slice_str(c->target.authority)), header_make(TOKEN_PATH, call->path)};
    struct header *v = arena_alloc(&r->arena, (PSEUDO_FIELDS + call->fields_n) * sizeof *v);
    if (!v)
        return false;
    r->fields = v;
    r->fields_n = PSEUDO_FIELDS + call->fields_n;
    for (size_t i = 0; i < r->fields_n; i++) {
        v[i] = copy_field(&r->arena, i < PSEUDO_FIELDS ? pseudo[i] : call->fields[i - PSEUDO_FIELDS]);
        if (!v[i].name || !v[i].value)
            return false;
    }
    if (call->body.p)
        r->body = arena_copy(&r->arena, call->body);
    return !call->body.p || r->body.p;
}

struct client_request *client_open(struct client *c, const struct client_call *call, const struct client_events *events,
                                   void *ctx)
{
    if (c->freed || c->requests >= CLIENT_REQUESTS_MAX || call->fields_n > CLIENT_FIELDS_MAX ||
        call->body.n > CLIENT_BODY_MAX)
        return NULL;
    struct client_request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->client = c;
    r->events = events;
    r->ctx = ctx;
    stream_init(&r->stream);
    list_init(&r->node);
    arena_init(&r->arena, NULL, 0);
    r->timer = call->timeout_ns > 0 ? loop_timer_new(c->env->loop, on_timeout, r) : NULL;
    if (!copy_call(r, call) || (call->timeout_ns > 0 && !r->timer)) {
        free_request(r);
        return NULL;
    }
    if (r->timer)
        loop_timer_set(r->timer, ns_add(loop_now(c->env->loop), call->timeout_ns));
    c->requests++;
    list_push_back(&c->waiting, &r->node);
    client_kick(c->env);
    return r;
}
