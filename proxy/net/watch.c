/* Inotify watches on every folder that a path leads through a link in, and on the folder where it ends. After each
 * event the paths are walked again, for a swapped link leads elsewhere from then on. */
#include "net/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 16 };
#define EVENTS                                                                                                         \
    (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |            \
     IN_ATTRIB | IN_ONLYDIR)

struct folder {
    int wd;
    bool used; /* seen in this walk */
};

struct watch {
    struct loop_io *io;
    int fd;
    void (*changed)(void *ctx);
    void *ctx;
    char **paths; /* owned, each too */
    size_t n_paths;
    struct folder *folders; /* owned */
    size_t n_folders;
};

static enum err use_folder(struct watch *w, int wd)
{
    for (size_t i = 0; i < w->n_folders; i++)
        if (w->folders[i].wd == wd) {
            w->folders[i].used = true;
            return ERR_NONE;
        }
    struct folder *more = realloc(w->folders, (w->n_folders + 1) * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    w->folders = more;
    w->folders[w->n_folders++] = (struct folder){.wd = wd, .used = true};
    return ERR_NONE;
}

/* Watches the folder part of path[0..n), or the nearest one above that exists. */
static enum err add_folder(struct watch *w, const char *path, size_t n)
{
    char folder[PATH_MAX];
    memcpy(folder, path, n);
    for (;;) {
        while (n > 0 && path[n - 1] != '/')
            n--;
        while (n > 1 && path[n - 1] == '/')
            n--;
        folder[n] = '\0';
        int wd = inotify_add_watch(w->fd, n == 0 ? "." : folder, EVENTS);
        if (wd >= 0)
            return use_folder(w, wd);
        if (errno == ENOSPC || errno == ENOMEM)
            return ERR_LIMIT;
        if (n <= 1)
            return ERR_IO;
    }
}

/* path[0..at) is a link: puts where it leads, and the rest of the path behind it, in its place. */
static bool follow(char *path, size_t at)
{
    char link[PATH_MAX], rest[PATH_MAX];
    size_t base = at, rest_n = strlen(path + at);
    memcpy(rest, path + at, rest_n + 1);
    path[at] = '\0';
    ssize_t n = readlink(path, link, sizeof link - 1);
    if (n <= 0)
        return false;
    link[n] = '\0';
    while (base > 0 && path[base - 1] != '/')
        base--;
    if (link[0] == '/')
        base = 0;
    if (base + (size_t)n + rest_n >= PATH_MAX)
        return false;
    memcpy(path + base, link, (size_t)n);
    memcpy(path + base + n, rest, rest_n + 1);
    return true;
}

/* The end of the first part of `path` that is a link, or 0 when none is. */
static size_t find_link(const char *path)
{
    char part[PATH_MAX];
    struct stat st;
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (lstat(part, &st) == 0 && S_ISLNK(st.st_mode))
            return i;
    }
    return 0;
}

static enum err walk(struct watch *w, const char *from)
{
    char path[PATH_MAX];
    size_t at;
    enum err e;
    (void)snprintf(path, sizeof path, "%s", from);
    for (int links = 0; links < LINKS_MAX && (at = find_link(path)) != 0; links++) {
        if ((e = add_folder(w, path, at)) != ERR_NONE)
            return e;
        if (!follow(path, at))
            return ERR_NONE; /* it vanished or is endless: the folder of the link tells when that changes */
    }
    return add_folder(w, path, strlen(path));
}

static void walk_again(struct watch *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n_folders; i++)
        w->folders[i].used = false;
    for (size_t i = 0; i < w->n_paths; i++)
        (void)!walk(w, w->paths[i]); /* best effort: what was watched before stays reported by the next event */
    for (size_t i = 0; i < w->n_folders; i++) {
        if (w->folders[i].used)
            w->folders[kept++] = w->folders[i];
        else
            (void)inotify_rm_watch(w->fd, w->folders[i].wd);
    }
    w->n_folders = kept;
}

/* A folder that was deleted loses its watch by itself (IN_IGNORED); its number must not be taken for a live one. */
static void forget(struct watch *w, int wd)
{
    for (size_t i = 0; i < w->n_folders; i++)
        if (w->folders[i].wd == wd)
            w->folders[i--] = w->folders[--w->n_folders];
}

static void on_ready(void *ctx, unsigned what)
{
    (void)what;
    struct watch *w = ctx;
    _Alignas(struct inotify_event) char events[4096];
    ssize_t n;
    bool changed = false;
    while ((n = read(w->fd, events, sizeof events)) > 0)
        for (char *p = events; p < events + n;) {
            struct inotify_event *e = (struct inotify_event *)(void *)p;
            if (e->mask & IN_IGNORED)
                forget(w, e->wd);
            else
                changed = true;
            p += sizeof *e + e->len;
        }
    if (!changed)
        return;
    walk_again(w);
    w->changed(w->ctx);
}

struct watch *watch_new(struct loop *l, void (*changed)(void *ctx), void *ctx)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct watch){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .changed = changed, .ctx = ctx};
    if (w->fd >= 0)
        w->io = loop_io_new(l, w->fd, on_ready, w);
    if (w->io)
        return w;
    watch_free(w);
    return NULL;
}

enum err watch_add(struct watch *w, const char *path)
{
    if (strlen(path) == 0 || strlen(path) >= PATH_MAX)
        return ERR_INVALID;
    char **more = realloc(w->paths, (w->n_paths + 1) * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    w->paths = more;
    if (!(w->paths[w->n_paths] = strdup(path)))
        return ERR_NOMEM;
    w->n_paths++;
    return walk(w, path);
}

void watch_clear(struct watch *w)
{
    for (size_t i = 0; i < w->n_paths; i++)
        free(w->paths[i]);
    w->n_paths = 0;
    walk_again(w);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    loop_io_free(w->io);
    if (w->fd >= 0)
        close(w->fd);
    for (size_t i = 0; i < w->n_paths; i++)
        free(w->paths[i]);
    free(w->paths);
    free(w->folders);
    free(w);
}
