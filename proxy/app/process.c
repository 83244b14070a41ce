/* The control thread: publishing generations, accepting, reload, drain, and the end. */
#include "app/process.h"

#include "app/bound.h"
#include "app/captured.h"
#include "app/client.h"
#include "app/drain.h"
#include "app/ready.h"
#include "app/sandbox.h"
#include "app/source.h"
#include "app/worker.h"
#include "base/log.h"
#include "base/must.h"
#include "conf/load.h"
#include "net/footprint.h"
#include "net/secret.h"
#include "net/sock.h"
#include "net/version.h"
#include "net/watch.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The 16.6 KiB record buffers of TLS go back to the system when a connection rests, instead of leaving holes between
 * smaller pieces: a quarter of the memory of an idle connection. */
enum { MMAP_THRESHOLD = 16500 };

/* A message to a worker. */
struct job {
    struct worker *worker;
    struct generation *generation;
    struct bound *bound;
    struct accepted accepted;
    uint64_t bytes; /* to set free */
};

static void post(struct worker *w, void (*fn)(void *), struct job job)
{
    struct job *copy = must_have(malloc(sizeof *copy));
    job.worker = w;
    *copy = job;
    must_do(loop_post(w->loop, fn, copy));
}

static void run_accept(void *job)
{
    struct job *j = job;
    worker_accept(j->worker, j->bound, &j->accepted);
    free(j);
}

static void run_apply(void *job)
{
    struct job *j = job;
    worker_apply(j->worker, j->generation);
    generation_unref(j->generation);
    free(j);
}

static void run_recheck(void *job)
{
    struct job *j = job;
    worker_begin(j->worker);
    trust_recheck(j->worker);
    free(j);
}

static void run_shed(void *job)
{
    struct job *j = job;
    worker_shed(j->worker, j->bytes);
    free(j);
}

void process_post_shed(struct worker *w, uint64_t bytes)
{
    post(w, run_shed, (struct job){.bytes = bytes});
}

static void run_stop(void *job)
{
    struct job *j = job;
    loop_stop(j->worker->loop);
    free(j);
}

static struct worker *least_loaded(struct process *p)
{
    struct worker *best = p->workers[0];
    for (uint32_t i = 1; i < p->workers_n; i++)
        if (atomic_load(&p->workers[i]->connections) < atomic_load(&best->connections))
            best = p->workers[i];
    return best;
}

static void on_accept(void *ctx, int fd, const struct address *peer)
{
    struct bound *b = ctx;
    struct process *p = b->process;
    (void)peer;
    struct accepted a = {.fd = fd};
    if (!bound_has_room(b) || !captured_find(p, b, &a)) {
        sock_close(fd);
        return;
    }
    struct worker *w = least_loaded(p);
    atomic_fetch_add(&b->connections, 1);
    atomic_fetch_add(&p->connections, 1);
    atomic_fetch_add(&p->greeting, 1);
    atomic_fetch_add(&w->connections, 1);
    post(w, run_accept, (struct job){.bound = b, .accepted = a});
}

static void on_pressure(void *ctx, bool paused)
{
    struct bound *b = ctx;
    if (paused) {
        counter_add(&b->process->stats.bounds[BOUND_DOWNSTREAM][BOUND_FILE_DESCRIPTORS_KEPT], 1);
        log_line(LOG_WARN, "accept_paused", LOG_TEXT("listen", b->text),
                 LOG_TEXT("why", "no descriptors or memory left"));
    }
    process_arm(b->process);
}

static const struct listener_ops listener_ops = {.on_accept = on_accept, .on_pressure = on_pressure};

static enum err open_all(struct process *p, struct generation *g, char *error)
{
    for (size_t i = 0; i < g->listeners_n; i++) {
        enum err e = bound_open(p, g->listeners[i].conf, &listener_ops, &g->listeners[i].bound, error);
        if (e != ERR_NONE)
            return e;
    }
    return ERR_NONE;
}

static void watch_file(struct process *p, const char *path)
{
    if (path && watch_add(p->watch, path) != ERR_NONE)
        log_line(LOG_WARN, "watch_failed", LOG_TEXT("file", path));
}

static void watch_files(struct process *p)
{
    const struct snapshot *s = p->current->snapshot;
    if (!p->watch)
        return;
    watch_clear(p->watch);
    watch_file(p, p->options->config);
    for (size_t i = 0; i < s->files_n; i++)
        watch_file(p, s->files[i]);
    for (size_t i = 0; i < s->services_n; i++)
        watch_file(p, s->services[i]->file);
}

