/* An explanation on stdout, as text for people or JSON for programs. */
#ifndef CLI_EXPLAIN_PRINT_H
#define CLI_EXPLAIN_PRINT_H

#include "conf/explain.h"

void explain_print_text(const struct explanation *e, const struct explain_query *q);
void explain_print_json(const struct explanation *e, const struct explain_query *q);

#endif
