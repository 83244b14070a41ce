/* Goes through the workloads of a manifest and collects the edits. */
#include "inject/inject.h"

#include "base/address.h"
#include "conf/memory.h"
#include "inject/probe.h"
#include "inject/service.h"
#include "inject/splice.h"
#include "inject/workload.h"

#include <stdio.h>
#include <stdlib.h>

/* Owned by: inject_manifest or uninject_manifest, for its duration. */
struct pass {
    const struct manifest *m;
    const struct sidecar *defaults;
    struct edits edits;
    inject_note *note;
    void *ctx;
    bool marked; /* uninject: the comments, before the names */
    size_t changed;
    struct service_target *targets; /* inject: what Services may lead to; in the arena of the edits */
    size_t targets_n, targets_cap;
    bool failed;
};

static void say(struct pass *p, const struct workload *w, bool problem, const char *what)
{
    char line[512];
    snprintf(line, sizeof line, "%.*s %.*s: %s", (int)w->kind.n, w->kind.p, (int)w->name.n, w->name.p, what);
    p->failed |= problem;
    if (p->note)
        p->note(p->ctx, line, problem);
}

/* Applies the pod's annotations. */
static bool tune(struct sidecar *s, const struct workload *w, char error[SIDECAR_ERROR_MAX])
{
    SPAN_FOR(a, span_get(w->metadata, "annotations"))
    {
        if (!sidecar_annotate(s, a->key, span_text(a), error))
            return false;
    }
    return true;
}

/* Scalars that are whole numbers in plain style are numbers. */
static json_t *json_of(const struct span *s)
{
    uint16_t number;
    if (s->kind == SPAN_SCALAR)
        return s->plain && address_parse_port(s->text, &number) ? json_integer(number)
                                                                : json_stringn_nocheck(s->text.p, s->text.n);
    json_t *out = s->kind == SPAN_LIST ? json_array() : json_object();
    SPAN_FOR(child, s)
    {
        if (s->kind == SPAN_LIST)
            json_array_append_new(out, json_of(child));
        else
            json_object_setn_new_nocheck(out, child->key.p ? child->key.p : "", child->key.n, json_of(child));
    }
    return out;
}

static const char *move_probe(struct pass *p, struct sidecar *s, const struct span *container, const struct span *probe,
                              char error[SIDECAR_ERROR_MAX])
{
    struct probe_move move;
    json_t *c = json_of(container), *old = json_of(probe);
    bool good = probe_judge(s, c, old, &move, error) && (!move.handler || probe_add(s, &move, error));
    if (good && move.handler) {
        const struct span *entry = span_get(probe, move.handler);
        bool json = p->m->text.p[entry->key_start] == '"';
        char *text = memory_format(
            &p->edits.arena, json ? "\"httpGet\":{\"path\":\"%s\",\"port\":%u}" : "httpGet: { path: \"%s\", port: %u }",
            move.path, s->admin_port);
        splice_entry(&p->edits, p->m, entry, slice_str(text));
    }
    json_decref(c);
    json_decref(old);
    return good ? NULL : error;
}

static bool is_probe(struct slice key)
{
    bool found = false;
    for (int i = 0; i < PROBE_KINDS; i++)
        found |= slice_eq(key, slice_str(probe_kinds[i]));
    return found;
}

/* Those of captured ports ask the sidecar, one after the other as the text has them. NULL, or why that cannot be. */
static const char *move_probes(struct pass *p, const struct workload *w, struct sidecar *s,
                               char error[SIDECAR_ERROR_MAX])
{
    SPAN_FOR(container, span_get(w->spec, "containers"))
    {
        SPAN_FOR(probe, container)
        {
            const char *why = is_probe(probe->key) ? move_probe(p, s, container, probe, error) : NULL;
            if (why)
                return why;
        }
    }
    return NULL;
}

/* Without comments that tell what a probe was, the path does. */
static size_t restore_probe(struct pass *p, const struct span *probe)
{
    const struct span *get = span_get(probe, "httpGet");
    json_t *was = probe_restore(span_text(span_get(get, "path")));
    char *text = was ? json_dumps(was, JSON_COMPACT) : NULL;
    if (text)
        edits_add(&p->edits, get->key_start, get->end - get->key_start, slice_make(text + 1, strlen(text) - 2));
    free(text);
    json_decref(was);
    return was != NULL;
}

static size_t restore_probes(struct pass *p, const struct workload *w)
{
    size_t found = 0;
    SPAN_FOR(container, span_get(w->spec, "containers"))
    for (int i = 0; i < PROBE_KINDS; i++)
        found += restore_probe(p, span_get(container, probe_kinds[i]));
    return found;
}

static const char *insert_list(struct pass *p, const struct workload *w, const char *key, json_t *items)
{
    const char *why = splice_in(&p->edits, p->m, w->spec, key, items);
    json_decref(items);
    return why ? memory_format(&p->edits.arena, "its pod spec %s: %s", why, key) : NULL;
}

static const char *insert(struct pass *p, const struct workload *w, const struct sidecar *s)
{
    json_t *containers = json_array(), *capture = sidecar_capture(s);
    if (capture)
        json_array_append_new(containers, capture);
    json_array_append_new(containers, sidecar_container(s));
    const char *why = insert_list(p, w, "initContainers", containers);
    return why ? why : insert_list(p, w, "volumes", sidecar_volumes(s));
}

