"""Rules about documents: links and paths lead somewhere, the tour of proxy/README.md names functions that exist, README.md
metrics and reasons that exist, images bear the version that is built, and nothing names a machine."""

import os
import re

import csource
from style import code_files
from tree import rule

LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^\s*(```|~~~)")
OUR_PATH = re.compile(r"^(\./)?((?:scripts|tests|config|examples|k8s|proxy|cmake|\.ci)/[\w./-]*[\w/])$")
TOUR = "proxy/README.md"
TOUR_CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\(\)")
TOUR_FILE = re.compile(r"^(?:proxy/)?([a-z0-9_]+/[a-z0-9_]+\.[ch]|main\.c)$")
METRIC = re.compile(r"`((?:outrigger|grpc)_[a-z0-9_]+)`")
REASON_ROW = re.compile(r"^\| `([A-Z]+(?:_[A-Z]+)*)` \| [A-Zw]")
PROJECT_VERSION = re.compile(r"^project\(\w+ VERSION ([\d.]+)", re.MULTILINE)
IMAGE_VERSION = re.compile(r"^ARG VERSION=(\S*)")
MACHINE_PATH = re.compile(r"(?<![\w.}~-])/(?:work|root|home/\w+)(?=[/\s\"'`:);,]|$)")


def prose(tree, path):
    """(number, line) outside fenced blocks."""
    fenced = False
    for number, line in tree.lines(path):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


@rule(
    ({"README.md": "see [the guide](CONTRIBUTING.md) and [x](docs/gone.md#part)\n", "CONTRIBUTING.md": ""}, [("README.md", 1)]),
    ({"proxy/README.md": "[up](../README.md)\n\n[gone](../GONE.md)\n", "README.md": "run `scripts/gone --fast`, `scripts/gone`\n"},
     [("README.md", 1), ("proxy/README.md", 3)]),
    ({"README.md": "[a](https://grpc.io) [b](#here) [c](proxy/) `scripts/test` `config/` `pkg/Service`\n```\n[x](gone)\n```\n",
      "proxy/a.c": "", "scripts/test": "", "config/a": ""}, []),
)
def links(tree):
    for path in tree.paths("*.md"):
        for number, line in prose(tree, path):
            for target in LINK.findall(CODE.sub("", line)):
                file = target.split("#")[0]
                if file and ":" not in file and not tree.has(os.path.normpath(os.path.join(os.path.dirname(path), file))):
                    yield path, number, f"the link {target} leads nowhere"
            for code in CODE.findall(line):
                ours = OUR_PATH.match(code)
                if ours and not tree.has(ours.group(2)):
                    yield path, number, f"{code} does not exist"


@rule(
    ({TOUR: "First `conn_feed()`, then `call_step()`.\n\nIn `app/gone.c`.\n", "proxy/net/conn.h": "/* conn_feed() */\n",
      "proxy/core/call.h": "void call_step(struct call *c);\n"}, [(TOUR, 1), (TOUR, 3)]),
    ({"README.md": ""}, [(TOUR, 1)]),
    ({TOUR: "`call_step(call, event)` and `call_next_wake()` in `core/call.h`\n```\nnet/conn -> h2_gone()\n```\n",
      "proxy/core/call.h": "void call_next_wake(void);\n"}, [(TOUR, 3)]),
    ({TOUR: "`call_step()` of `core/call.h`, `proxy/main.c`\n", "proxy/core/call.h": "void call_step(struct call *c);\n", "proxy/main.c": ""}, []),
)
def tour(tree):
    """Names in code font, and in the fenced pictures, of proxy/README.md."""
    if not tree.has(TOUR):
        yield TOUR, 1, "the tour is missing"
        return
    code = "\n".join(csource.blank(tree.text(path)) for path in tree.paths("proxy/*.c", "proxy/*.h"))
    known = set(re.findall(r"\b([a-z_][a-z0-9_]*)\s*\(", code))
    fenced = False
    for number, line in tree.lines(TOUR):
        fenced = fenced != bool(FENCE.match(line))
        for text in [line] if fenced else CODE.findall(line):
            for name in TOUR_CALL.findall(text):
                if name not in known:
                    yield TOUR, number, f"{name}() does not exist in proxy/"
            file = TOUR_FILE.match(text)
            if file and not tree.has(f"proxy/{file.group(1)}"):
                yield TOUR, number, f"{text} does not exist"


