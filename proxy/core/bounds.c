/* Defaults and names of the bounds, and token buckets. */
#include "core/bounds.h"

enum { PORTIONS = 5 };

const struct bounds bounds_default = {
#define X(field, kind, otherwise, least, most, doc) .field = (otherwise),
    BOUNDS_VALUES(X)
#undef X
#define X(field, burst, per_second, doc) .field = {burst, per_second},
        BOUNDS_RATES(X)
#undef X
};

const char *bound_name(enum bound_kind kind)
{
    static const char *const names[BOUND_COUNT] = {
#define X(name, text) [BOUND_##name] = text,
        BOUND_LIST(X)
#undef X
    };
    return names[kind];
}

const char *bound_side_name(enum bound_side side)
{
    static const char *const names[BOUND_SIDES] = {"downstream", "upstream"};
    return names[side];
}

int64_t bounds_first_window(const struct bounds *b, bool inbound)
{
    int64_t share = b->connection_buffer / 2 / b->max_concurrent_streams;
    if (!inbound)
        return b->stream_window / 2;
    if (share < BOUNDS_FIRST_WINDOW)
        share = BOUNDS_FIRST_WINDOW;
    return share < b->stream_window ? share : b->stream_window;
}

int64_t bounds_lend(const struct bounds *b, int64_t lent, int64_t want)
{
    int64_t most = (b->connection_buffer / 2 - lent) / 2;
    int64_t loan = want < most ? want : most;
    return loan >= BOUNDS_LOAN || (loan > 0 && loan == want) ? loan : 0;
}

void bucket_init(struct bucket *b, const struct bound_rate *rate, ns_t now)
{
    *b = (struct bucket){rate->burst, now};
}

bool bucket_take(struct bucket *b, const struct bound_rate *rate, ns_t now)
{
    int64_t portion = rate->burst / PORTIONS > 0 ? rate->burst / PORTIONS : 1;
    ns_t wait = portion * (NS_PER_S / rate->per_second);
    int64_t earned = (now - b->at) / wait * portion;
    if (earned > 0) {
        b->tokens = earned + b->tokens > rate->burst ? rate->burst : (int32_t)(b->tokens + earned);
        b->at += earned / portion * wait;
    }
    if (b->tokens == rate->burst)
        b->at = now;
    if (b->tokens <= 0)
        return false;
    b->tokens--;
    return true;
}

bool bucket_is_low(const struct bucket *b, const struct bound_rate *rate)
{
    return b->tokens <= rate->burst / 4;
}
