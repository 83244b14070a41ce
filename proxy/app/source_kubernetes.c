/* Drives the Kubernetes machine of a source: asks the API server what it wants, and hands it what comes. */
#include "app/kube_api.h"
#include "app/source_kind.h"

#include "base/log.h"
#include "base/must.h"
#include "discovery/kubernetes.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST_NS        (30 * NS_PER_S)
#define WATCH_MIN_S    300 /* the server is asked to end a watch after this, up to twice as long by chance */
#define WATCH_GRACE_NS (30 * NS_PER_S)
#define RESOURCE                                                                                                       \
    "/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?labelSelector=kubernetes.io%%2Fservice-name%%3D%s"

enum { NAMESPACE_MAX = 256 };

struct state {
    struct kubernetes machine;
    struct kube_api *api; /* NULL: nobody to ask */
    struct client_request *request;
    struct buf body; /* of a page, or of the event that is coming in */
    char *service, *port, *zone;
    char name_space[NAMESPACE_MAX];
    char why[TLS_ERROR_MAX]; /* why there is no api */
    bool cut;
};

static ns_t now_of(const struct source *s)
{
    return loop_now(s->process->loop);
}

/* The request is over, however: what the machine wants next is asked when it says. */
static void go_on(struct source *s)
{
    struct state *st = s->state;
    st->request = NULL;
    buf_clear(&st->body);
    buf_release(&st->body);
    source_arm(s, st->machine.due);
}

static void failed(struct source *s, enum lookup_status error, const char *why)
{
    struct state *st = s->state;
    kubernetes_on_failed(&st->machine, error, now_of(s), &s->rng);
    source_on_failed(s, error, why);
    go_on(s);
}

static void stop_request(struct state *st)
{
    client_cancel(st->request);
    st->request = NULL;
}

static void publish(struct source *s)
{
    struct state *st = s->state;
    size_t n;
    struct member *v = must_have(kubernetes_members(&st->machine, &n));
    source_on_good(s, v, n);
    free(v);
    if (st->machine.cut && !st->cut)
        log_line(LOG_WARN, "endpoints_cut", LOG_TEXT("service", s->service), LOG_TEXT("name", s->text),
                 LOG_NUMBER("most", ENDPOINT_SLICE_PIECES_MAX));
    st->cut = st->machine.cut;
}

static void too_big(struct source *s)
{
    struct state *st = s->state;
    stop_request(st);
    kubernetes_on_too_big(&st->machine, now_of(s), &s->rng);
    source_on_failed(s, LOOKUP_MALFORMED, "an answer longer than 4 MiB");
    go_on(s);
}

/* Whole lines of a watch. False: the watch is over. */
static bool take_lines(struct source *s)
{
    struct state *st = s->state;
    bool changed = false, whole = true;
    for (uint8_t *end;
         whole && buf_len(&st->body) > 0 && (end = memchr(buf_head(&st->body), '\n', buf_len(&st->body)));) {
        size_t n = (size_t)(end - buf_head(&st->body));
        struct slice line = slice_make(buf_head(&st->body), n);
        enum kubernetes_event e = n > 0 ? kubernetes_on_line(&st->machine, line, now_of(s), &s->rng) : KUBERNETES_SAME;
        changed |= e == KUBERNETES_CHANGED;
        whole = e != KUBERNETES_BROKEN;
        buf_consume(&st->body, n + 1);
    }
    if (changed)
        publish(s);
    if (whole)
        return true;
    stop_request(st);
    source_on_failed(s, st->machine.error, "the watch cannot go on");
    go_on(s);
    return false;
}

static void on_data(void *ctx, const uint8_t *p, size_t n)
{
    struct source *s = ctx;
    struct state *st = s->state;
    if (buf_len(&st->body) + n > KUBERNETES_BODY_MAX) {
        too_big(s);
        return;
    }
    must_do(buf_append(&st->body, p, n)); /* bounded above */
    if (st->machine.want == KUBERNETES_WATCH && take_lines(s) && buf_len(&st->body) == 0)
        buf_release(&st->body);
}

static ns_t retry_after(const struct headers *h)
{
    const struct header *f = headers_find(h, TOKEN_RETRY_AFTER);
    uint64_t seconds = 0;
    for (uint32_t i = 0; f && i < f->value_n && i < 6; i++) {
        if (f->value[i] < '0' || f->value[i] > '9')
            return 0; /* a date: the backoff will do */
        seconds = seconds * 10 + (uint64_t)(f->value[i] - '0');
    }
    return (ns_t)seconds * NS_PER_S;
}

static void on_response(void *ctx, unsigned status, const struct headers *h)
{
    struct source *s = ctx;
    struct state *st = s->state;
    char why[SOURCE_WHY_MAX];
    if (status == 200)
        return;
    stop_request(st);
    kubernetes_refusal(&st->machine, status, st->name_space, why, sizeof why);
    kubernetes_on_refused(&st->machine, status, retry_after(h), now_of(s), &s->rng);
    source_on_failed(s, st->machine.error, why);
    go_on(s);
}

