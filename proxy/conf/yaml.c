/* Drives libyaml's event parser and builds the tree. */
#include "conf/yaml.h"

#include "conf/memory.h"

#include <yaml.h>

/* Owned by: yaml_parse, for its duration. Borrows: all it points at. */
struct reader {
    struct tree *tree;
    const struct yaml_env *env;
    struct problems *problems;
    struct node *open[YAML_DEPTH_MAX + 1]; /* mappings and lists around the next node */
    size_t depth;
    struct node *key; /* read, waiting for its value */
    size_t replaced_bytes;
    bool stopped; /* a problem that makes the rest unreadable */
};

static uint32_t line_of(const yaml_mark_t *m)
{
    return (uint32_t)m->line + 1;
}

static uint32_t column_of(const yaml_mark_t *m)
{
    return (uint32_t)m->column + 1;
}

/* The path of what is being read: the innermost open mapping or list, and the key whose value comes. */
static const char *reading(const struct reader *r, char *out, size_t size)
{
    out[0] = '\0';
    if (r->depth > 0)
        node_path(r->open[r->depth - 1], r->key ? r->key->text.p : NULL, out, size);
    return out;
}

static void complain(struct reader *r, const yaml_mark_t *at, const char *what)
{
    char path[NODE_PATH_MAX];
    struct place place = {r->tree->file, line_of(at), column_of(at)};
    problems_add(r->problems, PROBLEM_ERROR, place, reading(r, path, sizeof path), "%s", what);
}

static void stop(struct reader *r, const yaml_mark_t *at, const char *what)
{
    complain(r, at, what);
    r->stopped = true;
}

static void refuse_properties(struct reader *r, const yaml_event_t *e, const void *anchor, const void *tag)
{
    if (anchor)
        complain(r, &e->start_mark, "anchors are refused, write the value out");
    if (tag)
        complain(r, &e->start_mark, "tags are refused, write the plain value");
}

static bool expects_key(const struct reader *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == NODE_MAP && !r->key;
}

/* Puts a value in its place: the root, the next of a list, or behind its key. */
static void place_value(struct reader *r, struct node *n)
{
    if (r->depth == 0) {
        r->tree->root = n;
        return;
    }
    if (r->key) {
        n->key = r->key->text;
        n->key_line = r->key->line;
        n->key_column = r->key->column;
        n->bad |= r->key->bad;
        r->key = NULL;
    }
    node_append(r->open[r->depth - 1], n);
}

static struct node *new_node(struct reader *r, const yaml_event_t *e, enum node_kind kind)
{
    struct node *n = memory_take(&r->tree->arena, sizeof *n);
    n->file = r->tree->file;
    n->kind = kind;
    n->line = line_of(&e->start_mark);
    n->column = column_of(&e->start_mark);
    return n;
}

static struct slice scalar_text(struct reader *r, const yaml_event_t *e, struct node *n)
{
    struct slice raw = slice_make(e->data.scalar.value, e->data.scalar.length);
    char error[512];
    if (raw.n && memchr(raw.p, '\0', raw.n)) {
        complain(r, &e->start_mark, "a NUL byte in a value");
        n->bad = true;
        return SLICE("");
    }
    if (slice_find(raw, '$') == raw.n)
        return memory_copy(&r->tree->arena, raw);
    struct slice text = yaml_substitute(&r->tree->arena, raw, r->env, error, sizeof error);
    r->replaced_bytes += text.n;
    if (text.p && r->replaced_bytes <= YAML_BYTES_MAX)
        return text;
    if (text.p)
        snprintf(error, sizeof error, "the replaced variables make the file longer than 1 MiB");
    complain(r, &e->start_mark, error);
    n->bad = true;
    return SLICE("");
}

static void on_scalar(struct reader *r, const yaml_event_t *e)
{
    struct node *n = new_node(r, e, NODE_SCALAR);
    refuse_properties(r, e, e->data.scalar.anchor, e->data.scalar.tag);
    n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->text = scalar_text(r, e, n);
    if (!expects_key(r)) {
        place_value(r, n);
        return;
    }
    if (!n->quoted && slice_eq(n->text, SLICE("<<"))) {
        n->bad = true;
        complain(r, &e->start_mark, "merge keys are refused, write the values out");
    }
    r->key = n;
}

static void on_open(struct reader *r, const yaml_event_t *e, enum node_kind kind)
{
    bool list = kind == NODE_LIST;
    refuse_properties(r, e, list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor,
                      list ? e->data.sequence_start.tag : e->data.mapping_start.tag);
    if (expects_key(r)) {
        stop(r, &e->start_mark, "a mapping or list as a key, expected a name");
        return;
    }
    if (r->depth == YAML_DEPTH_MAX) {
        stop(r, &e->start_mark, "nested too deep, expected at most 32 levels");
        return;
    }
    struct node *n = new_node(r, e, kind);
    place_value(r, n);
    r->open[r->depth++] = n;
}

