/* The entry: the first argument names the command, the rest is the command's. */
#include "cli/cli.h"
#include "conf/nearest.h"

#include <stdio.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    {"run", cli_run, "the proxy; SIGHUP or a changed file reloads, SIGTERM drains"},
    {"check", cli_check, "says what is wrong with a configuration, and where"},
    {"explain", cli_explain, "says what happens to a call, and where each value comes from"},
    {"inject", cli_inject, "adds the sidecar to the workloads of a Kubernetes manifest"},
    {"uninject", cli_uninject, "takes it out again"},
    {"webhook", cli_webhook, "adds it to pods as a mutating admission webhook"},
    {"capture", cli_capture, "redirects listed ports of a pod to its sidecar"},
    {"health", cli_health, "asks a running process whether it is ready"},
    {"upgrade", cli_upgrade, "replaces a running outrigger by another version, no call lost"},
    {"version", cli_version, "this version and those of the libraries"},
};

enum { COMMANDS_N = sizeof commands / sizeof *commands };

static void print_help(void)
{
    puts("outrigger: a resilience sidecar for gRPC\n\nusage: outrigger COMMAND [OPTIONS]\n");
    for (int i = 0; i < COMMANDS_N; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    puts("\n`outrigger COMMAND --help` tells the options of a command.");
}

static int complain(const char *name)
{
    struct nearest near;
    nearest_init(&near, slice_str(name));
    for (int i = 0; i < COMMANDS_N; i++)
        nearest_offer(&near, commands[i].name);
    if (near.best)
        fprintf(stderr, "outrigger: unknown command \"%.64s\", did you mean %s?\n", name, near.best);
    else
        fprintf(stderr, "outrigger: unknown command \"%.64s\", see outrigger --help\n", name);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        fputs("outrigger: no command, see outrigger --help\n", stderr);
        return CLI_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return CLI_DONE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return cli_version(1, argv);
    for (int i = 0; i < COMMANDS_N; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return complain(name);
}
