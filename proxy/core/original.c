/* Comparisons of addresses. */
#include "core/original.h"

/* Whether a connection to `a` from here would end at this listener of ours. */
static bool leads_to(const struct address *a, const struct address *listener)
{
    if (a->port != listener->port || listener->kind == ADDRESS_UNIX || listener->kind == ADDRESS_NAME)
        return false;
    return address_eq(a, listener) ||
           (address_is_loopback(a) && (address_is_any(listener) || address_is_loopback(listener)));
}

static bool leads_to_us(const struct snapshot *s, const struct address *a)
{
    for (size_t i = 0; i < s->listeners_n; i++)
        if (leads_to(a, &s->listeners[i].address))
            return true;
    return s->admin.present && leads_to(a, &s->admin.address);
}

enum original_flaw original_judge(const struct snapshot *s, const struct listener_conf *l,
                                  const struct address *original, const struct address *local)
{
    if (!original || address_eq(original, local))
        return ORIGINAL_DIRECT;
    struct address endpoint = original_endpoint(l->inbound, original);
    return leads_to_us(s, &endpoint) ? ORIGINAL_LOOP : ORIGINAL_GOOD;
}

struct address original_endpoint(bool inbound, const struct address *original)
{
    struct address a = *original;
    if (!inbound)
        return a;
    memset(a.ip, 0, sizeof a.ip);
    if (a.kind == ADDRESS_IPV4) {
        a.ip[0] = 127;
        a.ip[3] = 1;
    } else {
        a.ip[15] = 1;
    }
    return a;
}

const char *original_text(enum original_flaw flaw)
{
    switch (flaw) {
    case ORIGINAL_GOOD:
        break;
    case ORIGINAL_DIRECT:
        return "the connection was made to this listener itself, so there is no original destination to go on to";
    case ORIGINAL_LOOP:
        return "the original destination is a listener of this sidecar: the call would come back here";
    }
    return "";
}
