/* Huffman decoding of HPACK strings (RFC 7541 section 5.2 and appendix B). There is no encoder: literals leave as they
 * are. */
#ifndef H2_HUFFMAN_H
#define H2_HUFFMAN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Room that huffman_decode needs for n encoded bytes: the shortest code has 5 bits, and it may write a few bytes past
 * the text. */
static inline size_t huffman_room(size_t n)
{
    return n * 8 / 5 + 8;
}

/* Decodes n bytes to `out`, which has huffman_room(n). ERR_COMPRESSION: the padding is longer than 7 bits or not made
 * of ones, or the text holds the end-of-string symbol. */
MUST_CHECK enum err huffman_decode(const uint8_t *p, size_t n, char *out, size_t *ret_n);

/* The same judgement and length without the text. */
MUST_CHECK enum err huffman_measure(const uint8_t *p, size_t n, size_t *ret_n);

#endif
