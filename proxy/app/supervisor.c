/* One loop over the signals and the lines to its worker processes. It hears what happens and starts what is missing. */
#include "app/supervisor.h"

#include "app/child.h"
#include "app/held.h"
#include "app/respawn.h"
#include "base/buf.h"
#include "base/log.h"
#include "conf/load.h"
#include "net/channel.h"

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
    int signal_fd;
    struct child worker;
    bool was_ready; /* some worker was: from now on the dead are replaced */
    bool ending, over;
    int code; /* of the exit */
    struct respawn respawn;
    ns_t start_at, kill_at; /* NS_NEVER: not */
    struct buf good;        /* content of the configuration file when it was last taken */
    int good_fd;            /* the same for a worker that starts while the file is bad, -1: not needed */
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
    s->over = true;
    s->code = code;
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

static void hear(struct supervisor *s)
{
    char news;
    int fd;
    enum err e;
    while ((e = channel_receive(s->worker.channel, &news, &fd)) == ERR_NONE)
        on_news(s, news, fd);
    if (e != ERR_IO)
        return;
    close(s->worker.channel);
    s->worker.channel = -1;
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
    if (s->ending || !s->was_ready || (WIFEXITED(status) && code == 0)) {
        finish(s, code);
        return;
    }
    ns_t wait = respawn_on_death(&s->respawn, now);
    s->start_at = ns_add(now, wait);
    s->code = code;
    log_line(LOG_ERROR, "worker_died", LOG_NUMBER("code", code), LOG_NUMBER("restart_in_ms", wait / NS_PER_MS));
}

/* As process 1 of a container it meets children that are not its own. */
static void bury(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == s->worker.pid) {
            if (s->worker.channel >= 0)
                hear(s); /* its last words */
            on_death(s, status);
        }
}

/* The first one drains, the second one ends at once. */
static void on_end_signal(struct supervisor *s, int number)
{
    if (s->ending && s->kill_at == NS_NEVER)
        s->kill_at = ns_add(clock_monotonic(), KILL_NS);
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
        else
            on_end_signal(s, number);
    }
}

static int milliseconds_until(ns_t at)
{
    ns_t left = ns_max(0, at - clock_monotonic());
    return at == NS_NEVER ? -1 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static void on_time(struct supervisor *s)
{
    ns_t now = clock_monotonic();
    if (now >= s->kill_at && s->worker.pid > 0)
        kill(s->worker.pid, SIGKILL);
    if (now < s->start_at || s->ending)
        return;
    if (s->was_ready)
        prepare_start(s);
    start_worker(s);
}

static int supervise(struct supervisor *s)
{
    start_worker(s);
    while (!s->over) {
        struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->worker.channel, .events = POLLIN}};
        poll(fds, 2, milliseconds_until(ns_min(s->start_at, s->kill_at)));
        if (fds[1].revents)
            hear(s);
        if (fds[0].revents)
            on_signal(s);
        if (!s->over)
            on_time(s);
    }
    return s->code;
}

static bool take_signals(struct supervisor *s)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd >= 0;
}

int supervisor_run(const struct run_options *options)
{
    static struct supervisor s;
    signal(SIGPIPE, SIG_IGN);
    if (options->single)
        return child_run(options);
    s = (struct supervisor){.options = options, .good_fd = -1, .start_at = NS_NEVER, .kill_at = NS_NEVER};
    s.worker.channel = -1;
    struct snapshot *snap = load(options->config, false);
    if (!snap) {
        snapshot_unref(load(options->config, true));
        return 1;
    }
    remember_good(&s);
    held_adopt(&s.held);
    bool opened = held_open(&s.held, snap);
    if (opened)
        held_close_unnamed(&s.held, snap);
    snapshot_unref(snap);
    int code = opened && take_signals(&s) ? supervise(&s) : 1;
    held_close(&s.held);
    return code;
}
