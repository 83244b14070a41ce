/* Writes certificates as elements of x-forwarded-client-cert. */
#include "net/client_cert.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *p;
    size_t n;
};

/* Room for the longest value, each byte of it escaped. */
enum { ELEMENT_MAX = 2 * CLIENT_CERT_MAX };

static void add(struct text *t, const char *p, size_t n)
{
    size_t separator = t->n > 0;
    if (t->n + separator + n > CLIENT_CERT_MAX)
        return;
    if (separator)
        t->p[t->n++] = ';';
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

static bool is_visible(const unsigned char *p, int n)
{
    for (int i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~')
            return false;
    return n > 0;
}

static bool wants_quotes(const unsigned char *p, int n)
{
    for (int i = 0; i < n; i++)
        if (strchr(",;=\"", p[i]))
            return true;
    return false;
}

/* key=value; false when the value is none that a header can carry. */
static bool add_name(struct text *t, const char *key, const ASN1_STRING *s)
{
    char element[ELEMENT_MAX + 16];
    const unsigned char *p = ASN1_STRING_get0_data(s);
    int length = ASN1_STRING_length(s);
    size_t n = strlen(key);
    if (!is_visible(p, length) || length > CLIENT_CERT_MAX)
        return false;
    bool quoted = wants_quotes(p, length);
    memcpy(element, key, n);
    if (quoted)
        element[n++] = '"';
    for (int i = 0; i < length; i++) {
        if (p[i] == '"')
            element[n++] = '\\';
        element[n++] = (char)p[i];
    }
    if (quoted)
        element[n++] = '"';
    add(t, element, n);
    return true;
}

/* The names of one kind, at most `most`. */
static void add_names(struct text *t, const char *key, X509 *x, int kind, int most)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int n = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && n < most; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == kind)
            n += add_name(t, key, name->d.ia5);
    }
    GENERAL_NAMES_free(names);
}

static void add_hash(struct text *t, X509 *x)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    char element[2 * sizeof hash + 8] = "Hash=";
    unsigned bytes = 0;
    if (X509_digest(x, EVP_sha256(), hash, &bytes) != 1)
        return;
    size_t n = strlen(element);
    for (unsigned i = 0; i < bytes; i++) {
        element[n++] = digits[hash[i] >> 4];
        element[n++] = digits[hash[i] & 15];
    }
    add(t, element, n);
}

char *client_cert_text(X509 *peer, X509 *ours)
{
    struct text t = {.p = malloc(CLIENT_CERT_MAX + 1)};
    if (!t.p)
        return NULL;
    if (ours)
        add_names(&t, "By=", ours, GEN_URI, 1);
    add_hash(&t, peer);
    add_names(&t, "URI=", peer, GEN_URI, 1);
    add_names(&t, "DNS=", peer, GEN_DNS, CLIENT_CERT_MAX);
    t.p[t.n] = '\0';
    char *fitted = realloc(t.p, t.n + 1);
    return fitted ? fitted : t.p;
}
