/* Names, parsers and maps of the status codes; tables only. */
#include "core/status.h"

const char *status_name(unsigned status)
{
    static const char *const names[] = {
#define X(name, number) [number] = #name,
        STATUS_LIST(X)
#undef X
    };
    return status < STATUS_COUNT ? names[status] : "UNKNOWN";
}

enum err status_parse(struct slice text, enum status *ret)
{
    uint32_t number;
    if (status_parse_wire(text, &number) == ERR_NONE) {
        *ret = (enum status)number;
        return number < STATUS_COUNT ? ERR_NONE : ERR_INVALID;
    }
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        if (slice_eq_nocase(text, slice_str(status_name(i)))) {
            *ret = (enum status)i;
            return ERR_NONE;
        }
    }
    return ERR_INVALID;
}

enum err status_parse_wire(struct slice text, uint32_t *ret)
{
    uint32_t v = 0;
    if (text.n == 0 || text.n > 9 || (text.n > 1 && text.p[0] == '0'))
        return ERR_INVALID;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return ERR_INVALID;
        v = v * 10 + (uint32_t)(text.p[i] - '0');
    }
    *ret = v;
    return ERR_NONE;
}

const char *reason_name(enum reason reason)
{
    static const char *const names[] = {[REASON_NONE] = "",
#define X(name) [REASON_##name] = #name,
                                        REASON_LIST(X)
#undef X
    };
    return (unsigned)reason < REASON_COUNT ? names[reason] : "";
}

/* STREAM_CLOSED and HTTP_1_1_REQUIRED have no line in the document; grpc-go's INTERNAL is taken for them. */
enum status status_of_h2_code(uint32_t code)
{
    switch (code) {
    case H2_NO_ERROR:
    case H2_PROTOCOL_ERROR:
    case H2_INTERNAL_ERROR:
    case H2_FLOW_CONTROL_ERROR:
    case H2_SETTINGS_TIMEOUT:
    case H2_STREAM_CLOSED:
    case H2_FRAME_SIZE_ERROR:
    case H2_COMPRESSION_ERROR:
    case H2_CONNECT_ERROR:
    case H2_HTTP_1_1_REQUIRED:
        return STATUS_INTERNAL;
    case H2_REFUSED_STREAM:
        return STATUS_UNAVAILABLE;
    case H2_CANCEL:
        return STATUS_CANCELLED;
    case H2_ENHANCE_YOUR_CALM:
        return STATUS_RESOURCE_EXHAUSTED;
    case H2_INADEQUATE_SECURITY:
        return STATUS_PERMISSION_DENIED;
    }
    return STATUS_UNKNOWN;
}

enum status status_of_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
    case 431:
        return STATUS_INTERNAL;
    case 401:
        return STATUS_UNAUTHENTICATED;
    case 403:
        return STATUS_PERMISSION_DENIED;
    case 404:
        return STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return STATUS_UNAVAILABLE;
    }
    return STATUS_UNKNOWN;
}
