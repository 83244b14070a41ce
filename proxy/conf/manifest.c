/* Drives libyaml's event parser and notes where each value stands. */
#include "conf/manifest.h"

#include "conf/memory.h"
#include "conf/yaml.h"

#include <stdio.h>
#include <yaml.h>

/* Owned by: manifest_read, for its duration. Borrows: the manifest. */
struct scan {
    struct manifest *m;
    struct span *open[MANIFEST_DEPTH_MAX + 1];
    size_t depth;
    struct span *key;       /* read, waiting for its value */
    struct span **document; /* where the next root goes */
    size_t chars, bytes;    /* a character's number and its offset, for marks that only grow */
    bool failed;
};

static void complain(struct scan *s, const yaml_mark_t *at, const char *what)
{
    s->failed = true;
    snprintf(s->m->error, sizeof s->m->error, "%zu:%zu: %s", at->line + 1, at->column + 1, what);
}

/* libyaml counts characters. Marks come nearly in order, so the way from the last one is short. */
static size_t offset_of(struct scan *s, const yaml_mark_t *mark)
{
    struct slice t = s->m->text;
    if (mark->index < s->chars)
        s->chars = s->bytes = 0;
    while (s->chars < mark->index && s->bytes < t.n) {
        s->bytes += slice_utf8(slice_sub(t, s->bytes, t.n));
        s->chars++;
    }
    return s->bytes;
}

static bool expects_key(const struct scan *s)
{
    return s->depth > 0 && s->open[s->depth - 1]->kind == SPAN_MAP && !s->key;
}

static void append(struct span *parent, struct span *child)
{
    child->parent = parent;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n++;
}

static void place(struct scan *s, struct span *v)
{
    if (s->depth == 0) {
        *s->document = v;
        s->document = &v->next;
        return;
    }
    if (s->key) {
        v->key = s->key->text;
        v->key_start = s->key->start;
        s->key = NULL;
    }
    append(s->open[s->depth - 1], v);
}

static struct span *new_span(struct scan *s, const yaml_event_t *e, enum span_kind kind)
{
    struct span *v = memory_take(&s->m->arena, sizeof *v);
    v->kind = kind;
    v->line = e->start_mark.line + 1;
    v->start = offset_of(s, &e->start_mark);
    v->end = offset_of(s, &e->end_mark);
    return v;
}

static void on_leaf(struct scan *s, const yaml_event_t *e, enum span_kind kind)
{
    struct span *v = new_span(s, e, kind);
    if (kind == SPAN_SCALAR) {
        v->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        v->text = memory_copy(&s->m->arena, slice_make(e->data.scalar.value, e->data.scalar.length));
    }
    if (expects_key(s))
        s->key = v;
    else
        place(s, v);
}

static void on_open(struct scan *s, const yaml_event_t *e, enum span_kind kind, bool flow)
{
    if (expects_key(s)) {
        complain(s, &e->start_mark, "a mapping or list as a key, expected a name");
        return;
    }
    if (s->depth == MANIFEST_DEPTH_MAX) {
        complain(s, &e->start_mark, "nested too deep, expected at most 64 levels");
        return;
    }
    struct span *v = new_span(s, e, kind);
    v->flow = flow;
    place(s, v);
    s->open[s->depth++] = v;
}

static void on_close(struct scan *s, const yaml_event_t *e)
{
    struct span *v = s->open[--s->depth];
    if (v->flow)
        v->end = offset_of(s, &e->end_mark);
    else if (v->last)
        v->end = v->last->end;
}

/* Returns true at the end of the stream. */
static bool take_event(struct scan *s, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        on_leaf(s, e, SPAN_SCALAR);
        break;
    case YAML_ALIAS_EVENT:
        on_leaf(s, e, SPAN_ALIAS);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_open(s, e, SPAN_LIST, e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE);
        break;
    case YAML_MAPPING_START_EVENT:
        on_open(s, e, SPAN_MAP, e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(s, e);
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    case YAML_STREAM_END_EVENT:
        return true;
    }
    return s->failed;
}

static void read_events(struct scan *s)
{
    yaml_parser_t parser;
    bool end = false;
    if (!yaml_parser_initialize(&parser)) {
        complain(s, &(yaml_mark_t){0}, "out of memory");
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    const char *start = s->m->text.n ? s->m->text.p : ""; /* libyaml asserts on NULL */
    yaml_parser_set_input_string(&parser, (const unsigned char *)start, s->m->text.n);
    while (!end) {
        yaml_event_t e;
        if (!yaml_parser_parse(&parser, &e)) {
            complain(s, &parser.problem_mark, parser.problem ? parser.problem : "unreadable");
            break;
        }
        end = take_event(s, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
}

bool manifest_read(struct manifest *m, struct slice text)
{
    struct scan s = {.m = m};
    size_t at;
    *m = (struct manifest){.text = text};
    arena_init(&m->arena, NULL, 0);
    s.document = &m->documents;
    if (text.n > MANIFEST_BYTES_MAX)
        complain(&s, &(yaml_mark_t){0}, "longer than 16 MiB");
    else if (!yaml_is_text(text, &at))
        complain(&s, &(yaml_mark_t){0}, "not text in UTF-8");
    if (s.failed)
        return false;
    read_events(&s);
    return !s.failed;
}

void manifest_fini(struct manifest *m)
{
    arena_fini(&m->arena);
}

struct span *span_get(const struct span *map, const char *key)
{
    if (!map || map->kind != SPAN_MAP)
        return NULL;
    SPAN_FOR(child, map)
    if (slice_eq(child->key, slice_str(key)))
        return child;
    return NULL;
}

struct span *span_find(const struct span *map, const char *path)
{
    struct span *at = (struct span *)map;
    char key[64];
    while (at && *path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        at = span_get(at, key);
        path += n + (path[n] == '.');
    }
    return at;
}

struct slice span_text(const struct span *s)
{
    return s && s->kind == SPAN_SCALAR ? s->text : SLICE("");
}

bool span_is_null(const struct span *s)
{
    struct slice t = span_text(s);
    return s && s->kind == SPAN_SCALAR && s->plain &&
           (t.n == 0 || slice_eq(t, SLICE("~")) || slice_eq(t, SLICE("null")));
}