static void on_twice(void *ctx, struct node *first, struct node *again)
{
    struct reader *r = ctx;
    node_key_error(r->tree, r->problems, again, "duplicate key, first written in line %u", first->key_line);
    again->bad = true;
}

static void on_close(struct reader *r)
{
    struct node *n = r->open[--r->depth];
    if (n->kind == NODE_MAP)
        node_index(&r->tree->arena, n, on_twice, r);
}

static void on_alias(struct reader *r, const yaml_event_t *e)
{
    complain(r, &e->start_mark, "aliases are refused, write the value out");
    if (expects_key(r)) {
        r->stopped = true;
        return;
    }
    struct node *n = new_node(r, e, NODE_SCALAR);
    n->bad = true;
    n->text = SLICE("");
    place_value(r, n);
}

static void on_document(struct reader *r, const yaml_event_t *e)
{
    if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
        complain(r, &e->start_mark, "tag directives are refused");
    if (r->tree->root)
        stop(r, &e->start_mark, "a second document, expected one document a file");
}

/* Returns true at the end of the stream. */
static bool take_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        on_scalar(r, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_open(r, e, NODE_LIST);
        break;
    case YAML_MAPPING_START_EVENT:
        on_open(r, e, NODE_MAP);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(r);
        break;
    case YAML_ALIAS_EVENT:
        on_alias(r, e);
        break;
    case YAML_DOCUMENT_START_EVENT:
        on_document(r, e);
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    case YAML_STREAM_END_EVENT:
        return true;
    }
    return r->stopped;
}

static struct place place_of_offset(const char *file, struct slice text, size_t at)
{
    struct place place = {file, 1, 1};
    for (size_t i = 0; i < at && i < text.n; i++) {
        if (text.p[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static void on_syntax_error(struct reader *r, struct slice input, const yaml_parser_t *parser)
{
    char text[512];
    const char *what = parser->problem ? parser->problem : "unreadable";
    if (parser->error == YAML_READER_ERROR) {
        r->stopped = true;
        problems_add(r->problems, PROBLEM_ERROR, place_of_offset(r->tree->file, input, parser->problem_offset), "",
                     "not YAML: %s", what);
        return;
    }
    if (parser->context)
        snprintf(text, sizeof text, "not YAML: %s, %s that begins at %u:%u", what, parser->context,
                 line_of(&parser->context_mark), column_of(&parser->context_mark));
    else
        snprintf(text, sizeof text, "not YAML: %s", what);
    stop(r, &parser->problem_mark, text);
}

static void read_events(struct reader *r, struct slice text)
{
    yaml_parser_t parser;
    bool end = false;
    if (!yaml_parser_initialize(&parser)) {
        r->stopped = true;
        problems_add(r->problems, PROBLEM_ERROR, (struct place){r->tree->file, 1, 1}, "", "out of memory");
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    while (!end) {
        yaml_event_t e;
        if (!yaml_parser_parse(&parser, &e)) {
            on_syntax_error(r, text, &parser);
            break;
        }
        end = take_event(r, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
}

static size_t sequence_length(unsigned char c)
{
    if (c < 0x80)
        return c ? 1 : 0;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if ((c & 0xf0) == 0xe0)
        return 3;
    return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

static bool is_sequence(const unsigned char *s, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return false;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool too_big = s[0] == 0xf4 && s[1] > 0x8f;
    return !overlong && !surrogate && !too_big;
}

bool yaml_is_text(struct slice text, size_t *ret_at)
{
    for (size_t at = 0; at < text.n;) {
        const unsigned char *s = (const unsigned char *)text.p + at;
        size_t n = sequence_length(*s);
        if (n == 0 || n > text.n - at || (n > 1 && !is_sequence(s, n))) {
            *ret_at = at;
            return false;
        }
        at += n;
    }
    return true;
}

bool yaml_parse(struct tree *t, struct slice text, const struct yaml_env *env, struct problems *p)
{
    struct reader r = {.tree = t, .env = env, .problems = p};
    struct place start = {t->file, 1, 1};
    size_t at;
    if (text.n > YAML_BYTES_MAX) {
        problems_add(p, PROBLEM_ERROR, start, "", "longer than 1 MiB, expected a file of at most 1 MiB");
        return false;
    }
    if (!yaml_is_text(text, &at)) {
        problems_add(p, PROBLEM_ERROR, place_of_offset(t->file, text, at), "",
                     text.p[at] ? "a byte that is not UTF-8, expected a text file in UTF-8"
                                : "a NUL byte, expected a text file in UTF-8");
        return false;
    }
    read_events(&r, text);
    if (!r.stopped && !t->root)
        problems_add(p, PROBLEM_ERROR, start, "", "an empty file, expected a mapping that begins with version: 1");
    return !r.stopped && t->root;
}
