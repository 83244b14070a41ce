/* net/sock.h over memory: links of two directions with latency, bounded capacity and faults. The order within a
 * direction is kept whatever happens, as TCP keeps it. */
#include "inside.h"

#include "net/sock.h"

#include <errno.h>
#include <stdlib.h>

enum { CAPACITY = 256 * 1024, BACKLOG = 1024, FIRST_FD = 3 };
#define USER_TIMEOUT_NS (15 * NS_PER_S) /* what net/sock.h promises for connecting sockets */

static uint64_t count_reads, count_writes;

static struct end *other(const struct end *e)
{
    return &e->link->end[e->is_server ? 0 : 1];
}

static struct descriptor *get(int fd)
{
    if (fd < FIRST_FD || fd >= WORLD_FDS_MAX || (!world.fds[fd].end && !world.fds[fd].listening))
        world_die("not an open descriptor", fd);
    return &world.fds[fd];
}

static struct end *get_end(int fd)
{
    struct end *e = get(fd)->end;
    if (!e)
        world_die("not a connection", fd);
    return e;
}

static int new_fd(struct end *e, struct listening *l)
{
    if (world.fds_open >= world.fds_max - FIRST_FD)
        return -1;
    int fd = FIRST_FD;
    while (world.fds[fd].end || world.fds[fd].listening)
        fd++;
    world.fds[fd] = (struct descriptor){.end = e, .listening = l};
    world.fds_open++;
    return fd;
}

static void free_fd(int fd)
{
    world.fds[fd] = (struct descriptor){0};
    world.fds_open--;
}

/* Sets something on its way to `to`; nothing overtakes in a direction. */
static void send_flight(struct end *to, enum flight_kind kind, size_t n)
{
    struct flight *f = malloc(sizeof *f);
    const struct link *l = to->link;
    if (!f)
        world_die("out of memory", to->fd);
    ns_t jitter = l->faults.jitter_max > 0 ? (ns_t)rng_below(&world.rng, (uint64_t)l->faults.jitter_max + 1) : 0;
    ns_t at = world.now + l->latency + jitter;
    to->last_at = at > to->last_at ? at : to->last_at;
    *f = (struct flight){.kind = kind, .at = to->last_at, .n = n};
    list_push_back(&to->flights, &f->node);
}

static void drop_flights(struct end *e)
{
    struct list *node;
    while ((node = list_pop(&e->flights)) != NULL)
        free(CONTAINER_OF(node, struct flight, node));
}

/* A reset drops what is in flight and, as some kernels do, what was not read either. */
static void take_reset(struct end *e)
{
    drop_flights(e);
    size_t keep = e->link->faults.reset_keeps_input || rng_below(&world.rng, 2) ? e->arrived : 0;
    e->bytes.tail = e->bytes.head + keep;
    e->arrived = keep;
    e->reset = true;
    e->reset_errno = ECONNRESET;
    e->dies_at = NS_NEVER;
}

static void free_link(struct link *l)
{
    for (int i = 0; i < 2; i++) {
        drop_flights(&l->end[i]);
        buf_fini(&l->end[i].bytes);
    }
    list_remove(&l->node);
    list_remove(&l->queued);
    free(l);
}

static void free_if_unused(struct link *l)
{
    if (l->end[0].fd < 0 && l->end[1].fd < 0 && list_is_empty(&l->queued))
        free_link(l);
}

static bool is_any(const struct address *a)
{
    static const uint8_t zero[16];
    return (a->kind == ADDRESS_IPV4 || a->kind == ADDRESS_IPV6) && memcmp(a->ip, zero, sizeof zero) == 0;
}

static struct listening *find_listening(const struct address *a)
{
    for (int fd = FIRST_FD; fd < WORLD_FDS_MAX && fd < world.fds_max; fd++) {
        struct listening *l = world.fds[fd].listening;
        if (l && (address_eq(&l->address, a) ||
                  (is_any(&l->address) && l->address.port == a->port && a->kind != ADDRESS_UNIX)))
            return l;
    }
    return NULL;
}

