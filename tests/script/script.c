/* Plays one scenario file against the real proxy in a simulated world: script [--verbose] FILE. Exit 0 when every line
 * held. tests/script/README.md tells the language. */
#include "play.h"

#include "base/log.h"
#include "world.h"

#include <stdlib.h>

enum { LINE_MAX_BYTES = 16384 };

/* Where in the file the run is. */
struct reading {
    FILE *file;
    const char *path;
    unsigned line;
    char text[LINE_MAX_BYTES], why[SAY_WHY_MAX];
};

static bool is_block(const char *line)
{
    return strcmp(line, "config") == 0 || strcmp(line, "reload") == 0 || strcmp(line, "reload is refused") == 0;
}

static bool read_line(struct reading *r)
{
    if (!fgets(r->text, sizeof r->text, r->file))
        return false;
    r->text[strcspn(r->text, "\n")] = '\0';
    r->line++;
    return true;
}

/* The lines up to "end", as one text. */
static bool run_block(struct stage *s, struct reading *r)
{
    char head[64], *text = NULL;
    size_t n = 0;
    FILE *body = open_memstream(&text, &n);
    (void)snprintf(head, sizeof head, "%.63s", r->text);
    bool ended = false;
    while (body && read_line(r) && !(ended = strcmp(r->text, "end") == 0))
        (void)fprintf(body, "%s\n", r->text);
    if (body)
        (void)fclose(body);
    bool ok = ended && play_block(s, head, text, r->why);
    if (!ended)
        (void)snprintf(r->why, sizeof r->why, "the block has no end");
    free(text);
    return ok;
}

static bool run_lines(struct stage *s, struct reading *r)
{
    while (read_line(r)) {
        if (r->text[strspn(r->text, " \t")] == '\0' || r->text[0] == '#')
            continue;
        (void)fprintf(s->record, "%10.3f ms %s\n", (double)(world_now() - 1000 * NS_PER_S) / 1e6, r->text);
        if (!(is_block(r->text) ? run_block(s, r) : play_line(s, r->text, r->why)))
            return false;
    }
    world_settle();
    r->line++;
    return play_nothing_left(s, r->why);
}

static bool run(struct reading *r, bool verbose)
{
    struct stage s;
    stage_init(&s);
    bool ok = run_lines(&s, r);
    (void)fflush(s.record);
    if (!ok || verbose)
        (void)fputs(s.record_text, stderr);
    if (!ok)
        (void)fprintf(stderr, "%s:%u: %s\n    %s\n", r->path, r->line, r->why, feof(r->file) ? "(the end)" : r->text);
    char left[SAY_WHY_MAX] = "";
    if (!stage_fini(&s, left, sizeof left)) {
        (void)fprintf(stderr, "%s: %s\n", r->path, left);
        ok = false;
    }
    return ok;
}

int main(int argc, char **argv)
{
    static struct reading r;
    bool verbose = argc == 3 && strcmp(argv[1], "--verbose") == 0;
    if (argc != 2 + verbose) {
        (void)fprintf(stderr, "usage: script [--verbose] FILE\n");
        return 2;
    }
    r.path = argv[1 + verbose];
    r.file = fopen(r.path, "re");
    if (!r.file) {
        perror(r.path);
        return 2;
    }
    if (!verbose)
        log_to(-1);
    bool ok = run(&r, verbose);
    (void)fclose(r.file);
    return ok ? 0 : 1;
}
