/* bench_load: decides when calls begin and reports how they ended. Open loop: calls have intended times at a fixed rate
 * and latency counts from those, so a slow proxy cannot hide by slowing the generator down. Also a closed loop, and two
 * modes that only occupy: idle connections and open streams. */
#include "client.h"
#include "histogram.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

enum { UNANSWERED_MAX = 16 };

enum mode { MODE_OPEN, MODE_CLOSED, MODE_IDLE, MODE_HOLD };

/* Owned by: main. */
struct load {
    struct loop loop;
    struct client_settings settings;
    struct client client;
    enum mode mode;
    double rate;      /* calls a second, open loop */
    unsigned rounds;  /* each after a line on stdin, but the first */
    uint64_t calls;   /* a round; idle: connections; hold: streams */
    int64_t grace_ns; /* how long the last calls of a round are waited for */

    struct source input; /* stdin */
    unsigned lines;      /* read from stdin and not yet used */
    bool input_ended;

    uint64_t begun, ended, next_id;
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t held; /* streams whose response headers came */
    struct histogram latency;
};

static void on_input(struct source *source, uint32_t events)
{
    struct load *l = CONTAINER_OF(source, struct load, input);
    char bytes[256];
    (void)events;
    ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
    if (length <= 0) {
        l->input_ended = true;
        loop_forget(&l->loop, STDIN_FILENO);
        return;
    }
    for (ssize_t i = 0; i < length; i++)
        l->lines += bytes[i] == '\n';
}

static void on_done(struct call *call, enum outcome outcome, void *user)
{
    struct load *l = user;
    int64_t took = loop_clock() - call->intended;
    l->ended++;
    l->outcomes[outcome]++;
    if (outcome == OUTCOME_OK)
        histogram_add(&l->latency, took > 0 ? (uint64_t)took : 0);
}

static void on_headers(struct call *call, void *user)
{
    struct load *l = user;
    if (call->held)
        l->held++;
}

static void connect_all(struct load *l)
{
    int64_t give_up = loop_clock() + 60000000000;
    while (!client_connect(&l->client)) {
        loop_turn(&l->loop, 100000000);
        if (loop_clock() > give_up) {
            fprintf(stderr, "bench_load: only %u of %u connections came up\n", l->client.ready,
                    l->settings.connections);
            exit(3);
        }
    }
    if (l->client.lost) {
        fprintf(stderr, "bench_load: %u connections were lost before the first call\n", l->client.lost);
        exit(3);
    }
}

/* Begins what is due; returns how long to wait, -1 when only answers are awaited. */
static int64_t begin_due(struct load *l, int64_t start)
{
    while (l->begun < l->calls) {
        int64_t now = loop_clock(), intended = now;
        if (l->mode == MODE_OPEN) {
            intended = start + (int64_t)((double)l->begun * 1e9 / l->rate);
            if (intended > now)
                return intended - now;
        }
        if (!client_call(&l->client, l->next_id, intended, false))
            return -1;
        l->begun++;
        l->next_id++;
    }
    return -1;
}

static void give_up_rest(struct load *l)
{
    l->outcomes[OUTCOME_LOST] += l->calls - l->ended;
}

