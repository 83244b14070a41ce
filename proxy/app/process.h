/* What belongs to the whole process: generations of the configuration, limits and endpoints shared by the workers,
 * listening sockets, reload and drain. The control thread owns it; workers get it through posts. */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

#include "app/identity.h"
#include "app/pressure.h"
#include "app/sandbox.h"
#include "base/list.h"
#include "core/breaker_set.h"
#include "core/budget.h"
#include "core/endpoint.h"
#include "core/limit.h"
#include "core/policy.h"
#include "core/stats.h"
#include "net/listener.h"
#include "net/tls.h"

#include <pthread.h>

struct bound;
struct passage;
struct client_env;
struct worker;
struct process;

enum { PROCESS_INHERITED_MAX = 64 };

#define PROCESS_DEBOUNCE_NS     (50 * NS_PER_MS)  /* a changed file is read this long after the last sign of it */
#define PROCESS_DEBOUNCE_MAX_NS (250 * NS_PER_MS) /* or this long after the first one */
#define PROCESS_TICK_NS         (100 * NS_PER_MS) /* while something needs a look now and then */
#define PROCESS_RESOLVE_NS      (2 * NS_PER_S)

/* What outlives a reload under the name of a service (or inbound listener): limits, retry budget, breakers, statistics.
 */
struct scope {
    char *name;
    bool inbound;
    struct limit limit;
    struct budget budget;
    struct breaker_set breakers;
    struct method_names unnamed;
    atomic_bool doubted;          /* an endpoint was lost since the last look-up of its name */
    struct method_table **tables; /* by worker */
    uint32_t tables_n;
    uint32_t refs; /* by services; control thread */
    struct list node;
};

/* A service with one set of endpoints. Shared by generations while nothing about its connections changes. */
struct service {
    struct scope *scope;
    struct endpoint **endpoints; /* a reference each; those of an older set where the address is the same */
    struct rank *ranks;          /* of the endpoints */
    size_t endpoints_n;
    struct identity *identity; /* a reference; NULL: clear text */
    struct tls_context *tls;   /* of the identity; NULL: clear text */
    char *key;                 /* what makes its connections, but for the endpoints: name, tls, peer, identity files */
    uint32_t refs;             /* by generations; control thread */
    struct list node;
};

struct listener_runtime {
    const struct listener_conf *conf;
    struct bound *bound;
    struct identity *identity; /* a reference; NULL: clear text */
    struct tls_context *tls;   /* of the identity; NULL: clear text */
};

/* One accepted configuration, ready to serve. Immutable once published. */
struct generation {
    struct process *process;
    struct snapshot *snapshot;
    struct service **services; /* by index: those of the snapshot, then one for each passage */
    size_t services_n;
    struct passage *passages; /* app/captured.h */
    size_t passages_n;
    struct listener_runtime *listeners;
    size_t listeners_n;
    atomic_uint refs;
};

/* What whoever started the process is told. The values go over the line between two versions of the program. */
enum process_news {
    PROCESS_READY = 'A',     /* serves */
    PROCESS_KNOWS = 'K',     /* every source of endpoints has given a good answer */
    PROCESS_RELOADING = 'H', /* looks at its files */
    PROCESS_RELOADED = 'R',  /* a new configuration is in force */
    PROCESS_REFUSED = 'F',   /* it is not; the old one stays */
    PROCESS_LISTENS = 'L',   /* on a socket that was not handed over; fd is it */
    PROCESS_DRAINING = 'D',  /* not ready any more */
    PROCESS_CLOSED = 'S'     /* accepts no more connections */
};

/* Owned by: process_run, or a simulation. Control thread only, but for the atomics. */
struct process {
    const struct process_options *options;
    struct loop *loop;  /* control */
    pthread_t *threads; /* one a worker; NULL when somebody else runs the loops */
    struct worker **workers;
    uint32_t workers_n;
    struct generation *current;
    struct list bounds, services, scopes, sources;
    struct list captured; /* original destinations; app/captured.h */
    uint64_t captured_n, captured_id;
    struct identities identities;
    struct loop_timer *renew_timer; /* sources have found something new */
    ns_t renewed_at;
    struct list apis;           /* API servers that sources ask */
    struct client_env *clients; /* for sources that ask over HTTP/2; made when the first one does */
    struct watch *watch;
    struct loop_signal *signals[4];
    struct worker_stats stats; /* what the control thread counts */
    atomic_uint connections;
    struct pressure pressure;
    atomic_uint greeting; /* connections of callers that have not sent their preface */
    bool ready, draining, stopping;
    bool waiting;             /* for the first time, until all identities are there */
    bool patient;             /* as in the options, until it is ready */
    bool knows;               /* every source had a good answer, and it was told */
    bool handed_over;         /* drains because another worker process has taken over */
    ns_t drain_at, drain_end; /* when accepting ends, and the deadline; NS_NEVER */
    uint32_t drained;         /* workers that have */
    int exit_code;
    uint64_t generations; /* published so far */
    atomic_ullong reloads, reload_failures;
    char *last_error; /* text of the last refused configuration, owned; NULL when the current one is the last read */
    ns_t started_wall, loaded_wall, failed_wall;
    ns_t alarm_at, reload_at;
    ns_t reload_by;                       /* files that change without an end are read at the latest then */
    uint64_t read_mark;                   /* fingerprint of the files as they were last read, taken or refused */
    int inherited[PROCESS_INHERITED_MAX]; /* listening descriptors handed over, -1 when taken */
    int inherited_n;
    void *admin;     /* of the command that serves the admin pages */
    bool admin_ours; /* its socket was opened here, not inherited */
};

