#!/usr/bin/env python3
"""Gives every block of YAML in README.md to `outrigger check --no-files --strict`: what users copy must be
right. A block that is damaged on purpose must be refused."""

import pathlib
import re
import subprocess
import sys
import tempfile

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def check(binary, text):
    """(exit code, output) of the command for one file."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "outrigger.yaml")
        file.write_text(text)
        result = subprocess.run([binary, "check", "--no-files", "--strict", "-c", file], text=True, capture_output=True, check=False, timeout=30)
        return result.returncode, result.stdout + result.stderr


def main():
    binary = sys.argv[1]
    blocks = BLOCK.findall(README.read_text())
    bad = 0 if len(blocks) > 2 else 1
    for block in blocks:
        code, output = check(binary, block)
        if code:
            bad += 1
            print(f"exit {code}: {output}{block}")
        if check(binary, block + "no_such_key: 1\n")[0] != 1:
            bad += 1
            print(f"not refused with one key more:\n{block}")
    print(f"{len(blocks)} blocks, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
