/* One GET over HTTP/1.1, for commands that ask the admin pages of a running process. It blocks; the proxy itself never
 * uses it. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/address.h"
#include "base/buf.h"
#include "base/clock.h"

enum { HTTP_CLIENT_ANSWER_MAX = 64 << 20, HTTP_CLIENT_ERROR_MAX = 256 };

/* Appends the body of the answer, which must be a 200 and whole within timeout_ns, to *ret. On failure `error` says why
 * in a few words; *ret may then hold anything. */
MUST_CHECK enum err http_client_get(const struct address *a, const char *path, ns_t timeout_ns, struct buf *ret,
                                    char *error /* HTTP_CLIENT_ERROR_MAX */);

#endif
