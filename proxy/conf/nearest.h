/* Finds the word that was probably meant. */
#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

#include "base/slice.h"

/* Keeps the closest of the words offered one by one. */
struct nearest {
    struct slice wanted;
    const char *best; /* NULL: none is close */
    unsigned distance;
};

void nearest_init(struct nearest *n, struct slice wanted);

/* Offers a candidate, which must outlive `n`. Case apart, a word is close
 * after two edits, under five letters after one, under three after none. */
void nearest_offer(struct nearest *n, const char *candidate);

#endif
