/* Plays one plan: sets the world up, lets the calls and the faults happen, ends it, and judges. */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_result {
    uint64_t trace; /* the same for the same seed */
    size_t calls, ok, failed, cancelled, lost;
    unsigned faults;
};

/* Certificates in a temporary folder, once for all runs. */
void run_prepare(void);
void run_finish(void);

/* A violation prints the seed and ends the program. */
struct run_result run_seed(uint64_t seed, size_t calls, bool verbose);

#endif