static size_t count(const struct list *head)
{
    size_t n = 0;
    LIST_FOR(node, head)
        n++;
    return n;
}

static void take_syn(struct end *server)
{
    struct listening *l = find_listening(&server->local);
    struct end *client = other(server);
    if (!l || count(&l->backlog) >= BACKLOG || world_chance(server->link->faults.refuse)) {
        send_flight(client, FLIGHT_REFUSED, 0);
        return;
    }
    server->connected = true;
    list_push_back(&l->backlog, &server->link->queued);
    send_flight(client, FLIGHT_ACCEPTED, 0);
}

static bool is_gone(const struct end *e)
{
    return e->fd < 0 && list_is_empty(&e->link->queued);
}

static void take_data(struct end *e, size_t n)
{
    if (!is_gone(e)) {
        e->arrived += n;
        return;
    }
    buf_consume(&e->bytes, n); /* it was closed: whatever comes is answered with a reset */
    if (other(e)->fd >= 0 && !other(e)->reset)
        send_flight(other(e), FLIGHT_RESET, 0);
}

static void take(struct end *e, const struct flight *f)
{
    world_note(e->link->info.id << 8 | (uint64_t)f->kind, f->n);
    switch (f->kind) {
    case FLIGHT_SYN:
        take_syn(e);
        break;
    case FLIGHT_ACCEPTED:
        e->connected = true;
        e->link->info.is_connected = true;
        world.history[e->link->info.id - 1].is_connected = true;
        break;
    case FLIGHT_REFUSED:
        e->refused = true;
        break;
    case FLIGHT_DATA:
        take_data(e, f->n);
        break;
    case FLIGHT_FIN:
        e->fin = true;
        break;
    case FLIGHT_RESET:
        take_reset(e);
        break;
    }
}

static ns_t next_of(const struct end *e)
{
    if (list_is_empty(&e->flights) || e->black_hole)
        return NS_NEVER;
    ns_t at = CONTAINER_OF(e->flights.next, struct flight, node)->at;
    return at > e->held_until ? at : e->held_until;
}

void sock_deliver(void)
{
    LIST_FOR(node, &world.links) {
        struct link *l = CONTAINER_OF(node, struct link, node);
        for (int i = 0; i < 2; i++)
            while (next_of(&l->end[i]) <= world.now) {
                struct flight *f = CONTAINER_OF(list_pop(&l->end[i].flights), struct flight, node);
                take(&l->end[i], f);
                free(f);
            }
        if (l->end[0].dies_at <= world.now) {
            take_reset(&l->end[0]);
            l->end[0].reset_errno = ETIMEDOUT;
        }
    }
}

ns_t sock_next(void)
{
    ns_t first = NS_NEVER;
    LIST_FOR(node, &world.links) {
        const struct link *l = CONTAINER_OF(node, struct link, node);
        first = ns_min(first, ns_min(l->end[0].dies_at, ns_min(next_of(&l->end[0]), next_of(&l->end[1]))));
    }
    return first;
}

static size_t room(const struct end *from)
{
    size_t cap = from->link->faults.capacity ? from->link->faults.capacity : CAPACITY;
    size_t used = buf_len(&other(from)->bytes);
    return used < cap ? cap - used : 0;
}

unsigned sock_ready(int fd)
{
    const struct descriptor *d = get(fd);
    if (d->listening)
        return list_is_empty(&d->listening->backlog) ? 0 : LOOP_READ;
    const struct end *e = d->end;
    if (e->refused || e->reset)
        return LOOP_READ | LOOP_WRITE;
    return (e->arrived > 0 || e->fin ? LOOP_READ : 0u) | (e->connected && room(e) > 0 ? LOOP_WRITE : 0u);
}

/* The same address with a name that lives as long as the world. */
static struct address keep_address(const struct address *a)
{
    struct address kept = *a;
    if (a->name)
        kept.name = world_keep(a->name);
    return kept;
}

