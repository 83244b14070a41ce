/* Offsets and lines. */
#include "inject/splice.h"

#include "conf/memory.h"
#include "inject/block.h"

#include <stdlib.h>

#define MARK_BEGIN "# outrigger: begin"
#define MARK_END   "# outrigger: end"
#define MARK_WAS   "# outrigger: was:"

static size_t line_start(struct slice text, size_t at)
{
    while (at > 0 && text.p[at - 1] != '\n')
        at--;
    return at;
}

/* Behind the line's end, or the end of the text. */
static size_t line_after(struct slice text, size_t at)
{
    size_t n = slice_find(slice_sub(text, at, text.n), '\n');
    return at + n + (at + n < text.n);
}

/* The line without the blanks around it. */
static struct slice line_at(struct slice text, size_t start)
{
    struct slice line = slice_sub(text, start, line_after(text, start));
    while (line.n > 0 && strchr(" \t\r\n", line.p[line.n - 1]))
        line.n--;
    while (line.n > 0 && line.p[0] == ' ')
        line = slice_sub(line, 1, line.n);
    return line;
}

static size_t indent_of(struct slice text, size_t at)
{
    return at - line_start(text, at);
}

static const char *eol_of(struct slice text)
{
    size_t n = slice_find(text, '\n');
    return n > 0 && n < text.n && text.p[n - 1] == '\r' ? "\r\n" : "\n";
}

/* The start of the line of `at`, or of the comment right above it that is indented like it. */
static size_t above_comments(struct slice text, size_t at)
{
    size_t start = line_start(text, at), indent = at - start;
    while (start > 0) {
        size_t before = line_start(text, start - 1);
        struct slice line = line_at(text, before);
        if (line.n == 0 || line.p[0] != '#' || indent_of(text, (size_t)(line.p - text.p)) != indent ||
            slice_eq(line, SLICE(MARK_END)))
            break;
        start = before;
    }
    return start;
}

/* The lines between the comments; with a key the items stand under it. */
static void add_lines(struct edits *e, struct slice text, size_t at, size_t indent, const char *key,
                      const json_t *items)
{
    const char *eol = eol_of(text);
    char *margin = memory_format(&e->arena, "%*s", (int)indent, "");
    struct buf lines;
    buf_init(&lines);
    memory_append(&lines, slice_str(memory_format(&e->arena, "%s" MARK_BEGIN "%s", margin, eol)));
    if (key)
        memory_append(&lines, slice_str(memory_format(&e->arena, "%s%s:%s", margin, key, eol)));
    block_write(&lines, items, indent + (key ? 2 : 0), eol);
    memory_append(&lines, slice_str(memory_format(&e->arena, "%s" MARK_END "%s", margin, eol)));
    edits_add(e, at, 0, slice_make(buf_head(&lines), buf_len(&lines)));
    buf_fini(&lines);
}

/* {"a":1},{"b":2} with `tail` behind. */
static struct slice items_line(struct edits *e, const json_t *items, const char *head, const char *tail)
{
    char *dumped = json_dumps(items, JSON_COMPACT);
    struct slice inner = dumped ? slice_str(dumped) : SLICE("[]");
    char *line = memory_format(&e->arena, "%s%.*s%s", head, (int)inner.n - 2, inner.p + 1, tail);
    free(dumped);
    return slice_str(line);
}

static const char *into_list(struct edits *e, const struct manifest *m, const struct span *list, const json_t *items)
{
    struct slice text = m->text;
    size_t bracket = list->start + slice_find(slice_sub(text, list->start, list->end), '[');
    if (list->flow) {
        /* The blank tells a list that was empty from one that was not there. */
        edits_add(e, bracket + 1, 0, items_line(e, items, "", list->n ? "," : " "));
        return NULL;
    }
    size_t dash = list->start;
    if (text.p[dash] != '-')
        return "has an anchor or a tag on this list, which cannot be edited in place";
    add_lines(e, text, above_comments(text, dash), indent_of(text, dash), NULL, items);
    return NULL;
}

