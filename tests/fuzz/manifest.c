/* A Kubernetes manifest: what inject accepts, it accepts again unchanged, and uninject gives the bytes back: all
 * of them, but for probes and Services that were moved inside brackets, where there are no comments to keep them. */
#include "inject/inject.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct slice bytes(const struct buf *b)
{
    return slice_make(buf_head(b), buf_len(b));
}

static bool has(struct slice text, const char *word)
{
    return text.n > 0 && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* Whether something that was moved may stand in brackets. */
static bool may_be_lost(struct slice before, struct slice after)
{
    bool moved = has(after, "/probe/") || has(after, "targetPort");
    return moved && (has(before, "{") || has(before, "["));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice text = slice_make(p, n);
    struct sidecar s;
    struct buf in, again, back, untouched;
    sidecar_init(&s);
    buf_init(&in);
    buf_init(&again);
    buf_init(&back);
    buf_init(&untouched);
    bool clean = uninject_manifest(text, &untouched, NULL, NULL) && slice_eq(bytes(&untouched), text);
    if (inject_manifest(text, &s, &in, NULL, NULL) && clean) {
        if (!inject_manifest(bytes(&in), &s, &again, NULL, NULL) || !slice_eq(bytes(&again), bytes(&in)))
            abort();
        if (!uninject_manifest(bytes(&in), &back, NULL, NULL))
            abort();
        if (!slice_eq(bytes(&back), text) && !may_be_lost(text, bytes(&in)))
            abort();
    }
    buf_fini(&in);
    buf_fini(&again);
    buf_fini(&back);
    buf_fini(&untouched);
    return 0;
}
