/* JSON values written as CEL, with variables in the place of what annotations tune. */
#include "inject/policy.h"

#include "conf/memory.h"
#include "inject/policy_probe.h"

#include <stdio.h>

/* Numbers that stand for variables while the container is described; no default has them. */
enum { PORT_MARK = 65001, ADMIN_PORT_MARK = 65002, UID_MARK = 65003 };

static void text(struct buf *out, const char *s)
{
    memory_append(out, slice_str(s));
}

static void indent(struct buf *out, size_t n)
{
    text(out, "\n");
    while (n-- > 0)
        text(out, " ");
}

/* A text in double quotes; "{name}" is the variable of that name. */
static void write_string(struct buf *out, const char *s)
{
    size_t n = strlen(s);
    if (n > 2 && s[0] == '{' && s[n - 1] == '}') {
        text(out, "variables.");
        memory_append(out, slice_make(s + 1, n - 2));
        return;
    }
    text(out, "\"");
    memory_append(out, slice_make(s, n));
    text(out, "\"");
}

static void write_integer(struct buf *out, json_int_t value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    text(out, value == PORT_MARK         ? "variables.port"
              : value == ADMIN_PORT_MARK ? "variables.adminPort"
              : value == UID_MARK        ? "variables.uid"
                                         : digits);
}

/* Maps of strings in the API, where CEL has no fields but keys. */
static bool is_map(const char *type)
{
    const char *dot = strrchr(type, '.');
    return dot && (strcmp(dot, ".requests") == 0 || strcmp(dot, ".limits") == 0);
}

/* `type` is the CEL type of an object, "Object.spec.initContainers.ports". */
static void write_value(struct buf *out, const json_t *v, const char *type, size_t margin)
{
    size_t i;
    const char *key, *comma = "";
    char inner[256];
    json_t *child;
    if (json_is_string(v)) {
        write_string(out, json_string_value(v));
    } else if (json_is_integer(v)) {
        write_integer(out, json_integer_value(v));
    } else if (json_is_boolean(v)) {
        text(out, json_is_true(v) ? "true" : "false");
    } else if (json_is_array(v)) {
        text(out, "[");
        json_array_foreach((json_t *)v, i, child)
        {
            text(out, comma);
            write_value(out, child, type, margin + 2);
            comma = ", ";
        }
        text(out, "]");
    } else {
        text(out, is_map(type) ? "" : type);
        text(out, "{");
        json_object_foreach((json_t *)v, key, child)
        {
            text(out, comma);
            comma = ",";
            indent(out, margin + 2);
            text(out, is_map(type) ? "\"" : "");
            text(out, key);
            text(out, is_map(type) ? "\": " : ": ");
            snprintf(inner, sizeof inner, "%s.%s", type, key);
            write_value(out, child, inner, margin + 2);
        }
        text(out, "}");
    }
}

/* The description with variables where annotations tune it. */
static struct sidecar with_variables(const struct sidecar *s)
{
    struct sidecar v = *s;
    snprintf(v.image, sizeof v.image, "{image}");
    snprintf(v.config_map, sizeof v.config_map, "{config}");
    snprintf(v.secret, sizeof v.secret, "{tlsSecret}");
    snprintf(v.policy, sizeof v.policy, "{policy}");
    snprintf(v.cpu_request, sizeof v.cpu_request, "{cpuRequest}");
    snprintf(v.memory_request, sizeof v.memory_request, "{memoryRequest}");
    snprintf(v.memory_limit, sizeof v.memory_limit, "{memoryLimit}");
    v.ports[0] = PORT_MARK;
    v.ports_n = 1;
    v.admin_port = ADMIN_PORT_MARK;
    snprintf(v.capture_inbound, sizeof v.capture_inbound, "{captureInbound}");
    snprintf(v.capture_outbound, sizeof v.capture_outbound, "{captureOutbound}");
    snprintf(v.probes, sizeof v.probes, "{probes}");
    v.uid = UID_MARK;
    return v;
}

