/* Starts, watches and restarts the worker process; passes signals on. Sockets go over as LISTEN_FDS from descriptor 3.
 */
#include "app/supervisor.h"

#include "app/process.h"
#include "base/buf.h"
#include "base/log.h"
#include "conf/load.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS_MAX = PROCESS_INHERITED_MAX };

#define BACKOFF_MAX_NS (10 * NS_PER_S)
#define CRASH_QUICK_NS (10 * NS_PER_S) /* a worker that lived shorter than this doubles the wait */

struct supervisor {
    const struct run_options *options;
    int fds[FDS_MAX];
    struct address addresses[FDS_MAX];
    char names[FDS_MAX][ADDRESS_PATH_MAX + 1];
    bool ours[FDS_MAX]; /* opened here, not inherited: its socket file goes with it */
    int fds_n;
    int signal_fd;
    int notify[2]; /* worker writes, we read */
    pid_t worker;
    ns_t started, backoff;
    bool ending;
    struct buf good; /* content of the configuration file when it was last taken */
    int good_fd;     /* the same for a worker that starts while the file is bad, -1: not needed */
};

static struct snapshot *load(const char *config, bool print)
{
    struct problems problems;
    problems_init(&problems);
    struct snapshot *s = load_file(config, &problems);
    if (print)
        problems_print(&problems, stderr);
    problems_fini(&problems);
    return s;
}

/* Keeps the content of a file that was just found good. A file that changed in between is loaded again by the worker.
 */
static void remember_good(struct supervisor *s)
{
    char chunk[4096];
    FILE *f = fopen(s->options->config, "re");
    if (!f)
        return;
    buf_clear(&s->good);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        if (buf_append(&s->good, chunk, n) != ERR_NONE)
            break;
    fclose(f);
}

/* For a restart while the file is bad: the last good content in a memory file. */
static void offer_good(struct supervisor *s)
{
    s->good_fd = memfd_create("configuration", MFD_CLOEXEC);
    if (s->good_fd < 0)
        return;
    if (write(s->good_fd, buf_head(&s->good), buf_len(&s->good)) != (ssize_t)buf_len(&s->good)) {
        close(s->good_fd);
        s->good_fd = -1;
        return;
    }
    log_line(LOG_WARN, "last_good_configuration", LOG_TEXT("file", s->options->config),
             LOG_TEXT("why", "the file is bad; see outrigger check"));
}

/* The content handed over by offer_good; owned by the process for its life. */
static struct slice take_good(int fd)
{
    off_t n = lseek(fd, 0, SEEK_END);
    char *p = n > 0 ? malloc((size_t)n + 1) : NULL;
    if (!p || pread(fd, p, (size_t)n, 0) != n)
        n = 0;
    close(fd);
    if (p)
        p[n] = '\0';
    return slice_make(p, (size_t)n);
}

static int find_fd(const struct supervisor *s, const struct address *a)
{
    for (int i = 0; i < s->fds_n; i++)
        if (address_eq(&s->addresses[i], a))
            return i;
    return -1;
}

static bool hold(struct supervisor *s, const struct address *a, int fd, bool ours)
{
    if (s->fds_n == FDS_MAX)
        return false;
    int i = s->fds_n++;
    s->fds[i] = fd;
    s->ours[i] = ours;
    s->addresses[i] = *a;
    if (a->name) {
        snprintf(s->names[i], sizeof s->names[i], "%s", a->name);
        s->addresses[i].name = s->names[i];
    }
    return true;
}

static void let_go(struct supervisor *s, int i)
{
    if (s->ours[i])
        sock_remove_file(&s->addresses[i]);
    sock_close(s->fds[i]);
    s->fds_n--;
    if (i == s->fds_n)
        return;
    s->fds[i] = s->fds[s->fds_n];
    s->ours[i] = s->ours[s->fds_n];
    s->addresses[i] = s->addresses[s->fds_n];
    memcpy(s->names[i], s->names[s->fds_n], sizeof s->names[i]);
    if (s->addresses[i].name)
        s->addresses[i].name = s->names[i];
}

