/* A list, searched once a connection. */
#include "app/captured.h"

#include "app/bound.h"
#include "base/log.h"
#include "base/must.h"
#include "net/sock.h"

#include <stdlib.h>

static const struct listener_conf *listener_of(const struct process *p, const struct bound *b)
{
    for (size_t i = 0; i < p->current->listeners_n; i++)
        if (p->current->listeners[i].bound == b)
            return p->current->listeners[i].conf;
    return NULL;
}

static struct captured *find(struct process *p, const struct bound *b, const struct address *original)
{
    LIST_FOR(n, &p->captured) {
        struct captured *c = CONTAINER_OF(n, struct captured, node);
        if (c->bound == b && address_eq(&c->original, original))
            return c;
    }
    return NULL;
}

static void drop(struct process *p, struct captured *c)
{
    list_remove(&c->node);
    p->captured_n--;
    free(c);
}

/* Makes room by the one that has been without a connection for longest; false when all have one. */
static bool make_room(struct process *p)
{
    if (p->captured_n < (uint64_t)p->current->snapshot->bounds.original_destinations)
        return true;
    LIST_FOR(n, &p->captured) {
        struct captured *c = CONTAINER_OF(n, struct captured, node);
        if (atomic_load(&c->connections) > 0)
            continue;
        drop(p, c);
        return true;
    }
    return false;
}

static struct captured *add(struct process *p, const struct bound *b, const struct address *original)
{
    char text[ADDRESS_TEXT_MAX];
    struct captured *c = must_have(calloc(1, sizeof *c));
    c->id = ++p->captured_id;
    c->bound = b;
    c->original = *original;
    list_push_back(&p->captured, &c->node);
    p->captured_n++;
    log_line(LOG_INFO, "original_destination", LOG_TEXT("listen", b->text),
             LOG_TEXT("original", address_format(original, text, sizeof text)));
    process_renew(p);
    return c;
}

bool captured_find(struct process *p, struct bound *b, struct accepted *a)
{
    const struct listener_conf *l = listener_of(p, b);
    struct address original, local;
    a->flaw = ORIGINAL_DIRECT;
    if (!l || !l->capture)
        return true;
    bool known = sock_original(a->fd, &original, &local) == ERR_NONE;
    a->flaw = original_judge(p->current->snapshot, l, known ? &original : NULL, &local);
    if (a->flaw != ORIGINAL_GOOD)
        return true;
    struct captured *c = find(p, b, &original);
    if (!c && !make_room(p)) {
        counter_add(&p->stats.bounds[BOUND_DOWNSTREAM][BOUND_ORIGINAL_DESTINATIONS], 1);
        return false;
    }
    a->captured = c ? c : add(p, b, &original);
    list_remove(&a->captured->node);
    list_push_back(&p->captured, &a->captured->node);
    atomic_fetch_add(&a->captured->connections, 1);
    return true;
}

void captured_leave(struct captured *c)
{
    if (c)
        atomic_fetch_sub(&c->connections, 1);
}

static void add_passage(struct passage *v, size_t *n, const struct captured *c, uint32_t service)
{
    for (size_t i = *n; i > 0 && v[i - 1].captured == c->id; i--)
        if (v[i - 1].service == service)
            return;
    v[(*n)++] = (struct passage){c->id, service, c->original};
}

/* The targets of its routes that say `original`, one after the other. */
static void add_all(struct passage *v, size_t *n, const struct captured *c, const struct listener_conf *l)
{
    for (size_t i = 0; i < l->routes_n; i++)
        for (size_t k = 0; k < l->routes[i].targets_n; k++)
            if (l->routes[i].targets[k].service->source == ENDPOINTS_ORIGINAL)
                add_passage(v, n, c, l->routes[i].targets[k].service->index);
}

size_t captured_passages(const struct process *p, const struct snapshot *s, struct passage **ret)
{
    struct passage *v = must_have(calloc(p->captured_n * s->services_n + 1, sizeof *v));
    size_t n = 0;
    LIST_FOR(at, &p->captured) {
        const struct captured *c = CONTAINER_OF(at, struct captured, node);
        for (size_t i = 0; i < s->listeners_n; i++)
            if (s->listeners[i].capture && address_eq(&s->listeners[i].address, &c->bound->address))
                add_all(v, &n, c, &s->listeners[i]);
    }
    *ret = v;
    return n;
}

void captured_free_all(struct process *p)
{
    LIST_FOR_SAFE(n, &p->captured)
        drop(p, CONTAINER_OF(n, struct captured, node));
}
