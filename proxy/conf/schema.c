/* Walks a tree along the tables of the grammar. */
#include "conf/schema.h"

#include "conf/nearest.h"
#include "conf/value.h"
#include "core/status.h"

enum { SHOWN_MAX = 60 };

/* Borrows: everything. */
struct checker {
    const struct tree *tree;
    struct problems *problems;
};

static void check(struct checker *c, const struct schema *s, unsigned flags, struct node *n);

static const char *type_text(const struct schema *s, unsigned flags)
{
    switch (s->type) {
    case SCHEMA_MAP:
        return flags & SCHEMA_OFF ? "a mapping or off" : "a mapping";
    case SCHEMA_NAMED:
        return "a mapping";
    case SCHEMA_LIST:
        return s->keys ? "a list or a mapping" : "a list";
    case SCHEMA_TEXT_LIST:
        return "one value or a list";
    case SCHEMA_TEXT:
        return s->format(SLICE(""));
    case SCHEMA_INT:
        return "a whole number";
    case SCHEMA_NUMBER:
        return "a number";
    case SCHEMA_BOOL:
        return "true or false";
    case SCHEMA_DURATION:
        return flags & SCHEMA_OFF ? "a duration such as 250ms, 1.5s, 2m or 1h, or off"
                                  : "a duration such as 250ms, 1.5s, 2m or 1h";
    case SCHEMA_SIZE:
        return "a size such as 64KiB or 1MiB";
    case SCHEMA_SHARE:
        return "a share such as 50% or 0.5%";
    case SCHEMA_WORD:
        return s->keys ? "a word or a mapping" : "a word";
    case SCHEMA_STATUS:
        return "a gRPC status such as UNAVAILABLE or 14";
    }
    return "";
}

