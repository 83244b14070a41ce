#!/usr/bin/env python3
"""Proves that each fuzz target can find something: plants the faults of planted.txt in a copy, one at a time, and throws bytes
at the target from its corpus on until it breaks. What broke it must not break the target without the fault.
`planted.py [--seconds N] [TARGET...]`; the last line is "N passed, N failed"."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "script"))

from mutate import Tree, read_mutations  # noqa: E402

SECONDS = 120  # at most; on an idle machine most take less than 10
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1"}
LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-seed=1", "-print_final_stats=0"]


def fuzz_options():
    """What the preset "fuzz" gives to cmake."""
    presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    values = next(preset["cacheVariables"] for preset in presets if preset["name"] == "fuzz")
    return [f"-D{key}={value}" for key, value in values.items()]


class Bench:
    """The copy, and the programs built from it: whole ones in whole/, those with a fault in broken/."""

    def __init__(self, folder, targets):
        self.folder = folder
        for name in ("whole", "broken", "found"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        self.tree = Tree(folder, *fuzz_options())
        complaint = self.tree.compile(*[f"fuzz_{target}" for target in targets])
        if complaint:
            raise RuntimeError(complaint)
        for target in targets:
            self.keep(target, "whole")

    def keep(self, target, name):
        shutil.copy(self.tree.build / "tests/fuzz" / f"fuzz_{target}", self.folder / name / target)

    def plant(self, target, fault):
        """Empty, or why there is no program with the fault."""
        try:
            text = fault.apply(self.tree.source)
        except ValueError as error:
            return str(error)
        try:
            complaint = self.tree.compile(f"fuzz_{target}")
            if not complaint:
                self.keep(target, "broken")
            return complaint
        finally:
            (self.tree.source / fault.path).write_text(text)

    def play(self, name, target, *args, seconds=SECONDS):
        """True when the program does not break within that time."""
        command = [self.folder / name / target, *LIMITS, *args]
        result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False, timeout=seconds + 60)
        return result.returncode == 0

    def search(self, target, seconds):
        """(how it was found, or empty; what is wrong, or empty)."""
        found, corpus = self.folder / "found" / target, ROOT / "tests/fuzz/corpus" / target
        (found / "corpus").mkdir(parents=True)
        if not self.play("whole", target, "-runs=0", corpus):
            return "", "breaks over its corpus without a fault"
        prefix, began = f"-artifact_prefix={found}/", time.monotonic()
        how = ""
        if not self.play("broken", target, "-runs=0", prefix, corpus):
            how = "by the corpus"
        elif not self.play("broken", target, f"-max_total_time={seconds}", prefix, found / "corpus", corpus, seconds=seconds):
            how = f"after {time.monotonic() - began:.0f} s"
        inputs = [path for path in found.iterdir() if path.is_file()]
        if not how:
            return "", f"not found within {seconds} s"
        if not all(self.play("whole", target, path) for path in inputs):
            return "", "what breaks it breaks the target without the fault too"
        return how, ""


def main():
    parser = argparse.ArgumentParser(description="proves that each fuzz target can find something")
    parser.add_argument("target", nargs="*", help="such as hpack; all without")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each target")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/planted", help="for the copy and its build")
    args = parser.parse_args()
    every = sorted({file.stem for file in HERE.glob("*.c")} - {"run"})
    faults = {target: fault for fault in read_mutations((HERE / "planted.txt").read_text()) for target in fault.scenarios}
    targets = args.target or every
    results = {target: ("", "no fault is named") for target in targets if target not in faults}
    results |= {target: ("", "there is no such target") for target in faults if target not in every}
    bench = Bench(args.folder, [target for target in targets if target in faults])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        searches = {}
        for target in (target for target in targets if target in faults):
            complaint = bench.plant(target, faults[target])
            if complaint:
                results[target] = ("", complaint)
            else:
                searches[target] = pool.submit(bench.search, target, args.seconds)
        results |= {target: search.result() for target, search in searches.items()}
    for target, (how, wrong) in sorted(results.items()):
        fault = f"{faults[target].path}: {faults[target].new.strip()}" if target in faults else ""
        print(f"FAIL   {target}: {wrong} ({fault})" if wrong else f"found  {target:16} {how:16} {fault}")
    failed = sum(bool(wrong) for _, wrong in results.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
