/* Asks OpenSSL, libevent and c-ares for their versions. */
#include "net/version.h"

#include <ares.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>

void net_versions(struct library out[NET_LIBRARIES])
{
    out[0] = (struct library){"OpenSSL", OPENSSL_VERSION_STR, OpenSSL_version(OPENSSL_VERSION_STRING)};
    out[1] = (struct library){"libevent", LIBEVENT_VERSION, event_get_version()};
    out[2] = (struct library){"c-ares", ARES_VERSION_STR, ares_version(NULL)};
}
