/* `outrigger upgrade`: asks a running supervisor to become another version of itself, and tells how that went. */
#include "cli/cli.h"
#include "cli/option.h"
#include "net/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS (60 * NS_PER_S)

enum { BINARY, PID };

static const struct option table[] = {
    [BINARY] = {'b', "binary", "PATH",
                "the new version; without it, what stands now where the running one was started from"},
    [PID] = {'p', "pid", "PID", "which one; without it, the only one that runs here"},
    {0, NULL, NULL, NULL}};

/* Absolute: the other process may stand in another folder. A link stays a link. */
static bool make_absolute(const char *path, char *ret, size_t size)
{
    char folder[2048] = "";
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return false;
    return (size_t)snprintf(ret, size, "%s%s%s", folder, *folder ? "/" : "", path) < size;
}

static int find(pid_t *ret)
{
    *ret = control_find();
    if (*ret > 0)
        return CLI_DONE;
    fputs(*ret == 0 ? "outrigger upgrade: no outrigger runs here\n"
                    : "outrigger upgrade: several run here, say which one with --pid\n",
          stderr);
    return 1;
}

static int ask(pid_t pid, const char *binary)
{
    char answer[CONTROL_TEXT_MAX] = "";
    enum err e = control_ask(pid, *binary ? binary : "default", WAIT_NS, answer);
    if (e == ERR_NONE && strcmp(answer, "ok") == 0) {
        printf("upgraded process %d\n", (int)pid);
        return CLI_DONE;
    }
    fprintf(stderr, "outrigger upgrade: process %d: %s\n", (int)pid,
            e == ERR_NONE        ? answer
            : e == ERR_NOT_FOUND ? "no outrigger with a supervisor, or not ours"
                                 : "no answer; the log says more");
    return 1;
}

int cli_upgrade(int argc, char **argv)
{
    struct options o = {.command = "upgrade",
                        .usage = "[--binary PATH] [--pid PID]",
                        .about = "Replaces a running outrigger by another version: same process, same sockets, no call "
                                 "lost. The new version is\n"
                                 "tried first; what does not start changes nothing. Calls under way end in the old "
                                 "worker, within drain.deadline.",
                        .table = table,
                        .argc = argc,
                        .argv = argv,
                        .at = 1};
    const char *value;
    char binary[CONTROL_TEXT_MAX] = "";
    pid_t pid = 0;
    int got;
    while ((got = option_next(&o, &value)) >= 0) {
        if (got == PID && (pid = (pid_t)strtol(value, NULL, 10)) <= 0)
            return option_complain(&o, "--pid: found \"%.32s\", expected a process id", value);
        if (got == BINARY && !make_absolute(value, binary, sizeof binary))
            return option_complain(&o, "--binary: the path is too long");
    }
    if (got != OPTION_END)
        return option_exit(got);
    if (*binary && access(binary, X_OK) != 0)
        return option_complain(&o, "--binary: %.200s cannot be executed", binary);
    int code = pid > 0 ? CLI_DONE : find(&pid);
    return code == CLI_DONE ? ask(pid, binary) : code;
}
