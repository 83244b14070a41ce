/* `outrigger health`: asks the admin page of a running process, for health checks of images that have no shell. */
#include "cli/cli.h"
#include "cli/option.h"
#include "net/http_client.h"

#include <stdio.h>
#include <string.h>

enum { ADMIN, LIVE };

static const struct option table[] = {
    [ADMIN] = {0, "admin", "ADDR", "IP:PORT or unix:PATH of the admin listener (default 127.0.0.1:9901)"},
    [LIVE] = {0, "live", NULL, "ask whether it lives, not whether it is ready for calls"},
    {0, NULL, NULL, NULL}};

static int ask(const char *text, bool live)
{
    char storage[ADDRESS_PATH_MAX + 1], error[HTTP_CLIENT_ERROR_MAX];
    struct address address;
    struct buf body;
    if (strlen(text) > ADDRESS_PATH_MAX || address_parse(slice_str(text), storage, &address) != ERR_NONE) {
        fprintf(stderr, "outrigger health: --admin %.64s: expected IP:PORT or unix:PATH\n", text);
        return CLI_USAGE;
    }
    buf_init(&body);
    enum err e = http_client_get(&address, live ? "/live" : "/ready", 3 * NS_PER_S, &body, error);
    buf_fini(&body);
    if (e == ERR_NONE)
        return CLI_DONE;
    fprintf(stderr, "outrigger health: %s: %s\n", text, error);
    return CLI_FAILED;
}

int cli_health(int argc, char **argv)
{
    struct options o = {.command = "health",
                        .usage = "[--admin ADDR] [--live]",
                        .about =
                            "Asks the admin page of a running process. Exit code 0 when it is ready, 1 when it is not\n"
                            "or does not answer.",
                        .table = table,
                        .argc = argc,
                        .argv = argv,
                        .at = 1};
    const char *admin = "127.0.0.1:9901", *value;
    bool live = false;
    int got;
    while ((got = option_next(&o, &value)) >= 0) {
        if (got == ADMIN)
            admin = value;
        live |= got == LIVE;
    }
    return got == OPTION_END ? ask(admin, live) : option_exit(got);
}
