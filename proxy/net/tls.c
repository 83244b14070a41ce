/* One TLS connection over OpenSSL without a socket: a BIO of our own reads from the slice given to tls_feed and writes
 * to the buffer given by the caller, so no byte is copied besides what OpenSSL itself copies. */
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORD_BYTES = 16384, RECORD_OVERHEAD = 64 };

struct tls {
    SSL *ssl;          /* owned */
    const uint8_t *in; /* borrowed during tls_feed */
    size_t in_n;
    struct buf *out; /* borrowed during each call */
    char *expected;  /* identity, owned; NULL after the handshake */
    char *identity;  /* owned, NULL: none */
    char *dns;       /* owned, NULL: none */
    char *error;     /* owned, NULL: none */
    bool open, failed, closed;
};

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static _Thread_local uint8_t scratch[RECORD_BYTES];

static int on_bio_read(BIO *bio, char *p, int n)
{
    struct tls *t = BIO_get_data(bio);
    size_t take = t->in_n < (size_t)n ? t->in_n : (size_t)n;
    BIO_clear_retry_flags(bio);
    if (take == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(p, t->in, take);
    t->in += take;
    t->in_n -= take;
    return (int)take;
}

static int on_bio_write(BIO *bio, const char *p, int n)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return t->out && buf_append(t->out, p, (size_t)n) == ERR_NONE ? n : -1;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)bio, (void)number, (void)p;
    return command == BIO_CTRL_FLUSH;
}

static int on_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slice");
    if (!method)
        return;
    BIO_meth_set_read(method, on_bio_read);
    BIO_meth_set_write(method, on_bio_write);
    BIO_meth_set_ctrl(method, on_bio_ctrl);
    BIO_meth_set_create(method, on_bio_create);
}

/* A name from a certificate is believed only when it is visible ASCII: no NUL can cut it short, none breaks a log. */
static bool is_name(const ASN1_STRING *s)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);
    for (int i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~')
            return false;
    return n > 0;
}

static char *copy_name(const ASN1_STRING *s)
{
    return strndup((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* The first name of that kind among the SANs into *ret (owned, NULL if none or unfit); how many there are of the kind.
 */
static int find_name(X509 *x, int kind, char **ret)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int n = 0;
    *ret = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == kind && n++ == 0 && is_name(name->d.ia5))
            *ret = copy_name(name->d.ia5);
    }
    GENERAL_NAMES_free(names);
    return n;
}

static char *find_identity(X509 *x, int *ret_n)
{
    char *identity;
    *ret_n = find_name(x, GEN_URI, &identity);
    if (*ret_n == 1)
        return identity;
    free(identity);
    return NULL;
}

void tls_set_error(SSL *ssl, const char *format, ...)
{
    struct tls *t = SSL_get_app_data(ssl);
    va_list args;
    if (t->error || !(t->error = malloc(TLS_ERROR_MAX)))
        return;
    va_start(args, format);
    (void)vsnprintf(t->error, TLS_ERROR_MAX, format, args);
    va_end(args);
}

bool tls_check_peer(SSL *ssl, X509 *leaf)
{
    struct tls *t = SSL_get_app_data(ssl);
    int n;
    if (!t->expected)
        return true;
    char *identity = find_identity(leaf, &n);
    bool same = identity && strcmp(identity, t->expected) == 0;
    if (same && (X509_get_extension_flags(leaf) & EXFLAG_CA)) {
        tls_set_error(ssl, "peer is %s, but shows the certificate of an authority", identity);
        same = false;
    } else if (!same && identity)
        tls_set_error(ssl, "peer is %s, expected %s", identity, t->expected);
    else if (!same)
        tls_set_error(ssl, "peer's certificate has %s identity (URI SAN), expected %s",
                      n == 0 ? "no" : "no single valid", t->expected);
    free(identity);
    return same;
}

static bool set_expected(struct tls *t, const struct tls_expect *expect)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    SSL_set_connect_state(t->ssl);
    if (expect->server_name && SSL_set_tlsext_host_name(t->ssl, expect->server_name) != 1)
        return false;
    if (expect->dns) {
        X509_VERIFY_PARAM_set_hostflags(param,
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_host(param, expect->dns, 0) != 1)
            return false;
    }
    if (expect->identity && !(t->expected = strdup(expect->identity)))
        return false;
    return true;
}

struct tls *tls_new(struct tls_context *c, const struct tls_expect *expect)
{
    static const struct tls_expect nobody;
    struct tls *t = calloc(1, sizeof *t);
    pthread_once(&method_once, make_method);
    if (!t || !method)
        goto out;
    t->ssl = SSL_new(c->ssl);
    BIO *bio = t->ssl ? BIO_new(method) : NULL;
    if (!bio)
        goto out;
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    if (tls_wall_is_set())
        X509_VERIFY_PARAM_set_time(SSL_get0_param(t->ssl), (time_t)(tls_wall_now() / NS_PER_S));
    if (SSL_is_server(t->ssl))
        SSL_set_accept_state(t->ssl);
    else if (!set_expected(t, expect ? expect : &nobody))
        goto out;
    return t;
out:
    ERR_clear_error();
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t->expected);
    free(t->identity);
    free(t->dns);
    free(t->error);
    free(t);
}