@rule(
    ({"README.md": "`outrigger_ready`\n\n`grpc_gone_total` and `outrigger_x`\n", "proxy/telemetry/a.c": '"outrigger_ready" "outrigger_x_total"\n'},
     [("README.md", 3), ("README.md", 3)]),
    ({"README.md": "`outrigger_ready`, outrigger_gone\n", "proxy/telemetry/a.c": '"outrigger_ready"\n'}, []),
)
def metrics(tree):
    """Names of metrics in README.md are those that telemetry/ renders."""
    known = set(re.findall(r'"((?:outrigger|grpc)_\w+)"', "\n".join(tree.text(path) for path in tree.paths("proxy/telemetry/*.c"))))
    for number, line in prose(tree, "README.md"):
        for name in METRIC.findall(line):
            if name not in known:
                yield "README.md", number, f"no metric is called {name}"


@rule(
    ({"README.md": "| `GONE` | UNKNOWN | x |\n", "proxy/core/status.h": "    X(OLD) X(GIVEN) \\\n", "proxy/core/call.c": "fail(s, REASON_GIVEN);\n"},
     [("README.md", 1), ("README.md", 1)]),
    ({"README.md": "| `GIVEN` | UNKNOWN | x |\n", "proxy/core/status.h": "X(OLD) X(GIVEN)\n", "proxy/core/call.c": "fail(s, REASON_GIVEN);\n"}, []),
)
def reasons(tree):
    """The table of local answers in README.md has every reason that core/call.c and app/exchange_request.c give, and no other name."""
    listed = set(re.findall(r"\bX\((\w+)\)", tree.text("proxy/core/status.h")))
    makers = tree.paths("proxy/core/call*.c", "proxy/app/exchange_request.c")
    given = {name for path in makers for name in re.findall(r"REASON_([A-Z_]+)", tree.text(path))} - {"NONE", "COUNT"}
    named = {}
    for number, line in prose(tree, "README.md"):
        match = REASON_ROW.match(line)
        if match:
            named[match.group(1)] = number
    for name in sorted(set(named) - listed):
        yield "README.md", named[name], f"there is no reason {name}"
    for name in sorted(given - set(named)):
        yield "README.md", 1, f"the table of local answers lacks {name}"


@rule(
    ({"CMakeLists.txt": "project(a VERSION 1.2.0 LANGUAGES C)\n", "Dockerfile": "FROM a\nARG VERSION=1.1.0\n", "x/Dockerfile": "FROM a\n"},
     [("Dockerfile", 2), ("x/Dockerfile", 1)]),
    ({"CMakeLists.txt": "project(a VERSION 1.2.0 LANGUAGES C)\n", "Dockerfile": "ARG VERSION=1.2.0\nARG VERSION=1.2.0\n"}, []),
)
def image_version(tree):
    """Dockerfiles take the version of CMakeLists.txt as their default."""
    built = PROJECT_VERSION.search(tree.text("CMakeLists.txt"))
    for path in tree.paths("*Dockerfile"):
        named = [(number, match[1]) for number, line in tree.lines(path) if (match := IMAGE_VERSION.match(line))]
        if not named:
            yield path, 1, "the image has no version"
        for number, version in named:
            if built and version != built[1]:
                yield path, number, f"the image says {version}, CMakeLists.txt {built[1]}"


@rule(
    ({"scripts/go": "#!/bin/sh\ncd /wo" + "rk/main\n", "a.md": "in `/ro" + "ot/x` and /ho" + "me/ann/y\n"},
     [("a.md", 1), ("a.md", 1), ("scripts/go", 2)]),
    ({"a.md": "net/work, /rooted, $HOME/work/x, tree/root\n", "a.go": "p := base + \"/workers\"\n"}, []),
)
def machine_paths(tree):
    data = tree.paths("*.yaml", "*.yml", "*.json", "*.t", "*.txt", "*Dockerfile")
    for path in sorted(set(code_files(tree) + data)):
        for number, line in tree.lines(path):
            for match in MACHINE_PATH.finditer(line):
                yield path, number, f"{match.group(0)} is the path of one machine"


RULES = [links, tour, metrics, reasons, image_version, machine_paths]
