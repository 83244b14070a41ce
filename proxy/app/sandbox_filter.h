/* The system calls of the worker process, as a seccomp filter. */
#ifndef APP_SANDBOX_FILTER_H
#define APP_SANDBOX_FILTER_H

#include <stdbool.h>

/* NULL when the filter holds for this process and all threads to come, else why there is none. Needs no_new_privs or
 * CAP_SYS_ADMIN. A call that is not listed ends the process with SIGSYS. */
const char *sandbox_filter_enter(void);

/* Whether a sanitizer is built in, which looks into its own process and needs calls that nothing else does. */
bool sandbox_filter_is_sanitized(void);

#endif
