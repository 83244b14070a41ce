/* Life of a snapshot, and the lookup of a method in a policy. */
#include "core/policy.h"

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct arena arena = s->arena; /* the snapshot itself lives in it */
    arena_fini(&arena);
}

bool policy_split_path(struct slice path, struct slice *ret_service, struct slice *ret_method)
{
    if (path.n < 4 || path.p[0] != '/')
        return false;
    const char *slash = memrchr(path.p + 1, '/', path.n - 1);
    size_t at = slash ? (size_t)(slash - path.p) : 0;
    if (at < 2 || at + 1 == path.n)
        return false;
    *ret_service = slice_sub(path, 1, at);
    *ret_method = slice_sub(path, at + 1, path.n);
    return true;
}

static int compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int by_bytes = n ? memcmp(a.p, b.p, n) : 0;
    return by_bytes ? by_bytes : (a.n > b.n) - (a.n < b.n);
}

int policy_compare(struct slice service, struct slice method, const struct policy_method *m)
{
    int by_service = compare(service, m->service);
    if (by_service || method.n == 0 || m->method.n == 0)
        return by_service ? by_service : (method.n == 0) - (m->method.n == 0);
    return compare(method, m->method);
}

static const struct policy_method *find(const struct policy *p, struct slice service, struct slice method)
{
    size_t low = 0, high = p->methods_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = policy_compare(service, method, &p->methods[middle]);
        if (order == 0)
            return &p->methods[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct policy_method *policy_find_entry(const struct policy *p, struct slice path)
{
    struct slice service, method;
    if (p->methods_n == 0 || !policy_split_path(path, &service, &method))
        return NULL;
    const struct policy_method *exact = find(p, service, method);
    return exact ? exact : find(p, service, SLICE(""));
}

const struct method_policy *policy_find(const struct policy *p, struct slice path)
{
    const struct policy_method *m = policy_find_entry(p, path);
    return m ? &m->effective : &p->base;
}
