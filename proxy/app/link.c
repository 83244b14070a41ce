/* Feeding and flushing of a connection with its session. */
#include "app/link.h"

#include "app/worker.h"

void link_init(struct link *l, struct worker *w, const struct link_ops *ops)
{
    l->ops = ops;
    l->worker = w;
    l->conn = NULL;
    l->open = l->blocked = l->broken = l->closed = false;
    l->touched = w->now;
    l->turn = 0;
    l->bounds = worker_share_bounds(w);
    buf_init(&l->rest);
    list_init(&l->yielded);
    trust_init(l);
    list_init(&l->dirty);
    list_init(&l->busy);
    list_init(&l->dead);
    list_push_back(&w->busy, &l->busy);
    worker_arm_rest(w);
}

void link_mark(struct link *l)
{
    if (!l->closed && list_is_empty(&l->dirty))
        list_push_back(&l->worker->dirty, &l->dirty);
}

static void touch(struct link *l)
{
    l->touched = l->worker->now;
    if (!list_is_empty(&l->busy))
        return;
    list_push_back(&l->worker->busy, &l->busy);
    worker_arm_rest(l->worker);
}

/* Feeds what the frames of this turn allow. Returns how many bytes were taken; all of them once it is broken. */
static size_t feed(struct link *l, const uint8_t *p, size_t n)
{
    struct session *s = &l->session;
    size_t used = n;
    if (l->turn != l->worker->turn) {
        l->turn = l->worker->turn;
        s->frames_left = (uint32_t)s->bounds->frames_per_turn * (s->server ? 1 : LINK_ENDPOINT_SHARE);
    }
    if (session_feed_some(s, p, n, &used) != ERR_NONE) {
        l->broken = true;
        used = n;
    }
    if (session_wants_flush(s) || l->broken)
        link_mark(l);
    l->ops->on_fed(l);
    return used;
}

/* Keeps what this turn may not take; when that is much, nothing more is read until it is taken. */
static void keep(struct link *l, const uint8_t *p, size_t n)
{
    if (buf_append(&l->rest, p, n) != ERR_NONE) {
        l->broken = true;
        link_mark(l);
        return;
    }
    if (buf_len(&l->rest) >= LINK_REST_HIGH)
        conn_pause(l->conn, true);
    if (!list_is_empty(&l->yielded))
        return;
    list_push_back(&l->worker->yielded, &l->yielded);
    counter_add(&l->worker->stats.bounds[l->session.server ? BOUND_DOWNSTREAM : BOUND_UPSTREAM][BOUND_FRAMES_PER_TURN],
                1);
}

void link_feed(struct link *l, const uint8_t *p, size_t n)
{
    touch(l);
    counter_add(&l->worker->stats.bytes_received, n);
    if (l->broken)
        return;
    size_t used = buf_len(&l->rest) > 0 ? 0 : feed(l, p, n);
    if (used < n && !l->closed)
        keep(l, p + used, n - used);
}

static void feed_kept(struct link *l)
{
    size_t used = feed(l, buf_head(&l->rest), buf_len(&l->rest));
    if (!l->closed)
        buf_consume(&l->rest, used);
}

void link_feed_rest(struct link *l)
{
    if (!l->broken)
        feed_kept(l);
    if (l->closed)
        return;
    if (!l->broken && buf_len(&l->rest) > 0) {
        list_push_back(&l->worker->yielded, &l->yielded);
        return;
    }
    conn_pause(l->conn, false);
}

void link_feed_all(struct link *l)
{
    list_remove(&l->yielded);
    while (!l->closed && !l->broken && buf_len(&l->rest) > 0) {
        l->turn = l->worker->turn;
        l->session.frames_left = UINT32_MAX;
        feed_kept(l);
    }
}

/* Data that waits for a window is looked at once a second. */
static void keep_busy(struct link *l)
{
    if (list_is_empty(&l->busy) && session_is_pressed(&l->session))
        touch(l);
}

void link_flush(struct link *l)
{
    if (!l->open || l->blocked || !l->conn)
        return;
    session_pump(&l->session);
    size_t before = buf_len(&l->session.out);
    if (before == 0) {
        keep_busy(l);
        return;
    }
    l->blocked = !conn_write(l->conn, &l->session.out);
    counter_add(&l->worker->stats.bytes_sent, before - buf_len(&l->session.out));
    session_on_flushed(&l->session, before);
    touch(l);
    if (!l->blocked && session_wants_flush(&l->session))
        link_mark(l);
}

void link_close(struct link *l)
{
    l->closed = true;
    trust_fini(l);
    list_remove(&l->dirty);
    list_remove(&l->busy);
    list_remove(&l->yielded);
    session_abandon(&l->session);
    conn_close(l->conn, l->broken);
    l->conn = NULL;
    l->open = false;
    session_fini(&l->session);
    buf_fini(&l->rest);
    worker_give_bounds(l->worker, l->bounds);
    list_push_back(&l->worker->dead_links, &l->dead);
}

void link_look(struct link *l, ns_t now)
{
    if (session_is_pressed(&l->session)) {
        if (session_check_time(&l->session) != ERR_NONE)
            l->broken = true;
        link_mark(l);
        return;
    }
    if (l->touched > now - NS_PER_S || buf_len(&l->session.out) > 0 || buf_len(&l->rest) > 0 || !l->conn)
        return;
    session_release_buffers(&l->session);
    conn_release_buffers(l->conn);
    buf_release(&l->rest);
    list_remove(&l->busy);
}
