/* A BPF program from tables of numbers. Most calls are allowed as they are; of a few the arguments are looked at; some
 * that libraries try are answered with an error; every other one ends the process. */
#include "app/sandbox_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define AUDIT_ARCH_HERE AUDIT_ARCH_X86_64
#define NUMBER_END      0x40000000u /* x32 begins */
#elif defined(__aarch64__)
#define AUDIT_ARCH_HERE AUDIT_ARCH_AARCH64
#define NUMBER_END      0x40000000u
#else
#define AUDIT_ARCH_HERE 0
#define NUMBER_END      0
#endif

/* Sanitizers trace, fork and map code: no filter fits them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

enum { FIRST_OF_TODAY = 424, PROGRAM_MAX = 512, DOMAIN_UNIX = 1, DOMAIN_INET = 2, DOMAIN_INET6 = 10 };

/* Nearest first: what every turn of a loop does. */
static const int allowed[] = {
    SYS_read,
    SYS_sendto,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_write,
    SYS_futex,
    SYS_recvfrom,
    SYS_accept4,
    SYS_close,
    SYS_clock_gettime,
    SYS_timerfd_settime,
    SYS_madvise,
    SYS_munmap,
    SYS_brk,
    SYS_mremap,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_shutdown,
    SYS_socketpair,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_openat,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_unlinkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_getcwd,
    SYS_fcntl,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_pwait2,
    SYS_ppoll,
    SYS_pselect6,
    SYS_timerfd_create,
    SYS_timerfd_gettime,
    SYS_signalfd4,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_mlock,
    SYS_munlock,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_membarrier,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrandom,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrusage,
    SYS_times,
    SYS_sysinfo,
    SYS_uname,
#if defined(__x86_64__) /* the older forms, which libraries still use there */
    SYS_epoll_wait,
    SYS_poll,
    SYS_select,
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_unlink,
    SYS_chmod,
    SYS_pipe,
    SYS_eventfd,
    SYS_signalfd,
    SYS_epoll_create,
    SYS_inotify_init,
    SYS_dup2,
    SYS_time,
    SYS_getrlimit,
#endif
};

struct refusal {
    int number;
    int error;
};

/* Tried by libraries, which go on without. */
static const struct refusal refused[] = {
    {SYS_clone3, ENOSYS}, /* its flags cannot be seen; clone is tried next */
    {SYS_close_range, ENOSYS}, {SYS_openat2, ENOSYS},           {SYS_kill, EPERM},
    {SYS_setpriority, EPERM},  {SYS_sched_setscheduler, EPERM}, {SYS_sched_setaffinity, EPERM},
    {SYS_mbind, EPERM},        {SYS_get_mempolicy, ENOSYS},     {SYS_flock, EPERM},
#if defined(__x86_64__)
    {SYS_arch_prctl, EINVAL},
#endif
};

/* Calls of which one argument decides. */
enum test { MASKED_ZERO, MASKED_SET, ONE_OF };
struct guarded {
    int number, argument;
    enum test test;
    uint32_t values[4]; /* the mask, or what it may be; 0 ends */
    int error;          /* otherwise */
};

static const struct guarded guarded[] = {
    {SYS_mmap, 2, MASKED_ZERO, {PROT_EXEC}, EACCES},
    {SYS_mprotect, 2, MASKED_ZERO, {PROT_EXEC}, EACCES},
    {SYS_clone, 0, MASKED_SET, {CLONE_THREAD}, EPERM},
    {SYS_socket, 0, ONE_OF, {DOMAIN_INET, DOMAIN_INET6, DOMAIN_UNIX}, EAFNOSUPPORT},
    {SYS_prlimit64, 2, MASKED_ZERO, {UINT32_MAX}, EPERM}, /* reads a limit; the new one would be a pointer */
    {SYS_prctl, 0, ONE_OF, {PR_SET_NAME, PR_GET_NAME}, EINVAL},
    {SYS_ioctl, 1, ONE_OF, {FIONREAD, FIONBIO}, ENOTTY},
};

struct program {
    struct sock_filter v[PROGRAM_MAX];
    unsigned short n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    if (p->n < PROGRAM_MAX)
        p->v[p->n++] = (struct sock_filter){code, yes, no, k};
}

static void load_field(struct program *p, size_t offset)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *p, uint32_t action)
{
    put(p, BPF_RET | BPF_K, action, 0, 0);
}

/* When the number is `number`: `action`. */
static void put_call(struct program *p, int number, uint32_t action)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    answer(p, action);
}

static void put_guarded(struct program *p, const struct guarded *g, uint32_t own)
{
    uint32_t values[4];
    uint8_t n = 0;
    for (; n < 4 && (g->values[n] != 0 || (n == 0 && own)); n++)
        values[n] = own ? own : g->values[n];
    uint8_t tests = g->test == ONE_OF ? n : 1;
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)g->number, 0, (uint8_t)(tests + 3));
    load_field(p, offsetof(struct seccomp_data, args) + (size_t)g->argument * sizeof(uint64_t));
    for (uint8_t i = 0; i < tests; i++) {
        uint8_t allow = (uint8_t)(tests - i); /* otherwise the next test, behind the last one the error */
        if (g->test == ONE_OF)
            put(p, BPF_JMP | BPF_JEQ | BPF_K, values[i], allow, 0);
        else if (g->test == MASKED_SET)
            put(p, BPF_JMP | BPF_JSET | BPF_K, values[0], allow, 0);
        else
            put(p, BPF_JMP | BPF_JSET | BPF_K, values[0], 0, allow);
    }
    answer(p, SECCOMP_RET_ERRNO | ((uint32_t)g->error & SECCOMP_RET_DATA));
    answer(p, SECCOMP_RET_ALLOW);
}

static void assemble(struct program *p)
{
    const struct guarded own_thread = {SYS_tgkill, 0, ONE_OF, {0}, EPERM}; /* abort() */
    load_field(p, offsetof(struct seccomp_data, arch));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_HERE, 1, 0);
    answer(p, SECCOMP_RET_KILL_PROCESS);
    load_field(p, offsetof(struct seccomp_data, nr));
    put(p, BPF_JMP | BPF_JGE | BPF_K, NUMBER_END, 0, 1);
    answer(p, SECCOMP_RET_KILL_PROCESS);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        put_call(p, allowed[i], SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        put_call(p, refused[i].number, SECCOMP_RET_ERRNO | ((uint32_t)refused[i].error & SECCOMP_RET_DATA));
    for (size_t i = 0; i < sizeof guarded / sizeof guarded[0]; i++)
        put_guarded(p, &guarded[i], 0);
    put_guarded(p, &own_thread, (uint32_t)getpid());
    /* What newer C libraries try first must not end the process: they know how to go on without. */
    put(p, BPF_JMP | BPF_JGE | BPF_K, FIRST_OF_TODAY, 0, 1);
    answer(p, SECCOMP_RET_ERRNO | ENOSYS);
    answer(p, SECCOMP_RET_KILL_PROCESS);
}

bool sandbox_filter_is_sanitized(void)
{
    return SANITIZED;
}

const char *sandbox_filter_enter(void)
{
    static struct program p;
    if (AUDIT_ARCH_HERE == 0)
        return "not written for this kind of machine";
    if (SANITIZED)
        return "built with a sanitizer";
    p.n = 0;
    assemble(&p);
    struct sock_fprog program = {.len = p.n, .filter = p.v};
    if (p.n == PROGRAM_MAX)
        return "the filter is too long";
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        return errno == ENOSYS || errno == EINVAL ? "not in this kernel" : "refused by the kernel";
    return NULL;
}
