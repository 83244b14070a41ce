/* The verbs of scripts. */
#include "play.h"

#include "app/process.h"
#include "world.h"

#include <signal.h>
#include <stdlib.h>

static bool fail(char *why, const char *what, struct slice word)
{
    (void)snprintf(why, SAY_WHY_MAX, "%s: \"%.*s\"", what, (int)word.n, word.p);
    return false;
}

static bool take_address(struct words *w, struct address *ret, char *why)
{
    static char names[16][ADDRESS_TEXT_MAX]; /* addresses of unix sockets stay in use */
    static unsigned next;
    struct slice word = words_next(w);
    return address_parse(word, names[next++ % 16], ret) == ERR_NONE || fail(why, "no address", word);
}

/* "within 5ms" at the end of the line, taken off; 0 without. */
static bool take_within(struct words *w, ns_t *ret)
{
    *ret = 0;
    if (w->n < w->at + 2 || !words_is(w->v[w->n - 2], "within"))
        return true;
    bool ok = words_duration(w->v[w->n - 1], ret);
    w->n -= 2;
    return ok;
}

/* How a client or an endpoint is: [tls [as NAME]] [silent] [settings NAME=VALUE ...]. */
struct manner {
    bool tls, silent;
    char certificate[PEER_NAME_MAX];
    struct buf settings;
};

static bool take_manner(struct words *w, struct manner *m, char *why)
{
    *m = (struct manner){.tls = words_take(w, "tls")};
    if (words_take(w, "as")) {
        struct slice name = words_next(w);
        (void)snprintf(m->certificate, sizeof m->certificate, "%.*s", (int)name.n, name.p);
    }
    m->silent = words_take(w, "silent");
    if (words_take(w, "settings") && !say_settings(w, &m->settings))
        return fail(why, "no such setting in", w->v[w->n - 1]);
    return words_end(w) || fail(why, "not understood", w->v[w->at]);
}

static bool play_client(struct stage *s, struct words *w, char *why)
{
    struct slice name = words_next(w);
    struct address a;
    struct manner m;
    char text[PEER_NAME_MAX];
    if (!words_take(w, "connects") || !words_take(w, "to") || !take_address(w, &a, why) || !take_manner(w, &m, why))
        return why[0] || fail(why, "expected: client NAME connects to ADDRESS", name);
    (void)snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    (void)stage_connect(s, text, &a, m.certificate[0] ? m.certificate : NULL, m.tls, m.silent, &m.settings);
    buf_fini(&m.settings);
    return true;
}

static bool play_endpoint(struct stage *s, struct words *w, char *why)
{
    struct slice name = words_next(w);
    struct address a;
    struct manner m;
    char text[PEER_NAME_MAX];
    if (words_take(w, "closes")) {
        struct endpoint_peer *e = stage_find_endpoint(s, name);
        if (!e)
            return fail(why, "no such endpoint", name);
        stage_unlisten(e);
        return true;
    }
    if (!words_take(w, "listens") || !words_take(w, "on") || !take_address(w, &a, why) || !take_manner(w, &m, why))
        return why[0] || fail(why, "expected: endpoint NAME listens on ADDRESS, or closes", name);
    (void)snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    (void)stage_listen(s, text, &a, m.tls ? m.certificate : NULL, m.silent, &m.settings);
    buf_fini(&m.settings);
    return true;
}

/* Steps the world until `done` or the time is over. */
static bool wait_until(ns_t until, bool (*done)(void *ctx), void *ctx)
{
    world_settle();
    while (!done(ctx)) {
        if (world_now() >= until)
            return false;
        world_run_until(world_now() + NS_PER_MS < until ? world_now() + NS_PER_MS : until);
    }
    return true;
}

struct acceptance {
    struct stage *stage;
    struct endpoint_peer *endpoint;
    struct peer *peer;
};

static bool is_accepted(void *ctx)
{
    struct acceptance *a = ctx;
    a->peer = stage_accepted(a->stage, a->endpoint);
    return a->peer != NULL;
}

static bool play_accepts(struct stage *s, struct slice name, struct words *w, char *why)
{
    struct acceptance a = {.stage = s, .endpoint = stage_find_endpoint(s, name)};
    ns_t within;
    if (!a.endpoint || !take_within(w, &within))
        return fail(why, "no such endpoint", name);
    if (words_take(w, "nothing")) {
        world_settle();
        return !is_accepted(&a) || fail(why, "a connection came to", name);
    }
    if (words_take(w, "as"))
        name = words_next(w);
    if (!wait_until(world_now() + within, is_accepted, &a))
        return fail(why, "no connection came to", slice_str(a.endpoint->name));
    (void)snprintf(a.peer->name, sizeof a.peer->name, "%.*s", (int)name.n, name.p);
    return true;
}

struct expectation {
    struct peer *peer;
    const struct words *words;
    char *why;
    enum say say;
};

static bool is_decided(void *ctx)
{
    struct expectation *e = ctx;
    e->say = say_expect(e->peer, e->words, e->why);
    return e->say != SAY_NOT_YET;
}