static bool open_one(struct supervisor *s, const struct listener_conf *l)
{
    int fd, why = 0;
    if (find_fd(s, &l->address) >= 0)
        return true;
    if (sock_listen(&l->address, l->is_public || l->inbound, &fd, &why) != ERR_NONE) {
        fprintf(stderr, "%s:%u:%u: cannot listen on %s: %s\n", l->place.file, l->place.line, l->place.column, l->text,
                strerror(why));
        return false;
    }
    if (hold(s, &l->address, fd, true))
        return true;
    sock_remove_file(&l->address);
    sock_close(fd); /* the worker opens what does not fit */
    return true;
}

static bool is_named(const struct snapshot *snap, const struct address *a)
{
    for (size_t i = 0; i < snap->listeners_n; i++)
        if (address_eq(&snap->listeners[i].address, a))
            return true;
    return false;
}

static void close_unnamed(struct supervisor *s, const struct snapshot *snap)
{
    for (int i = s->fds_n; i-- > 0;)
        if (!is_named(snap, &s->addresses[i]))
            let_go(s, i);
}

static void let_go_all(struct supervisor *s)
{
    while (s->fds_n > 0)
        let_go(s, s->fds_n - 1);
}

static bool open_all(struct supervisor *s, const struct snapshot *snap)
{
    for (size_t i = 0; i < snap->listeners_n; i++)
        if (!open_one(s, &snap->listeners[i]))
            return false;
    return true;
}

/* Whoever opened it may have left it blocking. */
static void prepare_fd(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Listening sockets that came from systemd. */
static void adopt(struct supervisor *s)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    if (!pid || !n || strtol(pid, NULL, 10) != getpid())
        return;
    long count = strtol(n, NULL, 10);
    for (int fd = 3; fd < 3 + count && s->fds_n < FDS_MAX; fd++) {
        struct address a;
        char name[ADDRESS_PATH_MAX + 1];
        prepare_fd(fd);
        if (sock_local(fd, &a, name) == ERR_NONE)
            hold(s, &a, fd, false);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
}

static void set_number(const char *name, int value)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    setenv(name, text, 1);
}

/* Puts the listening descriptors at 3.. and the others behind them; runs in the child. */
static int arrange_fds(const struct supervisor *s)
{
    int high = 3 + FDS_MAX + 1;
    int notify = fcntl(s->notify[1], F_DUPFD, high);
    if (s->good_fd >= 0)
        set_number("OUTRIGGER_CONFIG_FD", fcntl(s->good_fd, F_DUPFD, high));
    int moved[FDS_MAX];
    for (int i = 0; i < s->fds_n; i++)
        moved[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, high);
    for (int i = 0; i < s->fds_n; i++)
        if (dup2(moved[i], 3 + i) < 0)
            return -1;
    return notify;
}

static void become_worker(const struct supervisor *s, pid_t parent)
{
    sigset_t none;
    int fd = arrange_fds(s);
    set_number("LISTEN_FDS", s->fds_n);
    set_number("LISTEN_PID", getpid());
    set_number("OUTRIGGER_NOTIFY_FD", fd);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (fd < 0 || getppid() != parent)
        _exit(1);
    char *const argv[] = {"outrigger", "run", "--single", "-c", (char *)(uintptr_t)s->options->config, NULL};
    execv("/proc/self/exe", argv);
    fprintf(stderr, "cannot start the worker: %s\n", strerror(errno));
    _exit(1);
}

static bool start_worker(struct supervisor *s)
{
    pid_t parent = getpid();
    s->started = clock_monotonic();
    s->worker = fork();
    if (s->worker == 0)
        become_worker(s, parent);
    return s->worker > 0;
}

