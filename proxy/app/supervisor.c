/* One loop over the signals and the lines to its worker processes. It hears what happens and starts what is missing. */
#include "app/supervisor.h"

#include "app/child.h"
#include "app/held.h"
#include "app/respawn.h"
#include "app/upgrade.h"
#include "base/buf.h"
#include "base/log.h"
#include "conf/load.h"
#include "net/channel.h"
#include "net/control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_NS NS_PER_S /* a worker has this long after the second signal */

struct supervisor {
    const struct run_options *options;
    struct held held;
    int signal_fd, control_fd; /* -1: no commands */
    struct child worker;
    struct child next;                 /* of an upgrade under way; pid 0: none */
    struct child old[UPGRADE_OLD_MAX]; /* replaced, with calls that have not ended */
    int old_n;
    char binary[UPGRADE_PATH_MAX];      /* where upgrades come from, unless they say */
    char next_binary[UPGRADE_PATH_MAX]; /* of `next` */
    int asked;                          /* connection of who waits for the upgrade, or -1 */
    struct upgrade kept;
    bool was_ready;              /* some worker was: from now on the dead are replaced */
    bool ending, finished, over; /* finished: the worker has ended for good, `over` once the old ones have too */
    int code;                    /* of the exit */
    struct respawn respawn;
    ns_t start_at, kill_at, next_until; /* NS_NEVER: not */
    struct buf good;                    /* content of the configuration file when it was last taken */
    int good_fd;                        /* the same for a worker that starts while the file is bad, -1: not needed */
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

/* The sockets and the content that the next worker gets. */
static void prepare_start(struct supervisor *s)
{
    struct snapshot *snap = load(s->options->config, false);
    if (s->good_fd >= 0)
        close(s->good_fd);
    s->good_fd = -1;
    if (!snap)
        offer_good(s);
    else if (held_open(&s->held, snap))
        held_close_unnamed(&s->held, snap);
    snapshot_unref(snap);
}

static void finish(struct supervisor *s, int code)
{
    s->code = code;
    s->over = s->old_n == 0 || !s->ending;
    s->finished = true;
}

static void start_worker(struct supervisor *s)
{
    struct child_start start = {.options = s->options, .held = &s->held, .text_fd = s->good_fd};
    s->start_at = NS_NEVER;
    if (child_start(&s->worker, &start))
        return;
    log_line(LOG_ERROR, "worker_not_started", LOG_TEXT("error", strerror(errno)));
    s->start_at = ns_add(clock_monotonic(), ns_max(RESPAWN_FIRST_NS, respawn_on_death(&s->respawn, clock_monotonic())));
    if (!s->was_ready)
        finish(s, 1);
}

/* The worker has a new configuration: let go of sockets that it does not name any more. */
static void on_reloaded(struct supervisor *s)
{
    struct snapshot *snap = load(s->options->config, false);
    if (snap) {
        remember_good(s);
        held_close_unnamed(&s->held, snap);
    }
    snapshot_unref(snap);
}

static void upgrade_end(struct supervisor *s, const char *failed)
{
    char text[CONTROL_TEXT_MAX];
    if (failed)
        log_line(LOG_ERROR, "upgrade_failed", LOG_TEXT("binary", s->next_binary), LOG_TEXT("error", failed));
    snprintf(text, sizeof text, "%s", failed ? failed : "ok");
    control_answer(s->asked, text);
    s->asked = -1;
    s->next_until = NS_NEVER;
}

static const char *why_no_upgrade(const struct supervisor *s)
{
    if (s->ending || s->worker.pid <= 0 || !s->worker.ready)
        return "there is no worker that could be replaced";
    if (s->next.pid > 0)
        return "another upgrade is under way";
    if (s->old_n == UPGRADE_OLD_MAX)
        return "too many workers of earlier upgrades still have calls";
    return NULL;
}

/* `path` may be empty: the file that we were started from. */
static void upgrade_begin(struct supervisor *s, const char *path, int asked)
{
    char why[UPGRADE_WHY_MAX] = "no memory or descriptors for a worker";
    const char *no = why_no_upgrade(s);
    struct child_start start = {
        .options = s->options, .held = &s->held, .text_fd = -1, .binary = s->next_binary, .patient = s->worker.knows};
    if (no) {
        log_line(LOG_WARN, "upgrade_refused", LOG_TEXT("why", no));
        control_answer(asked, no);
        return;
    }
    s->asked = asked;
    snprintf(s->next_binary, sizeof s->next_binary, "%s", *path ? path : s->binary);
    log_line(LOG_INFO, "upgrade", LOG_TEXT("binary", s->next_binary));
    if (upgrade_check(s->next_binary, s->options, &s->kept, why) && child_start(&s->next, &start))
        s->next_until = ns_add(clock_monotonic(), UPGRADE_START_NS);
    else
        upgrade_end(s, why);
}

/* The new worker serves: the old one drains, and this process becomes the new version. */
static void upgrade_go_on(struct supervisor *s)
{
    s->old[s->old_n++] = s->worker;
    child_signal(&s->worker, SIGUSR2);
    s->worker = s->next;
    s->worker.ready = true;
    s->next = (struct child){.channel = -1};
    snprintf(s->binary, sizeof s->binary, "%s", s->next_binary);
    log_line(LOG_INFO, "upgraded", LOG_TEXT("binary", s->binary), LOG_NUMBER("worker", s->worker.pid),
             LOG_NUMBER("draining", s->old_n));
    upgrade_end(s, NULL);
    upgrade_exec(s->binary, s->options, &s->kept);
    log_line(LOG_ERROR, "supervisor_stays", LOG_TEXT("binary", s->binary), LOG_TEXT("error", strerror(errno)));
}

static void on_news(struct supervisor *s, char news, int fd)
{
    switch ((enum process_news)news) {
    case PROCESS_READY:
        s->worker.ready = s->was_ready = true;
        break;
    case PROCESS_RELOADED:
        on_reloaded(s);
        break;
    case PROCESS_LISTENS:
        if (fd >= 0)
            held_add(&s->held, fd, true);
        return;
    case PROCESS_KNOWS:
        s->worker.knows = true;
        return;
    case PROCESS_CLOSED:
        held_close(&s->held);
        break;
    case PROCESS_RELOADING:
    case PROCESS_REFUSED:
    case PROCESS_DRAINING:
        break;
    }
    child_tell_manager((enum process_news)news, -1);
}

static void hear(struct supervisor *s, struct child *c)
{
    char news;
    int fd;
    enum err e;
    while ((e = channel_receive(c->channel, &news, &fd)) == ERR_NONE) {
        bool counts = c == &s->worker || (c == &s->next && news == PROCESS_LISTENS);
        if (counts)
            on_news(s, news, fd);
        else if (fd >= 0)
            close(fd);
        s->next.knows |= c == &s->next && news == PROCESS_KNOWS;
        if (c == &s->next && news == PROCESS_READY) {
            upgrade_go_on(s);
            return;
        }
    }
    if (e != ERR_IO)
        return;
    close(c->channel);
    c->channel = -1;
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void on_death(struct supervisor *s, int status)
{
    int code = exit_code(status);
    ns_t now = clock_monotonic();
    child_forget(&s->worker);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        log_line(LOG_ERROR, "sandbox_broken", LOG_TEXT("why", "a system call that the sandbox does not allow"));
    if (s->ending || !s->was_ready || (WIFEXITED(status) && code == 0)) {
        finish(s, code);
        return;
    }
    ns_t wait = respawn_on_death(&s->respawn, now);
    s->start_at = ns_add(now, wait);
    s->code = code;
    log_line(LOG_ERROR, "worker_died", LOG_NUMBER("code", code), LOG_NUMBER("restart_in_ms", wait / NS_PER_MS));
}

static void bury_old(struct supervisor *s, pid_t pid)
{
    for (int i = s->old_n; i-- > 0;)
        if (s->old[i].pid == pid) {
            child_forget(&s->old[i]);
            s->old[i] = s->old[--s->old_n];
        }
}

/* As process 1 of a container it meets children that are not its own. */
static void bury(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->worker.pid) {
            if (s->worker.channel >= 0)
                hear(s, &s->worker); /* its last words */
            on_death(s, status);
        } else if (pid == s->next.pid) {
            child_forget(&s->next);
            upgrade_end(s, "the new worker has ended before it was ready; the log says why");
        }
        bury_old(s, pid);
    }
    s->over |= s->finished && s->old_n == 0;
}

