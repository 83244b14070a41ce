/* Frames of scripted peers: collecting bytes into frames, header blocks, and the few automatic answers. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

enum { FRAME_HEAD = 9 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_BYTES = sizeof preface - 1 };

const char *const frame_names[FRAME_TYPES] = {"DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                              "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION"};

static void need(bool ok)
{
    if (!ok) {
        (void)fprintf(stderr, "script: out of memory\n");
        abort();
    }
}

struct peer *peer_new(const char *name, const char *of, bool silent)
{
    struct peer *p = calloc(1, sizeof *p);
    need(p != NULL);
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    p->of = of;
    p->silent = silent;
    p->preface_left = of != NULL;
    list_init(&p->node);
    list_init(&p->inbox);
    need(nghttp2_hd_inflate_new(&p->inflater) == 0 && nghttp2_hd_deflate_new(&p->deflater, 4096) == 0);
    return p;
}

void peer_forget(struct peer *p)
{
    struct list *node;
    while ((node = list_pop(&p->inbox)) != NULL)
        frame_free(CONTAINER_OF(node, struct frame, node));
}

void peer_free(struct peer *p)
{
    peer_forget(p);
    list_remove(&p->node);
    nghttp2_hd_inflate_del(p->inflater);
    nghttp2_hd_deflate_del(p->deflater);
    buf_fini(&p->out);
    buf_fini(&p->in);
    buf_fini(&p->block);
    buf_fini(&p->settings);
    free(p);
}

void frame_free(struct frame *f)
{
    for (size_t i = 0; i < f->fields_n; i++) {
        free(f->fields[i].name);
        free(f->fields[i].value);
    }
    free(f->fields);
    buf_fini(&f->payload);
    free(f);
}

static void push(struct peer *p)
{
    if (p->opened && !p->ended && p->conn)
        (void)conn_write(p->conn, &p->out);
}

void peer_send_raw(struct peer *p, const void *bytes, size_t n)
{
    need(buf_append(&p->out, bytes, n) == ERR_NONE);
    push(p);
}

static void put_head(uint8_t *h, size_t n, uint8_t type, uint8_t flags, uint32_t stream)
{
    uint8_t head[FRAME_HEAD] = {
        (uint8_t)(n >> 16),      (uint8_t)(n >> 8),      (uint8_t)n,     type, flags, (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    memcpy(h, head, sizeof head);
}

void peer_send(struct peer *p, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t n)
{
    uint8_t head[FRAME_HEAD];
    put_head(head, n, type, flags, stream);
    need(buf_append(&p->out, head, sizeof head) == ERR_NONE);
    need(n == 0 || buf_append(&p->out, payload, n) == ERR_NONE);
    push(p);
}

void peer_deflate(struct peer *p, const nghttp2_nv *v, size_t n, struct buf *out)
{
    size_t bound = nghttp2_hd_deflate_bound(p->deflater, v, n);
    uint8_t *to = buf_reserve(out, bound);
    need(to != NULL);
    ssize_t k = nghttp2_hd_deflate_hd(p->deflater, to, bound, v, n);
    need(k >= 0);
    buf_commit(out, (size_t)k);
}

static char *copy(const uint8_t *p, size_t n)
{
    char *s = malloc(n + 1);
    need(s != NULL);
    memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

static void add_field(struct frame *f, const nghttp2_nv *nv)
{
    f->fields = realloc(f->fields, (f->fields_n + 1) * sizeof *f->fields);
    need(f->fields != NULL);
    f->fields[f->fields_n++] = (struct field){copy(nv->name, nv->namelen), copy(nv->value, nv->valuelen), nv->valuelen};
}

static void inflate(struct peer *p, struct frame *f)
{
    const uint8_t *in = buf_head(&p->block);
    size_t left = buf_len(&p->block);
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t k = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, in, left, 1);
        if (k < 0) {
            (void)fprintf(stderr, "script: the proxy sent a broken header block: %s\n", nghttp2_strerror((int)k));
            abort();
        }
        in += k;
        left -= (size_t)k;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            add_field(f, &nv);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    (void)nghttp2_hd_inflate_end_headers(p->inflater);
}

static void answer(struct peer *p, const struct frame *f)
{
    if (p->silent || (f->flags & FRAME_ACK))
        return;
    if (f->type == FRAME_SETTINGS)
        peer_send(p, FRAME_SETTINGS, FRAME_ACK, 0, NULL, 0);
    if (f->type == FRAME_PING)
        peer_send(p, FRAME_PING, FRAME_ACK, 0, buf_head(&f->payload), buf_len(&f->payload));
}

static void deliver(struct peer *p, struct frame *f)
{
    list_push_back(&p->inbox, &f->node);
    p->saw(p, f);
    answer(p, f);
}

static struct frame *new_frame(uint8_t type, uint8_t flags, uint32_t stream)
{
    struct frame *f = calloc(1, sizeof *f);
    need(f != NULL);
    *f = (struct frame){.type = type, .flags = flags, .stream = stream, .at = clock_monotonic()};
    list_init(&f->node);
    return f;
}

/* A piece of a header block; the last one makes the frame. */
static void take_block(struct peer *p, uint8_t type, uint8_t flags, uint32_t stream, const uint8_t *body, size_t n)
{
    if (type == FRAME_HEADERS) {
        p->block_stream = stream;
        p->block_flags = flags;
    }
    need(buf_append(&p->block, body, n) == ERR_NONE);
    if (!(flags & FRAME_END_HEADERS))
        return;
    struct frame *f = new_frame(FRAME_HEADERS, p->block_flags, p->block_stream);
    inflate(p, f);
    buf_clear(&p->block);
    deliver(p, f);
}

