/* Small lists and objects of scalars stand on one line, the rest is opened. */
#include "inject/block.h"

#include "conf/memory.h"

enum { INLINE_MAX = 3 }; /* fields of an object on one line */

static void text(struct buf *out, const char *s)
{
    memory_append(out, slice_str(s));
}

static void spaces(struct buf *out, size_t n)
{
    while (n-- > 0)
        text(out, " ");
}

/* A string that YAML reads as the same string without quotes, in brackets too. */
static bool is_plain(const char *s)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0)
            return false;
    bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '/';
    return letter && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/")] == '\0';
}

static void write_scalar(struct buf *out, const json_t *v)
{
    if (json_is_string(v) && is_plain(json_string_value(v))) {
        text(out, json_string_value(v));
        return;
    }
    char *dumped = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (dumped)
        text(out, dumped);
    free(dumped);
}

static bool is_scalar(const json_t *v)
{
    return !json_is_object(v) && !json_is_array(v);
}

static bool fits_line(const json_t *v)
{
    size_t i;
    const char *key;
    json_t *child;
    if (json_is_array(v)) {
        json_array_foreach((json_t *)v, i, child) if (!is_scalar(child)) return false;
        return true;
    }
    json_object_foreach((json_t *)v, key, child) if (!is_scalar(child)) return false;
    return json_object_size(v) <= INLINE_MAX;
}

static void write_line(struct buf *out, const json_t *v)
{
    size_t i;
    const char *key, *comma = "";
    json_t *child;
    bool list = json_is_array(v);
    bool empty = list ? json_array_size(v) == 0 : json_object_size(v) == 0;
    text(out, list ? "[" : empty ? "{" : "{ ");
    json_array_foreach((json_t *)v, i, child)
    {
        text(out, comma);
        write_scalar(out, child);
        comma = ", ";
    }
    json_object_foreach((json_t *)v, key, child)
    {
        text(out, comma);
        text(out, key);
        text(out, ": ");
        write_scalar(out, child);
        comma = ", ";
    }
    text(out, list ? "]" : empty ? "}" : " }");
}

static void write_field(struct buf *out, const char *key, const json_t *v, size_t indent, const char *eol)
{
    text(out, key);
    text(out, ":");
    if (is_scalar(v) || fits_line(v)) {
        text(out, " ");
        if (is_scalar(v))
            write_scalar(out, v);
        else
            write_line(out, v);
        text(out, eol);
        return;
    }
    text(out, eol);
    block_write(out, v, indent + 2, eol);
}

void block_write(struct buf *out, const json_t *value, size_t indent, const char *eol)
{
    size_t i;
    const char *key;
    json_t *child, *item;
    json_object_foreach((json_t *)value, key, child)
    {
        spaces(out, indent);
        write_field(out, key, child, indent, eol);
    }
    json_array_foreach((json_t *)value, i, item)
    {
        bool first = true;
        spaces(out, indent);
        text(out, "- ");
        if (is_scalar(item) || fits_line(item)) {
            if (is_scalar(item))
                write_scalar(out, item);
            else
                write_line(out, item);
            text(out, eol);
            continue;
        }
        json_object_foreach(item, key, child)
        {
            spaces(out, first ? 0 : indent + 2);
            first = false;
            write_field(out, key, child, indent + 2, eol);
        }
    }
}
