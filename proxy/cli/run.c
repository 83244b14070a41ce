/* `outrigger run`: reads the command line and starts the supervisor, or with --single the worker alone. */
#include "admin/admin.h"
#include "app/supervisor.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "net/version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG, SINGLE, SANDBOX };

static const struct option table[] = {
    [CONFIG] = {'c', "config", "FILE", "the configuration; it is watched"},
    [SINGLE] = {0, "single", NULL, "one process, without a supervisor that starts it again"},
    [SANDBOX] = {0, "sandbox", "MODE", "auto (default): all that the kernel has; on: all of it, or no start; off"},
    {0, NULL, NULL, NULL}};

static bool parse_sandbox(const char *text, enum sandbox_mode *ret)
{
    static const char *const modes[] = {[SANDBOX_AUTO] = "auto", [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, modes[i]) == 0) {
            *ret = (enum sandbox_mode)i;
            return true;
        }
    return false;
}

/* A library that was replaced by an older one, or was never mended. */
static bool libraries_are_good(void)
{
    struct library all[NET_LIBRARIES];
    bool good = true;
    net_versions(all);
    for (int i = 0; i < NET_LIBRARIES; i++) {
        if (!library_is_too_old(&all[i]))
            continue;
        fprintf(stderr, "outrigger: %s %s has known holes, expected %s or later\n", all[i].name, all[i].linked,
                all[i].oldest);
        good = false;
    }
    return good;
}

int cli_run(int argc, char **argv)
{
    struct options o = {
        .command = "run",
        .usage = "-c FILE [--single] [--sandbox auto|on|off]",
        .about = "Runs the proxy. SIGHUP or a changed file loads the configuration again; a bad one changes nothing.\n"
                 "SIGTERM drains, a second signal ends at once; SIGINT drains without the window.",
        .table = table,
        .argc = argc,
        .argv = argv,
        .at = 1};
    struct run_options run = {.serve_admin = admin_serve, .stop_admin = admin_stop, .argv0 = program_invocation_name};
    const char *value;
    int got;
    while ((got = option_next(&o, &value)) >= 0) {
        if (got == CONFIG)
            run.config = value;
        run.single |= got == SINGLE;
        if (got == SANDBOX && !parse_sandbox(value, &run.sandbox))
            return option_complain(&o, "--sandbox: found \"%.32s\", expected auto, on or off", value);
    }
    if (got != OPTION_END)
        return option_exit(got);
    if (!run.config)
        return option_complain(&o, "-c FILE is missing");
    if (!libraries_are_good())
        return 1;
    return supervisor_run(&run);
}
