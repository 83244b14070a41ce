/* Drawing plans from seeds. */
#include "plan.h"

#include "core/status.h"
#include "draw.h"

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

static const uint32_t codes[] = {H2_NO_ERROR,       H2_INTERNAL_ERROR,      H2_CANCEL, H2_ENHANCE_YOUR_CALM,
                                 H2_PROTOCOL_ERROR, H2_INADEQUATE_SECURITY, 99};

static ns_t draw_think(struct rng *r)
{
    return chance(r, 50) ? 0 : (ns_t)draw(r, 0, 40000) * NS_PER_US;
}

/* What it comes to in the end. */
static void draw_last_turn(struct rng *r, const bool *faults, struct turn *t)
{
    t->status = chance(r, 85) ? STATUS_OK : (unsigned)draw(r, 1, 16);
    t->code = codes[rng_below(r, sizeof codes / sizeof codes[0])];
    t->midway = chance(r, 50);
    t->think = draw_think(r);
    t->behaviour = chance(r, 4) ? BEHAVE_TRAILERS_ONLY : chance(r, 4) ? BEHAVE_EARLY : BEHAVE_ANSWER;
    if (faults[FAULT_RST] && chance(r, 8))
        t->behaviour = BEHAVE_RST;
    if (faults[FAULT_FORGET] && chance(r, 5))
        t->behaviour = BEHAVE_FORGET;
    if (faults[FAULT_FOREIGN] && chance(r, 4))
        t->behaviour = BEHAVE_FOREIGN;
    if (faults[FAULT_SILENT] && chance(r, 3))
        t->behaviour = BEHAVE_SILENT;
}

/* One that fails in a way of the faults, or false when they have none. */
static bool draw_failing_turn(struct rng *r, const bool *faults, struct turn *t)
{
    static const struct {
        enum fault fault;
        enum behaviour behaviour;
    } ways[] = {{FAULT_FAIL_HEADERS, BEHAVE_TRAILERS_ONLY},
                {FAULT_FAIL_TRAILERS, BEHAVE_TRAILERS},
                {FAULT_BREAK, BEHAVE_BREAK},
                {FAULT_RST, BEHAVE_RST},
                {FAULT_UNPROCESSED, BEHAVE_HAND_BACK},
                {FAULT_FORGET, BEHAVE_FORGET}};
    static const unsigned failures[] = {STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED, STATUS_ABORTED,
                                        STATUS_DEADLINE_EXCEEDED, STATUS_UNKNOWN};
    static const char *const pushbacks[] = {"0", "0", "0", "1", "40", "-1", "junk", ""};
    size_t n = sizeof ways / sizeof ways[0], from = rng_below(r, n), k = 0;
    while (k < n && !faults[ways[(from + k) % n].fault])
        k++;
    *t = (struct turn){.behaviour = ways[(from + k) % n].behaviour, .think = draw_think(r), .midway = chance(r, 50)};
    t->code = codes[rng_below(r, sizeof codes / sizeof codes[0])];
    t->status = chance(r, 75) ? STATUS_UNAVAILABLE : failures[rng_below(r, sizeof failures / sizeof failures[0])];
    if (faults[FAULT_PUSHBACK] && chance(r, 40))
        t->pushback = pushbacks[rng_below(r, sizeof pushbacks / sizeof pushbacks[0])];
    return k < n;
}

static void draw_turns(struct rng *r, const bool *faults, struct sim_call *c)
{
    unsigned wanted = chance(r, 30) ? (unsigned)draw(r, 1, PLAN_TURNS_MAX - 1) : 0;
    while (c->turns_n < wanted && draw_failing_turn(r, faults, &c->turns[c->turns_n]))
        c->turns_n++;
    draw_last_turn(r, faults, &c->turns[c->turns_n]);
    c->turns_n++;
    if (faults[FAULT_REFUSED_STREAM] && chance(r, 10))
        c->refusals = (unsigned)draw(r, 1, 2);
}

/* What descriptors call unary is unary. */
static enum kind draw_kind(struct rng *r, enum target target)
{
    if (target == TARGET_CHARGE || target == TARGET_GET)
        return KIND_UNARY;
    if (target == TARGET_WATCH)
        return KIND_SERVER_STREAM;
    return chance(r, 60) ? KIND_UNARY : (enum kind)rng_below(r, KINDS);
}

static void draw_call(struct rng *r, const struct plan *p, struct sim_call *c)
{
    static const char *const previous[] = {"1", "2", "17", "junk"};
    c->target = (enum target)rng_below(r, TARGETS);
    c->kind = draw_kind(r, c->target);
    c->request_bytes = draw_size(r);
    c->response_bytes = draw_size(r);
    c->request_parts = c->kind == KIND_CLIENT_STREAM || c->kind == KIND_BIDI ? (unsigned)draw(r, 2, 6) : 1;
    c->response_parts = c->kind == KIND_SERVER_STREAM || c->kind == KIND_BIDI ? (unsigned)draw(r, 2, 6) : 1;
    c->gap = (ns_t)draw(r, 0, 20) * NS_PER_MS;
    c->start = (ns_t)rng_below(r, (uint64_t)p->span);
    c->caller = (unsigned)rng_below(r, p->callers);
    c->previous = chance(r, 5) ? previous[rng_below(r, sizeof previous / sizeof previous[0])] : NULL;
    c->final = -1;
    draw_turns(r, p->faults, c);
    if (p->faults[FAULT_DEADLINE] && chance(r, 40))
        c->timeout = chance(r, 30) ? (ns_t)draw(r, 1, 40) * NS_PER_MS : (ns_t)draw(r, 40, 3000) * NS_PER_MS;
    if (p->faults[FAULT_CANCEL] && chance(r, 12))
        c->cancel_after = 1 + (ns_t)draw(r, 0, 80000) * NS_PER_US;
    if (c->turns[c->turns_n - 1].behaviour == BEHAVE_SILENT && c->timeout == 0 && c->cancel_after == 0)
        c->timeout = 500 * NS_PER_MS;
}

