/* Formats one JSON log line into a stack buffer and writes it with a single call. */
#include "base/log.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 4096, VALUE_BYTES = 1024 };

static int log_fd = 2;

void log_to(int fd)
{
    log_fd = fd;
}

size_t log_escape(char *out, size_t size, struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 7 < size;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t length = slice_utf8(slice_sub(s, i, s.n));
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (length == 0 || c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
        } else {
            memcpy(out + n, s.p + i, length);
            n += length;
        }
        i += length ? length : 1;
    }
    out[n] = '\0';
    return n;
}

static size_t put_time(char *out, size_t size)
{
    ns_t wall = clock_wall();
    time_t seconds = (time_t)(wall / NS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, size, "{\"ts\":\"%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, size - n, ".%03dZ\"", (int)(wall % NS_PER_S / NS_PER_MS));
}

static size_t put_field(char *out, size_t size, const struct log_field *f)
{
    if (!f->text)
        return (size_t)snprintf(out, size, ",\"%s\":%lld", f->key, (long long)f->number);
    char value[VALUE_BYTES];
    log_escape(value, sizeof value, slice_str(f->text));
    return (size_t)snprintf(out, size, ",\"%s\":\"%s\"", f->key, value);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    static const char *const names[] = {"info", "warn", "error"};
    char line[LINE_BYTES];
    size_t n = put_time(line, sizeof line);
    n += (size_t)snprintf(line + n, sizeof line - n, ",\"level\":\"%s\",\"event\":\"%s\"", names[level], event);
    for (const struct log_field *f = fields; f->key; f++) {
        size_t room = sizeof line - n - 3;
        size_t used = put_field(line + n, room, f);
        if (used >= room)
            break;
        n += used;
    }
    line[n++] = '}';
    line[n++] = '\n';
    if (log_fd >= 0 && write(log_fd, line, n) < 0)
        return;
}
