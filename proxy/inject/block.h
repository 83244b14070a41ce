/* JSON values written as the block style of YAML that people write by hand. */
#ifndef INJECT_BLOCK_H
#define INJECT_BLOCK_H

#include "base/buf.h"

#include <jansson.h>

/* Appends an object's fields, or a list's items, as whole lines that begin with `indent` spaces and end with `eol`. */
void block_write(struct buf *out, const json_t *value, size_t indent, const char *eol);

#endif
