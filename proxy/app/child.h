/* The worker process as a child of the supervisor: its start, and the line between both. Signals go over it as their
 * numbers, so that a signal to the whole group (Ctrl-C, a service manager) does not count twice. */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "app/held.h"
#include "app/supervisor.h"

struct child {
    pid_t pid;   /* 0: none */
    int channel; /* ours; -1 once the other side is gone */
    bool ready;  /* it has said so */
    bool knows;  /* likewise, the endpoints of every service */
    ns_t started;
};

/* What a worker process is started with. Borrows everything. */
struct child_start {
    const struct run_options *options;
    const char *binary; /* NULL: this one */
    const struct held *held;
    bool patient; /* as in process_options */
    int text_fd;  /* the last good content of the configuration, -1: the file itself */
};

/* Starts a worker process; false with errno when it cannot. */
bool child_start(struct child *c, const struct child_start *s);

/* The option that stands for options->sandbox. */
const char *child_sandbox_option(const struct run_options *options);

/* Passes a signal on. */
void child_signal(const struct child *c, int number);

/* It has ended: the line goes. */
void child_forget(struct child *c);

/* Tells the service manager, where there is one (sd_notify). Never takes the descriptor: false. */
bool child_tell_manager(enum process_news news, int fd);

/* The worker process itself, started by child_start or by people with --single; returns its exit code. */
int child_run(const struct run_options *options);

#endif
