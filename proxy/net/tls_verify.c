/* Verifies peers: OpenSSL's walk to a trusted root, then the rules of tls_peer and whether it is the one expected. */
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static struct tls *of_store(X509_STORE_CTX *store)
{
    return SSL_get_app_data((SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

static enum refusal refusal_of(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return REFUSAL_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return REFUSAL_NOT_YET_VALID;
    case X509_V_ERR_INVALID_PURPOSE:
        return REFUSAL_WRONG_PURPOSE;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return REFUSAL_TOO_LONG;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return REFUSAL_WEAK;
    case X509_V_ERR_CERT_REVOKED:
        return REFUSAL_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
        return REFUSAL_REVOCATION_UNKNOWN;
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return REFUSAL_WRONG_PEER;
    default:
        return REFUSAL_UNTRUSTED;
    }
}

/* Above the leaf a list is asked for only where there is one; and while live connections are verified again, a list
 * that has ended is not taken for a reason to cut them all off. */
static bool is_forgiven(const struct tls *t, int error, int depth)
{
    if (error == X509_V_ERR_UNABLE_TO_GET_CRL)
        return depth > 0 || t->rechecking;
    return t->rechecking && (error == X509_V_ERR_CRL_HAS_EXPIRED || error == X509_V_ERR_CRL_NOT_YET_VALID);
}

static int on_step(int ok, X509_STORE_CTX *store)
{
    struct tls *t = of_store(store);
    X509 *x = X509_STORE_CTX_get_current_cert(store);
    int depth = X509_STORE_CTX_get_error_depth(store), error = X509_STORE_CTX_get_error(store);
    const char *host = X509_VERIFY_PARAM_get0_host(X509_STORE_CTX_get0_param(store), 0);
    char subject[120] = "?";
    if (ok)
        return 1;
    if (is_forgiven(t, error, depth)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (x)
        X509_NAME_oneline(X509_get_subject_name(x), subject, sizeof subject);
    if (error == X509_V_ERR_HOSTNAME_MISMATCH && host)
        tls_set_error(t, REFUSAL_WRONG_PEER, "peer's certificate (%s) is not for the DNS name %.100s", subject, host);
    else
        tls_set_error(t, refusal_of(error), "%s (certificate %d of the peer's chain, %s)",
                      X509_verify_cert_error_string(error), depth, subject);
    return 0;
}

/* The leaf is trusted: is it fit to name a peer, and the peer we want? */
static bool check_leaf(struct tls *t, X509 *leaf, bool pinned)
{
    struct tls_fault fault;
    bool named = (t->context->server && !pinned) || t->expected;
    tls_peer_fini(&t->peer);
    if (!tls_peer_read(&t->peer, leaf, named, &fault)) {
        tls_set_error(t, fault.refusal, "peer's certificate %s%s%s", fault.text, t->expected ? ", expected " : "",
                      t->expected ? t->expected : "");
        return false;
    }
    if (!t->expected || (t->peer.identity && strcmp(t->peer.identity, t->expected) == 0))
        return true;
    if (t->peer.identity)
        tls_set_error(t, REFUSAL_WRONG_PEER, "peer is %s, expected %s", t->peer.identity, t->expected);
    else
        tls_set_error(t, REFUSAL_WRONG_PEER, "peer's certificate has no identity (URI SAN), expected %s", t->expected);
    return false;
}

/* Only the roots of the peer's own trust domain count, where there are several. */
static bool choose_roots(struct tls *t, X509_STORE_CTX *store, const struct tls_material *m, X509 *leaf)
{
    STACK_OF(X509) * roots;
    if (!tls_domains_find(m, leaf, &roots)) {
        tls_set_error(t, REFUSAL_UNTRUSTED, "there is no bundle for the trust domain of the peer's certificate");
        return false;
    }
    if (roots)
        X509_STORE_CTX_set0_trusted_stack(store, roots);
    return true;
}

int tls_verify(X509_STORE_CTX *store, void *arg)
{
    struct tls *t = of_store(store);
    (void)arg;
    X509_STORE_CTX_set_verify_cb(store, on_step);
    if (!choose_roots(t, store, t->material, X509_STORE_CTX_get0_cert(store))) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    if (X509_verify_cert(store) <= 0) {
        tls_set_error(t, REFUSAL_UNTRUSTED, "the peer's certificate cannot be verified: %s",
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
        return 0;
    }
    /* a chain of one: the trust names this very certificate, which needs no other name then */
    bool pinned = sk_X509_num(X509_STORE_CTX_get0_chain(store)) == 1;
    if (check_leaf(t, X509_STORE_CTX_get0_cert(store), pinned))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* As libssl prepares the first verification. */
static bool prepare(struct tls *t, X509_STORE_CTX *store, const struct tls_material *m)
{
    X509 *leaf = SSL_get0_peer_certificate(t->ssl);
    if (X509_STORE_CTX_init(store, m->store, leaf, SSL_get_peer_cert_chain(t->ssl)) != 1 ||
        X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), t->ssl) != 1)
        return false;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
    X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(t->ssl));
    X509_STORE_CTX_set_default(store, t->context->server ? "ssl_client" : "ssl_server");
    X509_VERIFY_PARAM_set1(param, SSL_get0_param(t->ssl));
    if (tls_wall_is_set())
        X509_VERIFY_PARAM_set_time(param, (time_t)(tls_wall_now() / NS_PER_S));
    X509_STORE_CTX_set_verify_cb(store, on_step);
    return true;
}

bool tls_verify_again(struct tls *t)
{
    struct tls_material *m = tls_context_material(t->context, &t->epoch);
    if (!SSL_get0_peer_certificate(t->ssl)) {
        tls_material_unref(m);
        return true;
    }
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    t->rechecking = true;
    bool good = store && prepare(t, store, m) && choose_roots(t, store, m, SSL_get0_peer_certificate(t->ssl)) &&
                X509_verify_cert(store) == 1;
    t->rechecking = false;
    if (!good)
        tls_set_error(t, REFUSAL_UNTRUSTED, "the peer's certificate cannot be verified again");
    X509_STORE_CTX_free(store);
    tls_material_unref(m);
    ERR_clear_error();
    return good;
}

ns_t tls_verified_end(SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    ns_t end = NS_NEVER;
    for (int i = 0; i < sk_X509_num(chain); i++)
        end = ns_min(end, tls_time(X509_get0_notAfter(sk_X509_value(chain, i))));
    return end;
}
