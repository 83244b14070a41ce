/* Tokens are kept as what is missing: a fresh budget is zero, whatever its maximum. */
#include "core/budget.h"

enum { TOKEN_MILLI = 1000 };

void budget_init(struct budget *b)
{
    atomic_init(&b->missing_milli, 0);
}

static unsigned load(const struct budget *b)
{
    return atomic_load_explicit(&b->missing_milli, memory_order_relaxed);
}

static bool is_over_half(unsigned missing, const struct budget_policy *p)
{
    return (uint64_t)missing * 2 < p->max_milli;
}

bool budget_allows(const struct budget *b, const struct budget_policy *p)
{
    return !p->present || is_over_half(load(b), p);
}

unsigned budget_tokens_milli(const struct budget *b, const struct budget_policy *p)
{
    unsigned missing = load(b);
    return missing < p->max_milli ? p->max_milli - missing : 0;
}

bool budget_on_failure(struct budget *b, const struct budget_policy *p)
{
    unsigned v = load(b), next;
    if (!p->present)
        return true;
    do
        next = v + TOKEN_MILLI < p->max_milli ? v + TOKEN_MILLI : p->max_milli;
    while (!atomic_compare_exchange_weak_explicit(&b->missing_milli, &v, next, memory_order_relaxed,
                                                  memory_order_relaxed));
    return is_over_half(next, p);
}

void budget_on_success(struct budget *b, const struct budget_policy *p)
{
    unsigned v = load(b), next;
    do {
        if (v == 0 || !p->present)
            return;
        next = v > p->ratio_milli ? v - p->ratio_milli : 0;
    } while (!atomic_compare_exchange_weak_explicit(&b->missing_milli, &v, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}
