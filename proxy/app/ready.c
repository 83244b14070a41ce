/* Says once that the process serves, and answers whether it still does. */
#include "app/ready.h"

#include "app/bound.h"
#include "app/identity.h"
#include "app/source.h"
#include "base/log.h"

#include <unistd.h>

static void log_ready(const struct process *p)
{
    const struct snapshot *s = p->current->snapshot;
    for (size_t i = 0; i < s->listeners_n; i++)
        log_line(LOG_INFO, "listening", LOG_TEXT("listen", s->listeners[i].text),
                 LOG_TEXT("side", s->listeners[i].inbound ? "inbound" : "outbound"),
                 LOG_TEXT("tls", s->listeners[i].tls == TLS_MODE_OFF      ? "off"
                                 : s->listeners[i].tls == TLS_MODE_SERVER ? "server"
                                                                          : "mutual"));
    log_line(LOG_INFO, "ready", LOG_TEXT("file", s->file), LOG_NUMBER("generation", s->generation),
             LOG_NUMBER("workers", p->workers_n), LOG_NUMBER("pid", getpid()));
}

bool ready_holds(const struct process *p)
{
    return p->ready && identities_are_there(p);
}

void ready_check(struct process *p)
{
    if (!p->knows && source_all_known(p)) {
        p->knows = true;
        process_tell(p, PROCESS_KNOWS, -1);
    }
    if (!p->waiting || !identities_are_there(p) || (p->patient && !p->knows))
        return;
    p->waiting = false;
    if (p->patient) {
        p->patient = false;
        bound_pause_all(p, false);
        process_serve_admin(p, NULL);
    }
    log_ready(p);
    process_tell(p, PROCESS_READY, -1);
}
