/* Who may call what: the list `allow` of an inbound listener. Rules are compiled when the file is read; what a rule
 * asks of the peer (identity, source) is decided once for a connection, so that a call is one lookup of its method and
 * one AND of two sets of rules. Pure. */
#ifndef CORE_ALLOW_H
#define CORE_ALLOW_H

#include "base/cidr.h"
#include "core/policy.h"
#include "core/status.h"

enum { ALLOW_RULES_MAX = 256, ALLOW_WORDS = ALLOW_RULES_MAX / 64 };

/* A set of rules by their index. */
struct allow_set {
    uint64_t v[ALLOW_WORDS];
};

/* All conditions that are there must hold; in a list one is enough. No identities: whoever it is, also one who proved
 * nothing. */
struct allow_rule {
    struct place place;
    struct slice *identities; /* exact, or patterns of base/spiffe.h */
    size_t identities_n;
    struct method_pattern *methods; /* none: every method */
    size_t methods_n;
    struct cidr *sources;
    size_t sources_n;
};

/* A method, or with an empty `method` a whole service, and the rules that name it. */
struct allow_method {
    struct slice service, method;
    struct allow_set rules;
};

struct allow {
    bool audit; /* denied calls pass, and are counted and told */
    struct place place, mode_place;
    struct allow_rule *rules; /* none: nobody may call */
    size_t rules_n;
    /* Made by allow_compile. */
    struct allow_set any;         /* rules that take every method */
    struct allow_method *methods; /* in order of their names, each once */
    size_t methods_n;
    bool asks_identity, asks_source; /* some rule does */
};

/* Who calls. */
struct allow_peer {
    struct slice identity;        /* empty: it proved none */
    const struct address *source; /* NULL: not known, no rule with sources holds */
    bool any_source;              /* every rule's sources hold: for explain */
};

/* Fills the tables from the rules. `storage` has room for as many as the rules have methods, and stays in use. */
void allow_compile(struct allow *a, struct allow_method *storage);

/* The rules whose identities and sources take this peer. */
void allow_decide_peer(const struct allow *a, const struct allow_peer *peer, struct allow_set *ret);

/* Whether one of these rules takes the method; `path` is "/pkg.Service/Method". */
bool allow_takes(const struct allow *a, const struct allow_set *rules, struct slice path);

/* The first rule that lets the call pass, NULL: none. Slower than the two above, which say the same; for explain. */
const struct allow_rule *allow_find(const struct allow *a, const struct allow_peer *peer, struct slice path);

/* Why a call that no rule takes is denied: an identity would be needed and there is none, or it is not enough. */
static inline enum reason allow_denial(const struct allow *a, struct slice identity)
{
    return identity.n == 0 && a->asks_identity ? REASON_NO_IDENTITY : REASON_NOT_ALLOWED;
}

static inline enum status allow_status(enum reason denial)
{
    return denial == REASON_NO_IDENTITY ? STATUS_UNAUTHENTICATED : STATUS_PERMISSION_DENIED;
}

#endif
