/* What a peer may do at most: the values of the section `bounds`, their defaults, the names under which they are
 * counted, and token buckets. Pure; whoever enforces a bound counts it. */
#ifndef CORE_BOUNDS_H
#define CORE_BOUNDS_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* field, kind (COUNT, SIZE in bytes, TIME in ns), default, least, most, what it is */
#define BOUNDS_VALUES(X)                                                                                               \
    X(header_fields, COUNT, 100, 8, 100, "Fields of a metadata block")                                                 \
    X(header_bytes, SIZE, 16 << 10, 1 << 10, 1 << 20, "Bytes of a metadata block, name + value + 32 a field")          \
    X(continuations, COUNT, 64, 1, 1024, "CONTINUATION frames of a block")                                             \
    X(header_block_timeout, TIME, 10 * NS_PER_S, NS_PER_MS, 3600 * NS_PER_S, "From the start of a block to its end")   \
    X(empty_frames, COUNT, 10, 1, 10000, "Frames in a row that carry nothing")                                         \
    X(small_data_frames, COUNT, 1000, 10, 1000000, "DATA frames over which small_data_bytes is the average")           \
    X(small_data_bytes, SIZE, 16, 1, 1024, "Least average of DATA frames that are not the last or a whole message")    \
    X(priority_frames, COUNT, 100, 1, 1000000, "PRIORITY frames for each stream, and to begin with")                   \
    X(window_updates_per_data, COUNT, 10, 1, 1000000, "WINDOW_UPDATE frames for each DATA frame sent")                 \
    X(settings_entries, COUNT, 32, 8, 1024, "Entries of a SETTINGS frame")                                             \
    X(settings_ack_timeout, TIME, 10 * NS_PER_S, NS_PER_MS, 3600 * NS_PER_S, "Until our SETTINGS are acknowledged")    \
    X(informational_responses, COUNT, 100, 1, 250, "1xx answers to a call")                                            \
    X(queued_control_frames, COUNT, 1000, 10, 1000000, "Control frames that a peer has not read")                      \
    X(queued_frames, COUNT, 5000, 10, 1000000, "Frames of any kind that a peer has not read")                          \
    X(frames_per_turn, COUNT, 100, 1, 1000000, "Frames taken from a connection before others have their turn")         \
    X(max_concurrent_streams, COUNT, 100, 1, 1000000, "Streams open on a connection to an inbound listener")           \
    X(max_concurrent_streams_outbound, COUNT, 1000, 1, 1000000,                                                        \
      "Streams open on a connection to an outbound listener")                                                          \
    X(stream_ids, COUNT, 0x60000000, 3, 0x7ffffff0, "Stream id at which a connection is replaced")                     \
    X(stream_window, SIZE, 64 << 10, 16 << 10, 16 << 20, "Bytes that a peer may send ahead on a stream")               \
    X(connection_window, SIZE, 1 << 20, 64 << 10, 256 << 20, "Bytes that a peer may send ahead on a connection")       \
    X(connection_buffer, SIZE, 1 << 20, 64 << 10, 1 << 30, "Bytes of answers that may wait for a connection")          \
    X(stalled_stream, TIME, 30 * NS_PER_S, NS_PER_MS, 24 * 3600 * NS_PER_S,                                            \
      "How long an answer may wait without a byte of it being taken")                                                  \
    X(idle_connection, TIME, 3600 * NS_PER_S, NS_PER_MS, 8760 * 3600 * NS_PER_S,                                       \
      "How long a connection may stay without a stream")                                                               \
    X(handshake_timeout, TIME, 5 * NS_PER_S, NS_PER_MS, 3600 * NS_PER_S, "For the TLS handshake of a caller")          \
    X(preface_timeout, TIME, 5 * NS_PER_S, NS_PER_MS, 3600 * NS_PER_S, "For the preface and SETTINGS of a caller")     \
    X(pending_handshakes, COUNT, 512, 1, 1000000, "Connections of callers whose handshake and preface are not done")   \
    X(connections_per_listener, COUNT, 1000, 1, 1000000, "Connections of callers to one listener")                     \
    X(connections, COUNT, 10000, 1, 1000000, "Connections of callers to the process")                                  \
    X(original_destinations, COUNT, 256, 1, 10000, "Destinations of captured connections that are kept at once")       \
    X(connecting, COUNT, 100, 1, 1000000, "Connections to endpoints of a service under way at once")                   \
    X(file_descriptors_kept, COUNT, 32, 1, 100000, "File descriptors kept back from callers")                          \
    X(unnamed_methods, COUNT, 4, 0, 256, "Methods of a service with metrics of their own that the file does not name") \
    X(memory, SIZE, 0, 16 << 20, (int64_t)1 << 40, "Memory of the process; its cgroup's limit holds beside it")

/* field, burst, refilled a second, what it is */
#define BOUNDS_RATES(X)                                                                                                \
    X(premature_resets, 500, 1000, "Streams that the caller resets within 1s and before an answer")                    \
    X(stream_errors, 1000, 100, "Streams that we reset because the peer broke a rule")                                 \
    X(glitches, 1000, 33, "Other frames that no honest peer sends in numbers")                                         \
    X(unknown_frames, 1000, 1000, "Frames of unknown types")                                                           \
    X(pings, 100, 100, "PING frames")                                                                                  \
    X(settings_frames, 100, 10, "SETTINGS frames")

