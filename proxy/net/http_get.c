/* A connection of evhttp for one request. */
#include "net/http_get.h"

#include "net/loop_event.h"

#include <event2/http.h>
#include <stdlib.h>

enum { BODY_MAX = 64 * 1024, HEADERS_MAX = 16 * 1024 };

struct http_get {
    struct evhttp_connection *connection; /* owned, and through it the request */
    void (*on_end)(void *ctx, int status);
    void *ctx;
};

static void on_answer(struct evhttp_request *request, void *arg)
{
    struct http_get *g = arg;
    g->on_end(g->ctx, request ? evhttp_request_get_response_code(request) : 0);
}

static bool ask(struct http_get *g, const char *path)
{
    struct evhttp_request *request = evhttp_request_new(on_answer, g);
    if (!request)
        return false;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Host", "localhost");
    evhttp_add_header(headers, "Connection", "close");
    evhttp_add_header(headers, "User-Agent", "outrigger/" OUTRIGGER_VERSION);
    return evhttp_make_request(g->connection, request, EVHTTP_REQ_GET, path) == 0;
}

struct http_get *http_get_new(struct loop *l, const char *ip, uint16_t port, const char *path, ns_t timeout_ns,
                              void (*on_end)(void *ctx, int status), void *ctx)
{
    struct http_get *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    *g = (struct http_get){.on_end = on_end, .ctx = ctx};
    g->connection = evhttp_connection_base_new(loop_event_base(l), NULL, ip, port);
    if (g->connection) {
        evhttp_connection_set_timeout(g->connection, (int)(timeout_ns / NS_PER_S));
        evhttp_connection_set_max_body_size(g->connection, BODY_MAX);
        evhttp_connection_set_max_headers_size(g->connection, HEADERS_MAX);
        if (ask(g, path))
            return g;
    }
    http_get_free(g);
    return NULL;
}

void http_get_free(struct http_get *g)
{
    if (!g)
        return;
    if (g->connection)
        evhttp_connection_free(g->connection);
    free(g);
}
