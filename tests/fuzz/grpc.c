/* Texts of gRPC: timeouts, statuses, content types, messages. What is read must survive being written. */
#include "h2/grpc.h"
#include "core/deadline.h"
#include "core/status.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_timeout(struct slice text)
{
    char out[DEADLINE_TEXT_MAX];
    ns_t timeout, again;
    if (deadline_parse(text, &timeout) != ERR_NONE)
        return;
    CHECK(timeout >= 0 && text.n <= 9);
    if (timeout == 0 || timeout == NS_NEVER)
        return;
    size_t written = deadline_format(timeout, out);
    CHECK(written <= sizeof out && deadline_parse(slice_make(out, written), &again) == ERR_NONE);
    CHECK(again >= timeout); /* rounded up, never down */
}

static void check_message(struct slice text)
{
    char *encoded = malloc(text.n * 3 + 1);
    CHECK(encoded);
    size_t n = grpc_message_encode(text, encoded);
    CHECK(n >= text.n && n <= text.n * 3);
    for (size_t i = 0; i < n; i++)
        CHECK(encoded[i] >= 0x20 && encoded[i] <= 0x7e);
    free(encoded);
}

static void check_base64(struct slice text)
{
    char *encoded = malloc((text.n + 2) / 3 * 4 + 1);
    CHECK(encoded);
    CHECK(grpc_base64_encode((const uint8_t *)text.p, text.n, encoded) == (text.n * 4 + 2) / 3);
    free(encoded);
}

/* The input as the path of a call: one that is taken has a service and a method, and nothing that could be read in
 * another way. */
static void check_path(struct slice text)
{
    static struct headers h;
    const char *const words[] = {"/../", "/./", "//", "%", "?", "#", "\\"};
    h.n = 3;
    h.v[0] = header_make(TOKEN_METHOD, SLICE("POST"));
    h.v[1] = header_make(TOKEN_CONTENT_TYPE, SLICE("application/grpc"));
    h.v[2] = header_make(TOKEN_PATH, text);
    if (grpc_judge_request(&h) != GRPC_REQUEST_OK)
        return;
    CHECK(text.n >= 4 && text.p[0] == '/' && text.p[text.n - 1] != '/' && memchr(text.p + 1, '/', text.n - 1));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        CHECK(memmem(text.p, text.n, words[i], strlen(words[i])) == NULL);
}

static void check_status(struct slice text)
{
    uint32_t number;
    if (status_parse_wire(text, &number) == ERR_NONE)
        CHECK(text.n > 0 && status_name(number) != NULL);
}

/* The input as a block: a byte with the lengths of name and value, then these. */
static void check_block(const uint8_t *p, size_t n)
{
    static struct headers h;
    h.n = 0;
    while (n > 1 && h.n < 16) {
        size_t name_n = p[0] >> 4, value_n = p[0] & 15;
        if (1 + name_n + value_n > n)
            break;
        const char *name = (const char *)p + 1;
        h.v[h.n++] = (struct header){.name = name,
                                     .value = name + name_n,
                                     .name_n = (uint32_t)name_n,
                                     .value_n = (uint32_t)value_n,
                                     .token = (uint16_t)token_find(name, name_n)};
        p += 1 + name_n + value_n;
        n -= 1 + name_n + value_n;
    }
    for (int kind = GRPC_BLOCK_REQUEST; kind <= GRPC_BLOCK_TRAILERS; kind++)
        if (grpc_check_block(&h, (enum grpc_block)kind) == ERR_NONE && kind == GRPC_BLOCK_REQUEST)
            (void)grpc_judge_request(&h);
    for (uint32_t i = 0; i < h.n; i++)
        (void)grpc_passes(&h.v[i], n & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice text = slice_make(p, n);
    if (n > 4096)
        return 0;
    check_timeout(text);
    check_message(text);
    check_base64(text);
    (void)grpc_is_content_type(text);
    check_path(text);
    check_status(text);
    check_block(p, n);
    return 0;
}