struct process_options {
    const char *config;
    struct slice text; /* when the file is bad at a restart: the last good content; p is NULL otherwise */
    int listen_fds;    /* inherited descriptors from 3 on */
    enum sandbox_mode sandbox;
    bool supervised; /* signals come through the supervisor */
    bool patient; /* takes over from a process that knows all endpoints: not ready, and accepts nothing, before it does
                   */
    /* Starts the admin pages on a listening descriptor (taken over) and stops them; given by the command, as admin/
     * stands above app/. serve_admin keeps its state in p->admin. NULL: no admin pages. */
    void (*serve_admin)(struct process *p, int fd);
    void (*stop_admin)(struct process *p);
    /* Tells whoever started this process; false when nobody was told. NULL: nobody is there. */
    bool (*tell)(enum process_news news, int fd);
    /* The loop is there and the process serves; NULL: nothing more to do. */
    enum err (*started)(struct process *p);
};

/* The worker process from load to exit; returns its exit code. Prints problems of the configuration on stderr. */
int process_run(const struct process_options *options);

/* The parts of process_run, for a simulation that runs the loops itself: set-up from the configuration (a snapshot that
 * it made, taken over), and the end after all loops have stopped. ERR_INVALID: the text tells why. */
enum { PROCESS_ERROR_MAX = 512 };
MUST_CHECK enum err process_init(struct process *p, const struct process_options *options, struct snapshot *snapshot,
                                 char *error /* PROCESS_ERROR_MAX */);
void process_fini(struct process *p);

/* Puts a snapshot (taken over, also on failure) into force: listeners, services, TLS. On failure nothing changed. */
MUST_CHECK enum err process_publish(struct process *p, struct snapshot *snapshot, char *error /* PROCESS_ERROR_MAX */);

/* Puts what the sources have found into force, under the same configuration. */
void process_renew(struct process *p);

/* What an identity trusts has changed: all workers verify their peers again. */
void process_recheck(struct process *p);

/* Loads and swaps; a bad file changes nothing but counters. Control thread. */
void process_reload(struct process *p);

/* SIGHUP: reloads. SIGTERM: drains; SIGINT: without the window; one of these again ends the process at once. SIGUSR2:
 * another worker process takes over. */
void process_on_signal(struct process *p, int number);

/* Sets the alarm of the control loop to what is due next. */
void process_arm(struct process *p);

/* Starts the admin pages when `old`, NULL at the start, had none or had them elsewhere; a patient process later. */
void process_serve_admin(struct process *p, const struct snapshot *old);

/* Ends the admin pages. */
void process_stop_admin(struct process *p);

static inline bool process_tell(const struct process *p, enum process_news news, int fd)
{
    return p->options->tell && p->options->tell(news, fd);
}

/* Has the worker set so many bytes free. Control thread. */
void process_post_shed(struct worker *w, uint64_t bytes);

/* Posted by a worker that has drained. */
void process_on_drained(void *process);

/* Builds what a snapshot needs: services (shared with the current generation where nothing changed), TLS contexts,
 * listening sockets. NULL on failure, with a text. */
struct generation *generation_new(struct process *p, struct snapshot *snapshot, char *error /* PROCESS_ERROR_MAX */);

/* The generation in force with the endpoints that the sources know now. What did not change is shared. */
struct generation *generation_renew(struct process *p);

/* A hash of a file's content, 0 when it cannot be read. */
uint64_t file_fingerprint(const char *path);

/* A hash of the names of the *.yaml files in a folder, 0 for NULL. */
uint64_t folder_fingerprint(const char *path);

/* The configuration of services[index]. */
const struct service_conf *generation_conf(const struct generation *g, size_t index);

struct generation *generation_ref(struct generation *g);

/* May be called from any thread; the memory goes in the control thread. */
void generation_unref(struct generation *g);

#endif
