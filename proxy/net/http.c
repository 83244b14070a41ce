/* A small HTTP/1.1 server over evhttp: GET and HEAD, short requests, idle connections closed after 10 s, and no
 * spinning when descriptors are out. */
#include "net/http.h"

#include "net/loop_event.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_S = 10, HEADERS_BYTES_MAX = 16 * 1024, BODY_BYTES_MAX = 16 * 1024 };
#define ACCEPT_PAUSE_NS (500 * NS_PER_MS)

struct http_server {
    struct loop *loop;
    struct evhttp *http;            /* owned, and through it the descriptor */
    struct evconnlistener *accepts; /* borrowed from http */
    struct loop_timer *timer;       /* accepts again */
    void (*handle)(void *ctx, const char *path, const char *query, struct http_answer *answer);
    void *ctx;
};

static void free_body(const void *p, size_t n, void *memory)
{
    (void)p, (void)n;
    free(memory);
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 503:
        return "Service Unavailable";
    default:
        return status < 400 ? "OK" : "Error";
    }
}

static void send_answer(struct evhttp_request *request, struct http_answer *a, bool head)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    char length[24];
    (void)snprintf(length, sizeof length, "%zu", buf_len(&a->body));
    evhttp_add_header(headers, "Content-Type", a->content_type ? a->content_type : "text/plain; charset=utf-8");
    evhttp_add_header(headers, "Content-Length", length);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    bool sent = !head && buf_len(&a->body) > 0 &&
                evbuffer_add_reference(body, buf_head(&a->body), buf_len(&a->body), free_body, a->body.p) == 0;
    if (!sent)
        buf_fini(&a->body);
    evhttp_send_reply(request, a->status, reason(a->status), NULL);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct http_server *s = arg;
    struct http_answer answer = {.status = 405, .later = (struct http_later *)(void *)request};
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD)
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
    else {
        answer.status = 0;
        s->handle(s->ctx, path && *path ? path : "/", query ? query : "", &answer);
    }
    if (answer.status > 0)
        send_answer(request, &answer, command == EVHTTP_REQ_HEAD);
}

/* A request whose caller has gone is freed by the reply. */
void http_answer_later(struct http_later *later, struct http_answer *answer)
{
    struct evhttp_request *request = (struct evhttp_request *)(void *)later;
    send_answer(request, answer, evhttp_request_get_command(request) == EVHTTP_REQ_HEAD);
}

static void on_accept_again(void *ctx)
{
    struct http_server *s = ctx;
    evconnlistener_enable(s->accepts);
}

static void on_accept_error(struct evconnlistener *accepts, void *arg)
{
    struct http_server *s = arg;
    evconnlistener_disable(accepts);
    loop_timer_set(s->timer, loop_now(s->loop) + ACCEPT_PAUSE_NS);
}

static bool start(struct http_server *s, int fd)
{
    s->timer = loop_timer_new(s->loop, on_accept_again, s);
    s->http = evhttp_new(loop_event_base(s->loop));
    if (!s->timer || !s->http)
        return false;
    evhttp_set_timeout(s->http, TIMEOUT_S);
    evhttp_set_max_headers_size(s->http, HEADERS_BYTES_MAX);
    evhttp_set_max_body_size(s->http, BODY_BYTES_MAX);
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_gencb(s->http, on_request, s);
    struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(s->http, fd);
    if (!bound)
        return false;
    s->accepts = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(s->accepts, on_accept_error);
    return true;
}

struct http_server *
http_server_new(struct loop *l, int fd,
                void (*handle)(void *ctx, const char *path, const char *query, struct http_answer *answer), void *ctx)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct http_server){.loop = l, .handle = handle, .ctx = ctx};
    if (start(s, fd))
        return s;
    http_server_free(s);
    return NULL;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    if (s->http)
        evhttp_free(s->http);
    loop_timer_free(s->timer);
    free(s);
}