/* One after the other, when nothing fails any more. */
static void draw_last_call(struct rng *r, const struct plan *p, struct sim_call *c)
{
    *c = (struct sim_call){.id = c->id, .final = -1, .turns_n = 1};
    c->target = (enum target)rng_below(r, TARGETS);
    c->kind = draw_kind(r, c->target);
    c->request_bytes = draw(r, 0, 2000);
    c->response_bytes = draw(r, 0, 2000);
    c->request_parts = c->response_parts = 1;
    c->caller = (unsigned)rng_below(r, p->callers);
    c->timeout = NS_PER_S;
}

/* Faults that show some turns of a call only together. */
static void draw_company(struct rng *r, bool *faults)
{
    static const enum fault companies[][3] = {{FAULT_FAIL_TRAILERS, FAULT_PUSHBACK, FAULT_FEW_STREAMS},
                                              {FAULT_OUTAGE, FAULT_REFUSE, FAULT_DOWN},
                                              {FAULT_SICK, FAULT_SLOW_WORK, FAULT_RELOAD},
                                              {FAULT_HOLE, FAULT_STOP, FAULT_NAMES}};
    size_t at = rng_below(r, sizeof companies / sizeof companies[0]);
    for (int i = 0; i < 3; i++)
        faults[companies[at][i]] = true;
}

static void draw_faults(struct rng *r, struct plan *p)
{
    if (chance(r, 40))
        draw_company(r, p->faults);
    unsigned wanted = (unsigned)draw(r, 3, 6);
    for (unsigned n = 0; n < wanted;) {
        bool *f = &p->faults[rng_below(r, FAULTS)];
        n += !*f;
        *f = true;
    }
}

void plan_init(struct plan *p, uint64_t seed, size_t calls)
{
    static const char *const balances[] = {
        "pick_first", "round_robin",   "random",
        "peak_ewma",  "least_request", "{ round_robin: { slow_start: 2s } }",
        "peak_ewma",  "least_request", "{ peak_ewma: { slow_start: 1s, decay: 500ms } }"};
    struct rng r;
    rng_init(&r, seed * 7919 + 17);
    *p = (struct plan){.seed = seed, .calls_n = calls};
    p->place = (enum standing)rng_below(&r, PLACES);
    p->callers = (unsigned)draw(&r, 1, 5);
    p->endpoints = p->place == PLACE_INBOUND ? 1 : (unsigned)draw(&r, 1, PLAN_ENDPOINTS_MAX);
    p->balance = balances[rng_below(&r, sizeof balances / sizeof balances[0])];
    rules_init(&p->rules[0], &r);
    rules_init(&p->rules[1], &r);
    rules_init_guard(&p->guard, &r);
    p->span = (ns_t)draw(&r, 3, 12) * NS_PER_S;
    draw_faults(&r, p);
    p->calls = calloc(calls + PLAN_LAST, sizeof *p->calls);
    if (!p->calls)
        abort();
    for (size_t i = 0; i < calls + PLAN_LAST; i++) {
        p->calls[i].id = (uint32_t)i;
        if (i < calls)
            draw_call(&r, p, &p->calls[i]);
        else
            draw_last_call(&r, p, &p->calls[i]);
    }
}

void plan_fini(struct plan *p)
{
    free(p->calls);
}

unsigned plan_executions(const struct plan *p, const struct sim_call *c)
{
    unsigned n = rules_executions(&p->rules[0], c->target), again = rules_executions(&p->rules[1], c->target);
    return p->faults[FAULT_RELOAD] && again > n ? again : n;
}

/* Descriptors say that it streams: the policy's timeout leaves it alone. */
static ns_t timeout_of(const struct rules *r, const struct sim_call *c)
{
    return c->target == TARGET_WATCH ? 0 : r->timeout * NS_PER_MS;
}

static ns_t shorter(ns_t a, ns_t b)
{
    return a == 0 ? b : b == 0 ? a : ns_min(a, b);
}

ns_t plan_deadline(const struct plan *p, const struct sim_call *c)
{
    ns_t first = timeout_of(&p->rules[0], c), second = timeout_of(&p->rules[1], c);
    ns_t longest = first == 0 || second == 0 ? 0 : first > second ? first : second;
    return shorter(c->timeout, p->faults[FAULT_RELOAD] ? longest : first);
}

ns_t plan_deadline_min(const struct plan *p, const struct sim_call *c)
{
    ns_t first = timeout_of(&p->rules[0], c), second = timeout_of(&p->rules[1], c);
    return shorter(c->timeout, p->faults[FAULT_RELOAD] ? shorter(first, second) : first);
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
