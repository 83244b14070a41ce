/* Reads options by table and prints help and complaints. */
#include "cli/option.h"

#include "cli/cli.h"
#include "conf/nearest.h"

#include <stdarg.h>
#include <stdio.h>

int option_complain(const struct options *o, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = '?';
    fprintf(stderr, "outrigger %s: %s, see outrigger %s --help\n", o->command, text, o->command);
    return CLI_USAGE;
}

int option_exit(int result)
{
    return result == OPTION_HELP ? CLI_DONE : CLI_USAGE;
}

static void print_help(const struct options *o)
{
    printf("usage: outrigger %s %s\n\n%s\n\n", o->command, o->usage, o->about);
    for (const struct option *t = o->table; t->name; t++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", t->letter ? '-' : ' ', t->letter ? t->letter : ' ',
                 t->letter ? ", " : "  ", t->name, t->argument ? " " : "", t->argument ? t->argument : "");
        printf("  %-28s %s\n", left, t->help);
    }
    printf("  %-28s %s\n", "-h, --help", "this text");
}

static int find_long(const struct options *o, struct slice name)
{
    for (int i = 0; o->table[i].name; i++)
        if (slice_eq(slice_str(o->table[i].name), name))
            return i;
    return OPTION_WRONG;
}

static int unknown_long(const struct options *o, struct slice name)
{
    struct nearest near;
    nearest_init(&near, name);
    for (int i = 0; o->table[i].name; i++)
        nearest_offer(&near, o->table[i].name);
    if (near.best)
        option_complain(o, "unknown option --%.*s, did you mean --%s?", (int)name.n, name.p, near.best);
    else
        option_complain(o, "unknown option --%.*s", (int)name.n, name.p);
    return OPTION_WRONG;
}

/* `attached` is the text behind `=`, or behind the letter; NULL when there is none. */
static int take_value(struct options *o, int i, const char *shown, const char *attached, const char **ret_value)
{
    const struct option *t = &o->table[i];
    *ret_value = attached;
    if (!t->argument && attached) {
        option_complain(o, "%s takes no value", shown);
        return OPTION_WRONG;
    }
    if (!t->argument || attached)
        return i;
    if (o->at >= o->argc) {
        option_complain(o, "%s needs a value: %s", shown, t->argument);
        return OPTION_WRONG;
    }
    *ret_value = o->argv[o->at++];
    return i;
}

static int next_long(struct options *o, const char *argument, const char **ret_value)
{
    struct slice text = slice_str(argument + 2);
    size_t equals = slice_find(text, '=');
    struct slice name = slice_sub(text, 0, equals);
    char shown[64];
    if (slice_eq(text, SLICE("help"))) {
        print_help(o);
        return OPTION_HELP;
    }
    int i = find_long(o, name);
    if (i < 0)
        return unknown_long(o, name);
    snprintf(shown, sizeof shown, "--%s", o->table[i].name);
    return take_value(o, i, shown, equals < text.n ? text.p + equals + 1 : NULL, ret_value);
}

static int next_short(struct options *o, const char **ret_value)
{
    char letter = *o->cluster++;
    char shown[3] = {'-', letter, '\0'};
    const char *rest = *o->cluster ? o->cluster : NULL;
    if (!rest)
        o->cluster = NULL;
    if (letter == 'h') {
        print_help(o);
        return OPTION_HELP;
    }
    for (int i = 0; o->table[i].name; i++) {
        if (o->table[i].letter != letter)
            continue;
        if (!o->table[i].argument)
            return i;
        o->cluster = NULL;
        return take_value(o, i, shown, rest, ret_value);
    }
    option_complain(o, "unknown option %s", shown);
    return OPTION_WRONG;
}

int option_next(struct options *o, const char **ret_value)
{
    *ret_value = NULL;
    if (o->cluster)
        return next_short(o, ret_value);
    if (o->at >= o->argc)
        return OPTION_END;
    const char *argument = o->argv[o->at++];
    if (argument[0] == '-' && argument[1] == '-' && argument[2])
        return next_long(o, argument, ret_value);
    if (argument[0] == '-' && argument[1] && argument[1] != '-') {
        o->cluster = argument + 1;
        return next_short(o, ret_value);
    }
    option_complain(o, "unexpected argument \"%s\"", argument);
    return OPTION_WRONG;
}
