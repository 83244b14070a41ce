/* CEL by template, once for each kind of probe: its name stands where the template has a star, before Probe. CEL has no
 * index of an element, so containers are counted by a list of numbers. */
#include "inject/policy_probe.h"

#include "conf/memory.h"

#include <stdio.h>

enum { CONTAINERS_MAX = 32 };

static const char *const kinds[] = {"startup", "readiness", "liveness"};

static const char ports[] =
    "    - name: *Ports\n"
    "      expression: >-\n"
    "        object.spec.containers.map(c, !has(c.*Probe) ? 0 : has(c.*Probe.grpc) ? int(c.*Probe.grpc.port)\n"
    "        : has(c.*Probe.httpGet) && !has(c.*Probe.httpGet.host) ? (type(c.*Probe.httpGet.port) == int\n"
    "        ? int(c.*Probe.httpGet.port) : string(c.*Probe.httpGet.port).matches(\"^[0-9]+$\")\n"
    "        ? int(string(c.*Probe.httpGet.port))\n"
    "        : has(c.ports) && c.ports.exists(p, has(p.name) && p.name == string(c.*Probe.httpGet.port))\n"
    "        ? int(c.ports.filter(p, has(p.name) && p.name == string(c.*Probe.httpGet.port))[0].containerPort) : 0)\n"
    "        : has(c.*Probe.tcpSocket) && !has(c.*Probe.tcpSocket.host) ? (type(c.*Probe.tcpSocket.port) == int\n"
    "        ? int(c.*Probe.tcpSocket.port) : string(c.*Probe.tcpSocket.port).matches(\"^[0-9]+$\")\n"
    "        ? int(string(c.*Probe.tcpSocket.port))\n"
    "        : has(c.ports) && c.ports.exists(p, has(p.name) && p.name == string(c.*Probe.tcpSocket.port))\n"
    "        ? int(c.ports.filter(p, has(p.name) && p.name == string(c.*Probe.tcpSocket.port))[0].containerPort) : 0)\n"
    "        : 0)\n";

static const char paths[] =
    "    - name: *Paths\n"
    "      expression: >-\n"
    "        variables.places.map(i, !variables.taken.exists(r, int(variables.*Ports[i]) >= "
    "int(r.split(\"-\")[0].trim())\n"
    "        && int(variables.*Ports[i]) <= int(r.split(\"-\")[size(r.split(\"-\")) - 1].trim())) ? \"\"\n"
    "        : has(object.spec.containers[i].*Probe.grpc) ? \"/probe/grpc/\" + string(variables.*Ports[i]) + \"/\"\n"
    "        + (has(object.spec.containers[i].*Probe.grpc.service) ? object.spec.containers[i].*Probe.grpc.service : "
    "\"\")\n"
    "        : has(object.spec.containers[i].*Probe.tcpSocket) ? \"/probe/tcp/\" + string(variables.*Ports[i])\n"
    "        : (has(object.spec.containers[i].*Probe.httpGet.scheme)\n"
    "        && object.spec.containers[i].*Probe.httpGet.scheme == \"HTTPS\")\n"
    "        || has(object.spec.containers[i].*Probe.httpGet.httpHeaders)\n"
    "        ? string(int(object.spec.containers[i].name + \": a probe of a captured port has scheme HTTPS or "
    "httpHeaders, which the sidecar cannot "
    "send\"))\n"
    "        : \"/probe/http/\" + string(variables.*Ports[i])\n"
    "        + (!has(object.spec.containers[i].*Probe.httpGet.path) ? \"/\"\n"
    "        : object.spec.containers[i].*Probe.httpGet.path.startsWith(\"/\") ? "
    "object.spec.containers[i].*Probe.httpGet.path\n"
    "        : \"/\" + object.spec.containers[i].*Probe.httpGet.path))\n";

static const char patches[] =
    " +\n"
    "          variables.places.filter(i, variables.*Paths[i] != \"\" && "
    "!has(object.spec.containers[i].*Probe.httpGet)).map(i,\n"
    "            JSONPatch{op: \"remove\", path: \"/spec/containers/\" + string(i) + \"/*Probe/\"\n"
    "            + (has(object.spec.containers[i].*Probe.grpc) ? \"grpc\" : \"tcpSocket\")}) +\n"
    "          variables.places.filter(i, variables.*Paths[i] != \"\").map(i,\n"
    "            JSONPatch{op: \"add\", path: \"/spec/containers/\" + string(i) + \"/*Probe/httpGet\",\n"
    "            value: Object.spec.containers.*Probe.httpGet{path: variables.*Paths[i], port: variables.adminPort}})";

static void write_for_all(struct buf *out, const char *template)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (const char *at = template; *at;) {
            size_t n = strcspn(at, "*");
            memory_append(out, slice_make(at, n));
            at += n;
            if (*at)
                memory_append(out, slice_str(kinds[i]));
            at += *at != '\0';
        }
}

void policy_probe_variables(struct buf *out, const struct sidecar *s)
{
    char line[1024];
    snprintf(line, sizeof line,
             "    - name: taken\n"
             "      expression: >-\n"
             "        (string(variables.captureInbound) + \",\" + (\"" SIDECAR_PREFIX
             "probe-ports\" in variables.annotations\n"
             "        ? string(variables.annotations[\"" SIDECAR_PREFIX
             "probe-ports\"]) : \"%s\")).split(\",\").filter(r, r.trim() != \"\")\n"
             "    - name: places\n"
             "      expression: '[",
             s->probe_ports);
    memory_append(out, slice_str(line));
    for (int i = 0; i < CONTAINERS_MAX; i++) {
        snprintf(line, sizeof line, "%s%d", i ? ", " : "", i);
        memory_append(out, slice_str(line));
    }
    memory_append(out, SLICE("].filter(i, i < size(object.spec.containers))'\n"));
    write_for_all(out, ports);
    write_for_all(out, paths);
    memory_append(out, SLICE("    - name: probes\n"
                             "      expression: >-\n"
                             "        (variables.startupPaths + variables.readinessPaths + "
                             "variables.livenessPaths).filter(p, p != \"\").join(\" \")\n"));
}

void policy_probe_patches(struct buf *out)
{
    write_for_all(out, patches);
}
