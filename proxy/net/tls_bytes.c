/* Reads the files of an identity into memory that is wiped afterwards. */
#include "net/tls_bytes.h"

#include "base/slice.h"
#include "net/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *check(const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return "is no regular file";
    if (st->st_mode & S_IWOTH)
        return "everybody may write to it";
    if (st->st_size > TLS_BYTES_MAX)
        return "larger than 4 MiB";
    return st->st_size == 0 ? "empty" : NULL;
}

/* What the file held when it was opened; one that grows meanwhile is read to its old end and noticed as changed. */
static const char *fill(struct tls_file *f, int fd, size_t size)
{
    if (!(f->p = malloc(size)))
        return "out of memory";
    while (f->n < size) {
        ssize_t got = read(fd, f->p + f->n, size - f->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerrordesc_np(errno);
        if (got == 0)
            break;
        f->n += (size_t)got;
    }
    return f->n == 0 ? "empty" : NULL;
}

static void read_file(struct tls_file *f, const char *path)
{
    struct stat st;
    *f = (struct tls_file){.path = path};
    if (!path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        f->error = strerrordesc_np(errno);
    else if (!(f->error = check(&st)))
        f->error = fill(f, fd, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
}

void tls_bytes_read(struct tls_bytes *b, const struct tls_files *files)
{
    *b = (struct tls_bytes){.trust_system = files->trust_system};
    read_file(&b->certificate, files->certificate);
    read_file(&b->private_key, files->private_key);
    read_file(&b->trust, files->trust);
    read_file(&b->revoked, files->revoked);
}

static void fini(struct tls_file *f)
{
    if (f->p)
        secret_wipe(f->p, f->n);
    free(f->p);
    f->p = NULL;
}

void tls_bytes_fini(struct tls_bytes *b)
{
    fini(&b->certificate);
    fini(&b->private_key);
    fini(&b->trust);
    fini(&b->revoked);
    for (size_t i = 0; i < b->bundles_n; i++) {
        fini(&b->bundles[i].roots);
        free(b->bundles[i].domain);
    }
    free(b->bundles);
    free(b->domain);
    b->bundles = NULL;
    b->bundles_n = 0;
    b->domain = NULL;
}

static uint64_t mark(const struct tls_file *f, uint64_t seed)
{
    return f->error ? slice_hash(slice_str(f->error), seed + 1) : slice_hash(slice_make(f->p, f->n), seed);
}

static uint64_t mark_trust(const struct tls_bytes *b)
{
    uint64_t h = mark(&b->trust, b->domain ? slice_hash(slice_str(b->domain), 2) : 2);
    for (size_t i = 0; i < b->bundles_n; i++)
        h = mark(&b->bundles[i].roots, slice_hash(slice_str(b->bundles[i].domain), h));
    return h;
}

uint64_t tls_bytes_mark(const struct tls_bytes *b, enum tls_part part)
{
    uint64_t h = 0;
    switch (part) {
    case TLS_PAIR:
        h = mark(&b->private_key, mark(&b->certificate, 1));
        break;
    case TLS_TRUST:
        h = mark_trust(b);
        break;
    case TLS_REVOKED:
        h = mark(&b->revoked, 3);
        break;
    case TLS_PART_COUNT:
        break;
    }
    return h ? h : 1;
}

const char *tls_part_text(enum tls_part part)
{
    static const char *const texts[] = {[TLS_PAIR] = "pair", [TLS_TRUST] = "trust", [TLS_REVOKED] = "revoked"};
    return texts[part];
}
