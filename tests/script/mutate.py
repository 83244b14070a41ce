#!/usr/bin/env python3
"""Proves that each scenario can fail: breaks proxy/ as mutations.txt says, one line at a time and in a copy, and plays the
scenarios that must then turn red. `mutate.py [SCENARIO...]`; the last line is "N passed, N failed"."""

import argparse
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPIED = ["CMakeLists.txt", "cmake", "proxy", "tests", "config"]
SECONDS = 20  # a scenario that a mutation sends round in circles is red too


class Mutation:
    """One line of one file written differently, and the scenarios that notice."""

    def __init__(self, scenarios, path, old, new):
        self.scenarios, self.path, self.old, self.new = scenarios, path, old, new

    def apply(self, tree):
        """Returns the text that was there. Raises ValueError when the line is not there exactly once."""
        file = tree / self.path
        text = file.read_text()
        lines = text.split("\n")
        count = lines.count(self.old)
        if count != 1:
            raise ValueError(f"{self.path} has {count} lines {self.old.strip()!r}")
        lines[lines.index(self.old)] = self.new
        file.write_text("\n".join(lines))
        return text


def read_mutations(text):
    """Blocks of four lines: scenarios, path, -old, +new. Comments and empty lines stand between them."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    if len(lines) % 4:
        raise ValueError("mutations.txt: a block has four lines: scenarios, path, -old, +new")
    blocks = [lines[i : i + 4] for i in range(0, len(lines), 4)]
    for scenarios, path, old, new in blocks:
        if not old.startswith("-") or not new.startswith("+"):
            raise ValueError(f"mutations.txt: {scenarios} {path}: expected -old and +new")
    return [Mutation(s.split(), path, old[1:], new[1:]) for s, path, old, new in blocks]


class Tree:
    """A copy of the sources with a build of its own. Copies are new files, so that nothing that an earlier run built from
    a mutation is taken for built."""

    def __init__(self, folder, *options):
        """`options` are cmake's."""
        self.folder, self.source, self.build = folder, folder / "source", folder / "build"
        shutil.rmtree(self.source, ignore_errors=True)
        self.source.mkdir(parents=True)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.source / name, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(ROOT / name, self.source / name)
        command = ["cmake", "-S", self.source, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DOUTRIGGER_TESTS=ON"]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)

    def compile(self, *targets):
        """Empty, or what the compiler says."""
        command = ["cmake", "--build", self.build, "--target", *(targets or ["script"])]
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        return result.stdout + result.stderr if result.returncode else ""

    def is_red(self, scenario):
        command = [self.build / "tests/script/script", self.source / f"tests/script/{scenario}.t"]
        try:
            return subprocess.run(command, cwd=self.source, capture_output=True, check=False, timeout=SECONDS).returncode != 0
        except subprocess.TimeoutExpired:
            return True


def judge(tree, mutation, scenarios):
    """(scenario, empty or what is wrong) of each scenario that the mutation must turn red."""
    try:
        text = mutation.apply(tree.source)
    except ValueError as error:
        return [(s, str(error)) for s in scenarios]
    where = f"{mutation.path}: {mutation.old.strip()} -> {mutation.new.strip()}"
    try:
        complaint = tree.compile()
        if complaint:
            return [(s, f"does not compile: {where}\n{complaint}") for s in scenarios]
        return [(s, "" if tree.is_red(s) else f"stays green with {where}") for s in scenarios]
    finally:
        (tree.source / mutation.path).write_text(text)


def main():
    parser = argparse.ArgumentParser(description="proves that each scenario can fail")
    parser.add_argument("scenario", nargs="*", help="area/behaviour; all without")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/mutations", help="for the copy and its build")
    args = parser.parse_args()
    every = sorted(str(p.relative_to(HERE).with_suffix("")) for p in HERE.glob("*/*.t"))
    wanted = args.scenario or every
    mutations = read_mutations((HERE / "mutations.txt").read_text())
    tree = Tree(args.folder)
    complaint = tree.compile()
    if complaint:
        print(f"{complaint}\n0 passed, 1 failed")
        return 1
    results = [(s, "is red without a mutation") for s in wanted if tree.is_red(s)]
    named = {s for mutation in mutations for s in mutation.scenarios}
    results += [(s, "no mutation is named") for s in wanted if s not in named]
    results += [(s, "there is no such scenario") for s in sorted(named - set(every))]
    for mutation in mutations:
        guarded = [s for s in mutation.scenarios if s in wanted]
        results += judge(tree, mutation, guarded) if guarded else []
    for scenario, wrong in results:
        print(f"FAIL  {scenario}: {wrong}" if wrong else f"red   {scenario}")
    failed = sum(bool(wrong) for _, wrong in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