static void on_page(struct source *s)
{
    struct state *st = s->state;
    struct slice body = slice_make(buf_head(&st->body), buf_len(&st->body));
    if (kubernetes_on_page(&st->machine, body, now_of(s), &s->rng))
        publish(s);
    else if (st->machine.failures > 0)
        source_on_failed(s, st->machine.error, "no list of EndpointSlices");
    go_on(s);
}

static void on_end(void *ctx, enum client_end end, const struct headers *trailers, const char *why)
{
    struct source *s = ctx;
    struct state *st = s->state;
    (void)trailers;
    bool list = st->machine.want == KUBERNETES_LIST;
    if (end == CLIENT_END_DONE && list) {
        on_page(s);
        return;
    }
    if (list || end == CLIENT_END_CONNECT || end == CLIENT_END_LIMIT) {
        failed(s, end == CLIENT_END_TIMEOUT ? LOOKUP_TIMEOUT : LOOKUP_FAILED, why);
        return;
    }
    uint32_t before = st->machine.failures;
    kubernetes_on_watch_end(&st->machine, now_of(s), &s->rng);
    if (st->machine.failures > before)
        source_on_failed(s, LOOKUP_FAILED, why[0] ? why : "the watch ended at once");
    go_on(s);
}

static const struct client_events events = {.on_response = on_response, .on_data = on_data, .on_end = on_end};

/* A continue token within a query. */
static void append_escaped(char *out, size_t size, const char *text)
{
    size_t n = strlen(out);
    for (; *text && n + 4 < size; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                     (*text >= 'A' && *text <= 'Z') || *text == '-' || *text == '_';
        n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

static ns_t make_path(struct source *s, char *out, size_t size)
{
    struct state *st = s->state;
    struct kubernetes *k = &st->machine;
    int n = snprintf(out, size, RESOURCE, st->name_space, st->service);
    if (k->want == KUBERNETES_LIST) {
        n += snprintf(out + n, size - (size_t)n, "&limit=%u%s", k->page, k->next ? "&continue=" : "");
        if (k->next)
            append_escaped(out, size, k->next);
        return LIST_NS;
    }
    uint64_t seconds = WATCH_MIN_S + rng_below(&s->rng, WATCH_MIN_S);
    n +=
        snprintf(out + n, size - (size_t)n,
                 "&watch=1&allowWatchBookmarks=true&timeoutSeconds=%llu&resourceVersion=", (unsigned long long)seconds);
    append_escaped(out, size, k->version);
    return (ns_t)seconds * NS_PER_S + WATCH_GRACE_NS;
}

static void ask(struct source *s)
{
    struct state *st = s->state;
    char path[3 * KUBERNETES_CONTINUE_MAX + 1024], error[TLS_ERROR_MAX] = "";
    if (!st->api) {
        failed(s, LOOKUP_FAILED, st->why);
        return;
    }
    ns_t timeout = make_path(s, path, sizeof path);
    kubernetes_on_asked(&st->machine, now_of(s));
    st->request = kube_api_get(st->api, slice_str(path), timeout, &events, s, error);
    if (!st->request)
        failed(s, LOOKUP_FAILED, error);
}

static void find_namespace(struct state *st, const struct kubernetes_conf *conf, const char *node)
{
    if (conf->name_space)
        snprintf(st->name_space, sizeof st->name_space, "%s", conf->name_space);
    else
        kube_api_namespace(st->name_space, sizeof st->name_space);
    if (!st->name_space[0])
        snprintf(st->name_space, sizeof st->name_space, "%s", node[0] ? node : "default");
}

static void start(struct source *s, const struct service_conf *conf)
{
    struct state *st = s->state = must_have(calloc(1, sizeof *st));
    const struct node_conf *node = &s->process->current->snapshot->node;
    st->service = must_have(strdup(conf->kubernetes.service));
    st->port = must_have(strdup(conf->kubernetes.port));
    st->zone = must_have(strdup(node->zone));
    find_namespace(st, &conf->kubernetes, node->name_space);
    kubernetes_init(&st->machine, &(struct slice_query){.port = st->port, .zone = st->zone});
    st->api = kube_api_ref(s->process, &conf->kubernetes, st->why);
    source_arm(s, st->machine.due);
}

static void stop(struct source *s)
{
    struct state *st = s->state;
    client_cancel(st->request);
    kube_api_unref(st->api);
    kubernetes_fini(&st->machine);
    buf_fini(&st->body);
    free(st->service);
    free(st->port);
    free(st->zone);
    free(st);
}

const struct source_kind source_kubernetes = {.start = start, .stop = stop, .on_timer = ask};