/* Under which name a bound that was met is counted. */
#define BOUND_LIST(X)                                                                                                  \
    X(HEADER_FIELDS, "header_fields")                                                                                  \
    X(HEADER_BYTES, "header_bytes")                                                                                    \
    X(HEADER_FLOOD, "header_flood")                                                                                    \
    X(CONTINUATIONS, "continuations")                                                                                  \
    X(HEADER_BLOCK_TIMEOUT, "header_block_timeout")                                                                    \
    X(EMPTY_FRAMES, "empty_frames")                                                                                    \
    X(SMALL_DATA, "small_data")                                                                                        \
    X(PREMATURE_RESETS, "premature_resets")                                                                            \
    X(STREAM_ERRORS, "stream_errors")                                                                                  \
    X(GLITCHES, "glitches")                                                                                            \
    X(UNKNOWN_FRAMES, "unknown_frames")                                                                                \
    X(PRIORITY_FRAMES, "priority_frames")                                                                              \
    X(WINDOW_UPDATES, "window_updates")                                                                                \
    X(PINGS, "pings")                                                                                                  \
    X(SETTINGS_FRAMES, "settings_frames")                                                                              \
    X(SETTINGS_ENTRIES, "settings_entries")                                                                            \
    X(SETTINGS_ACK_TIMEOUT, "settings_ack_timeout")                                                                    \
    X(INFORMATIONAL_RESPONSES, "informational_responses")                                                              \
    X(QUEUED_CONTROL_FRAMES, "queued_control_frames")                                                                  \
    X(QUEUED_FRAMES, "queued_frames")                                                                                  \
    X(FRAMES_PER_TURN, "frames_per_turn")                                                                              \
    X(MAX_CONCURRENT_STREAMS, "max_concurrent_streams")                                                                \
    X(STREAM_IDS, "stream_ids")                                                                                        \
    X(STREAM_WINDOW, "stream_window")                                                                                  \
    X(CONNECTION_WINDOW, "connection_window")                                                                          \
    X(CONNECTION_BUFFER, "connection_buffer")                                                                          \
    X(STALLED_STREAM, "stalled_stream")                                                                                \
    X(IDLE_CONNECTION, "idle_connection")                                                                              \
    X(HANDSHAKE_TIMEOUT, "handshake_timeout")                                                                          \
    X(PREFACE_TIMEOUT, "preface_timeout")                                                                              \
    X(PENDING_HANDSHAKES, "pending_handshakes")                                                                        \
    X(CONNECTIONS_PER_LISTENER, "connections_per_listener")                                                            \
    X(CONNECTIONS, "connections")                                                                                      \
    X(ORIGINAL_DESTINATIONS, "original_destinations")                                                                  \
    X(CONNECTING, "connecting")                                                                                        \
    X(FILE_DESCRIPTORS_KEPT, "file_descriptors_kept")                                                                  \
    X(UNNAMED_METHODS, "unnamed_methods")                                                                              \
    X(MEMORY, "memory")

enum bound_kind {
#define X(name, text) BOUND_##name,
    BOUND_LIST(X)
#undef X
        BOUND_COUNT
};

/* Where it was met: towards callers or towards endpoints. */
enum bound_side { BOUND_DOWNSTREAM, BOUND_UPSTREAM, BOUND_SIDES };

const char *bound_name(enum bound_kind kind);
const char *bound_side_name(enum bound_side side);

struct bound_rate {
    int32_t burst, per_second;
};

/* Without padding: two are equal when their bytes are. */
struct bounds {
#define X(field, kind, otherwise, least, most, doc) int64_t field;
    BOUNDS_VALUES(X)
#undef X
#define X(field, burst, per_second, doc) struct bound_rate field;
    BOUNDS_RATES(X)
#undef X
};

extern const struct bounds bounds_default;

enum {
    BOUNDS_FLOOD_FACTOR = 4,        /* header_fields and header_bytes times this end the connection */
    BOUNDS_WINDOW_UPDATES = 100,    /* WINDOW_UPDATE frames to begin with, */
    BOUNDS_WINDOW_UPDATES_OPEN = 2, /* and for each stream opened */
    BOUNDS_FIRST_WINDOW = 4096,     /* least window that an endpoint has for an answer */
    BOUNDS_LOAN = 1024,             /* least part of connection_buffer that is lent */
    BOUNDS_RATE_MAX = 1000000
};

/* What an endpoint may send ahead of an answer before the caller has taken any of it. Behind an inbound listener: a
 * share of half of connection_buffer for each stream that a caller may open; the endpoint is near, and soon gets more.
 * Else half of stream_window. */
int64_t bounds_first_window(const struct bounds *b, bool inbound);

/* By how much the window of an answer whose caller takes it may grow, of `want` bytes: from the other half of
 * connection_buffer, of which the connection has `lent` bytes out; never more than half of what is left, so that
 * late streams get some. 0: the bound is met. */
int64_t bounds_lend(const struct bounds *b, int64_t lent, int64_t want);

/* Tokens that come back with time, a fifth of the burst at once: a flood gets its burst and no more, however long it
 * takes to read it. Owned by: whoever it bounds. */
struct bucket {
    int32_t tokens;
    ns_t at; /* since when tokens are on their way back */
};

/* Full at `now`. */
void bucket_init(struct bucket *b, const struct bound_rate *rate, ns_t now);

/* Takes one; false when there is none. */
bool bucket_take(struct bucket *b, const struct bound_rate *rate, ns_t now);

/* True when less than a quarter of the burst is left, as of the last take. */
bool bucket_is_low(const struct bucket *b, const struct bound_rate *rate);

#endif
