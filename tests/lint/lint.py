#!/usr/bin/env python3
"""Style as executable checks: `lint.py RULE` reads the working tree, `lint.py RULE --planted` proves on a small made-up
tree that the rule turns red where it must and only there. `lint.py` alone runs every rule. Exit 1 when anything is found."""

import argparse
import pathlib
import sys
import tempfile

import docs
import faults
import functions
import includes
import layout
import style
from tree import Tree

RULES = {rule.__name__: rule for module in (includes, functions, style, docs, layout, faults) for rule in module.RULES}

# Exit code that CMakeLists.txt declares as "skipped".
SKIPPED = 77


def run(rule, root):
    """Prints the findings of one rule in one tree; returns how many."""
    found = sorted(rule(Tree(root)))
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    return len(found)


def plant(files, root):
    for path, text in files.items():
        target = pathlib.Path(root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def run_planted(rule):
    """Each planted example must give exactly the places that it names; returns how many did not."""
    wrong = 0
    if not any(places for _, places in rule.planted) or not any(not places for _, places in rule.planted):
        print(f"{rule.__name__}: needs at least one example that is wrong and one that is right")
        wrong += 1
    for files, places in rule.planted:
        with tempfile.TemporaryDirectory() as root:
            plant(files, root)
            got = sorted((path, line) for path, line, _ in rule(Tree(root)))
        if got != sorted(places):
            print(f"{rule.__name__}: expected {sorted(places)}, got {got} in {files}")
            wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(description="checks the style of the sources")
    parser.add_argument("rule", nargs="?", choices=sorted(RULES))
    parser.add_argument("--planted", action="store_true", help="test the rule itself")
    parser.add_argument("--list", action="store_true", help="names of the rules")
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2], help="the tree to read")
    args = parser.parse_args()
    if args.list:
        print("\n".join(RULES))
        return 0
    chosen = [RULES[args.rule]] if args.rule else list(RULES.values())
    missing = {rule: rule.unavailable() for rule in chosen if hasattr(rule, "unavailable")}
    for rule in [rule for rule, reason in missing.items() if reason]:
        print(f"{rule.__name__} is skipped: {missing[rule]}")
        chosen.remove(rule)
    if not chosen:
        return SKIPPED
    bad = sum(run_planted(rule) if args.planted else run(rule, args.root) for rule in chosen)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
