"""A small scanner of C: blanks comments and literals, and finds functions. It knows this project's layout of code, not all
of the language: macros are not expanded."""

import functools
import re
from collections import namedtuple

Function = namedtuple("Function", "name first last")  # line numbers, signature to closing brace

LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
NAME_BEFORE = re.compile(r"(\w+)\s*$")


def _spaces(match):
    return re.sub(r"[^\n]", " ", match.group(0))


@functools.lru_cache(maxsize=None)
def blank(text):
    """The text with comments and literals replaced by spaces; every character keeps its place."""
    return LITERAL.sub(_spaces, text)


def blank_directives(text):
    """As blank, and preprocessor lines replaced too."""
    return DIRECTIVE.sub(_spaces, blank(text))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def _name_of(code, brace):
    """The (name, offset) of the function whose body opens at `brace`, or None for an aggregate or initializer."""
    before = code[:brace].rstrip()
    if not before.endswith(")"):
        return None
    depth, at = 0, len(before) - 1
    while at >= 0:
        depth += {")": 1, "(": -1}.get(before[at], 0)
        if depth == 0:
            break
        at -= 1
    name = NAME_BEFORE.search(before[:max(at, 0)])
    return (name.group(1), name.start(1)) if name else None


@functools.lru_cache(maxsize=None)
def functions(text):
    """The functions that a C file defines."""
    code = blank_directives(text)
    found, depth, current = [], 0, None
    for match in re.finditer(r"[{}]", code):
        if match.group(0) == "{":
            if depth == 0:
                current = _name_of(code, match.start())
            depth += 1
            continue
        depth -= 1
        if depth == 0 and current:
            name, offset = current
            found.append(Function(name, line_of(code, offset), line_of(code, match.start())))
            current = None
    return found
