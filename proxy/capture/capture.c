/* Ports to ranges, ranges to rules. Two chains: what comes to this namespace from outside, and what begins here. What
 * stays inside it (the loopback interface, which a call to an own address takes too) is nobody else's business. */
#include "capture/capture.h"

#define UID_MAX 4294967294u /* the one above means nobody */

static const char *const options[] = {[CAPTURE_INBOUND] = "--inbound", [CAPTURE_OUTBOUND] = "--outbound"};
static const char *const chains[] = {[CAPTURE_INBOUND] = "OUTRIGGER_IN", [CAPTURE_OUTBOUND] = "OUTRIGGER_OUT"};

void capture_init(struct capture *c)
{
    *c = (struct capture){.to = {[CAPTURE_INBOUND] = CAPTURE_TO_INBOUND, [CAPTURE_OUTBOUND] = CAPTURE_TO_OUTBOUND},
                          .uid = CAPTURE_UID};
}

static bool take_number(uint64_t *ret, struct slice text, uint64_t max)
{
    uint64_t v = 0;
    for (size_t i = 0; i < text.n && v <= max; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    *ret = v;
    return text.n > 0 && v <= max;
}

bool capture_take_port(uint16_t *ret, struct slice text)
{
    uint64_t v;
    bool good = take_number(&v, text, UINT16_MAX) && v > 0;
    if (good)
        *ret = (uint16_t)v;
    return good;
}

bool capture_take_uid(uint32_t *ret, struct slice text)
{
    uint64_t v;
    bool good = take_number(&v, text, UID_MAX);
    if (good)
        *ret = (uint32_t)v;
    return good;
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && s.p[0] == ' ')
        s = slice_sub(s, 1, s.n);
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static bool take_range(struct capture_range *ret, struct slice text)
{
    size_t dash = slice_find(text, '-');
    if (!capture_take_port(&ret->first, slice_sub(text, 0, dash)))
        return false;
    ret->last = ret->first;
    return dash == text.n || (capture_take_port(&ret->last, slice_sub(text, dash + 1, text.n)) && //
                              ret->last > ret->first);
}

/* Keeps the order; false when the range meets one that is there. */
static bool insert(struct capture *c, enum capture_side side, struct capture_range r)
{
    struct capture_range *v = c->ranges[side];
    size_t i = c->ranges_n[side];
    while (i > 0 && v[i - 1].first > r.last)
        i--;
    if (i > 0 && v[i - 1].last >= r.first)
        return false;
    memmove(v + i + 1, v + i, (c->ranges_n[side]++ - i) * sizeof *v);
    v[i] = r;
    return true;
}

bool capture_take_ports(struct capture *c, enum capture_side side, struct slice text, char error[CAPTURE_ERROR_MAX])
{
    for (bool more = true; more;) {
        size_t end = slice_find(text, ',');
        struct slice one = trim(slice_sub(text, 0, end));
        struct capture_range r;
        int shown = (int)(one.n < 32 ? one.n : 32);
        more = end < text.n;
        text = slice_sub(text, end + more, text.n);
        if (!take_range(&r, one)) {
            snprintf(error, CAPTURE_ERROR_MAX,
                     "%s: found \"%.*s\", expected ports from 1 to 65535 such as 50051,60000-60010", options[side],
                     shown, one.p);
            return false;
        }
        if (c->ranges_n[side] == CAPTURE_RANGES_MAX) {
            snprintf(error, CAPTURE_ERROR_MAX, "%s: more than %d ports and ranges", options[side], CAPTURE_RANGES_MAX);
            return false;
        }
        if (!insert(c, side, r)) {
            snprintf(error, CAPTURE_ERROR_MAX, "%s: %.*s overlaps with another one of the list", options[side], shown,
                     one.p);
            return false;
        }
    }
    return true;
}

bool capture_has(const struct capture *c, enum capture_side side, uint16_t port)
{
    for (size_t i = 0; i < c->ranges_n[side]; i++)
        if (port >= c->ranges[side][i].first && port <= c->ranges[side][i].last)
            return true;
    return false;
}

bool capture_judge(const struct capture *c, char error[CAPTURE_ERROR_MAX])
{
    if (c->ranges_n[CAPTURE_INBOUND] + c->ranges_n[CAPTURE_OUTBOUND] == 0) {
        snprintf(error, CAPTURE_ERROR_MAX, "nothing to capture, expected --inbound PORTS or --outbound PORTS");
        return false;
    }
    for (int side = 0; side < CAPTURE_SIDES; side++)
        if (capture_has(c, (enum capture_side)side, c->to[side])) {
            snprintf(error, CAPTURE_ERROR_MAX, "%s: %u is the listener that captured connections go to", options[side],
                     c->to[side]);
            return false;
        }
    if (c->ranges_n[CAPTURE_INBOUND] && c->ranges_n[CAPTURE_OUTBOUND] && c->to[0] == c->to[1]) {
        snprintf(error, CAPTURE_ERROR_MAX, "--to-inbound and --to-outbound are both %u, expected two listeners",
                 c->to[0]);
        return false;
    }
    return true;
}

/* "60000-60010", with the mark of each tool between. */
static void write_range(const struct capture_range *r, char between, FILE *out)
{
    if (r->first == r->last)
        fprintf(out, "%u", r->first);
    else
        fprintf(out, "%u%c%u", r->first, between, r->last);
}

static void write_nft_redirect(const struct capture *c, enum capture_side side, FILE *out)
{
    if (c->ranges_n[side] == 0)
        return;
    fputs("        tcp dport { ", out);
    for (size_t i = 0; i < c->ranges_n[side]; i++) {
        fputs(i ? ", " : "", out);
        write_range(&c->ranges[side][i], '-', out);
    }
    fprintf(out, " } redirect to :%u\n", c->to[side]);
}

void capture_write_nft(const struct capture *c, FILE *out)
{
    fputs("table inet " CAPTURE_TABLE "\ndelete table inet " CAPTURE_TABLE "\n", out); /* what is not there is made */
    if (!c)
        return;
    fputs("table inet " CAPTURE_TABLE " {\n"
          "    chain inbound {\n"
          "        type nat hook prerouting priority -100; policy accept;\n"
          "        iifname \"lo\" return\n",
          out);
    write_nft_redirect(c, CAPTURE_INBOUND, out);
    fprintf(out,
            "    }\n"
            "    chain outbound {\n"
            "        type nat hook output priority -100; policy accept;\n"
            "        oifname \"lo\" return\n"
            "        meta skuid %u return\n",
            c->uid);
    write_nft_redirect(c, CAPTURE_OUTBOUND, out);
    fputs("    }\n}\n", out);
}

const char *capture_jump(enum capture_side side)
{
    return side == CAPTURE_INBOUND ? "PREROUTING -p tcp -j OUTRIGGER_IN" : "OUTPUT -p tcp -j OUTRIGGER_OUT";
}

static void write_chain(const struct capture *c, enum capture_side side, FILE *out)
{
    const char *chain = chains[side];
    fprintf(out, "-A %s -%c lo -j RETURN\n", chain, side == CAPTURE_INBOUND ? 'i' : 'o');
    if (side == CAPTURE_OUTBOUND)
        fprintf(out, "-A %s -m owner --uid-owner %u -j RETURN\n", chain, c->uid);
    for (size_t i = 0; i < c->ranges_n[side]; i++) {
        fprintf(out, "-A %s -p tcp --dport ", chain);
        write_range(&c->ranges[side][i], ':', out);
        fprintf(out, " -j REDIRECT --to-ports %u\n", c->to[side]);
    }
}

void capture_write_iptables(const struct capture *c, const bool jumps[CAPTURE_SIDES], FILE *out)
{
    fputs("*nat\n", out);
    for (int i = 0; i < CAPTURE_SIDES; i++)
        fprintf(out, ":%s - [0:0]\n", chains[i]); /* made, or emptied */
    for (int i = 0; i < CAPTURE_SIDES; i++) {
        enum capture_side side = (enum capture_side)i;
        if (c)
            write_chain(c, side, out);
        if (jumps[i] != (c != NULL))
            fprintf(out, "-%c %s\n", c ? 'A' : 'D', capture_jump(side));
        if (!c)
            fprintf(out, "-X %s\n", chains[i]);
    }
    fputs("COMMIT\n", out);
}
