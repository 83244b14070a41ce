/* An HTTPS/1.1 server for POST of JSON, over libevent's evhttp: what the Kubernetes API server speaks to webhooks. Not
 * on the data path. */
#ifndef NET_HTTPS_H
#define NET_HTTPS_H

#include "base/slice.h"
#include "net/http.h"

enum { HTTPS_BODY_MAX = 8 << 20 };

struct https_server;

/* `handle` fills *answer for a POST to `path`; GET of a path comes with an empty body. Owned by: the caller. */
typedef void https_handle(void *ctx, const char *path, struct slice body, struct http_answer *answer);

/* Serves on a listening descriptor (taken over). The PEM files are read again when they change; a pair that does not
 * fit leaves the old one in force. NULL with a message when the pair cannot be used. */
struct https_server *https_server_new(struct loop *l, int fd, const char *certificate, const char *private_key,
                                      https_handle *handle, void *ctx, char *error, size_t error_size);
void https_server_free(struct https_server *s);

#endif
