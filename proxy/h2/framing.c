/* Counts through heads and bodies of messages. */
#include "h2/framing.h"

enum { HEAD_BYTES = 5 };

static uint32_t length_in(const uint8_t *head)
{
    return (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
}

void framing_pass(struct framing *f, const uint8_t *p, size_t n)
{
    while (n > 0) {
        if (f->left > 0) {
            size_t part = f->left < n ? f->left : n;
            f->left -= (uint32_t)part;
            p += part;
            n -= part;
            continue;
        }
        if (f->head_n == 0 && n >= HEAD_BYTES) {
            f->left = length_in(p);
            p += HEAD_BYTES;
            n -= HEAD_BYTES;
            continue;
        }
        f->head[f->head_n++] = *p++;
        n--;
        if (f->head_n < HEAD_BYTES)
            continue;
        f->head_n = 0;
        f->left = length_in(f->head);
    }
}
