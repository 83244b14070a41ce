/* Structured log: one JSON object a line on stderr, {"ts":…,"level":…,"event":…,…}. Written where a decision is made
 * (app, conf, cli); library folders do not log. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;
    const char *text; /* NULL: number */
    int64_t number;
};

#define LOG_TEXT(key, value)   ((struct log_field){(key), (value), 0})
#define LOG_NUMBER(key, value) ((struct log_field){(key), NULL, (int64_t)(value)})

/* log_line(LOG_INFO, "ready", LOG_TEXT("listen", "127.0.0.1:80"), LOG_NUMBER("workers", 1)) */
#define log_line(level, event, ...)                                                                                    \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, NULL, 0}})

/* Fields end with a NULL key. One write(2) a line; thread safe. Invalid UTF-8 and control bytes are escaped. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Writes s as the inside of a JSON string (without the quotes) to out[size], size > 0, always terminated; returns the
 * length. What does not fit is cut between characters. Bytes that are no UTF-8 become \u00XX. */
size_t log_escape(char *out, size_t size, struct slice s);

/* Where lines go (default 2, stderr); -1 discards. */
void log_to(int fd);

#endif
