/* An admission review: an answer that is JSON and carries the uid, or a text that says what is wrong. */
#include "inject/review.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char error[SIDECAR_ERROR_MAX] = "";
    struct sidecar s;
    struct buf out;
    sidecar_init(&s);
    buf_init(&out);
    if (review_answer(slice_make(p, n), &s, &out, error)) {
        json_t *answer = json_loadb((const char *)buf_head(&out), buf_len(&out), 0, NULL);
        if (!json_is_string(json_object_get(json_object_get(answer, "response"), "uid")))
            abort();
        json_decref(answer);
    } else if (!*error || buf_len(&out) > 0) {
        abort();
    }
    buf_fini(&out);
    return 0;
}
