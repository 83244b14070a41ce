/* Identities: made of files, watched, replaced part by part. */
#include "app/identity.h"

#include "app/process.h"
#include "app/ready.h"
#include "app/worker.h"
#include "app/workload.h"
#include "base/log.h"
#include "base/must.h"
#include "net/watch.h"

#include <stdio.h>
#include <stdlib.h>

static const char *or_dash(const char *path)
{
    return path ? path : "-";
}

static char *make_key(const struct identity_conf *conf)
{
    const char *parts[] = {conf->spiffe_socket ? conf->spiffe_socket : or_dash(conf->certificate),
                           conf->spiffe_socket ? "spiffe" : or_dash(conf->private_key),
                           conf->trust_system ? "system" : or_dash(conf->trust), or_dash(conf->revoked)};
    size_t size = 1;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        size += strlen(parts[i]) + 1;
    char *key = must_have(malloc(size));
    (void)snprintf(key, size, "%s\n%s\n%s\n%s", parts[0], parts[1], parts[2], parts[3]);
    return key;
}

static char *copy(const char *path)
{
    return path ? must_have(strdup(path)) : NULL;
}

static void free_identity(struct identity *id)
{
    workload_free(id->workload);
    for (int i = 0; i < IDENTITY_KINDS; i++)
        tls_context_unref(id->contexts[i]);
    tls_material_unref(id->material);
    free((char *)id->files.certificate);
    free((char *)id->files.private_key);
    free((char *)id->files.trust);
    free((char *)id->files.revoked);
    free(id->key);
    free(id);
}

static bool read_first(struct identity *id, char *why)
{
    struct tls_bytes bytes;
    tls_bytes_read(&bytes, &id->files);
    id->material = tls_material_new(&bytes, TLS_PART_ALL, NULL, why);
    for (int part = 0; part < TLS_PART_COUNT; part++)
        id->used[part] = id->seen[part] = tls_bytes_mark(&bytes, (enum tls_part)part);
    tls_bytes_fini(&bytes);
    return id->material != NULL;
}

static void warn_of_ended_list(const struct identity *id)
{
    if (id->files.revoked && tls_material_end(id->material, TLS_REVOKED) < clock_wall())
        log_line(LOG_WARN, "revocation_list_ended", LOG_TEXT("file", id->files.revoked),
                 LOG_TEXT("effect", "peers that it is for are refused until a current one is there"));
}

/* Puts the material (taken over), new in these parts, into force. */
static void use(struct process *p, struct identity *id, struct tls_material *m, unsigned parts)
{
    bool distrust = parts & ~TLS_PART_BIT(TLS_PAIR);
    tls_material_unref(id->material);
    id->material = m;
    for (int i = 0; i < IDENTITY_KINDS; i++)
        if (id->contexts[i])
            tls_context_renew(id->contexts[i], m, distrust);
    if (distrust)
        process_recheck(p);
    for (int i = 0; i < TLS_PART_COUNT; i++) {
        enum tls_part part = (enum tls_part)i;
        ns_t end = tls_material_end(m, part);
        if (!(parts & TLS_PART_BIT(part)))
            continue;
        id->rotations[part] += !id->absent;
        log_line(LOG_INFO, "identity_renewed", LOG_TEXT("identity", id->name), LOG_TEXT("part", tls_part_text(part)),
                 LOG_NUMBER("ends", end == NS_NEVER ? -1 : end / NS_PER_S));
    }
    if (parts & TLS_PART_BIT(TLS_REVOKED))
        warn_of_ended_list(id);
}

static void keep_old(struct identity *id, enum tls_part part, uint64_t mark, const char *why)
{
    id->seen[part] = mark;
    id->failures[part]++;
    log_line(LOG_ERROR, "identity_refused", LOG_TEXT("identity", id->name), LOG_TEXT("part", tls_part_text(part)),
             LOG_TEXT("error", why), LOG_TEXT("effect", "the old one stays in force"));
}