/* Says in words what OpenSSL's oldest queued error means. Alerts of the peer are reasons from 1000 on. */
static void describe(struct tls *t)
{
    unsigned long e = ERR_peek_error();
    int reason = ERR_GET_REASON(e);
    if (e == 0)
        tls_set_error(t->ssl, "out of memory");
    else if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        tls_set_error(t->ssl, "the peer refused: %s", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    else if (ERR_GET_LIB(e) == ERR_LIB_SSL && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST))
        tls_set_error(t->ssl, "the peer does not speak TLS");
    else if (ERR_reason_error_string(e))
        tls_set_error(t->ssl, "%s", ERR_reason_error_string(e));
    else
        tls_set_error(t->ssl, "OpenSSL error %lx", e);
}

static enum err fail(struct tls *t)
{
    describe(t);
    ERR_clear_error();
    t->failed = true;
    return ERR_TLS;
}

static enum err on_handshake_done(struct tls *t)
{
    const unsigned char *protocol;
    unsigned n;
    int count;
    SSL_get0_alpn_selected(t->ssl, &protocol, &n);
    if (n != 2 || memcmp(protocol, "h2", 2) != 0) {
        tls_set_error(t->ssl, "no application protocol h2: the server chose none");
        return fail(t);
    }
    X509 *leaf = SSL_get_verify_mode(t->ssl) == SSL_VERIFY_NONE ? NULL : SSL_get0_peer_certificate(t->ssl);
    if (leaf) {
        t->identity = find_identity(leaf, &count);
        (void)find_name(leaf, GEN_DNS, &t->dns);
    }
    if (t->expected && (!t->identity || strcmp(t->identity, t->expected) != 0)) {
        tls_set_error(t->ssl, "peer was not verified to be %s", t->expected);
        return fail(t);
    }
    free(t->expected);
    t->expected = NULL;
    t->open = true;
    return ERR_NONE;
}

static enum err shake(struct tls *t)
{
    int done = SSL_do_handshake(t->ssl);
    if (done == 1)
        return on_handshake_done(t);
    return SSL_get_error(t->ssl, done) == SSL_ERROR_WANT_READ ? ERR_NONE : fail(t);
}

/* Without read-ahead OpenSSL keeps at most a part of a record, so there is no more to get once the input is used up. */
static enum err read_records(struct tls *t, bool (*plain)(void *ctx, const uint8_t *p, size_t n), void *ctx)
{
    while (t->in_n > 0 || SSL_pending(t->ssl) > 0) {
        int got = SSL_read(t->ssl, scratch, sizeof scratch);
        if (got > 0) {
            if (!plain(ctx, scratch, (size_t)got))
                return ERR_NONE;
            continue;
        }
        switch (SSL_get_error(t->ssl, got)) {
        case SSL_ERROR_WANT_READ:
            return ERR_NONE;
        case SSL_ERROR_ZERO_RETURN:
            t->closed = true;
            return ERR_CLOSED;
        default:
            return fail(t);
        }
    }
    return ERR_NONE;
}

enum err tls_start(struct tls *t, struct buf *out)
{
    ERR_clear_error();
    t->out = out;
    enum err e = shake(t);
    t->out = NULL;
    return e;
}

enum err tls_feed(struct tls *t, const uint8_t *p, size_t n, struct buf *out,
                  bool (*plain)(void *ctx, const uint8_t *p, size_t n), void *ctx)
{
    if (t->failed || t->closed)
        return t->failed ? ERR_TLS : ERR_CLOSED;
    ERR_clear_error();
    t->in = p;
    t->in_n = n;
    t->out = out;
    enum err e = t->open ? ERR_NONE : shake(t);
    if (e == ERR_NONE && t->open)
        e = read_records(t, plain, ctx);
    t->in = NULL;
    t->in_n = 0;
    t->out = NULL;
    return e;
}

static enum err seal_all(struct tls *t, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t part = n < RECORD_BYTES ? n : RECORD_BYTES;
        if (SSL_write(t->ssl, p, (int)part) != (int)part)
            return fail(t);
        p += part;
        n -= part;
    }
    return ERR_NONE;
}

enum err tls_seal(struct tls *t, const uint8_t *p, size_t n, struct buf *out)
{
    struct buf *before = t->out; /* tls_feed may be calling us through `plain` */
    if (t->failed || !t->open)
        return ERR_TLS;
    if (!buf_reserve(out, n + (n / RECORD_BYTES + 1) * RECORD_OVERHEAD))
        return ERR_NOMEM;
    ERR_clear_error();
    t->out = out;
    enum err e = seal_all(t, p, n);
    t->out = before;
    return e;
}

void tls_close(struct tls *t, struct buf *out)
{
    struct buf *before = t->out;
    if (t->failed || !SSL_is_init_finished(t->ssl))
        return;
    t->out = out;
    (void)SSL_shutdown(t->ssl);
    t->out = before;
    ERR_clear_error();
}

bool tls_is_open(const struct tls *t)
{
    return t->open && !t->failed;
}

const char *tls_peer_identity(const struct tls *t)
{
    return t->identity ? t->identity : "";
}

const char *tls_peer_dns(const struct tls *t)
{
    return t->dns ? t->dns : "";
}

const char *tls_error(const struct tls *t)
{
    return t->error ? t->error : "";
}

void tls_release_buffers(struct tls *t)
{
    if (t->open && !t->failed)
        (void)SSL_free_buffers(t->ssl);
}