static void remove_admin_file(struct process *p, const struct admin_conf *admin)
{
    if (p->admin_ours)
        sock_remove_file(&admin->address);
    p->admin_ours = false;
}

void process_serve_admin(struct process *p, const struct snapshot *old)
{
    const struct admin_conf *admin = &p->current->snapshot->admin;
    char error[PROCESS_ERROR_MAX];
    int fd;
    if (!p->options->serve_admin || p->patient ||
        (old && old->admin.present == admin->present &&
         (!admin->present || address_eq(&old->admin.address, &admin->address))))
        return;
    if (old && old->admin.present) {
        remove_admin_file(p, &old->admin);
        p->options->stop_admin(p);
    }
    if (!admin->present)
        return;
    struct bound_want want = {&admin->address, admin->is_public, admin->place, admin->text};
    if (bound_listen(p, &want, &fd, &p->admin_ours, error) == ERR_NONE) {
        p->admin_ours = p->admin_ours && !process_tell(p, PROCESS_LISTENS, fd);
        p->options->serve_admin(p, fd);
    } else {
        log_line(LOG_ERROR, "admin_failed", LOG_TEXT("error", error));
    }
}

void process_stop_admin(struct process *p)
{
    if (!p->admin)
        return;
    remove_admin_file(p, &p->current->snapshot->admin);
    p->options->stop_admin(p);
}

static void apply(struct process *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++)
        post(p->workers[i], run_apply, (struct job){.generation = generation_ref(p->current)});
}

void process_recheck(struct process *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++)
        post(p->workers[i], run_recheck, (struct job){0});
}

void process_renew(struct process *p)
{
    struct generation *old = p->current;
    p->current = generation_renew(p);
    apply(p);
    generation_unref(old);
    ready_check(p);
}

enum err process_publish(struct process *p, struct snapshot *snapshot, char *error)
{
    struct generation *g = generation_new(p, snapshot, error);
    struct generation *old = p->current;
    if (!g)
        return ERR_INVALID;
    enum err e = open_all(p, g, error);
    if (e != ERR_NONE) {
        bound_close_unwanted(p);
        generation_unref(g);
        return e;
    }
    snapshot->generation = ++p->generations;
    p->current = g;
    p->loaded_wall = clock_wall();
    bound_tell_all(p);
    process_serve_admin(p, old ? old->snapshot : NULL);
    apply(p);
    bound_close_unwanted(p);
    if (p->patient)
        bound_pause_all(p, true);
    bound_keep_fds(p, (uint32_t)snapshot->bounds.file_descriptors_kept);
    pressure_set_limit(p, snapshot->bounds.memory);
    watch_files(p);
    identities_sync(p);
    source_sync(p);
    generation_unref(old);
    return ERR_NONE;
}

static void refuse(struct process *p, const char *text)
{
    char *copy = strdup(text);
    free(p->last_error);
    p->last_error = copy;
    p->failed_wall = clock_wall();
    atomic_fetch_add(&p->reload_failures, 1);
    log_line(LOG_ERROR, "reload_refused", LOG_TEXT("file", p->options->config), LOG_TEXT("error", text),
             LOG_NUMBER("generation", p->current->snapshot->generation));
    process_tell(p, PROCESS_REFUSED, -1);
}

/* All problems as one text, bounded. */
static void join_problems(const struct problems *problems, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < problems->n && n + 2 < size; i++) {
        if (problems->v[i].kind != PROBLEM_ERROR)
            continue;
        if (n > 0)
            out[n++] = '\n';
        problem_format(&problems->v[i], out + n, size - n);
        n += strlen(out + n);
    }
}

/* Of the files that a configuration names. */
static uint64_t named_mark(const struct snapshot *s)
{
    uint64_t mark = 0;
    for (size_t i = 0; i < s->files_n; i++)
        mark = mark * 31 + file_fingerprint(s->files[i]);
    mark ^= folder_fingerprint(s->policy_dir);
    return mark;
}

/* Of every file that the configuration in force was made of; identities see to their own. */
static uint64_t files_mark(const struct process *p)
{
    return file_fingerprint(p->options->config) ^ named_mark(p->current->snapshot);
}

