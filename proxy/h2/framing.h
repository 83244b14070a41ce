/* Follows the length-prefixed messages of a gRPC stream (PROTOCOL-HTTP2, "Length-Prefixed-Message") without keeping
 * them: only to know whether the bytes so far end between two messages. */
#ifndef H2_FRAMING_H
#define H2_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: before the first message. */
struct framing {
    uint32_t left;  /* bytes of the current message still to come */
    uint8_t head_n; /* bytes of its 5-byte head that have come */
    uint8_t head[5];
};

/* n more bytes of the stream. */
void framing_pass(struct framing *f, const uint8_t *p, size_t n);

/* True inside a message or its head. */
static inline bool framing_is_cut(const struct framing *f)
{
    return f->left > 0 || f->head_n > 0;
}

#endif
