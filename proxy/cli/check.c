/* `outrigger check`: loads a configuration, reads the files it names, prints what is wrong. Opens no socket. */
#include "cli/cli.h"
#include "cli/option.h"
#include "conf/load.h"
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG, NO_FILES, STRICT };

static const struct option table[] = {
    [CONFIG] = {'c', "config", "FILE", "the configuration to check"},
    [NO_FILES] = {0, "no-files", NULL, "do not read the certificates, keys and descriptors that FILE names"},
    [STRICT] = {0, "strict", NULL, "fail on warnings too"},
    {0, NULL, NULL, NULL}};

/* A file of the identity, and where it is named. */
struct named {
    const char *path; /* NULL: not named */
    const char *key;
    const struct place *place;
};

enum { NAMED_N = 4 };

static void list_files(const struct identity_conf *id, struct named out[NAMED_N])
{
    out[0] = (struct named){id->certificate, "identity.certificate", &id->certificate_place};
    out[1] = (struct named){id->private_key, "identity.private_key", &id->private_key_place};
    out[2] = (struct named){id->trust, "identity.trust", &id->trust_place};
    out[3] = (struct named){id->revoked, "identity.revoked", &id->revoked_place};
}

static void check_readable(const struct named *f, struct problems *p)
{
    char byte;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &byte, 1) < 0)
        problems_add(p, PROBLEM_ERROR, *f->place, f->key, "%s cannot be read: %s", f->path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Makes the TLS context as `run` would; its message names the file that is wrong. */
static void check_context(const struct snapshot *s, const struct named files[NAMED_N], bool server, bool mutual,
                          struct problems *p)
{
    const struct identity_conf *id = &s->identity;
    char error[TLS_ERROR_MAX];
    bool shows = server || mutual, trusts = !server || mutual;
    struct tls_config config = {.server = server,
                                .mutual = mutual,
                                .files.certificate = shows ? id->certificate : NULL,
                                .files.private_key = shows ? id->private_key : NULL,
                                .files.trust = trusts ? id->trust : NULL,
                                .files.trust_system = trusts && id->trust_system,
                                .files.revoked = trusts ? id->revoked : NULL};
    struct tls_context *context = tls_context_new(&config, error);
    const struct named *named = NULL;
    tls_context_unref(context);
    for (int i = 0; !context && i < NAMED_N; i++)
        if (files[i].path && strstr(error, files[i].path) && (!named || strlen(files[i].path) > strlen(named->path)))
            named = &files[i];
    if (!context)
        problems_add(p, PROBLEM_ERROR, named ? *named->place : id->place, named ? named->key : "identity", "%s", error);
}

static void check_files(const struct snapshot *s, struct problems *p)
{
    struct named files[NAMED_N];
    bool used[2][2] = {{false}}; /* [server][mutual] */
    list_files(&s->identity, files);
    for (int i = 0; i < NAMED_N; i++)
        if (files[i].path)
            check_readable(&files[i], p);
    for (size_t i = 0; i < s->listeners_n; i++)
        if (s->listeners[i].tls != TLS_MODE_OFF)
            used[1][s->listeners[i].tls == TLS_MODE_MUTUAL] = true;
    for (size_t i = 0; i < s->services_n; i++)
        if (s->services[i]->tls != TLS_MODE_OFF)
            used[0][s->services[i]->tls == TLS_MODE_MUTUAL] = true;
    for (int side = 0; side < 2; side++)
        for (int mutual = 1; mutual >= 0; mutual--)
            if (used[side][mutual] && p->errors == 0)
                check_context(s, files, side, mutual, p);
}

static int check(const char *path, bool files, bool strict)
{
    struct problems problems;
    problems_init(&problems);
    const struct load_env env = {.skip_files = !files};
    struct snapshot *s = load_file_in(path, &env, &problems);
    if (s && files)
        check_files(s, &problems);
    problems_sort(&problems);
    problems_print(&problems, stdout);
    bool good = problems.errors == 0 && !(strict && problems.warnings);
    if (good)
        printf("%s: ok\n", path);
    snapshot_unref(s);
    problems_fini(&problems);
    return good ? CLI_DONE : CLI_FAILED;
}

int cli_check(int argc, char **argv)
{
    struct options o = {.command = "check",
                        .usage = "-c FILE [--no-files] [--strict]",
                        .about =
                            "Checks a configuration and the files it names; opens no socket. Prints a line\n"
                            "FILE:LINE:COL: path.to.field: what is wrong, what was expected\n"
                            "for each problem. Exit code 0 when there is no error, 1 when there is one, 2 for a wrong\n"
                            "command line.",
                        .table = table,
                        .argc = argc,
                        .argv = argv,
                        .at = 1};
    const char *config = NULL, *value;
    bool files = true, strict = false;
    int got;
    while ((got = option_next(&o, &value)) >= 0) {
        if (got == CONFIG)
            config = value;
        files &= got != NO_FILES;
        strict |= got == STRICT;
    }
    if (got != OPTION_END)
        return option_exit(got);
    if (!config)
        return option_complain(&o, "-c FILE is missing");
    return check(config, files, strict);
}
