/* Reads key pairs, trust and revocation lists and lays down the rules of every connection made from them: versions,
 * ciphers, groups, ALPN, verification. Knows nothing of a single connection. */
#include "net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { VERIFY_DEPTH = 4, FILE_BYTES_MAX = 4 << 20, SECURITY_LEVEL = 2 };

/* From the list a library knows: with the hybrid group, both key shares sent at once, from OpenSSL 3.5 on. */
static const char *const groups[] = {"*X25519MLKEM768:*X25519:P-256", "X25519:P-256"};
static const char ciphers_12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char ciphers_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const unsigned char alpn_h2[] = {2, 'h', '2'};

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

/* The file as a memory BIO, or NULL and the error. */
static BIO *open_file(const char *path, char *error)
{
    FILE *f = fopen(path, "re");
    BIO *bio = f ? BIO_new(BIO_s_mem()) : NULL;
    char part[4096];
    size_t n, all = 0;
    if (!bio) {
        (void)say(error, path, f ? "out of memory" : strerror(errno));
        if (f)
            (void)fclose(f);
        return NULL;
    }
    while ((n = fread(part, 1, sizeof part, f)) > 0 && (all += n) <= FILE_BYTES_MAX)
        if (BIO_write(bio, part, (int)n) != (int)n)
            break;
    const char *wrong = ferror(f)              ? strerror(errno)
                        : all > FILE_BYTES_MAX ? "larger than 4 MiB"
                        : all == 0             ? "empty"
                                               : NULL;
    (void)fclose(f);
    if (!wrong)
        return bio;
    (void)say(error, path, wrong);
    BIO_free(bio);
    return NULL;
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

static bool check_validity(struct tls_context *c, X509 *leaf, const char *path, char *error)
{
    struct tm end;
    time_t now = (time_t)(tls_wall_now() / NS_PER_S);
    char when[64], text[96];
    if (!ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end))
        return say(error, path, "the certificate's end of validity cannot be read");
    time_t seconds = timegm(&end);
    c->not_after = seconds > NS_NEVER / NS_PER_S ? NS_NEVER : (ns_t)seconds * NS_PER_S;
    if (seconds >= now)
        return true;
    (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &end);
    (void)snprintf(text, sizeof text, "certificate expired on %s", when);
    return say(error, path, text);
}

static bool add_chain(struct tls_context *c, BIO *bio, const char *path, char *error)
{
    X509 *x;
    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(c->ssl, x) != 1) {
            X509_free(x);
            return say(error, path, "a certificate behind the first cannot be used");
        }
    return is_pem_end() || say(error, path, "a certificate behind the first is broken");
}

static bool load_certificate(struct tls_context *c, const char *path, char *error)
{
    BIO *bio = open_file(path, error);
    if (!bio)
        return false;
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    bool ok;
    if (!leaf)
        ok = say(error, path, "holds no PEM certificate");
    else if (SSL_CTX_use_certificate(c->ssl, leaf) != 1)
        ok = say(error, path, "the certificate cannot be used (key too small or signature too weak?)");
    else
        ok = check_validity(c, leaf, path, error) && add_chain(c, bio, path, error);
    X509_free(leaf);
    BIO_free(bio);
    return ok;
}

