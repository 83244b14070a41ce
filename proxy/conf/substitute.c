/* Replaces ${VAR} and ${VAR:-default} inside scalars. */
#include "conf/memory.h"
#include "conf/yaml.h"

#include <stdio.h>
#include <stdlib.h>

struct output {
    char *p;
    size_t n, cap;
    struct arena *arena;
};

static void put(struct output *o, struct slice s)
{
    if (o->cap - o->n < s.n + 1) {
        size_t cap = (o->cap + s.n + 1) * 2;
        char *p = memory_take(o->arena, cap);
        if (o->n)
            memcpy(p, o->p, o->n);
        o->p = p;
        o->cap = cap;
    }
    if (s.n)
        memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
    o->p[o->n] = '\0';
}

static size_t name_length(struct slice s)
{
    size_t n = 0;
    while (n < s.n && ((s.p[n] >= 'A' && s.p[n] <= 'Z') || (s.p[n] >= 'a' && s.p[n] <= 'z') || s.p[n] == '_' ||
                       (n > 0 && s.p[n] >= '0' && s.p[n] <= '9')))
        n++;
    return n;
}

static const char *look_up(const struct yaml_env *env, struct slice name)
{
    char text[256];
    if (name.n >= sizeof text)
        return NULL;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    return env && env->get ? env->get(env->ctx, text) : getenv(text);
}

/* `inside` is what stands between the braces. */
static bool put_variable(struct output *o, struct slice inside, const struct yaml_env *env, char *error, size_t size)
{
    size_t n = name_length(inside), at;
    bool has_default = inside.n >= n + 2 && inside.p[n] == ':' && inside.p[n + 1] == '-';
    if (n == 0 || (n < inside.n && !has_default)) {
        snprintf(error, size, "\"${%.*s}\" names no variable, expected ${NAME} or ${NAME:-default}", (int)inside.n,
                 inside.p);
        return false;
    }
    const char *value = look_up(env, slice_sub(inside, 0, n));
    if (has_default && (!value || !*value)) {
        put(o, slice_sub(inside, n + 2, inside.n));
        return true;
    }
    if (!value) {
        snprintf(error, size, "the environment variable %.*s is not set, expected it or ${%.*s:-default}", (int)n,
                 inside.p, (int)n, inside.p);
        return false;
    }
    if (!yaml_is_text(slice_str(value), &at)) {
        snprintf(error, size, "the environment variable %.*s is not UTF-8", (int)n, inside.p);
        return false;
    }
    put(o, slice_str(value));
    return true;
}

struct slice yaml_substitute(struct arena *a, struct slice text, const struct yaml_env *env, char *error, size_t size)
{
    struct output o = {.arena = a};
    size_t at = 0;
    put(&o, SLICE(""));
    while (at < text.n) {
        size_t dollar = at + slice_find(slice_sub(text, at, text.n), '$');
        struct slice rest = slice_sub(text, dollar, text.n);
        put(&o, slice_sub(text, at, dollar));
        if (slice_starts(rest, SLICE("$${"))) {
            put(&o, SLICE("${"));
            at = dollar + 3;
        } else if (slice_starts(rest, SLICE("${"))) {
            size_t close = slice_find(rest, '}');
            if (close == rest.n) {
                snprintf(error, size, "\"${\" without \"}\", expected ${NAME}, or $${ for a literal ${");
                return (struct slice){NULL, 0};
            }
            if (!put_variable(&o, slice_sub(rest, 2, close), env, error, size))
                return (struct slice){NULL, 0};
            at = dollar + close + 1;
        } else {
            put(&o, slice_sub(rest, 0, rest.n > 0));
            at = dollar + (rest.n > 0);
        }
    }
    return slice_make(o.p, o.n);
}
