/* Setting the stage: world, certificates, process, peers, and the search for what was left behind. */
#include "stage.h"

#include "admin/admin.h"
#include "app/drain.h"
#include "app/worker.h"
#include "base/log.h"
#include "certs.h"
#include "conf/load.h"
#include "words.h"
#include "world.h"

#include <stdlib.h>
#include <unistd.h>

enum { SEED = 1, WALL_START = 1780272000 };
#define REST_NS (3 * NS_PER_S) /* both GOAWAYs are out, lingering connections have gone */

static void make_certificates(void)
{
    certs_now = WALL_START;
    struct cert ca = certs_make(&(struct cert_spec){.name = "shop", .authority = true}, NULL);
    struct cert other = certs_make(&(struct cert_spec){.name = "elsewhere", .authority = true}, NULL);
    certs_write(&ca, "ca", NULL);
    certs_leaf("order", &(struct cert_spec){.name = "order", .san = "URI:spiffe://shop.example/ns/shop/sa/order"}, &ca);
    certs_leaf(
        "payment",
        &(struct cert_spec){.name = "payment", .san = "URI:spiffe://shop.example/ns/shop/sa/payment,DNS:payment.shop"},
        &ca);
    certs_leaf("stranger",
               &(struct cert_spec){.name = "stranger", .san = "URI:spiffe://shop.example/ns/shop/sa/payment"}, &other);
    certs_leaf(
        "brief",
        &(struct cert_spec){
            .name = "brief", .san = "URI:spiffe://shop.example/ns/shop/sa/payment", .from = -CERT_DAY, .until = 60},
        &ca);
    certs_leaf("host", &(struct cert_spec){.name = "host", .san = "DNS:a.shop,DNS:b.shop"}, &ca);
    certs_free(&ca);
    certs_free(&other);
}

static void on_peers_turn_end(void *ctx)
{
    conn_sweep(ctx);
}

void stage_init(struct stage *s)
{
    memset(s, 0, sizeof *s);
    list_init(&s->peers);
    list_init(&s->endpoints);
    s->record = open_memstream(&s->record_text, &s->record_n);
    world_open(SEED);
    certs_init();
    (void)snprintf(s->config, sizeof s->config, "%s", certs_path("outrigger.yaml"));
    s->loop = loop_new();
    s->conns = s->loop ? conn_env_new(s->loop) : NULL;
    if (!s->conns || !s->record)
        abort();
    loop_set_turn_end(s->loop, on_peers_turn_end, s->conns);
}

/* Puts the descriptors of config/ beside the configuration, which names files beside itself. */
static void link_descriptors(void)
{
    char *path = realpath("config/payment.binpb", NULL);
    if (!path || symlink(path, certs_path("payment.binpb")) != 0)
        abort();
    free(path);
}

static void write_config(const char *config)
{
    certs_write_text("outrigger.yaml", config);
    if (strstr(config, "payment.binpb") && access(certs_path("payment.binpb"), R_OK) != 0)
        link_descriptors();
    if (strstr(config, "identity:") && access(certs_path("ca.crt"), R_OK) != 0)
        make_certificates();
}

bool stage_start(struct stage *s, const char *config, char *why, size_t size)
{
    struct problems problems;
    char error[PROCESS_ERROR_MAX] = "";
    write_config(config);
    problems_init(&problems);
    struct snapshot *snapshot = load_file(s->config, &problems);
    if (!snapshot && problems.n > 0)
        problem_format(&problems.v[0], why, size);
    problems_fini(&problems);
    if (!snapshot)
        return false;
    s->options = (struct process_options){.config = s->config, .serve_admin = admin_serve, .stop_admin = admin_stop};
    s->running = true;
    if (process_init(&s->process, &s->options, snapshot, error) != ERR_NONE) {
        (void)snprintf(why, size, "%s", error);
        return false;
    }
    for (uint32_t i = 0; i < s->process.workers_n; i++)
        rng_init(&s->process.workers[i]->rng, SEED + i);
    s->process.ready = true;
    world_settle();
    return true;
}

bool stage_reload(struct stage *s, const char *config)
{
    uint64_t before = atomic_load(&s->process.reloads);
    write_config(config);
    process_reload(&s->process);
    world_settle();
    return atomic_load(&s->process.reloads) > before;
}

