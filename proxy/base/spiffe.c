/* Walks over SPIFFE ids and patterns of them, segment by segment. */
#include "base/spiffe.h"

static const char scheme[] = "spiffe://";

enum { SCHEME_BYTES = sizeof scheme - 1 };

static bool is_in_domain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool is_in_path(char c)
{
    return is_in_domain(c) || (c >= 'A' && c <= 'Z');
}

bool spiffe_is(struct slice s)
{
    return s.n >= sizeof "spiffe:" - 1 && slice_eq_nocase(slice_sub(s, 0, sizeof "spiffe:" - 1), SLICE("spiffe:"));
}

static const char *check_domain(struct slice domain)
{
    if (domain.n == 0)
        return "a SPIFFE id with a trust domain";
    if (domain.n > SPIFFE_DOMAIN_MAX)
        return "a SPIFFE id with a trust domain of at most 255 bytes";
    for (size_t i = 0; i < domain.n; i++)
        if (!is_in_domain(domain.p[i]))
            return "a SPIFFE id whose trust domain is made of a-z, 0-9, \".\", \"-\" and \"_\"";
    return NULL;
}

static const char *check_segment(struct slice segment, bool star)
{
    if (segment.n == 0)
        return "a SPIFFE id without \"//\" and without \"/\" at its end";
    if (slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE("..")))
        return "a SPIFFE id without \".\" and \"..\" as segments of its path";
    if (star && slice_eq(segment, SLICE("*")))
        return NULL;
    for (size_t i = 0; i < segment.n; i++)
        if (!is_in_path(segment.p[i]))
            return star && segment.p[i] == '*'
                       ? "\"*\" in the place of a whole segment of the path"
                       : "a SPIFFE id whose path is made of letters, digits, \".\", \"-\", \"_\" and \"/\"";
    return NULL;
}

/* Cuts the first segment off a path that is not empty. */
static struct slice next_segment(struct slice *path)
{
    struct slice rest = slice_sub(*path, 1, path->n);
    size_t slash = slice_find(rest, '/');
    *path = slice_sub(rest, slash, rest.n);
    return slice_sub(rest, 0, slash);
}

static const char *check_path(struct slice path, bool star)
{
    const char *wrong = NULL;
    while (path.n > 0 && !wrong)
        wrong = check_segment(next_segment(&path), star);
    return wrong;
}

static const char *parse(struct slice s, bool star, struct spiffe *ret)
{
    if (s.n > SPIFFE_BYTES_MAX)
        return "a SPIFFE id of at most 2048 bytes";
    if (!slice_starts(s, slice_make(scheme, SCHEME_BYTES)))
        return "a SPIFFE id, which begins with spiffe://";
    struct slice rest = slice_sub(s, SCHEME_BYTES, s.n);
    size_t slash = slice_find(rest, '/');
    *ret = (struct spiffe){.domain = slice_sub(rest, 0, slash), .path = slice_sub(rest, slash, rest.n)};
    const char *wrong = check_domain(ret->domain);
    return wrong ? wrong : check_path(ret->path, star);
}

const char *spiffe_parse(struct slice s, struct spiffe *ret)
{
    return parse(s, false, ret);
}

static const char *check_with_path(struct slice s, bool star)
{
    struct spiffe id;
    const char *wrong = parse(s, star, &id);
    if (wrong)
        return wrong;
    return id.path.n > 0 ? NULL : "a SPIFFE id with a path, as one without names no workload";
}

const char *spiffe_check_workload(struct slice s)
{
    return check_with_path(s, false);
}

const char *spiffe_check_pattern(struct slice s)
{
    return check_with_path(s, true);
}

bool spiffe_matches(struct slice pattern, struct slice id)
{
    struct spiffe p, i;
    if (parse(pattern, true, &p) || parse(id, false, &i) || !slice_eq(p.domain, i.domain))
        return false;
    while (p.path.n > 0 && i.path.n > 0) {
        struct slice wanted = next_segment(&p.path), found = next_segment(&i.path);
        if (!slice_eq(wanted, SLICE("*")) && !slice_eq(wanted, found))
            return false;
    }
    return p.path.n == 0 && i.path.n == 0;
}
