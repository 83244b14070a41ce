/* Splitting of script lines. */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *hit = c ? strchr(digits, c | 0x20) : NULL;
    return hit ? (int)(hit - digits) : -1;
}

/* One escape after the backslash at *s; moves *s behind it. */
static char unescape(const char **s)
{
    char c = *(*s)++;
    if (c == 'x' && hex((*s)[0]) >= 0 && hex((*s)[1]) >= 0) {
        c = (char)(hex((*s)[0]) * 16 + hex((*s)[1]));
        *s += 2;
        return c;
    }
    return c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
}

/* Copies a word to `to`; false when a quote stays open. */
static bool copy_word(const char **s, char **to)
{
    bool quoted = false;
    for (; **s && (quoted || (**s != ' ' && **s != '\t'));) {
        char c = *(*s)++;
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted && **s)
            *(*to)++ = unescape(s);
        else
            *(*to)++ = c;
    }
    return !quoted;
}

bool words_split(struct words *w, const char *line)
{
    char *to = w->text;
    w->n = w->at = 0;
    if (strlen(line) >= sizeof w->text)
        return false;
    for (const char *s = line; *(s += strspn(s, " \t"));) {
        const char *from = to;
        if (w->n == WORDS_MAX || !copy_word(&s, &to))
            return false;
        w->v[w->n++] = slice_make(from, (size_t)(to - from));
    }
    return true;
}

bool words_end(const struct words *w)
{
    return w->at == w->n;
}

bool words_is(struct slice word, const char *text)
{
    return slice_eq(word, slice_str(text));
}

bool words_take(struct words *w, const char *word)
{
    if (words_end(w) || !words_is(w->v[w->at], word))
        return false;
    w->at++;
    return true;
}

struct slice words_next(struct words *w)
{
    return words_end(w) ? SLICE("") : w->v[w->at++];
}

bool words_pair(struct slice word, struct slice *ret_name, struct slice *ret_value)
{
    size_t at = slice_find(word, '=');
    if (at == 0 || at == word.n)
        return false;
    *ret_name = slice_sub(word, 0, at);
    *ret_value = slice_sub(word, at + 1, word.n);
    return true;
}

bool words_number(struct slice word, uint64_t *ret)
{
    char text[32], *end;
    if (word.n == 0 || word.n >= sizeof text || word.p[0] < '0' || word.p[0] > '9')
        return false;
    (void)snprintf(text, sizeof text, "%.*s", (int)word.n, word.p);
    *ret = strtoull(text, &end, 0);
    return *end == '\0';
}

bool words_duration(struct slice word, ns_t *ret)
{
    static const struct {
        const char *name;
        ns_t ns;
    } units[] = {{"us", 1000}, {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}};
    size_t digits = 0;
    uint64_t n;
    while (digits < word.n && word.p[digits] >= '0' && word.p[digits] <= '9')
        digits++;
    if (!words_number(slice_sub(word, 0, digits), &n))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (words_is(slice_sub(word, digits, word.n), units[i].name)) {
            *ret = (ns_t)n * units[i].ns;
            return true;
        }
    return false;
}
