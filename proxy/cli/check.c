/* `outrigger check`: loads a configuration, reads the files it names, prints what is wrong. Opens no socket. */
#include "cli/cli.h"
#include "cli/option.h"
#include "conf/load.h"
#include "net/tls_material.h"

#include <string.h>

enum { CONFIG, NO_FILES, STRICT };

static const struct option table[] = {
    [CONFIG] = {'c', "config", "FILE", "the configuration to check"},
    [NO_FILES] = {0, "no-files", NULL, "do not read the certificates, keys and descriptors that FILE names"},
    [STRICT] = {0, "strict", NULL, "fail on warnings too"},
    {0, NULL, NULL, NULL}};

enum { OWNER_MAX = 160, NAMED_N = 4 };

/* A file of an identity, and where it is named. */
struct named {
    const char *path; /* NULL: not named */
    const char *key;
    const struct place *place;
};

static void list_files(const struct identity_conf *id, struct named out[NAMED_N])
{
    out[0] = (struct named){id->certificate, "certificate", &id->certificate_place};
    out[1] = (struct named){id->private_key, "private_key", &id->private_key_place};
    out[2] = (struct named){id->trust, "trust", &id->trust_place};
    out[3] = (struct named){id->revoked, "revoked", &id->revoked_place};
}

/* The file that the text is about: the longest path that stands in it. */
static const struct named *find_named(const struct named files[NAMED_N], const char *text)
{
    const struct named *found = NULL;
    for (int i = 0; i < NAMED_N; i++)
        if (files[i].path && strstr(text, files[i].path) && (!found || strlen(files[i].path) > strlen(found->path)))
            found = &files[i];
    return found;
}

/* Reads an identity as `run` would; the message names the file that is wrong. `owner` stands before its keys. */
static void check_identity(const struct identity_conf *id, const char *owner, struct problems *p)
{
    const struct tls_files paths = {id->certificate, id->private_key, id->trust, id->trust_system, id->revoked};
    struct named files[NAMED_N];
    struct tls_bytes bytes;
    char error[TLS_ERROR_MAX], key[OWNER_MAX + 32];
    tls_bytes_read(&bytes, &paths);
    struct tls_material *m = tls_material_new(&bytes, TLS_PART_ALL, NULL, error);
    tls_bytes_fini(&bytes);
    if (!m) {
        list_files(id, files);
        const struct named *named = find_named(files, error);
        (void)snprintf(key, sizeof key, "%sidentity%s%s", owner, named ? "." : "", named ? named->key : "");
        problems_add(p, PROBLEM_ERROR, named ? *named->place : id->place, key, "%s", error);
    } else if (id->revoked && tls_material_end(m, TLS_REVOKED) < clock_wall()) {
        (void)snprintf(key, sizeof key, "%sidentity.revoked", owner);
        problems_add(p, PROBLEM_WARNING, id->revoked_place, key, "%s: the list has ended, so peers will be refused",
                     id->revoked);
    }
    tls_material_unref(m);
}

static void check_files(const struct snapshot *s, struct problems *p)
{
    char owner[OWNER_MAX];
    if (s->identity.present)
        check_identity(&s->identity, "", p);
    for (size_t i = 0; i < s->listeners_n; i++) {
        (void)snprintf(owner, sizeof owner, "inbound[%zu].", i);
        if (s->listeners[i].identity != &s->identity)
            check_identity(s->listeners[i].identity, owner, p);
    }
    for (size_t i = 0; i < s->services_n; i++) {
        (void)snprintf(owner, sizeof owner, "services.%s.", s->services[i]->name);
        if (s->services[i]->identity != &s->identity)
            check_identity(s->services[i]->identity, owner, p);
    }
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
