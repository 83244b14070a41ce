/* Certificates, keys, roots and revocation lists as PEM: four files with NUL bytes between. Whatever they are, they are
 * taken, or refused with a text; parts that are not fresh come from the material before. */
#include "net/tls_material.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct tls_file take(const char *path, const uint8_t **p, size_t *n)
{
    const uint8_t *end = *n ? memchr(*p, 0, *n) : NULL;
    size_t length = end ? (size_t)(end - *p) : *n;
    struct tls_file f = {.path = length ? path : NULL, .n = length};
    if (length) {
        f.p = malloc(length);
        if (!f.p)
            abort();
        memcpy(f.p, *p, length);
    }
    *p += length + (end != NULL);
    *n -= length + (end != NULL);
    return f;
}

static void check_ends(const struct tls_material *m)
{
    for (int part = 0; part < TLS_PART_COUNT; part++)
        if (tls_material_end(m, (enum tls_part)part) < 0)
            abort();
}

/* What was taken once is taken again, whichever of its parts are read anew. */
static void renew(const struct tls_bytes *b, const struct tls_material *old)
{
    char error[TLS_ERROR_MAX];
    for (unsigned fresh = 0; fresh <= TLS_PART_ALL; fresh++) {
        struct tls_material *m = tls_material_new(b, fresh, old, error);
        if (!m)
            abort();
        check_ends(m);
        for (int part = 0; part < TLS_PART_COUNT; part++)
            if (tls_material_end(m, (enum tls_part)part) != tls_material_end(old, (enum tls_part)part))
                abort();
        tls_material_unref(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char error[TLS_ERROR_MAX] = "";
    struct tls_bytes b = {.certificate = take("a.crt", &p, &n)};
    b.private_key = take("a.key", &p, &n);
    b.trust = take("ca.crt", &p, &n);
    b.revoked = take("crl.pem", &p, &n);
    struct tls_material *m = tls_material_new(&b, TLS_PART_ALL, NULL, error);
    if (!m && !*error)
        abort();
    if (m) {
        check_ends(m);
        renew(&b, m);
    }
    tls_material_unref(m);
    tls_bytes_fini(&b);
    return 0;
}
