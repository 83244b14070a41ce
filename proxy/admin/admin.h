/* The admin pages: /ready, /live, /metrics, /config. Read only, on the control thread, HTTP/1.1. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "app/process.h"

/* Serves the pages on a listening descriptor (taken over). Keeps its state in p->admin. */
void admin_serve(struct process *p, int fd);

/* Stops; harmless when not serving. */
void admin_stop(struct process *p);

/* Fills the /config page: the configuration in force, its generation, and the one refused last, if any. */
void config_page_render(const struct process *p, struct buf *body);

/* Fills the /metrics page. */
void metrics_page_render(struct process *p, struct buf *body);

#endif
