/* Cost of HPACK on the request block of a gRPC call: ten fields, of which grpc-timeout and traceparent differ in each
 * call. Ours and nghttp2's, both ways; the best of several rounds. */
#include "h2/hpack.h"

#include "base/rng.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 2000, ROUNDS = 40, FIELDS = 10, BLOCK_MAX = 1024, VARYING = 2 };

struct request {
    struct header v[FIELDS];
    nghttp2_nv nv[FIELDS];
    char timeout[16], traceparent[56];
};

static struct request requests[CALLS];
static struct buf blocks[CALLS]; /* keep their memory from round to round */

#define FAIL_IF(condition)                                                                                             \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void make_request(struct request *r, struct rng *rng)
{
    snprintf(r->timeout, sizeof r->timeout, "%um", 9000u + (unsigned)rng_below(rng, 999));
    snprintf(r->traceparent, sizeof r->traceparent, "00-%016llx%016llx-%016llx-01", (unsigned long long)rng_next(rng),
             (unsigned long long)rng_next(rng), (unsigned long long)rng_next(rng));
    const struct header v[FIELDS] = {
        header_make(TOKEN_METHOD, SLICE("POST")),
        header_make(TOKEN_SCHEME, SLICE("http")),
        header_make(TOKEN_PATH, SLICE("/helloworld.v1.GreeterService/SayHello")),
        header_make(TOKEN_AUTHORITY, SLICE("greeter.default.svc:50051")),
        header_make(TOKEN_TE, SLICE("trailers")),
        header_make(TOKEN_CONTENT_TYPE, SLICE("application/grpc")),
        header_make(TOKEN_USER_AGENT, SLICE("grpc-go/1.62.0")),
        header_make(TOKEN_GRPC_ACCEPT_ENCODING, SLICE("identity,deflate,gzip")),
        header_make(TOKEN_GRPC_TIMEOUT, slice_str(r->timeout)),
        header_make(TOKEN_TRACEPARENT, slice_str(r->traceparent)),
    };
    for (int i = 0; i < FIELDS; i++) {
        r->v[i] = v[i];
        r->nv[i] = (nghttp2_nv){.name = (uint8_t *)v[i].name,
                                .value = (uint8_t *)v[i].value,
                                .namelen = v[i].name_n,
                                .valuelen = v[i].value_n,
                                .flags = i < FIELDS - VARYING ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX};
    }
}

static void encode_ours(void *state, int i)
{
    buf_clear(&blocks[i]);
    FAIL_IF(hpack_encode(state, requests[i].v, FIELDS, &blocks[i]) != ERR_NONE);
}

static void encode_nghttp2(void *state, int i)
{
    buf_clear(&blocks[i]);
    uint8_t *out = buf_reserve(&blocks[i], BLOCK_MAX);
    FAIL_IF(!out);
    ssize_t n = nghttp2_hd_deflate_hd(state, out, BLOCK_MAX, requests[i].nv, FIELDS);
    FAIL_IF(n < 0);
    buf_commit(&blocks[i], (size_t)n);
}

static void decode_ours(void *state, int i)
{
    static char first[4096];
    static struct headers h;
    struct arena arena;
    arena_init(&arena, first, sizeof first);
    h.n = h.bytes = 0;
    struct hpack_sink sink = {
        .arena = &arena, .headers = &h, .fields_max = HEADERS_FIELDS_MAX, .bytes_max = HEADERS_BYTES_MAX};
    FAIL_IF(hpack_decode(state, buf_head(&blocks[i]), buf_len(&blocks[i]), &sink) != ERR_NONE);
    FAIL_IF(h.n != FIELDS || sink.malformed);
}

static void decode_nghttp2(void *state, int i)
{
    const uint8_t *p = buf_head(&blocks[i]);
    size_t left = buf_len(&blocks[i]);
    int flags, fields = 0;
    do {
        nghttp2_nv nv;
        flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(state, &nv, &flags, p, left, 1);
        FAIL_IF(n < 0);
        p += n;
        left -= (size_t)n;
        fields += flags & NGHTTP2_HD_INFLATE_EMIT ? 1 : 0;
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
    nghttp2_hd_inflate_end_headers(state);
    FAIL_IF(fields != FIELDS);
}

static double measure(void (*step)(void *, int), void *state)
{
    int64_t start = now_ns();
    for (int i = 0; i < CALLS; i++)
        step(state, i);
    return (double)(now_ns() - start) / CALLS;
}

static void keep_least(double *least, double v)
{
    if (*least == 0 || v < *least)
        *least = v;
}

struct result {
    double encode, decode_ours, decode_nghttp2, bytes;
};

/* Both decoders read what one encoder wrote, from its first block on. */
static struct result run(void (*encode)(void *, int), void *encoder)
{
    struct result r = {0};
    struct hpack_decoder ours;
    nghttp2_hd_inflater *other;
    hpack_decoder_init(&ours);
    FAIL_IF(nghttp2_hd_inflate_new(&other) != 0);
    for (int round = 0; round < ROUNDS; round++) {
        keep_least(&r.encode, measure(encode, encoder));
        keep_least(&r.decode_ours, measure(decode_ours, &ours));
        keep_least(&r.decode_nghttp2, measure(decode_nghttp2, other));
    }
    for (int i = 0; i < CALLS; i++)
        r.bytes += (double)buf_len(&blocks[i]) / CALLS;
    nghttp2_hd_inflate_del(other);
    hpack_decoder_fini(&ours);
    return r;
}

static void print(const char *name, struct result r)
{
    printf("%-8s encodes in %4.0f ns to %5.1f bytes; ours decodes them in %4.0f ns, nghttp2 in %4.0f ns\n", name,
           r.encode, r.bytes, r.decode_ours, r.decode_nghttp2);
}

int main(void)
{
    struct rng rng;
    rng_init(&rng, 1);
    for (int i = 0; i < CALLS; i++)
        make_request(&requests[i], &rng);
    struct hpack_encoder ours;
    nghttp2_hd_deflater *other;
    hpack_encoder_init(&ours);
    FAIL_IF(nghttp2_hd_deflate_new(&other, HPACK_TABLE_BYTES) != 0);
    print("ours", run(encode_ours, &ours));
    print("nghttp2", run(encode_nghttp2, other));
    nghttp2_hd_deflate_del(other);
    hpack_encoder_fini(&ours);
    for (int i = 0; i < CALLS; i++)
        buf_fini(&blocks[i]);
    return 0;
}
