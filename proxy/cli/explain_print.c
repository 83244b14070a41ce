/* Renders the rows of an explanation. */
#include "cli/explain_print.h"

#include "cli/explain_live.h"
#include "conf/value.h"

#include <stdio.h>

static void print_row(const struct explain_row *r, const char *indent)
{
    int width = 40 - (int)strlen(indent);
    printf("%s%-*s %s", indent, width, r->key, r->value);
    if (*r->from)
        printf("   [%s]", r->from);
    if (*r->why)
        printf("   (%s)", r->why);
    putchar('\n');
}

static void print_target(const struct explain_target *t, const char *path, const json_t *page)
{
    for (size_t i = 0; i < t->rows_n; i++)
        print_row(&t->rows[i], i ? "    " : "  ");
    printf("    plan\n");
    for (size_t i = 0; i < t->plan_n; i++)
        printf("      %s\n", t->plan[i]);
    if (!page)
        return;
    json_t *live = explain_live_target(page, t->service, path);
    explain_print_live_target(live);
    json_decref(live);
}

static void print_listener(const struct explain_listener *l, const char *path, const json_t *page)
{
    for (size_t i = 0; i < l->rows_n; i++)
        print_row(&l->rows[i], i ? "  " : "");
    for (size_t i = 0; i < l->misses_n; i++)
        printf("    not the route at %s: %s\n", l->misses[i].route, l->misses[i].why);
    for (size_t i = 0; i < l->targets_n; i++)
        print_target(&l->targets[i], path, page);
}

static void print_process(const json_t *page)
{
    json_t *process = explain_live_process(page);
    explain_print_live_process(process);
    json_decref(process);
}

void explain_print_text(const struct explanation *e, const struct explain_query *q, const json_t *page)
{
    char timeout[32];
    printf("call %s, %s, caller's timeout %s\n", q->path + 1, q->inbound ? "inbound" : "outbound",
           q->timeout_ns == NS_NEVER ? "none" : value_format_duration(q->timeout_ns, timeout, sizeof timeout));
    if (page)
        print_process(page);
    if (!e->listeners_n)
        printf("there is no %s listener\n", q->inbound ? "inbound" : "outbound");
    for (size_t i = 0; i < e->listeners_n; i++) {
        putchar('\n');
        print_listener(&e->listeners[i], q->path, page);
    }
}

static json_t *rows_json(const struct explain_row *rows, size_t n)
{
    json_t *out = json_object();
    for (size_t i = 0; i < n; i++) {
        json_t *row = json_pack("{s:s}", "value", rows[i].value);
        if (*rows[i].from)
            json_object_set_new(row, "from", json_string(rows[i].from));
        if (*rows[i].why)
            json_object_set_new(row, "why", json_string(rows[i].why));
        json_object_set_new(out, rows[i].key, row);
    }
    return out;
}

/* Milliseconds, null for what nothing but the deadline says. */
static json_t *time_json(ns_t ns)
{
    return ns == NS_NEVER ? json_null() : json_real((double)(ns / NS_PER_US) / 1e3);
}

static json_t *attempts_json(const struct explain_target *t)
{
    json_t *attempts = json_array();
    for (size_t i = 0; i < t->attempts_n; i++)
        json_array_append_new(attempts, json_pack("{s:i, s:o, s:o}", "attempt", (int)i + 1, "earliest_ms",
                                                  time_json(t->attempts[i].earliest_ns), "latest_ms",
                                                  time_json(t->attempts[i].latest_ns)));
    return attempts;
}

static json_t *target_json(const struct explain_target *t, const char *path, const json_t *page)
{
    json_t *endpoints = json_array(), *plan = json_array();
    for (size_t i = 0; i < t->service->endpoints_n; i++) {
        char text[ADDRESS_TEXT_MAX];
        json_array_append_new(endpoints, json_string(address_format(&t->service->endpoints[i], text, sizeof text)));
    }
    for (size_t i = 0; i < t->plan_n; i++)
        json_array_append_new(plan, json_string(t->plan[i]));
    json_t *out = json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "service", t->service->name, "weight",
                            (json_int_t)t->weight, "weight_sum", (json_int_t)t->weight_sum, "endpoints", endpoints,
                            "values", rows_json(t->rows, t->rows_n), "attempts", attempts_json(t), "plan", plan);
    if (page)
        json_object_set_new(out, "live", explain_live_target(page, t->service, path));
    return out;
}

static json_t *listener_json(const struct explain_listener *l, const char *path, const json_t *page)
{
    json_t *targets = json_array(), *misses = json_array();
    for (size_t i = 0; i < l->targets_n; i++)
        json_array_append_new(targets, target_json(&l->targets[i], path, page));
    for (size_t i = 0; i < l->misses_n; i++)
        json_array_append_new(misses, json_pack("{s:s, s:s}", "route", l->misses[i].route, "why", l->misses[i].why));
    return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o}", "listen", l->listener->text, "inbound", l->listener->inbound,
                     "routed", l->route != NULL, "values", rows_json(l->rows, l->rows_n), "passed_over", misses,
                     "targets", targets);
}

void explain_print_json(const struct explanation *e, const struct explain_query *q, const json_t *page)
{
    json_t *listeners = json_array();
    for (size_t i = 0; i < e->listeners_n; i++)
        json_array_append_new(listeners, listener_json(&e->listeners[i], q->path, page));
    json_t *root = json_pack("{s:s, s:s, s:o}", "method", q->path + 1, "direction", q->inbound ? "inbound" : "outbound",
                             "listeners", listeners);
    if (page)
        json_object_set_new(root, "live", explain_live_process(page));
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}
