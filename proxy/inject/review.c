/* Reads the pod as JSON and answers with a JSON patch (RFC 6902). */
#include "inject/review.h"

#include "conf/memory.h"
#include "inject/probe.h"

#include <stdio.h>
#include <stdlib.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static bool says_no(const json_t *map)
{
    return sidecar_is_unwanted(slice_str(text_of(map, SIDECAR_INJECT)));
}

static bool has_sidecar(const json_t *containers)
{
    size_t i;
    json_t *c;
    json_array_foreach(containers, i, c) if (strcmp(text_of(c, "name"), SIDECAR_NAME) == 0) return true;
    return false;
}

static bool is_wanted(const json_t *pod)
{
    const json_t *meta = json_object_get(pod, "metadata"), *spec = json_object_get(pod, "spec");
    return !says_no(json_object_get(meta, "annotations")) && !says_no(json_object_get(meta, "labels")) &&
           !has_sidecar(json_object_get(spec, "containers")) && !has_sidecar(json_object_get(spec, "initContainers")) &&
           !json_is_true(json_object_get(spec, "hostNetwork"));
}

static bool tune(struct sidecar *s, const json_t *pod, char error[SIDECAR_ERROR_MAX])
{
    json_t *annotations = json_object_get(json_object_get(pod, "metadata"), "annotations"), *value;
    const char *key;
    json_object_foreach(annotations, key, value)
    {
        const char *text = json_string_value(value);
        if (!sidecar_annotate(s, slice_str(key), slice_str(text ? text : ""), error))
            return false;
    }
    return true;
}

/* Replaces the probes that the sidecar is to make, and tells it. */
static bool move_probes(struct sidecar *s, const json_t *containers, json_t *patch, char error[SIDECAR_ERROR_MAX])
{
    size_t i;
    json_t *container;
    json_array_foreach(containers, i, container)
    {
        for (int k = 0; k < PROBE_KINDS; k++) {
            json_t *probe = json_object_get(container, probe_kinds[k]);
            struct probe_move move;
            if (!probe_judge(s, container, probe, &move, error))
                return false;
            if (!move.handler)
                continue;
            if (!probe_add(s, &move, error))
                return false;
            char path[64];
            snprintf(path, sizeof path, "/spec/containers/%zu/%s", i, probe_kinds[k]);
            json_t *moved = json_copy(probe);
            json_object_del(moved, move.handler);
            json_object_set_new(moved, "httpGet", probe_handler(s, &move));
            json_array_append_new(patch, json_pack("{s:s, s:s, s:o}", "op", "replace", "path", path, "value", moved));
        }
    }
    return true;
}

static void add(json_t *patch, const char *path, json_t *value)
{
    json_array_append_new(patch, json_pack("{s:s, s:s, s:o}", "op", "add", "path", path, "value", value));
}

/* Adding to a list that is there puts ours first and keeps the user's. */
static void fill_patch(json_t *patch, const struct sidecar *s, const json_t *spec)
{
    json_t *volumes = sidecar_volumes(s), *volume, *capture;
    size_t i;
    if (!json_is_array(json_object_get(spec, "initContainers")))
        add(patch, "/spec/initContainers", json_array());
    add(patch, "/spec/initContainers/0", sidecar_container(s));
    if ((capture = sidecar_capture(s)))
        add(patch, "/spec/initContainers/0", capture);
    if (!json_is_array(json_object_get(spec, "volumes")))
        add(patch, "/spec/volumes", json_array());
    json_array_foreach(volumes, i, volume) add(patch, "/spec/volumes/-", json_incref(volume));
    json_decref(volumes);
}

/* RFC 4648, section 4. */
static char *base64(const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(s), o = 0;
    char *out = malloc((n + 2) / 3 * 4 + 1);
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)s[i] << 16 | (i + 1 < n ? (uint32_t)(uint8_t)s[i + 1] << 8 : 0) |
                     (i + 2 < n ? (uint32_t)(uint8_t)s[i + 2] : 0);
        out[o++] = digits[v >> 18];
        out[o++] = digits[v >> 12 & 63];
        out[o++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        out[o++] = i + 2 < n ? digits[v & 63] : '=';
    }
    out[o] = '\0';
    return out;
}

static json_t *patched(const char *uid, json_t *patch)
{
    char *dumped = json_dumps(patch, JSON_COMPACT), *encoded = dumped ? base64(dumped) : NULL;
    json_t *response = encoded ? json_pack("{s:s, s:b, s:s, s:s}", "uid", uid, "allowed", 1, "patchType", "JSONPatch",
                                           "patch", encoded)
                               : NULL;
    free(encoded);
    free(dumped);
    return response;
}

/* The response, or NULL when memory is out. */
static json_t *respond(const json_t *request, const struct sidecar *defaults)
{
    const char *uid = text_of(request, "uid");
    const json_t *pod = json_object_get(request, "object");
    struct sidecar s = *defaults;
    char why[SIDECAR_ERROR_MAX];
    bool is_pod = strcmp(text_of(json_object_get(request, "kind"), "kind"), "Pod") == 0 && json_is_object(pod);
    if (!is_pod || !is_wanted(pod))
        return json_pack("{s:s, s:b}", "uid", uid, "allowed", 1);
    json_t *patch = json_array(), *spec = json_object_get(pod, "spec"), *response;
    if (tune(&s, pod, why) && move_probes(&s, json_object_get(spec, "containers"), patch, why)) {
        fill_patch(patch, &s, spec);
        response = patched(uid, patch);
    } else {
        response =
            json_pack("{s:s, s:b, s:{s:i, s:s}}", "uid", uid, "allowed", 0, "status", "code", 400, "message", why);
    }
    json_decref(patch);
    return response;
}

bool review_answer(struct slice text, const struct sidecar *defaults, struct buf *out, char error[SIDECAR_ERROR_MAX])
{
    json_error_t where;
    json_t *review = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &where), *answer = NULL;
    json_t *request = json_object_get(review, "request");
    char *dumped = NULL;
    if (!review)
        snprintf(error, SIDECAR_ERROR_MAX, "not JSON: %.200s", where.text);
    else if (strcmp(text_of(review, "apiVersion"), "admission.k8s.io/v1") != 0 || !*text_of(request, "uid"))
        snprintf(error, SIDECAR_ERROR_MAX, "not an AdmissionReview of admission.k8s.io/v1 with a request");
    else if ((answer = respond(request, defaults)))
        answer = json_pack("{s:s, s:s, s:o}", "apiVersion", "admission.k8s.io/v1", "kind", "AdmissionReview",
                           "response", answer);
    if (review && answer)
        dumped = json_dumps(answer, JSON_COMPACT);
    bool done = dumped != NULL;
    if (done)
        memory_append(out, slice_str(dumped));
    free(dumped);
    json_decref(answer);
    json_decref(review);
    return done;
}
