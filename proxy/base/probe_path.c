/* Splits the path of a probe. */
#include "base/probe_path.h"

#include "base/address.h"

bool probe_path_parse(struct slice text, struct probe_path *ret)
{
    static const char *const words[] = {[PROBE_GRPC] = "grpc", [PROBE_HTTP] = "http", [PROBE_TCP] = "tcp"};
    size_t slash = slice_find(text, '/');
    struct slice word = slice_sub(text, 0, slash), rest = slice_sub(text, slash + (slash < text.n), text.n);
    slash = slice_find(rest, '/');
    if (!address_parse_port(slice_sub(rest, 0, slash), &ret->port))
        return false;
    ret->rest = slice_sub(rest, slash, rest.n);
    for (ret->kind = PROBE_GRPC; ret->kind <= PROBE_TCP; ret->kind++)
        if (slice_eq(word, slice_str(words[ret->kind])))
            return true;
    return false;
}
