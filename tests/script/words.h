/* A script line as words: split at blanks, with "quoted text" kept together and \r \n \t \" \\ \xHH inside quotes. Also
 * the small values that words hold: numbers, durations, name=value. */
#ifndef TESTS_SCRIPT_WORDS_H
#define TESTS_SCRIPT_WORDS_H

#include "base/clock.h"
#include "base/slice.h"

enum { WORDS_MAX = 128, WORDS_TEXT_MAX = 16384 };

/* The words of one line; slices point into `text`. */
struct words {
    struct slice v[WORDS_MAX];
    size_t n, at; /* at: the next one to be taken */
    char text[WORDS_TEXT_MAX];
};

/* False when the line is too long or a quote is not closed. */
bool words_split(struct words *w, const char *line);

bool words_end(const struct words *w);

/* Takes the next word when it is exactly `word`. */
bool words_take(struct words *w, const char *word);

/* Takes the next word, "" at the end. */
struct slice words_next(struct words *w);

/* name=value; false when there is no "=" behind at least one character (a leading ":" belongs to the name). */
bool words_pair(struct slice word, struct slice *ret_name, struct slice *ret_value);

bool words_is(struct slice word, const char *text);

/* Decimal or 0x hexadecimal. */
bool words_number(struct slice word, uint64_t *ret);

/* "250ms", "1.5s" is not one: whole numbers of us, ms, s, m. */
bool words_duration(struct slice word, ns_t *ret);

#endif
