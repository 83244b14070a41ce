"""The rules that clang-format and gofmt would change nothing. The layout of clang-format differs from release to release, so
only the one of the oldest supported distribution is asked."""

import re
import shutil
import subprocess

from functions import c_files
from tree import rule

MAJOR = 14
WARNING = re.compile(r"^(.+?):(\d+):\d+: error: ")
STYLE = "BasedOnStyle: LLVM\nIndentWidth: 4\n"


@rule(
    ({".clang-format": STYLE, "proxy/a.c": "int a;\nint  b;\n"}, [("proxy/a.c", 2)]),
    ({".clang-format": STYLE, "proxy/a.c": "int a;\nint b;\n"}, []),
)
def clang_format(tree):
    paths = c_files(tree)
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths], cwd=tree.root, text=True, capture_output=True, check=False)
    seen = set()
    for line in result.stderr.split("\n"):
        match = WARNING.match(line)
        if match and match.groups() not in seen:
            seen.add(match.groups())
            yield match.group(1), int(match.group(2)), "clang-format would write this differently"
    if result.returncode and not seen:
        yield ".clang-format", 1, result.stderr.strip()


def _unavailable():
    try:
        version = subprocess.run(["clang-format", "--version"], text=True, capture_output=True, check=False).stdout
    except FileNotFoundError:
        return "there is no clang-format"
    return "" if f"version {MAJOR}." in version else f"clang-format {MAJOR} is wanted, this is: {version.strip()}"


clang_format.unavailable = _unavailable


@rule(
    ({"examples/a.go": "package a\n\nvar b  = 1\n", "tests/e2e/b.go": "package b\n"}, [("examples/a.go", 1)]),
    ({"examples/a.go": "package a\n\nvar b = 1\n"}, []),
)
def gofmt(tree):
    result = subprocess.run(["gofmt", "-l", *tree.paths("*.go")], cwd=tree.root, text=True, capture_output=True, check=False)
    for path in result.stdout.split():
        yield path, 1, "gofmt would write this differently"
    if result.returncode:
        yield "go.mod", 1, result.stderr.strip()


gofmt.unavailable = lambda: "" if shutil.which("gofmt") else "there is no gofmt"

RULES = [clang_format, gofmt]
