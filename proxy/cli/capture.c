/* `outrigger capture`: redirects listed ports of a network namespace to the sidecar's listeners, and takes that back.
 */
#include "capture/kernel.h"
#include "cli/cli.h"
#include "cli/option.h"

#include <string.h>

enum { INBOUND, OUTBOUND, TO_INBOUND, TO_OUTBOUND, UID, TOOL, REMOVE, PRINT };

static const struct option table[] = {
    [INBOUND] = {0, "inbound", "PORTS", "connections from outside to these ports: 50051,60000-60010"},
    [OUTBOUND] = {0, "outbound", "PORTS", "connections from here to these ports of others"},
    [TO_INBOUND] = {0, "to-inbound", "PORT", "the inbound listener that they go to; default 8443"},
    [TO_OUTBOUND] = {0, "to-outbound", "PORT", "the outbound listener; default 15001"},
    [UID] = {0, "uid", "UID", "the user that the sidecar runs as, never captured; default 65532"},
    [TOOL] = {0, "tool", "TOOL", "libnftables, nft or iptables; default: the first of them that is there"},
    [REMOVE] = {0, "remove", NULL, "takes the rules out again"},
    [PRINT] = {0, "print", NULL, "prints the rules, changes nothing"},
    {0, NULL, NULL, NULL}};

/* Owned by: cli_capture. */
struct command {
    struct capture capture;
    enum kernel_tool tool;
    bool remove, print;
};

static int take_ports(const struct options *o, struct command *c, enum capture_side side, const char *value)
{
    char error[CAPTURE_ERROR_MAX];
    return capture_take_ports(&c->capture, side, slice_str(value), error) ? CLI_DONE : option_complain(o, "%s", error);
}

static int take_port(const struct options *o, struct command *c, enum capture_side side, const char *value)
{
    if (capture_take_port(&c->capture.to[side], slice_str(value)))
        return CLI_DONE;
    return option_complain(o, "--to-%s: found \"%.32s\", expected a port from 1 to 65535",
                           side == CAPTURE_INBOUND ? "inbound" : "outbound", value);
}

static int take_uid(const struct options *o, struct command *c, const char *value)
{
    if (capture_take_uid(&c->capture.uid, slice_str(value)))
        return CLI_DONE;
    return option_complain(o, "--uid: found \"%.32s\", expected the number of a user", value);
}

static int take_tool(const struct options *o, struct command *c, const char *value)
{
    for (int i = 0; i < KERNEL_TOOLS; i++)
        if (strcmp(value, kernel_tool_text((enum kernel_tool)i)) == 0) {
            c->tool = (enum kernel_tool)i;
            return CLI_DONE;
        }
    return option_complain(o, "--tool: found \"%.32s\", expected libnftables, nft or iptables", value);
}

static int take(const struct options *o, struct command *c, int got, const char *value)
{
    switch (got) {
    case INBOUND:
        return take_ports(o, c, CAPTURE_INBOUND, value);
    case OUTBOUND:
        return take_ports(o, c, CAPTURE_OUTBOUND, value);
    case TO_INBOUND:
        return take_port(o, c, CAPTURE_INBOUND, value);
    case TO_OUTBOUND:
        return take_port(o, c, CAPTURE_OUTBOUND, value);
    case UID:
        return take_uid(o, c, value);
    case TOOL:
        return take_tool(o, c, value);
    case REMOVE:
        c->remove = true;
        break;
    default:
        c->print = true;
        break;
    }
    return CLI_DONE;
}

static void print(const struct command *c)
{
    static const bool jumps[2][CAPTURE_SIDES] = {{false, false}, {true, true}};
    const struct capture *rules = c->remove ? NULL : &c->capture;
    if (c->tool == KERNEL_IPTABLES)
        capture_write_iptables(rules, jumps[c->remove], stdout);
    else
        capture_write_nft(rules, stdout);
}

static int apply(const struct command *c)
{
    char error[KERNEL_ERROR_MAX];
    enum kernel_tool used;
    if (!kernel_is_allowed()) {
        fputs("outrigger capture: the capability NET_ADMIN is missing; in Kubernetes an init container has it with "
              "securityContext.capabilities.add: [NET_ADMIN] and runAsUser: 0\n",
              stderr);
        return CLI_FAILED;
    }
    if (!kernel_apply(c->remove ? NULL : &c->capture, c->tool, &used, error)) {
        fprintf(stderr, "outrigger capture: %s\n", error);
        return CLI_FAILED;
    }
    fprintf(stderr, "outrigger: capture rules %s by %s\n", c->remove ? "removed" : "in force", kernel_tool_text(used));
    return CLI_DONE;
}

int cli_capture(int argc, char **argv)
{
    struct options o = {
        .command = "capture",
        .usage = "[--inbound PORTS] [--outbound PORTS] [--remove] [--print]",
        .about = "Redirects TCP connections of this network namespace to a sidecar whose listeners say capture: true:\n"
                 "an init container of a pod runs it, with NET_ADMIN. Ports that are not listed, connections over\n"
                 "the loopback interface and those of the sidecar's own user stay as they are. IPv4 and IPv6, one\n"
                 "transaction, and a second run puts its rules in the place of those of the first.",
        .table = table,
        .argc = argc,
        .argv = argv,
        .at = 1};
    struct command c = {.tool = KERNEL_TOOLS};
    char error[CAPTURE_ERROR_MAX];
    const char *value;
    int got;
    capture_init(&c.capture);
    while ((got = option_next(&o, &value)) >= 0) {
        int wrong = take(&o, &c, got, value);
        if (wrong != CLI_DONE)
            return wrong;
    }
    if (got != OPTION_END)
        return option_exit(got);
    if (!c.remove && !capture_judge(&c.capture, error))
        return option_complain(&o, "%s", error);
    if (!c.print)
        return apply(&c);
    print(&c);
    return CLI_DONE;
}
