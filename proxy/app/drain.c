/* Says when what happens; workers carry it out (worker_drain). */
#include "app/drain.h"

#include "app/bound.h"
#include "app/worker.h"
#include "base/log.h"

static void close_listeners(struct process *p, ns_t now)
{
    p->drain_at = NS_NEVER;
    log_line(LOG_INFO, "closing", LOG_NUMBER("connections", atomic_load(&p->connections)),
             LOG_NUMBER("deadline_ms", ns_max(0, p->drain_end - now) / NS_PER_MS));
    bound_close_all(p, !p->handed_over);
    if (!p->handed_over)
        process_tell(p, PROCESS_CLOSED, -1);
    for (uint32_t i = 0; i < p->workers_n; i++)
        worker_post_drain(p->workers[i], ns_max(0, p->drain_end - now));
}

void drain_begin(struct process *p, enum drain_kind kind)
{
    const struct drain_conf *conf = &p->current->snapshot->drain;
    ns_t now = loop_now(p->loop), window = kind == DRAIN_WINDOW ? conf->window : 0;
    if (p->draining)
        return;
    p->draining = true;
    p->ready = false;
    p->handed_over = kind == DRAIN_HANDOVER;
    p->reload_at = NS_NEVER;
    p->drain_at = ns_add(now, window);
    p->drain_end = ns_add(now, conf->deadline);
    log_line(LOG_INFO, "draining", LOG_NUMBER("window_ms", window / NS_PER_MS),
             LOG_NUMBER("deadline_ms", conf->deadline / NS_PER_MS),
             LOG_NUMBER("connections", atomic_load(&p->connections)));
    if (p->handed_over)
        process_stop_admin(p);
    else
        process_tell(p, PROCESS_DRAINING, -1);
    if (window == 0)
        close_listeners(p, now);
    else
        process_arm(p);
}

void drain_on_time(struct process *p, ns_t now)
{
    if (now >= p->drain_at)
        close_listeners(p, now);
}