void process_reload(struct process *p)
{
    static const char closed_off[] = " (folders that were not known at start are closed off, restart to apply)";
    char error[4096] = "";
    struct problems problems;
    problems_init(&problems);
    process_tell(p, PROCESS_RELOADING, -1);
    p->reload_at = NS_NEVER;
    p->read_mark = files_mark(p); /* before reading: a change in between is seen again */
    struct snapshot *snapshot = load_file(p->options->config, &problems);
    if (snapshot)
        p->read_mark ^= named_mark(p->current->snapshot) ^ named_mark(snapshot);
    if (!snapshot) {
        join_problems(&problems, error, sizeof error - sizeof closed_off);
        if (sandbox_is_on() && strstr(error, strerror(EACCES)))
            memcpy(error + strlen(error), closed_off, sizeof closed_off);
        refuse(p, error);
    } else if (snapshot->workers != p->workers_n) {
        snapshot_unref(snapshot);
        refuse(p, "workers: cannot change while running, restart to apply");
    } else if (!sandbox_allows(snapshot, error)) {
        snapshot_unref(snapshot);
        refuse(p, error);
    } else if (process_publish(p, snapshot, error) != ERR_NONE) {
        refuse(p, error);
    } else {
        free(p->last_error);
        p->last_error = NULL;
        atomic_fetch_add(&p->reloads, 1);
        log_line(LOG_INFO, "reloaded", LOG_TEXT("file", p->options->config), LOG_NUMBER("generation", p->generations));
        process_tell(p, PROCESS_RELOADED, -1);
    }
    problems_fini(&problems);
}

static void stop_all(struct process *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++)
        post(p->workers[i], run_stop, (struct job){0});
    loop_stop(p->loop);
}

void process_on_drained(void *process)
{
    struct process *p = process;
    if (++p->drained < p->workers_n)
        return;
    log_line(LOG_INFO, "drained");
    stop_all(p);
}

static void on_alarm(void *ctx)
{
    struct process *p = ctx;
    ns_t now = loop_now(p->loop);
    p->alarm_at = NS_NEVER;
    if (now >= p->reload_at) {
        p->reload_at = NS_NEVER;
        if (files_mark(p) != p->read_mark) /* something in the folder changed, but maybe nothing of ours */
            process_reload(p);
        source_look(p);
    }
    bound_tick_all(p, now);
    drain_on_time(p, now);
    pressure_on_time(p, now);
    process_arm(p);
}

/* While a listener may be paused or a reload is due the control loop looks again soon. */
void process_arm(struct process *p)
{
    ns_t at = ns_min(ns_min(p->reload_at, ns_min(p->drain_at, p->pressure.look_at)),
                     bound_any_rests(p) ? ns_add(loop_now(p->loop), PROCESS_TICK_NS) : NS_NEVER);
    if (at >= p->alarm_at)
        return;
    p->alarm_at = at;
    loop_set_alarm(p->loop, at, on_alarm, p);
}

static void on_changed(void *ctx)
{
    struct process *p = ctx;
    if (p->draining)
        return;
    ns_t now = loop_now(p->loop);
    if (p->reload_at == NS_NEVER)
        p->reload_by = ns_add(now, PROCESS_DEBOUNCE_MAX_NS);
    p->reload_at = ns_min(ns_add(now, PROCESS_DEBOUNCE_NS), p->reload_by);
    process_arm(p);
}

void process_on_signal(struct process *p, int number)
{
    if (number == SIGHUP && p->draining) {
        log_line(LOG_WARN, "reload_ignored", LOG_TEXT("why", "the process drains"));
    } else if (number == SIGHUP) {
        process_reload(p);
        identities_refresh(p);
    } else if (number == SIGUSR2) {
        drain_begin(p, DRAIN_HANDOVER);
    } else if (!p->draining) {
        drain_begin(p, number == SIGTERM ? DRAIN_WINDOW : DRAIN_NOW);
    } else {
        bound_remove_files(p);
        remove_admin_file(p, &p->current->snapshot->admin);
        _exit(128 + number);
    }
}

static void on_signal(void *ctx, int number)
{
    process_on_signal(ctx, number);
}

static enum err make_workers(struct process *p, uint32_t n)
{
    p->workers = calloc(n, sizeof(struct worker *));
    if (!p->workers)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        p->workers[i] = worker_new(p, i, (uint64_t)clock_wall() ^ (uint64_t)getpid() << 32);
        if (!p->workers[i])
            return ERR_NOMEM;
        p->workers_n++;
    }
    return ERR_NONE;
}