static void saw(struct peer *p, const struct frame *f)
{
    struct stage *s = p->stage;
    char text[1024];
    (void)fprintf(s->record, "%10.3f ms   %s got %s\n", (double)(world_now() - 1000 * NS_PER_S) / 1e6,
                  p->name[0] ? p->name : p->of, frame_format(f, text, sizeof text));
}

static void copy(struct buf *to, const struct buf *from)
{
    if (buf_len(from) > 0 && buf_append(to, buf_head(from), buf_len(from)) != ERR_NONE)
        abort();
}

static struct peer *add_peer(struct stage *s, const char *name, const char *of, bool silent, const struct buf *settings)
{
    struct peer *p = peer_new(name, of, silent);
    p->saw = saw;
    p->stage = s;
    list_push_back(&s->peers, &p->node);
    copy(&p->settings, settings);
    return p;
}

static bool is_claimed(const struct stage *s, uint64_t link)
{
    LIST_FOR(n, &s->peers)
        if (CONTAINER_OF(n, struct peer, node)->link == link)
            return true;
    return false;
}

/* Which link of the world this accepted connection is: the oldest open one to here that nobody has. */
static uint64_t link_of(const struct stage *s, const struct address *to)
{
    struct world_link l;
    for (uint64_t id = 1; world_link(id, &l); id++)
        if (address_eq(&l.to, to) && l.is_open[1] && !is_claimed(s, id))
            return id;
    return 0;
}

static void on_accept(void *ctx, int fd, const struct address *from)
{
    struct endpoint_peer *e = ctx;
    (void)from;
    struct peer *p = add_peer(e->stage, "", e->name, e->silent, &e->settings);
    p->link = link_of(e->stage, &e->address);
    p->conn = conn_accepted(e->stage->conns, fd, e->tls, &peer_ops, p);
}

static void on_pressure(void *ctx, bool paused)
{
    (void)ctx, (void)paused;
}

static const struct listener_ops listener_ops = {.on_accept = on_accept, .on_pressure = on_pressure};

/* A context with this certificate, or without one. */
static struct tls_context *make_tls(const char *certificate, bool server)
{
    char file[64], key[64], error[TLS_ERROR_MAX];
    (void)snprintf(file, sizeof file, "%s.crt", certificate ? certificate : "");
    (void)snprintf(key, sizeof key, "%s.key", certificate ? certificate : "");
    struct tls_config c = {.server = server, .mutual = certificate != NULL, .files.trust = certs_path("ca.crt")};
    if (certificate) {
        c.files.certificate = certs_path(file);
        c.files.private_key = certs_path(key);
    }
    struct tls_context *tls = tls_context_new(&c, error);
    if (!tls) {
        (void)fprintf(stderr, "script: %s\n", error);
        abort();
    }
    return tls;
}

struct endpoint_peer *stage_listen(struct stage *s, const char *name, const struct address *a, const char *certificate,
                                   bool silent, const struct buf *settings)
{
    int fd, why;
    struct endpoint_peer *e = calloc(1, sizeof *e);
    if (!e || sock_listen(a, true, &fd, &why) != ERR_NONE)
        abort();
    *e = (struct endpoint_peer){.stage = s, .address = *a, .silent = silent};
    (void)snprintf(e->name, sizeof e->name, "%s", name);
    if (certificate)
        e->tls = make_tls(certificate, true);
    copy(&e->settings, settings);
    if (!(e->listener = listener_new(s->loop, fd, &listener_ops, e)))
        abort();
    list_push_back(&s->endpoints, &e->node);
    return e;
}

void stage_unlisten(struct endpoint_peer *e)
{
    if (e->listener)
        listener_free(e->listener);
    e->listener = NULL;
}

struct peer *stage_connect(struct stage *s, const char *name, const struct address *a, const char *certificate,
                           bool tls, bool silent, const struct buf *settings)
{
    struct peer *p = add_peer(s, name, NULL, silent, settings);
    struct tls_context *context = tls ? make_tls(certificate, false) : NULL;
    struct tls_expect expect = {.server_name = "payment.shop"};
    p->conn = conn_connect(s->conns, a, context, &expect, &peer_ops, p);
    p->link = world_links();
    tls_context_unref(context);
    world_settle();
    return p;
}