static const char *into_null(struct edits *e, const struct manifest *m, const struct span *value, const json_t *items)
{
    struct slice text = m->text;
    size_t after = line_after(text, value->key_start);
    if (value->text.n > 0 || value->parent->flow || after == 0 || text.p[after - 1] != '\n')
        return "has a null where a list belongs, leave the key out or write a list";
    add_lines(e, text, after, indent_of(text, value->key_start) + 2, NULL, items);
    return NULL;
}

const char *splice_in(struct edits *e, const struct manifest *m, const struct span *spec, const char *key,
                      const json_t *items)
{
    const struct span *value = span_get(spec, key), *containers = span_get(spec, "containers");
    struct slice text = m->text;
    if (value && value->kind == SPAN_LIST)
        return into_list(e, m, value, items);
    if (value && span_is_null(value))
        return into_null(e, m, value, items);
    if (value)
        return "has something else where a list belongs";
    if (spec->flow) {
        size_t brace = spec->start + slice_find(slice_sub(text, spec->start, spec->end), '{');
        char *head = memory_format(&e->arena, "\"%s\":[", key);
        edits_add(e, brace + 1, 0, items_line(e, items, head, "],"));
        return NULL;
    }
    size_t at = containers->key_start;
    if (line_at(text, line_start(text, at)).p != text.p + at)
        return "does not begin its containers on a line of their own, so there is no place for this list";
    add_lines(e, text, above_comments(text, at), indent_of(text, at), key, items);
    return NULL;
}

/* The entry itself, or what is around it, that stands on lines of its own in block style, the dashes of lists apart;
 * NULL: there is none. */
static const struct span *own_lines(struct slice text, const struct span *entry)
{
    for (; entry && entry->parent; entry = entry->parent) {
        size_t start = entry->parent->kind == SPAN_MAP ? entry->key_start : entry->start;
        if (entry->parent->flow)
            continue;
        for (size_t at = line_start(text, start); at < start; at++)
            if (text.p[at] != ' ' && text.p[at] != '-')
                return NULL;
        return entry;
    }
    return NULL;
}

const char *splice_eol(struct slice text)
{
    return eol_of(text);
}

size_t splice_column(struct slice text, size_t at)
{
    return indent_of(text, at);
}

/* Another entry on the same lines has begun there. */
static bool is_begun(const struct edits *e, size_t from)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->v[i].at == from && e->v[i].remove == 0 && strstr(e->v[i].text.p, MARK_BEGIN))
            return true;
    return false;
}

/* The comments before and behind the lines [from, to). */
static void keep_lines(struct edits *e, struct slice text, size_t from, size_t to)
{
    size_t indent = (size_t)(line_at(text, from).p - text.p) - from;
    const char *eol = eol_of(text), *margin = memory_format(&e->arena, "%*s", (int)indent, "");
    bool open = text.p[to - 1] != '\n';
    struct buf lines;
    if (is_begun(e, from))
        return;
    buf_init(&lines);
    if (open)
        memory_append(&lines, slice_str(eol));
    for (size_t at = from; at < to; at = line_after(text, at)) {
        memory_append(&lines, slice_str(memory_format(&e->arena, "%s" MARK_WAS, margin)));
        memory_append(&lines, slice_sub(text, at, line_after(text, at)));
    }
    memory_append(&lines,
                  slice_str(memory_format(&e->arena, "%s%s" MARK_END "%s", open ? eol : "", margin, open ? "" : eol)));
    edits_add(e, from, 0, slice_str(memory_format(&e->arena, "%s" MARK_BEGIN "%s", margin, eol)));
    edits_add(e, to, 0, slice_make(buf_head(&lines), buf_len(&lines)));
    buf_fini(&lines);
}

void splice_entry(struct edits *e, const struct manifest *m, const struct span *entry, struct slice replacement)
{
    struct slice text = m->text;
    const struct span *own = own_lines(text, entry);
    if (own && own->end > 0)
        keep_lines(e, text, line_start(text, own->parent->kind == SPAN_MAP ? own->key_start : own->start),
                   line_after(text, own->end - 1));
    edits_add(e, entry->key_start, entry->end - entry->key_start, replacement);
}

/* --- out again */

static bool in_scalar(const struct span *s, size_t at)
{
    if (s->kind == SPAN_SCALAR)
        return at >= s->start && at < s->end;
    SPAN_FOR(child, s)
    if (in_scalar(child, at))
        return true;
    return false;
}

