/* PEM to the objects of OpenSSL, and the judgement whether they may be put into force. */
#include "net/tls_material_internal.h"

#include "net/secret.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static ns_t (*wall_clock)(void);

void tls_set_wall_clock(ns_t (*now)(void))
{
    wall_clock = now;
}

bool tls_wall_is_set(void)
{
    return wall_clock != NULL;
}

ns_t tls_wall_now(void)
{
    return wall_clock ? wall_clock() : clock_wall();
}

static bool say(char *error, const char *path, const char *what)
{
    (void)snprintf(error, TLS_ERROR_MAX, "%s: %s", path, what);
    ERR_clear_error();
    return false;
}

/* The bytes of a file that was read, or NULL and the error. */
static BIO *open_file(const struct tls_file *f, char *error)
{
    BIO *bio = f->error ? NULL : BIO_new_mem_buf(f->p, (int)f->n);
    if (!bio)
        (void)say(error, f->path, f->error ? f->error : "out of memory");
    return bio;
}

/* True when reading stopped because the PEM file has no further block, not because a block was broken. */
static bool is_pem_end(void)
{
    unsigned long e = ERR_peek_last_error();
    bool end = e == 0 || (ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE);
    if (end)
        ERR_clear_error();
    return end;
}

static int no_password(char *buf, int size, int rwflag, void *u)
{
    (void)buf, (void)size, (void)rwflag;
    *(bool *)u = true;
    return -1;
}

ns_t tls_time(const ASN1_TIME *t)
{
    struct tm parts;
    if (!t)
        return NS_NEVER;
    if (!ASN1_TIME_to_tm(t, &parts))
        return 0;
    time_t seconds = timegm(&parts);
    return seconds >= NS_NEVER / NS_PER_S ? NS_NEVER : seconds < 0 ? 0 : (ns_t)seconds * NS_PER_S;
}

static bool say_ended(char *error, const char *path, const char *what, ns_t end)
{
    char text[96], when[40];
    struct tm parts;
    time_t seconds = (time_t)(end / NS_PER_S);
    (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &parts));
    (void)snprintf(text, sizeof text, "%s %s", what, when);
    return say(error, path, text);
}

/* The rules that libssl has for a certificate of ours, tried beforehand: size of the key, digest. */
static bool is_usable(X509 *leaf)
{
    SSL_CTX *probe = SSL_CTX_new(TLS_method());
    bool good = probe != NULL;
    if (good) {
        SSL_CTX_set_security_level(probe, TLS_SECURITY_LEVEL);
        good = SSL_CTX_use_certificate(probe, leaf) == 1;
    }
    SSL_CTX_free(probe);
    ERR_clear_error();
    return good;
}

static bool read_chain(struct tls_material *m, BIO *bio, const char *path, char *error)
{
    X509 *x;
    m->chain = sk_X509_new_null();
    while (m->chain && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(m->chain, x) <= 0) {
            X509_free(x);
            return say(error, path, "out of memory");
        }
    return is_pem_end() || say(error, path, "a certificate behind the first is broken");
}

static bool read_certificate(struct tls_material *m, const struct tls_file *f, char *error)
{
    BIO *bio = open_file(f, error);
    bool good = bio != NULL;
    if (good && !(m->leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)))
        good = say(error, f->path, "holds no PEM certificate");
    if (good) {
        m->end[TLS_PAIR] = tls_time(X509_get0_notAfter(m->leaf));
        good = is_usable(m->leaf) ||
               say(error, f->path, "the certificate cannot be used (key too small or signature too weak?)");
    }
    if (good && m->end[TLS_PAIR] < tls_wall_now())
        good = say_ended(error, f->path, "certificate expired on", m->end[TLS_PAIR]);
    good = good && read_chain(m, bio, f->path, error);
    BIO_free(bio);
    return good;
}

static bool read_key(struct tls_material *m, const struct tls_bytes *b, char *error)
{
    const char *path = b->private_key.path;
    bool encrypted = false;
    BIO *bio = open_file(&b->private_key, error);
    if (!bio)
        return false;
    m->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    BIO_free(bio);
    if (!m->key)
        return say(error, path,
                   encrypted ? "the private key is encrypted; give it without a password" : "holds no PEM private key");
    if (X509_check_private_key(m->leaf, m->key) != 1) {
        (void)snprintf(error, TLS_ERROR_MAX, "%.110s: the private key does not match the certificate in %.80s", path,
                       b->certificate.path);
        ERR_clear_error();
        return false;
    }
    ERR_clear_error();
    return true;
}

static bool read_pair(struct tls_material *m, const struct tls_bytes *b, char *error)
{
    return !b->certificate.path || (read_certificate(m, &b->certificate, error) && read_key(m, b, error));
}