/* The worker has a new configuration: let go of sockets that it does not name any more. */
static void on_reloaded(struct supervisor *s)
{
    struct snapshot *snap = load(s->options->config, false);
    if (snap) {
        remember_good(s);
        close_unnamed(s, snap);
    }
    snapshot_unref(snap);
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    if (read(s->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    int number = (int)info.ssi_signo;
    if (number == SIGCHLD)
        return;
    if (number == SIGTERM || number == SIGINT)
        s->ending = true;
    if (s->worker > 0)
        kill(s->worker, number);
}

static void on_notify(struct supervisor *s)
{
    char byte;
    if (read(s->notify[0], &byte, 1) == 1)
        on_reloaded(s);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* How long to wait before the next start: none after a long life, then doubling. */
static ns_t next_backoff(struct supervisor *s)
{
    ns_t wait = s->backoff;
    if (clock_monotonic() - s->started >= CRASH_QUICK_NS)
        wait = 0;
    s->backoff = wait == 0 ? 100 * NS_PER_MS : ns_min(2 * wait, BACKOFF_MAX_NS);
    return wait;
}

static void wait_or_signal(struct supervisor *s, ns_t wait)
{
    struct pollfd fd = {.fd = s->signal_fd, .events = POLLIN};
    ns_t until = clock_monotonic() + wait;
    while (!s->ending) {
        ns_t left = until - clock_monotonic();
        if (left <= 0)
            return;
        if (poll(&fd, 1, (int)((left + NS_PER_MS - 1) / NS_PER_MS)) > 0)
            on_signal(s);
    }
}

static void watch_worker(struct supervisor *s, int *ret_status)
{
    struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->notify[0], .events = POLLIN}};
    for (;;) {
        if (waitpid(s->worker, ret_status, WNOHANG) == s->worker)
            break;
        poll(fds, 2, -1);
        if (fds[0].revents)
            on_signal(s);
        if (fds[1].revents)
            on_notify(s);
    }
    s->worker = 0;
}

static void prepare_restart(struct supervisor *s)
{
    struct snapshot *snap = load(s->options->config, false);
    if (s->good_fd >= 0)
        close(s->good_fd);
    s->good_fd = -1;
    if (!snap)
        offer_good(s);
    else if (open_all(s, snap))
        close_unnamed(s, snap);
    snapshot_unref(snap);
}

static int supervise(struct supervisor *s)
{
    int status = 0;
    bool was_ready = false;
    for (;;) {
        if (!start_worker(s)) {
            log_line(LOG_ERROR, "worker_not_started", LOG_TEXT("error", strerror(errno)));
            return 1;
        }
        watch_worker(s, &status);
        was_ready |= clock_monotonic() - s->started > NS_PER_S || WIFSIGNALED(status);
        if (s->ending || (WIFEXITED(status) && WEXITSTATUS(status) == 0) || !was_ready)
            return exit_code(status);
        ns_t wait = next_backoff(s);
        log_line(LOG_ERROR, "worker_died", LOG_NUMBER("code", exit_code(status)),
                 LOG_NUMBER("restart_in_ms", wait / NS_PER_MS));
        wait_or_signal(s, wait);
        if (s->ending)
            return exit_code(status);
        prepare_restart(s);
    }
}

static bool prepare(struct supervisor *s)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd >= 0 && pipe2(s->notify, O_CLOEXEC | O_NONBLOCK) == 0;
}

static int run_process(const struct run_options *options)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS"), *notify = getenv("OUTRIGGER_NOTIFY_FD");
    const char *good = getenv("OUTRIGGER_CONFIG_FD");
    bool ours = pid && strtol(pid, NULL, 10) == getpid();
    static struct process_options p;
    p = (struct process_options){.config = options->config,
                                 .notify_fd = ours && notify ? (int)strtol(notify, NULL, 10) : -1,
                                 .serve_admin = options->serve_admin,
                                 .stop_admin = options->stop_admin};
    if (ours && good)
        p.text = take_good((int)strtol(good, NULL, 10));
    if (ours && n)
        p.listen_fds = (int)strtol(n, NULL, 10);
    for (int fd = 3; fd < 3 + p.listen_fds; fd++)
        prepare_fd(fd);
    if (p.notify_fd >= 0)
        fcntl(p.notify_fd, F_SETFD, FD_CLOEXEC);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("OUTRIGGER_NOTIFY_FD");
    unsetenv("OUTRIGGER_CONFIG_FD");
    prctl(PR_SET_NAME, "outrigger"); /* /proc/self/exe would show as "exe" */
    return process_run(&p);
}

int supervisor_run(const struct run_options *options)
{
    static struct supervisor s;
    signal(SIGPIPE, SIG_IGN);
    if (options->single)
        return run_process(options);
    s.options = options;
    s.good_fd = -1;
    struct snapshot *snap = load(options->config, false);
    if (!snap) {
        snapshot_unref(load(options->config, true));
        return 1;
    }
    remember_good(&s);
    adopt(&s);
    bool opened = open_all(&s, snap);
    if (opened)
        close_unnamed(&s, snap);
    snapshot_unref(snap);
    int code = opened && prepare(&s) ? supervise(&s) : 1;
    let_go_all(&s);
    return code;
}