static const char *word_list(const struct schema_word *words, char *out, size_t size)
{
    size_t n = 0;
    for (const struct schema_word *w = words; w->word && n < size; w++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", w == words ? "" : w[1].word ? ", " : " or ", w->word);
    return out;
}

/* The bounds of a schema in its own notation. */
static const char *range_text(const struct schema *s, char *out, size_t size)
{
    char low[32], high[32];
    unsigned long long min = s->min, max = s->max;
    switch (s->type) {
    case SCHEMA_DURATION:
        snprintf(out, size, "a duration from %s to %s%s", value_format_duration((ns_t)min, low, sizeof low),
                 value_format_duration((ns_t)max, high, sizeof high), s->flags & SCHEMA_OFF ? ", or off" : "");
        break;
    case SCHEMA_SIZE:
        snprintf(out, size, "a size from %lluB to %lluB", min, max);
        break;
    case SCHEMA_SHARE:
        snprintf(out, size, "a share from %g%% to %g%%", (double)min / 1e4, (double)max / 1e4);
        break;
    case SCHEMA_NUMBER:
        snprintf(out, size, "a number from %g to %g", (double)min / 1e3, (double)max / 1e3);
        break;
    case SCHEMA_INT:
        if (min == max)
            snprintf(out, size, "the number %llu", min);
        else
            snprintf(out, size, "a whole number from %llu to %llu", min, max);
        break;
    case SCHEMA_STATUS:
        snprintf(out, size, "a gRPC status other than OK");
        break;
    case SCHEMA_MAP:
    case SCHEMA_NAMED:
    case SCHEMA_LIST:
    case SCHEMA_TEXT_LIST:
    case SCHEMA_TEXT:
    case SCHEMA_BOOL:
        snprintf(out, size, "%s", type_text(s, s->flags));
        break;
    case SCHEMA_WORD:
        word_list(s->words, out, size);
        if (s->keys)
            snprintf(out + strlen(out), size - strlen(out), ", or a mapping");
        break;
    }
    return out;
}

static int shown(const struct node *n)
{
    return n->text.n > SHOWN_MAX ? SHOWN_MAX : (int)n->text.n;
}

static void wrong_kind(struct checker *c, const struct schema *s, struct node *n)
{
    char range[256];
    const char *expected = range_text(s, range, sizeof range);
    n->bad = true;
    if (node_is_null(n))
        node_error(c->tree, c->problems, n, "found nothing, expected %s", expected);
    else if (n->kind == NODE_SCALAR)
        node_error(c->tree, c->problems, n, "found \"%.*s\", expected %s", shown(n), n->text.p, expected);
    else
        node_error(c->tree, c->problems, n, "found a %s, expected %s", n->kind == NODE_LIST ? "list" : "mapping",
                   expected);
}

static void wrong_value(struct checker *c, struct node *n, const char *expected)
{
    n->bad = true;
    node_error(c->tree, c->problems, n, "found \"%.*s\", expected %s", shown(n), n->text.p, expected);
}

bool schema_is_off(const struct node *n)
{
    return n->kind == NODE_SCALAR &&
           (slice_eq(n->text, SLICE("off")) || (!n->quoted && slice_eq(n->text, SLICE("false"))));
}

static void offer_keys(struct nearest *near, const struct schema_key *keys)
{
    for (const struct schema_key *k = keys; k->name; k++)
        nearest_offer(near, k->name);
}

static bool is_reserved(struct slice name)
{
    for (const char *const *r = grammar_reserved; *r; r++)
        if (slice_eq(slice_str(*r), name))
            return true;
    return false;
}

static void list_keys(const struct schema_key *keys, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (const struct schema_key *k = keys; k->name && n < size; k++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", k == keys ? "" : " ", k->name);
}

static void unknown_key(struct checker *c, const struct schema_key *keys, struct node *n)
{
    char known[1024];
    struct nearest near;
    int length = n->key.n > SHOWN_MAX ? SHOWN_MAX : (int)n->key.n;
    n->bad = true;
    if (is_reserved(n->key)) {
        node_key_error(c->tree, c->problems, n, "not supported yet");
        return;
    }
    nearest_init(&near, n->key);
    known[0] = '\0';
    if (!problems_is_full(c->problems, PROBLEM_ERROR)) {
        offer_keys(&near, keys);
        list_keys(keys, known, sizeof known);
    }
    if (near.best)
        node_key_error(c->tree, c->problems, n, "unknown key \"%.*s\", did you mean \"%s\"?", length, n->key.p,
                       near.best);
    else
        node_key_error(c->tree, c->problems, n, "unknown key \"%.*s\", expected %s%s", length, n->key.p,
                       *known ? "one of: " : "none here", known);
}

static const struct schema_key *find_key(const struct schema_key *keys, struct slice name)
{
    for (const struct schema_key *k = keys; k->name; k++)
        if (slice_eq(slice_str(k->name), name))
            return k;
    return NULL;
}

/* Whether a key of the map that nobody knows was probably meant to be `name`. */
static bool is_misspelt(const struct schema_key *keys, const struct node *map, const char *name,
                        const struct problems *p)
{
    NODE_FOR(n, map) {
        struct nearest near;
        if (find_key(keys, n->key) || problems_is_full(p, PROBLEM_ERROR))
            continue;
        nearest_init(&near, n->key);
        offer_keys(&near, keys);
        if (near.best && strcmp(near.best, name) == 0)
            return true;
    }
    return false;
}

static void check_missing(struct checker *c, const struct schema *s, const struct node *map)
{
    char expected[256];
    for (const struct schema_key *k = s->keys; k->name; k++)
        if (k->flags & SCHEMA_REQUIRED && !node_find(map, slice_str(k->name)) &&
            !is_misspelt(s->keys, map, k->name, c->problems))
            node_missing(c->tree, c->problems, map, k->name, "missing, expected %s",
                         range_text(k->schema, expected, sizeof expected));
}

static void check_map(struct checker *c, const struct schema *s, struct node *map)
{
    NODE_FOR(n, map) {
        const struct schema_key *k = find_key(s->keys, n->key);
        if (n->bad)
            continue;
        if (!k) {
            unknown_key(c, s->keys, n);
            continue;
        }
        check(c, k->schema, k->flags | k->schema->flags, n);
        if (k->flags & SCHEMA_UNSUPPORTED && !(k->schema->flags & SCHEMA_OFF && schema_is_off(n)))
            node_key_error(c->tree, c->problems, n, "not supported yet");
    }
    check_missing(c, s, map);
    if (s->rule)
        s->rule(c->tree, map, c->problems);
}

static void check_named(struct checker *c, const struct schema *s, struct node *map)
{
    NODE_FOR(n, map) {
        const char *expected = n->bad || !s->format ? NULL : s->format(n->key);
        if (n->bad)
            continue;
        if (expected) {
            node_key_error(c->tree, c->problems, n, "the name \"%.*s\" is not usable, expected %s",
                           n->key.n > SHOWN_MAX ? SHOWN_MAX : (int)n->key.n, n->key.p, expected);
            n->bad = true;
        } else {
            check(c, s->item, s->item->flags, n);
        }
    }
}

static void check_children(struct checker *c, const struct schema *s, unsigned flags, struct node *n)
{
    if (n->n == 0 && flags & SCHEMA_FILLED) {
        node_error(c->tree, c->problems, n, "empty, expected at least one entry");
        n->bad = true;
    }
    if (s->type == SCHEMA_NAMED)
        check_named(c, s, n);
    if (s->type == SCHEMA_LIST || s->type == SCHEMA_TEXT_LIST)
        NODE_FOR(child, n) {
            if (!child->bad)
                check(c, s->item, s->item->flags, child);
        }
}

static void check_word(struct checker *c, const struct schema *s, struct node *n)
{
    char expected[256];
    bool off = schema_is_off(n);
    for (const struct schema_word *w = s->words; w->word; w++) {
        if (!slice_eq(slice_str(w->word), n->text) && !(off && strcmp(w->word, "off") == 0))
            continue;
        if (w->flags & SCHEMA_UNSUPPORTED)
            node_key_error(c->tree, c->problems, n, "\"%s\" is not supported yet", w->word);
        return;
    }
    wrong_value(c, n, word_list(s->words, expected, sizeof expected));
}

static enum err scalar_value(enum schema_type type, struct slice text, uint64_t *ret)
{
    ns_t ns = 0;
    uint32_t ppm = 0;
    enum status status = STATUS_OK;
    enum err e = ERR_INVALID;
    switch (type) {
    case SCHEMA_INT:
        return value_whole(text, ret);
    case SCHEMA_NUMBER:
        return value_number(text, ret);
    case SCHEMA_SIZE:
        return value_size(text, ret);
    case SCHEMA_DURATION:
        e = value_duration(text, &ns);
        *ret = (uint64_t)ns;
        return e;
    case SCHEMA_SHARE:
        e = value_share(text, &ppm);
        *ret = ppm;
        return e;
    case SCHEMA_STATUS:
        e = status_parse(text, &status);
        *ret = status;
        return e;
    case SCHEMA_BOOL:
        *ret = slice_eq(text, SLICE("true"));
        return *ret || slice_eq(text, SLICE("false")) || slice_eq(text, SLICE("off")) ? ERR_NONE : ERR_INVALID;
    case SCHEMA_MAP:
    case SCHEMA_NAMED:
    case SCHEMA_LIST:
    case SCHEMA_TEXT_LIST:
    case SCHEMA_TEXT:
    case SCHEMA_WORD:
        break;
    }
    return e;
}

uint64_t schema_value(enum schema_type type, const struct node *n)
{
    uint64_t v = 0;
    return scalar_value(type, n->text, &v) == ERR_NONE ? v : 0;
}

static bool is_percentile(struct slice text)
{
    uint64_t thousandths;
    return text.n > 1 && text.p[0] == 'p' && value_number(slice_sub(text, 1, text.n), &thousandths) == ERR_NONE &&
           thousandths >= 50000 && thousandths <= 99900;
}

/* Numbers and booleans are plain; durations, sizes and shares are text in other languages too and may be quoted. */
static bool may_be_quoted(const struct schema *s, const struct node *n)
{
    return s->type == SCHEMA_DURATION || s->type == SCHEMA_SIZE || s->type == SCHEMA_SHARE ||
           (s->type == SCHEMA_STATUS && n->text.n > 0 && (n->text.p[0] < '0' || n->text.p[0] > '9'));
}

/* What is expected in place of something that has not even the form. */
static const char *invalid_text(const struct schema *s, unsigned flags, char *out, size_t size)
{
    if (flags & SCHEMA_PERCENTILE)
        return "a duration such as 250ms, or a percentile such as p95";
    return s->type == SCHEMA_INT || s->type == SCHEMA_NUMBER ? range_text(s, out, size) : type_text(s, flags);
}

static void check_quantity(struct checker *c, const struct schema *s, unsigned flags, struct node *n)
{
    char range[256];
    uint64_t v = 0;
    enum err e = scalar_value(s->type, n->text, &v);
    bool ranged = s->type != SCHEMA_BOOL;
    if (flags & SCHEMA_PERCENTILE && is_percentile(n->text))
        return;
    if (n->quoted && !may_be_quoted(s, n)) {
        n->bad = true;
        node_error(c->tree, c->problems, n, "found the text \"%.*s\", expected %s without quotes", shown(n), n->text.p,
                   type_text(s, flags));
    } else if (e == ERR_INVALID) {
        wrong_value(c, n, invalid_text(s, flags, range, sizeof range));
    } else if (ranged && (e != ERR_NONE || v < s->min || v > s->max)) {
        wrong_value(c, n, range_text(s, range, sizeof range));
    }
}

static void check_text(struct checker *c, const struct schema *s, struct node *n)
{
    const char *expected = s->format ? s->format(n->text) : NULL;
    if (expected)
        wrong_value(c, n, expected);
}

static void check_scalar(struct checker *c, const struct schema *s, unsigned flags, struct node *n)
{
    if (s->type == SCHEMA_TEXT)
        check_text(c, s, n);
    else if (s->type == SCHEMA_WORD)
        check_word(c, s, n);
    else
        check_quantity(c, s, flags, n);
}

static bool takes(const struct schema *s, enum node_kind kind)
{
    switch (s->type) {
    case SCHEMA_MAP:
    case SCHEMA_NAMED:
        return kind == NODE_MAP;
    case SCHEMA_LIST:
        return kind == NODE_LIST || (kind == NODE_MAP && s->keys);
    case SCHEMA_TEXT_LIST:
        return kind != NODE_MAP;
    case SCHEMA_WORD:
        return kind == NODE_SCALAR || (kind == NODE_MAP && s->keys);
    case SCHEMA_TEXT:
    case SCHEMA_INT:
    case SCHEMA_NUMBER:
    case SCHEMA_BOOL:
    case SCHEMA_DURATION:
    case SCHEMA_SIZE:
    case SCHEMA_SHARE:
    case SCHEMA_STATUS:
        return kind == NODE_SCALAR;
    }
    return false;
}

static void check(struct checker *c, const struct schema *s, unsigned flags, struct node *n)
{
    if (flags & SCHEMA_OFF && schema_is_off(n))
        return;
    if (!takes(s, n->kind) || node_is_null(n)) {
        wrong_kind(c, s, n);
    } else if (n->kind == NODE_MAP && s->type != SCHEMA_NAMED) {
        check_map(c, s, n);
    } else if (n->kind == NODE_SCALAR) {
        check_scalar(c, s->type == SCHEMA_TEXT_LIST ? s->item : s, flags, n);
    } else {
        check_children(c, s, flags, n);
    }
}

void schema_check(const struct schema *root, const struct tree *t, struct problems *p)
{
    struct checker c = {.tree = t, .problems = p};
    check(&c, root, root->flags, t->root);
}
