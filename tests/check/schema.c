/* Writes the grammar of conf/ as a JSON Schema (draft 2020-12), or compares it with a file: `schema` prints, `schema
 * FILE` fails when FILE says anything else. So every key of the one is in the other. */
#include "conf/schema.h"
#include "conf/rule.h"
#include "conf/value.h"

#include <jansson.h>

static json_t *schema_json(const struct schema *s);

/* A value may also come from the environment. */
static json_t *or_variable(json_t *plain)
{
    return json_pack("{s:[o, {s:s, s:s}]}", "anyOf", plain, "type", "string", "pattern", "\\$\\{");
}

static json_t *pattern_json(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *number_json(const char *type, double min, double max)
{
    json_t *range = json_pack("{s:s}", "type", type);
    bool whole = strcmp(type, "integer") == 0;
    json_object_set_new(range, "minimum", whole ? json_integer((json_int_t)min) : json_real(min));
    json_object_set_new(range, "maximum", whole ? json_integer((json_int_t)max) : json_real(max));
    return or_variable(range);
}

static json_t *words_json(const struct schema_word *words)
{
    json_t *list = json_array(), *out;
    for (; words->word; words++) {
        json_array_append_new(list, json_string(words->word));
        if (strcmp(words->word, "off") == 0)
            json_array_append_new(list, json_false());
    }
    out = json_pack("{s:o}", "enum", list);
    return or_variable(out);
}

static json_t *statuses_json(void)
{
    return json_pack("{s:[{s:s, s:s}, {s:s, s:i, s:i}]}", "anyOf", "type", "string", "pattern", "^[A-Za-z_]+$|\\$\\{",
                     "type", "integer", "minimum", 1, "maximum", 16);
}

static json_t *map_json(const struct schema *s)
{
    json_t *properties = json_object(), *required = json_array();
    json_t *out = json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0, "properties", properties);
    for (const struct schema_key *k = s->keys; k->name; k++) {
        char doc[512];
        json_t *value = schema_json(k->schema);
        bool later = k->flags & SCHEMA_UNSUPPORTED;
        snprintf(doc, sizeof doc, "%s%s", k->doc, later ? " Not supported yet." : "");
        json_object_set_new(value, "description", json_string(doc));
        json_object_set_new(properties, k->name, value);
        if (k->flags & SCHEMA_REQUIRED)
            json_array_append_new(required, json_string(k->name));
    }
    if (json_array_size(required))
        json_object_set(out, "required", required);
    json_decref(required);
    if (s->rule == rule_one_source || s->rule == rule_one_peer || s->rule == rule_one_balancer) {
        json_object_set_new(out, "minProperties", json_integer(1));
        json_object_set_new(out, "maxProperties", json_integer(1));
    }
    if (s->rule == rule_allow)
        json_object_set_new(out, "minProperties", json_integer(1));
    return out;
}

static json_t *list_json(const struct schema *s)
{
    json_t *out = json_pack("{s:s, s:o}", "type", "array", "items", schema_json(s->item));
    if (s->flags & SCHEMA_FILLED)
        json_object_set_new(out, "minItems", json_integer(1));
    return out;
}

static json_t *type_json(const struct schema *s)
{
    switch (s->type) {
    case SCHEMA_MAP:
        return map_json(s);
    case SCHEMA_NAMED:
        return json_pack("{s:s, s:o, s:i}", "type", "object", "additionalProperties", schema_json(s->item),
                         "minProperties", s->flags & SCHEMA_FILLED ? 1 : 0);
    case SCHEMA_LIST:
        return s->keys ? json_pack("{s:[o, o]}", "anyOf", list_json(s), map_json(s)) : list_json(s);
    case SCHEMA_TEXT_LIST:
        return json_pack("{s:[o, o]}", "anyOf", schema_json(s->item), list_json(s));
    case SCHEMA_TEXT:
        return json_pack("{s:[s, s]}", "type", "string", "number");
    case SCHEMA_INT:
        return number_json("integer", (double)s->min, (double)s->max);
    case SCHEMA_NUMBER:
        return number_json("number", (double)s->min / 1e3, (double)s->max / 1e3);
    case SCHEMA_BOOL:
        return or_variable(json_pack("{s:[b, b, s]}", "enum", 1, 0, "off"));
    case SCHEMA_DURATION:
        return pattern_json(s->flags & SCHEMA_PERCENTILE
                                ? "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h)$|^p[0-9]+(\\.[0-9]+)?$|\\$\\{"
                                : "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h)$|\\$\\{");
    case SCHEMA_SIZE:
        return pattern_json("^[0-9]+(B|KiB|MiB|GiB)$|\\$\\{");
    case SCHEMA_SHARE:
        return pattern_json("^[0-9]+(\\.[0-9]+)?%$|\\$\\{");
    case SCHEMA_WORD:
        return s->keys ? json_pack("{s:[o, o]}", "anyOf", words_json(s->words), map_json(s)) : words_json(s->words);
    case SCHEMA_STATUS:
        return statuses_json();
    }
    return NULL;
}

static json_t *schema_json(const struct schema *s)
{
    json_t *plain = type_json(s);
    if (!(s->flags & SCHEMA_OFF))
        return plain;
    return json_pack("{s:[o, {s:[s, b]}]}", "anyOf", plain, "enum", "off", 0);
}

static json_t *whole_schema(void)
{
    json_t *root = json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                             "Configuration of Outrigger");
    json_t *grammar = map_json(&grammar_root);
    json_object_update(root, grammar);
    json_decref(grammar);
    json_t *properties = json_object_get(root, "properties");
    for (const char *const *r = grammar_reserved; *r; r++)
        if (!json_object_get(properties, *r))
            json_object_set_new(properties, *r,
                                json_pack("{s:s, s:{}}", "description", "Reserved. Not supported yet.", "not"));
    return root;
}

int main(int argc, char **argv)
{
    json_t *schema = whole_schema();
    json_t *file = argc > 1 ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool good = argc < 2 || json_equal(schema, file);
    if (argc < 2) {
        json_dumpf(schema, stdout, JSON_INDENT(1));
        putchar('\n');
    }
    if (!good)
        printf("%s is not what the grammar says; write it anew with: %s > %s\n", argv[1], argv[0], argv[1]);
    json_decref(schema);
    json_decref(file);
    return !good;
}
