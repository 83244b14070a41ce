/* Messages of the SPIFFE Workload API, read with protobuf-c. */
#include "h2/workload.h"

#include "workload.pb-c.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 5 };

enum err workload_next(struct buf *b, struct slice *ret)
{
    const uint8_t *p = buf_head(b);
    if (buf_len(b) < PREFIX)
        return ERR_AGAIN;
    if (p[0] != 0)
        return ERR_UNSUPPORTED;
    uint32_t n = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    if (n > WORKLOAD_MESSAGE_MAX)
        return ERR_LIMIT;
    if (buf_len(b) - PREFIX < n)
        return ERR_AGAIN;
    *ret = slice_make(p + PREFIX, n);
    return ERR_NONE;
}

static void *take_memory(void *ctx, size_t n)
{
    (void)ctx;
    return malloc(n);
}

static void wipe_memory(void *ctx, void *p)
{
    (void)ctx;
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

/* What a message was unpacked into is wiped when it goes, also when it was found broken half way. */
static ProtobufCAllocator wiping = {.alloc = take_memory, .free = wipe_memory};

static struct slice of_bytes(ProtobufCBinaryData b)
{
    return slice_make(b.data, b.len);
}

/* Bundles are named by the id of their trust domain. */
static struct slice domain_of(const char *key)
{
    struct slice s = slice_str(key), scheme = SLICE("spiffe://");
    return slice_starts(s, scheme) ? slice_sub(s, scheme.n, s.n) : s;
}

static const char *take_rest(const Workload__X509SVIDResponse *m, struct workload_svid *ret)
{
    if (m->n_federated_bundles > WORKLOAD_BUNDLES_MAX)
        return "more than 64 federated bundles";
    if (m->n_crl > WORKLOAD_LISTS_MAX)
        return "more than 64 revocation lists";
    for (size_t i = 0; i < m->n_federated_bundles; i++) {
        const Workload__X509SVIDResponse__Bundle *b = m->federated_bundles[i];
        ret->federated[ret->federated_n++] = (struct workload_bundle){domain_of(b->key), of_bytes(b->value)};
    }
    for (size_t i = 0; i < m->n_crl; i++)
        ret->lists[ret->lists_n++] = of_bytes(m->crl[i]);
    return NULL;
}

static const char *take(const Workload__X509SVIDResponse *m, struct workload_svid *ret)
{
    if (m->n_svids == 0)
        return "no SVID in the answer";
    const Workload__X509SVID *svid = m->svids[0];
    ret->id = slice_str(svid->spiffe_id);
    ret->chain = of_bytes(svid->x509_svid);
    ret->key = of_bytes(svid->x509_svid_key);
    ret->bundle = of_bytes(svid->bundle);
    if (ret->id.n == 0 || ret->chain.n == 0 || ret->key.n == 0 || ret->bundle.n == 0)
        return "an SVID without its id, certificate, key or bundle";
    return take_rest(m, ret);
}

enum err workload_parse(struct slice message, struct workload_svid *ret, const char **ret_why)
{
    memset(ret, 0, sizeof *ret);
    Workload__X509SVIDResponse *m = workload__x509_svidresponse__unpack(&wiping, message.n, (const uint8_t *)message.p);
    *ret_why = m ? NULL : "bytes that are no such message";
    if (!m)
        return ERR_INVALID;
    ret->message = m;
    *ret_why = take(m, ret);
    if (!*ret_why)
        return ERR_NONE;
    workload_fini(ret);
    return ERR_INVALID;
}

void workload_fini(struct workload_svid *s)
{
    if (s->message)
        workload__x509_svidresponse__free_unpacked(s->message, &wiping);
    memset(s, 0, sizeof *s);
}
