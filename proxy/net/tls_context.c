/* Lays down the rules of every connection of one kind, once: versions, ciphers, groups, ALPN, how peers are verified.
 * Holds the material in force, which may be replaced at any time. Knows nothing of a single connection. */
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERIFY_DEPTH = 4 };

/* From the list a library knows: with the hybrid group, both key shares sent at once, from OpenSSL 3.5 on. */
static const char *const groups[] = {"*X25519MLKEM768:*X25519:P-256", "X25519:P-256"};
static const char ciphers_12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char ciphers_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const unsigned char alpn_h2[] = {2, 'h', '2'};

static int on_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                          unsigned in_n, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < in_n; i += 1u + in[i])
        if (in[i] == 2 && i + 2 < in_n && memcmp(in + i + 1, "h2", 2) == 0) {
            *out = in + i + 1;
            *out_n = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    tls_set_error(SSL_get_app_data(ssl), REFUSAL_NO_PROTOCOL, "no application protocol h2: the client offers others");
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The ALPN callback does not run for a client that offers nothing; RFC 7301 3.2 wants the same alert. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    (void)arg;
    const unsigned char *p;
    size_t n;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p, &n) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    tls_set_error(SSL_get_app_data(ssl), REFUSAL_NO_PROTOCOL, "no application protocol h2: the client offers none");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

/* Counts what goes on besides data once the handshake is over; tls.c acts on it. */
static void on_info(const SSL *ssl, int where, int value)
{
    struct tls *t = SSL_get_app_data(ssl);
    (void)value;
    if (t->open && where & (SSL_CB_LOOP | SSL_CB_ALERT))
        t->extras++;
}

static bool set_groups(SSL_CTX *ssl)
{
    bool ok = false;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && !ok; i++)
        ok = SSL_CTX_set1_groups_list(ssl, groups[i]) == 1;
    ERR_clear_error();
    return ok;
}

static bool set_rules(SSL_CTX *ssl, bool server, bool mutual)
{
    int verify = SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_security_level(ssl, TLS_SECURITY_LEVEL);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify_depth(ssl, VERIFY_DEPTH);
    SSL_CTX_set_verify(ssl, server && !mutual ? SSL_VERIFY_NONE : verify, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, tls_verify, NULL);
    SSL_CTX_set_max_cert_list(ssl, TLS_PEER_CHAIN_BYTES);
    SSL_CTX_set_info_callback(ssl, on_info);
    if (server) {
        SSL_CTX_set_alpn_select_cb(ssl, on_select_alpn, NULL);
        SSL_CTX_set_client_hello_cb(ssl, on_client_hello, NULL);
    } else if (SSL_CTX_set_alpn_protos(ssl, alpn_h2, sizeof alpn_h2) != 0)
        return false;
    return SSL_CTX_set_num_tickets(ssl, 0) == 1 && SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 && SSL_CTX_set_cipher_list(ssl, ciphers_12) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, ciphers_13) == 1 && set_groups(ssl);
}

struct tls_context *tls_context_of(bool server, bool mutual, struct tls_material *m, char *error)
{
    struct tls_context *c = calloc(1, sizeof *c);
    SSL_CTX *ssl = c ? SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) : NULL;
    if (!ssl || !set_rules(ssl, server, mutual)) {
        (void)snprintf(error, TLS_ERROR_MAX, "TLS: %s",
                       ssl ? "this OpenSSL library does not know the versions, ciphers or groups that are needed"
                           : "out of memory");
        ERR_clear_error();
        SSL_CTX_free(ssl);
        free(c);
        return NULL;
    }
    *c = (struct tls_context){.ssl = ssl, .server = server, .mutual = mutual, .material = tls_material_ref(m)};
    pthread_mutex_init(&c->lock, NULL);
    atomic_init(&c->epoch, 0);
    atomic_init(&c->refs, 1);
    return c;
}

struct tls_context *tls_context_new(const struct tls_config *config, char *error)
{
    struct tls_bytes bytes;
    tls_bytes_read(&bytes, &config->files);
    struct tls_material *m = tls_material_new(&bytes, TLS_PART_ALL, NULL, error);
    struct tls_context *c = m ? tls_context_of(config->server, config->mutual, m, error) : NULL;
    tls_bytes_fini(&bytes);
    tls_material_unref(m);
    return c;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(c->ssl);
    tls_material_unref(c->material);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void tls_context_renew(struct tls_context *c, struct tls_material *m, bool distrust)
{
    pthread_mutex_lock(&c->lock);
    struct tls_material *old = c->material;
    c->material = tls_material_ref(m);
    if (distrust)
        atomic_fetch_add(&c->epoch, 1);
    pthread_mutex_unlock(&c->lock);
    tls_material_unref(old);
}

struct tls_material *tls_context_material(struct tls_context *c, unsigned *ret_epoch)
{
    pthread_mutex_lock(&c->lock);
    struct tls_material *m = tls_material_ref(c->material);
    *ret_epoch = atomic_load(&c->epoch);
    pthread_mutex_unlock(&c->lock);
    return m;
}
