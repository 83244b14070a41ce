/* Configuration file -> policy snapshot, or problems with their places. Opens no socket and reads no other file. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/problems.h"
#include "conf/yaml.h"
#include "core/policy.h"

/* What is asked of the surroundings; tests give their own. */
struct load_env {
    struct yaml_env variables;
    unsigned cores; /* most workers; 0: those this process may run on */
};

/* Reads the file (1 MiB at most) and everything in it. Returns a snapshot with one reference and generation 0, or NULL
 * when there is at least one error in *p. Warnings come without errors only, as parts that are wrong would make false
 * ones. Problems are in order of place. */
struct snapshot *load_file(const char *path, struct problems *p);

/* The same of a text in memory; `file` names it in places, and its folder is where relative paths begin. NULL env: as
 * load_file. */
struct snapshot *load_text(const char *file, struct slice text, const struct load_env *env, struct problems *p);

#endif
