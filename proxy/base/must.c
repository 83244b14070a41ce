/* Ends the process by SIGABRT, after a line that allocates nothing. */
#include "base/must.h"

#include "base/log.h"

#include <stdlib.h>

void *must_have(void *p)
{
    must_do(p ? ERR_NONE : ERR_NOMEM);
    return p;
}

void must_do(enum err e)
{
    if (e == ERR_NONE)
        return;
    log_line(LOG_ERROR, "out_of_memory", LOG_TEXT("why", err_text(e)));
    abort();
}
