/* c-ares driven by a loop: its sockets as loop_io, its timeouts as one loop_timer. Search domains are walked here, so
 * that both families are asked for the same name and each one's outcome is known. */
#include "net/lookup.h"

#include "net/resolv_conf.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SOCKETS_MAX = 16,
    NAMES_MAX = RESOLV_CONF_DOMAINS_MAX + 1,
    NAME_MAX_BYTES = 256,
    CLASS_IN = 1, /* RFC 1035 section 3.2.4 */
    TYPE_SRV = 33 /* RFC 2782 */
};

struct lookup;

struct socket {
    struct lookup *lookup;
    ares_socket_t fd;
    struct loop_io *io; /* NULL: a free place */
};

struct question {
    struct lookup *lookup;
    enum lookup_family family;
    bool answered;
};

/* Owned by: the caller of lookup_new. Borrows: the loop. */
struct lookup {
    struct loop *loop;
    void (*done)(void *ctx, const struct lookup_answer *answer);
    void *ctx;
    uint16_t port;
    bool srv; /* asks for SRV records, in the place of the first family */
    ares_channel channel;
    struct socket sockets[SOCKETS_MAX];
    struct loop_timer *timer;
    struct question questions[LOOKUP_FAMILIES];
    struct lookup_answer answer;
    char names[NAMES_MAX][NAME_MAX_BYTES]; /* to try, in order */
    size_t names_n, at;
    ns_t until;       /* the whole */
    ns_t grace_until; /* for the family that is missing */
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
    (void)ares_library_init(ARES_LIB_INIT_ALL);
}

static void settle(struct lookup *l);

static void on_ready(void *ctx, unsigned what)
{
    const struct socket *s = ctx;
    struct lookup *l = s->lookup;
    ares_socket_t fd = s->fd;
    ares_process_fd(l->channel, what & LOOP_READ ? fd : ARES_SOCKET_BAD, what & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    settle(l);
}

static struct socket *find_socket(struct lookup *l, ares_socket_t fd)
{
    struct socket *free_place = NULL;
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct socket *s = &l->sockets[i];
        if (s->io && s->fd == fd)
            return s;
        if (!s->io && !free_place)
            free_place = s;
    }
    return free_place;
}

