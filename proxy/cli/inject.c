/* `outrigger inject`: not in this version. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

int cli_inject(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("usage: outrigger inject [-c FILE] < manifest.yaml > manifest.yaml\n\n"
             "Adds the sidecar to workloads in a Kubernetes manifest. This version does not support it yet.");
        return CLI_DONE;
    }
    fprintf(stderr, "outrigger %s: not supported yet\n", argv[0]);
    return CLI_USAGE;
}
