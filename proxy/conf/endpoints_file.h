/* A file of endpoints: `endpoints:` and a list of mappings with an address each, weight, priority and zone as they are
 * wanted. Reads one file; watching it is app's. */
#ifndef CONF_ENDPOINTS_FILE_H
#define CONF_ENDPOINTS_FILE_H

#include "conf/problems.h"
#include "core/member.h"

enum { ENDPOINTS_FILE_MAX = 10000 };

/* Reads the file (1 MiB and ENDPOINTS_FILE_MAX entries at most) into *ret, in the order of the file. With a `zone` of
 * our own ("" for none) the entries of other zones, and those without one, come after those of it, as if their priority
 * were the next one. False, with the problems, when anything is wrong; then nothing of it counts. */
bool endpoints_file_load(const char *path, const char *zone, struct arena *a, struct member **ret, size_t *ret_n,
                         struct problems *p);

#endif
