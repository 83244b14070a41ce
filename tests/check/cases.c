/* Runs the cases of bad.txt and good.txt through the loader and compares every line it says. `cases FILE...` runs files
 * of cases; `cases --one` reads one configuration from stdin and prints what is said about it. */
#include "conf/load.h"

#include <stdlib.h>

enum { FILE_MAX = 1 << 20, LINE_BYTES = 4096 };

/* One case: the configuration and the lines that are expected. */
struct test_case {
    const char *name;
    char *text, *expected;
    size_t text_n, expected_n;
};

static const char *variable(void *ctx, const char *name)
{
    if (strcmp(name, "SET") == 0)
        return "set";
    if (strcmp(name, "EMPTY") == 0)
        return "";
    if (strcmp(name, "LATIN") == 0)
        return "caf\xe9";
    return strcmp(name, "HUGE") == 0 ? ctx : NULL;
}

static char *must(char *p)
{
    if (!p)
        abort();
    return p;
}

/* What the loader says, a line a problem, without the file. Sets *ret_loaded. Allocated. */
static char *say(const char *text, size_t n, bool *ret_loaded)
{
    static const char file[] = "f";
    char *huge = must(malloc(YAML_BYTES_MAX + 2)), *out = NULL;
    size_t out_n = 0;
    struct problems p;
    struct load_env env = {.variables = {variable, huge}, .cores = 2};
    memset(huge, 'x', YAML_BYTES_MAX + 1);
    huge[YAML_BYTES_MAX + 1] = '\0';
    problems_init(&p);
    struct snapshot *s = load_text(file, slice_make(text, n), &env, &p);
    FILE *stream = open_memstream(&out, &out_n);
    for (size_t i = 0; i < p.n; i++) {
        char line[LINE_BYTES];
        problem_format(&p.v[i], line, sizeof line);
        fprintf(stream, "%s\n", line + sizeof file);
    }
    fclose(stream);
    *ret_loaded = s != NULL;
    snapshot_unref(s);
    problems_fini(&p);
    free(huge);
    return out;
}

static void append(char *to, size_t *n, const char *line)
{
    size_t length = strlen(line);
    memcpy(to + *n, line, length + 1);
    *n += length;
}

/* True when every line is a warning. */
static bool is_accepted(const char *lines)
{
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        const char *warning = strstr(line, ": warning: ");
        if (!warning || warning > strchr(line, '\n'))
            return false;
    }
    return true;
}

static bool run(const struct test_case *c)
{
    bool loaded;
    char *said = say(c->text, c->text_n, &loaded);
    bool good = strcmp(said, c->expected) == 0 && loaded == is_accepted(c->expected);
    if (!good)
        printf("FAILED: %s\nexpected:\n%ssaid:\n%s%s\n", c->name, c->expected, said,
               loaded ? "and loaded" : "and refused");
    free(said);
    return good;
}

struct counts {
    size_t run, failed;
};

static void finish(struct test_case *c, struct counts *counts)
{
    if (c->name) {
        counts->run++;
        counts->failed += !run(c);
    }
    c->text_n = c->expected_n = 0;
    c->text[0] = c->expected[0] = '\0';
}

static bool run_file(const char *path, struct counts *counts)
{
    char *line = NULL, name[256];
    size_t size = 0;
    struct test_case c = {.text = must(calloc(1, FILE_MAX)), .expected = must(calloc(1, FILE_MAX))};
    FILE *in = fopen(path, "r");
    while (in && getline(&line, &size, in) > 0) {
        if (strncmp(line, "=== ", 4) == 0) {
            finish(&c, counts);
            snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 4, "\n"), line + 4);
            c.name = name;
        } else if (strncmp(line, "! ", 2) == 0) {
            append(c.expected, &c.expected_n, line + 2);
        } else if (c.name) {
            append(c.text, &c.text_n, line);
        }
    }
    finish(&c, counts);
    free(line);
    free(c.text);
    free(c.expected);
    if (in)
        fclose(in);
    return in != NULL;
}

static int run_one(void)
{
    char *text = must(malloc(FILE_MAX + 2));
    bool loaded;
    char *said = say(text, fread(text, 1, FILE_MAX + 2, stdin), &loaded);
    fputs(said, stdout);
    free(said);
    free(text);
    return !loaded;
}

int main(int argc, char **argv)
{
    struct counts counts = {0};
    if (argc == 2 && strcmp(argv[1], "--one") == 0)
        return run_one();
    for (int i = 1; i < argc; i++)
        if (!run_file(argv[i], &counts)) {
            printf("%s cannot be read\n", argv[i]);
            return 1;
        }
    printf("%zu cases, %zu failed\n", counts.run, counts.failed);
    return counts.run == 0 || counts.failed > 0;
}
