/* What `allow` says of a call, and by which rule. */
#include "conf/explain_internal.h"
#include "conf/memory.h"
#include "core/allow.h"

static const char *sources_text(const struct allow_rule *r)
{
    return r->sources_n > 0 ? "from the networks of its source alone" : "";
}

static struct explain_row passes(struct arena *a, const struct allow_rule *r)
{
    return (struct explain_row){"allow", "passes", explain_from(a, r->place), sources_text(r)};
}

static struct explain_row denied(struct arena *a, const struct allow *allow, struct slice identity)
{
    enum reason denial = allow_denial(allow, identity);
    const char *why =
        memory_format(a, "no rule; %s %s, reason %s", allow->audit ? "it passes, and is told as" : "answered",
                      status_name(allow_status(denial)), reason_name(denial));
    return (struct explain_row){"allow", allow->audit ? "would be denied" : "denied", explain_from(a, allow->place),
                                why};
}

/* Somebody takes a call of this method, but it was not told who calls. */
static bool is_taken_from_somebody(const struct allow *allow, struct slice path)
{
    struct allow_set all;
    memset(&all, 0xff, sizeof all);
    return allow_takes(allow, &all, path);
}

static struct explain_row allow_row(struct arena *a, const struct listener_conf *l, const struct explain_query *q)
{
    struct slice path = slice_str(q->path), identity = q->identity ? slice_str(q->identity) : SLICE("");
    bool proves = l->tls == TLS_MODE_MUTUAL;
    struct allow_peer peer = {.identity = proves ? identity : SLICE(""), .any_source = true};
    const struct allow_rule *r = allow_find(l->allow, &peer, path);
    if (r)
        return passes(a, r);
    if (proves && !q->identity && is_taken_from_somebody(l->allow, path))
        return (struct explain_row){"allow", "depends", explain_from(a, l->allow->place),
                                    "on who calls: tell --identity"};
    return denied(a, l->allow, peer.identity);
}

void explain_guard(struct arena *a, struct explain_listener *e, const struct explain_query *q)
{
    const struct listener_conf *l = e->listener;
    if (l->allow) {
        explain_row(e->rows, &e->rows_n,
                    (struct explain_row){"allow.mode", l->allow->audit ? "audit" : "enforce",
                                         explain_from(a, l->allow->mode_place), ""});
        explain_row(e->rows, &e->rows_n, allow_row(a, l, q));
    } else {
        explain_row(e->rows, &e->rows_n,
                    (struct explain_row){"allow", "passes", "default",
                                         l->tls == TLS_MODE_MUTUAL ? "no allow is written: every verified peer may call"
                                                                   : "no allow is written: whoever connects may call"});
    }
    explain_row(e->rows, &e->rows_n,
                (struct explain_row){"forward_client_cert", l->tells_client_cert ? "set" : "strip",
                                     explain_from(a, l->client_cert_place), ""});
}