enum err sock_listen(const struct address *a, bool is_public, int *ret_fd, int *ret_errno)
{
    (void)is_public;
    *ret_errno = a->kind == ADDRESS_NAME ? EAFNOSUPPORT : EADDRINUSE;
    if (a->kind == ADDRESS_NAME)
        return ERR_INVALID;
    struct address at = *a;
    if (at.kind != ADDRESS_UNIX && at.port == 0)
        at.port = world.next_port++;
    if (find_listening(&at))
        return ERR_IO;
    struct listening *l = calloc(1, sizeof *l);
    int fd = l ? new_fd(NULL, l) : -1;
    if (fd < 0) {
        free(l);
        *ret_errno = EMFILE;
        return ERR_IO;
    }
    l->address = keep_address(&at);
    list_init(&l->backlog);
    *ret_errno = 0;
    *ret_fd = fd;
    return ERR_NONE;
}

void sock_remove_file(const struct address *a)
{
    (void)a; /* there are no files in this world */
}

enum err sock_accept(int listen_fd, int *ret_fd, struct address *ret_peer)
{
    struct listening *l = get(listen_fd)->listening;
    if (!l)
        world_die("not a listening descriptor", listen_fd);
    if (list_is_empty(&l->backlog))
        return ERR_AGAIN;
    struct link *link = CONTAINER_OF(l->backlog.next, struct link, queued);
    int fd = new_fd(&link->end[1], NULL);
    if (fd < 0)
        return ERR_LIMIT;
    list_remove(&link->queued);
    link->end[1].fd = *ret_fd = fd;
    world.history[link->info.id - 1].is_open[1] = true;
    if (ret_peer)
        *ret_peer = link->end[0].local;
    return ERR_NONE;
}

static const struct world_faults *faults_of(const struct address *to)
{
    for (size_t i = world.rules_n; i > 0; i--)
        if (address_eq(&world.rules[i - 1].to, to))
            return &world.rules[i - 1].faults;
    return &world.faults;
}

static void remember(struct link *l)
{
    if (world.links_made == world.history_cap) {
        world.history_cap = world.history_cap ? world.history_cap * 2 : 64;
        world.history = realloc(world.history, world.history_cap * sizeof *world.history);
        if (!world.history)
            world_die("out of memory", -1);
    }
    l->info.id = world.links_made + 1;
    world.history[world.links_made++] = l->info;
}

static struct link *new_link(const struct address *to)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        world_die("out of memory", -1);
    l->faults = *faults_of(to);
    ns_t spread = l->faults.latency_max - l->faults.latency_min;
    l->latency = l->faults.latency_min + (spread > 0 ? (ns_t)rng_below(&world.rng, (uint64_t)spread + 1) : 0);
    l->info.to = *to;
    l->info.is_open[0] = true;
    list_init(&l->queued);
    list_push_back(&world.links, &l->node);
    for (int i = 0; i < 2; i++) {
        l->end[i] = (struct end){.link = l, .fd = -1, .is_server = i == 1, .local = *to, .dies_at = NS_NEVER};
        list_init(&l->end[i].flights);
    }
    if (to->kind != ADDRESS_UNIX)
        l->end[0].local.port = world.next_port++;
    return l;
}

enum err sock_connect(const struct address *a, int *ret_fd, int *ret_errno)
{
    *ret_errno = 0;
    if (a->kind == ADDRESS_NAME) {
        *ret_errno = EAFNOSUPPORT;
        return ERR_INVALID;
    }
    if (a->kind == ADDRESS_UNIX && !find_listening(a)) {
        *ret_errno = ENOENT;
        return ERR_IO;
    }
    const struct address to = keep_address(a);
    struct link *link = new_link(&to);
    int fd = new_fd(&link->end[0], NULL);
    if (fd < 0) {
        free_link(link);
        *ret_errno = EMFILE;
        return ERR_LIMIT;
    }
    link->end[0].fd = *ret_fd = fd;
    remember(link);
    if (world_chance(link->faults.vanish))
        link->end[0].dies_at = world.now + USER_TIMEOUT_NS;
    else
        send_flight(&link->end[1], FLIGHT_SYN, 0);
    return ERR_NONE;
}

