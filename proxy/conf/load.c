/* Reads the file and fills the parts of the snapshot that belong to the process; the rest is in load_*.c. */
#include "conf/load.h"

#include "conf/check.h"
#include "conf/loader.h"
#include "conf/memory.h"
#include "conf/nearest.h"
#include "conf/policy_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

const char *loader_file_of(const struct loader *l, const struct node *n)
{
    for (const struct policy_file *f = l->policy_files; f; f = f->next)
        if (n->file == f->tree.file)
            return f->path;
    return l->s->file;
}

struct place loader_place(const struct loader *l, const struct node *n)
{
    return (struct place){loader_file_of(l, n), n->line, n->column};
}

struct place loader_key_place(const struct loader *l, const struct node *n)
{
    return (struct place){loader_file_of(l, n), n->key_line, n->key_column};
}

const char *loader_text(struct loader *l, const struct node *n)
{
    return n ? memory_copy(&l->s->arena, n->text).p : "";
}

/* `text` behind the folder of the file, unless it is absolute. */
static struct slice resolve(struct loader *l, const char *file, struct slice text)
{
    const char *slash = strrchr(file, '/');
    if (!slash || (text.n > 0 && text.p[0] == '/'))
        return memory_copy(&l->s->arena, text);
    int folder = (int)(slash - file) + 1;
    return slice_str(memory_format(&l->s->arena, "%.*s%.*s", folder, file, (int)text.n, text.p));
}

const char *loader_path(struct loader *l, const struct node *n)
{
    return n ? resolve(l, loader_file_of(l, n), n->text).p : NULL;
}

struct address loader_address(struct loader *l, const struct node *n)
{
    struct address address = {0};
    struct slice text = n->text;
    if (slice_starts(text, SLICE("unix:"))) {
        struct slice path = resolve(l, l->s->file, slice_sub(text, 5, text.n));
        if (path.n > ADDRESS_PATH_MAX)
            node_error(l->tree, l->p, n, "the path \"%s\" is longer than 107 bytes, expected a shorter one", path.p);
        return (struct address){.kind = ADDRESS_UNIX, .name = path.p};
    }
    if (address_parse(text, memory_take(&l->s->arena, text.n + 1), &address) != ERR_NONE)
        node_error(l->tree, l->p, n, "not an address");
    return address;
}

