/* An explanation on stdout, as text for people or JSON for programs. */
#ifndef CLI_EXPLAIN_PRINT_H
#define CLI_EXPLAIN_PRINT_H

#include "conf/explain.h"

#include <jansson.h>

/* `page`: of explain_live_fetch; NULL: without live state. */
void explain_print_text(const struct explanation *e, const struct explain_query *q, const json_t *page);
void explain_print_json(const struct explanation *e, const struct explain_query *q, const json_t *page);

/* What explain_live_process and explain_live_target found, as text. */
void explain_print_live_process(const json_t *process);
void explain_print_live_target(const json_t *live);

#endif