enum err process_init(struct process *p, const struct process_options *options, struct snapshot *snapshot, char *error)
{
    memset(p, 0, sizeof *p);
    p->options = options;
    p->patient = options->patient;
    p->alarm_at = p->reload_at = p->drain_at = NS_NEVER;
    p->started_wall = clock_wall();
    pressure_init(&p->pressure);
    list_init(&p->bounds);
    list_init(&p->captured);
    list_init(&p->services);
    list_init(&p->scopes);
    list_init(&p->sources);
    identities_init(p);
    list_init(&p->apis);
    for (int i = 0; i < options->listen_fds && i < PROCESS_INHERITED_MAX; i++)
        p->inherited[p->inherited_n++] = 3 + i;
    p->loop = loop_new();
    if (!p->loop || make_workers(p, snapshot->workers) != ERR_NONE) {
        snapshot_unref(snapshot);
        snprintf(error, PROCESS_ERROR_MAX, "no memory or descriptors for the event loops");
        return ERR_NOMEM;
    }
    return process_publish(p, snapshot, error);
}

void process_fini(struct process *p)
{
    p->stopping = true;
    process_stop_admin(p);
    for (uint32_t i = 0; i < p->workers_n; i++)
        worker_free(p->workers[i]);
    free(p->workers);
    captured_free_all(p);
    bound_free_all(p);
    source_free_all(p);
    generation_unref(p->current);
    for (size_t i = 0; i < sizeof p->signals / sizeof p->signals[0]; i++)
        if (p->signals[i])
            loop_signal_free(p->signals[i]);
    if (p->watch)
        watch_free(p->watch);
    identities_fini(p);
    client_env_free(p->clients);
    loop_free(p->loop);
    free(p->last_error);
    free(p->threads);
}

static void *run_worker(void *worker)
{
    loop_run(((struct worker *)worker)->loop);
    return NULL;
}

/* Worker threads get no signals: the control thread does. */
static enum err start_threads(struct process *p)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->threads = calloc(p->workers_n, sizeof(pthread_t));
    for (uint32_t i = 0; i < p->workers_n; i++)
        if (!p->threads || pthread_create(&p->threads[i], NULL, run_worker, p->workers[i]) != 0)
            return ERR_NOMEM;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ERR_NONE;
}

static enum err start(struct process *p)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !p->options->supervised; i++)
        if (!(p->signals[i] = loop_signal_new(p->loop, numbers[i], on_signal, p)))
            return ERR_NOMEM;
    p->watch = watch_new(p->loop, on_changed, p);
    if (!p->watch)
        log_line(LOG_WARN, "watch_failed", LOG_TEXT("why", "files are read again on SIGHUP only"));
    watch_files(p);
    identities_start(p);
    p->read_mark = files_mark(p);
    enum err e = start_threads(p);
    if (e != ERR_NONE)
        return e;
    p->ready = p->waiting = true;
    ready_check(p);
    return p->options->started ? p->options->started(p) : ERR_NONE;
}

/* When a file that the last good content names is bad now, it is taken without what that file tells: fewer methods are
 * known to be idempotent then, so less is tried again. */
static struct snapshot *load_first(const struct process_options *options)
{
    static const struct load_env unread = {.skip_files = true};
    struct problems problems;
    problems_init(&problems);
    struct snapshot *s = options->text.p ? load_text(options->config, options->text, NULL, &problems)
                                         : load_file(options->config, &problems);
    problems_print(&problems, stderr);
    problems_fini(&problems);
    if (s || !options->text.p)
        return s;
    problems_init(&problems);
    s = load_text(options->config, options->text, &unread, &problems);
    problems_fini(&problems);
    return s;
}

int process_run(const struct process_options *options)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    secret_init();
    static struct process p;
    char error[PROCESS_ERROR_MAX] = "";
    struct snapshot *snapshot = load_first(options);
    if (!snapshot)
        return 1;
    log_line(LOG_INFO, "start", LOG_TEXT("version", OUTRIGGER_VERSION), LOG_TEXT("file", options->config));
    footprint_open();
    net_init(); /* may load what the sandbox closes off */
    if (sandbox_enter(options->sandbox, snapshot, error) != ERR_NONE) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    if (process_init(&p, options, snapshot, error) != ERR_NONE || start(&p) != ERR_NONE) {
        fprintf(stderr, "%s\n", error[0] ? error : "cannot start: no memory for the worker threads");
        return 1;
    }
    if (options->text.p)
        process_reload(&p); /* shows what is wrong with the file, or takes it when it was mended meanwhile */
    loop_run(p.loop);
    for (uint32_t i = 0; i < p.workers_n; i++)
        pthread_join(p.threads[i], NULL);
    int code = p.exit_code;
    process_fini(&p);
    log_line(LOG_INFO, "exit", LOG_NUMBER("code", code));
    return code;
}
