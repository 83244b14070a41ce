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

bool link_feed(struct link *l, const uint8_t *p, size_t n)
{
    touch(l);
    counter_add(&l->worker->stats.bytes_received, n);
    if (l->broken)
        return false;
    if (session_feed(&l->session, p, n) != ERR_NONE)
        l->broken = true;
    if (session_wants_flush(&l->session) || l->broken)
        link_mark(l);
    return !l->broken;
}

void link_flush(struct link *l)
{
    if (!l->open || l->blocked || !l->conn)
        return;
    session_pump(&l->session);
    size_t before = buf_len(&l->session.out);
    if (before == 0)
        return;
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
    list_remove(&l->dirty);
    list_remove(&l->busy);
    session_abandon(&l->session);
    conn_close(l->conn, l->broken);
    l->conn = NULL;
    l->open = false;
    session_fini(&l->session);
    list_push_back(&l->worker->dead_links, &l->dead);
}

bool link_rest(struct link *l, ns_t before)
{
    if (l->touched > before || buf_len(&l->session.out) > 0 || !l->conn)
        return false;
    session_release_buffers(&l->session);
    conn_release_buffers(l->conn);
    list_remove(&l->busy);
    return true;
}
