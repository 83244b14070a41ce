/* Selectors, ports by number or name, and one edit for each that moves. */
#include "inject/service.h"

#include "base/address.h"
#include "conf/memory.h"
#include "inject/splice.h"

struct service_target service_target_of(const struct workload *w, const struct sidecar *s)
{
    struct service_target t = {.workload = *w};
    for (; t.n < s->app_ports_n && t.n < s->ports_n; t.n++) {
        t.app_ports[t.n] = s->app_ports[t.n];
        t.ports[t.n] = s->ports[t.n];
    }
    return t;
}

/* Every label that is asked for; a Service without a selector has no pods of its own. */
static bool selects(const struct workload *service, const struct workload *pod)
{
    const struct span *selector = span_get(service->spec, "selector"), *labels = span_get(pod->metadata, "labels");
    size_t n = 0;
    SPAN_FOR(s, selector)
    {
        bool found = false;
        SPAN_FOR(label, labels)
        found |= slice_eq(label->key, s->key) && slice_eq(span_text(label), span_text(s));
        if (!found)
            return false;
        n++;
    }
    return n > 0 && slice_eq(service->name_space, pod->name_space);
}

/* A number, or the name of a port of the pod; 0: none. */
static uint16_t port_of(const struct workload *pod, const struct span *port)
{
    uint16_t number = 0;
    if (span_text(port).n == 0 || address_parse_port(span_text(port), &number))
        return number;
    SPAN_FOR(container, span_get(pod->spec, "containers"))
    SPAN_FOR(p, span_get(container, "ports"))
    if (slice_eq(span_text(span_get(p, "name")), span_text(port)) &&
        address_parse_port(span_text(span_get(p, "containerPort")), &number))
        return number;
    return 0;
}

static bool move(struct edits *e, const struct manifest *m, const struct span *port, const struct service_target *t)
{
    const struct span *number = span_get(port, "port"), *target = span_get(port, "targetPort");
    const struct span *entry = target ? target : number;
    uint16_t app = port_of(&t->workload, entry);
    for (size_t i = 0; app > 0 && i < t->n; i++) {
        if (t->app_ports[i] != app || t->ports[i] == app)
            continue;
        struct slice text = m->text, old = slice_sub(text, entry->key_start, entry->end);
        const char *quote = text.p[entry->key_start] == '"' ? "\"" : "";
        char *new = memory_format(&e->arena, "%stargetPort%s: %u", quote, quote, t->ports[i]);
        if (!target && port->flow)
            new = memory_format(&e->arena, "%.*s, %s", (int)old.n, old.p, new);
        else if (!target)
            new = memory_format(&e->arena, "%.*s%s%*s%s", (int)old.n, old.p, splice_eol(text),
                                (int)splice_column(text, entry->key_start), "", new);
        splice_entry(e, m, entry, slice_str(new));
        return true;
    }
    return false;
}

size_t service_move(struct edits *e, const struct manifest *m, const struct workload *service,
                    const struct service_target *target)
{
    size_t moved = 0;
    if (!selects(service, &target->workload))
        return 0;
    SPAN_FOR(port, span_get(service->spec, "ports"))
    moved += move(e, m, port, target);
    return moved;
}
