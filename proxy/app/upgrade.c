/* The text: a line a thing. "outrigger 1", then "socket FD OURS", "worker PID CHANNEL", "old PID CHANNEL". */
#include "app/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_MS = 5000, CHECK_STEP_MS = 10 };

static const char head[] = "outrigger 1\n";

static bool search_path(const char *name, char *ret)
{
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t n = strcspn(at, ":");
        snprintf(ret, UPGRADE_PATH_MAX, "%.*s/%s", (int)n, at, name);
        if (n > 0 && access(ret, X_OK) == 0)
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}

void upgrade_default_binary(const char *argv0, char *ret)
{
    char folder[UPGRADE_PATH_MAX / 2];
    const char *slash = strchr(argv0, '/');
    if (argv0[0] == '/')
        snprintf(ret, UPGRADE_PATH_MAX, "%s", argv0);
    else if (slash && getcwd(folder, sizeof folder))
        snprintf(ret, UPGRADE_PATH_MAX, "%s/%s", folder, argv0);
    else if (slash || !search_path(argv0, ret)) {
        ssize_t n = readlink("/proc/self/exe", ret, UPGRADE_PATH_MAX - 1);
        ret[n > 0 ? n : 0] = '\0';
    }
}

/* All that is kept, by fn; ends at the first that is false. */
static bool each_fd(const struct upgrade *u, bool (*fn)(int fd))
{
    bool done = fn(u->worker->channel);
    for (int i = 0; i < u->held->n && done; i++)
        done = fn(u->held->v[i].fd);
    for (int i = 0; i < *u->old_n && done; i++)
        done = u->old[i].channel < 0 || fn(u->old[i].channel);
    return done;
}

static bool keep_fd(int fd)
{
    return fcntl(fd, F_SETFD, 0) == 0;
}

static bool close_fd(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* A memory file with the text, -1 when there is none. */
static int write_down(const struct upgrade *u)
{
    int fd = memfd_create("upgrade", MFD_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
    if (f) {
        fputs(head, f);
        for (int i = 0; i < u->held->n; i++)
            fprintf(f, "socket %d %d\n", u->held->v[i].fd, u->held->v[i].ours);
        fprintf(f, "worker %d %d %d\n", (int)u->worker->pid, u->worker->channel, u->worker->knows);
        for (int i = 0; i < *u->old_n; i++)
            fprintf(f, "old %d %d\n", (int)u->old[i].pid, u->old[i].channel);
        if (fclose(f) == 0)
            return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Comes back only when it failed. */
static void exec_with(const char *binary, const struct run_options *options, const struct upgrade *u, int text,
                      const char *how)
{
    char number[16];
    snprintf(number, sizeof number, "%d", text);
    if (!keep_fd(text) || !each_fd(u, keep_fd) || setenv(how, number, 1) != 0)
        return;
    char *const argv[] = {
        (char *)(uintptr_t)binary,          "run", (char *)(uintptr_t)child_sandbox_option(options), "-c",
        (char *)(uintptr_t)options->config, NULL};
    execv(binary, argv);
    int e = errno;
    unsetenv(how);
    each_fd(u, close_fd);
    errno = e;
}

static bool wait_for_check(pid_t pid, const char *binary, char *why)
{
    int status = 0;
    for (int ms = 0; ms < CHECK_MS; ms += CHECK_STEP_MS) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return true;
            snprintf(why, UPGRADE_WHY_MAX, "%.160s cannot take over: it ends with %s %d", binary,
                     WIFEXITED(status) ? "code" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
            return false;
        }
        poll(NULL, 0, CHECK_STEP_MS);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    snprintf(why, UPGRADE_WHY_MAX, "%.160s cannot take over: it does not answer", binary);
    return false;
}

bool upgrade_check(const char *binary, const struct run_options *options, const struct upgrade *u, char *why)
{
    int text = write_down(u);
    pid_t pid = text >= 0 ? fork() : -1;
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        exec_with(binary, options, u, text, "OUTRIGGER_RESUME_CHECK");
        fprintf(stderr, "%s: %s\n", binary, strerror(errno));
        _exit(1);
    }
    if (pid < 0)
        snprintf(why, UPGRADE_WHY_MAX, "no memory or descriptors to try it");
    bool good = pid > 0 && wait_for_check(pid, binary, why);
    if (text >= 0)
        close(text);
    return good;
}

void upgrade_exec(const char *binary, const struct run_options *options, const struct upgrade *u)
{
    int text = write_down(u);
    if (text < 0)
        return;
    exec_with(binary, options, u, text, "OUTRIGGER_RESUME");
    int e = errno;
    close(text);
    errno = e;
}

static bool resume_child(struct child *c, int pid, int channel, bool knows)
{
    *c = (struct child){.pid = pid, .channel = channel, .ready = true, .knows = knows, .started = clock_monotonic()};
    return pid > 0 && (channel < 0 || close_fd(channel));
}

static bool read_line(const struct upgrade *u, const char *line)
{
    int a, b, knows = 0;
    if (sscanf(line, "socket %d %d", &a, &b) == 2)
        return close_fd(a) && held_add(u->held, a, b != 0);
    if (sscanf(line, "worker %d %d %d", &a, &b, &knows) >= 2)
        return resume_child(u->worker, a, b, knows != 0);
    if (sscanf(line, "old %d %d", &a, &b) == 2)
        return *u->old_n < UPGRADE_OLD_MAX && resume_child(&u->old[(*u->old_n)++], a, b, true);
    return false;
}

enum upgrade_resumed upgrade_resume(const struct upgrade *u)
{
    char line[128];
    const char *text = getenv("OUTRIGGER_RESUME"), *check = getenv("OUTRIGGER_RESUME_CHECK");
    if (!text && !check)
        return UPGRADE_NOTHING;
    int fd = (int)strtol(text ? text : check, NULL, 10);
    bool good = lseek(fd, 0, SEEK_SET) == 0;
    FILE *f = good ? fdopen(fd, "r") : NULL;
    good = f && fgets(line, sizeof line, f) && strcmp(line, head) == 0;
    while (good && fgets(line, sizeof line, f))
        good = read_line(u, line);
    good = good && u->worker->pid > 0;
    if (f)
        fclose(f);
    unsetenv("OUTRIGGER_RESUME");
    unsetenv("OUTRIGGER_RESUME_CHECK");
    return !good ? UPGRADE_BAD : check ? UPGRADE_CHECKED : UPGRADE_RESUMED;
}