/* The lines between the comments that were lines before. The last line of a text may have no end. */
static void put_back(struct edits *e, struct slice text, size_t begin, size_t end)
{
    struct slice mark = SLICE(MARK_WAS);
    size_t to = line_after(text, end);
    bool open = to > 0 && text.p[to - 1] != '\n';
    struct buf lines;
    buf_init(&lines);
    for (size_t at = begin; at < end; at = line_after(text, at)) {
        struct slice line = line_at(text, at);
        size_t from = (size_t)(line.p - text.p) + mark.n, after = line_after(text, at);
        if (!slice_starts(line, mark))
            continue;
        if (open && after == end)
            after -= strlen(eol_of(text));
        memory_append(&lines, slice_sub(text, from, after));
    }
    edits_add(e, begin, to - begin, slice_make(buf_head(&lines), buf_len(&lines)));
    buf_fini(&lines);
}

size_t splice_out_marked(struct edits *e, const struct manifest *m, const struct span *spec)
{
    struct slice text = m->text;
    size_t found = 0, begin = SIZE_MAX;
    for (size_t at = line_start(text, spec->key_start); at < text.n; at = line_after(text, at)) {
        struct slice line = line_at(text, at);
        bool marks = slice_eq(line, SLICE(MARK_BEGIN)) || slice_eq(line, SLICE(MARK_END));
        if (begin == SIZE_MAX && at > spec->end)
            break;
        if (!marks || in_scalar(spec, at + indent_of(text, (size_t)(line.p - text.p))))
            continue;
        if (slice_eq(line, SLICE(MARK_BEGIN))) {
            begin = at;
        } else if (begin != SIZE_MAX) {
            put_back(e, text, begin, at);
            begin = SIZE_MAX;
            found++;
        }
    }
    return found;
}

/* The run of our items from `first` on; *ret_next is what follows, or NULL. */
static size_t run_length(const struct span *first, bool (*is_ours)(struct slice name), const struct span **ret_last)
{
    size_t n = 0;
    for (const struct span *i = first; i && is_ours(span_text(span_get(i, "name"))); i = i->next, n++)
        *ret_last = i;
    return n;
}

static size_t skip_blanks(struct slice text, size_t at)
{
    while (at < text.n && strchr(" \t\r\n", text.p[at]))
        at++;
    return at;
}

static void out_of_brackets(struct edits *e, struct slice text, const struct span *list, const struct span *first,
                            const struct span *last)
{
    size_t after = skip_blanks(text, last->end);
    if (last->next) {
        edits_add(e, first->start, after + 1 - first->start, SLICE(""));
    } else if (first != list->first) {
        size_t comma = first->start;
        while (text.p[comma] != ',')
            comma--;
        edits_add(e, comma, last->end - comma, SLICE(""));
    } else if (text.p[last->end] == ' ' || !list->parent->flow) {
        edits_add(e, first->start, last->end + (text.p[last->end] == ' ') - first->start, SLICE(""));
    } else {
        after = skip_blanks(text, list->end);
        edits_add(e, list->key_start, after + (text.p[after] == ',') - list->key_start, SLICE(""));
    }
}

static void out_of_lines(struct edits *e, struct slice text, const struct span *list, const struct span *first,
                         const struct span *last)
{
    bool whole = first == list->first && !last->next;
    size_t from = line_start(text, whole ? list->key_start : first->start);
    size_t to = line_after(text, last->end - (last->end > 0));
    edits_add(e, from, to - from, SLICE(""));
}

size_t splice_out_named(struct edits *e, const struct manifest *m, const struct span *spec, const char *key,
                        bool (*is_ours)(struct slice name))
{
    const struct span *list = span_get(spec, key), *last = NULL;
    size_t found = 0;
    for (const struct span *i = list && list->kind == SPAN_LIST ? list->first : NULL; i; i = last->next) {
        last = i;
        size_t n = run_length(i, is_ours, &last);
        found += n;
        if (n > 0 && list->flow)
            out_of_brackets(e, m->text, list, i, last);
        else if (n > 0)
            out_of_lines(e, m->text, list, i, last);
    }
    return found;
}
