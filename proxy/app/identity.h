/* Identities in force: the key pair, roots and revocation lists that one `identity` of the configuration names, shared
 * by all listeners and services that name the same files. Watches the files and puts what is new and good into force,
 * part by part and without a reload; what is bad changes nothing but a counter. Control thread only. */
#ifndef APP_IDENTITY_H
#define APP_IDENTITY_H

#include "base/list.h"
#include "core/policy.h"
#include "net/tls.h"

struct process;
struct workload;

/* A change is read this long after the last sign of it, and after the first one at the latest. */
#define IDENTITY_DEBOUNCE_NS (50 * NS_PER_MS)
#define IDENTITY_PATIENCE_NS (500 * NS_PER_MS)

enum { IDENTITY_READS_MAX = 3, IDENTITY_KINDS = 4 };

/* Owned by: its references, of services and generations. */
struct identity {
    char *key;              /* the paths, in one text */
    const char *name;       /* for people: the path of the certificate, else of the roots */
    struct tls_files files; /* paths, owned */
    struct tls_material *material;
    struct tls_context *contexts[IDENTITY_KINDS]; /* by kind; NULL until asked for */
    uint64_t used[TLS_PART_COUNT];                /* marks of what is in force */
    uint64_t seen[TLS_PART_COUNT];                /* of what was read last, good or bad */
    uint64_t rotations[TLS_PART_COUNT], failures[TLS_PART_COUNT];
    struct workload *workload; /* where it comes from in the place of files; NULL: files */
    bool absent;               /* nothing has come from there yet: no peer can be met */
    struct process *process;   /* with a workload */
    uint32_t refs;
    struct list node;
};

/* Part of struct process. */
struct identities {
    struct list list;
    struct watch *watch; /* NULL: read again on SIGHUP only */
    struct loop_timer *timer;
    ns_t first_sign; /* of a change that is not read yet, NS_NEVER: none */
    bool stale;      /* the watch does not know all of them */
};

void identities_init(struct process *p);
void identities_fini(struct process *p);

/* Begins to watch; called once the loop will run. */
void identities_start(struct process *p);

/* Watches exactly the files of the identities that there are. */
void identities_sync(struct process *p);

/* Reads all files again. */
void identities_refresh(struct process *p);

/* Whether each has a key pair and roots; one of a Workload API may still wait for its first. */
bool identities_are_there(const struct process *p);

/* The identity that the configuration names, a reference; the one in force when there is one. NULL, and a text that
 * begins with the place, when it must be read first and a file is bad. */
struct identity *identity_get(struct process *p, const struct identity_conf *conf, char *error /* PROCESS_ERROR_MAX */);
void identity_unref(struct process *p, struct identity *id);

/* Its TLS of that kind, a reference; NULL with a text when that cannot be made. */
struct tls_context *identity_context(struct identity *id, bool server, bool mutual, char *error);

#endif
