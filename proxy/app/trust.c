/* Timers of connections whose peers have certificates, and the round over all of them. */
#include "app/trust.h"

#include "app/downstream.h"
#include "app/upstream.h"
#include "base/log.h"

static struct link *of_trust(struct trust *t)
{
    return CONTAINER_OF(t, struct link, trust);
}

static void leave(struct link *l, counter_t *counter)
{
    if (l->trust.leaving)
        return;
    l->trust.leaving = true;
    counter_add(counter, 1);
    l->ops->drain(l);
}

static void cut(struct link *l)
{
    l->broken = true;
    link_mark(l);
}

static void on_timer(struct timer *timer, ns_t now)
{
    struct trust *t = CONTAINER_OF(timer, struct trust, timer);
    struct link *l = of_trust(t);
    if (!l->conn)
        return;
    ns_t left = conn_peer_left(l->conn);
    if (left <= 0 || now >= t->cut_at) {
        cut(l);
        return;
    }
    if (left <= t->lead)
        leave(l, &l->worker->stats.peers_ending);
    ns_t next = t->leaving ? left : left - t->lead;
    wheel_set(&l->worker->wheel, timer, ns_min(t->cut_at, ns_add(now, ns_min(next, TRUST_LOOK_NS))));
}

void trust_init(struct link *l)
{
    l->trust = (struct trust){.cut_at = NS_NEVER};
    timer_init(&l->trust.timer, on_timer);
}

void trust_fini(struct link *l)
{
    wheel_clear(&l->worker->wheel, &l->trust.timer);
}

void trust_on_open(struct link *l)
{
    struct worker *w = l->worker;
    ns_t left = conn_peer_left(l->conn);
    if (left == NS_NEVER)
        return;
    ns_t lead = ns_min(TRUST_LEAD_NS, left / 4);
    l->trust.lead = lead + (ns_t)rng_below(&w->rng, (uint64_t)lead / 4 + 1);
    wheel_set(&w->wheel, &l->trust.timer, ns_add(w->now, ns_min(left - l->trust.lead, TRUST_LOOK_NS)));
}

/* Not trusted any more. In-flight calls may end, new ones do not begin. */
static void distrust(struct link *l, const char *why)
{
    struct worker *w = l->worker;
    bool revoked = conn_refusal(l->conn) == REFUSAL_REVOKED;
    const char *peer = conn_peer_identity(l->conn);
    l->trust.cut_at = ns_add(w->now, revoked ? TRUST_REVOKED_NS : TRUST_DISTRUST_NS);
    leave(l, &w->stats.peers_distrusted);
    wheel_set(&w->wheel, &l->trust.timer, l->trust.cut_at);
    log_line(LOG_WARN, "peer_distrusted", LOG_TEXT("peer", *peer ? peer : conn_peer_dns(l->conn)),
             LOG_TEXT("reason", refusal_text(conn_refusal(l->conn))), LOG_TEXT("error", why));
}

/* True when it was verified again. */
static bool check(struct link *l)
{
    if (!l->open || !l->conn || !conn_is_stale(l->conn))
        return false;
    const char *why = conn_recheck(l->conn);
    if (why)
        distrust(l, why);
    return true;
}

static int check_pools(const struct upstream *u, int left)
{
    for (uint32_t i = 0; i < u->candidates_n; i++)
        LIST_FOR_SAFE(n, &u->pools[i]) {
            if (left <= 0)
                return 0;
            left -= check(&CONTAINER_OF(n, struct upconn, pool)->link);
        }
    return left;
}

static void on_recheck(struct timer *timer, ns_t now)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, trust.recheck);
    int left = TRUST_CHECKS_A_TURN;
    LIST_FOR_SAFE(n, &w->upstreams) {
        if (left > 0)
            left = check_pools(CONTAINER_OF(n, struct upstream, node), left);
    }
    LIST_FOR_SAFE(n, &w->downstreams) {
        if (left <= 0)
            break;
        left -= check(&CONTAINER_OF(n, struct downstream, node)->link);
    }
    if (left <= 0)
        wheel_set(&w->wheel, timer, ns_add(now, WHEEL_TICK_NS));
}

void trust_recheck(struct worker *w)
{
    wheel_set(&w->wheel, &w->trust.recheck, w->now);
}

void trust_state_init(struct worker *w)
{
    timer_init(&w->trust.recheck, on_recheck);
}

void trust_on_refused(struct worker *w, counter_t *counters, enum refusal r, const char *where, const char *why)
{
    struct trust_state *t = &w->trust;
    counter_add(&counters[r], 1);
    if (w->now - t->lines_since >= NS_PER_S) {
        t->lines_since = w->now;
        t->lines = 0;
    }
    if (t->lines++ < TRUST_LINES_A_SECOND)
        log_line(LOG_WARN, "handshake_failed", LOG_TEXT("at", where), LOG_TEXT("reason", refusal_text(r)),
                 LOG_TEXT("error", why));
}
