/* Reads the /config page of admin/config_page.c. Nothing here decides: what the page says is told. */
#include "cli/explain_live.h"

#include "net/http_client.h"

#include <stdio.h>

#define TIMEOUT_NS (5 * NS_PER_S)

json_t *explain_live_fetch(const struct address *address, const char *text)
{
    char error[HTTP_CLIENT_ERROR_MAX];
    struct buf body;
    json_t *page = NULL;
    buf_init(&body);
    if (http_client_get(address, "/config", TIMEOUT_NS, &body, error) != ERR_NONE)
        fprintf(stderr, "outrigger explain: --admin %s: %s\n", text, error);
    else if (!(page = json_loadb((const char *)buf_head(&body), buf_len(&body), 0, NULL)) ||
             !json_is_array(json_object_get(json_object_get(page, "config"), "services")))
        fprintf(stderr, "outrigger explain: --admin %s: what answers there is not outrigger's /config\n", text);
    else
        goto out;
    json_decref(page);
    page = NULL;
out:
    buf_fini(&body);
    return page;
}

static void copy(json_t *to, const json_t *from, const char *key)
{
    json_object_set(to, key, json_object_get(from, key));
}

json_t *explain_live_process(const json_t *page)
{
    static const char *const keys[] = {"file", "generation", "loaded_at", "refused"};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        copy(out, page, keys[i]);
    return out;
}

static json_t *find_named(const json_t *list, const char *name)
{
    size_t i;
    json_t *at;
    json_array_foreach(list, i, at)
    {
        const char *is = json_string_value(json_object_get(at, "name"));
        if (is && strcmp(is, name) == 0)
            return at;
    }
    return NULL;
}

static json_t *find_method(const json_t *breakers, const char *method)
{
    size_t i;
    json_t *at;
    json_array_foreach(breakers, i, at)
    {
        const char *is = json_string_value(json_object_get(at, "method"));
        if (is && strcmp(is, method) == 0)
            return at;
    }
    return NULL;
}

/* The breaker that the call meets. One that was never needed is closed; null when there are none. */
static json_t *breaker_of(const json_t *breakers, const char *method)
{
    if (!json_is_array(breakers))
        return json_null();
    json_t *found = find_method(breakers, "");
    found = found ? found : find_method(breakers, method);
    found = found ? found : find_method(breakers, "other");
    return found ? json_incref(found)
                 : json_pack("{s:s, s:s, s:b, s:i, s:n, s:n}", "method", method, "state", "closed", "held", 0,
                             "openings", 0, "since_ms", "probe_in_ms");
}

static json_t *endpoints_of(const json_t *service, const char *method)
{
    json_t *out = json_array(), *at;
    size_t i;
    json_array_foreach(json_object_get(service, "endpoints"), i, at)
    {
        json_t *endpoint = json_object();
        copy(endpoint, at, "address");
        copy(endpoint, at, "connections");
        copy(endpoint, at, "in_flight");
        json_object_set_new(endpoint, "breaker", breaker_of(json_object_get(at, "breakers"), method));
        json_array_append_new(out, endpoint);
    }
    return out;
}

/* The retry that holds there for a method; null for none. The narrowest section is whole. */
static const json_t *retry_of(const json_t *page, const json_t *service, const char *method)
{
    const char *name = json_string_value(json_object_get(service, "policy"));
    const json_t *policies = json_object_get(json_object_get(page, "config"), "policies");
    const json_t *policy = name ? find_named(policies, name) : NULL;
    const json_t *methods = json_object_get(policy, "methods");
    const char *slash = strrchr(method, '/');
    char all[1100];
    (void)snprintf(all, sizeof all, "%.*s/*", slash ? (int)(slash - method) : 0, method);
    const json_t *holds = json_object_get(methods, method);
    holds = holds ? holds : json_object_get(methods, all);
    return json_object_get(holds ? holds : json_object_get(policy, "all"), "retry");
}

static json_t *retry_json(const json_t *page, const json_t *service, const char *method)
{
    const json_t *budget = json_object_get(service, "retry_budget");
    if (!json_is_object(retry_of(page, service, method)))
        return json_pack("{s:b, s:s}", "allowed", 0, "why", "no retry is in force for this method");
    if (json_is_object(budget) && !json_is_true(json_object_get(budget, "allows")))
        return json_pack("{s:b, s:s}", "allowed", 0, "why", "the budget is not over its half");
    return json_pack("{s:b, s:s}", "allowed", 1, "why",
                     json_is_object(budget) ? "the budget is over its half" : "there is no budget");
}

json_t *explain_live_target(const json_t *page, const struct service_conf *conf, const char *path)
{
    const char *method = path + 1;
    const json_t *service = find_named(json_object_get(json_object_get(page, "config"), "services"), conf->name);
    if (!service)
        return json_pack("{s:b}", "in_force", 0);
    json_t *out =
        json_pack("{s:b, s:o, s:o, s:o}", "in_force", 1, "endpoints", endpoints_of(service, method), "breaker",
                  breaker_of(json_object_get(service, "breakers"), method), "retry", retry_json(page, service, method));
    copy(out, service, "retry_budget");
    return out;
}
