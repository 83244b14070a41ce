/* gRPC over HTTP/2 (PROTOCOL-HTTP2): content types, percent-encoding, base64, the trailers of local answers, and the
 * rules which fields pass a proxy. Texts only, no streams. */
#ifndef H2_GRPC_H
#define H2_GRPC_H

#include "core/status.h"
#include "h2/header.h"

/* What kind of request a block is. */
enum grpc_request {
    GRPC_REQUEST_OK,
    GRPC_REQUEST_BAD_METHOD,       /* not POST: 405 */
    GRPC_REQUEST_BAD_CONTENT_TYPE, /* not application/grpc, +x or ;x: 415 */
    GRPC_REQUEST_BAD_PATH          /* no leading slash or no /service/method: UNIMPLEMENTED */
};

/* Judges a request block whose pseudo fields are known to be whole. */
enum grpc_request grpc_judge_request(const struct headers *h);

/* application/grpc, application/grpc+proto, application/grpc;x. Not application/grpc-web, not application/grpcfoo. */
bool grpc_is_content_type(struct slice value);

/* RFC 9113 sections 8.2 and 8.3 for a request, a response, or trailers: pseudo fields whole, once, first, known; no
 * connection-specific fields; te only `trailers`; content-length a number. ERR_PROTOCOL when malformed. */
enum grpc_block { GRPC_BLOCK_REQUEST, GRPC_BLOCK_RESPONSE, GRPC_BLOCK_TRAILERS };
MUST_CHECK enum err grpc_check_block(const struct headers *h, enum grpc_block kind);

/* Percent-encodes a status message (bytes outside 0x20..0x7E and '%'); out has room for 3 * s.n. Returns the length. */
size_t grpc_message_encode(struct slice s, char *out);

/* Base64 without padding; out has room for (n + 2) / 3 * 4. Returns the length. */
size_t grpc_base64_encode(const uint8_t *p, size_t n, char *out);

/* One attempt, for the list in error details. */
struct grpc_attempt_note {
    const char *endpoint;
    enum status status;
    int64_t duration_ms;
};

/* A local answer. */
struct grpc_answer {
    enum status status;
    enum reason reason;
    const char *message;    /* plain text, says why */
    int64_t retry_after_ms; /* RetryInfo; < 0: none */
    bool pushback;          /* also send grpc-retry-pushback-ms = retry_after_ms */
    const struct grpc_attempt_note *attempts;
    size_t attempts_n;
};

/* Appends grpc-status, grpc-message, grpc-status-details-bin (google.rpc.Status with ErrorInfo, domain "outrigger",
 * metadata of the attempts, and RetryInfo) to the block, with texts in the arena. The caller adds :status and
 * content-type for a trailers-only answer. The message is cut at 1,024 bytes, five attempts are told. ERR_NOMEM: memory
 * is out, or the block is full. */
MUST_CHECK enum err grpc_answer_fields(const struct grpc_answer *a, struct arena *arena, struct headers *h);

/* Whether a field of a request (or response) passes the proxy: connection-specific ones, `host`, the proxy's own and
 * forged identity fields do not. Pseudo fields and grpc-timeout are the caller's. */
bool grpc_passes(const struct header *h, bool request);

#endif
