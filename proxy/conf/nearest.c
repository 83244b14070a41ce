/* Edit distance with transpositions (optimal string alignment), bounded to short words. */
#include "conf/nearest.h"

enum { WORD_MAX = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static unsigned distance(struct slice a, struct slice b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b.n; j++)
        above[j] = before[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            bool same = lower(a.p[i - 1]) == lower(b.p[j - 1]);
            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + !same);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b.n];
}

void nearest_init(struct nearest *n, struct slice wanted)
{
    *n = (struct nearest){.wanted = wanted, .distance = wanted.n < 3 ? 1 : wanted.n < 5 ? 2 : 3};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    struct slice c = slice_str(candidate);
    if (c.n > WORD_MAX || n->wanted.n > WORD_MAX || n->wanted.n == 0)
        return;
    unsigned d = distance(n->wanted, c);
    if (d < n->distance) {
        n->distance = d;
        n->best = candidate;
    }
}
