#!/usr/bin/env python3
"""Measures which branches of core/ the unit tests and the simulator reach, with gcov, in a build of its own. Lines with an
assert count not: their other branch is a mistake of ours. The last line is "N passed, N failed"."""

import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "coverage"
SEEDS = "100"
PERCENT_MIN = 90


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, **options)


def build():
    """Returns the programs to run."""
    units = ["unit_core_" + file.stem for file in sorted((ROOT / "tests/unit/core").glob("*.c"))]
    flags = "-DCMAKE_C_FLAGS=--coverage -O1 -fprofile-update=atomic"
    run("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DOUTRIGGER_TESTS=ON", flags)
    run("cmake", "--build", BUILD, "-j", os.cpu_count() or 1, "--target", "sim", *units)
    return [[BUILD / "tests" / name] for name in units] + [[BUILD / "tests/sim/sim", "--seeds", SEEDS]]


def read_gcov():
    """Yields path and the lines that gcov counts, for each file of core/."""
    folder = BUILD / "gcov"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.gz"):
        old.unlink()
    data = sorted((BUILD / "CMakeFiles/core.dir/proxy/core").glob("*.gcda"))
    subprocess.run(["gcov", "-b", "-j", *data], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    for report in sorted(folder.glob("*.gz")):
        for file in json.loads(gzip.decompress(report.read_bytes()))["files"]:
            if file["file"].endswith(".c") and "/core/" in file["file"]:
                yield file["file"], file["lines"]


def count(path, lines):
    """Returns how many branches were taken, how many there are, and the lines with one that was not."""
    source = pathlib.Path(path).read_text().split("\n")
    taken, total, missed = 0, 0, []
    for line in lines:
        if "assert(" in source[line["line_number"] - 1]:
            continue
        counts = [branch["count"] > 0 for branch in line["branches"]]
        taken, total = taken + sum(counts), total + len(counts)
        if not all(counts):
            missed.append(str(line["line_number"]))
    return taken, total, missed


def main():
    programs = build()
    for old in (BUILD / "CMakeFiles/core.dir/proxy/core").glob("*.gcda"):
        old.unlink()
    for program in programs:
        run(*program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    taken, total = 0, 0
    for path, lines in read_gcov():
        file_taken, file_total, missed = count(path, lines)
        taken, total = taken + file_taken, total + file_total
        print(f"{pathlib.Path(path).name:18} {file_taken:4} of {file_total:4}  {' '.join(missed)}")
    percent = 100 * taken / total
    print(f"branches of core/: {taken} of {total}, {percent:.1f} %; wanted {PERCENT_MIN} %")
    failed = percent < PERCENT_MIN
    print(f"{int(not failed)} passed, {int(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
