/* The admin pages' HTTP/1.1 server over libevent's evhttp, on the loop of the control thread. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "net/loop.h"

struct http_server;
struct http_later; /* a request that is answered after its handler has returned */

struct http_answer {
    int status;               /* 200, 404, 503 ...; 0: http_answer_later follows */
    const char *content_type; /* static */
    struct buf body;          /* owned by the server after the handler returns */
    struct http_later *later; /* for a handler that answers later */
};

/* Serves GET and HEAD on a listening descriptor (taken over); other methods get 405. `handle` fills *answer for a path
 * (without query) and its query string ("" when none). */
struct http_server *
http_server_new(struct loop *l, int fd,
                void (*handle)(void *ctx, const char *path, const char *query, struct http_answer *answer), void *ctx);
void http_server_free(struct http_server *s);

/* The answer to a request whose handler left the status 0: once, before the server is freed, whether the caller is
 * still there or not. The body is the server's. */
void http_answer_later(struct http_later *later, struct http_answer *answer);

#endif