static void write_variable(struct buf *out, const char *name, const char *annotation, const char *otherwise,
                           const char *open, const char *close)
{
    char line[1024];
    snprintf(line, sizeof line,
             "    - name: %s\n"
             "      expression: '\"" SIDECAR_PREFIX
             "%s\" in variables.annotations ? %svariables.annotations[\"" SIDECAR_PREFIX "%s\"]%s : %s'\n",
             name, annotation, open, annotation, close, otherwise);
    text(out, line);
}

static void write_text_variable(struct buf *out, const char *name, const char *annotation, const char *otherwise)
{
    char quoted[SIDECAR_TEXT_MAX + 2];
    snprintf(quoted, sizeof quoted, "\"%s\"", otherwise);
    write_variable(out, name, annotation, quoted, "", "");
}

/* The arguments depend on what is captured, so they are a variable of their own. */
static void write_capture_arguments(struct buf *out, const struct sidecar *s)
{
    char line[1024], to_inbound[32] = "string(variables.port)";
    if (s->to_inbound)
        snprintf(to_inbound, sizeof to_inbound, "\"%u\"", s->to_inbound);
    snprintf(line, sizeof line,
             "    - name: captureArgs\n"
             "      expression: >-\n"
             "        [\"capture\"]\n"
             "        + (variables.captureInbound == \"\" ? [] : [\"--inbound\", string(variables.captureInbound), "
             "\"--to-inbound\", %s])\n"
             "        + (variables.captureOutbound == \"\" ? [] : [\"--outbound\", string(variables.captureOutbound), "
             "\"--to-outbound\", \"%u\"])\n"
             "        + [\"--uid\", string(variables.uid)]\n",
             to_inbound, s->to_outbound);
    text(out, line);
}

static void write_variables(struct buf *out, const struct sidecar *s)
{
    char number[16];
    text(out, "  variables:\n"
              "    - name: annotations\n"
              "      expression: 'has(object.metadata.annotations) ? object.metadata.annotations : {}'\n");
    write_text_variable(out, "image", "image", s->image);
    write_text_variable(out, "config", "config", s->config_map);
    write_text_variable(out, "tlsSecret", "tls-secret", s->secret);
    write_text_variable(out, "policy", "policy", s->policy);
    write_text_variable(out, "cpuRequest", "cpu-request", s->cpu_request);
    write_text_variable(out, "memoryRequest", "memory-request", s->memory_request);
    write_text_variable(out, "memoryLimit", "memory-limit", s->memory_limit);
    snprintf(number, sizeof number, "%u", s->ports[0]);
    write_variable(out, "port", "ports", number, "int(", ".split(\",\")[0].trim())");
    snprintf(number, sizeof number, "%u", s->admin_port);
    write_variable(out, "adminPort", "admin-port", number, "int(", ")");
    snprintf(number, sizeof number, "%u", s->uid);
    write_variable(out, "uid", "uid", number, "int(", ")");
    write_text_variable(out, "captureInbound", "capture-inbound", s->capture_inbound);
    write_text_variable(out, "captureOutbound", "capture-outbound", s->capture_outbound);
    write_capture_arguments(out, s);
    policy_probe_variables(out, s);
}

static const char head[] =
    "# The API server puts the sidecar into pods by itself: no webhook, nothing that runs. Kubernetes 1.36 or newer.\n"
    "# Label a namespace or a pod outrigger.dev/inject: enabled. Made by `outrigger inject --policy`.\n"
    "apiVersion: admissionregistration.k8s.io/v1\n"
    "kind: MutatingAdmissionPolicy\n"
    "metadata:\n"
    "  name: outrigger-inject\n"
    "spec:\n"
    "  failurePolicy: Fail   # a pod that asks for the sidecar never starts without it\n"
    "  reinvocationPolicy: Never\n"
    "  matchConstraints:\n"
    "    namespaceSelector:\n"
    "      matchExpressions:\n"
    "        - { key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, "
    "kube-node-lease] }\n"
    "    resourceRules:\n"
    "      - { apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [pods] }\n"
    "  matchConditions:\n"
    "    - name: not-opted-out\n"
    "      expression: >-\n"
    "        !(has(object.metadata.annotations) && \"outrigger.dev/inject\" in object.metadata.annotations\n"
    "        && object.metadata.annotations[\"outrigger.dev/inject\"] in [\"disabled\", \"false\"])\n"
    "        && !(has(object.metadata.labels) && \"outrigger.dev/inject\" in object.metadata.labels\n"
    "        && object.metadata.labels[\"outrigger.dev/inject\"] in [\"disabled\", \"false\"])\n"
    "    - name: not-there-already\n"
    "      expression: >-\n"
    "        !object.spec.containers.exists(c, c.name == \"outrigger\")\n"
    "        && !(has(object.spec.initContainers) && object.spec.initContainers.exists(c, c.name == \"outrigger\"))\n"
    "    - name: own-network\n"
    "      expression: '!(has(object.spec.hostNetwork) && object.spec.hostNetwork)'\n";

