/* What a process in the sandbox can and cannot do. Each probe is a child of its own that goes in and tries. */
#include "app/sandbox.h"
#include "app/sandbox_files.h"
#include "app/sandbox_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DONE = 0, NOT_IN = 99, KILLED = 1000, PACKET = 17 };

static char folder[] = "/tmp/sandboxXXXXXX";
static char config[64];

/* 0 when `probe` succeeded, its errno when it was refused, KILLED when a system call ended the process. */
static int inside(int (*probe)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        static struct snapshot s;
        char error[SANDBOX_ERROR_MAX];
        s.file = config;
        if (sandbox_enter(SANDBOX_AUTO, &s, error) != ERR_NONE)
            _exit(NOT_IN);
        errno = 0;
        _exit(probe() >= 0 ? DONE : errno);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : WTERMSIG(status) + KILLED;
    return WEXITSTATUS(status);
}

/* Whether the kernel, and how this was built, allow a filter at all. */
static int has_filter(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && !sandbox_filter_enter() ? 0 : 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int execute(void)
{
    return execl("/bin/true", "true", NULL);
}

static int trace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int fork_one(void)
{
    return (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static int open_packet_socket(void)
{
    return socket(PACKET, SOCK_RAW, 0);
}

static int signal_parent(void)
{
    return kill(getppid(), 0);
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int raise_limit(void)
{
    struct rlimit core = {0, 0};
    return setrlimit(RLIMIT_NOFILE, &core);
}

static int leave_namespaces(void)
{
    return (int)syscall(SYS_unshare, 0);
}

static int call_of_tomorrow(void)
{
    return (int)syscall(2000);
}

static int gain_memory_of_others(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void calls_are_refused(void **state)
{
    (void)state;
    static const struct {
        int (*probe)(void);
        int expected;
    } rows[] = {{execute, KILLED},
                {trace, KILLED},
                {leave_namespaces, KILLED},
                {fork_one, EPERM},
                {signal_parent, EPERM},
                {raise_limit, EPERM},
                {map_code, EACCES},
                {make_code, EACCES},
                {call_of_tomorrow, ENOSYS},
                {gain_memory_of_others, EINVAL},
                {open_packet_socket, EAFNOSUPPORT}};
    if (!has_filter())
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(inside(rows[i].probe), rows[i].expected);
}

static int open_shadow(void)
{
    return open("/etc/shadow", O_RDONLY);
}

static int open_passwd(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static int open_config(void)
{
    return open(config, O_RDONLY);
}

static int write_config(void)
{
    return open(config, O_WRONLY);
}

static int make_file(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/new", folder);
    return open(path, O_WRONLY | O_CREAT, 0600);
}

static int bind_in_folder(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s/socket", folder);
    return bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&un, sizeof un);
}

static int read_lookup(void)
{
    return open("/etc/nsswitch.conf", O_RDONLY);
}

static void files_are_closed_off(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
        skip();
    assert_int_equal(inside(open_config), DONE);
    assert_int_equal(inside(read_lookup), access("/etc/nsswitch.conf", R_OK) == 0 ? DONE : ENOENT);
    assert_int_equal(inside(open_shadow), EACCES);
    assert_int_equal(inside(open_passwd), EACCES);
    assert_int_equal(inside(write_config), EACCES);
    assert_int_equal(inside(make_file), EACCES);
    assert_int_equal(inside(bind_in_folder), EACCES);
}

static void *answer(void *p)
{
    return p;
}

static int run_thread(void)
{
    pthread_t t;
    void *got = NULL;
    int one = 1;
    errno = pthread_create(&t, NULL, answer, &one);
    return errno == 0 && pthread_join(t, &got) == 0 && got == &one ? 0 : -1;
}

static int serve(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&in, n) != 0 || listen(fd, 8) != 0 || getsockname(fd, (struct sockaddr *)&in, &n))
        return -1;
    return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&in, n);
}

static int dump_core(void)
{
    struct rlimit core = {1, 1};
    return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 && prctl(PR_GET_NAME, (char[16]){0}) == 0 ? 0 : -1;
}

static void what_a_proxy_does_goes_on(void **state)
{
    (void)state;
    assert_int_equal(inside(run_thread), DONE);
    assert_int_equal(inside(serve), DONE);
    assert_int_equal(inside(dump_core), DONE);
}

static void a_crash_is_still_a_crash(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
            (void)sandbox_filter_enter();
        abort();
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int ask_for_files(void)
{
    struct snapshot s = {.file = config};
    char error[SANDBOX_ERROR_MAX];
    struct identity_conf other = {.certificate = "/etc/passwd"}, absent = {.certificate = "/nowhere/at/all"};
    if (!sandbox_allows(&s, error))
        return -1;
    s.identity = absent;
    if (!sandbox_allows(&s, error))
        return -1;
    s.identity = other;
    errno = ENOTRECOVERABLE;
    return !sandbox_allows(&s, error) && strstr(error, "/etc/passwd is outside") ? 0 : -1;
}

static void a_reload_is_told_what_is_outside(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
        skip();
    assert_int_equal(inside(ask_for_files), DONE);
}

static void without_it_everything_is_allowed(void **state)
{
    (void)state;
    char error[SANDBOX_ERROR_MAX];
    struct snapshot s = {.file = "/etc/passwd"};
    assert_true(sandbox_allows(&s, error));
    assert_false(sandbox_is_on());
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(config, sizeof config, "%s/outrigger.yaml", folder);
    int fd = open(config, O_WRONLY | O_CREAT, 0600);
    return fd < 0 ? -1 : close(fd);
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(config) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_refused),
        cmocka_unit_test(files_are_closed_off),
        cmocka_unit_test(what_a_proxy_does_goes_on),
        cmocka_unit_test(a_crash_is_still_a_crash),
        cmocka_unit_test(a_reload_is_told_what_is_outside),
        cmocka_unit_test(without_it_everything_is_allowed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