static void take_frame(struct peer *p, const uint8_t *head, const uint8_t *body, size_t n)
{
    uint32_t stream = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    if (head[3] == FRAME_HEADERS || head[3] == FRAME_CONTINUATION) {
        take_block(p, head[3], head[4], stream, body, n);
        return;
    }
    struct frame *f = new_frame(head[3], head[4], stream);
    need(n == 0 || buf_append(&f->payload, body, n) == ERR_NONE);
    deliver(p, f);
}

static bool take_preface(struct peer *p)
{
    if (!p->preface_left)
        return true;
    if (buf_len(&p->in) < PREFACE_BYTES)
        return false;
    if (memcmp(buf_head(&p->in), preface, PREFACE_BYTES) != 0) {
        (void)fprintf(stderr, "script: the proxy began without the HTTP/2 preface\n");
        abort();
    }
    buf_consume(&p->in, PREFACE_BYTES);
    p->preface_left = false;
    return true;
}

static void on_open(void *ctx)
{
    struct peer *p = ctx;
    p->opened = true;
    if (!p->silent) {
        if (!p->of)
            peer_send_raw(p, preface, PREFACE_BYTES);
        peer_send(p, FRAME_SETTINGS, 0, 0, buf_head(&p->settings), buf_len(&p->settings));
    }
    push(p);
}

static void on_bytes(void *ctx, const uint8_t *bytes, size_t n)
{
    struct peer *p = ctx;
    need(buf_append(&p->in, bytes, n) == ERR_NONE);
    if (!take_preface(p))
        return;
    while (buf_len(&p->in) >= FRAME_HEAD) {
        const uint8_t *h = buf_head(&p->in);
        size_t length = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
        if (buf_len(&p->in) < FRAME_HEAD + length)
            return;
        take_frame(p, h, h + FRAME_HEAD, length);
        buf_consume(&p->in, FRAME_HEAD + length);
    }
}

static void on_writable(void *ctx)
{
    push(ctx);
}

static void on_end(void *ctx, enum conn_end end, const char *why)
{
    struct peer *p = ctx;
    (void)end;
    p->ended = true;
    (void)snprintf(p->why, sizeof p->why, "%s", why);
}

const struct conn_ops peer_ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_writable = on_writable, .on_end = on_end};

static uint32_t number_at(const struct buf *b, size_t at)
{
    const uint8_t *p = buf_head(b) + at;
    return buf_len(b) < at + 4 ? 0 : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t format_fields(const struct frame *f, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < f->fields_n && n < size; i++) {
        int shown = f->fields[i].value_n > 120 ? 120 : (int)f->fields[i].value_n;
        n += (size_t)snprintf(out + n, size - n, " %s=%.*s", f->fields[i].name, shown, f->fields[i].value);
    }
    return n < size ? n : size - 1;
}

const char *frame_format(const struct frame *f, char *out, size_t size)
{
    const char *name = f->type < FRAME_TYPES ? frame_names[f->type] : "FRAME";
    size_t n = (size_t)snprintf(out, size, "%s stream=%u", name, f->stream);
    if (f->type == FRAME_DATA)
        n += (size_t)snprintf(out + n, size - n, " size=%zu", buf_len(&f->payload));
    if (f->type == FRAME_RST_STREAM)
        n += (size_t)snprintf(out + n, size - n, " code=%u", number_at(&f->payload, 0));
    if (f->type == FRAME_GOAWAY)
        n += (size_t)snprintf(out + n, size - n, " last=%u code=%u", number_at(&f->payload, 0),
                              number_at(&f->payload, 4));
    if (f->type == FRAME_WINDOW_UPDATE)
        n += (size_t)snprintf(out + n, size - n, " n=%u", number_at(&f->payload, 0));
    n += format_fields(f, out + n, size - n);
    if ((f->type == FRAME_DATA || f->type == FRAME_HEADERS) && (f->flags & FRAME_END_STREAM))
        (void)snprintf(out + n, size - n, " end");
    else if ((f->type == FRAME_SETTINGS || f->type == FRAME_PING) && (f->flags & FRAME_ACK))
        (void)snprintf(out + n, size - n, " ack");
    return out;
}
