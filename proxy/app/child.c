/* Both ends of the line. What is handed over at the start is named by the environment: LISTEN_FDS and LISTEN_PID for
 * the sockets, OUTRIGGER_CHANNEL and OUTRIGGER_CONFIG for our own. */
#include "app/child.h"

#include "base/log.h"
#include "net/channel.h"
#include "net/loop.h"
#include "net/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void set_number(const char *name, int value)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    setenv(name, text, 1);
}

/* A number of the environment, -1 when it is not there; it is taken out. */
static int take_number(const char *name)
{
    const char *text = getenv(name);
    int value = text ? (int)strtol(text, NULL, 10) : -1;
    unsetenv(name);
    return value;
}

/* The supervisor decides what these mean. */
static const int through_us[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};

const char *child_sandbox_option(const struct run_options *options)
{
    static const char *const texts[] = {
        [SANDBOX_AUTO] = "--sandbox=auto", [SANDBOX_ON] = "--sandbox=on", [SANDBOX_OFF] = "--sandbox=off"};
    return texts[options->sandbox];
}

/* Runs in the child. */
static void become_worker(const struct child_start *s, int channel)
{
    sigset_t none;
    int line = fcntl(channel, F_DUPFD, held_above(s->held));
    int text = s->text_fd >= 0 ? fcntl(s->text_fd, F_DUPFD, held_above(s->held)) : -1;
    if (line < 0 || !held_arrange(s->held)) {
        fprintf(stderr, "cannot start a worker: %s\n", strerror(errno));
        _exit(1);
    }
    set_number("LISTEN_FDS", s->held->n);
    set_number("LISTEN_PID", getpid());
    set_number("OUTRIGGER_CHANNEL", line);
    if (text >= 0)
        set_number("OUTRIGGER_CONFIG", text);
    if (s->patient)
        set_number("OUTRIGGER_PATIENT", 1);
    unsetenv("NOTIFY_SOCKET"); /* the supervisor tells the service manager */
    unsetenv("WATCHDOG_USEC");
    sigemptyset(&none);
    for (size_t i = 0; i < sizeof through_us / sizeof through_us[0]; i++)
        signal(through_us[i], SIG_IGN); /* stays so behind exec */
    sigprocmask(SIG_SETMASK, &none, NULL);
    const char *binary = s->binary ? s->binary : "/proc/self/exe";
    char *const argv[] = {"outrigger", "run",
                          "--single",  (char *)(uintptr_t)child_sandbox_option(s->options),
                          "-c",        (char *)(uintptr_t)s->options->config,
                          NULL};
    execv(binary, argv);
    fprintf(stderr, "cannot start %s: %s\n", binary, strerror(errno));
    _exit(1);
}

bool child_start(struct child *c, const struct child_start *s)
{
    int line[2];
    *c = (struct child){.channel = -1, .started = clock_monotonic()};
    if (channel_pair(line) != ERR_NONE)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        become_worker(s, line[1]);
    close(line[1]);
    if (pid < 0) {
        close(line[0]);
        return false;
    }
    c->pid = pid;
    c->channel = line[0];
    return true;
}

void child_signal(const struct child *c, int number)
{
    if (c->pid <= 0)
        return;
    if (!c->ready && number != SIGHUP) /* it has nothing to drain */
        kill(c->pid, SIGKILL);
    else if (c->channel >= 0 && channel_send(c->channel, (char)number, -1) != ERR_NONE)
        log_line(LOG_WARN, "worker_deaf", LOG_NUMBER("pid", c->pid), LOG_NUMBER("signal", number));
}

void child_forget(struct child *c)
{
    if (c->channel >= 0)
        close(c->channel);
    *c = (struct child){.channel = -1};
}

/* The worker's end. */

static int supervisor = -1;
static struct loop_io *supervisor_io;

static void on_supervisor(void *ctx, unsigned what)
{
    struct process *p = ctx;
    char number;
    int passed;
    (void)what;
    enum err e = channel_receive(supervisor, &number, &passed);
    if (passed >= 0)
        close(passed);
    if (e == ERR_NONE) {
        process_on_signal(p, number);
    } else if (e == ERR_IO) {
        loop_io_free(supervisor_io);
        log_line(LOG_ERROR, "supervisor_gone");
        if (!p->draining)
            process_on_signal(p, SIGINT);
    }
}

static enum err hear(struct process *p)
{
    supervisor_io = loop_io_new(p->loop, supervisor, on_supervisor, p);
    return supervisor_io ? ERR_NONE : ERR_NOMEM;
}

static bool tell_supervisor(enum process_news news, int fd)
{
    return channel_send(supervisor, (char)news, fd) == ERR_NONE;
}

bool child_tell_manager(enum process_news news, int fd)
{
    char reloading[64];
    (void)fd;
    switch (news) {
    case PROCESS_READY:
    case PROCESS_RELOADED:
    case PROCESS_REFUSED:
        systemd_notify("READY=1");
        break;
    case PROCESS_RELOADING:
        snprintf(reloading, sizeof reloading, "RELOADING=1\nMONOTONIC_USEC=%lld",
                 (long long)(clock_monotonic() / 1000));
        systemd_notify(reloading);
        break;
    case PROCESS_DRAINING:
        systemd_notify("STOPPING=1");
        break;
    case PROCESS_LISTENS:
    case PROCESS_KNOWS:
    case PROCESS_CLOSED:
        break;
    }
    return false;
}

/* The content handed over; owned by the process for its life. */
static struct slice take_text(int fd)
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

static void be_supervised(struct process_options *p)
{
    p->supervised = true;
    p->tell = tell_supervisor;
    p->started = hear;
    fcntl(supervisor, F_SETFD, FD_CLOEXEC);
}

int child_run(const struct run_options *options)
{
    static struct process_options p;
    int pid = take_number("LISTEN_PID"), listening = take_number("LISTEN_FDS"), text = take_number("OUTRIGGER_CONFIG");
    bool ours = pid == getpid(), patient = take_number("OUTRIGGER_PATIENT") > 0;
    supervisor = take_number("OUTRIGGER_CHANNEL");
    unsetenv("LISTEN_FDNAMES");
    p = (struct process_options){.config = options->config,
                                 .sandbox = options->sandbox,
                                 .tell = child_tell_manager,
                                 .serve_admin = options->serve_admin,
                                 .stop_admin = options->stop_admin};
    if (ours && listening > 0)
        p.listen_fds = listening;
    for (int fd = 3; fd < 3 + p.listen_fds; fd++) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* whoever opened it may have left it blocking */
    }
    if (ours && text >= 0)
        p.text = take_text(text);
    p.patient = ours && patient;
    if (ours && supervisor >= 0)
        be_supervised(&p);
    else
        signal(SIGUSR2, SIG_IGN);    /* nobody could take over */
    prctl(PR_SET_NAME, "outrigger"); /* /proc/self/exe would show as "exe" */
    return process_run(&p);
}