bool tls_roots_read(STACK_OF(X509) * roots, const struct tls_file *f, ns_t *first, ns_t *last, char *error)
{
    X509 *x;
    BIO *bio = open_file(f, error);
    bool good = bio != NULL;
    while (good && (x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        ns_t end = tls_time(X509_get0_notAfter(x));
        *first = ns_min(*first, end);
        *last = end > *last ? end : *last;
        if (sk_X509_push(roots, x) <= 0) {
            X509_free(x);
            good = say(error, f->path, "out of memory");
        }
    }
    BIO_free(bio);
    good = good && (is_pem_end() || say(error, f->path, "a certificate is broken"));
    return good && (sk_X509_num(roots) > 0 || say(error, f->path, "holds no PEM certificate"));
}

static bool read_trust(struct tls_material *m, const struct tls_bytes *b, char *error)
{
    ns_t first = NS_NEVER, last = 0;
    if (!(m->roots = sk_X509_new_null()))
        return say(error, "TLS", "out of memory");
    if (!b->trust.path)
        return true;
    if (!tls_roots_read(m->roots, &b->trust, &first, &last, error))
        return false;
    m->end[TLS_TRUST] = first;
    if (last < tls_wall_now())
        return say_ended(error, b->trust.path, "all trusted certificates have expired, the last on", last);
    return tls_domains_read(m, b, error);
}

static bool read_revoked(struct tls_material *m, const struct tls_bytes *b, char *error)
{
    const struct tls_file *f = &b->revoked;
    X509_CRL *list;
    if (!f->path)
        return true;
    BIO *bio = open_file(f, error);
    bool good = bio != NULL && (m->lists = sk_X509_CRL_new_null()) != NULL;
    while (good && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        ns_t end = tls_time(X509_CRL_get0_nextUpdate(list));
        m->end[TLS_REVOKED] = m->end[TLS_REVOKED] ? ns_min(m->end[TLS_REVOKED], end) : end;
        if (sk_X509_CRL_push(m->lists, list) <= 0) {
            X509_CRL_free(list);
            good = say(error, f->path, "out of memory");
        }
    }
    BIO_free(bio);
    good = good && (is_pem_end() || say(error, f->path, "a revocation list is broken"));
    if (good && sk_X509_CRL_num(m->lists) == 0)
        return say(error, f->path, "holds no PEM revocation list");
    return good;
}

static bool take_pair(struct tls_material *m, const struct tls_material *old)
{
    m->end[TLS_PAIR] = old->end[TLS_PAIR];
    if (!old->leaf)
        return true;
    m->chain = X509_chain_up_ref(old->chain);
    m->leaf = X509_up_ref(old->leaf) ? old->leaf : NULL;
    m->key = EVP_PKEY_up_ref(old->key) ? old->key : NULL;
    return m->chain && m->leaf && m->key;
}

static bool take_revoked(struct tls_material *m, const struct tls_material *old)
{
    m->end[TLS_REVOKED] = old->end[TLS_REVOKED];
    if (!old->lists)
        return true;
    m->lists = sk_X509_CRL_new_null();
    for (int i = 0; m->lists && i < sk_X509_CRL_num(old->lists); i++) {
        X509_CRL *list = sk_X509_CRL_value(old->lists, i);
        if (X509_CRL_up_ref(list) && sk_X509_CRL_push(m->lists, list) <= 0) {
            X509_CRL_free(list);
            return false;
        }
    }
    return m->lists != NULL;
}

static bool take(struct tls_material *m, const struct tls_material *old, unsigned fresh, char *error)
{
    bool good = true;
    if (!(fresh & TLS_PART_BIT(TLS_PAIR)))
        good = take_pair(m, old);
    if (good && !(fresh & TLS_PART_BIT(TLS_TRUST))) {
        m->end[TLS_TRUST] = old->end[TLS_TRUST];
        good = (m->roots = X509_chain_up_ref(old->roots)) != NULL && tls_domains_take(m, old);
    }
    if (good && !(fresh & TLS_PART_BIT(TLS_REVOKED)))
        good = take_revoked(m, old);
    return good || say(error, "TLS", "out of memory");
}

/* A leaf whose issuer has no current list is refused once there are lists; tls_context.c says what holds above it. */
static bool make_store(struct tls_material *m, const struct tls_bytes *b, char *error)
{
    m->store = X509_STORE_new();
    if (!m->store)
        return say(error, "TLS", "out of memory");
    for (int i = 0; i < sk_X509_num(m->roots); i++)
        if (X509_STORE_add_cert(m->store, sk_X509_value(m->roots, i)) != 1)
            return say(error, b->trust.path, "a certificate cannot be trusted");
    if (b->trust_system && X509_STORE_set_default_paths(m->store) != 1)
        return say(error, "system trust", "the certificates of the system cannot be read");
    for (int i = 0; i < sk_X509_CRL_num(m->lists); i++)
        if (X509_STORE_add_crl(m->store, sk_X509_CRL_value(m->lists, i)) != 1)
            return say(error, b->revoked.path, "a revocation list cannot be used");
    if (m->lists)
        X509_STORE_set_flags(m->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    ERR_clear_error();
    return true;
}

static bool read_parts(struct tls_material *m, const struct tls_bytes *b, unsigned fresh, char *error)
{
    return (!(fresh & TLS_PART_BIT(TLS_PAIR)) || read_pair(m, b, error)) &&
           (!(fresh & TLS_PART_BIT(TLS_TRUST)) || read_trust(m, b, error)) &&
           (!(fresh & TLS_PART_BIT(TLS_REVOKED)) || read_revoked(m, b, error));
}

struct tls_material *tls_material_new(const struct tls_bytes *b, unsigned fresh, const struct tls_material *old,
                                      char *error)
{
    struct tls_material *m = calloc(1, sizeof *m);
    error[0] = '\0';
    ERR_clear_error();
    if (!m) {
        (void)say(error, "TLS", "out of memory");
        return NULL;
    }
    atomic_init(&m->refs, 1);
    if (read_parts(m, b, fresh, error) && take(m, old, fresh, error) && make_store(m, b, error))
        return m;
    ERR_clear_error();
    tls_material_unref(m);
    return NULL;
}

struct tls_material *tls_material_ref(struct tls_material *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void tls_material_unref(struct tls_material *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_free(m->leaf);
    sk_X509_pop_free(m->chain, X509_free);
    EVP_PKEY_free(m->key);
    sk_X509_pop_free(m->roots, X509_free);
    tls_domains_free(m);
    sk_X509_CRL_pop_free(m->lists, X509_CRL_free);
    X509_STORE_free(m->store);
    free(m);
}

ns_t tls_material_end(const struct tls_material *m, enum tls_part part)
{
    return m->end[part];
}
