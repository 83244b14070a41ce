/* The retry throttle of gRFC A6: failures take tokens, successes give parts of them back, and retries are for those who
 * have more than half. One of a service, counted for the whole process. */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "core/policy.h"

/* All zero: full. Any thread; a relaxed compare and swap where the count changes, a load where it is full already. */
struct budget {
    atomic_uint missing_milli; /* thousandths of tokens under the maximum, so a reload may move the maximum */
};

void budget_init(struct budget *b);

/* A status that is tried again, or "do not retry" by pushback: takes one token. True when a retry is allowed after it.
 */
bool budget_on_failure(struct budget *b, const struct budget_policy *p);

/* A call ended with OK. */
void budget_on_success(struct budget *b, const struct budget_policy *p);

/* Thousandths of tokens that are there. */
unsigned budget_tokens_milli(const struct budget *b, const struct budget_policy *p);

/* True while more than half of the tokens are there, or there is no throttle. */
bool budget_allows(const struct budget *b, const struct budget_policy *p);

#endif
