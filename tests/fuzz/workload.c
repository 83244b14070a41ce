/* What a Workload API streams: messages are cut off and read, their certificates taken to PEM and judged. Whatever the
 * bytes are, an SVID is whole or there is a text that says what is wrong. */
#include "h2/workload.h"

#include "net/tls_der.h"
#include "net/tls_material.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void judge(const struct tls_bytes *bytes)
{
    char error[TLS_ERROR_MAX] = "";
    struct tls_material *m = tls_material_new(bytes, TLS_PART_ALL, NULL, error);
    if (!m && !*error)
        abort();
    for (int part = 0; m && part < TLS_PART_COUNT; part++)
        if (tls_material_end(m, (enum tls_part)part) < 0)
            abort();
    tls_material_unref(m);
}

static void translate(const struct workload_svid *s)
{
    struct tls_der_bundle bundles[WORKLOAD_BUNDLES_MAX];
    char why[TLS_DER_WHY_MAX] = "";
    struct tls_bytes bytes;
    for (size_t i = 0; i < s->federated_n; i++)
        bundles[i] = (struct tls_der_bundle){s->federated[i].domain, s->federated[i].der};
    const struct tls_der der = {.name = "workload",
                                .chain = s->chain,
                                .key = s->key,
                                .roots = s->bundle,
                                .id = s->id,
                                .bundles = bundles,
                                .bundles_n = s->federated_n,
                                .lists = s->lists,
                                .lists_n = s->lists_n};
    if (tls_bytes_of_der(&bytes, &der, why))
        judge(&bytes);
    else if (!*why)
        abort();
    tls_bytes_fini(&bytes);
}

static void take(struct slice message)
{
    struct workload_svid s;
    const char *why;
    if (workload_parse(message, &s, &why) != ERR_NONE) {
        if (!why || s.message)
            abort();
        return;
    }
    if (s.id.n == 0 || s.chain.n == 0 || s.key.n == 0 || s.bundle.n == 0 || s.federated_n > WORKLOAD_BUNDLES_MAX ||
        s.lists_n > WORKLOAD_LISTS_MAX)
        abort();
    translate(&s);
    workload_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice message;
    struct buf in;
    buf_init(&in);
    if (n > 0 && buf_append(&in, p, n) != ERR_NONE)
        abort();
    while (workload_next(&in, &message) == ERR_NONE) {
        char *exact = malloc(message.n + 1); /* so that a sanitizer sees a read past the end */
        if (!exact)
            abort();
        if (message.n > 0)
            memcpy(exact + 1, message.p, message.n);
        take(slice_make(exact + 1, message.n));
        free(exact);
        buf_consume(&in, (size_t)(message.p - (const char *)buf_head(&in)) + message.n);
    }
    buf_fini(&in);
    return 0;
}
