/* Why a peer or its certificate is refused: the closed list of words that handshake counters and logs use. */
#ifndef BASE_REFUSAL_H
#define BASE_REFUSAL_H

#define REFUSAL_LIST(X)                                                                                                \
    X(OTHER, "other")                           /* broken off, no common version or cipher, memory */                  \
    X(NOT_TLS, "not_tls")                       /* the first bytes are something else */                               \
    X(NO_PROTOCOL, "no_protocol")               /* ALPN does not offer, or choose, h2 */                               \
    X(NO_CERTIFICATE, "no_certificate")         /* one is required */                                                  \
    X(EXPIRED, "expired")                       /* the leaf or a certificate above it */                               \
    X(NOT_YET_VALID, "not_yet_valid")           /* likewise */                                                         \
    X(UNTRUSTED, "untrusted")                   /* no trusted root, or a signature that is wrong */                    \
    X(WRONG_PURPOSE, "wrong_purpose")           /* key usage or extended key usage is for something else */            \
    X(AUTHORITY, "authority")                   /* an authority's certificate in the place of a leaf */                \
    X(TOO_LONG, "too_long")                     /* too many certificates up to the root */                             \
    X(TOO_LARGE, "too_large")                   /* too many bytes or names */                                          \
    X(WEAK, "weak")                             /* a key too small, a digest too old */                                \
    X(REVOKED, "revoked")                       /* on the revocation list */                                           \
    X(REVOCATION_UNKNOWN, "revocation_unknown") /* the list of the issuer has ended or is absent */                    \
    X(BAD_NAME, "bad_name")                     /* a name with other than visible ASCII, a NUL for one */              \
    X(BAD_IDENTITY, "bad_identity")             /* not one URI SAN, or one against the rules of SPIFFE */              \
    X(NO_IDENTITY, "no_identity")               /* neither a URI nor a DNS SAN */                                      \
    X(WRONG_PEER, "wrong_peer")                 /* proves to be somebody, but not the one expected */                  \
    X(BY_PEER, "by_peer")                       /* the peer refused us, with an alert */                               \
    X(TOO_BUSY, "too_busy")                     /* more key updates or alerts than anybody needs */

enum refusal {
#define X(name, text) REFUSAL_##name,
    REFUSAL_LIST(X)
#undef X
        REFUSAL_COUNT
};

/* The word, for counters and logs. */
const char *refusal_text(enum refusal r);

#endif
