"""Rules about who may include what: the direction between the folders of proxy/, which folder owns which library, and
what the pure core may see."""

import fnmatch
import re

import csource
from tree import rule

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]')
LIBRARY = re.compile(r"^outrigger_library\((\w+)([^)]*)\)")

# Folder -> folders whose headers it may include, besides its own.
BELOW = {
    "base": set(),
    "core": {"base"},
    "net": {"base"},
    "h2": {"core", "base"},
    "conf": {"core", "base"},
    "discovery": {"conf", "net", "core", "base"},
    "app": {"discovery", "conf", "h2", "net", "core", "base"},
    "telemetry": {"app", "discovery", "conf", "h2", "net", "core", "base"},
    "admin": {"telemetry", "app", "discovery", "conf", "h2", "net", "core", "base"},
    "inject": {"capture", "conf", "core", "base"},
    "capture": {"base"},
    "cli": {"capture", "inject", "admin", "telemetry", "app", "discovery", "conf", "h2", "net", "core", "base"},
}

# System header pattern -> the folders, or files, that may include it.
OWNERS = {
    "nghttp2/*": {"h2"},
    "protobuf-c/*": {"h2", "conf"},
    "yaml.h": {"conf"},
    "jansson.h": {"admin", "cli", "inject", "discovery"},
    "event2/*": {"net"},
    "openssl/*": {"net"},
    "ares*.h": {"net"},
    "netdb.h": {"net"},
    "netinet/*": {"net"},
    "arpa/inet.h": {"net", "proxy/base/address.c", "proxy/base/cidr.c"},
    "poll.h": {"net", "proxy/app/supervisor.c", "proxy/app/upgrade.c"},  # it has no loop: it waits for signals and its worker
    "sys/socket.h": {"net"},
    "sys/un.h": {"net"},
    "sys/uio.h": {"net"},
    "sys/epoll.h": {"net"},
    "sys/eventfd.h": {"net"},
    "sys/timerfd.h": {"net"},
    "sys/inotify.h": {"net"},
}

# What would give core a clock, a descriptor or a log.
IMPURE = ["time.h", "sys/*", "unistd.h", "fcntl.h", "signal.h", "threads.h", "base/log.h"]
IMPURE_CALLS = re.compile(r"(?<![\w.>])(time|clock|clock_\w+|gettimeofday|getenv|rand|random|getrandom|printf|fprintf)\s*\(")


def folder_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def sources(tree, folder="*"):
    return tree.paths(f"proxy/{folder}/*.c", f"proxy/{folder}/*.h", *(["proxy/*.c"] if folder == "*" else []))


def included(tree, path):
    """(line, "<" or '"', header) of each include."""
    for number, line in tree.lines(path):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def library_edges(tree):
    """(line, library, folder below it) of each outrigger_library in CMakeLists.txt."""
    if not tree.has("CMakeLists.txt"):
        return
    for number, line in tree.lines("CMakeLists.txt"):
        match = LIBRARY.match(line)
        if match:
            for below in match.group(2).split(" LINK ")[0].split():
                yield number, match.group(1), below


@rule(
    ({"proxy/core/a.c": '#include "base/err.h"\n#include "net/conn.h"\n', "proxy/base/err.h": "", "proxy/net/conn.h": ""},
     [("proxy/core/a.c", 2)]),
    ({"proxy/h2/a.c": '#include "net/conn.h"\n', "proxy/net/b.c": '#include "h2/a.h"\n', "proxy/net/conn.h": "", "proxy/h2/a.h": ""},
     [("proxy/h2/a.c", 1), ("proxy/net/b.c", 1)]),
    ({"proxy/base/a.c": '\n#include "a.h"\n', "proxy/base/a.h": ""}, [("proxy/base/a.c", 2)]),
    ({"proxy/app/a.c": '#include "h2/gone.h"\n'}, [("proxy/app/a.c", 1)]),
    ({"proxy/extra/a.c": '#include "base/err.h"\n', "proxy/base/err.h": ""}, [("proxy/extra/a.c", 1)]),
    ({"CMakeLists.txt": "outrigger_library(base)\noutrigger_library(net base core LINK X)\n"}, [("CMakeLists.txt", 2)]),
    ({"proxy/main.c": '#include "cli/run.h"\n', "proxy/cli/run.h": '#include "app/a.h"\n#include <stdio.h>\n', "proxy/app/a.h": "",
      "CMakeLists.txt": "outrigger_library(core base)\n"}, []),
)
def includes(tree):
    for path in sources(tree):
        folder = folder_of(path)
        allowed = BELOW.get(folder, set()) | {folder} if folder else set(BELOW)
        for line, kind, header in included(tree, path):
            if kind == "<" or header.endswith(".pb-c.h"):
                continue
            target = header.split("/")[0]
            if not tree.has(f"proxy/{header}"):
                yield path, line, f'"{header}" is not a path below proxy/'
            elif target not in allowed:
                yield path, line, f"{folder}/ must not include {target}/"
    for line, library, below in library_edges(tree):
        if below not in BELOW.get(library, set()):
            yield "CMakeLists.txt", line, f"library {library} must not link {below}"


@rule(
    ({"proxy/app/a.c": "#include <nghttp2/nghttp2.h>\n"}, [("proxy/app/a.c", 1)]),
    ({"proxy/cli/a.c": "#include <yaml.h>\n#include <sys/socket.h>\n"}, [("proxy/cli/a.c", 1), ("proxy/cli/a.c", 2)]),
    ({"proxy/base/buf.c": "#include <arpa/inet.h>\n"}, [("proxy/base/buf.c", 1)]),
    ({"proxy/net/a.c": "#include <event2/event.h>\n#include <openssl/ssl.h>\n#include <ares.h>\n", "proxy/conf/a.c": "#include <yaml.h>\n",
      "proxy/base/address.c": "#include <arpa/inet.h>\n", "proxy/h2/a.c": "#include <nghttp2/nghttp2.h>\n"}, []),
)
def libraries(tree):
    for path in sources(tree):
        for line, kind, header in included(tree, path):
            for pattern, owners in OWNERS.items():
                if kind == "<" and fnmatch.fnmatchcase(header, pattern) and not owners & {folder_of(path), path}:
                    yield path, line, f"<{header}> belongs to {' and '.join(sorted(owners))}"


@rule(
    ({"proxy/core/a.c": "#include <time.h>\n#include <sys/types.h>\n"}, [("proxy/core/a.c", 1), ("proxy/core/a.c", 2)]),
    ({"proxy/core/a.c": '#include "base/log.h"\n', "proxy/base/log.h": ""}, [("proxy/core/a.c", 1)]),
    ({"proxy/core/a.c": "static ns_t f(void)\n{\n    return clock_now();\n}\n"}, [("proxy/core/a.c", 3)]),
    ({"proxy/core/a.c": '/* time() */\n#include "base/clock.h"\n#include <stdlib.h>\nint f(ns_t now)\n{\n    return a->time(now);\n}\n',
      "proxy/net/a.c": "#include <time.h>\n"}, []),
)
def core_is_pure(tree):
    for path in sources(tree, "core"):
        for line, _, header in included(tree, path):
            if any(fnmatch.fnmatchcase(header, pattern) for pattern in IMPURE):
                yield path, line, f"core/ is pure: no {header}"
        code = csource.blank(tree.text(path))
        for match in IMPURE_CALLS.finditer(code):
            yield path, csource.line_of(code, match.start()), f"core/ is pure: no {match.group(1)}()"


RULES = [includes, libraries, core_is_pure]
