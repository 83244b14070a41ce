/* Connections: connect, handshake, read, write, end. Every failure of a write is put on the env's list and reported
 * from its timer in a later turn, after the input that came before the failure; so no end is lost and none comes twice.
 */
#include "net/conn.h"

#include "base/list.h"
#include "net/secret.h"
#include "net/sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READ_BYTES = 64 * 1024,
    SEAL_BYTES = 64 * 1024,
    READS_A_TURN = 4,
    DRAIN_READS = 16,               /* input still delivered after a write failed */
    PENDING_BYTES_MAX = 192 * 1024, /* sealed data plus answers to a peer that sends key updates and does not read */
    LINGERING_MAX = 256,
    WHY_MAX = 160
};
#define LINGER_NS (1 * NS_PER_S)

/* CONNECTING -> (HANDSHAKE ->) OPEN -> OVER -> CLOSED. OPENING: accepted in clear text, waits for a turn. From each but
 * OVER conn_close leads to LINGER or CLOSED. */
enum state { CONNECTING, OPENING, HANDSHAKE, OPEN, OVER, LINGER, CLOSED };

struct conn_env {
    struct loop *loop;
    uint8_t *scratch;      /* READ_BYTES */
    struct buf cipher;     /* empty whenever a callback runs */
    struct list dead;      /* freed by conn_sweep */
    struct list failed;    /* an end to report from the timer */
    struct list lingering; /* oldest first */
    size_t n_lingering;
    struct loop_timer *timer; /* for `failed` and `lingering` */
};

/* Owned by: its creator until conn_close, then the env. Borrows: env, ops. */
struct conn {
    struct conn_env *env;
    struct list node; /* in one of the env's lists or in none */
    int fd;           /* -1: could not even begin to connect */
    int error;        /* errno of what failed */
    struct loop_io *io;
    struct tls *tls; /* owned or NULL */
    const struct conn_ops *ops;
    void *ctx;
    struct buf pending; /* sealed and not yet written; only while blocked */
    uint64_t offered;
    ns_t linger_until;
    enum state state;
    bool paused, blocked;
    bool broken; /* a write failed */
    bool gone;   /* nothing can reach the peer, or it has closed */
};

static void update_want(struct conn *c)
{
    unsigned want = 0;
    if (c->state == HANDSHAKE || c->state == LINGER || ((c->state == OPEN || c->state == OPENING) && !c->paused))
        want |= LOOP_READ;
    if (c->state == CONNECTING || c->state == OPENING || (c->blocked && c->state != OVER))
        want |= LOOP_WRITE;
    if (c->io)
        loop_io_want(c->io, want);
}

static void report_later(struct conn *c, int error)
{
    c->error = error;
    list_remove(&c->node);
    list_push_back(&c->env->failed, &c->node);
    loop_timer_set(c->env->timer, loop_now(c->env->loop));
}

static void end(struct conn *c, enum conn_end kind, const char *why)
{
    list_remove(&c->node);
    c->state = OVER;
    update_want(c);
    c->ops->on_end(c->ctx, kind, why);
}

static void end_errno(struct conn *c, enum conn_end kind, const char *what, int error)
{
    char why[WHY_MAX];
    (void)snprintf(why, sizeof why, "%s: %s", what, strerrordesc_np(error));
    end(c, kind, why);
}

/* Gives the descriptor back at once and the memory at the end of the turn. */
static void bury(struct conn *c)
{
    if (c->state == LINGER)
        c->env->n_lingering--;
    c->state = CLOSED;
    loop_io_free(c->io);
    c->io = NULL;
    if (c->fd >= 0)
        sock_close(c->fd);
    c->fd = -1;
    list_remove(&c->node);
    list_push_back(&c->env->dead, &c->node);
}

/* One write of what is in *b. */
static void write_once(struct conn *c, struct buf *b)
{
    enum err e;
    ssize_t n = sock_write(c->fd, buf_head(b), buf_len(b), &e);
    if (n < 0 && e != ERR_AGAIN) {
        c->broken = true;
        c->blocked = false;
        update_want(c);
        report_later(c, errno);
        return;
    }
    if (n > 0)
        buf_consume(b, (size_t)n);
    bool blocked = buf_len(b) > 0;
    if (blocked != c->blocked) {
        c->blocked = blocked;
        update_want(c);
    }
}

