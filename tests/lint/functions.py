"""Rules about functions: their length, and no conditional compilation inside them."""

import re

import csource
from tree import rule

LINES_MAX = 70
CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b")


def _body(lines):
    return "int f(int a)\n{\n" + "    a++;\n" * (lines - 3) + "}\n"


def c_files(tree):
    return tree.paths("proxy/*.c", "proxy/*.h", "tests/*.c", "tests/*.h")


@rule(
    ({"proxy/a.c": _body(LINES_MAX + 1)}, [("proxy/a.c", 1)]),
    ({"tests/a.c": "struct s {\n    int a;\n};\n" + _body(3) + 'static struct s *g(\n    int (*x)(int), char *y)\n{\n    puts("}");\n' + "\n" * 90 + "}\n"},
     [("tests/a.c", 7)]),
    ({"proxy/a.c": _body(LINES_MAX) + _body(LINES_MAX) + "static const int t[] = {\n" + "    1,\n" * 200 + "};\n"}, []),
)
def function_length(tree):
    for path in c_files(tree):
        for f in csource.functions(tree.text(path)):
            length = f.last - f.first + 1
            if length > LINES_MAX:
                yield path, f.first, f"{f.name}() has {length} lines, at most {LINES_MAX} are allowed"


@rule(
    ({"proxy/a.c": "int f(void)\n{\n#ifdef X\n    return 1;\n#else\n    return 2;\n#endif\n}\n"}, [("proxy/a.c", 3), ("proxy/a.c", 5)]),
    ({"proxy/a.c": "#ifdef X\nint f(void)\n{\n    return 1;\n}\n#endif\n", "proxy/a.h": "#ifndef A_H\n#define A_H\n#endif\n"}, []),
)
def conditionals(tree):
    for path in c_files(tree):
        spans = [(f.first, f.last) for f in csource.functions(tree.text(path))]
        for number, line in tree.lines(path):
            if CONDITIONAL.match(line) and any(first < number < last for first, last in spans):
                yield path, number, "conditional compilation inside a function"


RULES = [function_length, conditionals]
