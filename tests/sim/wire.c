/* Feeding and flushing of the peers' sessions. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUT_HIGH = 65536, RESETS_MAX = 1000000 };

static void on_turn_end(void *ctx)
{
    struct wires *w = ctx;
    wires_flush(w);
    conn_sweep(w->conns);
}

void wires_init(struct wires *w)
{
    w->loop = loop_new();
    w->conns = conn_env_new(w->loop);
    list_init(&w->dirty);
    loop_set_turn_end(w->loop, on_turn_end, w);
}

void wires_fini(struct wires *w)
{
    conn_env_free(w->conns);
    loop_free(w->loop);
}

void wire_mark(struct wire *w)
{
    if (w->conn && list_is_empty(&w->dirty))
        list_push_back(&w->wires->dirty, &w->dirty);
}

void wire_close(struct wire *w)
{
    if (!w->conn)
        return;
    conn_close(w->conn, false);
    w->conn = NULL;
    list_remove(&w->dirty);
    w->lost(w);
}

/* Serializes until the output is high; false when the session has ended. */
static bool fill(struct wire *w)
{
    while (buf_len(&w->out) < OUT_HIGH) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(w->session, &p);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        if (buf_append(&w->out, p, (size_t)n) != ERR_NONE)
            abort();
    }
    return buf_len(&w->out) > 0 || nghttp2_session_want_read(w->session) || nghttp2_session_want_write(w->session);
}

static void flush(struct wire *w)
{
    if (!w->open || !w->conn)
        return;
    bool alive;
    size_t before;
    do {
        alive = fill(w);
        before = buf_len(&w->out);
    } while (before > 0 && conn_write(w->conn, &w->out) && buf_len(&w->out) < before);
    if (!alive && buf_len(&w->out) == 0)
        wire_close(w);
}

void wires_flush(struct wires *w)
{
    struct list *n;
    while ((n = list_pop(&w->dirty)) != NULL)
        flush(CONTAINER_OF(n, struct wire, dirty));
}

static void on_open(void *ctx)
{
    struct wire *w = ctx;
    w->open = true;
    wire_mark(w);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct wire *w = ctx;
    ssize_t used = nghttp2_session_mem_recv(w->session, p, n);
    if (used < 0) {
        (void)fprintf(stderr, "sim: a peer cannot go on: %s\n", nghttp2_strerror((int)used));
        wire_close(w);
        return;
    }
    wire_mark(w);
}

static void on_writable(void *ctx)
{
    wire_mark(ctx);
}

static void on_end(void *ctx, enum conn_end end, const char *why)
{
    (void)end, (void)why;
    wire_close(ctx);
}

const struct conn_ops wire_ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_writable = on_writable, .on_end = on_end};

void wire_init(struct wire *w, struct wires *wires, const nghttp2_session_callbacks *callbacks, bool server,
               const nghttp2_settings_entry *settings, size_t settings_n, void (*lost)(struct wire *w))
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0)
        abort();
    /* past its limit a server refuses by GOAWAY what it has handed to the application already */
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_MAX, RESETS_MAX);
    int e = server ? nghttp2_session_server_new2(&w->session, callbacks, w, option)
                   : nghttp2_session_client_new2(&w->session, callbacks, w, option);
    nghttp2_option_del(option);
    w->wires = wires;
    w->lost = lost;
    list_init(&w->dirty);
    if (e != 0 || nghttp2_submit_settings(w->session, NGHTTP2_FLAG_NONE, settings, settings_n) != 0)
        abort();
}

void wire_fini(struct wire *w)
{
    if (w->conn)
        conn_close(w->conn, false);
    w->conn = NULL;
    list_remove(&w->dirty);
    nghttp2_session_del(w->session);
    buf_fini(&w->out);
}
