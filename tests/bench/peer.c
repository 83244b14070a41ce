/* The loop and the one path by which bytes reach a session and leave it. */
#include "peer.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { SCRATCH_BYTES = 256 * 1024, READY_MAX = 256, STREAM_WINDOW = 4 << 20, CONNECTION_WINDOW = 64 << 20 };

int64_t loop_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void loop_init(struct loop *l)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC), .scratch = malloc(SCRATCH_BYTES), .now = loop_clock()};
    if (l->epoll < 0 || !l->scratch)
        abort();
    list_init(&l->dirty);
    prctl(PR_SET_TIMERSLACK, 1);
}

void loop_fini(struct loop *l)
{
    close(l->epoll);
    free(l->scratch);
}

bool loop_watch(struct loop *l, int fd, struct source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void loop_forget(struct loop *l, int fd)
{
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void gone(struct peer *p)
{
    void (*on_gone)(struct peer *) = p->on_gone;
    p->on_gone = NULL;
    if (on_gone)
        on_gone(p);
}

static void arm_writable(struct peer *p)
{
    if (p->wire.blocked == p->writable_armed)
        return;
    p->writable_armed = p->wire.blocked;
    struct epoll_event event = {.events = EPOLLIN | (p->writable_armed ? EPOLLOUT : 0), .data.ptr = p};
    epoll_ctl(p->loop->epoll, EPOLL_CTL_MOD, p->wire.fd, &event);
}

static void flush(struct peer *p)
{
    const uint8_t *bytes;
    ssize_t length;
    while ((length = nghttp2_session_mem_send(p->session, &bytes)) > 0)
        wire_append(&p->wire, bytes, (size_t)length);
    bool finished = !nghttp2_session_want_read(p->session) && !nghttp2_session_want_write(p->session);
    if (length < 0 || !wire_flush(&p->wire) || (finished && !p->wire.blocked)) {
        gone(p);
        return;
    }
    arm_writable(p);
}

void loop_turn(struct loop *l, int64_t wait_ns)
{
    struct list *dirty;
    while ((dirty = list_pop(&l->dirty)))
        flush(CONTAINER_OF(dirty, struct peer, dirty));
    struct epoll_event ready[READY_MAX];
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    int count = epoll_pwait2(l->epoll, ready, READY_MAX, wait_ns < 0 ? NULL : &wait, NULL);
    l->now = loop_clock();
    for (int i = 0; i < count; i++) {
        struct source *source = ready[i].data.ptr;
        source->on_ready(source, ready[i].events);
    }
}

static void peer_on_ready(struct source *source, uint32_t events)
{
    struct peer *p = (struct peer *)source;
    (void)events;
    do {
        ssize_t length = wire_read(&p->wire, p->loop->scratch, SCRATCH_BYTES);
        if (length == 0)
            break;
        if (length < 0 || nghttp2_session_mem_recv(p->session, p->loop->scratch, (size_t)length) < 0) {
            gone(p);
            return;
        }
    } while (wire_has_pending(&p->wire));
    peer_touch(p);
}

void peer_start(struct peer *p, struct loop *l, void (*on_gone)(struct peer *peer))
{
    p->source.on_ready = peer_on_ready;
    p->loop = l;
    p->on_gone = on_gone;
    p->writable_armed = false;
    list_init(&p->dirty);
    if (!loop_watch(l, p->wire.fd, &p->source))
        abort();
    peer_touch(p);
}

void peer_touch(struct peer *p)
{
    if (list_is_empty(&p->dirty))
        list_push_back(&p->loop->dirty, &p->dirty);
}

void peer_fini(struct peer *p)
{
    list_remove(&p->dirty);
    nghttp2_session_del(p->session);
    p->session = NULL;
    wire_fini(&p->wire);
}

void peer_submit_settings(nghttp2_session *session, uint32_t streams_max)
{
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
    };
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries, 2) != 0 ||
        nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) != 0)
        abort();
}