/* Sends what TLS put into env->cipher, behind what still waits; the rest is kept. Leaves env->cipher empty. */
static void flush_cipher(struct conn *c)
{
    struct buf *out = &c->env->cipher;
    if (buf_len(out) == 0)
        return;
    if (!c->blocked && !c->broken)
        write_once(c, out);
    if (!c->broken && buf_len(out) > 0 &&
        (buf_len(&c->pending) + buf_len(out) > PENDING_BYTES_MAX ||
         buf_append(&c->pending, buf_head(out), buf_len(out)) != ERR_NONE)) {
        c->broken = true;
        c->blocked = false;
        update_want(c);
        report_later(c, ENOBUFS);
    }
    buf_clear(out);
}

static void open_up(struct conn *c)
{
    c->state = OPEN;
    update_want(c);
    c->ops->on_open(c->ctx);
}

static bool on_plain(void *ctx, const uint8_t *p, size_t n)
{
    struct conn *c = ctx;
    flush_cipher(c);
    if (c->state == HANDSHAKE)
        open_up(c);
    if (c->state == OPEN)
        c->ops->on_bytes(c->ctx, p, n);
    return c->state == OPEN;
}

static void feed_tls(struct conn *c, size_t n)
{
    enum err e = tls_feed(c->tls, c->env->scratch, n, &c->env->cipher, on_plain, c);
    if (c->state == CLOSED || c->state == LINGER)
        return;
    flush_cipher(c);
    if (c->state == HANDSHAKE && tls_is_open(c->tls))
        open_up(c);
    if (c->state != HANDSHAKE && c->state != OPEN)
        return;
    if (e == ERR_CLOSED)
        end(c, CONN_END_EOF, "closed by the peer");
    else if (e != ERR_NONE)
        end(c, CONN_END_TLS, tls_error(c->tls));
}

static void end_of_input(struct conn *c, enum err e, int error)
{
    c->gone = true;
    if (c->state == LINGER)
        bury(c);
    else if (c->broken)
        end_errno(c, CONN_END_IO, "write failed", c->error);
    else if (e != ERR_NONE)
        end_errno(c, c->state == HANDSHAKE ? CONN_END_TLS : CONN_END_IO,
                  c->state == HANDSHAKE ? "read failed during the TLS handshake" : "read failed", error);
    else if (c->state == HANDSHAKE)
        end(c, CONN_END_TLS, "closed by the peer during the TLS handshake");
    else if (c->tls)
        end(c, CONN_END_IO, "closed by the peer without close_notify");
    else
        end(c, CONN_END_EOF, "closed by the peer");
}

static bool is_reading(const struct conn *c)
{
    return c->state == HANDSHAKE || c->state == LINGER || (c->state == OPEN && !c->paused);
}

/* Reads once; again only after a full read (or when a write failed and this is the last chance), and not for ever. */
static void read_some(struct conn *c, int reads)
{
    while (reads-- > 0 && is_reading(c)) {
        enum err e;
        ssize_t n = sock_read(c->fd, c->env->scratch, READ_BYTES, &e);
        if (n < 0 && e == ERR_AGAIN)
            return;
        if (n <= 0) {
            end_of_input(c, e, errno);
            return;
        }
        if (c->state == LINGER)
            continue;
        if (c->tls)
            feed_tls(c, (size_t)n);
        else
            c->ops->on_bytes(c->ctx, c->env->scratch, (size_t)n);
        if (n < READ_BYTES && !c->broken)
            return;
    }
}

static void on_connected(struct conn *c)
{
    int error = sock_connect_result(c->fd);
    if (error != 0) {
        c->gone = true;
        end_errno(c, CONN_END_CONNECT, "connect failed", error);
        return;
    }
    if (!c->tls) {
        open_up(c);
        return;
    }
    c->state = HANDSHAKE;
    update_want(c);
    enum err e = tls_start(c->tls, &c->env->cipher);
    flush_cipher(c);
    if (e != ERR_NONE)
        end(c, CONN_END_TLS, tls_error(c->tls));
}