static bool load_key(struct tls_context *c, const struct tls_config *config, char *error)
{
    const char *path = config->private_key;
    bool encrypted = false, ok;
    BIO *bio = open_file(path, error);
    if (!bio)
        return false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    if (!key)
        ok = say(error, path,
                 encrypted ? "the private key is encrypted; give it without a password" : "holds no PEM private key");
    else if (X509_check_private_key(SSL_CTX_get0_certificate(c->ssl), key) != 1) {
        (void)snprintf(error, TLS_ERROR_MAX, "%s: the private key does not match the certificate in %s", path,
                       config->certificate);
        ok = false;
    } else
        ok = SSL_CTX_use_PrivateKey(c->ssl, key) == 1 || say(error, path, "the private key cannot be used");
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

static bool load_trust(struct tls_context *c, const char *path, char *error)
{
    BIO *bio = open_file(path, error);
    X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
    X509 *x;
    int n = 0;
    bool ok = bio != NULL;
    while (ok && (x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        ok = X509_STORE_add_cert(store, x) == 1 || say(error, path, "a certificate cannot be trusted");
        X509_free(x);
        n++;
    }
    if (ok)
        ok = is_pem_end() || say(error, path, "a certificate is broken");
    if (ok && n == 0)
        ok = say(error, path, "holds no PEM certificate");
    BIO_free(bio);
    return ok;
}

/* The revocation list counts for leaves; a leaf whose issuer has no current list is refused. */
static bool load_revoked(struct tls_context *c, const char *path, char *error)
{
    BIO *bio = open_file(path, error);
    X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
    X509_CRL *crl;
    int n = 0;
    bool ok = bio != NULL;
    while (ok && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        ok = X509_STORE_add_crl(store, crl) == 1 || say(error, path, "a revocation list cannot be used");
        X509_CRL_free(crl);
        n++;
    }
    if (ok)
        ok = is_pem_end() || say(error, path, "a revocation list is broken");
    if (ok && n == 0)
        ok = say(error, path, "holds no PEM revocation list");
    if (ok)
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    BIO_free(bio);
    return ok;
}

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
    tls_set_error(ssl, "no application protocol h2: the client offers others");
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
    tls_set_error(ssl, "no application protocol h2: the client offers none");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *x = X509_STORE_CTX_get_current_cert(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    if (!ok) {
        char subject[120] = "?";
        const char *host = X509_VERIFY_PARAM_get0_host(X509_STORE_CTX_get0_param(store), 0);
        if (x)
            X509_NAME_oneline(X509_get_subject_name(x), subject, sizeof subject);
        if (X509_STORE_CTX_get_error(store) == X509_V_ERR_HOSTNAME_MISMATCH && host)
            tls_set_error(ssl, "peer's certificate (%s) is not for the DNS name %.100s", subject, host);
        else
            tls_set_error(ssl, "%s (certificate %d of the peer's chain, %s)",
                          X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)), depth, subject);
        return 0;
    }
    if (depth == 0 && !tls_check_peer(ssl, x)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    return 1;
}

static bool set_groups(SSL_CTX *ssl)
{
    bool ok = false;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && !ok; i++)
        ok = SSL_CTX_set1_groups_list(ssl, groups[i]) == 1;
    ERR_clear_error();
    return ok;
}

static bool set_rules(SSL_CTX *ssl, const struct tls_config *config)
{
    int verify = SSL_VERIFY_PEER | (config->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify_depth(ssl, VERIFY_DEPTH);
    SSL_CTX_set_verify(ssl, config->server && !config->mutual ? SSL_VERIFY_NONE : verify, on_verify);
    if (config->server) {
        SSL_CTX_set_alpn_select_cb(ssl, on_select_alpn, NULL);
        SSL_CTX_set_client_hello_cb(ssl, on_client_hello, NULL);
    } else if (SSL_CTX_set_alpn_protos(ssl, alpn_h2, sizeof alpn_h2) != 0)
        return false;
    return SSL_CTX_set_num_tickets(ssl, 0) == 1 && SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 && SSL_CTX_set_cipher_list(ssl, ciphers_12) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, ciphers_13) == 1 && set_groups(ssl);
}

static bool load(struct tls_context *c, const struct tls_config *config, char *error)
{
    if (!set_rules(c->ssl, config))
        return say(error, "TLS", "this OpenSSL library does not know the versions, ciphers or groups that are needed");
    if (config->certificate && !(load_certificate(c, config->certificate, error) && load_key(c, config, error)))
        return false;
    if (config->trust && !load_trust(c, config->trust, error))
        return false;
    if (!config->trust && config->trust_system && SSL_CTX_set_default_verify_paths(c->ssl) != 1)
        return say(error, "system trust", "the certificates of the system cannot be read");
    return !config->revoked || load_revoked(c, config->revoked, error);
}

struct tls_context *tls_context_new(const struct tls_config *config, char *error)
{
    struct tls_context *c = calloc(1, sizeof *c);
    error[0] = '\0';
    if (c)
        c->ssl = SSL_CTX_new(config->server ? TLS_server_method() : TLS_client_method());
    if (!c || !c->ssl) {
        (void)say(error, "TLS", "out of memory");
        free(c);
        return NULL;
    }
    atomic_init(&c->refs, 1);
    if (load(c, config, error))
        return c;
    tls_context_unref(c);
    return NULL;
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
    free(c);
}

ns_t tls_context_not_after(const struct tls_context *c)
{
    return c->not_after;
}
