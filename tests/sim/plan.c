/* Drawing plans from seeds. */
#include "plan.h"

#include "core/status.h"

#include <stdlib.h>

enum { PREFIX = 5 }; /* of a gRPC message */

static const char *const texts[] = {
#define X(name, text) text,
    FAULT_LIST(X)
#undef X
};

const char *fault_text(enum fault f)
{
    return texts[f];
}

static uint64_t draw(struct rng *r, uint64_t from, uint64_t to)
{
    return from + rng_below(r, to - from + 1);
}

static bool chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

/* Mostly small, sometimes empty, seldom 300 KiB. */
static size_t draw_size(struct rng *r)
{
    uint64_t at = rng_below(r, 1000);
    if (at < 50)
        return 0;
    if (at < 700)
        return draw(r, 1, 200);
    if (at < 940)
        return draw(r, 200, 6000);
    if (at < 990)
        return draw(r, 6000, 70000);
    return draw(r, 70000, 300 * 1024);
}

static void draw_behaviour(struct rng *r, const bool *faults, struct sim_call *c)
{
    static const uint32_t codes[] = {H2_NO_ERROR,       H2_INTERNAL_ERROR,      H2_CANCEL, H2_ENHANCE_YOUR_CALM,
                                     H2_PROTOCOL_ERROR, H2_INADEQUATE_SECURITY, 99};
    c->status = chance(r, 85) ? STATUS_OK : (unsigned)draw(r, 1, 16);
    c->code = codes[rng_below(r, sizeof codes / sizeof codes[0])];
    c->midway = chance(r, 50);
    c->behaviour = chance(r, 4) ? BEHAVE_TRAILERS_ONLY : chance(r, 4) ? BEHAVE_EARLY : BEHAVE_ANSWER;
    if (c->behaviour == BEHAVE_TRAILERS_ONLY && c->status == STATUS_OK)
        c->response_bytes = 0;
    if (faults[FAULT_RST] && chance(r, 8))
        c->behaviour = BEHAVE_RST;
    if (faults[FAULT_FORGET] && chance(r, 5))
        c->behaviour = BEHAVE_FORGET;
    if (faults[FAULT_FOREIGN] && chance(r, 4))
        c->behaviour = BEHAVE_FOREIGN;
    if (faults[FAULT_SILENT] && chance(r, 3))
        c->behaviour = BEHAVE_SILENT;
    if (faults[FAULT_REFUSED_STREAM] && chance(r, 10))
        c->refusals = (unsigned)draw(r, 1, 2);
}

static void draw_call(struct rng *r, const struct plan *p, struct sim_call *c)
{
    c->kind = chance(r, 60) ? KIND_UNARY : (enum kind)rng_below(r, KINDS);
    c->request_bytes = draw_size(r);
    c->response_bytes = draw_size(r);
    c->request_parts = c->kind == KIND_CLIENT_STREAM || c->kind == KIND_BIDI ? (unsigned)draw(r, 2, 6) : 1;
    c->response_parts = c->kind == KIND_SERVER_STREAM || c->kind == KIND_BIDI ? (unsigned)draw(r, 2, 6) : 1;
    c->gap = (ns_t)draw(r, 0, 20) * NS_PER_MS;
    c->think = chance(r, 50) ? 0 : (ns_t)draw(r, 0, 40000) * NS_PER_US;
    c->start = (ns_t)rng_below(r, (uint64_t)p->span);
    c->caller = (unsigned)rng_below(r, p->callers);
    c->final = -1;
    draw_behaviour(r, p->faults, c);
    if (p->faults[FAULT_DEADLINE] && chance(r, 40))
        c->timeout = chance(r, 30) ? (ns_t)draw(r, 1, 40) * NS_PER_MS : (ns_t)draw(r, 40, 3000) * NS_PER_MS;
    if (p->faults[FAULT_CANCEL] && chance(r, 12))
        c->cancel_after = 1 + (ns_t)draw(r, 0, 80000) * NS_PER_US;
    if (c->behaviour == BEHAVE_SILENT && c->timeout == 0 && c->cancel_after == 0)
        c->timeout = 500 * NS_PER_MS;
}

static void draw_faults(struct rng *r, struct plan *p)
{
    unsigned wanted = (unsigned)draw(r, 3, 7);
    for (unsigned n = 0; n < wanted;) {
        bool *f = &p->faults[rng_below(r, FAULTS)];
        n += !*f;
        *f = true;
    }
}

void plan_init(struct plan *p, uint64_t seed, size_t calls)
{
    static const char *const balances[] = {"pick_first", "round_robin", "random", "least_request"};
    struct rng r;
    rng_init(&r, seed * 7919 + 17);
    *p = (struct plan){.seed = seed, .calls_n = calls};
    p->place = (enum standing)rng_below(&r, PLACES);
    p->callers = (unsigned)draw(&r, 1, 5);
    p->endpoints = p->place == PLACE_INBOUND ? 1 : (unsigned)draw(&r, 1, PLAN_ENDPOINTS_MAX);
    p->balance = balances[rng_below(&r, 4)];
    p->connections_max = (unsigned)draw(&r, 1, 4);
    p->span = (ns_t)draw(&r, 3, 12) * NS_PER_S;
    draw_faults(&r, p);
    p->calls = calloc(calls, sizeof *p->calls);
    if (!p->calls)
        abort();
    for (size_t i = 0; i < calls; i++) {
        p->calls[i].id = (uint32_t)i;
        draw_call(&r, p, &p->calls[i]);
    }
}

void plan_fini(struct plan *p)
{
    free(p->calls);
}

size_t plan_size(struct body b)
{
    return b.payload + (size_t)b.parts * PREFIX;
}

uint8_t plan_byte(struct body b, size_t at)
{
    size_t unit = b.payload / b.parts + PREFIX;
    size_t part = at < unit ? 0 : at / unit < b.parts ? at / unit : b.parts - 1, offset = at - part * unit;
    if (offset < PREFIX) {
        size_t length = part + 1 < b.parts ? unit - PREFIX : plan_size(b) - part * unit - PREFIX;
        return (uint8_t)(offset == 0 ? 0 : length >> 8 * (PREFIX - 1 - offset));
    }
    uint32_t x = b.seed * 2654435761u + (uint32_t)at * 40503u;
    return (uint8_t)(x >> 13 ^ x >> 3);
}

size_t plan_released(struct body b, ns_t gap, ns_t after)
{
    ns_t n = gap > 0 ? after / gap + 1 : b.parts;
    return n >= b.parts ? plan_size(b) : (b.payload / b.parts + PREFIX) * (size_t)n;
}

ns_t plan_release_end(unsigned parts, ns_t gap)
{
    return gap * (parts - 1);
}
