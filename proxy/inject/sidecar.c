/* Defaults, annotations, and the fields of the container. */
#include "inject/sidecar.h"

#include "capture/capture.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MAX = 64 };

#define CONFIG_FOLDER "/etc/outrigger/config"
#define TLS_FOLDER    "/etc/outrigger/tls"
#define SPIRE_FOLDER  "/spiffe-workload-api"

void sidecar_init(struct sidecar *s)
{
    *s = (struct sidecar){.image = "outrigger:" OUTRIGGER_VERSION,
                          .config_map = "outrigger",
                          .secret = "outrigger-tls",
                          .cpu_request = "50m",
                          .memory_request = "32Mi",
                          .memory_limit = "128Mi",
                          .ports = {8443},
                          .ports_n = 1,
                          .admin_port = 9901,
                          .to_outbound = CAPTURE_TO_OUTBOUND,
                          .uid = CAPTURE_UID};
}

/* At most so many bytes of a text, and no half of a character: the error becomes JSON. */
static struct slice cut(struct slice s, size_t max)
{
    size_t at = 0;
    while (at < s.n) {
        size_t n = slice_utf8(slice_sub(s, at, s.n));
        if (at + (n ? n : 1) > max)
            break;
        at += n ? n : 1;
    }
    return slice_sub(s, 0, at);
}

static bool complain(char error[SIDECAR_ERROR_MAX], struct slice key, struct slice value, const char *expected)
{
    struct slice shown = cut(value, SHOWN_MAX);
    snprintf(error, SIDECAR_ERROR_MAX, "%s%.*s: \"%.*s\", expected %s", SIDECAR_PREFIX, (int)key.n, key.p, (int)shown.n,
             shown.p, expected);
    return false;
}

/* Letters, digits and the marks that image names, object names and quantities have: no way to break out of a text. */
static bool is_plain(struct slice v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:@", v.p[i]) || !v.p[i])
            return false;
    return v.n > 0;
}

static bool take_text(char *out, size_t size, struct slice v)
{
    if (!is_plain(v) || v.n >= size)
        return false;
    snprintf(out, size, "%.*s", (int)v.n, v.p);
    return true;
}

static bool take_port(uint16_t *out, struct slice v)
{
    unsigned number = 0;
    for (size_t i = 0; i < v.n && number <= UINT16_MAX; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
        number = number * 10 + (unsigned)(v.p[i] - '0');
    }
    *out = (uint16_t)number;
    return number > 0 && number <= UINT16_MAX;
}

static bool take_ports(uint16_t *ports, size_t *ret_n, struct slice v)
{
    size_t n = 0;
    while (v.n > 0 && n < SIDECAR_PORTS_MAX) {
        size_t end = slice_find(v, ',');
        struct slice one = slice_sub(v, 0, end);
        while (one.n > 0 && one.p[0] == ' ')
            one = slice_sub(one, 1, one.n);
        if (!take_port(&ports[n++], one))
            return false;
        v = slice_sub(v, end + (end < v.n), v.n);
    }
    *ret_n = n;
    return n > 0 && v.n == 0;
}

static bool take_tls(struct sidecar *s, struct slice v)
{
    static const char *const names[] = {"secret", "csi", "spire", "none"};
    for (int i = 0; i < 4; i++)
        if (slice_eq(v, slice_str(names[i]))) {
            s->tls = (enum sidecar_tls)i;
            return true;
        }
    return false;
}

/* A list that `outrigger capture` takes, or nothing. */
static bool take_captured(char *out, struct slice v)
{
    struct capture c;
    char error[CAPTURE_ERROR_MAX];
    capture_init(&c);
    if (v.n >= SIDECAR_TEXT_MAX || (v.n > 0 && !capture_take_ports(&c, CAPTURE_INBOUND, v, error)))
        return false;
    snprintf(out, SIDECAR_TEXT_MAX, "%.*s", (int)v.n, v.p);
    return true;
}

