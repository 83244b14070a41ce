/* `outrigger version`: our version and those of the libraries, as built and as running. */
#include "conf/version.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "h2/version.h"
#include "net/version.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct option table[] = {{0, NULL, NULL, NULL}};

static void print_library(const struct library *l)
{
    printf("%-10s %s", l->name, l->linked);
    if (*l->built && strcmp(l->built, l->linked) != 0)
        printf(" (built with %s)", l->built);
    putchar('\n');
}

int cli_version(int argc, char **argv)
{
    struct options o = {.command = "version",
                        .usage = "",
                        .about = "Prints the version and those of the libraries it runs with.",
                        .table = table,
                        .argc = argc,
                        .argv = argv,
                        .at = 1};
    const char *value;
    struct library all[NET_LIBRARIES + H2_LIBRARIES + CONF_LIBRARIES + 1];
    int got = option_next(&o, &value);
    if (got != OPTION_END)
        return option_exit(got);
    net_versions(all);
    h2_versions(all + NET_LIBRARIES);
    conf_versions(all + NET_LIBRARIES + H2_LIBRARIES);
    all[NET_LIBRARIES + H2_LIBRARIES + CONF_LIBRARIES] =
        (struct library){"jansson", JANSSON_VERSION, jansson_version_str(), NULL};
    printf("outrigger %s\n", OUTRIGGER_VERSION);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        print_library(&all[i]);
    return CLI_DONE;
}
