#!/usr/bin/env python3
"""Writes huffman_table.h from the code lengths of RFC 7541 appendix B: python3 huffman_table.py | clang-format > huffman_table.h

The code is canonical (shorter codes first, equal lengths by symbol), so the lengths are all there is to know.
"""

BITS = 12
EOS = 256
LENGTHS = """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30
"""


def canonical(lengths):
    order = sorted(range(len(lengths)), key=lambda s: (lengths[s], s))
    codes, code, last = {}, 0, lengths[order[0]]
    for s in order:
        code <<= lengths[s] - last
        last = lengths[s]
        codes[s] = code
        code += 1
    return order, codes


def lookup(window, lengths, by_code):
    """(symbol, length) of the code at the head of a window of `width` bits, or None."""
    value, width = window
    for n in range(5, width + 1):
        s = by_code.get((n, value >> (width - n)))
        if s is not None:
            return s, n
    return None


def main_entry(i, lengths, by_code):
    first = lookup((i, BITS), lengths, by_code)
    if first is None:
        return 0
    s, n = first
    rest = BITS - n
    second = lookup((i & ((1 << rest) - 1), rest), lengths, by_code)
    if second is None:
        return s << 16 | 1 << 8 | n
    return second[0] << 24 | s << 16 | 2 << 8 | n + second[1]


def rows(values, per_line, form):
    for i in range(0, len(values), per_line):
        print("    " + " ".join(form % v + "," for v in values[i:i + per_line]))


def main():
    lengths = [int(x) for x in LENGTHS.split()]
    order, codes = canonical(lengths)
    by_code = {(lengths[s], codes[s]): s for s in order}
    long_order = [s for s in order if lengths[s] > BITS]
    print("/* Huffman decoding tables of RFC 7541 appendix B. Written by huffman_table.py; do not edit. */")
    print("#ifndef H2_HUFFMAN_TABLE_H\n#define H2_HUFFMAN_TABLE_H\n\n#include <stdint.h>\n")
    print("enum { HUFFMAN_BITS = %d, HUFFMAN_EOS = %d };\n" % (BITS, EOS))
    print("/* By the next HUFFMAN_BITS bits: bits used (0-7), symbols (8-15), which one or two (16-23, 24-31). 0: the code is")
    print(" * longer. */")
    print("static const uint32_t HUFFMAN_SHORT[1 << HUFFMAN_BITS] = {")
    rows([main_entry(i, lengths, by_code) for i in range(1 << BITS)], 10, "0x%08x")
    print("};\n")
    print("/* Longer codes, by length: the first and last code and the place of the first symbol in HUFFMAN_SYMBOLS. Codes are")
    print(" * aligned to the left of 32 bits. */")
    print("static const struct huffman_range {\n    uint32_t first, last;\n    uint8_t offset, bits;\n} HUFFMAN_LONG[] = {")
    for n in sorted({lengths[s] for s in long_order}):
        same = [s for s in long_order if lengths[s] == n]
        first = codes[same[0]] << (32 - n)
        last = (codes[same[-1]] + 1 << (32 - n)) - 1
        print("    {0x%08x, 0x%08x, %d, %d}," % (first, last, long_order.index(same[0]), n))
    print("};\n")
    print("static const uint16_t HUFFMAN_SYMBOLS[] = {")
    rows(long_order, 20, "%d")
    print("};\n\n#endif")


main()
