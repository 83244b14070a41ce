"""Rules about planted faults: each still fits the sources, each scenario has a mutation and each fuzz target a fault."""

import os
import re

from tree import rule

MUTATIONS, FAULTS = "tests/script/mutations.txt", "tests/fuzz/planted.txt"


def blocks(tree, path):
    """(number of its first line, names, file, old line) of each block of four lines."""
    lines = [(number, line) for number, line in tree.lines(path) if line and not line.startswith("#")] if tree.has(path) else []
    for i in range(0, len(lines) - 3, 4):
        number, names = lines[i]
        yield number, names.split(), lines[i + 1][1], lines[i + 2][1][1:]


def named(tree, path):
    return {name for _, names, _, _ in blocks(tree, path) for name in names}


@rule(
    ({MUTATIONS: "# x\n\na/b\nproxy/a.c\n-    a();\n+    b();\n\na/c\nproxy/a.c\n-c();\n+d();\n", "proxy/a.c": "    a();\nc();\nc();\n"}, [(MUTATIONS, 8)]),
    ({FAULTS: "a\nproxy/a.c\n-a();\n+b();\n", "proxy/a.c": "    a();\n"}, [(FAULTS, 1)]),
    ({FAULTS: "a\nproxy/a.c\n-a();\n+b();\n", "proxy/b.c": "a();\n"}, [(FAULTS, 1)]),
    ({MUTATIONS: "a/b\nproxy/a.c\n-a();\n+b();\n", FAULTS: "a\nproxy/a.c\n-a();\n+b();\n", "proxy/a.c": "a();\n"}, []),
)
def faults_fit(tree):
    """The line that a fault replaces stands once in its file."""
    for path in (MUTATIONS, FAULTS):
        for number, names, file, old in blocks(tree, path):
            count = tree.text(file).split("\n").count(old) if tree.has(file) else 0
            if count != 1:
                yield path, number, f"{file} has {count} lines {old.strip()!r}, expected one ({' '.join(names)})"


@rule(
    ({MUTATIONS: "a/b\nproxy/a.c\n-a();\n+b();\n", "tests/script/a/b.t": "\n", "tests/script/a/c.t": "\n"}, [("tests/script/a/c.t", 1)]),
    ({MUTATIONS: "a/b a/c\nproxy/a.c\n-a();\n+b();\n", "tests/script/a/b.t": "\n"}, [(MUTATIONS, 1)]),
    ({MUTATIONS: "a/b a/c\nproxy/a.c\n-a();\n+b();\n", "tests/script/a/b.t": "\n", "tests/script/a/c.t": "\n"}, []),
)
def scenarios_have_mutations(tree):
    every = {path: re.sub(r"^tests/script/|\.t$", "", path) for path in tree.paths("tests/script/*/*.t")}
    known = named(tree, MUTATIONS)
    for path, name in every.items():
        if name not in known:
            yield path, 1, f"no mutation in {MUTATIONS} shows that it can fail"
    for number, names, _, _ in blocks(tree, MUTATIONS):
        for name in sorted(set(names) - set(every.values())):
            yield MUTATIONS, number, f"there is no scenario {name}"


@rule(
    ({FAULTS: "a\nproxy/a.c\n-a();\n+b();\n", "tests/fuzz/a.c": "int LLVMFuzzerTestOneInput(\n", "tests/fuzz/b.c": "int LLVMFuzzerTestOneInput(\n", "tests/fuzz/run.c": "\n"},
     [("tests/fuzz/b.c", 1)]),
    ({FAULTS: "a c\nproxy/a.c\n-a();\n+b();\n", "tests/fuzz/a.c": "int LLVMFuzzerTestOneInput(\n"}, [(FAULTS, 1)]),
    ({FAULTS: "a\nproxy/a.c\n-a();\n+b();\n", "tests/fuzz/a.c": "int LLVMFuzzerTestOneInput(\n"}, []),
)
def targets_have_faults(tree):
    every = {path: os.path.basename(path)[:-2] for path in tree.paths("tests/fuzz/*.c") if not path.endswith("/run.c")}
    known = named(tree, FAULTS)
    for path, name in every.items():
        if name not in known:
            yield path, 1, f"no fault in {FAULTS} shows that it finds something"
    for number, names, _, _ in blocks(tree, FAULTS):
        for name in sorted(set(names) - set(every.values())):
            yield FAULTS, number, f"there is no fuzz target {name}"


RULES = [faults_fit, scenarios_have_mutations, targets_have_faults]
