/* What a session tells of the streams of attempts, handed on to their exchanges. */
#include "app/exchange.h"
#include "app/upstream.h"

static struct exchange *of_up(struct stream *s)
{
    return CONTAINER_OF(s, struct exchange, up);
}

void upstream_stream_on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    exchange_on_response(of_up(s), h, end, oversize);
}

void upstream_stream_on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    exchange_on_response_trailers(of_up(s), h, oversize);
}

void upstream_stream_on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    exchange_on_response_data(of_up(s), p, n, end);
}

void upstream_stream_on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    struct exchange *x = of_up(s);
    switch (how) {
    case SESSION_RESET_PEER:
        exchange_on_attempt_reset(x, code, CALL_BROKEN_RESET);
        break;
    case SESSION_RESET_REFUSED:
        exchange_on_attempt_reset(x, code, CALL_BROKEN_REFUSED);
        break;
    case SESSION_RESET_PROTOCOL:
        exchange_on_attempt_reset(x, code, CALL_BROKEN_PROTOCOL);
        break;
    case SESSION_RESET_LOST:
        exchange_on_attempt_reset(
            x, code, upconn_is_unsent(x->upconn, s->headers_at) ? CALL_BROKEN_UNSENT : CALL_BROKEN_CONNECTION);
        break;
    }
}

void upstream_stream_on_sent(struct stream *s, size_t n)
{
    exchange_on_attempt_sent(of_up(s), n);
}

void upstream_stream_on_done(struct stream *s)
{
    exchange_on_done(of_up(s));
}