/* A socket that finds no place is never heard: its question ends by its timeout. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
    struct lookup *l = data;
    struct socket *s = find_socket(l, fd);
    if (!s)
        return;
    if (!readable && !writable) {
        loop_io_free(s->io);
        s->io = NULL;
        return;
    }
    if (!s->io) {
        *s = (struct socket){.lookup = l, .fd = fd};
        s->io = loop_io_new(l->loop, fd, on_ready, s);
    }
    if (s->io)
        loop_io_want(s->io, (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u));
}

static enum lookup_status status_of(int status, size_t n)
{
    switch (status) {
    case ARES_SUCCESS:
        return n > 0 ? LOOKUP_OK : LOOKUP_EMPTY;
    case ARES_ENODATA:
        return LOOKUP_EMPTY;
    case ARES_ENOTFOUND:
        return LOOKUP_NXDOMAIN;
    case ARES_ESERVFAIL:
        return LOOKUP_SERVFAIL;
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
        return LOOKUP_REFUSED;
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
        return LOOKUP_TIMEOUT;
    case ARES_EBADRESP:
    case ARES_EFORMERR:
    case ARES_EBADNAME:
        return LOOKUP_MALFORMED;
    default:
        return LOOKUP_FAILED;
    }
}

static void keep_address(const struct lookup *l, struct lookup_part *part, const struct ares_addrinfo_node *node)
{
    struct address a = {.port = l->port};
    const void *name = node->ai_addr;
    if (node->ai_family == AF_INET) {
        a.kind = ADDRESS_IPV4;
        memcpy(a.ip, &((const struct sockaddr_in *)name)->sin_addr, 4);
    } else {
        a.kind = ADDRESS_IPV6;
        memcpy(a.ip, &((const struct sockaddr_in6 *)name)->sin6_addr, 16);
    }
    part->v[part->n++] = a;
}

static uint32_t least(uint32_t a, int b)
{
    return b < 0 ? 0 : (uint32_t)b < a ? (uint32_t)b : a;
}

static void keep_addresses(const struct lookup *l, struct lookup_part *part, int family,
                           const struct ares_addrinfo *info)
{
    size_t n = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        n += node->ai_family == family;
    n = n < LOOKUP_ADDRESSES_MAX ? n : LOOKUP_ADDRESSES_MAX;
    part->v = n > 0 ? calloc(n, sizeof *part->v) : NULL;
    part->ttl_s = UINT32_MAX;
    for (const struct ares_addrinfo_node *node = info->nodes; part->v && node && part->n < n; node = node->ai_next) {
        if (node->ai_family != family)
            continue;
        keep_address(l, part, node);
        part->ttl_s = least(part->ttl_s, node->ai_ttl);
    }
    for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next)
        part->ttl_s = least(part->ttl_s, cname->ttl);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct question *q = arg;
    struct lookup_part *part = &q->lookup->answer.parts[q->family];
    (void)timeouts;
    q->answered = true;
    if (info) {
        keep_addresses(q->lookup, part, q->family == LOOKUP_V4 ? AF_INET : AF_INET6, info);
        ares_freeaddrinfo(info);
    }
    part->status = status_of(status, part->n);
}

static void on_srv(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
    struct question *q = arg;
    struct lookup_answer *a = &q->lookup->answer;
    (void)timeouts;
    q->answered = true;
    if (status == ARES_SUCCESS) {
        a->srv = calloc(SRV_RECORDS_MAX, sizeof *a->srv);
        if (!a->srv)
            status = ARES_ENOMEM;
        else if (!srv_parse(slice_make(bytes, (size_t)n), a->srv, &a->srv_n, &a->parts[LOOKUP_V4].ttl_s))
            status = ARES_EBADRESP;
    }
    a->parts[LOOKUP_V4].status = status_of(status, a->srv_n);
}

static void forget(struct lookup *l)
{
    free(l->answer.srv);
    l->answer.srv = NULL;
    l->answer.srv_n = 0;
    for (int i = 0; i < LOOKUP_FAMILIES; i++) {
        free(l->answer.parts[i].v);
        l->answer.parts[i] = (struct lookup_part){.status = LOOKUP_TIMEOUT};
        l->questions[i] = (struct question){.lookup = l, .family = (enum lookup_family)i};
    }
}

/* Asks for the next name. The answer may be there when it returns. */
static void ask(struct lookup *l)
{
    static const int families[] = {[LOOKUP_V4] = AF_INET, [LOOKUP_V6] = AF_INET6};
    const char *name = l->names[l->at++];
    forget(l);
    l->grace_until = NS_NEVER;
    if (l->srv) {
        l->questions[LOOKUP_V6].answered = true;
        l->answer.parts[LOOKUP_V6].status = LOOKUP_EMPTY;
        ares_query(l->channel, name, CLASS_IN, TYPE_SRV, on_srv, &l->questions[LOOKUP_V4]);
        return;
    }
    for (int i = 0; i < LOOKUP_FAMILIES; i++) {
        const struct ares_addrinfo_hints hints = {
            .ai_family = families[i], .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};
        ares_getaddrinfo(l->channel, name, NULL, &hints, on_answer, &l->questions[i]);
    }
}

static bool is_complete(const struct lookup *l)
{
    return l->questions[LOOKUP_V4].answered && l->questions[LOOKUP_V6].answered;
}

static bool has_address(const struct lookup *l)
{
    return l->answer.parts[LOOKUP_V4].n + l->answer.parts[LOOKUP_V6].n > 0;
}

/* Both families say that this name is not the one: the next search domain may have it. A failure says nothing. */
static bool is_absent(const struct lookup *l)
{
    for (int i = 0; i < LOOKUP_FAMILIES; i++)
        if (l->answer.parts[i].status != LOOKUP_NXDOMAIN && l->answer.parts[i].status != LOOKUP_EMPTY)
            return false;
    return true;
}

static ns_t next_timeout(const struct lookup *l, ns_t now)
{
    struct timeval wait;
    const struct timeval *t = ares_timeout(l->channel, NULL, &wait);
    return t ? ns_add(now, t->tv_sec * NS_PER_S + t->tv_usec * NS_PER_US) : NS_NEVER;
}

