/* What the worker process gives up before it meets a stranger: privileges, capabilities, core dumps, system calls that
 * it does not need, and every file outside of the folders that its configuration names. */
#ifndef APP_SANDBOX_H
#define APP_SANDBOX_H

#include "base/err.h"
#include "core/policy.h"

#include <stdbool.h>

enum sandbox_mode {
    SANDBOX_AUTO, /* all that the kernel has */
    SANDBOX_ON,   /* all of it, or no start */
    SANDBOX_OFF
};

enum { SANDBOX_ERROR_MAX = 256 };

/* Closes the calling process in, before it starts threads. Files that may be read from now on: the folders of the
 * configuration and of what it names, those of name lookup and of the system's authorities, and what the kernel tells
 * about the process. One line in the log says what is on. ERR_INVALID: not all of it can be had (SANDBOX_ON). */
MUST_CHECK enum err sandbox_enter(enum sandbox_mode mode, const struct snapshot *s,
                                  char *error /* SANDBOX_ERROR_MAX */);

/* Whether the sandbox lets this process read every file that the snapshot names, and make its unix sockets. False with
 * the reason. */
bool sandbox_allows(const struct snapshot *s, char *error /* SANDBOX_ERROR_MAX */);

/* Whether files are closed off. */
bool sandbox_is_on(void);

#endif
