/* A ring of the last deaths. */
#include "app/respawn.h"

ns_t respawn_on_death(struct respawn *r, ns_t now)
{
    ns_t *oldest = &r->deaths[r->n % RESPAWN_BUDGET];
    bool often = r->n >= RESPAWN_BUDGET && now - *oldest < RESPAWN_SPAN_NS;
    r->n++;
    *oldest = now;
    r->wait = !often ? 0 : r->wait == 0 ? RESPAWN_FIRST_NS : ns_min(2 * r->wait, RESPAWN_MAX_NS);
    return r->wait;
}