ssize_t loader_read(const char *path, char *out, size_t size)
{
    size_t n = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (n < size && (got = read(fd, out + n, size - n)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    int error = errno;
    close(fd);
    errno = error;
    return got < 0 ? -1 : (ssize_t)n;
}

bool loader_is(const struct node *n, const char *word)
{
    return n && slice_eq(n->text, slice_str(word));
}

const struct node *loader_on(const struct node *n)
{
    return n && !schema_is_off(n) ? n : NULL;
}

ns_t loader_duration(const struct node *n, ns_t otherwise)
{
    if (!n)
        return otherwise;
    return schema_is_off(n) ? 0 : (ns_t)schema_value(SCHEMA_DURATION, n);
}

void loader_set_duration(struct loader *l, const struct node *n, ns_t *ns, struct place *place)
{
    *ns = loader_duration(n, *ns);
    if (n)
        *place = loader_place(l, n);
}

uint32_t loader_number(const struct node *n, uint32_t otherwise)
{
    return n ? (uint32_t)schema_value(SCHEMA_INT, n) : otherwise;
}

enum tls_mode loader_tls(const struct node *n)
{
    if (n && schema_is_off(n))
        return TLS_MODE_OFF;
    return loader_is(n, "server") ? TLS_MODE_SERVER : TLS_MODE_MUTUAL;
}

/* Reports a name that leads nowhere, unless the whole section is wrong. */
static void leads_nowhere(struct loader *l, const struct node *n, struct place place, struct slice name,
                          const struct node *section, const char *what)
{
    bool policies = strcmp(what, "policy") == 0;
    const struct node *written = node_find(l->tree->root, policies ? SLICE("policies") : SLICE("services"));
    struct nearest near;
    if ((written && written->bad) || (policies && l->policies_missing))
        return;
    nearest_init(&near, name);
    if (!problems_is_full(l->p, PROBLEM_ERROR))
        NODE_FOR(c, section)
            nearest_offer(&near, c->key.p);
    if (near.best)
        node_problem(l->p, PROBLEM_ERROR, place, n, NULL, "there is no %s \"%.*s\", did you mean \"%s\"?", what,
                     (int)name.n, name.p, near.best);
    else
        node_problem(l->p, PROBLEM_ERROR, place, n, NULL, "there is no %s \"%.*s\", expected a name under %s", what,
                     (int)name.n, name.p, policies ? "policies" : "services");
}

const struct policy *loader_policy(struct loader *l, const struct node *n)
{
    const struct policy *built_in = l->s->policies[l->s->policies_n - 1];
    if (!n)
        return built_in;
    const struct node *found = node_find(l->policies, n->text);
    if (!found) {
        leads_nowhere(l, n, node_place(l->tree, n), n->text, l->policies, "policy");
        return built_in;
    }
    l->policy_used[found->index] = true;
    return l->s->policies[found->index];
}

const struct service_conf *loader_service(struct loader *l, const struct node *n, struct slice name, struct place place)
{
    const struct node *found = node_find(l->services, name);
    if (!found) {
        leads_nowhere(l, n, place, name, l->services, "service");
        return NULL;
    }
    l->service_used[found->index] = true;
    return l->s->services[found->index];
}

static void load_node(struct loader *l, const struct node *n)
{
    l->s->node = (struct node_conf){.service = loader_text(l, node_get(n, "service")),
                                    .name_space = loader_text(l, node_get(n, "namespace")),
                                    .zone = loader_text(l, node_get(n, "zone"))};
}

static void load_admin(struct loader *l, const struct node *n)
{
    const struct node *listen = node_get(n, "listen");
    if (!listen)
        return;
    l->s->admin = (struct admin_conf){.present = true,
                                      .is_public = loader_is(node_get(n, "public"), "true"),
                                      .address = loader_address(l, listen),
                                      .text = loader_text(l, listen),
                                      .place = loader_place(l, listen)};
}

static void load_drain(struct loader *l, const struct node *n)
{
    l->s->drain.window = loader_duration(node_get(n, "window"), 5 * NS_PER_S);
    l->s->drain.deadline = loader_duration(node_get(n, "deadline"), 30 * NS_PER_S);
}

static const char *load_file_name(struct loader *l, const struct node *n, struct place *place)
{
    if (n)
        *place = loader_place(l, n);
    return loader_path(l, n);
}

static void load_spiffe_socket(struct loader *l, const struct node *n, struct identity_conf *identity)
{
    if (!n)
        return;
    struct slice path = slice_sub(n->text, sizeof "unix:" - 1, n->text.n);
    if (slice_starts(path, SLICE("//")))
        path = slice_sub(path, 2, path.n);
    path = resolve(l, l->s->file, path);
    if (path.n > ADDRESS_PATH_MAX)
        node_error(l->tree, l->p, n, "the path \"%s\" is longer than 107 bytes, expected a shorter one", path.p);
    identity->spiffe_socket = path.p;
    identity->spiffe_socket_place = loader_place(l, n);
}

static void load_identity(struct loader *l, const struct node *n, struct identity_conf *identity)
{
    const struct node *trust = node_get(n, "trust");
    bool is_system = loader_is(trust, "system");
    if (!n)
        return;
    identity->present = true;
    identity->place = loader_place(l, n);
    identity->certificate = load_file_name(l, node_get(n, "certificate"), &identity->certificate_place);
    identity->private_key = load_file_name(l, node_get(n, "private_key"), &identity->private_key_place);
    identity->trust = load_file_name(l, is_system ? NULL : trust, &identity->trust_place);
    identity->trust_system = is_system;
    identity->revoked = load_file_name(l, node_get(n, "revoked"), &identity->revoked_place);
    load_spiffe_socket(l, node_get(n, "spiffe_socket"), identity);
}

const struct identity_conf *loader_identity(struct loader *l, const struct node *n)
{
    if (!n)
        return &l->s->identity;
    struct identity_conf *identity = memory_take(&l->s->arena, sizeof *identity);
    load_identity(l, n, identity);
    return identity;
}

static void load_workers(struct loader *l, const struct node *n)
{
    l->s->workers = n ? (uint32_t)schema_value(SCHEMA_INT, n) : 1;
    if (l->s->workers > l->cores)
        node_error(l->tree, l->p, n, "found %u, expected 1 to the number of cores, which is %u here", l->s->workers,
                   l->cores);
}

/* A section of the file; NULL when it is absent or of the wrong kind. */
static const struct node *section(const struct loader *l, const char *key)
{
    return node_get(l->tree->root, key);
}

/* All that was read, for whoever watches it. */
static void list_files(struct loader *l)
{
    size_t n = 0;
    for (const struct loader_file *f = l->files; f; f = f->next)
        n++;
    for (const struct policy_file *f = l->policy_files; f; f = f->next)
        n++;
    n += l->s->policy_dir != NULL;
    l->s->files = memory_array(&l->s->arena, n, sizeof *l->s->files);
    for (const struct loader_file *f = l->files; f; f = f->next)
        l->s->files[l->s->files_n++] = memory_copy(&l->s->arena, slice_str(f->path)).p;
    for (const struct policy_file *f = l->policy_files; f; f = f->next)
        l->s->files[l->s->files_n++] = f->path;
    if (l->s->policy_dir)
        l->s->files[l->s->files_n++] = memory_format(&l->s->arena, "%s/.", l->s->policy_dir);
}

static void load_all(struct loader *l)
{
    const struct node *inbound = section(l, "inbound"), *outbound = section(l, "outbound");
    l->services = section(l, "services");
    l->policies = load_policy_dir(l, section(l, "policy_dir"), section(l, "policies"));
    load_workers(l, section(l, "workers"));
    load_node(l, section(l, "node"));
    load_admin(l, section(l, "admin"));
    load_drain(l, section(l, "drain"));
    load_identity(l, section(l, "identity"), &l->s->identity);
    l->s->bounds = load_bounds(section(l, "bounds"));
    load_policies(l);
    load_services(l, (inbound ? inbound->n : 0) + (outbound ? outbound->n : 0));
    load_listeners(l, inbound, outbound);
    list_files(l);
    check_all(l);
}

static struct snapshot *new_snapshot(const char *file)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct snapshot *s = memory_take(&arena, sizeof *s);
    s->arena = arena;
    s->file = memory_copy(&s->arena, slice_str(file)).p;
    atomic_init(&s->refs, 1);
    return s;
}

static unsigned count_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

struct snapshot *load_text(const char *file, struct slice text, const struct load_env *env, struct problems *p)
{
    struct tree tree;
    struct loader l = {.tree = &tree,
                       .p = p,
                       .cores = env && env->cores ? env->cores : count_cores(),
                       .skip_files = env && env->skip_files,
                       .variables = env ? &env->variables : NULL};
    tree_init(&tree, file);
    if (yaml_parse(&tree, text, env ? &env->variables : NULL, p)) {
        schema_check(&grammar_root, &tree, p);
        l.s = new_snapshot(file);
        if (!tree.root->bad)
            load_all(&l);
    }
    problems_sort(p);
    if (p->errors) {
        problems_drop_warnings(p);
        snapshot_unref(l.s);
        l.s = NULL;
    }
    policy_files_fini(l.policy_files);
    tree_fini(&tree);
    return l.s;
}

struct snapshot *load_file_in(const char *path, const struct load_env *env, struct problems *p)
{
    size_t size = YAML_BYTES_MAX + 1;
    char *text = malloc(size);
    ssize_t n = text ? loader_read(path, text, size) : -1;
    struct snapshot *s = NULL;
    if (n < 0)
        problems_add(p, PROBLEM_ERROR, (struct place){path, 1, 1}, "", "cannot be read: %s", strerror(errno));
    else
        s = load_text(path, slice_make(text, (size_t)n), env, p);
    free(text);
    return s;
}

struct snapshot *load_file(const char *path, struct problems *p)
{
    return load_file_in(path, NULL, p);
}
