/* HPACK (RFC 7541), own implementation: decoding into a caller's arena with bounds, encoding without Huffman straight
 * into an output buffer. Both tables are at most 4,096 bytes whatever the peer asks. */
#ifndef H2_HPACK_H
#define H2_HPACK_H

#include "base/buf.h"
#include "h2/header.h"

enum { HPACK_TABLE_BYTES = 4096, HPACK_TABLE_ENTRIES = HPACK_TABLE_BYTES / 32 };

/* One direction's decoder. Owned by: a session. The dynamic table's bytes live in one ring of memory that is allocated
 * at the first insertion. */
struct hpack_decoder {
    struct hpack_table *table; /* owned, NULL until the first insertion */
    uint32_t size_max;         /* what the encoder last announced, <= HPACK_TABLE_BYTES */
};

void hpack_decoder_init(struct hpack_decoder *d);
void hpack_decoder_fini(struct hpack_decoder *d);

/* Where decoded fields go and what bounds them. */
struct hpack_sink {
    struct arena *arena;     /* names and values are copied here */
    struct headers *headers; /* fields up to the bounds */
    uint32_t fields_max, bytes_max;
    uint32_t fields, bytes; /* counted also past the bounds (nothing is stored then) */
    bool
        malformed; /* some name or value has bytes that RFC 9113 section 8.2.1 forbids (upper case, NUL, CR, LF, ...) */
};

/* Decodes one whole header block (all fragments joined). ERR_COMPRESSION: connection error. Past the sink's bounds
 * decoding goes on to keep the table true, without storing; the caller looks at sink->fields and sink->bytes. When the
 * count passes four times a bound: ERR_LIMIT, the table is no longer true and the connection must end. */
MUST_CHECK enum err hpack_decode(struct hpack_decoder *d, const uint8_t *p, size_t n, struct hpack_sink *sink);

/* One direction's encoder. */
struct hpack_encoder {
    struct hpack_index *index; /* owned, NULL until the first insertion */
    uint32_t size_max;
    uint32_t size_low; /* the least size since the last block */
    bool size_changed; /* a size update must open the next block */
};

void hpack_encoder_init(struct hpack_encoder *e);
void hpack_encoder_fini(struct hpack_encoder *e);

/* Gives the table's memory back, between blocks: the next block begins by telling the peer that the table is empty. */
void hpack_encoder_release(struct hpack_encoder *e);

/* The peer's SETTINGS_HEADER_TABLE_SIZE. */
void hpack_encoder_set_size(struct hpack_encoder *e, uint32_t size);

/* Bytes in the dynamic table, as RFC 7541 section 4.1 counts them. */
uint32_t hpack_encoder_table_size(const struct hpack_encoder *e);

/* Appends the encoded block to *out. A field with HEADER_NO_INDEX, or with a name whose values vary, is written as a
 * literal without indexing; but for the first one of a known name, which gives the others the name's index. The table
 * is updated as if the block will be sent: it must be. */
MUST_CHECK enum err hpack_encode(struct hpack_encoder *e, const struct header *v, size_t n, struct buf *out);

#endif
