/* One GET over HTTP/1.1 without blocking, on a loop: what asks a neighbour on this machine how it is. The body of the
 * answer is not kept. */
#ifndef NET_HTTP_GET_H
#define NET_HTTP_GET_H

#include "net/loop.h"

struct http_get;

/* Connects to IP:port and asks for `path` (with its query) once. `on_end` comes once, from the loop: the status of the
 * answer, or 0 when there was none within timeout_ns (whole seconds) or it was no HTTP. NULL when memory is out. */
struct http_get *http_get_new(struct loop *l, const char *ip, uint16_t port, const char *path, ns_t timeout_ns,
                              void (*on_end)(void *ctx, int status), void *ctx);

/* Ends it, before on_end without one; not from inside on_end. NULL is ignored. */
void http_get_free(struct http_get *g);

#endif