struct peer *stage_find_peer(const struct stage *s, struct slice name)
{
    struct peer *found = NULL; /* the newest of that name */
    LIST_FOR(n, &s->peers) {
        struct peer *p = CONTAINER_OF(n, struct peer, node);
        if (p->name[0] && words_is(name, p->name))
            found = p;
    }
    return found;
}

struct endpoint_peer *stage_find_endpoint(const struct stage *s, struct slice name)
{
    LIST_FOR(n, &s->endpoints) {
        struct endpoint_peer *e = CONTAINER_OF(n, struct endpoint_peer, node);
        if (words_is(name, e->name))
            return e;
    }
    return NULL;
}

struct peer *stage_accepted(const struct stage *s, const struct endpoint_peer *e)
{
    LIST_FOR(n, &s->peers) {
        struct peer *p = CONTAINER_OF(n, struct peer, node);
        if (p->of == e->name && p->name[0] == '\0')
            return p;
    }
    return NULL;
}

/* Quotes would be in the way of script words. */
static void strip_quotes(char *line)
{
    char *to = line;
    for (const char *c = line; *c; c++)
        if (*c != '"')
            *to++ = *c;
    *to = '\0';
}

bool stage_metric(struct stage *s, struct slice name, char *ret, size_t size)
{
    struct buf page = {0};
    bool found = false;
    metrics_page_render(&s->process, &page);
    if (buf_append(&page, "", 1) != ERR_NONE)
        abort();
    for (char *rest, *line = strtok_r((char *)buf_head(&page), "\n", &rest); line && !found;
         line = strtok_r(NULL, "\n", &rest)) {
        strip_quotes(line);
        found = strncmp(line, name.p, name.n) == 0 && line[name.n] == ' ';
        if (found)
            (void)snprintf(ret, size, "%s", line + name.n + 1);
    }
    buf_fini(&page);
    return found;
}

static int count(const struct list *l)
{
    int n = 0;
    LIST_FOR(node, l)
        n++;
    return n;
}

static bool check_left(struct stage *s, char *why, size_t size)
{
    for (uint32_t i = 0; i < s->process.workers_n; i++) {
        struct worker *w = s->process.workers[i];
        int calls = count(&w->live), downstreams = count(&w->downstreams);
        if (calls > 0 || downstreams > 0) {
            (void)snprintf(why, size, "left in the proxy at the end: %d calls, %d connections of callers", calls,
                           downstreams);
            return false;
        }
    }
    return true;
}

static void free_peers(struct stage *s)
{
    LIST_FOR_SAFE(n, &s->peers) {
        struct peer *p = CONTAINER_OF(n, struct peer, node);
        conn_close(p->conn, false);
        p->conn = NULL;
    }
    LIST_FOR_SAFE(n, &s->endpoints)
        stage_unlisten(CONTAINER_OF(n, struct endpoint_peer, node));
}

static void free_memory(struct stage *s)
{
    struct list *n;
    while ((n = list_pop(&s->peers)) != NULL)
        peer_free(CONTAINER_OF(n, struct peer, node));
    while ((n = list_pop(&s->endpoints)) != NULL) {
        struct endpoint_peer *e = CONTAINER_OF(n, struct endpoint_peer, node);
        tls_context_unref(e->tls);
        buf_fini(&e->settings);
        free(e);
    }
    conn_env_free(s->conns);
    loop_free(s->loop);
}

bool stage_fini(struct stage *s, char *why, size_t size)
{
    bool ok = true;
    free_peers(s);
    if (s->running)
        drain_begin(&s->process, DRAIN_NOW);
    world_run_until(world_now() + REST_NS);
    if (s->running) {
        ok = check_left(s, why, size);
        process_fini(&s->process);
    }
    free_memory(s);
    if (ok && (world_live_sockets() > 0 || world_live_loops() > 0 || world_live_watches() > 0)) {
        (void)snprintf(why, size, "left at the end: %d sockets, %d loops, %d watches", world_live_sockets(),
                       world_live_loops(), world_live_watches());
        ok = false;
    }
    world_close();
    certs_fini();
    (void)fclose(s->record);
    free(s->record_text);
    return ok;
}
