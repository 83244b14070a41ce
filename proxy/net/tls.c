/* One TLS connection over OpenSSL without a socket: a BIO of our own reads from the slice given to tls_feed and writes
 * to the buffer given by the caller, so no byte is copied besides what OpenSSL itself copies. */
#include "net/client_cert.h"
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_BYTES = 16384, RECORD_OVERHEAD = 64 };

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static _Thread_local uint8_t scratch[RECORD_BYTES];

static int on_bio_read(BIO *bio, char *p, int n)
{
    struct tls *t = BIO_get_data(bio);
    size_t take = t->in_n < (size_t)n ? t->in_n : (size_t)n;
    BIO_clear_retry_flags(bio);
    if (t->extras > TLS_EXTRAS_MAX)
        return -1;
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

void tls_set_error(struct tls *t, enum refusal refusal, const char *format, ...)
{
    va_list args;
    if (t->error || !(t->error = malloc(TLS_ERROR_MAX)))
        return;
    t->refusal = refusal;
    va_start(args, format);
    (void)vsnprintf(t->error, TLS_ERROR_MAX, format, args);
    va_end(args);
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
    if (expect->ip && X509_VERIFY_PARAM_set1_ip_asc(param, expect->ip) != 1)
        return false;
    if (expect->identity && !(t->expected = strdup(expect->identity)))
        return false;
    return true;
}

/* The key pair and the roots belong to the connection alone, so that they can be let go after the handshake. */
static bool use_material(struct tls *t)
{
    const struct tls_material *m = t->material;
    bool shows = t->context->server || t->context->mutual;
    return (!shows || !m->leaf || SSL_use_cert_and_key(t->ssl, m->leaf, m->key, m->chain, 1) == 1) &&
           SSL_set1_verify_cert_store(t->ssl, m->store) == 1;
}

static void drop_material(struct tls *t)
{
    SSL_certs_clear(t->ssl);
    (void)SSL_set0_verify_cert_store(t->ssl, NULL);
    tls_material_unref(t->material);
    t->material = NULL;
}

struct tls *tls_new(struct tls_context *c, const struct tls_expect *expect)
{
    static const struct tls_expect nobody;
    struct tls *t = calloc(1, sizeof *t);
    pthread_once(&method_once, make_method);
    if (!t || !method)
        goto out;
    t->context = tls_context_ref(c);
    t->material = tls_context_material(c, &t->epoch);
    t->peer_end = NS_NEVER;
    t->ssl = SSL_new(c->ssl);
    BIO *bio = t->ssl ? BIO_new(method) : NULL;
    if (!bio)
        goto out;
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    if (SSL_set_app_data(t->ssl, t) != 1) /* it allocates, and the callbacks count on it */
        goto out;
    if (tls_wall_is_set())
        X509_VERIFY_PARAM_set_time(SSL_get0_param(t->ssl), (time_t)(tls_wall_now() / NS_PER_S));
    if (!use_material(t))
        goto out;
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
    tls_material_unref(t->material);
    tls_context_unref(t->context);
    free(t->expected);
    tls_peer_fini(&t->peer);
    free(t->told);
    free(t->error);
    free(t);
}

static enum refusal refusal_of(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
        return REFUSAL_NOT_TLS;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return REFUSAL_NO_CERTIFICATE;
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
        return REFUSAL_TOO_LARGE;
    default:
        return REFUSAL_OTHER;
    }
}

/* Says in words what OpenSSL's oldest queued error means. Alerts of the peer are reasons from 1000 on. */
static void describe(struct tls *t)
{
    unsigned long e = ERR_peek_error();
    int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
    if (t->extras > TLS_EXTRAS_MAX)
        tls_set_error(t, REFUSAL_TOO_BUSY, "the peer sends too many key updates or alerts");
    else if (e == 0)
        tls_set_error(t, REFUSAL_OTHER, "out of memory");
    else if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        tls_set_error(t, REFUSAL_BY_PEER, "the peer refused: %s",
                      SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    else if (refusal_of(reason) == REFUSAL_NOT_TLS)
        tls_set_error(t, REFUSAL_NOT_TLS, "the peer does not speak TLS");
    else if (ERR_reason_error_string(e))
        tls_set_error(t, refusal_of(reason), "%s", ERR_reason_error_string(e));
    else
        tls_set_error(t, REFUSAL_OTHER, "OpenSSL error %lx", e);
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
    SSL_get0_alpn_selected(t->ssl, &protocol, &n);
    if (n != 2 || memcmp(protocol, "h2", 2) != 0) {
        tls_set_error(t, REFUSAL_NO_PROTOCOL, "no application protocol h2: the server chose none");
        return fail(t);
    }
    if (t->expected && (!t->peer.identity || strcmp(t->peer.identity, t->expected) != 0)) {
        tls_set_error(t, REFUSAL_WRONG_PEER, "peer was not verified to be %s", t->expected);
        return fail(t);
    }
    free(t->expected);
    t->expected = NULL;
    t->peer_end = tls_verified_end(t->ssl);
    drop_material(t);
    t->open = true;
    return tls_is_stale(t) && !tls_verify_again(t) ? fail(t) : ERR_NONE;
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
    return t->open && t->peer.identity ? t->peer.identity : "";
}

const char *tls_peer_dns(const struct tls *t)
{
    return t->open && t->peer.dns ? t->peer.dns : "";
}

ns_t tls_peer_left(const struct tls *t)
{
    ns_t now = tls_wall_now();
    if (t->peer_end == NS_NEVER)
        return NS_NEVER;
    return t->peer_end > now ? t->peer_end - now : 0;
}

bool tls_is_stale(const struct tls *t)
{
    return t->open && t->epoch != atomic_load_explicit(&t->context->epoch, memory_order_acquire);
}

bool tls_recheck(struct tls *t)
{
    return tls_verify_again(t);
}

enum refusal tls_refusal(const struct tls *t)
{
    return t->refusal;
}

const char *tls_client_cert(struct tls *t)
{
    unsigned epoch;
    X509 *peer = t->open && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE ? SSL_get0_peer_certificate(t->ssl) : NULL;
    if (!t->told && peer) {
        struct tls_material *ours = tls_context_material(t->context, &epoch);
        t->told = client_cert_text(peer, ours->leaf);
        tls_material_unref(ours);
    }
    return t->told ? t->told : "";
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