/* One round of calls; nanoseconds from its first intended time to the last answer. */
static int64_t run_round(struct load *l)
{
    int64_t start = loop_clock(), give_up = 0;
    l->begun = l->ended = 0;
    memset(l->outcomes, 0, sizeof l->outcomes);
    histogram_init(&l->latency);
    while (l->ended < l->calls && l->client.lost < l->settings.connections) {
        int64_t wait = begin_due(l, start), now = loop_clock();
        if (l->begun == l->calls && give_up == 0)
            give_up = now + l->grace_ns;
        if (give_up && now > give_up)
            break;
        loop_turn(&l->loop, give_up && (wait < 0 || wait > give_up - now) ? give_up - now : wait);
    }
    int64_t took = loop_clock() - start;
    give_up_rest(l);
    return took;
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void report(const struct load *l, int64_t took, double client_us)
{
    const struct histogram *h = &l->latency;
    printf("{\"sent\": %llu, \"ok\": %llu, \"errors\": {", (unsigned long long)l->begun,
           (unsigned long long)l->outcomes[OUTCOME_OK]);
    const char *comma = "";
    for (unsigned i = OUTCOME_OK + 1; i < OUTCOME_COUNT; i++) {
        if (l->outcomes[i] == 0)
            continue;
        printf("%s\"%s\": %llu", comma, outcome_names[i], (unsigned long long)l->outcomes[i]);
        comma = ", ";
    }
    printf("}, \"seconds\": %.3f, \"rate\": %.1f, \"mean_us\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
           "\"p999_us\": %.1f, \"max_us\": %.1f, \"client_cpu_us_per_call\": %.2f}\n",
           (double)took / 1e9, (double)l->outcomes[OUTCOME_OK] * 1e9 / (double)took, histogram_mean(h) / 1e3,
           (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.99) / 1e3,
           (double)histogram_quantile(h, 0.999) / 1e3, (double)h->max / 1e3,
           l->begun ? client_us / (double)l->begun : 0);
    fflush(stdout);
}

static bool wait_for_line(struct load *l)
{
    while (l->lines == 0 && !l->input_ended)
        loop_turn(&l->loop, -1);
    if (l->lines == 0)
        return false;
    l->lines--;
    return true;
}

static bool run_rounds(struct load *l)
{
    bool good = true;
    connect_all(l);
    for (unsigned round = 0; round < l->rounds; round++) {
        if (round > 0 && !wait_for_line(l))
            break;
        double before = cpu_us();
        int64_t took = run_round(l);
        report(l, took, cpu_us() - before);
        good = good && l->outcomes[OUTCOME_OK] == l->calls;
        if (l->client.in_flight > 0)
            break; /* later answers to these would be counted in the next round */
    }
    return good;
}

static uint64_t up(const struct load *l)
{
    return l->mode == MODE_HOLD ? l->held : l->outcomes[OUTCOME_OK];
}

/* Begins one stream or call after the other, each on the next connection, and waits until all have come up; no more
 * than a few are unanswered at a time, so that what is left in the proxy is not the trace of one big burst. */
static bool fill(struct load *l, uint64_t wanted)
{
    int64_t give_up = loop_clock() + 60000000000;
    uint64_t begun = 0;
    while (up(l) < wanted) {
        for (; begun < wanted && begun - up(l) < UNANSWERED_MAX; begun++) {
            struct client_connection *on = &l->client.connections[begun % l->settings.connections];
            if (on->in_flight >= on->limit || !client_call_on(on, begun, loop_clock(), l->mode == MODE_HOLD)) {
                fprintf(stderr, "bench_load: a connection takes no more than %u streams\n", on->limit);
                return false;
            }
        }
        loop_turn(&l->loop, 100000000);
        if (loop_clock() > give_up || l->client.lost > 0) {
            fprintf(stderr, "bench_load: %llu of %llu came up\n", (unsigned long long)up(l),
                    (unsigned long long)wanted);
            return false;
        }
    }
    return true;
}

/* Opens what is to be held, or one call on each connection, tells so, and keeps it until stdin ends. */
static bool occupy(struct load *l)
{
    bool hold = l->mode == MODE_HOLD;
    uint64_t wanted = hold ? l->calls : l->settings.connections;
    connect_all(l);
    if (!fill(l, wanted))
        return false;
    printf("{\"%s\": %llu}\n", hold ? "held" : "idle", (unsigned long long)wanted);
    fflush(stdout);
    while (!l->input_ended)
        loop_turn(&l->loop, -1);
    uint64_t lost = hold ? l->ended : l->client.lost;
    printf("{\"lost\": %llu}\n", (unsigned long long)lost);
    return lost == 0;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: bench_load --to ADDRESS:PORT|unix:PATH [OPTIONS]\n"
                 "  --rate R            open loop, R calls a second (1000); latency from the intended time\n"
                 "  --closed            closed loop, all streams of all connections busy; --serial: one\n"
                 "  --idle N            N connections that have carried one call, held until stdin ends\n"
                 "  --hold N            N streams without an end, held until stdin ends\n"
                 "  --calls N           calls a round (10000)\n"
                 "  --rounds N          rounds on the same connections, each after a line on stdin, but the first\n"
                 "  --connections C --streams M   (10, 10) at most M calls at once on a connection\n"
                 "  --payload BYTES     of the request message (100)\n"
                 "  --expect BYTES --replies N    what the backend sends back, if not the request's message once\n"
                 "  --path P --authority A        (/bench.Echo/Unary, the address)\n"
                 "  --timeout US        grpc-timeout (5000000); 0: none\n"
                 "  --grace MS          how long the last calls of a round are waited for (10000)\n"
                 "  --trust F [--cert F --key F] [--name N]   TLS, verified against N (localhost)\n"
                 "One JSON line a round on stdout. Exit: 0 all calls good, 1 not, 2 usage, 3 no connection.\n");
}

static bool parse_address(struct client_settings *s, const char *text)
{
    char host[108];
    const char *colon = strrchr(text, ':');
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)&s->address;
        un->sun_family = AF_UNIX;
        s->address_length = sizeof *un;
        return (size_t)snprintf(un->sun_path, sizeof un->sun_path, "%s", text + 5) < sizeof un->sun_path;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)&s->address;
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    s->address_length = sizeof *in;
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

