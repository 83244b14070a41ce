/* Walks the JSON of a slice. */
#include "discovery/endpoint_slice.h"

#include <stdio.h>
#include <stdlib.h>

const char *endpoint_slice_version(const json_t *object)
{
    const char *version = json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
    return version && strlen(version) <= ENDPOINT_SLICE_VERSION_MAX ? version : "";
}

static bool is_number(const char *port)
{
    return port[0] >= '0' && port[0] <= '9' && port[strspn(port, "0123456789")] == '\0';
}

static bool is_wanted(const json_t *port, const char *want, json_int_t number)
{
    const char *name = json_string_value(json_object_get(port, "name"));
    return is_number(want) ? number == strtol(want, NULL, 10) : name && strcmp(name, want) == 0;
}

/* The number of the port that is wanted, 0 when the slice has none. */
static uint16_t find_port(const json_t *ports, const char *want)
{
    size_t i;
    json_t *port;
    json_array_foreach(ports, i, port)
    {
        const char *protocol = json_string_value(json_object_get(port, "protocol"));
        json_int_t number = json_integer_value(json_object_get(port, "port"));
        if (number > 0 && number <= UINT16_MAX && (!protocol || strcmp(protocol, "TCP") == 0) &&
            is_wanted(port, want, number))
            return (uint16_t)number;
    }
    return 0;
}

static bool condition(const json_t *conditions, const char *name, bool otherwise)
{
    const json_t *value = json_object_get(conditions, name);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static bool is_for(const json_t *zones, const char *zone)
{
    size_t i;
    json_t *entry;
    json_array_foreach(zones, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && zone[0] && strcmp(name, zone) == 0)
            return true;
    }
    return false;
}

static uint64_t pod_of(const json_t *endpoint)
{
    const json_t *ref = json_object_get(endpoint, "targetRef");
    const char *uid = json_string_value(json_object_get(ref, "uid"));
    const char *name = json_string_value(json_object_get(ref, "name"));
    uint64_t hash = uid ? slice_hash(slice_str(uid), 1) : name ? slice_hash(slice_str(name), 2) : 0;
    return hash;
}

static struct piece piece_of(const json_t *endpoint, const char *zone)
{
    const json_t *conditions = json_object_get(endpoint, "conditions");
    const json_t *zones = json_object_get(json_object_get(endpoint, "hints"), "forZones");
    struct piece p = {.pod = pod_of(endpoint)};
    p.ready = condition(conditions, "ready", true);
    p.serving = condition(conditions, "serving", p.ready);
    p.terminating = condition(conditions, "terminating", false);
    p.hinted = json_array_size(zones) > 0;
    p.ours = is_for(zones, zone);
    return p;
}

/* Kubernetes writes addresses without a port. */
static bool parse_ip(const char *text, enum address_kind kind, uint16_t port, struct address *ret)
{
    char full[80];
    int n = snprintf(full, sizeof full, kind == ADDRESS_IPV6 ? "[%s]:%u" : "%s:%u", text, port);
    return n > 0 && n < (int)sizeof full && address_parse(slice_str(full), NULL, ret) == ERR_NONE && ret->kind == kind;
}

/* The addresses of one endpoint are alike, and consumers take the first (EndpointSlice API). */
static void add(struct endpoint_slice *s, const json_t *endpoint, const struct slice_query *q, enum address_kind kind,
                uint16_t port)
{
    const char *text = json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0));
    struct piece p = piece_of(endpoint, q->zone);
    if (text && parse_ip(text, kind, port, &p.address))
        s->v[s->n++] = p;
}

static void add_all(struct endpoint_slice *s, const json_t *object, const struct slice_query *q)
{
    const json_t *endpoints = json_object_get(object, "endpoints");
    const char *type = json_string_value(json_object_get(object, "addressType"));
    uint16_t port = find_port(json_object_get(object, "ports"), q->port);
    size_t i;
    json_t *endpoint;
    if (port == 0 || !type || (strcmp(type, "IPv4") != 0 && strcmp(type, "IPv6") != 0))
        return;
    json_array_foreach(endpoints, i, endpoint)
    {
        if (s->n < ENDPOINT_SLICE_PIECES_MAX)
            add(s, endpoint, q, strcmp(type, "IPv6") == 0 ? ADDRESS_IPV6 : ADDRESS_IPV4, port);
    }
}

bool endpoint_slice_parse(struct endpoint_slice *s, const json_t *object, const struct slice_query *q)
{
    const char *name = json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
    const json_t *endpoints = json_object_get(object, "endpoints");
    *s = (struct endpoint_slice){0};
    if (!name || !name[0] || strlen(name) > ENDPOINT_SLICE_NAME_MAX ||
        (endpoints && !json_is_array(endpoints) && !json_is_null(endpoints)))
        return false;
    size_t n = json_array_size(endpoints);
    s->v = calloc((n < ENDPOINT_SLICE_PIECES_MAX ? n : ENDPOINT_SLICE_PIECES_MAX) + 1, sizeof *s->v);
    if (!s->v)
        return false;
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->version, sizeof s->version, "%s", endpoint_slice_version(object));
    add_all(s, object, q);
    return true;
}

void endpoint_slice_fini(struct endpoint_slice *s)
{
    free(s->v);
    *s = (struct endpoint_slice){0};
}