/* What a Workload API says: all of it, or nothing. */
static void take_whole(struct process *p, struct identity *id, const struct tls_bytes *bytes, const char *wrong)
{
    char why[TLS_ERROR_MAX];
    unsigned parts = 0;
    (void)snprintf(why, sizeof why, "%s: %s", id->name, wrong);
    for (int i = 0; bytes && i < TLS_PART_COUNT; i++)
        if (tls_bytes_mark(bytes, (enum tls_part)i) != id->used[i])
            parts |= TLS_PART_BIT(i);
    struct tls_material *m = bytes ? tls_material_new(bytes, TLS_PART_ALL, NULL, why) : NULL;
    if (!m) {
        keep_old(id, TLS_PAIR, id->seen[TLS_PAIR], why);
        return;
    }
    for (int i = 0; i < TLS_PART_COUNT; i++)
        id->used[i] = id->seen[i] = tls_bytes_mark(bytes, (enum tls_part)i);
    use(p, id, m, parts);
    id->absent = false;
}

static void on_answer(void *ctx, const struct tls_bytes *bytes, const char *why)
{
    struct identity *id = ctx;
    take_whole(id->process, id, bytes, why);
    ready_check(id->process);
}

/* Until the first answer it is made of nothing. */
static void ask_workload(struct process *p, struct identity *id, const char *socket)
{
    char name[ADDRESS_PATH_MAX + sizeof "unix:"];
    (void)snprintf(name, sizeof name, "unix:%s", socket);
    id->process = p;
    id->absent = true;
    id->name = id->files.certificate = must_have(strdup(name));
    id->workload = workload_new(p, socket, id->name, on_answer, id);
}

/* Takes the key over. */
static struct identity *new_identity(struct process *p, const struct identity_conf *conf, char *key, char *error)
{
    struct identity *id = must_have(calloc(1, sizeof *id));
    char why[TLS_ERROR_MAX];
    id->key = key;
    id->files = (struct tls_files){.certificate = copy(conf->certificate),
                                   .private_key = copy(conf->private_key),
                                   .trust = copy(conf->trust),
                                   .trust_system = conf->trust_system,
                                   .revoked = copy(conf->revoked)};
    id->name = id->files.certificate ? id->files.certificate : id->files.trust ? id->files.trust : "system";
    if (!read_first(id, why)) {
        (void)snprintf(error, PROCESS_ERROR_MAX, "%s:%u:%u: identity: %s", conf->place.file, conf->place.line,
                       conf->place.column, why);
        free_identity(id);
        return NULL;
    }
    warn_of_ended_list(id);
    if (conf->spiffe_socket)
        ask_workload(p, id, conf->spiffe_socket);
    list_push_back(&p->identities.list, &id->node);
    p->identities.stale = true;
    return id;
}

static struct identity *find(struct process *p, const char *key)
{
    LIST_FOR(n, &p->identities.list) {
        struct identity *id = CONTAINER_OF(n, struct identity, node);
        if (strcmp(id->key, key) == 0)
            return id;
    }
    return NULL;
}

struct identity *identity_get(struct process *p, const struct identity_conf *conf, char *error)
{
    char *key = make_key(conf);
    struct identity *id = find(p, key);
    if (id)
        free(key);
    else
        id = new_identity(p, conf, key, error);
    if (id)
        id->refs++;
    return id;
}

void identity_unref(struct process *p, struct identity *id)
{
    if (!id || --id->refs > 0)
        return;
    list_remove(&id->node);
    p->identities.stale = true;
    free_identity(id);
}

struct tls_context *identity_context(struct identity *id, bool server, bool mutual, char *error)
{
    struct tls_context **c = &id->contexts[server * 2 + mutual];
    char why[TLS_ERROR_MAX];
    if (!*c && !(*c = tls_context_of(server, mutual, id->material, why)))
        (void)snprintf(error, PROCESS_ERROR_MAX, "identity: %s", why);
    return *c ? tls_context_ref(*c) : NULL;
}

