/* How the supervisor becomes another version of itself under the same process id, with its sockets and its workers.
 * What it holds goes over as text in a memory file that OUTRIGGER_RESUME names; the next version reads it. */
#ifndef APP_UPGRADE_H
#define APP_UPGRADE_H

#include "app/child.h"
#include "app/held.h"

enum { UPGRADE_OLD_MAX = 8, UPGRADE_PATH_MAX = 4096, UPGRADE_WHY_MAX = 256 };

#define UPGRADE_START_NS (30 * NS_PER_S) /* a new worker says that it is ready within this long */

/* What is kept. */
struct upgrade {
    struct held *held;
    struct child *worker;
    struct child *old; /* UPGRADE_OLD_MAX; drain after earlier upgrades */
    int *old_n;
};

/* The file that this process was started from, as it was named: what stands there now may be a newer one. */
void upgrade_default_binary(const char *argv0, char *ret /* UPGRADE_PATH_MAX */);

/* Whether `binary` could take over: it is started once, reads all that it would get, and ends. False with the reason.
 */
bool upgrade_check(const char *binary, const struct run_options *options, const struct upgrade *u,
                   char *why /* UPGRADE_WHY_MAX */);

/* Becomes `binary`. Comes back only when that failed, with errno, and then nothing has changed. */
void upgrade_exec(const char *binary, const struct run_options *options, const struct upgrade *u);

enum upgrade_resumed { UPGRADE_NOTHING, UPGRADE_RESUMED, UPGRADE_CHECKED, UPGRADE_BAD };

/* The other side: takes over what a version before has left. CHECKED: this was only a try. */
enum upgrade_resumed upgrade_resume(const struct upgrade *u);

#endif
