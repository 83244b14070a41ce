/* In this order: what the filter would refuse comes before it. */
#include "app/sandbox.h"

#include "app/sandbox_files.h"
#include "app/sandbox_filter.h"
#include "base/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool files_closed;

/* No capability is needed: the supervisor has opened the sockets. What a process without them lacks already is no
 * failure. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, none) == 0;
}

/* Memory holds keys: neither a core file nor another process of this user gets it. */
static bool hide_memory(void)
{
    struct rlimit none = {0, 0};
    if (sandbox_filter_is_sanitized())
        return false;
    return setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

typedef void path_fn(const char *path, void *ctx);

static void each_of_identity(const struct identity_conf *id, path_fn *fn, void *ctx)
{
    const char *paths[] = {id->certificate, id->private_key, id->trust, id->revoked};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i])
            fn(paths[i], ctx);
}

/* What the source of endpoints reads. */
static void each_of_source(const struct service_conf *conf, path_fn *fn, void *ctx)
{
    const char *paths[] = {conf->file, conf->kubernetes.token, conf->kubernetes.ca};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i])
            fn(paths[i], ctx);
}

static void each_file(const struct snapshot *s, path_fn *fn, void *ctx)
{
    fn(s->file, ctx);
    each_of_identity(&s->identity, fn, ctx);
    for (size_t i = 0; i < s->listeners_n; i++)
        if (s->listeners[i].identity != &s->identity)
            each_of_identity(s->listeners[i].identity, fn, ctx);
    for (size_t i = 0; i < s->services_n; i++)
        if (s->services[i]->identity != &s->identity)
            each_of_identity(s->services[i]->identity, fn, ctx);
    for (size_t i = 0; i < s->files_n; i++)
        fn(s->files[i], ctx);
    for (size_t i = 0; i < s->services_n; i++)
        each_of_source(s->services[i], fn, ctx);
}

static void each_socket(const struct snapshot *s, path_fn *fn, void *ctx)
{
    for (size_t i = 0; i < s->listeners_n; i++)
        if (s->listeners[i].address.kind == ADDRESS_UNIX)
            fn(s->listeners[i].address.name, ctx);
    if (s->admin.present && s->admin.address.kind == ADDRESS_UNIX)
        fn(s->admin.address.name, ctx);
}

static void add_file(const char *path, void *ctx)
{
    (void)ctx;
    sandbox_files_add(path);
}

static void add_socket(const char *path, void *ctx)
{
    (void)ctx;
    sandbox_files_add_socket(path);
}

static const char *on_off(bool on)
{
    return on ? "on" : "off";
}

static void log_all(const char *capabilities, const char *memory, int files, const char *files_why, const char *filter)
{
    char version[32];
    snprintf(version, sizeof version, "Landlock %d", files);
    log_line(filter || files == 0 ? LOG_WARN : LOG_INFO, "sandbox", LOG_TEXT("files", files > 0 ? version : files_why),
             LOG_TEXT("calls", filter ? filter : "seccomp"), LOG_TEXT("capabilities", capabilities),
             LOG_TEXT("core_dumps", memory));
}

enum err sandbox_enter(enum sandbox_mode mode, const struct snapshot *s, char *error)
{
    const char *files_why = NULL;
    if (mode == SANDBOX_OFF) {
        log_line(LOG_WARN, "sandbox", LOG_TEXT("files", "off"), LOG_TEXT("calls", "off"));
        return ERR_NONE;
    }
    bool privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, hidden = hide_memory(),
         dropped = drop_capabilities();
    each_file(s, add_file, NULL);
    each_socket(s, add_socket, NULL);
    int files = privileges ? sandbox_files_enter(&files_why) : 0;
    const char *filter = privileges ? sandbox_filter_enter() : "no_new_privs is refused";
    files_closed = files > 0;
    log_all(dropped ? "none" : "kept", on_off(!hidden), files, files_why, filter);
    if (mode == SANDBOX_AUTO || (privileges && hidden && dropped && files > 0 && !filter))
        return ERR_NONE;
    snprintf(error, SANDBOX_ERROR_MAX, "--sandbox=on: files: %s; system calls: %s", files > 0 ? "on" : files_why,
             filter ? filter : "on");
    return ERR_INVALID;
}

/* What stands in the way. */
struct refused {
    const char *file, *socket;
};

static void check_file(const char *path, void *ctx)
{
    struct refused *r = ctx;
    if (!r->file && !sandbox_files_has(path))
        r->file = path;
}

static void check_socket(const char *path, void *ctx)
{
    struct refused *r = ctx;
    if (!r->socket && !sandbox_files_has_socket(path))
        r->socket = path;
}

bool sandbox_allows(const struct snapshot *s, char *error)
{
    struct refused r = {0};
    each_file(s, check_file, &r);
    each_socket(s, check_socket, &r);
    if (r.file || r.socket)
        snprintf(error, SANDBOX_ERROR_MAX, "%.160s is outside of the folders known at start, restart to apply",
                 r.file ? r.file : r.socket);
    return !r.file && !r.socket;
}

bool sandbox_is_on(void)
{
    return files_closed;
}
