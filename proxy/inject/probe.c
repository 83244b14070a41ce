/* Ports by number or name, handlers to paths and back. */
#include "inject/probe.h"

#include "base/address.h"
#include "base/probe_path.h"
#include "capture/capture.h"

#include <stdio.h>

const char *const probe_kinds[PROBE_KINDS] = {"startupProbe", "readinessProbe", "livenessProbe"};

static const struct {
    const char *handler, *word;
} handlers[] = {{"grpc", "grpc"}, {"httpGet", "http"}, {"tcpSocket", "tcp"}};

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static uint16_t number_of(const json_t *v)
{
    json_int_t i = json_integer_value(v);
    uint16_t port = 0;
    if (json_is_integer(v))
        return i > 0 && i <= UINT16_MAX ? (uint16_t)i : 0;
    return json_is_string(v) && address_parse_port(slice_str(json_string_value(v)), &port) ? port : 0;
}

/* 0: none. */
static uint16_t port_of(const json_t *container, const json_t *v)
{
    const json_t *ports = json_object_get(container, "ports"), *port;
    size_t i;
    if (number_of(v) > 0 || !json_is_string(v))
        return number_of(v);
    json_array_foreach(ports, i, port)
    {
        if (strcmp(text_of(port, "name"), json_string_value(v)) == 0)
            return number_of(json_object_get(port, "containerPort"));
    }
    return 0;
}

static bool is_taken(const char *ports, uint16_t port)
{
    struct capture c;
    char error[CAPTURE_ERROR_MAX];
    capture_init(&c);
    return *ports && capture_take_ports(&c, CAPTURE_INBOUND, slice_str(ports), error) &&
           capture_has(&c, CAPTURE_INBOUND, port);
}

static bool complain(char error[SIDECAR_ERROR_MAX], const json_t *container, const char *what)
{
    snprintf(error, SIDECAR_ERROR_MAX, "container %.64s: its probe of a captured port %s", text_of(container, "name"),
             what);
    return false;
}

/* What the sidecar cannot do as the kubelet would. */
static const char *hindrance(const json_t *handler)
{
    if (strcmp(text_of(handler, "scheme"), "HTTPS") == 0)
        return "has scheme HTTPS, which the sidecar does not speak to the app";
    if (json_array_size(json_object_get(handler, "httpHeaders")) > 0)
        return "has httpHeaders, which the sidecar does not send";
    return NULL;
}

static bool write_path(struct probe_move *m, const char *word, uint16_t port, const char *rest)
{
    bool tcp = strcmp(word, "tcp") == 0;
    int n = snprintf(m->path, sizeof m->path, PROBE_PATH_PREFIX "%s/%u%s%s", word, port, tcp || *rest == '/' ? "" : "/",
                     rest);
    return n > 0 && (size_t)n < sizeof m->path && strcspn(m->path, " \"\\#\t\r\n") == (size_t)n;
}

bool probe_judge(const struct sidecar *s, const json_t *container, const json_t *probe, struct probe_move *ret,
                 char error[SIDECAR_ERROR_MAX])
{
    *ret = (struct probe_move){0};
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        const json_t *h = json_object_get(probe, handlers[i].handler);
        uint16_t port = port_of(container, json_object_get(h, "port"));
        if (!h || *text_of(h, "host") || !(is_taken(s->capture_inbound, port) || is_taken(s->probe_ports, port)))
            continue;
        const char *why = hindrance(h);
        if (why)
            return complain(error, container, why);
        if (!write_path(ret, handlers[i].word, port, text_of(h, i == 0 ? "service" : i == 1 ? "path" : "host")))
            return complain(error, container, "has a path or service that is too long or has blanks or quotes in it");
        ret->handler = handlers[i].handler;
    }
    return true;
}

json_t *probe_handler(const struct sidecar *s, const struct probe_move *m)
{
    return json_pack("{s:s, s:i}", "path", m->path, "port", s->admin_port);
}

static bool is_listed(const char *listed, const char *path)
{
    size_t n = strlen(path);
    for (const char *at = listed; (at = strstr(at, path)); at += n)
        if ((at == listed || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

bool probe_add(struct sidecar *s, const struct probe_move *m, char error[SIDECAR_ERROR_MAX])
{
    size_t n = strlen(s->probes);
    if (is_listed(s->probes, m->path))
        return true;
    if (n + strlen(m->path) + 2 > sizeof s->probes) {
        snprintf(error, SIDECAR_ERROR_MAX, "too many probes of captured ports");
        return false;
    }
    snprintf(s->probes + n, sizeof s->probes - n, "%s%s", n ? " " : "", m->path);
    return true;
}

json_t *probe_restore(struct slice path)
{
    struct slice prefix = SLICE(PROBE_PATH_PREFIX);
    struct probe_path probe;
    if (!slice_starts(path, prefix) || !probe_path_parse(slice_sub(path, prefix.n, path.n), &probe))
        return NULL;
    switch (probe.kind) {
    case PROBE_TCP:
        return json_pack("{s:{s:i}}", "tcpSocket", "port", probe.port);
    case PROBE_HTTP:
        return json_pack("{s:{s:s%, s:i}}", "httpGet", "path", probe.rest.p, probe.rest.n, "port", probe.port);
    case PROBE_GRPC:
        break;
    }
    if (probe.rest.n <= 1)
        return json_pack("{s:{s:i}}", "grpc", "port", probe.port);
    return json_pack("{s:{s:i, s:s%}}", "grpc", "port", probe.port, "service", probe.rest.p + 1, probe.rest.n - 1);
}
