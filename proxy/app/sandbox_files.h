/* The files that the worker process may reach, as a Landlock rule set. Folders hold with all that is below them. */
#ifndef APP_SANDBOX_FILES_H
#define APP_SANDBOX_FILES_H

#include <stdbool.h>

enum { SANDBOX_FOLDERS_MAX = 256 };

/* Adds the folder of a file, and that of what it is a link to. Paths that do not exist are passed over. */
void sandbox_files_add(const char *path);

/* Adds the folder of a unix socket that may be made there and removed. */
void sandbox_files_add_socket(const char *path);

/* Closes everything else off, with what the system needs added. The version of Landlock, or 0 with the reason. */
int sandbox_files_enter(const char **ret_why);

/* Whether the file, as it is now, may be read; true for one that does not exist, and where nothing is closed off. */
bool sandbox_files_has(const char *path);
bool sandbox_files_has_socket(const char *path);

#endif
