/* What x-forwarded-client-cert says of a caller's certificate. Inside of net/, used by tls.c. */
#ifndef NET_CLIENT_CERT_H
#define NET_CLIENT_CERT_H

#include <openssl/x509.h>

enum { CLIENT_CERT_MAX = 6144 };

/* Envoy's format: By=<our URI>;Hash=<SHA-256 of the peer's certificate, hex>;URI=<its URI>;DNS=<its DNS name>;... Names
 * with anything but visible ASCII are left out, and so is what would make the text longer than CLIENT_CERT_MAX; names
 * with one of , ; = " are quoted. `ours` may be NULL. Owned by the caller; NULL when memory is out. */
char *client_cert_text(X509 *peer, X509 *ours);

#endif
