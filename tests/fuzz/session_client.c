/* What an endpoint answers: the first byte says in which pieces it arrives and how many calls wait for it. */
#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void call(struct end *e, bool end)
{
    const struct header v[] = {header_make(TOKEN_METHOD, SLICE("POST")), header_make(TOKEN_SCHEME, SLICE("http")),
                               header_make(TOKEN_PATH, SLICE("/a.B/C")), header_make(TOKEN_AUTHORITY, SLICE("a"))};
    struct end_stream *x = &e->streams[e->used++];
    size_t sent;
    if (session_room(&e->session) == 0)
        return;
    CHECK(stream_open(&e->session, &x->stream, v, 4, end) == ERR_NONE);
    if (!end)
        CHECK(stream_send(&x->stream, (const uint8_t *)"\0\0\0\0\3abc", 8, true, &sent) == ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t settings[] = "\0\0\0\4\0\0\0\0";
    struct end *e = end_new(false);
    if (n > 0) {
        end_feed(e, settings, sizeof settings, 0);
        for (unsigned i = 0; i < 1u + (p[0] & 7); i++)
            call(e, i & 1);
        end_feed(e, p + 1, n - 1, p[0] >> 3);
    }
    end_free(e);
    return 0;
}