/* The first one drains, the second one ends at once. */
static void on_end_signal(struct supervisor *s, int number)
{
    if (s->ending && s->kill_at == NS_NEVER)
        s->kill_at = ns_add(clock_monotonic(), KILL_NS);
    for (int i = 0; i < s->old_n && s->ending; i++)
        child_signal(&s->old[i], number);
    if (s->next.pid > 0)
        kill(s->next.pid, SIGKILL);
    s->ending = true;
    child_signal(&s->worker, number);
    if (s->worker.pid <= 0)
        finish(s, s->code); /* between two workers */
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int number = (int)info.ssi_signo;
        if (number == SIGCHLD)
            bury(s);
        else if (number == SIGHUP)
            child_signal(&s->worker, number);
        else if (number == SIGUSR2)
            upgrade_begin(s, "", -1);
        else
            on_end_signal(s, number);
    }
}

static int milliseconds_until(ns_t at)
{
    ns_t left = ns_max(0, at - clock_monotonic());
    return at == NS_NEVER ? -1 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static void kill_all(struct supervisor *s)
{
    if (s->worker.pid > 0)
        kill(s->worker.pid, SIGKILL);
    for (int i = 0; i < s->old_n; i++)
        kill(s->old[i].pid, SIGKILL);
}

static void on_control(struct supervisor *s)
{
    char path[CONTROL_TEXT_MAX];
    int connection;
    if (control_accept(s->control_fd, path, &connection) == ERR_NONE)
        upgrade_begin(s, path[0] == '/' ? path : "", connection);
}

static void on_time(struct supervisor *s)
{
    ns_t now = clock_monotonic();
    if (now >= s->kill_at)
        kill_all(s);
    if (now >= s->next_until && s->next.pid > 0) {
        log_line(LOG_ERROR, "upgrade_late", LOG_NUMBER("after_s", UPGRADE_START_NS / NS_PER_S),
                 LOG_TEXT("why", s->worker.knows && !s->next.knows
                                     ? "the new worker knows no endpoints for some service"
                                     : "an identity is not there, or it does not start"));
        kill(s->next.pid, SIGKILL); /* its end ends the upgrade */
        s->next_until = NS_NEVER;
    }
    if (now < s->start_at || s->ending)
        return;
    if (s->was_ready)
        prepare_start(s);
    start_worker(s);
}

static int supervise(struct supervisor *s)
{
    while (!s->over) {
        struct pollfd fds[4] = {{.fd = s->signal_fd, .events = POLLIN},
                                {.fd = s->control_fd, .events = POLLIN},
                                {.fd = s->worker.channel, .events = POLLIN},
                                {.fd = s->next.channel, .events = POLLIN}};
        poll(fds, 4, milliseconds_until(ns_min(ns_min(s->start_at, s->kill_at), s->next_until)));
        if (fds[2].revents)
            hear(s, &s->worker);
        if (fds[3].revents)
            hear(s, &s->next);
        if (fds[0].revents)
            on_signal(s);
        if (fds[1].revents && !s->over)
            on_control(s);
        if (!s->over)
            on_time(s);
    }
    return s->code;
}

static bool take_signals(struct supervisor *s)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd >= 0;
}

