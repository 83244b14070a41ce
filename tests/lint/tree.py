"""The files that the rules read: paths relative to a root, and their text. Skips what is built, fetched or generated."""

import fnmatch
import functools
import os

SKIPPED_FOLDERS = {".git", ".cache", "build", "node_modules", "__pycache__", "gen"}


class Tree:
    def __init__(self, root):
        self.root = str(root)

    @functools.cached_property
    def all(self):
        """Every file, sorted."""
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return sorted(found)

    def paths(self, *patterns):
        """The files that match one of the shell patterns ("proxy/*.c" reaches into subfolders)."""
        return [path for path in self.all if any(fnmatch.fnmatchcase(path, p) for p in patterns)]

    def has(self, path):
        return os.path.exists(os.path.join(self.root, path))

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace", newline="") as file:
            return file.read()

    def lines(self, path):
        """(number, line without its newline) of a file."""
        return enumerate(self.text(path).split("\n"), 1)

    def scripts(self):
        """Files without an extension that begin with a shebang."""
        return [path for path in self.all if "." not in os.path.basename(path) and self.text(path).startswith("#!")]


def rule(*planted):
    """Marks a rule: a function of a tree that yields (path, line, message). Each planted example is a pair: the files of a
    tree, and the places (path, line) that the rule must find there."""

    def mark(function):
        function.planted = planted
        return function

    return mark