/* Tries a part whose content is new. False: it is bad, the text tells why. */
static bool try_part(struct process *p, struct identity *id, const struct tls_bytes *bytes, enum tls_part part,
                     char *why)
{
    uint64_t mark = tls_bytes_mark(bytes, part);
    if (mark == id->used[part]) { /* what is in force is back */
        id->seen[part] = mark;
        return true;
    }
    struct tls_material *m = tls_material_new(bytes, TLS_PART_BIT(part), id->material, why);
    if (!m)
        return false;
    id->used[part] = id->seen[part] = mark;
    use(p, id, m, TLS_PART_BIT(part));
    return true;
}

/* True when a bad part should be read once more, as its files may have been in the middle of a change. */
static bool refresh_once(struct process *p, struct identity *id, uint64_t bad[TLS_PART_COUNT])
{
    struct tls_bytes bytes;
    char why[TLS_ERROR_MAX];
    bool again = false;
    tls_bytes_read(&bytes, &id->files);
    for (int i = 0; i < TLS_PART_COUNT; i++) {
        enum tls_part part = (enum tls_part)i;
        uint64_t mark = tls_bytes_mark(&bytes, part);
        if (mark == id->seen[part] || try_part(p, id, &bytes, part, why))
            continue;
        if (mark == bad[part])
            keep_old(id, part, mark, why);
        else
            again = true;
        bad[part] = mark;
    }
    tls_bytes_fini(&bytes);
    return again;
}

static void refresh(struct process *p, struct identity *id)
{
    uint64_t bad[TLS_PART_COUNT] = {0};
    int reads = IDENTITY_READS_MAX;
    while (refresh_once(p, id, bad) && reads-- > 0)
        continue;
    if (reads < 0) /* it changes all the time: the next sign of that comes soon */
        log_line(LOG_WARN, "identity_unsteady", LOG_TEXT("identity", id->name));
}

void identities_refresh(struct process *p)
{
    LIST_FOR(n, &p->identities.list) {
        struct identity *id = CONTAINER_OF(n, struct identity, node);
        if (!id->workload)
            refresh(p, id);
    }
}

bool identities_are_there(const struct process *p)
{
    LIST_FOR(n, &p->identities.list)
        if (CONTAINER_OF(n, struct identity, node)->absent)
            return false;
    return true;
}

static void on_timer(void *ctx)
{
    struct process *p = ctx;
    p->identities.first_sign = NS_NEVER;
    identities_refresh(p);
}

static void on_changed(void *ctx)
{
    struct process *p = ctx;
    struct identities *all = &p->identities;
    ns_t now = loop_now(p->loop);
    if (all->first_sign == NS_NEVER)
        all->first_sign = now;
    loop_timer_set(all->timer,
                   ns_min(ns_add(now, IDENTITY_DEBOUNCE_NS), ns_add(all->first_sign, IDENTITY_PATIENCE_NS)));
}

static void watch_file(struct process *p, const char *path)
{
    if (path && watch_add(p->identities.watch, path) != ERR_NONE)
        log_line(LOG_WARN, "watch_failed", LOG_TEXT("file", path));
}

void identities_sync(struct process *p)
{
    if (!p->identities.watch || !p->identities.stale)
        return;
    p->identities.stale = false;
    watch_clear(p->identities.watch);
    LIST_FOR(n, &p->identities.list) {
        const struct identity *id = CONTAINER_OF(n, struct identity, node);
        const struct tls_files *files = &id->files;
        if (id->workload)
            continue;
        watch_file(p, files->certificate);
        watch_file(p, files->private_key);
        watch_file(p, files->trust);
        watch_file(p, files->revoked);
    }
}

void identities_init(struct process *p)
{
    list_init(&p->identities.list);
    p->identities.first_sign = NS_NEVER;
}

void identities_start(struct process *p)
{
    struct identities *all = &p->identities;
    all->timer = loop_timer_new(p->loop, on_timer, p);
    all->watch = all->timer ? watch_new(p->loop, on_changed, p) : NULL;
    all->stale = true;
    identities_sync(p);
    identities_refresh(p); /* what changed before the watch began */
}

void identities_fini(struct process *p)
{
    watch_free(p->identities.watch);
    loop_timer_free(p->identities.timer);
}
