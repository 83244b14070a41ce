/* The library by dlopen, else commands with the rules on their standard input and their complaint read back. */
#include "capture/kernel.h"

#include "base/must.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/capability.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

extern char **environ;

/* How an attempt with one tool went. */
enum outcome { DONE, ABSENT, FAILED };

const char *kernel_tool_text(enum kernel_tool tool)
{
    switch (tool) {
    case KERNEL_LIBNFTABLES:
        return "libnftables";
    case KERNEL_NFT:
        return "nft";
    case KERNEL_IPTABLES:
        return "iptables";
    case KERNEL_TOOLS:
        break;
    }
    return "";
}

bool kernel_is_allowed(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & 1u << CAP_NET_ADMIN) != 0;
}

/* --- the library */

struct nft_ctx;
struct library {
    struct nft_ctx *(*ctx_new)(uint32_t flags);
    void (*ctx_free)(struct nft_ctx *ctx);
    int (*buffer_error)(struct nft_ctx *ctx);
    const char *(*get_error)(struct nft_ctx *ctx);
    int (*run)(struct nft_ctx *ctx, const char *commands);
};

/* ISO C knows no way from an object pointer to a function pointer but its bytes. */
static bool find(void *library, const char *name, void *ret)
{
    void *symbol = dlsym(library, name);
    memcpy(ret, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool open_library(struct library *l)
{
    void *so = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
    return so && find(so, "nft_ctx_new", &l->ctx_new) && find(so, "nft_ctx_free", &l->ctx_free) &&
           find(so, "nft_ctx_buffer_error", &l->buffer_error) && find(so, "nft_ctx_get_error_buffer", &l->get_error) &&
           find(so, "nft_run_cmd_from_buffer", &l->run);
}

static void tell(char error[KERNEL_ERROR_MAX], enum kernel_tool tool, const char *why)
{
    size_t n = strlen(why);
    while (n > 0 && (why[n - 1] == '\n' || why[n - 1] == ' '))
        n--;
    snprintf(error, KERNEL_ERROR_MAX, "%s: %.*s", kernel_tool_text(tool), (int)(n < 900 ? n : 900),
             n ? why : "failed without a word");
}

static enum outcome by_library(const char *rules, char error[KERNEL_ERROR_MAX])
{
    struct library l;
    if (!open_library(&l))
        return ABSENT;
    struct nft_ctx *ctx = l.ctx_new(0);
    if (!ctx || l.buffer_error(ctx) != 0) {
        tell(error, KERNEL_LIBNFTABLES, "out of memory");
        return FAILED;
    }
    bool done = l.run(ctx, rules) == 0;
    if (!done)
        tell(error, KERNEL_LIBNFTABLES, l.get_error(ctx));
    l.ctx_free(ctx);
    return done ? DONE : FAILED;
}

/* --- commands */

/* Files in memory that the command reads from and complains into: no pipe that could fill up, no folder to write to. */
struct streams {
    int in, complaint;
};

static bool open_streams(struct streams *s, const char *input)
{
    size_t n = strlen(input);
    s->in = memfd_create("rules", MFD_CLOEXEC);
    s->complaint = memfd_create("complaint", MFD_CLOEXEC);
    return s->in >= 0 && s->complaint >= 0 && write(s->in, input, n) == (ssize_t)n && lseek(s->in, 0, SEEK_SET) == 0;
}

static void close_streams(struct streams *s)
{
    if (s->in >= 0)
        close(s->in);
    if (s->complaint >= 0)
        close(s->complaint);
}

static int start(char *const *argv, const struct streams *s, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    must_do(posix_spawn_file_actions_init(&actions) == 0 ? ERR_NONE : ERR_NOMEM);
    bool ready = posix_spawn_file_actions_adddup2(&actions, s->in, 0) == 0 &&
                 posix_spawn_file_actions_adddup2(&actions, s->complaint, 1) == 0 &&
                 posix_spawn_file_actions_adddup2(&actions, s->complaint, 2) == 0;
    int e = ready ? posix_spawnp(ret, argv[0], &actions, NULL, argv, environ) : ENOMEM;
    posix_spawn_file_actions_destroy(&actions);
    return e;
}

static void read_back(int complaint, char *why, size_t size)
{
    ssize_t n = pread(complaint, why, size - 1, 0);
    why[n > 0 ? n : 0] = '\0';
}

/* Runs a command to its end. `words` are cut at blanks. */
static enum outcome run(const char *words, const char *input, char *why, size_t size)
{
    char copy[256], *argv[ARGUMENTS_MAX] = {0}, *rest = copy;
    struct streams s;
    pid_t pid = 0;
    int status = 0, e;
    snprintf(copy, sizeof copy, "%s", words);
    for (int i = 0; i < ARGUMENTS_MAX - 1 && (argv[i] = strsep(&rest, " ")); i++)
        ;
    why[0] = '\0';
    if (!open_streams(&s, input))
        snprintf(why, size, "no file in memory: %s", strerror(errno));
    else if ((e = start(argv, &s, &pid)) == ENOENT)
        why = NULL;
    else if (e != 0)
        snprintf(why, size, "%s: %s", argv[0], strerror(e));
    if (pid > 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        read_back(s.complaint, why, size);
    }
    close_streams(&s);
    return !why ? ABSENT : pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? DONE : FAILED;
}

static enum outcome by_nft(const char *rules, char error[KERNEL_ERROR_MAX])
{
    char why[KERNEL_ERROR_MAX];
    enum outcome o = run("nft -f -", rules, why, sizeof why);
    if (o == FAILED)
        tell(error, KERNEL_NFT, why);
    return o;
}

/* A namespace without IPv6 needs no rules for it. */
static bool has_ipv6(void)
{
    return access("/proc/net/if_inet6", F_OK) == 0;
}

static char *iptables_rules(const struct capture *c, const char *command)
{
    bool jumps[CAPTURE_SIDES];
    char words[256], why[KERNEL_ERROR_MAX], *text = NULL;
    size_t n;
    for (int i = 0; i < CAPTURE_SIDES; i++) {
        snprintf(words, sizeof words, "%s -w -t nat -C %s", command, capture_jump((enum capture_side)i));
        jumps[i] = run(words, "", why, sizeof why) == DONE;
    }
    FILE *out = must_have(open_memstream(&text, &n));
    capture_write_iptables(c, jumps, out);
    fclose(out);
    return text;
}

static enum outcome by_one_iptables(const struct capture *c, const char *command, char error[KERNEL_ERROR_MAX])
{
    char words[64], why[KERNEL_ERROR_MAX], whole[KERNEL_ERROR_MAX + 64];
    char *rules = iptables_rules(c, command);
    snprintf(words, sizeof words, "%s-restore -w --noflush", command);
    enum outcome o = run(words, rules, why, sizeof why);
    snprintf(whole, sizeof whole, "%s-restore: %s", command, why);
    if (o == FAILED)
        tell(error, KERNEL_IPTABLES, whole);
    free(rules);
    return o;
}

static enum outcome by_iptables(const struct capture *c, char error[KERNEL_ERROR_MAX])
{
    enum outcome o = by_one_iptables(c, "iptables", error);
    return o == DONE && has_ipv6() ? by_one_iptables(c, "ip6tables", error) : o;
}

static enum outcome by(enum kernel_tool tool, const struct capture *c, const char *nft_rules,
                       char error[KERNEL_ERROR_MAX])
{
    switch (tool) {
    case KERNEL_LIBNFTABLES:
        return by_library(nft_rules, error);
    case KERNEL_NFT:
        return by_nft(nft_rules, error);
    case KERNEL_IPTABLES:
        return by_iptables(c, error);
    case KERNEL_TOOLS:
        break;
    }
    return ABSENT;
}

bool kernel_apply(const struct capture *c, enum kernel_tool tool, enum kernel_tool *ret_tool,
                  char error[KERNEL_ERROR_MAX])
{
    char *rules = NULL;
    size_t n;
    enum outcome o = ABSENT;
    bool any = tool == KERNEL_TOOLS;
    FILE *out = must_have(open_memstream(&rules, &n));
    capture_write_nft(c, out);
    fclose(out);
    for (int i = 0; i < KERNEL_TOOLS && o == ABSENT; i++) {
        *ret_tool = (enum kernel_tool)i;
        if (any || *ret_tool == tool)
            o = by(*ret_tool, c, rules, error);
    }
    if (o == ABSENT)
        snprintf(error, KERNEL_ERROR_MAX,
                 any ? "neither libnftables.so.1 nor the commands nft or iptables are here" : "%s is not here",
                 kernel_tool_text(tool));
    free(rules);
    return o == DONE;
}