/* The root user is for the container that captures alone. */
static bool take_uid(uint32_t *out, struct slice v)
{
    uint32_t uid;
    if (!capture_take_uid(&uid, v) || uid == 0)
        return false;
    *out = uid;
    return true;
}

/* The keys of what is captured; *ret_known: it is one. */
static bool set_capture(struct sidecar *s, struct slice key, struct slice value, char error[SIDECAR_ERROR_MAX],
                        bool *ret_known)
{
    char *to = slice_eq(key, SLICE("capture-inbound"))    ? s->capture_inbound
               : slice_eq(key, SLICE("capture-outbound")) ? s->capture_outbound
               : slice_eq(key, SLICE("probe-ports"))      ? s->probe_ports
                                                          : NULL;
    *ret_known = true;
    if (to)
        return take_captured(to, value) || complain(error, key, value, "ports such as 50051,60000-60010, none twice");
    if (slice_eq(key, SLICE("uid")))
        return take_uid(&s->uid, value) || complain(error, key, value, "the number of a user that is not root");
    *ret_known = false;
    return false;
}

bool sidecar_set(struct sidecar *s, struct slice key, struct slice value, char error[SIDECAR_ERROR_MAX])
{
    const struct {
        const char *key;
        char *to;
        size_t size;
    } texts[] = {{"image", s->image, sizeof s->image},
                 {"config", s->config_map, sizeof s->config_map},
                 {"tls-secret", s->secret, sizeof s->secret},
                 {"policy", s->policy, sizeof s->policy},
                 {"cpu-request", s->cpu_request, sizeof s->cpu_request},
                 {"memory-request", s->memory_request, sizeof s->memory_request},
                 {"cpu-limit", s->cpu_limit, sizeof s->cpu_limit},
                 {"memory-limit", s->memory_limit, sizeof s->memory_limit}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (slice_eq(key, slice_str(texts[i].key)))
            return take_text(texts[i].to, texts[i].size, value) ||
                   complain(error, key, value, "a name of letters, digits and -._/:@");
    if (slice_eq(key, SLICE("ports")))
        return take_ports(s->ports, &s->ports_n, value) ||
               complain(error, key, value, "at most 16 port numbers with commas between");
    if (slice_eq(key, SLICE("app-ports")))
        return take_ports(s->app_ports, &s->app_ports_n, value) ||
               complain(error, key, value, "at most 16 port numbers with commas between, in the order of ports");
    if (slice_eq(key, SLICE("admin-port")))
        return take_port(&s->admin_port, value) || complain(error, key, value, "a port number");
    bool known, taken = set_capture(s, key, value, error, &known);
    if (known)
        return taken;
    if (slice_eq(key, SLICE("certificates")))
        return take_tls(s, value) || complain(error, key, value, "secret, csi, spire or none");
    struct slice shown = cut(key, SHOWN_MAX);
    snprintf(
        error, SIDECAR_ERROR_MAX,
        "%s%.*s: not known, expected inject, image, ports, app-ports, admin-port, capture-inbound, capture-outbound, "
        "probe-ports, uid, config, certificates, tls-secret, policy, cpu-request, memory-request, cpu-limit or "
        "memory-limit",
        SIDECAR_PREFIX, (int)shown.n, shown.p);
    return false;
}

bool sidecar_annotate(struct sidecar *s, struct slice key, struct slice value, char error[SIDECAR_ERROR_MAX])
{
    struct slice prefix = SLICE(SIDECAR_PREFIX);
    if (!slice_starts(key, prefix) || slice_eq(key, SLICE(SIDECAR_INJECT)))
        return true;
    return sidecar_set(s, slice_sub(key, prefix.n, key.n), value, error);
}

bool sidecar_is_unwanted(struct slice value)
{
    return slice_eq(value, SLICE("false")) || slice_eq(value, SLICE("disabled"));
}

static json_t *probe(const struct sidecar *s, const char *path, int period_s, int failures)
{
    return json_pack("{s:{s:s, s:i}, s:i, s:i}", "httpGet", "path", path, "port", s->admin_port, "periodSeconds",
                     period_s, "failureThreshold", failures);
}

static json_t *ports(const struct sidecar *s)
{
    json_t *all = json_array();
    char name[16];
    for (size_t i = 0; i < s->ports_n; i++) {
        snprintf(name, sizeof name, i == 0 ? "outrigger-in" : "outrigger-in-%zu", i);
        json_array_append_new(all, json_pack("{s:s, s:i}", "name", name, "containerPort", s->ports[i]));
    }
    json_array_append_new(all, json_pack("{s:s, s:i}", "name", "outrigger-admin", "containerPort", s->admin_port));
    return all;
}

static void add_field(json_t *env, const char *name, const char *path)
{
    json_array_append_new(env,
                          json_pack("{s:s, s:{s:{s:s}}}", "name", name, "valueFrom", "fieldRef", "fieldPath", path));
}

/* What ${VAR} can name in the configuration. */
static json_t *environment(const struct sidecar *s)
{
    json_t *env = json_array();
    add_field(env, "POD_NAME", "metadata.name");
    add_field(env, "POD_NAMESPACE", "metadata.namespace");
    add_field(env, "POD_IP", "status.podIP");
    add_field(env, "NODE_NAME", "spec.nodeName");
    add_field(env, "SERVICE_ACCOUNT", "spec.serviceAccountName");
    add_field(env, "ZONE", "metadata.labels['topology.kubernetes.io/zone']");
    if (*s->policy)
        json_array_append_new(env, json_pack("{s:s, s:s}", "name", "OUTRIGGER_POLICY", "value", s->policy));
    if (*s->probes)
        json_array_append_new(env, json_pack("{s:s, s:s}", "name", "OUTRIGGER_PROBES", "value", s->probes));
    if (s->tls == SIDECAR_TLS_SPIRE)
        json_array_append_new(env, json_pack("{s:s, s:s}", "name", "SPIFFE_ENDPOINT_SOCKET", "value",
                                             "unix://" SPIRE_FOLDER "/spire-agent.sock"));
    return env;
}

static void add_quantity(json_t *to, const char *key, const char *value)
{
    if (*value)
        json_object_set_new(to, key, json_string(value));
}

static json_t *resources(const struct sidecar *s)
{
    json_t *requests = json_object(), *limits = json_object(), *all = json_object();
    add_quantity(requests, "cpu", s->cpu_request);
    add_quantity(requests, "memory", s->memory_request);
    add_quantity(limits, "cpu", s->cpu_limit);
    add_quantity(limits, "memory", s->memory_limit);
    if (json_object_size(requests))
        json_object_set(all, "requests", requests);
    if (json_object_size(limits))
        json_object_set(all, "limits", limits);
    json_decref(requests);
    json_decref(limits);
    return all;
}

static json_t *security(const struct sidecar *s)
{
    return json_pack("{s:b, s:b, s:b, s:I, s:{s:[s]}, s:{s:s}}", "allowPrivilegeEscalation", 0,
                     "readOnlyRootFilesystem", 1, "runAsNonRoot", 1, "runAsUser", (json_int_t)s->uid, "capabilities",
                     "drop", "ALL", "seccompProfile", "type", "RuntimeDefault");
}

static json_t *mount(const char *name, const char *path)
{
    return json_pack("{s:s, s:s, s:b}", "name", name, "mountPath", path, "readOnly", 1);
}

static json_t *mounts(const struct sidecar *s)
{
    json_t *all = json_array();
    json_array_append_new(all, mount(SIDECAR_VOLUMES "config", CONFIG_FOLDER));
    switch (s->tls) {
    case SIDECAR_TLS_SECRET:
    case SIDECAR_TLS_CSI:
        json_array_append_new(all, mount(SIDECAR_VOLUMES "tls", TLS_FOLDER));
        break;
    case SIDECAR_TLS_SPIRE:
        json_array_append_new(all, mount(SIDECAR_VOLUMES "spire", SPIRE_FOLDER));
        break;
    case SIDECAR_TLS_NONE:
        break;
    }
    return all;
}

json_t *sidecar_container(const struct sidecar *s)
{
    json_t *c = json_pack("{s:s, s:s, s:s, s:[s, s, s]}", "name", SIDECAR_NAME, "image", s->image, "restartPolicy",
                          "Always", "args", "run", "-c", CONFIG_FOLDER "/outrigger.yaml");
    json_object_set_new(c, "ports", ports(s));
    json_object_set_new(c, "env", environment(s));
    json_object_set_new(c, "startupProbe", probe(s, "/ready", 1, 60));
    json_object_set_new(c, "readinessProbe", probe(s, "/ready", 2, 1));
    json_object_set_new(c, "livenessProbe", probe(s, "/live", 10, 3));
    json_object_set_new(c, "resources", resources(s));
    json_object_set_new(c, "securityContext", security(s));
    json_object_set_new(c, "volumeMounts", mounts(s));
    return c;
}

static void add_argument(json_t *args, const char *option, const char *value)
{
    json_array_append_new(args, json_string(option));
    json_array_append_new(args, json_string(value));
}

static void add_number(json_t *args, const char *option, unsigned value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    add_argument(args, option, text);
}

static json_t *capture_arguments(const struct sidecar *s)
{
    json_t *args = json_pack("[s]", "capture");
    if (*s->capture_inbound) {
        add_argument(args, "--inbound", s->capture_inbound);
        add_number(args, "--to-inbound", s->to_inbound ? s->to_inbound : s->ports[0]);
    }
    if (*s->capture_outbound) {
        add_argument(args, "--outbound", s->capture_outbound);
        add_number(args, "--to-outbound", s->to_outbound);
    }
    add_number(args, "--uid", s->uid);
    return args;
}

/* Root with one capability: what changes the rules of the pod's network. */
static json_t *capture_security(void)
{
    return json_pack("{s:b, s:b, s:b, s:i, s:{s:[s], s:[s]}, s:{s:s}}", "allowPrivilegeEscalation", 0,
                     "readOnlyRootFilesystem", 1, "runAsNonRoot", 0, "runAsUser", 0, "capabilities", "drop", "ALL",
                     "add", "NET_ADMIN", "seccompProfile", "type", "RuntimeDefault");
}

json_t *sidecar_capture(const struct sidecar *s)
{
    if (!*s->capture_inbound && !*s->capture_outbound)
        return NULL;
    json_t *c = json_pack("{s:s, s:s}", "name", SIDECAR_CAPTURE, "image", s->image);
    json_object_set_new(c, "args", capture_arguments(s));
    json_object_set_new(c, "resources", resources(s));
    json_object_set_new(c, "securityContext", capture_security());
    return c;
}

static json_t *csi_volume(const char *name, const char *driver)
{
    return json_pack("{s:s, s:{s:s, s:b}}", "name", name, "csi", "driver", driver, "readOnly", 1);
}

json_t *sidecar_volumes(const struct sidecar *s)
{
    json_t *all = json_array();
    json_array_append_new(
        all, json_pack("{s:s, s:{s:s}}", "name", SIDECAR_VOLUMES "config", "configMap", "name", s->config_map));
    switch (s->tls) {
    case SIDECAR_TLS_SECRET:
        json_array_append_new(
            all, json_pack("{s:s, s:{s:s}}", "name", SIDECAR_VOLUMES "tls", "secret", "secretName", s->secret));
        break;
    case SIDECAR_TLS_CSI:
        json_array_append_new(all, csi_volume(SIDECAR_VOLUMES "tls", "spiffe.csi.cert-manager.io"));
        break;
    case SIDECAR_TLS_SPIRE:
        json_array_append_new(all, csi_volume(SIDECAR_VOLUMES "spire", "csi.spiffe.io"));
        break;
    case SIDECAR_TLS_NONE:
        break;
    }
    return all;
}
