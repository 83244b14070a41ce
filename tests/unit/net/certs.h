/* Certificates made at test start with OpenSSL: an authority, leaves with chosen names and times, revocation lists, as
 * PEM files in a temporary folder. */
#ifndef TESTS_UNIT_NET_CERTS_H
#define TESTS_UNIT_NET_CERTS_H

#include "folder.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CERT_DAY = 24 * 3600 };

struct cert {
    X509 *x;
    EVP_PKEY *key;
};

struct cert_spec {
    const char *name; /* CN */
    const char *san;  /* "URI:spiffe://a/b,DNS:c", or NULL */
    size_t uri_n;     /* > 0: one URI SAN of uri[0..uri_n) instead, which may hold NULs */
    const char *uri;
    const char *usage;     /* extended key usage, "serverAuth" ..., or NULL */
    const char *key_usage; /* as OpenSSL writes it; NULL: the usual one; "": none */
    bool authority;
    long from, until; /* seconds from now; both 0: yesterday to tomorrow */
};

static char certs_folder[FOLDER_MAX];
static time_t certs_now; /* what the times of certificates count from; 0: the real time */

static inline void certs_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "certs: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

static inline void certs_time(ASN1_TIME *t, long seconds)
{
    time_t base = certs_now ? certs_now : time(NULL);
    certs_check(X509_time_adj(t, seconds, &base) != NULL, "time");
}

static inline void certs_init(void)
{
    folder_make(certs_folder);
}

static inline void certs_fini(void)
{
    certs_check(folder_remove(certs_folder) == 0, "removing the folder");
}

/* "folder/name" in one of 16 rotating static buffers. */
static inline const char *certs_path(const char *name)
{
    static char paths[16][FOLDER_MAX + 64];
    static unsigned next;
    char *path = paths[next++ % 16];
    (void)snprintf(path, sizeof paths[0], "%s/%s", certs_folder, name);
    return path;
}

static inline void certs_add(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    certs_check(e && X509_add_ext(x, e, -1) == 1, value);
    X509_EXTENSION_free(e);
}

static inline void certs_add_uri(X509 *x, const char *uri, size_t n)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    certs_check(ASN1_STRING_set(text, uri, (int)n) == 1, "ASN1_STRING_set");
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    sk_GENERAL_NAME_push(names, name);
    certs_check(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1, "SAN");
    GENERAL_NAMES_free(names);
}

/* A certificate signed by `issuer`, by itself when NULL. */
static inline struct cert certs_make(const struct cert_spec *spec, const struct cert *issuer)
{
    static long serial = 1;
    struct cert c = {X509_new(), EVP_EC_gen("P-256")};
    X509 *by = issuer ? issuer->x : c.x;
    long from = spec->from || spec->until ? spec->from : -CERT_DAY, until = spec->until ? spec->until : CERT_DAY;
    certs_check(c.x && c.key, "key");
    X509_set_version(c.x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
    certs_time(X509_getm_notBefore(c.x), from);
    certs_time(X509_getm_notAfter(c.x), until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x), "CN", MBSTRING_ASC, (const unsigned char *)spec->name, -1,
                               -1, 0);
    X509_set_issuer_name(c.x, X509_get_subject_name(by));
    X509_set_pubkey(c.x, c.key);
    certs_add(c.x, by, NID_basic_constraints, spec->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    const char *key_usage = spec->key_usage   ? spec->key_usage
                            : spec->authority ? "critical,keyCertSign,cRLSign,digitalSignature"
                                              : "critical,digitalSignature";
    if (*key_usage)
        certs_add(c.x, by, NID_key_usage, key_usage);
    if (spec->uri_n > 0)
        certs_add_uri(c.x, spec->uri, spec->uri_n);
    else if (spec->san)
        certs_add(c.x, by, NID_subject_alt_name, spec->san);
    if (spec->usage)
        certs_add(c.x, by, NID_ext_key_usage, spec->usage);
    certs_check(X509_sign(c.x, issuer ? issuer->key : c.key, EVP_sha256()) > 0, "sign");
    return c;
}

static inline void certs_free(struct cert *c)
{
    X509_free(c->x);
    EVP_PKEY_free(c->key);
}

static inline FILE *certs_open(const char *file)
{
    FILE *f = fopen(certs_path(file), "we");
    certs_check(f != NULL, file);
    return f;
}

static inline void certs_write_text(const char *file, const char *text)
{
    FILE *f = certs_open(file);
    certs_check(fputs(text, f) >= 0 && fclose(f) == 0, file);
}

/* name.crt (then the chain, when given) and name.key. */
static inline void certs_write(const struct cert *c, const char *name, const struct cert *chain)
{
    char file[128];
    (void)snprintf(file, sizeof file, "%s.crt", name);
    FILE *f = certs_open(file);
    certs_check(PEM_write_X509(f, c->x) == 1 && (!chain || PEM_write_X509(f, chain->x) == 1) && fclose(f) == 0, file);
    (void)snprintf(file, sizeof file, "%s.key", name);
    f = certs_open(file);
    certs_check(PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0, file);
}

/* A current list of `issuer` with `revoked` on it (NULL: empty) as `file`. */
static inline void certs_write_crl(const struct cert *issuer, const struct cert *revoked, const char *file)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_new(), *until = ASN1_TIME_new();
    certs_time(from, -CERT_DAY);
    certs_time(until, CERT_DAY);
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x));
    X509_CRL_set1_lastUpdate(crl, from);
    X509_CRL_set1_nextUpdate(crl, until);
    if (revoked) {
        X509_REVOKED *r = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked->x));
        X509_REVOKED_set_revocationDate(r, from);
        X509_CRL_add0_revoked(crl, r);
    }
    X509_CRL_sort(crl);
    certs_check(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0, "sign CRL");
    FILE *f = certs_open(file);
    certs_check(PEM_write_X509_CRL(f, crl) == 1 && fclose(f) == 0, file);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
}

/* Makes a leaf, writes it as name.crt/name.key and forgets it. */
static inline void certs_leaf(const char *name, const struct cert_spec *spec, const struct cert *issuer)
{
    struct cert c = certs_make(spec, issuer);
    certs_write(&c, name, NULL);
    certs_free(&c);
}

#endif