/* Everything that the command line can say. */
struct arguments {
    const char *to, *authority, *path, *name, *trust, *cert, *key;
    const char *rate, *calls, *rounds, *connections, *streams, *payload, *expect, *replies, *timeout, *grace;
    const char *closed, *serial, *idle, *hold, *help;
};

/* Reads `--name value` and `--name` into the struct's fields of the same name; false when there is anything else. */
static bool arguments_read(struct arguments *a, int argc, char **argv)
{
    const struct {
        const char *name, **value;
        bool flag;
    } table[] = {
        {"to", &a->to, false},           {"authority", &a->authority, false}, {"path", &a->path, false},
        {"name", &a->name, false},       {"trust", &a->trust, false},         {"cert", &a->cert, false},
        {"key", &a->key, false},         {"rate", &a->rate, false},           {"calls", &a->calls, false},
        {"rounds", &a->rounds, false},   {"streams", &a->streams, false},     {"connections", &a->connections, false},
        {"payload", &a->payload, false}, {"expect", &a->expect, false},       {"replies", &a->replies, false},
        {"timeout", &a->timeout, false}, {"grace", &a->grace, false},         {"closed", &a->closed, true},
        {"serial", &a->serial, true},    {"idle", &a->idle, false},           {"hold", &a->hold, false},
        {"help", &a->help, true},
    };
    enum { COUNT = sizeof table / sizeof table[0] };
    struct option options[COUNT + 1] = {0};
    for (int i = 0; i < COUNT; i++)
        options[i] = (struct option){table[i].name, table[i].flag ? no_argument : required_argument, NULL, i + 256};
    int id;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (id < 256)
            return false;
        *table[id - 256].value = optarg ? optarg : "";
    }
    return optind == argc;
}

static unsigned long number(const char *text, unsigned long otherwise)
{
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static bool settings_read(struct client_settings *s, const struct arguments *a)
{
    if (!a->to || !parse_address(s, a->to) || (a->cert && !a->key))
        return false;
    s->authority = a->authority ? a->authority : a->to;
    s->path = a->path ? a->path : "/bench.Echo/Unary";
    s->server_name = a->name ? a->name : "localhost";
    s->connections = a->serial ? 1 : (unsigned)number(a->idle ? a->idle : a->connections, 10);
    s->streams = a->serial ? 1 : (unsigned)number(a->streams, 10);
    s->payload = number(a->payload, 100);
    s->expected = number(a->expect, SIZE_MAX);
    s->replies = (unsigned)number(a->replies, 1);
    s->timeout_us = (unsigned)number(a->timeout, 5000000);
    if (a->trust)
        s->tls = wire_context(false, a->cert, a->key, a->trust);
    /* grpc-timeout has at most 8 digits, and each call takes up to 1 ms off. */
    return s->connections && s->streams && (s->timeout_us == 0 || (s->timeout_us > 1000 && s->timeout_us < 100000000));
}

static bool load_read(struct load *l, const struct arguments *a)
{
    l->mode = a->idle ? MODE_IDLE : a->hold ? MODE_HOLD : a->closed || a->serial ? MODE_CLOSED : MODE_OPEN;
    l->rate = a->rate ? strtod(a->rate, NULL) : 1000;
    l->rounds = (unsigned)number(a->rounds, 1);
    l->calls = number(a->hold ? a->hold : a->calls, 10000);
    l->grace_ns = (int64_t)number(a->grace, 10000) * 1000000;
    return l->rate > 0;
}

static void raise_file_limit(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    static struct load l;
    struct arguments arguments = {0};
    bool understood = arguments_read(&arguments, argc, argv);
    if (understood && arguments.help) {
        usage(stdout);
        return 0;
    }
    if (!understood || !settings_read(&l.settings, &arguments) || !load_read(&l, &arguments)) {
        usage(stderr);
        return 2;
    }
    raise_file_limit();
    loop_init(&l.loop);
    client_init(&l.client, &l.loop, &l.settings);
    l.client.on_done = on_done;
    l.client.on_headers = on_headers;
    l.client.user = &l;
    l.input.on_ready = on_input;
    bool occupying = l.mode == MODE_IDLE || l.mode == MODE_HOLD;
    if ((occupying || l.rounds > 1) && !loop_watch(&l.loop, STDIN_FILENO, &l.input))
        l.input_ended = true;
    bool good = occupying ? occupy(&l) : run_rounds(&l);
    client_fini(&l.client);
    loop_fini(&l.loop);
    SSL_CTX_free(l.settings.tls);
    return good ? 0 : 1;
}
