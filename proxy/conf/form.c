/* Forms of addresses, names, patterns and identities. */
#include "conf/form.h"

#include "base/address.h"
#include "base/address_pattern.h"
#include "base/spiffe.h"

enum { NAME_MAX_BYTES = 128, TEXT_MAX_BYTES = 1024, PATH_MAX_BYTES = 4095, HOST_MAX_BYTES = 253 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

/* Only letters, digits and those of `more`. */
static bool is_made_of(struct slice s, const char *more)
{
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || (!strchr(letters, s.p[i]) && !strchr(digits, s.p[i]) && !strchr(more, s.p[i])))
            return false;
    return s.n > 0;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

const char *form_name(struct slice s)
{
    return s.n <= NAME_MAX_BYTES && is_made_of(s, "._-") ? NULL : "up to 128 letters, digits, \".\", \"_\" and \"-\"";
}

const char *form_text(struct slice s)
{
    return s.n > 0 && s.n <= TEXT_MAX_BYTES && !has_control(s) ? NULL
                                                               : "a text of 1 to 1024 bytes without control characters";
}

const char *form_path(struct slice s)
{
    return s.n > 0 && s.n <= PATH_MAX_BYTES && !has_control(s) ? NULL : "the path of a file";
}

/* IP:port or unix:PATH; a host name too when `names`. */
static bool is_address(struct slice s, bool names)
{
    struct address address;
    char copy[TEXT_MAX_BYTES + 1];
    return s.n <= TEXT_MAX_BYTES && !has_control(s) && address_parse(s, copy, &address) == ERR_NONE &&
           (names || address.kind != ADDRESS_NAME);
}

/* Says more when the usual slips are made. */
static const char *explain_address(struct slice s, bool names, const char *expected)
{
    if (s.n && memmem(s.p, s.n, "://", 3))
        return "an address without a scheme, such as 127.0.0.1:8080";
    if (slice_starts(s, SLICE("unix:")))
        return "unix: and a path of 1 to 107 bytes";
    size_t colon = slice_find(s, ':');
    if (colon == s.n)
        return names ? "host:port, [v6]:port or unix:PATH" : "IP:port, [v6]:port or unix:PATH";
    struct slice rest = slice_sub(s, colon + 1, s.n);
    if (s.p[0] != '[' && slice_find(rest, ':') < rest.n)
        return "[v6]:port, an IPv6 address stands in brackets";
    return expected;
}

const char *form_listen(struct slice s)
{
    if (is_address(s, false))
        return NULL;
    if (slice_starts(s, SLICE("localhost:")))
        return "an IP address, such as 127.0.0.1 in place of localhost";
    if (slice_starts(s, SLICE("*:")) ||
        (slice_starts(s, SLICE(":")) && slice_find(slice_sub(s, 1, s.n), ':') == s.n - 1))
        return "an IP address, such as 0.0.0.0 for all of IPv4 or [::] for all of IPv6";
    return explain_address(s, false, "IP:port, [v6]:port or unix:PATH, with a port from 1 to 65535");
}

const char *form_forward(struct slice s)
{
    return is_address(s, true)
               ? NULL
               : explain_address(s, true, "host:port, [v6]:port or unix:PATH, with a port from 1 to 65535");
}

const char *form_forward_or_original(struct slice s)
{
    return slice_eq(s, SLICE("original")) ? NULL : form_forward(s);
}

const char *form_endpoint(struct slice s)
{
    if (is_address(s, false))
        return NULL;
    if (is_address(s, true))
        return "IP:port, [v6]:port or unix:PATH; for a host name write dns in place of static";
    return explain_address(s, false, "IP:port, [v6]:port or unix:PATH, with a port from 1 to 65535");
}

const char *form_ip_port(struct slice s)
{
    struct address address;
    return address_parse(s, NULL, &address) == ERR_NONE ? NULL : "IP:port or [v6]:port, with a port from 1 to 65535";
}

const char *form_api(struct slice s)
{
    struct address address;
    char copy[TEXT_MAX_BYTES + 1];
    const struct slice scheme = SLICE("https://");
    if (slice_starts(s, scheme) && s.n <= TEXT_MAX_BYTES) {
        struct slice rest = slice_sub(s, scheme.n, s.n - (s.p[s.n - 1] == '/'));
        if (address_parse(rest, copy, &address) == ERR_NONE && address.kind != ADDRESS_UNIX)
            return NULL;
    }
    return "the address of an API server, such as https://10.0.0.1:6443";
}

/* Labels of 1 to 63 bytes with dots between; one more dot may end the name (RFC 1035 section 2.3.4). */
static bool is_labels(struct slice s)
{
    while (s.n > 0) {
        size_t dot = slice_find(s, '.');
        if (dot == 0 || dot > 63)
            return false;
        s = slice_sub(s, dot < s.n ? dot + 1 : dot, s.n);
    }
    return true;
}

const char *form_host_port(struct slice s)
{
    struct address address;
    char copy[TEXT_MAX_BYTES + 1];
    return s.n <= TEXT_MAX_BYTES && address_parse(s, copy, &address) == ERR_NONE && address.kind == ADDRESS_NAME &&
                   is_labels(slice_str(address.name))
               ? NULL
               : "a DNS name and a port, such as payment.shop:8443";
}

const char *form_srv(struct slice s)
{
    return s.n > 1 && s.p[0] == '_' && s.n <= HOST_MAX_BYTES && is_made_of(s, "._-") && memmem(s.p, s.n, "._", 2)
               ? NULL
               : "the name of an SRV record, such as _grpc._tcp.payment.shop";
}

/* Text of a pattern in which a star may only be the last character. */
static bool has_inner_star(struct slice s)
{
    return slice_find(s, '*') + 1 < s.n;
}

const char *form_method_section(struct slice s)
{
    size_t slash = slice_find(s, '/');
    struct slice service = slice_sub(s, 0, slash);
    struct slice method = slash < s.n ? slice_sub(s, slash + 1, s.n) : SLICE("");
    bool star = slice_eq(method, SLICE("*"));
    if (has_inner_star(s))
        return "\"*\" only as the last character";
    if (s.n > 0 && s.p[0] == '/')
        return "pkg.Service/Method without a slash before it";
    return s.n <= TEXT_MAX_BYTES && is_made_of(service, "._-") && (star || is_made_of(method, "._-"))
               ? NULL
               : "pkg.Service/Method or pkg.Service/*";
}

const char *form_method(struct slice s)
{
    const char *expected = form_method_section(s);
    if (!expected || slice_eq(s, SLICE("*")))
        return NULL;
    return expected;
}

const char *form_authority(struct slice s)
{
    return s.n <= HOST_MAX_BYTES + 8 && is_made_of(s, "._-:[]%") ? NULL : "a host name, with or without a port";
}

const char *form_authority_pattern(struct slice s)
{
    if (has_inner_star(s))
        return "\"*\" only as the last character";
    if (slice_eq(s, SLICE("*")))
        return NULL;
    size_t n = slice_find(s, '*');
    return form_authority(slice_sub(s, 0, n)) ? "a host name such as payment.shop or payment*" : NULL;
}

const char *form_identity(struct slice s)
{
    static const char expected[] = "a URI such as spiffe://shop.example/ns/shop/sa/payment";
    const char *colon = s.n ? memmem(s.p, s.n, "://", 3) : NULL;
    if (s.n > 2048 || has_control(s) || !colon || slice_find(s, ' ') < s.n)
        return expected;
    if (slice_find(s, '*') < s.n)
        return "one exact identity, without \"*\"";
    if (spiffe_is(s))
        return spiffe_check_workload(s);
    struct slice scheme = slice_sub(s, 0, (size_t)(colon - s.p));
    struct slice rest = slice_sub(s, scheme.n + 3, s.n);
    if (!is_made_of(scheme, "+.-") || rest.n == 0 || rest.p[0] == '/')
        return expected;
    return NULL;
}

const char *form_identity_pattern(struct slice s)
{
    return spiffe_is(s) ? spiffe_check_pattern(s) : form_identity(s);
}

const char *form_spiffe_socket(struct slice s)
{
    static const char expected[] = "unix:PATH, or unix:///PATH as in SPIFFE_ENDPOINT_SOCKET";
    if (!slice_starts(s, SLICE("unix:")) || has_control(s))
        return expected;
    struct slice path = slice_sub(s, 5, s.n);
    if (slice_starts(path, SLICE("//")))
        path = slice_sub(path, 2, path.n);
    if (path.n == 0 || (slice_starts(s, SLICE("unix://")) && path.p[0] != '/'))
        return expected;
    return path.n <= ADDRESS_PATH_MAX ? NULL : "unix: and a path of 1 to 107 bytes";
}

const char *form_network(struct slice s)
{
    struct cidr network;
    const char *why;
    return cidr_parse(s, &network, &why) == ERR_NONE ? NULL : why;
}

const char *form_address_pattern(struct slice s)
{
    struct address_pattern pattern;
    const char *why;
    return address_pattern_parse(s, &pattern, &why) == ERR_NONE ? NULL : why;
}

const char *form_dns(struct slice s)
{
    return s.n > 0 && s.n <= HOST_MAX_BYTES && is_made_of(s, "._-") && s.p[0] != '.' && s.p[0] != '-'
               ? NULL
               : "a DNS name such as payment.shop, without a port";
}

const char *form_metadata_name(struct slice s)
{
    return s.n <= NAME_MAX_BYTES && is_made_of(s, "._-") ? NULL
                                                         : "a metadata name: letters, digits, \"-\", \"_\" and \".\"";
}

const char *form_port(struct slice s)
{
    return s.n <= 63 && is_made_of(s, "-") ? NULL : "the name or number of a port";
}
