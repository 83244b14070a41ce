/* Live state as text for people. */
#include "cli/explain_print.h"

#include "conf/value.h"

#include <stdio.h>

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static long long number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void print_time(const char *before, const json_t *ms)
{
    char text[32];
    if (json_is_integer(ms))
        printf("%s%s", before, value_format_duration(json_integer_value(ms) * NS_PER_MS, text, sizeof text));
}

static void print_breaker(const json_t *b)
{
    long long openings = number_of(b, "openings");
    printf("breaker %s", text_of(b, "state"));
    if (json_is_true(json_object_get(b, "held")))
        printf(", kept from opening by max_open");
    if (openings == 0)
        return;
    print_time(" for ", json_object_get(b, "since_ms"));
    print_time(", may be probed in ", json_object_get(b, "probe_in_ms"));
    printf(", opened %lld time%s", openings, openings == 1 ? "" : "s");
}

static void print_endpoint(const json_t *e)
{
    const json_t *breaker = json_object_get(e, "breaker");
    printf("      %-34s connections %lld, in flight %lld", text_of(e, "address"), number_of(e, "connections"),
           number_of(e, "in_flight"));
    if (json_is_object(breaker)) {
        printf(", ");
        print_breaker(breaker);
    }
    putchar('\n');
}

static void print_budget(const json_t *budget)
{
    if (json_is_object(budget))
        printf("      %-34s %g of %g tokens\n", "retry_budget", json_real_value(json_object_get(budget, "tokens")),
               json_real_value(json_object_get(budget, "max_tokens")));
    else
        printf("      %-34s none\n", "retry_budget");
}

void explain_print_live_process(const json_t *process)
{
    const json_t *refused = json_object_get(process, "refused");
    printf("live: generation %lld of %s, loaded at %s\n", number_of(process, "generation"), text_of(process, "file"),
           text_of(process, "loaded_at"));
    if (json_is_object(refused))
        printf("live: the file was refused at %s: %s\n", text_of(refused, "at"), text_of(refused, "error"));
}

void explain_print_live_target(const json_t *live)
{
    const json_t *retry = json_object_get(live, "retry");
    json_t *endpoint;
    size_t i;
    printf("    live\n");
    if (!json_is_true(json_object_get(live, "in_force"))) {
        printf("      the service is not in force there\n");
        return;
    }
    json_array_foreach(json_object_get(live, "endpoints"), i, endpoint) print_endpoint(endpoint);
    if (json_is_object(json_object_get(live, "breaker"))) {
        printf("      %-34s ", "service");
        print_breaker(json_object_get(live, "breaker"));
        putchar('\n');
    }
    print_budget(json_object_get(live, "retry_budget"));
    printf("      %-34s %s: %s\n", "a retry now",
           json_is_true(json_object_get(retry, "allowed")) ? "allowed" : "not allowed", text_of(retry, "why"));
}
