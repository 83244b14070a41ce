/* The small process that people start: it holds the listening sockets, starts the worker process with them, and starts
 * it again when it dies. It touches no traffic. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

#include "app/sandbox.h"

struct process;

struct run_options {
    const char *config;
    const char *argv0; /* how this program was named */
    enum sandbox_mode sandbox;
    bool single; /* no supervisor: this process does the work */
    void (*serve_admin)(struct process *p, int fd);
    void (*stop_admin)(struct process *p);
};

/* `outrigger run`; returns the exit code. */
int supervisor_run(const struct run_options *options);

#endif
