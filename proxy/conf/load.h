/* Configuration file -> policy snapshot, or problems with their places. Reads the descriptors that the file names, but
 * no key and no certificate; opens no socket. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/problems.h"
#include "conf/yaml.h"
#include "core/policy.h"

/* What is asked of the surroundings; tests give their own. */
struct load_env {
    struct yaml_env variables;
    unsigned cores;  /* most workers; 0: those this process may run on */
    bool skip_files; /* take the files that the configuration names as they should be, unread: nothing is learnt of them
                      */
};

/* Reads the file (1 MiB at most) and everything in it. Returns a snapshot with one reference and generation 0, or NULL
 * when there is at least one error in *p. Warnings come without errors only, as parts that are wrong would make false
 * ones. Problems are in order of place. */
struct snapshot *load_file(const char *path, struct problems *p);

/* The same in other surroundings; NULL env: as load_file. */
struct snapshot *load_file_in(const char *path, const struct load_env *env, struct problems *p);

/* The same of a text in memory; `file` names it in places, and its folder is where relative paths begin. NULL env: as
 * load_file. */
struct snapshot *load_text(const char *file, struct slice text, const struct load_env *env, struct problems *p);

#endif
