/* Which bytes a field may have (RFC 9113 section 8.2.1, RFC 9110 section 5.5). Private to hpack. */
#ifndef H2_HPACK_CHECK_H
#define H2_HPACK_CHECK_H

#include "h2/header.h"

/* Lower-case token characters, at least one; a colon only in front of others. */
bool hpack_check_name(const char *p, size_t n);

/* No control characters but HTAB, no space or HTAB at the ends; bytes from 0x80 on pass. `edges`: spaces at the ends
 * pass too (gRPC's percent-encoding leaves them in grpc-message). */
bool hpack_check_value(const char *p, size_t n, bool edges);

#endif
