"""Rules about files and words: length, the comment at the head, banned calls, typedefs, white space, shell syntax."""

import re
import subprocess

import csource
from functions import c_files
from tree import rule

LINES_MAX = 600
BANNED = re.compile(
    r"(?<![\w.>])(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|rand|srand|sleep|usleep|nanosleep|"
    r"clock_nanosleep|alloca|system|popen|longjmp|setjmp)\s*\("
)
TYPEDEF = re.compile(r"\btypedef\s+(struct|union)\b")
HEAD = {True: r"/\*\s*[\w`\"(]", False: r'(#|""")\s*[\w`"(]'}
BANNER = re.compile(r"^\s*(/\*|//|#)\s*[-=*#_]{8,}")


def code_files(tree):
    """Sources in every language, scripts and documents of our own: not data, not what tests expect byte for byte."""
    return tree.paths("*.c", "*.h", "*.py", "*.sh", "*.go", "*.proto", "*.md", "*.cmake", "*CMakeLists.txt") + tree.scripts()


@rule(
    ({"proxy/a.c": "\n" * (LINES_MAX + 1)}, [("proxy/a.c", LINES_MAX + 1)]),
    ({"proxy/a.c": "\n" * LINES_MAX, "examples/a.go": "\n" * LINES_MAX}, []),
)
def file_length(tree):
    for path in tree.paths("*.c", "*.h", "*.py", "*.go") + tree.scripts():
        count = tree.text(path).count("\n")
        if count > LINES_MAX:
            yield path, count, f"{count} lines, at most {LINES_MAX} are allowed: split it"


@rule(
    ({"proxy/a.c": "#include <stdio.h>\n", "tests/a.h": "/**/\n"}, [("proxy/a.c", 1), ("tests/a.h", 1)]),
    ({"tests/a.py": "#!/usr/bin/env python3\nimport os\n", "scripts/go": "#!/usr/bin/env bash\nset -e\n"},
     [("scripts/go", 2), ("tests/a.py", 2)]),
    ({"proxy/a.c": "/* Does one thing. */\n", "proxy/b.c": "/* `outrigger check`: reads. */\n", "tests/a.py": '"""Does another."""\n', "scripts/go": "#!/bin/sh\n# Runs it.\n"}, []),
)
def file_head(tree):
    for path in tree.paths("proxy/*.c", "proxy/*.h", "tests/*.c", "tests/*.h", "tests/*.py") + tree.scripts():
        lines = tree.text(path).split("\n")
        at = 1 if lines[0].startswith("#!") else 0
        first = lines[at] if at < len(lines) else ""
        if not re.match(HEAD[path.endswith((".c", ".h"))], first):
            yield path, at + 1, "the file must begin with a comment that says what it does"


@rule(
    ({"proxy/a.c": "void f(void)\n{\n    strcpy(a, b);\n    if (sleep (1))\n        system(x);\n}\n"},
     [("proxy/a.c", 3), ("proxy/a.c", 4), ("proxy/a.c", 5)]),
    ({"tests/a.c": "int f(void)\n{\n    return atoi(x);\n}\n"}, [("tests/a.c", 3)]),
    ({"proxy/a.c": '/* no strcpy() */\nint g(void)\n{\n    return my_system(a) + a->sleep(1) + h("gets(");\n}\n'}, []),
)
def banned_calls(tree):
    for path in c_files(tree):
        code = csource.blank(tree.text(path))
        for match in BANNED.finditer(code):
            yield path, csource.line_of(code, match.start()), f"{match.group(1)}() is banned"


@rule(
    ({"proxy/a.h": "\ntypedef struct a { int b; } a;\n", "tests/a.c": "typedef union u u;\n"}, [("proxy/a.h", 2), ("tests/a.c", 1)]),
    ({"proxy/a.h": "/* typedef struct */\ntypedef _Atomic int counter_t;\nstruct a;\n"}, []),
)
def typedefs(tree):
    for path in c_files(tree):
        code = csource.blank(tree.text(path))
        for match in TYPEDEF.finditer(code):
            yield path, csource.line_of(code, match.start()), f"no typedef of a {match.group(1)}"


@rule(
    ({"proxy/a.c": "/* ------------ */\n\n//==========\n", "scripts/go": "#!/bin/sh\n#########\n"},
     [("proxy/a.c", 1), ("proxy/a.c", 3), ("scripts/go", 2)]),
    ({"proxy/a.c": "/*   IDLE -------------> TRYING\n */\n", "README.md": "|--------|\n"}, []),
)
def banners(tree):
    for path in tree.paths("*.c", "*.h", "*.py", "*.go") + tree.scripts():
        for number, line in tree.lines(path):
            if BANNER.match(line):
                yield path, number, "no banners"


@rule(
    ({"proxy/a.c": "int a; \n\tint b;\n", "a.md": "x\n\n\n"}, [("a.md", 3), ("proxy/a.c", 1), ("proxy/a.c", 2)]),
    ({"b.py": "a = 1", "c.md": "a\r\n"}, [("b.py", 1), ("c.md", 1)]),
    ({"proxy/a.c": "int a;\n    int b;\n", "a.go": "\tvar a int\n", "tests/check/bad/a.yaml": "a: \t\n", "b.c": ""}, []),
)
def whitespace(tree):
    for path in code_files(tree):
        text = tree.text(path)
        for number, line in tree.lines(path):
            if line != line.rstrip():
                yield path, number, "white space at the end of the line"
            elif "\t" in line and path.endswith((".c", ".h", ".py", ".md")):
                yield path, number, "a tab"
        if text and not text.endswith("\n") or text.endswith("\n\n"):
            yield path, text.rstrip("\n").count("\n") + 1 + max(0, len(text) - len(text.rstrip("\n")) - 1), "must end with one newline"


@rule(
    ({"scripts/go": "#!/usr/bin/env bash\n# Runs it.\nif true; then\n"}, [("scripts/go", 1)]),
    ({"scripts/go": "#!/usr/bin/env bash\n# Runs it.\nif true; then a; fi\n", "tools": "#!/usr/bin/env python3\nif (\n"}, []),
)
def shell_syntax(tree):
    for path in tree.paths("*.sh") + tree.scripts():
        shell = re.match(r"#!.*\b(bash|sh)\b", tree.text(path))
        if shell or path.endswith(".sh"):
            result = subprocess.run(["bash", "-n"], input=tree.text(path), text=True, capture_output=True, check=False)
            if result.returncode:
                yield path, 1, result.stderr.strip().replace("\n", "; ")


RULES = [file_length, file_head, banned_calls, typedefs, banners, whitespace, shell_syntax]