/* Two that never meet: by the namespace's label, and by the pod's where the namespace has none. */
static const char bindings[] = "---\n"
                               "apiVersion: admissionregistration.k8s.io/v1\n"
                               "kind: MutatingAdmissionPolicyBinding\n"
                               "metadata:\n"
                               "  name: outrigger-inject-namespaces\n"
                               "spec:\n"
                               "  policyName: outrigger-inject\n"
                               "  matchResources:\n"
                               "    namespaceSelector:\n"
                               "      matchExpressions:\n"
                               "        - { key: outrigger.dev/inject, operator: In, values: [enabled, \"true\"] }\n"
                               "---\n"
                               "apiVersion: admissionregistration.k8s.io/v1\n"
                               "kind: MutatingAdmissionPolicyBinding\n"
                               "metadata:\n"
                               "  name: outrigger-inject-pods\n"
                               "spec:\n"
                               "  policyName: outrigger-inject\n"
                               "  matchResources:\n"
                               "    namespaceSelector:\n"
                               "      matchExpressions:\n"
                               "        - { key: outrigger.dev/inject, operator: NotIn, values: [enabled, \"true\"] }\n"
                               "    objectSelector:\n"
                               "      matchExpressions:\n"
                               "        - { key: outrigger.dev/inject, operator: In, values: [enabled, \"true\"] }\n";

/* An array of typed objects as one value makes the API server panic, so lists are made empty and filled one by one. */
static void write_patch(struct buf *out, const struct sidecar *s)
{
    json_t *container = sidecar_container(s), *capture = sidecar_capture(s), *volumes = sidecar_volumes(s), *volume;
    size_t i;
    text(out, "  mutations:\n"
              "    - patchType: JSONPatch\n"
              "      jsonPatch:\n"
              "        expression: |\n"
              "          (has(object.spec.initContainers) ? [] : [JSONPatch{op: \"add\", path: "
              "\"/spec/initContainers\", value: []}]) +\n"
              "          [JSONPatch{op: \"add\", path: \"/spec/initContainers/0\", value: ");
    write_value(out, container, "Object.spec.initContainers", 12);
    text(out, "}] +\n"
              "          (variables.captureInbound == \"\" && variables.captureOutbound == \"\" ? [] : [JSONPatch{op: "
              "\"add\", path: \"/spec/initContainers/0\", value: ");
    json_object_set_new(capture, "args", json_string("{captureArgs}"));
    write_value(out, capture, "Object.spec.initContainers", 12);
    text(out,
         "}]) +\n"
         "          (has(object.spec.volumes) ? [] : [JSONPatch{op: \"add\", path: \"/spec/volumes\", value: []}])");
    json_array_foreach(volumes, i, volume)
    {
        text(out, " +\n          [JSONPatch{op: \"add\", path: \"/spec/volumes/-\", value: ");
        write_value(out, volume, "Object.spec.volumes", 12);
        text(out, "}]");
    }
    policy_probe_patches(out);
    text(out, "\n");
    json_decref(container);
    json_decref(capture);
    json_decref(volumes);
}

void policy_write(struct buf *out, const struct sidecar *s)
{
    struct sidecar v = with_variables(s);
    text(out, head);
    write_variables(out, s);
    write_patch(out, &v);
    text(out, bindings);
}
