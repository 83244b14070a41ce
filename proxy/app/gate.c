/* Asks core/allow about the calls of accepted connections, and counts and tells what it says. */
#include "app/gate.h"

#include "app/downstream.h"
#include "app/worker.h"
#include "base/log.h"

#include <stdio.h>

enum { SHOWN_MAX = 128 };

static int shown(struct slice s)
{
    return (int)(s.n < SHOWN_MAX ? s.n : SHOWN_MAX);
}

static void decide(struct downstream *d, const struct listener_conf *l, uint64_t generation)
{
    struct gate *g = &d->gate;
    struct address source;
    struct allow_peer peer = {.identity = slice_str(conn_peer_identity(d->link.conn))};
    *g = (struct gate){.generation = generation};
    if (l->tells_client_cert)
        g->client_cert = slice_str(conn_client_cert(d->link.conn));
    if (!l->allow)
        return;
    if (l->allow->asks_source && conn_peer_address(d->link.conn, &source) == ERR_NONE)
        peer.source = &source;
    allow_decide_peer(l->allow, &peer, &g->rules);
    g->denial = allow_denial(l->allow, peer.identity);
}

/* One line in a while says how many it stands for. */
static void tell(struct downstream *d, const struct listener_conf *l, struct slice path)
{
    struct worker *w = d->link.worker;
    char method[SHOWN_MAX + 1];
    w->gate_untold++;
    if (w->now < w->gate_told_at)
        return;
    w->gate_told_at = ns_add(w->now, GATE_LOG_NS);
    (void)snprintf(method, sizeof method, "%.*s", shown(path), path.p);
    log_line(LOG_WARN, l->allow->audit ? "call_would_be_denied" : "call_denied", LOG_TEXT("listen", l->text),
             LOG_TEXT("identity", conn_peer_identity(d->link.conn)), LOG_TEXT("method", method),
             LOG_TEXT("reason", reason_name(d->gate.denial)), LOG_NUMBER("calls", w->gate_untold));
    w->gate_untold = 0;
}

static enum reason deny(struct downstream *d, const struct listener_conf *l, struct slice path)
{
    struct worker_stats *stats = &d->link.worker->stats;
    bool known = d->gate.denial == REASON_NOT_ALLOWED;
    tell(d, l, path);
    if (l->allow->audit) {
        counter_add(known ? &stats->allow_audit_not_allowed : &stats->allow_audit_no_identity, 1);
        return REASON_NONE;
    }
    counter_add(known ? &stats->allow_not_allowed : &stats->allow_no_identity, 1);
    return d->gate.denial;
}

enum reason gate_judge(struct downstream *d, const struct listener_conf *l, struct slice path)
{
    const struct worker *w = d->link.worker;
    uint64_t generation = w->view->generation->snapshot->generation;
    if (d->gate.generation != generation)
        decide(d, l, generation);
    if (!l->allow)
        return REASON_NONE;
    if (!allow_takes(l->allow, &d->gate.rules, path))
        return deny(d, l, path);
    counter_add(&d->link.worker->stats.allow_allowed, 1);
    return REASON_NONE;
}

const char *gate_text(const struct downstream *d, enum reason denial, struct slice path, char *out, size_t size)
{
    struct slice identity = slice_str(conn_peer_identity(d->link.conn));
    if (denial == REASON_NO_IDENTITY)
        (void)snprintf(out, size, "%.*s is for callers with an identity (a URI in their certificate)", shown(path),
                       path.p);
    else
        (void)snprintf(out, size, "no rule allows %.*s to %.*s", shown(path), path.p,
                       identity.n ? (int)(identity.n < 256 ? identity.n : 256) : (int)sizeof "this caller" - 1,
                       identity.n ? identity.p : "this caller");
    return out;
}