int sock_connect_result(int fd)
{
    const struct end *e = get_end(fd);
    return e->refused ? ECONNREFUSED : e->reset ? e->reset_errno : e->connected ? 0 : EINPROGRESS;
}

static ssize_t fail(int error, enum err *ret)
{
    errno = error;
    *ret = error == EAGAIN ? ERR_AGAIN : ERR_IO;
    return -1;
}

ssize_t sock_read(int fd, void *p, size_t n, enum err *ret)
{
    struct end *e = get_end(fd);
    count_reads++;
    *ret = ERR_NONE;
    if (e->arrived > 0 && n > 0) {
        size_t k = n < e->arrived ? n : e->arrived;
        if (world_chance(e->link->faults.part_read))
            k = 1 + rng_below(&world.rng, k);
        memcpy(p, buf_head(&e->bytes), k);
        buf_consume(&e->bytes, k);
        e->arrived -= k;
        return (ssize_t)k;
    }
    if (e->refused)
        return fail(ECONNREFUSED, ret);
    if (e->reset && !e->reset_told) {
        e->reset_told = true;
        return fail(e->reset_errno, ret);
    }
    return e->reset || e->fin ? 0 : fail(EAGAIN, ret);
}

/* After these bytes something may go wrong with the link. */
static void draw_faults(struct end *from, struct end *to)
{
    const struct world_faults *f = &from->link->faults;
    if (world_chance(f->reset)) {
        send_flight(to, FLIGHT_RESET, 0);
        send_flight(from, FLIGHT_RESET, 0);
    }
    if (world_chance(f->black_hole)) {
        struct end *client = &from->link->end[0];
        to->black_hole = true;
        client->dies_at = ns_min(client->dies_at, world.now + USER_TIMEOUT_NS);
    }
    if (world_chance(f->stall))
        to->held_until = world.now + 1 + (ns_t)rng_below(&world.rng, (uint64_t)f->stall_max + 1);
}

ssize_t sock_write(int fd, const void *p, size_t n, enum err *ret)
{
    struct end *e = get_end(fd), *to = other(e);
    count_writes++;
    *ret = ERR_NONE;
    if (e->reset || e->refused) {
        bool told = e->reset_told;
        e->reset_told = true;
        return fail(told || e->refused ? EPIPE : e->reset_errno, ret);
    }
    if (e->fin_sent)
        return fail(EPIPE, ret);
    size_t k = room(e);
    if (!e->connected || k == 0)
        return fail(EAGAIN, ret);
    k = n < k ? n : k;
    if (k > 0 && world_chance(e->link->faults.part_write))
        k = 1 + rng_below(&world.rng, k);
    if (!to->reset && buf_append(&to->bytes, p, k) != ERR_NONE)
        world_die("out of memory", fd);
    int direction = e->is_server ? WORLD_TO_CLIENT : WORLD_TO_SERVER;
    world.history[e->link->info.id - 1].bytes[direction] += k;
    world_note(k, slice_hash(slice_make(p, k), 0));
    if (world.tap)
        world.tap(world.tap_ctx, e->link->info.id, direction, p, k);
    if (!to->reset) /* a side that is reset may have lost bytes: nothing comes behind them */
        send_flight(to, FLIGHT_DATA, k);
    draw_faults(e, to);
    return (ssize_t)k;
}

void sock_shutdown_write(int fd)
{
    struct end *e = get_end(fd);
    if (e->fin_sent || e->reset || e->refused)
        return;
    e->fin_sent = true;
    send_flight(other(e), FLIGHT_FIN, 0);
}

