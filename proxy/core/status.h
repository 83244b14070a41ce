/* gRPC status codes, HTTP/2 error codes, the reasons of local answers, and the maps between them.
 * Sources: grpc/doc/statuscodes.md, PROTOCOL-HTTP2 "Errors", http-grpc-status-mapping.md, RFC 9113 section 7. */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

#include "base/err.h"
#include "base/slice.h"

#define STATUS_LIST(X)                                                                                                 \
    X(OK, 0)                                                                                                           \
    X(CANCELLED, 1)                                                                                                    \
    X(UNKNOWN, 2)                                                                                                      \
    X(INVALID_ARGUMENT, 3)                                                                                             \
    X(DEADLINE_EXCEEDED, 4)                                                                                            \
    X(NOT_FOUND, 5)                                                                                                    \
    X(ALREADY_EXISTS, 6)                                                                                               \
    X(PERMISSION_DENIED, 7)                                                                                            \
    X(RESOURCE_EXHAUSTED, 8)                                                                                           \
    X(FAILED_PRECONDITION, 9)                                                                                          \
    X(ABORTED, 10)                                                                                                     \
    X(OUT_OF_RANGE, 11)                                                                                                \
    X(UNIMPLEMENTED, 12)                                                                                               \
    X(INTERNAL, 13)                                                                                                    \
    X(UNAVAILABLE, 14)                                                                                                 \
    X(DATA_LOSS, 15)                                                                                                   \
    X(UNAUTHENTICATED, 16)

enum status {
#define X(name, number) STATUS_##name = number,
    STATUS_LIST(X)
#undef X
};

enum { STATUS_COUNT = 17 };

/* Why Outrigger itself answered; the table "Local answers" of the documentation. */
#define REASON_LIST(X)                                                                                                 \
    X(NO_ROUTE)                                                                                                        \
    X(NO_ENDPOINT)                                                                                                     \
    X(BREAKER_OPEN)                                                                                                    \
    X(UPSTREAM_RESET)                                                                                                  \
    X(UPSTREAM_CONNECT)                                                                                                \
    X(UPSTREAM_TIMEOUT)                                                                                                \
    X(DEADLINE_EXCEEDED)                                                                                               \
    X(DEADLINE_UNMEETABLE)                                                                                             \
    X(OVERLOADED)                                                                                                      \
    X(RATE_LIMITED)                                                                                                    \
    X(NOT_ALLOWED)                                                                                                     \
    X(NO_IDENTITY)                                                                                                     \
    X(BAD_REQUEST)                                                                                                     \
    X(DRAINING)

enum reason {
    REASON_NONE,
#define X(name) REASON_##name,
    REASON_LIST(X)
#undef X
        REASON_COUNT
};

enum h2_code {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_FLOW_CONTROL_ERROR = 3,
    H2_SETTINGS_TIMEOUT = 4,
    H2_STREAM_CLOSED = 5,
    H2_FRAME_SIZE_ERROR = 6,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_COMPRESSION_ERROR = 9,
    H2_CONNECT_ERROR = 10,
    H2_ENHANCE_YOUR_CALM = 11,
    H2_INADEQUATE_SECURITY = 12,
    H2_HTTP_1_1_REQUIRED = 13
};

/* "UNAVAILABLE"; "UNKNOWN" for numbers past 16. Static storage. */
const char *status_name(unsigned status);

/* Name (any case) or number 0..16; ERR_INVALID otherwise. */
MUST_CHECK enum err status_parse(struct slice text, enum status *ret);

/* The value of a grpc-status field: decimal without leading zeros, any size up to 9 digits. ERR_INVALID otherwise. */
MUST_CHECK enum err status_parse_wire(struct slice text, uint32_t *ret);

/* "NO_ROUTE"; "" for REASON_NONE. */
const char *reason_name(enum reason reason);

/* The status of a stream reset with `code` before its status was known (PROTOCOL-HTTP2 "Errors"). */
enum status status_of_h2_code(uint32_t code);

/* The status of an HTTP answer that has no grpc-status (http-grpc-status-mapping.md). 200 gives UNKNOWN. */
enum status status_of_http(unsigned http_status);

#endif
