/* What a service manager is told (the protocol of sd_notify). Does nothing where nobody listens. */
#ifndef NET_SYSTEMD_H
#define NET_SYSTEMD_H

#include <stdbool.h>

/* Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names; false when there is none or it fails. */
bool systemd_notify(const char *state);

#endif
