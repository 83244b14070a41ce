/* Roots by trust domain: those of a federated domain may vouch for its own workloads and for nobody else. */
#include "net/tls_material_internal.h"

#include "base/spiffe.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add(struct tls_material *m, const char *name, STACK_OF(X509) * roots)
{
    struct tls_domain *d = &m->domains[m->domains_n++];
    *d = (struct tls_domain){.name = strdup(name), .roots = roots};
    return d->name && d->roots;
}

bool tls_domains_read(struct tls_material *m, const struct tls_bytes *b, char *error)
{
    bool good = true;
    if (!b->domain)
        return true;
    m->domains = calloc(b->bundles_n + 1, sizeof *m->domains);
    good = m->domains && add(m, b->domain, X509_chain_up_ref(m->roots));
    for (size_t i = 0; good && i < b->bundles_n; i++) {
        STACK_OF(X509) *roots = sk_X509_new_null();
        ns_t first = NS_NEVER, last = 0;
        good = add(m, b->bundles[i].domain, roots);
        if (good && !tls_roots_read(roots, &b->bundles[i].roots, &first, &last, error))
            return false;
    }
    if (!good)
        (void)snprintf(error, TLS_ERROR_MAX, "TLS: out of memory");
    return good;
}

bool tls_domains_take(struct tls_material *m, const struct tls_material *old)
{
    if (!old->domains)
        return true;
    m->domains = calloc(old->domains_n, sizeof *m->domains);
    bool good = m->domains != NULL;
    for (size_t i = 0; good && i < old->domains_n; i++)
        good = add(m, old->domains[i].name, X509_chain_up_ref(old->domains[i].roots));
    return good;
}

void tls_domains_free(struct tls_material *m)
{
    for (size_t i = 0; i < m->domains_n; i++) {
        free(m->domains[i].name);
        sk_X509_pop_free(m->domains[i].roots, X509_free);
    }
    free(m->domains);
}

/* The trust domain of a leaf into out; "" when it has none, or none that is valid: such a leaf is refused later. */
static void find_domain(X509 *leaf, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    struct spiffe id;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        struct slice uri = slice_make(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
        if (!spiffe_parse(uri, &id))
            (void)snprintf(out, size, "%.*s", (int)id.domain.n, id.domain.p);
    }
    GENERAL_NAMES_free(names);
}

bool tls_domains_find(const struct tls_material *m, X509 *leaf, STACK_OF(X509) * *ret)
{
    char domain[SPIFFE_DOMAIN_MAX + 1];
    *ret = NULL;
    if (!m->domains)
        return true;
    find_domain(leaf, domain, sizeof domain);
    for (size_t i = 0; i < m->domains_n && !*ret; i++)
        if (domain[0] == '\0' || strcmp(m->domains[i].name, domain) == 0)
            *ret = m->domains[i].roots;
    return *ret != NULL;
}
