/* Keeps a list of folders until the rules are made of it, and then to answer for files that a reload names. */
#include "app/sandbox_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights by the version that brought them; the headers may be older than the kernel. */
#define RIGHTS_1  ((1ull << 13) - 1)
#define RIGHTS_2  (RIGHTS_1 | 1ull << 13)
#define RIGHTS_3  (RIGHTS_2 | 1ull << 14)
#define RIGHTS_5  (RIGHTS_3 | 1ull << 15)
#define READ      (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAKE      (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define OF_A_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)

/* Read whatever the configuration says: name lookup, authorities, the token of a pod, what the kernel tells. */
static const char *const system_paths[] = {
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/localtime",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    "/proc/self",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/null",
    "/dev/urandom",
};

struct folder {
    char *path; /* absolute, without links */
    uint64_t rights;
};

static struct folder folders[SANDBOX_FOLDERS_MAX];
static int folders_n;
static bool on;

/* Takes path over. */
static void add(char *path, uint64_t rights)
{
    for (int i = 0; path && i < folders_n; i++)
        if (strcmp(folders[i].path, path) == 0) {
            folders[i].rights |= rights;
            free(path);
            return;
        }
    if (path && folders_n < SANDBOX_FOLDERS_MAX)
        folders[folders_n++] = (struct folder){path, rights};
    else
        free(path);
}

/* The folder that `path` stands in, absolute and without links; NULL when there is none. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *text = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    char *real = text ? realpath(text, NULL) : NULL;
    free(text);
    return real;
}

void sandbox_files_add(const char *path)
{
    char *target = realpath(path, NULL);
    add(folder_of(path), READ);
    if (target)
        add(folder_of(target), READ);
    free(target);
}

void sandbox_files_add_socket(const char *path)
{
    add(folder_of(path), MAKE);
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/' || (n == 1 && folder[0] == '/'));
}

static bool has(const char *real, uint64_t rights)
{
    for (int i = 0; i < folders_n; i++)
        if ((folders[i].rights & rights) == rights && is_below(real, folders[i].path))
            return true;
    return false;
}

bool sandbox_files_has(const char *path)
{
    char *real = on ? realpath(path, NULL) : NULL;
    bool fine = !on || (real ? has(real, READ) : errno == ENOENT);
    free(real);
    return fine;
}

bool sandbox_files_has_socket(const char *path)
{
    char *real = on ? folder_of(path) : NULL;
    bool fine = !real || has(real, MAKE);
    free(real);
    return fine;
}

static bool allow(int rules, const struct folder *f, uint64_t handled)
{
    struct landlock_path_beneath_attr below = {.allowed_access = f->rights & handled};
    below.parent_fd = open(f->path, O_PATH | O_CLOEXEC);
    if (below.parent_fd < 0)
        return true; /* gone: nothing to allow */
    bool done = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0;
    if (!done && errno == EINVAL) { /* a file takes no rights of folders */
        below.allowed_access &= OF_A_FILE;
        done = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0;
    }
    close(below.parent_fd);
    return done;
}

static void add_system(void)
{
    const char *more[] = {getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR")};
    for (size_t i = 0; i < sizeof system_paths / sizeof system_paths[0]; i++)
        add(realpath(system_paths[i], NULL), READ);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (more[i])
            add(realpath(more[i], NULL), READ);
}

int sandbox_files_enter(const char **ret_why)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    uint64_t handled = version >= 5 ? RIGHTS_5 : version >= 3 ? RIGHTS_3 : version == 2 ? RIGHTS_2 : RIGHTS_1;
    *ret_why = "not in this kernel";
    if (version < 1)
        return 0;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    *ret_why = "refused by the kernel";
    if (rules < 0)
        return 0;
    add_system();
    bool done = true;
    for (int i = 0; i < folders_n && done; i++)
        done = allow(rules, &folders[i], handled);
    done = done && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    on = done;
    return done ? (int)version : 0;
}