/* The first of its kind: opens what the file names. */
static bool begin(struct supervisor *s)
{
    struct snapshot *snap = load(s->options->config, false);
    if (!snap) {
        snapshot_unref(load(s->options->config, true));
        return false;
    }
    remember_good(s);
    held_adopt(&s->held);
    bool opened = held_open(&s->held, snap);
    if (opened)
        held_close_unnamed(&s->held, snap);
    snapshot_unref(snap);
    if (!opened || !take_signals(s))
        return false;
    start_worker(s);
    return true;
}

/* Another version has left its workers to us. */
static bool go_on(struct supervisor *s)
{
    struct snapshot *snap = load(s->options->config, false);
    if (snap)
        remember_good(s);
    snapshot_unref(snap);
    s->was_ready = true;
    log_line(LOG_INFO, "supervisor", LOG_TEXT("version", OUTRIGGER_VERSION), LOG_NUMBER("worker", s->worker.pid),
             LOG_NUMBER("draining", s->old_n));
    if (!take_signals(s))
        return false;
    bury(s); /* who ended meanwhile */
    return true;
}

static void init(struct supervisor *s, const struct run_options *options)
{
    *s = (struct supervisor){.options = options,
                             .good_fd = -1,
                             .asked = -1,
                             .start_at = NS_NEVER,
                             .kill_at = NS_NEVER,
                             .next_until = NS_NEVER};
    s->worker.channel = s->next.channel = -1;
    s->kept = (struct upgrade){&s->held, &s->worker, s->old, &s->old_n};
    upgrade_default_binary(options->argv0, s->binary);
}

int supervisor_run(const struct run_options *options)
{
    static struct supervisor s;
    bool going = false;
    signal(SIGPIPE, SIG_IGN);
    if (options->single)
        return child_run(options);
    init(&s, options);
    switch (upgrade_resume(&s.kept)) {
    case UPGRADE_NOTHING:
        going = begin(&s);
        break;
    case UPGRADE_RESUMED:
        going = go_on(&s);
        break;
    case UPGRADE_CHECKED:
        return 0;
    case UPGRADE_BAD:
        fputs("outrigger: what the version before has left cannot be read\n", stderr);
        return 1;
    }
    s.control_fd = going ? control_listen() : -1;
    int code = going ? supervise(&s) : s.finished ? s.code : 1;
    held_close(&s.held);
    return code;
}
