/* DER to PEM by OpenSSL, whose memory is wiped when it goes (net/secret.h). */
#include "net/tls_der.h"

#include "base/spiffe.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool say(char *why, const char *what)
{
    (void)snprintf(why, TLS_DER_WHY_MAX, "%s", what);
    ERR_clear_error();
    return false;
}

/* Takes the BIO over; the file is named and holds what the BIO does. */
static bool keep(struct tls_file *f, const char *name, BIO *bio)
{
    char *p = NULL;
    long n = bio ? BIO_get_mem_data(bio, &p) : 0;
    *f = (struct tls_file){.path = name};
    f->p = n > 0 ? malloc((size_t)n) : NULL;
    if (f->p) {
        memcpy(f->p, p, (size_t)n);
        f->n = (size_t)n;
    } else {
        f->error = "out of memory";
    }
    BIO_free(bio);
    return f->p != NULL;
}

static bool write_certificates(struct tls_file *f, const char *name, struct slice der, char *why)
{
    const unsigned char *p = (const unsigned char *)der.p, *end = p + der.n;
    BIO *out = BIO_new(BIO_s_mem());
    bool good = out != NULL;
    while (good && p < end) {
        X509 *x = d2i_X509(NULL, &p, end - p);
        good = x && PEM_write_bio_X509(out, x) == 1;
        X509_free(x);
    }
    return (keep(f, name, out) && good) || say(why, "certificates that cannot be read");
}

static bool write_key(struct tls_file *f, const char *name, struct slice der, char *why)
{
    BIO *out = BIO_new(BIO_s_mem());
    bool good = out && PEM_write_bio(out, "PRIVATE KEY", "", (const unsigned char *)der.p, (long)der.n) > 0;
    return (keep(f, name, out) && good) || say(why, "a key that cannot be read");
}

static bool write_lists(struct tls_file *f, const struct tls_der *d, char *why)
{
    BIO *out = BIO_new(BIO_s_mem());
    bool good = out != NULL;
    for (size_t i = 0; good && i < d->lists_n; i++) {
        const unsigned char *p = (const unsigned char *)d->lists[i].p, *end = p + d->lists[i].n;
        X509_CRL *list = d2i_X509_CRL(NULL, &p, end - p);
        good = list && p == end && PEM_write_bio_X509_CRL(out, list) == 1;
        X509_CRL_free(list);
    }
    return (keep(f, d->name, out) && good) || say(why, "a revocation list that cannot be read");
}

static bool write_bundles(struct tls_bytes *b, const struct tls_der *d, char *why)
{
    struct spiffe own, other;
    char id[SPIFFE_DOMAIN_MAX + sizeof "spiffe://"];
    if (spiffe_check_workload(d->id) || spiffe_parse(d->id, &own))
        return say(why, "an id that is no SPIFFE id of a workload");
    b->domain = strndup(own.domain.p, own.domain.n);
    b->bundles = calloc(d->bundles_n + 1, sizeof *b->bundles);
    if (!b->domain || !b->bundles)
        return say(why, "out of memory");
    for (size_t i = 0; i < d->bundles_n; i++) {
        (void)snprintf(id, sizeof id, "spiffe://%.*s", (int)d->bundles[i].domain.n, d->bundles[i].domain.p);
        if (d->bundles[i].domain.n > SPIFFE_DOMAIN_MAX || spiffe_parse(slice_str(id), &other) || other.path.n > 0)
            return say(why, "a bundle of what is no trust domain");
        if (slice_eq(d->bundles[i].domain, own.domain)) /* our own come with the SVID */
            continue;
        struct tls_bundle *to = &b->bundles[b->bundles_n++];
        to->domain = strndup(d->bundles[i].domain.p, d->bundles[i].domain.n);
        if (!to->domain || !write_certificates(&to->roots, d->name, d->bundles[i].roots, why))
            return say(why, "a federated bundle that cannot be read");
    }
    return true;
}

/* The leaf is for whom the answer says it is. */
static bool check_id(const struct tls_der *d, char *why)
{
    const unsigned char *p = (const unsigned char *)d->chain.p;
    X509 *leaf = d2i_X509(NULL, &p, (long)d->chain.n);
    GENERAL_NAMES *names = leaf ? X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL) : NULL;
    int uris = 0;
    bool same = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        uris++;
        same = slice_eq(d->id, slice_make(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5)));
    }
    GENERAL_NAMES_free(names);
    X509_free(leaf);
    return (same && uris == 1) || say(why, "a certificate that does not bear the id of its SVID");
}

bool tls_bytes_of_der(struct tls_bytes *b, const struct tls_der *d, char *why)
{
    *b = (struct tls_bytes){0};
    return write_certificates(&b->certificate, d->name, d->chain, why) && check_id(d, why) &&
           write_key(&b->private_key, d->name, d->key, why) && write_certificates(&b->trust, d->name, d->roots, why) &&
           (d->lists_n == 0 || write_lists(&b->revoked, d, why)) && write_bundles(b, d, why);
}
