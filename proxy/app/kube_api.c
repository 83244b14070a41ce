/* Files and environment of a pod, and the client. */
#include "app/kube_api.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

struct kube_api {
    struct process *process;
    char *key, *token, *ca, *host; /* paths; host as certificates write it */
    struct tls_context *tls;       /* NULL: not made yet */
    uint64_t ca_mark;
    struct address address;
    char authority[ADDRESS_TEXT_MAX];
    char name[ADDRESS_TEXT_MAX]; /* storage of the address */
    struct client *client;
    uint32_t refs;
    struct list node; /* in process->apis */
};

static const char *or_else(const char *s, const char *otherwise)
{
    return s ? s : otherwise;
}

/* The text of a small file without the white space at its end; false when it cannot be read or is too long. */
static bool read_text(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, size, f) : size;
    if (f)
        fclose(f);
    if (n >= size)
        return false;
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r' || out[n - 1] == ' '))
        n--;
    out[n] = '\0';
    return n > 0;
}

void kube_api_namespace(char *out, size_t size)
{
    if (!read_text(ACCOUNT "namespace", out, size))
        out[0] = '\0';
}

/* "host:port" of the configuration, or of what a pod is told. */
static bool find_place(const struct kubernetes_conf *conf, char *out, size_t size)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (conf->api) {
        snprintf(out, size, "%s", conf->api + strlen("https://"));
        size_t n = strlen(out);
        if (n > 0 && out[n - 1] == '/')
            out[n - 1] = '\0';
        return true;
    }
    if (!host || !port)
        return false;
    snprintf(out, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return true;
}

/* What the certificate of the server must be for: the host without brackets and port. */
static char *host_of(const char *place)
{
    const char *end = strrchr(place, ':');
    size_t n = end ? (size_t)(end - place) : strlen(place);
    bool brackets = place[0] == '[' && n > 2;
    return must_have(strndup(place + brackets, n - (brackets ? 2 : 0)));
}

static struct kube_api *find(struct process *p, const char *key)
{
    LIST_FOR(n, &p->apis) {
        struct kube_api *api = CONTAINER_OF(n, struct kube_api, node);
        if (strcmp(api->key, key) == 0)
            return api;
    }
    return NULL;
}

static struct kube_api *make(struct process *p, const struct kubernetes_conf *conf, const char *key, const char *place)
{
    struct kube_api *api = must_have(calloc(1, sizeof *api));
    api->process = p;
    api->key = must_have(strdup(key));
    api->token = must_have(strdup(or_else(conf->token, ACCOUNT "token")));
    api->ca = must_have(strdup(or_else(conf->ca, ACCOUNT "ca.crt")));
    api->host = host_of(place);
    snprintf(api->authority, sizeof api->authority, "%s", place);
    list_push_back(&p->apis, &api->node);
    if (address_parse(slice_str(api->authority), api->name, &api->address) != ERR_NONE)
        api->address = (struct address){.kind = ADDRESS_NAME, .name = api->host};
    return api;
}

struct kube_api *kube_api_ref(struct process *p, const struct kubernetes_conf *conf, char *error)
{
    char key[3 * 4096 + 16], place[ADDRESS_TEXT_MAX];
    snprintf(key, sizeof key, "%s|%s|%s", or_else(conf->api, ""), or_else(conf->token, ""), or_else(conf->ca, ""));
    struct kube_api *api = find(p, key);
    if (!api && !find_place(conf, place, sizeof place)) {
        snprintf(error, TLS_ERROR_MAX, "no API server: KUBERNETES_SERVICE_HOST is not set, and there is no api");
        return NULL;
    }
    if (!api)
        api = make(p, conf, key, place);
    api->refs++;
    return api;
}

void kube_api_unref(struct kube_api *api)
{
    if (!api || --api->refs > 0)
        return;
    list_remove(&api->node);
    client_free(api->client);
    tls_context_unref(api->tls);
    free(api->key);
    free(api->token);
    free(api->ca);
    free(api->host);
    free(api);
}

/* The authorities as their file says now. A file that went bad leaves what was good. */
static bool renew_tls(struct kube_api *api, char *error)
{
    uint64_t mark = file_fingerprint(api->ca);
    if (api->tls && mark == api->ca_mark)
        return true;
    struct tls_config config = {.files.trust = api->ca};
    struct tls_context *tls = tls_context_new(&config, error);
    if (!tls)
        return api->tls != NULL;
    tls_context_unref(api->tls);
    api->tls = tls;
    api->ca_mark = mark;
    if (api->client)
        client_set_tls(api->client, tls);
    return true;
}

static bool connect_client(struct kube_api *api, char *error)
{
    struct process *p = api->process;
    bool ip = api->address.kind != ADDRESS_NAME;
    if (!p->clients)
        p->clients = must_have(client_env_new(p->loop));
    if (!api->client)
        api->client = client_new(p->clients, &(struct client_target){.address = api->address,
                                                                     .authority = api->authority,
                                                                     .tls = api->tls,
                                                                     .expect = {.server_name = ip ? NULL : api->host,
                                                                                .dns = ip ? NULL : api->host,
                                                                                .ip = ip ? api->host : NULL}});
    if (!api->client)
        snprintf(error, TLS_ERROR_MAX, "out of memory");
    return api->client != NULL;
}

struct client_request *kube_api_get(struct kube_api *api, struct slice path, ns_t timeout_ns,
                                    const struct client_events *events, void *ctx, char *error)
{
    char bearer[KUBE_API_TOKEN_MAX + 8] = "Bearer ";
    if (!renew_tls(api, error) || !connect_client(api, error))
        return NULL;
    if (!read_text(api->token, bearer + 7, KUBE_API_TOKEN_MAX)) {
        snprintf(error, TLS_ERROR_MAX, "%.150s: cannot be read as a token", api->token);
        return NULL;
    }
    struct header fields[] = {client_field("accept", SLICE("application/json")),
                              client_field("authorization", slice_str(bearer)),
                              client_field("user-agent", SLICE("outrigger/" OUTRIGGER_VERSION))};
    fields[1].flags = HEADER_NEVER_INDEX;
    struct client_request *r = client_open(
        api->client,
        &(struct client_call){.method = "GET", .path = path, .fields = fields, .fields_n = 3, .timeout_ns = timeout_ns},
        events, ctx);
    explicit_bzero(bearer, sizeof bearer);
    if (!r)
        snprintf(error, TLS_ERROR_MAX, "too many requests to the API server");
    return r;
}