/* After anything happened: goes on to the next name, waits on, or asks the timer to finish. */
static void settle(struct lookup *l)
{
    ns_t now = loop_now(l->loop);
    if (has_address(l) && l->grace_until == NS_NEVER)
        l->grace_until = ns_add(now, LOOKUP_GRACE_NS);
    while (is_complete(l) && is_absent(l) && l->at < l->names_n && now < l->until)
        ask(l);
    loop_timer_set(l->timer, is_complete(l) ? now : ns_min(ns_min(l->until, l->grace_until), next_timeout(l, now)));
}

static void on_timer(void *ctx)
{
    struct lookup *l = ctx;
    ns_t now = loop_now(l->loop);
    if (!is_complete(l))
        ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (!is_complete(l) && (now >= l->until || now >= l->grace_until))
        ares_cancel(l->channel);
    if (is_complete(l) && !(is_absent(l) && l->at < l->names_n && now < l->until))
        l->done(l->ctx, &l->answer);
    else
        settle(l);
}

static void add_name(struct lookup *l, const char *name, const char *domain)
{
    if (l->names_n == NAMES_MAX)
        return;
    int n = snprintf(l->names[l->names_n], NAME_MAX_BYTES, "%s%s%s", name, domain ? "." : "", domain ? domain : "");
    if (n > 0 && n < NAME_MAX_BYTES)
        l->names_n++;
}

/* The names that resolv.conf(5) makes of one. */
static void make_names(struct lookup *l, const char *name, const struct resolv_conf *conf)
{
    char bare[NAME_MAX_BYTES];
    size_t length = strlen(name);
    int dots = 0;
    snprintf(bare, sizeof bare, "%s", name);
    for (const char *p = name; *p; p++)
        dots += *p == '.';
    bool absolute = length > 1 && name[length - 1] == '.';
    if (absolute && length < sizeof bare)
        bare[length - 1] = '\0';
    bool first = absolute || dots >= conf->ndots;
    if (first)
        add_name(l, bare, NULL);
    for (size_t i = 0; i < conf->domains_n && !absolute; i++)
        add_name(l, bare, strcmp(conf->domains[i], ".") == 0 ? NULL : conf->domains[i]);
    if (!first)
        add_name(l, bare, NULL);
}

/* The channel knows no search domains, as they are walked here. With NOCHECKRESP c-ares tells what a server answered
 * that could not help; without, it asks the next server and, up to 1.28, tells of no more than a refused connection in
 * the end. So it is for those who have one server. */
static int start(struct lookup *l, const char *name)
{
    struct resolv_conf conf;
    char host[NAME_MAX_BYTES] = "";
    const int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS;
    pthread_once(&library_once, init_library);
    (void)gethostname(host, sizeof host - 1);
    resolv_conf_read(&conf, RESOLV_CONF_PATH, host);
    make_names(l, name, &conf);
    struct ares_options options = {.flags = conf.servers > 1 ? 0 : ARES_FLAG_NOCHECKRESP,
                                   .timeout = LOOKUP_TRY_NS / NS_PER_MS,
                                   .tries = 1,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = l};
    return ares_init_options(&l->channel, &options, given);
}

static struct lookup *new_lookup(struct loop *loop, const char *name, uint16_t port, bool srv,
                                 void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct lookup){.loop = loop, .done = done, .ctx = ctx, .port = port, .srv = srv};
    l->until = ns_add(loop_now(loop), LOOKUP_NS);
    l->timer = loop_timer_new(loop, on_timer, l);
    if (!l->timer || start(l, name) != ARES_SUCCESS || l->names_n == 0) {
        lookup_free(l);
        return NULL;
    }
    ask(l);
    settle(l);
    return l;
}

struct lookup *lookup_new(struct loop *l, const struct address *a,
                          void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx)
{
    return new_lookup(l, a->name, a->port, false, done, ctx);
}

struct lookup *lookup_srv_new(struct loop *l, const char *name,
                              void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx)
{
    return new_lookup(l, name, 0, true, done, ctx);
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    if (l->channel)
        ares_destroy(l->channel); /* ends the questions and closes the sockets through on_socket */
    forget(l);
    loop_timer_free(l->timer);
    free(l);
}
