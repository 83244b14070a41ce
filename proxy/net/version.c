/* Asks OpenSSL, libevent and c-ares for their versions, and starts what needs a start. */
#include "net/version.h"

#include <ares.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <openssl/ssl.h>

void net_init(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}

void net_versions(struct library out[NET_LIBRARIES])
{
    out[0] = (struct library){"OpenSSL", OPENSSL_VERSION_STR, OpenSSL_version(OPENSSL_VERSION_STRING), "3.0.22"};
    out[1] = (struct library){"libevent", LIBEVENT_VERSION, event_get_version(), "2.1.12"};
    out[2] = (struct library){"c-ares", ARES_VERSION_STR, ares_version(NULL), "1.18.1"};
}