static void close_end(struct end *e)
{
    bool lost = buf_len(&e->bytes) > 0 && e->arrived > 0;
    world.history[e->link->info.id - 1].is_open[e->is_server] = false;
    if (e->fd >= 0)
        free_fd(e->fd);
    e->fd = -1;
    if (!e->reset && !e->refused && (lost || !e->fin_sent))
        send_flight(other(e), lost ? FLIGHT_RESET : FLIGHT_FIN, 0); /* unread input makes a reset of a close */
    e->fin_sent = true;
    buf_consume(&e->bytes, e->arrived);
    e->arrived = 0;
    free_if_unused(e->link);
}

static void close_listening(int fd)
{
    struct listening *l = world.fds[fd].listening;
    struct list *node;
    while ((node = list_pop(&l->backlog)) != NULL) {
        struct link *link = CONTAINER_OF(node, struct link, queued);
        send_flight(&link->end[0], FLIGHT_RESET, 0);
        free_if_unused(link);
    }
    free_fd(fd);
    free(l);
}

void sock_close(int fd)
{
    const struct descriptor *d = get(fd);
    if (d->listening)
        close_listening(fd);
    else
        close_end(d->end);
}

enum err sock_local(int fd, struct address *ret, char *name_storage)
{
    const struct descriptor *d = get(fd);
    const struct address *a = d->listening ? &d->listening->address : &d->end->local;
    *ret = *a;
    if (a->kind == ADDRESS_UNIX && name_storage) {
        memcpy(name_storage, a->name, strlen(a->name) + 1);
        ret->name = name_storage;
    }
    return ERR_NONE;
}

enum err sock_peer(int fd, struct address *ret)
{
    *ret = other(get_end(fd))->local;
    return ERR_NONE;
}

bool sock_is_listening_on(int fd, const struct address *a)
{
    return fd >= FIRST_FD && fd < WORLD_FDS_MAX && world.fds[fd].listening &&
           address_eq(&world.fds[fd].listening->address, a);
}

void sock_counts(uint64_t *ret_reads, uint64_t *ret_writes)
{
    *ret_reads = count_reads;
    *ret_writes = count_writes;
}

void sock_end_world(void)
{
    count_reads = count_writes = 0;
    for (int fd = FIRST_FD; fd < WORLD_FDS_MAX && world.fds_open > 0; fd++)
        if (world.fds[fd].listening || world.fds[fd].end)
            sock_close(fd);
    while (!list_is_empty(&world.links))
        free_link(CONTAINER_OF(world.links.next, struct link, node));
}

void world_set_faults(const struct address *to, const struct world_faults *faults)
{
    if (!to) {
        world.faults = *faults;
        return;
    }
    size_t i = 0;
    while (i < world.rules_n && !address_eq(&world.rules[i].to, to))
        i++;
    if (i == WORLD_RULES_MAX)
        world_die("too many addresses with faults", -1);
    if (i == world.rules_n)
        world.rules[world.rules_n++].to = keep_address(to);
    world.rules[i].faults = *faults;
}

void world_set_descriptors(int n)
{
    world.fds_max = n < WORLD_FDS_MAX ? n : WORLD_FDS_MAX;
}

static struct link *find_link(uint64_t id)
{
    LIST_FOR(node, &world.links)
        if (CONTAINER_OF(node, struct link, node)->info.id == id)
            return CONTAINER_OF(node, struct link, node);
    return NULL;
}

bool world_link(uint64_t id, struct world_link *ret)
{
    if (id == 0 || id > world.links_made)
        return false;
    *ret = world.history[id - 1];
    return true;
}

uint64_t world_links(void)
{
    return world.links_made;
}

void world_reset(uint64_t id)
{
    struct link *l = find_link(id);
    for (int i = 0; l && i < 2; i++)
        if (!l->end[i].reset)
            take_reset(&l->end[i]);
}

void world_hold(uint64_t id, int direction, ns_t until)
{
    struct link *l = find_link(id);
    if (l)
        l->end[direction == WORLD_TO_SERVER].held_until = until;
}

void world_tap(void (*tap)(void *ctx, uint64_t link, int direction, const uint8_t *p, size_t n), void *ctx)
{
    world.tap = tap;
    world.tap_ctx = ctx;
}

int world_live_sockets(void)
{
    return world.fds_open;
}
