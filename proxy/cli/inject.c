/* `outrigger inject` and `outrigger uninject`: manifests through standard input and output. */
#include "inject/inject.h"
#include "cli/cli.h"
#include "cli/inject.h"
#include "conf/load.h"
#include "inject/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONFIG, IMAGE, SET, POLICY, QUIET };

static const struct option inject_table[] = {
    [CONFIG] = {'c', "config", "FILE", "the sidecar's configuration: its ports and admin page are taken from it"},
    [IMAGE] = {'i', "image", "IMAGE", "the sidecar's image, as --set image=IMAGE"},
    [SET] = {'s', "set", "KEY=VALUE", "what an annotation outrigger.dev/KEY would set"},
    [POLICY] = {'p', "policy", NULL, "read nothing; print a MutatingAdmissionPolicy that does the same in the cluster"},
    [QUIET] = {'q', "quiet", NULL, "say nothing about what was done"},
    {0, NULL, NULL, NULL}};

static const struct option uninject_table[] = {{'q', "quiet", NULL, "say nothing about what was done"},
                                               {0, NULL, NULL, NULL}};

static void note(void *ctx, const char *line, bool problem)
{
    const bool *quiet = ctx;
    if (problem || !*quiet)
        fprintf(stderr, "outrigger: %s\n", line);
}

static bool read_all(int fd, struct buf *in)
{
    for (;;) {
        uint8_t *room = buf_reserve(in, 65536);
        ssize_t n = room ? read(fd, room, 65536) : -1;
        if (n == 0)
            return true;
        if (n < 0 && room && errno == EINTR)
            continue;
        if (n < 0) {
            fprintf(stderr, "outrigger: standard input cannot be read: %s\n", room ? strerror(errno) : "out of memory");
            return false;
        }
        buf_commit(in, (size_t)n);
    }
}

static bool write_all(const struct buf *out)
{
    if (fwrite(buf_head(out), 1, buf_len(out), stdout) == buf_len(out) && fflush(stdout) == 0)
        return true;
    fprintf(stderr, "outrigger: standard output cannot be written: %s\n", strerror(errno));
    return false;
}

static int set(const struct options *o, struct sidecar *s, struct slice key, const char *value)
{
    char error[SIDECAR_ERROR_MAX];
    return sidecar_set(s, key, slice_str(value), error) ? CLI_DONE : option_complain(o, "%s", error);
}

int inject_take_image(const struct options *o, struct sidecar *s, const char *image)
{
    return set(o, s, SLICE("image"), image);
}

int inject_take_setting(const struct options *o, struct sidecar *s, const char *setting)
{
    const char *equals = strchr(setting, '=');
    if (!equals)
        return option_complain(o, "--set %s: expected KEY=VALUE", setting);
    return set(o, s, slice_make(setting, (size_t)(equals - setting)), equals + 1);
}

/* A configuration is checked where it runs; here its variables may be unset. */
static const char *get_variable(void *ctx, const char *name)
{
    const char *value = getenv(name);
    (void)ctx;
    return value ? value : "unset";
}

/* An inbound listener and the port of the app behind it. */
static void add_listener(struct sidecar *s, const struct listener_conf *l)
{
    const struct service_conf *behind = l->routes[0].targets[0].service;
    s->app_ports[s->app_ports_n++] = behind->endpoints_n > 0 ? behind->endpoints[0].port : 0;
    s->ports[s->ports_n++] = l->address.port;
}

/* The first of each side that takes captured connections. */
static void take_listeners(struct sidecar *s, const struct snapshot *c)
{
    bool found[2] = {false, false};
    for (size_t i = 0; i < c->listeners_n; i++) {
        const struct listener_conf *l = &c->listeners[i];
        if (!l->capture || found[l->inbound])
            continue;
        found[l->inbound] = true;
        *(l->inbound ? &s->to_inbound : &s->to_outbound) = l->address.port;
    }
}

int inject_take_config(struct sidecar *s, const char *path)
{
    const struct load_env env = {.variables = {get_variable, NULL}, .skip_files = true};
    struct problems problems;
    problems_init(&problems);
    struct snapshot *c = load_file_in(path, &env, &problems);
    if (c) {
        s->ports_n = s->app_ports_n = 0;
        for (size_t i = 0; i < c->listeners_n && s->ports_n < SIDECAR_PORTS_MAX; i++)
            if (c->listeners[i].inbound && c->listeners[i].address.port)
                add_listener(s, &c->listeners[i]);
        take_listeners(s, c);
        if (c->admin.present && c->admin.address.port)
            s->admin_port = c->admin.address.port;
    } else {
        problems_sort(&problems);
        problems_print(&problems, stderr);
    }
    bool good = c != NULL;
    snapshot_unref(c);
    problems_fini(&problems);
    return good ? CLI_DONE : CLI_FAILED;
}

static int pass(const struct sidecar *s, bool quiet)
{
    struct buf in, out;
    buf_init(&in);
    buf_init(&out);
    bool good = read_all(STDIN_FILENO, &in);
    struct slice text = slice_make(buf_head(&in), buf_len(&in));
    if (good)
        good = s ? inject_manifest(text, s, &out, note, &quiet) : uninject_manifest(text, &out, note, &quiet);
    good = good && write_all(&out);
    buf_fini(&in);
    buf_fini(&out);
    return good ? CLI_DONE : CLI_FAILED;
}

static int print_policy(const struct sidecar *s)
{
    struct buf out;
    buf_init(&out);
    policy_write(&out, s);
    bool good = write_all(&out);
    buf_fini(&out);
    return good ? CLI_DONE : CLI_FAILED;
}

int cli_inject(int argc, char **argv)
{
    struct options o = {.command = "inject",
                        .usage = "[-c FILE] [--set KEY=VALUE]... [--policy] < manifest.yaml > manifest.yaml",
                        .about =
                            "Adds the sidecar to the workloads of a Kubernetes manifest, YAML or JSON; every other\n"
                            "byte stays. Annotations outrigger.dev/KEY of a pod tune it; outrigger.dev/inject:\n"
                            "\"false\" keeps a pod as it is. What was done is told on standard error. Exit code 1\n"
                            "and no output when the manifest cannot be read or a workload cannot be done.",
                        .table = inject_table,
                        .argc = argc,
                        .argv = argv,
                        .at = 1};
    struct sidecar s;
    const char *value;
    bool quiet = false, policy = false;
    int got;
    sidecar_init(&s);
    while ((got = option_next(&o, &value)) >= 0) {
        int wrong = got == CONFIG  ? inject_take_config(&s, value)
                    : got == IMAGE ? inject_take_image(&o, &s, value)
                    : got == SET   ? inject_take_setting(&o, &s, value)
                                   : CLI_DONE;
        if (wrong != CLI_DONE)
            return wrong;
        policy |= got == POLICY;
        quiet |= got == QUIET;
    }
    if (got != OPTION_END)
        return option_exit(got);
    return policy ? print_policy(&s) : pass(&s, quiet);
}

int cli_uninject(int argc, char **argv)
{
    struct options o = {.command = "uninject",
                        .usage = "< manifest.yaml > manifest.yaml",
                        .about =
                            "Takes the sidecar out of the workloads of a Kubernetes manifest again. What inject put\n"
                            "in goes, every other byte stays.",
                        .table = uninject_table,
                        .argc = argc,
                        .argv = argv,
                        .at = 1};
    const char *value;
    bool quiet = false;
    int got;
    while ((got = option_next(&o, &value)) >= 0)
        quiet = true;
    return got == OPTION_END ? pass(NULL, quiet) : option_exit(got);
}
