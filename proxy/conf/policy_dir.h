/* The folder that `policy_dir` names: files with more `policies`, which become part of the tree of the main file.
 * Included by load.c only. */
#ifndef CONF_POLICY_DIR_H
#define CONF_POLICY_DIR_H

#include "conf/loader.h"

enum { POLICY_DIR_FILES_MAX = 100 };

/* A file of it. Owned by: the loader; the path by the snapshot. */
struct policy_file {
    struct tree tree;
    const char *path;
    struct policy_file *next;
};

/* Reads the *.yaml files of the folder, in order of their names, and puts their policies behind those of the main file
 * (`policies`, NULL for none). A name that is there twice is an error with both places. `dir` NULL, or skip_files:
 * nothing. Returns the section with all of them. */
const struct node *load_policy_dir(struct loader *l, const struct node *dir, const struct node *policies);

void policy_files_fini(struct policy_file *files);

#endif
