#!/usr/bin/env python3
"""Measures how many lines of each parser its corpus alone reaches, with gcov, in a build of its own: each target runs over
tests/fuzz/corpus and PERCENT_MIN of the lines of each file behind it must be reached. `reach.py [--missed] [TARGET...]`; the
last line is "N passed, N failed"."""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "coverage"
PERCENT_MIN = 80

# The parsers behind each target. Files that only print or write are not among them.
PARSERS = {
    "address": ["base/address.c"],
    "certificate": ["net/client_cert.c", "net/tls_peer.c"],
    "conf": ["conf/yaml.c", "conf/substitute.c", "conf/tree.c", "conf/value.c", "conf/schema.c"],
    "descriptors": ["conf/descriptors.c"],
    "endpoint_slices": ["discovery/endpoint_slice.c", "discovery/kubernetes.c", "discovery/kubernetes_members.c"],
    "endpoints_file": ["conf/endpoints_file.c"],
    "grpc": ["h2/grpc.c", "h2/grpc_check.c", "core/deadline.c"],
    "hpack": ["h2/hpack_check.c", "h2/hpack_decode.c", "h2/hpack_table.c", "h2/huffman.c"],
    "manifest": ["conf/manifest.c", "inject/splice.c"],
    "pem": ["net/tls_material.c"],
    "proxy": [],  # what lies between the parsers: the simulator and the scenarios reach that
    "resolv_conf": ["net/resolv_conf.c"],
    "review": ["inject/review.c"],
    "session_bounds": ["h2/session.c", "h2/session_frames.c", "h2/session_block.c", "h2/session_bounds.c"],
    "session_client": ["h2/session.c", "h2/session_frames.c", "h2/session_block.c", "h2/session_bounds.c"],
    "session_server": ["h2/session.c", "h2/session_frames.c", "h2/session_block.c", "h2/session_bounds.c"],
    "spiffe": ["base/spiffe.c"],
    "srv": ["net/srv.c"],
    "workload": ["h2/workload.c", "net/tls_der.c"],
}

# Targets that reach sides of the same files: what any of them reaches counts.
SIDES = {"session_bounds": "session", "session_client": "session", "session_server": "session"}


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


def build(targets):
    flags = "-DCMAKE_C_FLAGS=--coverage -O1 -fprofile-update=atomic"
    run("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DOUTRIGGER_TESTS=ON", flags)
    run("cmake", "--build", BUILD, "-j", os.cpu_count() or 1, "--target", *[f"fuzz_{target}" for target in targets])


def object_of(path):
    return BUILD / "CMakeFiles" / f"{path.split('/')[0]}.dir" / "proxy" / f"{path}.gcda"


def read_gcov(path):
    """{line: whether it was reached} of the lines that count."""
    data = object_of(path)
    if not data.exists():
        return {}
    folder = BUILD / "gcov"
    folder.mkdir(exist_ok=True)
    run("gcov", "-j", data, cwd=folder, stdout=subprocess.DEVNULL)
    report = json.loads(gzip.decompress((folder / f"{data.stem}.gcov.json.gz").read_bytes()))
    lines = {}
    for file in report["files"]:
        if file["file"].endswith("/" + path):
            for line in file["lines"]:
                number = line["line_number"]
                lines[number] = lines.get(number, False) or line["count"] > 0
    return lines


def measure(target):
    """{path: lines} after the target has run over its corpus."""
    for path in PARSERS[target]:
        object_of(path).unlink(missing_ok=True)
    run(BUILD / "tests/fuzz" / f"fuzz_{target}", ROOT / "tests/fuzz/corpus" / target, stdout=subprocess.DEVNULL)
    return {path: read_gcov(path) for path in PARSERS[target]}


def unite(found):
    """{(name, path): lines}, the sides of the session as one."""
    rows = {}
    for target, files in found.items():
        for path, lines in files.items():
            row = rows.setdefault((SIDES.get(target, target), path), {})
            for number, reached in lines.items():
                row[number] = row.get(number, False) or reached
    return rows


def main():
    parser = argparse.ArgumentParser(description="measures the lines that the corpora reach")
    parser.add_argument("target", nargs="*", help="such as hpack; all without")
    parser.add_argument("--missed", action="store_true", help="the lines that are not reached too")
    args = parser.parse_args()
    known = {file.stem for file in (ROOT / "tests/fuzz").glob("*.c")} - {"run"}
    targets = args.target or sorted(known)
    build(targets)
    results = [f"{target} has no parsers in PARSERS" for target in targets if target not in PARSERS]
    rows = unite({target: measure(target) for target in targets if target in PARSERS})
    failed = len(results)
    for (name, path), lines in sorted(rows.items()):
        percent = 100 * sum(lines.values()) / len(lines) if lines else 0
        failed += percent < PERCENT_MIN
        missed = " ".join(str(number) for number, reached in sorted(lines.items()) if not reached)
        print(f"{name:16} {path:32} {sum(lines.values()):4} of {len(lines):4}  {percent:5.1f} %  {missed if args.missed else ''}".rstrip())
    for complaint in results:
        print(f"FAIL  {complaint}")
    print(f"wanted {PERCENT_MIN} % of the lines of each file")
    print(f"{len(rows) + len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
