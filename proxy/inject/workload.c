/* A table of kinds, and the two questions that a pod is asked. */
#include "inject/workload.h"

#include "inject/sidecar.h"

struct kind {
    const char *kind, *group; /* group: apiVersion "v1", or what stands before the slash */
    const char *path;         /* from the object to its pod template */
};

static const struct kind services[] = {{"Service", "v1", ""}, {NULL, NULL, NULL}};
static const struct kind pods[] = {
    {"Pod", "v1", ""},
    {"PodTemplate", "v1", "template"},
    {"ReplicationController", "v1", "spec.template"},
    {"Deployment", "apps", "spec.template"},
    {"StatefulSet", "apps", "spec.template"},
    {"DaemonSet", "apps", "spec.template"},
    {"ReplicaSet", "apps", "spec.template"},
    {"Job", "batch", "spec.template"},
    {"CronJob", "batch", "spec.jobTemplate.spec.template"},
    {NULL, NULL, NULL},
};

static bool ends_with(struct slice s, const char *tail)
{
    size_t n = strlen(tail);
    return s.n >= n && memcmp(s.p + s.n - n, tail, n) == 0;
}

static void each(const struct kind *kinds, struct span *object, void (*found)(void *ctx, const struct workload *w),
                 void *ctx)
{
    struct slice kind = span_text(span_get(object, "kind"));
    struct slice version = span_text(span_get(object, "apiVersion"));
    struct slice group = slice_sub(version, 0, slice_find(version, '/'));
    struct span *items = span_get(object, "items");
    if (ends_with(kind, "List") && items && items->kind == SPAN_LIST) {
        SPAN_FOR(item, items)
        each(kinds, item, found, ctx);
        return;
    }
    for (size_t i = 0; kinds[i].kind; i++) {
        struct span *pod;
        if (!slice_eq(kind, slice_str(kinds[i].kind)) || !slice_eq(group, slice_str(kinds[i].group)))
            continue;
        pod = span_find(object, kinds[i].path);
        if (pod)
            found(ctx, &(struct workload){.kind = kind,
                                          .name = span_text(span_find(object, "metadata.name")),
                                          .name_space = span_text(span_find(object, "metadata.namespace")),
                                          .metadata = span_get(pod, "metadata"),
                                          .spec = span_get(pod, "spec")});
    }
}

void workload_each(const struct manifest *m, void (*found)(void *ctx, const struct workload *w), void *ctx)
{
    for (struct span *d = m->documents; d; d = d->next)
        each(pods, d, found, ctx);
}

void service_each(const struct manifest *m, void (*found)(void *ctx, const struct workload *w), void *ctx)
{
    for (struct span *d = m->documents; d; d = d->next)
        each(services, d, found, ctx);
}

bool workload_has_sidecar(const struct workload *w)
{
    const char *const lists[] = {"initContainers", "containers"};
    for (int i = 0; i < 2; i++)
        SPAN_FOR(c, span_get(w->spec, lists[i]))
    if (slice_eq(span_text(span_get(c, "name")), SLICE(SIDECAR_NAME)))
        return true;
    return false;
}

static bool says_no(const struct span *map)
{
    return sidecar_is_unwanted(span_text(span_get(map, SIDECAR_INJECT)));
}

bool workload_opts_out(const struct workload *w)
{
    return says_no(span_get(w->metadata, "annotations")) || says_no(span_get(w->metadata, "labels"));
}
