/* The certificate of a peer as DER: what is told of it upstream is one line of visible text within its bound, and an
 * identity that is taken keeps to the rules of SPIFFE where it claims to be one. */
#include "net/client_cert.h"
#include "net/tls_peer.h"

#include "base/spiffe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_text(X509 *peer, X509 *ours)
{
    char *text = client_cert_text(peer, ours);
    size_t n = text ? strlen(text) : 0;
    if (!text || n > CLIENT_CERT_MAX || !strstr(text, "Hash="))
        abort();
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            abort();
    free(text);
}

static void check_names(const struct tls_peer *peer, bool named)
{
    for (const char *s = peer->identity; s && *s; s++)
        if (*s <= ' ' || *s > '~')
            abort();
    if (peer->identity && spiffe_is(slice_str(peer->identity)) && spiffe_check_workload(slice_str(peer->identity)))
        abort();
    if ((peer->identity && !*peer->identity) || (peer->dns && !*peer->dns))
        abort();
    if (named && !peer->identity && !peer->dns)
        abort();
}

static void check_peer(X509 *leaf, bool named)
{
    struct tls_fault fault = {.text = ""};
    struct tls_peer peer;
    if (tls_peer_read(&peer, leaf, named, &fault))
        check_names(&peer, named);
    else if (!fault.text[0])
        abort();
    tls_peer_fini(&peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const unsigned char *at = p;
    X509 *x = d2i_X509(NULL, &at, (long)n);
    if (!x)
        return 0;
    check_text(x, NULL);
    check_text(x, x);
    check_peer(x, false);
    check_peer(x, true);
    X509_free(x);
    return 0;
}