/* The socket takes bytes again: first those that wait here, then the owner's. */
static void on_room(struct conn *c)
{
    if (buf_len(&c->pending) > 0)
        write_once(c, &c->pending);
    else
        c->blocked = false;
    if (c->blocked || c->broken)
        return;
    buf_release(&c->pending);
    update_want(c);
    if (c->state == OPEN)
        c->ops->on_writable(c->ctx);
    else if (c->state == LINGER)
        sock_shutdown_write(c->fd);
}

static void on_ready(void *ctx, unsigned what)
{
    struct conn *c = ctx;
    if (c->state == CONNECTING) {
        on_connected(c);
        return;
    }
    if (c->state == OPENING)
        open_up(c);
    if ((what & LOOP_WRITE) && c->blocked)
        on_room(c);
    if ((what & LOOP_READ) && is_reading(c))
        read_some(c, READS_A_TURN);
}

/* A write or the connect failed in an earlier turn. What the peer sent before that (an answer, an alert, GOAWAY) is
 * delivered first. */
static void report(struct conn *c)
{
    if (c->state == CONNECTING) {
        end_errno(c, CONN_END_CONNECT, "connect failed", c->error);
        return;
    }
    if (c->state == LINGER) {
        bury(c);
        return;
    }
    read_some(c, DRAIN_READS);
    if (c->state == OPEN || c->state == HANDSHAKE)
        end_errno(c, CONN_END_IO, "write failed", c->error);
}

static void on_timer(void *ctx)
{
    struct conn_env *env = ctx;
    struct list failed, *node;
    list_init(&failed);
    list_splice(&failed, &env->failed);
    while ((node = list_pop(&failed)) != NULL)
        report(CONTAINER_OF(node, struct conn, node));
    while (!list_is_empty(&env->lingering)) {
        struct conn *c = CONTAINER_OF(env->lingering.next, struct conn, node);
        if (c->linger_until > loop_now(env->loop)) {
            loop_timer_set(env->timer, list_is_empty(&env->failed) ? c->linger_until : loop_now(env->loop));
            return;
        }
        bury(c);
    }
}

static struct conn *new_conn(struct conn_env *env, int fd, enum state state, const struct conn_ops *ops, void *ctx)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct conn){.env = env, .fd = fd, .state = state, .ops = ops, .ctx = ctx};
    list_init(&c->node);
    if (fd >= 0 && !(c->io = loop_io_new(env->loop, fd, on_ready, c))) {
        free(c);
        return NULL;
    }
    update_want(c);
    return c;
}

struct conn *conn_accepted(struct conn_env *env, int fd, struct tls_context *tls, const struct conn_ops *ops, void *ctx)
{
    struct tls *t = tls ? tls_new(tls, NULL) : NULL;
    struct conn *c = tls && !t ? NULL : new_conn(env, fd, t ? HANDSHAKE : OPENING, ops, ctx);
    if (!c) {
        tls_free(t);
        sock_close(fd);
        return NULL;
    }
    c->tls = t;
    return c;
}

struct conn *conn_connect(struct conn_env *env, const struct address *a, struct tls_context *tls,
                          const struct tls_expect *expect, const struct conn_ops *ops, void *ctx)
{
    int fd = -1, error = 0;
    struct tls *t = tls ? tls_new(tls, expect) : NULL;
    enum err e = tls && !t ? ERR_NOMEM : sock_connect(a, &fd, &error);
    struct conn *c =
        e == ERR_NOMEM || e == ERR_LIMIT ? NULL : new_conn(env, e == ERR_NONE ? fd : -1, CONNECTING, ops, ctx);
    if (!c) {
        tls_free(t);
        if (e == ERR_NONE)
            sock_close(fd);
        return NULL;
    }
    c->tls = t;
    if (e != ERR_NONE)
        report_later(c, error);
    return c;
}

static bool write_tls(struct conn *c, struct buf *plain)
{
    size_t n = buf_len(plain) < SEAL_BYTES ? buf_len(plain) : SEAL_BYTES;
    enum err e = tls_seal(c->tls, buf_head(plain), n, &c->env->cipher);
    if (e != ERR_NONE) {
        buf_clear(&c->env->cipher);
        c->broken = true;
        report_later(c, e == ERR_NOMEM ? ENOMEM : EPROTO);
        return false;
    }
    buf_consume(plain, n);
    c->offered += n;
    flush_cipher(c);
    return !c->blocked && !c->broken;
}

