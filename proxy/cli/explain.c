/* `outrigger explain`: asks conf/explain about one call and prints the answer as text or JSON. */
#include "conf/explain.h"
#include "cli/cli.h"
#include "cli/explain_live.h"
#include "cli/explain_print.h"
#include "cli/option.h"
#include "conf/form.h"
#include "conf/load.h"
#include "conf/value.h"

enum { CONFIG, METHOD, AUTHORITY, ORIGINAL, IDENTITY, TIMEOUT, METADATA, INBOUND, JSON, ADMIN };

static const struct option table[] = {
    [CONFIG] = {'c', "config", "FILE", "the configuration"},
    [METHOD] = {0, "method", "NAME", "pkg.Service/Method"},
    [AUTHORITY] = {0, "authority", "A", "the authority the caller sends; default: the listener's address"},
    [ORIGINAL] = {0, "original", "IP:PORT", "where a captured connection was going to"},
    [IDENTITY] = {0, "identity", "ID", "whom the caller proves to be"},
    [TIMEOUT] = {0, "timeout", "TIME", "the caller's grpc-timeout, such as 2s"},
    [METADATA] = {0, "metadata", "KEY=VALUE", "metadata the caller sends; may be repeated"},
    [INBOUND] = {0, "inbound", NULL, "a call to the guarded service; default: a call from it"},
    [JSON] = {0, "json", NULL, "answer as JSON"},
    [ADMIN] = {0, "admin", "ADDR",
               "add live state from a running process: HOST:PORT or unix:PATH of its admin listener"},
    {0, NULL, NULL, NULL}};

struct request {
    const char *config;
    char path[1100];
    struct explain_query query;
    struct address original;
    char names[EXPLAIN_METADATA_MAX][128];
    bool json;
    const char *admin; /* as written; NULL: no live state */
    char admin_name[512];
    struct address admin_address;
};

static int set_method(const struct options *o, struct request *r, const char *value)
{
    struct slice text = slice_str(value + (*value == '/'));
    if (form_method_section(text) || slice_find(text, '*') < text.n)
        return option_complain(o, "--method %s: expected pkg.Service/Method", value);
    snprintf(r->path, sizeof r->path, "/%s", text.p);
    r->query.path = r->path;
    return CLI_DONE;
}

static int set_timeout(const struct options *o, struct request *r, const char *value)
{
    if (value_duration(slice_str(value), &r->query.timeout_ns) != ERR_NONE)
        return option_complain(o, "--timeout %s: expected a duration such as 250ms or 2s", value);
    return CLI_DONE;
}

static int add_metadata(const struct options *o, struct request *r, const char *value)
{
    struct slice text = slice_str(value);
    size_t equals = slice_find(text, '=');
    struct slice name = slice_sub(text, 0, equals);
    char *copy = r->names[r->query.metadata_n];
    if (equals == text.n || form_metadata_name(name) || name.n >= sizeof r->names[0])
        return option_complain(o, "--metadata %s: expected KEY=VALUE", value);
    if (r->query.metadata_n == EXPLAIN_METADATA_MAX)
        return option_complain(o, "--metadata: at most %d are taken", EXPLAIN_METADATA_MAX);
    for (size_t i = 0; i < name.n; i++)
        copy[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    r->query.metadata[r->query.metadata_n++] =
        (struct explain_metadata){{copy, name.n}, slice_sub(text, equals + 1, text.n)};
    return CLI_DONE;
}

static int set_original(const struct options *o, struct request *r, const char *value)
{
    if (address_parse(slice_str(value), NULL, &r->original) != ERR_NONE)
        return option_complain(o, "--original %s: expected IP:PORT or [v6]:PORT", value);
    r->query.original = &r->original;
    return CLI_DONE;
}

static int set_admin(const struct options *o, struct request *r, const char *value)
{
    struct slice text = slice_str(value);
    if (text.n >= sizeof r->admin_name || address_parse(text, r->admin_name, &r->admin_address) != ERR_NONE)
        return option_complain(o, "--admin %s: expected HOST:PORT or unix:PATH", value);
    r->admin = value;
    return CLI_DONE;
}

static int take(const struct options *o, struct request *r, int got, const char *value)
{
    switch (got) {
    case CONFIG:
        r->config = value;
        break;
    case METHOD:
        return set_method(o, r, value);
    case AUTHORITY:
        if (form_authority(slice_str(value)))
            return option_complain(o, "--authority %s: expected a host name, with or without a port", value);
        r->query.authority = value;
        break;
    case ORIGINAL:
        return set_original(o, r, value);
    case IDENTITY:
        if (form_identity(slice_str(value)))
            return option_complain(o, "--identity %s: expected %s", value, form_identity(slice_str(value)));
        r->query.identity = value;
        break;
    case TIMEOUT:
        return set_timeout(o, r, value);
    case METADATA:
        return add_metadata(o, r, value);
    case INBOUND:
        r->query.inbound = true;
        break;
    case JSON:
        r->json = true;
        break;
    case ADMIN:
        return set_admin(o, r, value);
    default:
        break;
    }
    return CLI_DONE;
}

static void print(const struct snapshot *s, const struct request *r, const json_t *page)
{
    struct explanation e;
    explain_call(&e, s, &r->query);
    if (r->json)
        explain_print_json(&e, &r->query, page);
    else
        explain_print_text(&e, &r->query, page);
    explanation_fini(&e);
}

static int explain(const struct request *r)
{
    struct problems problems;
    json_t *page = NULL;
    problems_init(&problems);
    struct snapshot *s = load_file(r->config, &problems);
    bool done = s && (!r->admin || (page = explain_live_fetch(&r->admin_address, r->admin)));
    if (done)
        print(s, r, page);
    else if (!s)
        problems_print(&problems, stderr);
    json_decref(page);
    problems_fini(&problems);
    snapshot_unref(s);
    return done ? CLI_DONE : CLI_FAILED;
}

int cli_explain(int argc, char **argv)
{
    struct options o = {
        .command = "explain",
        .usage =
            "-c FILE --method pkg.Service/Method [--authority A] [--identity ID] [--timeout 2s]\n"
            "                         [--metadata k=v]... [--original IP:PORT] [--inbound] [--json] [--admin ADDR]",
        .about = "Says which listener, route, service, endpoints and policy such a call meets, each "
                 "value with the FILE:LINE\n"
                 "it comes from, the plan of attempts, and why something is off. Opens no socket "
                 "without --admin; with\n"
                 "it, also says how endpoints, breakers and the retry budget stand in that process now.",
        .table = table,
        .argc = argc,
        .argv = argv,
        .at = 1};
    struct request request = {.query = {.timeout_ns = NS_NEVER}};
    const char *value;
    int got, code;
    while ((got = option_next(&o, &value)) >= 0)
        if ((code = take(&o, &request, got, value)) != CLI_DONE)
            return code;
    if (got != OPTION_END)
        return option_exit(got);
    if (!request.config)
        return option_complain(&o, "-c FILE is missing");
    if (!request.query.path)
        return option_complain(&o, "--method pkg.Service/Method is missing");
    return explain(&request);
}