static bool is_closed(void *ctx)
{
    const struct peer *p = ctx;
    return p->ended;
}

static bool play_expects_nothing(struct peer *p, char *why)
{
    char text[1024];
    world_settle();
    struct frame *f = say_pending(p);
    return !f || fail(why, "came", slice_str(frame_format(f, text, sizeof text)));
}

static bool play_expects(struct peer *p, struct words *w, char *why)
{
    ns_t within;
    if (!take_within(w, &within))
        return fail(why, "no time", w->v[w->n]);
    if (words_take(w, "nothing"))
        return play_expects_nothing(p, why);
    if (words_take(w, "no")) {
        world_settle();
        return !say_has(p, w, why);
    }
    if (words_take(w, "close")) {
        if (!wait_until(world_now() + within, is_closed, p))
            return fail(why, "the connection is open", slice_str(p->name));
        struct slice part = words_next(w);
        return memmem(p->why, strlen(p->why), part.p, part.n) || fail(why, "it ended otherwise", slice_str(p->why));
    }
    if (words_take(w, "open"))
        return p->opened && !p->ended ? true : fail(why, "the connection is not open", slice_str(p->why));
    struct expectation e = {.peer = p, .words = w, .why = why};
    (void)wait_until(world_now() + within, is_decided, &e);
    return e.say == SAY_YES;
}

static bool play_peer(struct peer *p, struct words *w, char *why)
{
    if (words_take(w, "sends"))
        return say_send(p, w, why);
    if (words_take(w, "expects"))
        return play_expects(p, w, why);
    if (words_take(w, "closes")) {
        conn_close(p->conn, false);
        p->conn = NULL;
        p->ended = true;
    } else if (words_take(w, "forgets")) {
        peer_forget(p);
    } else if (words_take(w, "resets")) {
        world_reset(p->link);
    } else if (words_take(w, "stops")) {
        conn_pause(p->conn, true);
    } else if (words_take(w, "reads")) {
        conn_pause(p->conn, false);
    } else {
        return fail(why, "no such verb", words_next(w));
    }
    return true;
}

static bool play_metric(struct stage *s, struct words *w, char *why)
{
    struct slice name = words_next(w), want = words_next(w);
    char value[64];
    world_settle();
    if (!stage_metric(s, name, value, sizeof value))
        return fail(why, "no such metric", name);
    return words_is(want, value) || fail(why, "its value is", slice_str(value));
}

static bool play_admin(struct words *w, char *why)
{
    struct address a;
    struct http_answer answer;
    uint64_t status;
    char path[64], text[32];
    if (!take_address(w, &a, why))
        return false;
    struct slice p = words_next(w);
    (void)snprintf(path, sizeof path, "%.*s", (int)p.n, p.p);
    if (!words_take(w, "answers") || !words_number(words_next(w), &status))
        return fail(why, "expected: admin ADDRESS PATH answers STATUS", p);
    world_settle();
    if (!world_http_get(&a, path, "", &answer))
        return fail(why, "nobody serves", p);
    (void)snprintf(text, sizeof text, "%d", answer.status);
    buf_fini(&answer.body);
    return (uint64_t)answer.status == status || fail(why, "it answers", slice_str(text));
}

/* network to ADDRESS: refuses | vanishes | works | holds=BYTES ... for connections made from now on. */
static bool play_network(struct words *w, char *why)
{
    struct world_faults f = {0};
    struct address a;
    if (!words_take(w, "to") || !take_address(w, &a, why))
        return why[0] || fail(why, "expected", SLICE("network to ADDRESS ..."));
    while (!words_end(w)) {
        struct slice word = words_next(w), name, value;
        uint64_t n;
        if (words_is(word, "refuses"))
            f.refuse = 1000;
        else if (words_is(word, "vanishes"))
            f.vanish = 1000;
        else if (words_is(word, "splits"))
            f.part_read = f.part_write = 900;
        else if (words_pair(word, &name, &value) && words_is(name, "holds") && words_number(value, &n))
            f.capacity = n;
        else if (words_pair(word, &name, &value) && words_is(name, "latency") && words_duration(value, &f.latency_min))
            f.latency_max = f.latency_min;
        else if (!words_is(word, "works"))
            return fail(why, "no such network", word);
    }
    world_set_faults(&a, &f);
    return true;
}

static bool name_fails(const char *name, struct slice word, char *why)
{
    for (int status = LOOKUP_OK + 1; status < LOOKUP_STATUS_COUNT; status++)
        if (words_is(word, lookup_status_text((enum lookup_status)status))) {
            world_name_says(name, (enum lookup_status)status, 0);
            return true;
        }
    return fail(why, "no such failure", word);
}