bool conn_write(struct conn *c, struct buf *plain)
{
    if (c->state != OPEN || c->blocked || c->broken)
        return false;
    size_t n = buf_len(plain);
    if (n == 0)
        return true;
    if (c->tls)
        return write_tls(c, plain);
    write_once(c, plain);
    c->offered += n - buf_len(plain);
    return !c->blocked && !c->broken;
}

uint64_t conn_offered(const struct conn *c)
{
    return c->offered;
}

void conn_pause(struct conn *c, bool paused)
{
    if (c->paused == paused)
        return;
    c->paused = paused;
    update_want(c);
}

static void linger(struct conn *c)
{
    struct conn_env *env = c->env;
    if (env->n_lingering >= LINGERING_MAX)
        bury(CONTAINER_OF(env->lingering.next, struct conn, node));
    c->state = LINGER;
    c->linger_until = loop_now(env->loop) + LINGER_NS;
    bool first = list_is_empty(&env->lingering);
    list_push_back(&env->lingering, &c->node);
    env->n_lingering++;
    if (!c->blocked)
        sock_shutdown_write(c->fd);
    update_want(c);
    if (first && list_is_empty(&env->failed))
        loop_timer_set(env->timer, c->linger_until);
}

void conn_close(struct conn *c, bool linger_first)
{
    if (!c || c->state == LINGER || c->state == CLOSED)
        return;
    if (c->tls && c->state == OPEN && !c->blocked && !c->broken) {
        tls_close(c->tls, &c->env->cipher);
        flush_cipher(c);
    }
    list_remove(&c->node);
    bool reachable = (c->state == OPEN || c->state == HANDSHAKE || c->state == OVER) && !c->broken && !c->gone;
    if (linger_first && reachable)
        linger(c);
    else
        bury(c);
}

void conn_sweep(struct conn_env *env)
{
    struct list *node;
    while ((node = list_pop(&env->dead)) != NULL) {
        struct conn *c = CONTAINER_OF(node, struct conn, node);
        tls_free(c->tls);
        buf_fini(&c->pending);
        free(c);
    }
}

void conn_release_buffers(struct conn *c)
{
    if (c->tls)
        tls_release_buffers(c->tls);
}

enum refusal conn_refusal(const struct conn *c)
{
    return c->tls ? tls_refusal(c->tls) : REFUSAL_OTHER;
}

ns_t conn_peer_left(const struct conn *c)
{
    return c->tls ? tls_peer_left(c->tls) : NS_NEVER;
}

bool conn_is_stale(const struct conn *c)
{
    return c->tls && tls_is_stale(c->tls);
}

const char *conn_recheck(struct conn *c)
{
    return tls_recheck(c->tls) ? NULL : tls_error(c->tls);
}

const char *conn_peer_identity(const struct conn *c)
{
    return c->tls ? tls_peer_identity(c->tls) : "";
}

const char *conn_peer_dns(const struct conn *c)
{
    return c->tls ? tls_peer_dns(c->tls) : "";
}

const char *conn_client_cert(struct conn *c)
{
    return c->tls ? tls_client_cert(c->tls) : "";
}

enum err conn_peer_address(const struct conn *c, struct address *ret)
{
    return c->fd >= 0 ? sock_peer(c->fd, ret) : ERR_IO;
}

struct conn_env *conn_env_new(struct loop *l)
{
    struct conn_env *env = calloc(1, sizeof *env);
    if (!env)
        return NULL;
    *env = (struct conn_env){.loop = l, .scratch = malloc(READ_BYTES), .timer = loop_timer_new(l, on_timer, env)};
    list_init(&env->dead);
    list_init(&env->failed);
    list_init(&env->lingering);
    if (env->scratch && env->timer)
        return env;
    conn_env_free(env);
    return NULL;
}

void conn_env_wipe(struct conn_env *env, size_t n)
{
    secret_wipe(env->scratch, n);
}

void conn_env_free(struct conn_env *env)
{
    if (!env)
        return;
    while (!list_is_empty(&env->lingering))
        bury(CONTAINER_OF(env->lingering.next, struct conn, node));
    conn_sweep(env);
    loop_timer_free(env->timer);
    buf_fini(&env->cipher);
    free(env->scratch);
    free(env);
}
