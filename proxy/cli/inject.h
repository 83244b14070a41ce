/* Options that inject and webhook share: what the sidecar is. Each returns CLI_DONE, or the exit code after a line on
 * stderr. */
#ifndef CLI_INJECT_H
#define CLI_INJECT_H

#include "cli/option.h"
#include "inject/sidecar.h"

/* The ports of the inbound listeners and of the admin page of a configuration. */
int inject_take_config(struct sidecar *s, const char *path);
int inject_take_image(const struct options *o, struct sidecar *s, const char *image);

/* "KEY=VALUE" */
int inject_take_setting(const struct options *o, struct sidecar *s, const char *setting);

#endif