/* dns NAME has IP:0 ... [ttl=T], or dns NAME fails WORD. */
static bool play_dns(struct words *w, char *why)
{
    struct slice name = words_next(w), key, value;
    struct address all[16];
    char text[ADDRESS_TEXT_MAX], ip[ADDRESS_TEXT_MAX];
    size_t n = 0;
    ns_t ttl = 60 * NS_PER_S;
    (void)snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    if (words_take(w, "fails"))
        return name_fails(text, words_next(w), why);
    if (!words_take(w, "has"))
        return fail(why, "expected has or fails after", name);
    while (!words_end(w)) {
        struct slice word = words_next(w);
        bool colons = slice_find(word, ':') < word.n;
        (void)snprintf(ip, sizeof ip, colons ? "[%.*s]:1" : "%.*s:1", (int)word.n, word.p);
        if (words_pair(word, &key, &value) && words_is(key, "ttl") && words_duration(value, &ttl))
            continue;
        if (n == 16 || address_parse(slice_str(ip), NULL, &all[n++]) != ERR_NONE)
            return fail(why, "no address", word);
    }
    world_name(text, all, n);
    world_name_says(text, n > 0 ? LOOKUP_OK : LOOKUP_EMPTY, (uint32_t)(ttl / NS_PER_S));
    return true;
}

static bool play_advance(struct words *w, char *why)
{
    struct slice word = words_next(w);
    ns_t by;
    if (!words_duration(word, &by))
        return fail(why, "no time", word);
    world_settle();
    world_run_until(world_now() + by);
    return true;
}

/* "memory N": bytes that the process holds from now on, as the kernel would tell. */
static bool play_memory(struct words *w, char *why)
{
    struct slice word = words_next(w);
    uint64_t bytes;
    if (!words_number(word, &bytes))
        return fail(why, "no number of bytes", word);
    world_memory(bytes);
    return true;
}

static bool play_words(struct stage *s, struct words *w, char *why)
{
    struct slice first = words_next(w);
    if (words_is(first, "advance"))
        return play_advance(w, why);
    if (words_is(first, "client"))
        return play_client(s, w, why);
    if (words_is(first, "endpoint"))
        return play_endpoint(s, w, why);
    if (words_is(first, "memory"))
        return play_memory(w, why);
    if (words_is(first, "metric"))
        return play_metric(s, w, why);
    if (words_is(first, "admin"))
        return play_admin(w, why);
    if (words_is(first, "dns"))
        return play_dns(w, why);
    if (words_is(first, "network"))
        return play_network(w, why);
    if (words_is(first, "terminate")) {
        process_on_signal(&s->process, SIGTERM);
        return true;
    }
    if (words_is(first, "interrupt")) {
        process_on_signal(&s->process, SIGINT);
        return true;
    }
    if (words_take(w, "accepts"))
        return play_accepts(s, first, w, why);
    struct peer *p = stage_find_peer(s, first);
    return p ? play_peer(p, w, why) : fail(why, "nobody is called", first);
}

/* "for i = 1 to 199 step 2: LINE", $i in LINE. */
static bool play_for(struct stage *s, const char *line, char *why)
{
    unsigned long from, to, step;
    int body = 0;
    if (sscanf(line, "for i = %lu to %lu step %lu: %n", &from, &to, &step, &body) != 3 || body == 0 || step == 0)
        return fail(why, "expected: for i = A to B step C: ...", slice_str(line));
    for (unsigned long i = from; i <= to; i += step) {
        char text[WORDS_TEXT_MAX];
        size_t n = 0;
        for (const char *c = line + body; *c && n + 24 < sizeof text;) {
            bool is_i = strncmp(c, "$i", 2) == 0;
            n += (size_t)(is_i ? snprintf(text + n, sizeof text - n, "%lu", i) : snprintf(text + n, 2, "%c", *c));
            c += is_i ? 2 : 1;
        }
        if (!play_line(s, text, why))
            return false;
    }
    return true;
}

bool play_line(struct stage *s, const char *line, char *why)
{
    struct words *w = malloc(sizeof *w);
    if (!w)
        abort();
    bool is_for = strncmp(line, "for ", 4) == 0;
    bool ok = is_for                 ? play_for(s, line, why)
              : words_split(w, line) ? play_words(s, w, why)
                                     : fail(why, "cannot split", slice_str(line));
    free(w);
    return ok;
}

bool play_block(struct stage *s, const char *head, const char *text, char *why)
{
    bool refused = strcmp(head, "reload is refused") == 0;
    if (strcmp(head, "config") == 0)
        return stage_start(s, text, why, SAY_WHY_MAX);
    if (stage_reload(s, text) != refused)
        return true;
    return fail(why, refused ? "it was taken" : "it was refused",
                slice_str(s->process.last_error ? s->process.last_error : ""));
}

bool play_nothing_left(struct stage *s, char *why)
{
    LIST_FOR(n, &s->peers) {
        struct peer *p = CONTAINER_OF(n, struct peer, node);
        char text[1024];
        struct frame *f = say_pending(p);
        if (!f)
            continue;
        (void)snprintf(why, SAY_WHY_MAX, "%s got a frame that no line expects: %s", p->name[0] ? p->name : p->of,
                       frame_format(f, text, sizeof text));
        return false;
    }
    return true;
}
