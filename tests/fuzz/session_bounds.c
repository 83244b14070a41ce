/* A peer against bounds that few bytes reach: the first byte says in which pieces the rest arrives, the second which
 * end we are, whether the peer reads, how much time passes, how long our answers are and when we go. However it ends,
 * no stream is told twice and none is left open. */
#include "session.h"

#include "core/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { SERVER = 1, UNREAD = 2, SLOW = 4, WORDY = 8, LEAVING = 16, PRESSED = 32 };

static struct bounds tight(void)
{
    struct bounds b = bounds_default;
    const struct bound_rate few = {.burst = 4, .per_second = 1};
    b.header_fields = 8;
    b.header_bytes = 1 << 10;
    b.continuations = 2;
    b.header_block_timeout = 4 * NS_PER_MS;
    b.empty_frames = 2;
    b.small_data_frames = 4;
    b.priority_frames = 1;
    b.window_updates_per_data = 1;
    b.settings_entries = 8;
    b.informational_responses = 2;
    b.queued_control_frames = 4;
    b.queued_frames = 8;
    b.stream_ids = 9;
    b.stream_window = 16 << 10;
    b.connection_window = 64 << 10;
    b.stalled_stream = 8 * NS_PER_MS;
    b.premature_resets = b.stream_errors = b.glitches = few;
    b.unknown_frames = b.pings = b.settings_frames = few;
    return b;
}

static void answer_at_length(struct end *e)
{
    static char words[40000];
    memset(words, '?', sizeof words); /* no shorter as Huffman codes */
    e->wordy = slice_make(words, sizeof words);
}

static void call(struct end *e)
{
    const struct header v[] = {header_make(TOKEN_METHOD, SLICE("POST")), header_make(TOKEN_SCHEME, SLICE("http")),
                               header_make(TOKEN_PATH, SLICE("/a.B/C")), header_make(TOKEN_AUTHORITY, SLICE("a")),
                               header_make(TOKEN_GRPC_MESSAGE, e->wordy)};
    size_t sent;
    for (unsigned i = 0; i < 4 && session_room(&e->session) > 0; i++) {
        struct end_stream *x = &e->streams[e->used++];
        CHECK(stream_open(&e->session, &x->stream, v, e->wordy.n > 0 ? 5 : 4, i & 1) == ERR_NONE);
        if (!(i & 1))
            CHECK(stream_send(&x->stream, (const uint8_t *)"\0\0\0\0\3abc", 8, true, &sent) == ERR_NONE);
    }
}

static void begin(struct end *e)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    if (e->session.server) {
        end_feed(e, preface, sizeof preface, 0); /* with the NUL behind it: the empty SETTINGS frame */
    } else {
        end_feed(e, preface + 24, 9, 0);
        call(e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 2)
        return 0;
    struct bounds bounds = tight();
    struct end *e = end_new_within(p[1] & SERVER, &bounds, 4);
    e->unread = p[1] & UNREAD;
    e->tick = p[1] & SLOW ? 4 * NS_PER_MS : NS_PER_US;
    if (p[1] & WORDY)
        answer_at_length(e);
    begin(e);
    size_t half = 2 + (n - 2) / 2;
    end_feed(e, p + 2, half - 2, p[0]);
    if (p[1] & LEAVING && e->session.server)
        session_announce_drain(&e->session);
    if (p[1] & PRESSED && e->session.server)
        while (session_reset_largest(&e->session) > 0)
            continue;
    end_feed(e, p + half, n - half, p[0]);
    if (p[1] & LEAVING && e->session.server)
        session_finish_drain(&e->session);
    session_release_buffers(&e->session);
    end_free(e);
    return 0;
}