static void add_target(struct pass *p, struct service_target target)
{
    if (p->targets_n == p->targets_cap) {
        p->targets_cap = p->targets_cap ? p->targets_cap * 2 : 16;
        struct service_target *v = memory_array(&p->edits.arena, p->targets_cap, sizeof *v);
        for (size_t i = 0; i < p->targets_n; i++)
            v[i] = p->targets[i];
        p->targets = v;
    }
    p->targets[p->targets_n++] = target;
}

/* A Service leads to the first of its workloads that has the port. */
static void inject_service(void *ctx, const struct workload *service)
{
    struct pass *p = ctx;
    for (size_t i = 0; i < p->targets_n; i++)
        if (service_move(&p->edits, p->m, service, &p->targets[i]) > 0) {
            say(p, service, false, "leads to the sidecar");
            return;
        }
}

static void inject_workload(void *ctx, const struct workload *w)
{
    struct pass *p = ctx;
    struct sidecar s = *p->defaults;
    char error[SIDECAR_ERROR_MAX];
    const struct span *containers = span_get(w->spec, "containers");
    if (w->spec && w->spec->kind == SPAN_ALIAS) {
        say(p, w, true, "its pod spec is an alias, which cannot be edited in place: write it out");
        return;
    }
    if (!containers || containers->kind != SPAN_LIST) {
        say(p, w, true, "its pod spec has no list of containers");
        return;
    }
    bool there = workload_has_sidecar(w) && !workload_opts_out(w) && tune(&s, w, error);
    if (there)
        add_target(p, service_target_of(w, &s));
    if (there || workload_has_sidecar(w) || workload_opts_out(w)) {
        say(p, w, false, workload_has_sidecar(w) ? "has the sidecar already" : "opts out");
        return;
    }
    if (slice_eq(span_text(span_get(w->spec, "hostNetwork")), SLICE("true"))) {
        say(p, w, false, "left alone: it uses the host's network, where ports would collide");
        return;
    }
    const char *why = tune(&s, w, error) ? move_probes(p, w, &s, error) : error;
    if (!why)
        why = insert(p, w, &s);
    if (!why)
        add_target(p, service_target_of(w, &s));
    say(p, w, why != NULL, why ? why : "injected");
}

static bool is_container(struct slice name)
{
    return slice_eq(name, SLICE(SIDECAR_NAME)) || slice_eq(name, SLICE(SIDECAR_CAPTURE));
}

static bool is_volume(struct slice name)
{
    return slice_eq(name, SLICE(SIDECAR_VOLUMES "config")) || slice_eq(name, SLICE(SIDECAR_VOLUMES "tls")) ||
           slice_eq(name, SLICE(SIDECAR_VOLUMES "spire"));
}

static void uninject_service(void *ctx, const struct workload *service)
{
    struct pass *p = ctx;
    if (!p->marked || !service->spec || service->spec->kind != SPAN_MAP || service->spec->flow)
        return;
    if (splice_out_marked(&p->edits, p->m, service->spec) > 0)
        say(p, service, false, "leads to the app again");
}

static void uninject_workload(void *ctx, const struct workload *w)
{
    struct pass *p = ctx;
    size_t found;
    if (!w->spec || w->spec->kind != SPAN_MAP)
        return;
    if (p->marked) {
        found = w->spec->flow ? 0 : splice_out_marked(&p->edits, p->m, w->spec);
    } else {
        found = splice_out_named(&p->edits, p->m, w->spec, "initContainers", is_container);
        found += splice_out_named(&p->edits, p->m, w->spec, "volumes", is_volume);
        found += found ? restore_probes(p, w) : 0;
    }
    p->changed += found;
    if (found > 0)
        say(p, w, false, "taken out");
}

/* Reads, lets `each` collect edits, appends the result. */
static bool go_through(struct pass *p, struct slice text, struct buf *out,
                       void (*each)(void *ctx, const struct workload *w),
                       void (*each_service)(void *ctx, const struct workload *w))
{
    struct manifest m;
    p->m = &m;
    edits_init(&p->edits);
    if (manifest_read(&m, text)) {
        workload_each(&m, each, p);
        service_each(&m, each_service, p);
    } else {
        p->failed = true;
        if (p->note)
            p->note(p->ctx, m.error, true);
    }
    if (!p->failed)
        edits_apply(&p->edits, text, out);
    edits_fini(&p->edits);
    manifest_fini(&m);
    return !p->failed;
}

bool inject_manifest(struct slice text, const struct sidecar *defaults, struct buf *out, inject_note *note, void *ctx)
{
    struct pass p = {.defaults = defaults, .note = note, .ctx = ctx};
    return go_through(&p, text, out, inject_workload, inject_service);
}

bool uninject_manifest(struct slice text, struct buf *out, inject_note *note, void *ctx)
{
    struct pass p = {.note = note, .ctx = ctx, .marked = true};
    struct buf half;
    buf_init(&half);
    bool done = go_through(&p, text, &half, uninject_workload, uninject_service);
    p.marked = false;
    done =
        done && go_through(&p, slice_make(buf_head(&half), buf_len(&half)), out, uninject_workload, uninject_service);
    buf_fini(&half);
    return done;
}
