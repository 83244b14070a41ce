/* Options of one command: a table, a reader that reports every mistake in one line, and the help made from the table.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

struct option {
    char letter;          /* 0: only the long form */
    const char *name;     /* without dashes; ends the table when NULL */
    const char *argument; /* what follows, for the help; NULL: nothing does */
    const char *help;
};

enum { OPTION_END = -1, OPTION_HELP = -2, OPTION_WRONG = -3 };

/* Owned by: a command. Borrows: everything. */
struct options {
    const char *command; /* "check" */
    const char *usage;   /* what stands behind the command, "-c FILE [--strict]" */
    const char *about;   /* a few lines for the help */
    const struct option *table;
    int argc;
    char **argv;         /* argv[0] is the command */
    int at;              /* starts at 1 */
    const char *cluster; /* rest of -abc */
};

/* The index in the table of the next option, with its argument in *ret_value; OPTION_END after the last; OPTION_HELP
 * when
 * --help was asked for and has been printed; OPTION_WRONG when one line on stderr has said what is wrong. Takes
 * `-c FILE`, `-cFILE`, `--config FILE` and `--config=FILE`. */
int option_next(struct options *o, const char **ret_value);

/* Prints `outrigger COMMAND: message, see outrigger COMMAND --help` on stderr. Returns CLI_USAGE. */
int option_complain(const struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code for OPTION_HELP and OPTION_WRONG. */
int option_exit(int result);

#endif
