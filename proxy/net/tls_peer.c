/* Reads subject alternative names and judges leaves. */
#include "net/tls_peer.h"

#include "base/spiffe.h"

#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MAX = 80 };

/* The names of a leaf while they are looked at. */
struct names {
    size_t all, uris;
    struct slice uri, dns; /* the first of each */
    bool spiffe;           /* one URI is to be held to the rules of SPIFFE */
    bool bad;              /* one has other than visible ASCII */
};

static bool __attribute__((format(printf, 3, 4)))
refuse(struct tls_fault *fault, enum refusal refusal, const char *format, ...)
{
    va_list args;
    fault->refusal = refusal;
    va_start(args, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return false;
}

/* No NUL can cut such a name short, and none breaks a log. */
static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0;
}

static void look_at(struct names *names, const GENERAL_NAME *name)
{
    names->all++;
    if (name->type != GEN_URI && name->type != GEN_DNS)
        return;
    const ASN1_STRING *text = name->d.ia5;
    struct slice s = slice_make(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    names->bad |= !is_visible(s);
    if (name->type == GEN_URI && names->uris++ == 0)
        names->uri = s;
    names->spiffe |= name->type == GEN_URI && spiffe_is(s);
    if (name->type == GEN_DNS && !names->dns.p)
        names->dns = s;
}

static bool has_usage(X509 *leaf, uint32_t wanted)
{
    return (X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0 ||
           (X509_get_extended_key_usage(leaf) & wanted) == wanted;
}

static bool is_critical(X509 *leaf, int nid)
{
    int at = X509_get_ext_by_NID(leaf, nid, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(leaf, at)) == 1;
}

/* X509-SVID sections 4.3 and 4.4; cA is looked at for all. A key usage that is not stated allows what is needed (RFC
 * 5280, section 4.2.1.3): section 5.2 of X509-SVID asks those who verify only for what must not be in it. */
static bool check_svid(X509 *leaf, struct tls_fault *fault)
{
    bool stated = (X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) != 0;
    uint32_t usage = stated ? X509_get_key_usage(leaf) : KU_DIGITAL_SIGNATURE;
    if (stated && !is_critical(leaf, NID_key_usage))
        return refuse(fault, REFUSAL_WRONG_PURPOSE, "a key usage that is not critical, in a SPIFFE certificate");
    if (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))
        return refuse(fault, REFUSAL_AUTHORITY, "key usage keyCertSign or cRLSign in a SPIFFE certificate of a peer");
    if (!(usage & KU_DIGITAL_SIGNATURE))
        return refuse(fault, REFUSAL_WRONG_PURPOSE, "no key usage digitalSignature in a SPIFFE certificate");
    if (!has_usage(leaf, XKU_SSL_SERVER | XKU_SSL_CLIENT))
        return refuse(fault, REFUSAL_WRONG_PURPOSE,
                      "extended key usage of a SPIFFE certificate without serverAuth and clientAuth both");
    return true;
}

static bool check_identity(X509 *leaf, const struct names *names, struct tls_fault *fault)
{
    if (names->uris != 1)
        return refuse(fault, REFUSAL_BAD_IDENTITY, "has %zu identities (URI SANs), expected one", names->uris);
    const char *expected = spiffe_check_workload(names->uri);
    if (names->spiffe && expected)
        return refuse(fault, REFUSAL_BAD_IDENTITY, "says it is %.*s, expected %s",
                      names->uri.n < SHOWN_MAX ? (int)names->uri.n : SHOWN_MAX, names->uri.p, expected);
    return !names->spiffe || check_svid(leaf, fault);
}

static bool check(X509 *leaf, const struct names *names, bool named, struct tls_fault *fault)
{
    bool strict = named || names->spiffe;
    if (names->all > TLS_PEER_NAMES_MAX)
        return refuse(fault, REFUSAL_TOO_LARGE, "has %zu names, expected at most %d", names->all, TLS_PEER_NAMES_MAX);
    if (names->bad)
        return refuse(fault, REFUSAL_BAD_NAME, "has a name that is empty or has other than visible ASCII in it");
    if (strict && (X509_get_extension_flags(leaf) & EXFLAG_CA))
        return refuse(fault, REFUSAL_AUTHORITY, "shows the certificate of an authority");
    if (named && names->uris == 0 && !names->dns.p)
        return refuse(fault, REFUSAL_NO_IDENTITY, "has neither an identity (URI SAN) nor a DNS name");
    return !strict || names->uris == 0 || check_identity(leaf, names, fault);
}

static bool keep(char **ret, struct slice s)
{
    return !s.p || (*ret = strndup(s.p, s.n)) != NULL;
}

bool tls_peer_read(struct tls_peer *ret, X509 *leaf, bool named, struct tls_fault *fault)
{
    int critical;
    GENERAL_NAMES *list = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
    struct names names = {.bad = !list && critical != -1}; /* twice there, or no list of names */
    *ret = (struct tls_peer){0};
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++)
        look_at(&names, sk_GENERAL_NAME_value(list, i));
    bool good = check(leaf, &names, named, fault);
    if (names.uris > 1)
        names.uri = (struct slice){NULL, 0};
    if (good && !(keep(&ret->identity, names.uri) && keep(&ret->dns, names.dns))) {
        tls_peer_fini(ret);
        good = refuse(fault, REFUSAL_OTHER, "out of memory");
    }
    GENERAL_NAMES_free(list);
    return good;
}

void tls_peer_fini(struct tls_peer *p)
{
    free(p->identity);
    free(p->dns);
    *p = (struct tls_peer){0};
}
