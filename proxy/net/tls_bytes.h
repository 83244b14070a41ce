/* The files of an identity as they were at one moment: bytes, what could not be read, and marks that tell content from
 * other content. It does not look into them. */
#ifndef NET_TLS_BYTES_H
#define NET_TLS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Paths of PEM files; NULL: none. */
struct tls_files {
    const char *certificate, *private_key; /* both or none */
    const char *trust;
    bool trust_system; /* the roots of the system in the place of `trust` */
    const char *revoked;
};

/* What is replaced as a whole. */
enum tls_part { TLS_PAIR, TLS_TRUST, TLS_REVOKED, TLS_PART_COUNT };

enum { TLS_BYTES_MAX = 4 << 20 };

/* A file's content, or why there is none. */
struct tls_file {
    const char *path;  /* borrowed; NULL: not named */
    uint8_t *p;        /* owned */
    size_t n;          /* > 0, unless there is an error */
    const char *error; /* static text; NULL: it was read */
};

/* The roots of one trust domain, as PEM. */
struct tls_bundle {
    char *domain; /* owned, "shop.example" */
    struct tls_file roots;
};

/* Owned by: its creator. Borrows: the paths. */
struct tls_bytes {
    struct tls_file certificate, private_key, trust, revoked;
    bool trust_system;
    /* With a domain, `trust` is for peers of it (and for those without a SPIFFE id) alone, and each bundle for those of
     * its own. */
    char *domain;               /* owned, NULL: `trust` is for all */
    struct tls_bundle *bundles; /* owned, of other domains */
    size_t bundles_n;
};

/* Reads the files, regular ones of 1 byte to TLS_BYTES_MAX that not everybody may write to; never blocks on a pipe. */
void tls_bytes_read(struct tls_bytes *b, const struct tls_files *files);

/* Wipes and frees. */
void tls_bytes_fini(struct tls_bytes *b);

/* A hash of a part's content, or of its absence; never 0. */
uint64_t tls_bytes_mark(const struct tls_bytes *b, enum tls_part part);

/* "pair", "trust" or "revoked", for logs and counters. */
const char *tls_part_text(enum tls_part part);

#endif
