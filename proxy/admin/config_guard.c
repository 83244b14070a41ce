/* From the rules of `allow` to JSON, in the words of the file. */
#include "admin/config_guard.h"

static json_t *method_json(const struct method_pattern *m)
{
    if (m->any)
        return json_string("*");
    return json_sprintf("%.*s/%.*s", (int)m->service.n, m->service.p, m->method.n ? (int)m->method.n : 1,
                        m->method.n ? m->method.p : "*");
}

/* What is not asked for is null. */
static json_t *or_null(json_t *list)
{
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return json_null();
}

static json_t *rule_json(const struct allow_rule *r)
{
    json_t *identities = json_array(), *methods = json_array(), *sources = json_array();
    for (size_t i = 0; i < r->identities_n; i++)
        json_array_append_new(identities, json_stringn(r->identities[i].p, r->identities[i].n));
    for (size_t i = 0; i < r->methods_n; i++)
        json_array_append_new(methods, method_json(&r->methods[i]));
    for (size_t i = 0; i < r->sources_n; i++) {
        char text[CIDR_TEXT_MAX];
        json_array_append_new(sources, json_string(cidr_format(&r->sources[i], text)));
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:o}", "file", r->place.file, "line", (int)r->place.line, "identity",
                     or_null(identities), "methods", or_null(methods), "source", or_null(sources));
}

json_t *config_guard_json(const struct allow *a)
{
    if (!a)
        return json_null();
    json_t *rules = json_array();
    for (size_t i = 0; i < a->rules_n; i++)
        json_array_append_new(rules, rule_json(&a->rules[i]));
    return json_pack("{s:s, s:o}", "mode", a->audit ? "audit" : "enforce", "rules", rules);
}
