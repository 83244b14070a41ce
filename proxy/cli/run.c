/* `outrigger run`: reads the command line and starts the supervisor, or with --single the worker alone. */
#include "admin/admin.h"
#include "app/supervisor.h"
#include "cli/cli.h"
#include "cli/option.h"

enum { CONFIG, SINGLE };

static const struct option table[] = {
    [CONFIG] = {'c', "config", "FILE", "the configuration; it is watched"},
    [SINGLE] = {0, "single", NULL, "one process, without a supervisor that starts it again"},
    {0, NULL, NULL, NULL}};

int cli_run(int argc, char **argv)
{
    struct options o = {
        .command = "run",
        .usage = "-c FILE [--single]",
        .about = "Runs the proxy. SIGHUP or a changed file loads the configuration again; a bad one changes nothing.\n"
                 "SIGTERM drains, a second one ends at once.",
        .table = table,
        .argc = argc,
        .argv = argv,
        .at = 1};
    struct run_options run = {.serve_admin = admin_serve, .stop_admin = admin_stop};
    const char *value;
    int got;
    while ((got = option_next(&o, &value)) >= 0) {
        if (got == CONFIG)
            run.config = value;
        run.single |= got == SINGLE;
    }
    if (got != OPTION_END)
        return option_exit(got);
    if (!run.config)
        return option_complain(&o, "-c FILE is missing");
    return supervisor_run(&run);
}
