#!/usr/bin/env python3
"""Puts the licences of the Go modules that the programs of an image consist of into its root, and prints the software bill of
materials (SPDX 2.3, JSON): the programs, and each module with version, sum and licence, as the programs themselves tell.
Usage: sbom_go.py ROOT MODULE_FOLDER NAME VERSION"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from sbom import document, file_entry, package_entry


def run(*args, folder="."):
    return subprocess.run(args, cwd=folder, text=True, capture_output=True, check=True).stdout


def modules(programs):
    """(path, version) of all that was linked in, the standard library too."""
    found = set()
    for program in programs:
        lines = run("go", "version", "-m", str(program)).splitlines()
        found.add(("std", lines[0].rsplit("go", 1)[1]))
        found |= {tuple(line.split("\t")[2:4]) for line in lines if line.startswith("\tdep\t")}
    return sorted(found)


def licence_files(folder):
    return [file for file in sorted(Path(folder).iterdir()) if re.match(r"(?i)(licen[cs]e|copying|notice)", file.name) and file.is_file()]


def licence_name(text):
    """What SPDX calls a text that says what it is."""
    if "Apache License" in text and "Version 2.0" in text:
        return "Apache-2.0"
    if "Redistribution and use in source and binary forms" in text:
        return "BSD-3-Clause" if "Neither the name" in text else "BSD-2-Clause"
    return "MIT" if "Permission is hereby granted, free of charge" in text else None


def module_folder(module, name):
    return run("go", "list", "-m", "-f", "{{.Dir}}", name, folder=module).strip()


def module_entry(root, module, name, version):
    """The entry, the entries of its licence files in the image, and the text of a licence that has no name in SPDX."""
    std = name == "std"
    source = run("go", "env", "GOROOT").strip() if std else module_folder(module, name)
    # Not every distribution of Go has its licence; that of the modules of its authors is the same text.
    texts = licence_files(source) or (licence_files(module_folder(module, "golang.org/x/sys")) if std else [])
    if not texts:
        sys.exit(f"sbom_go.py: {name} has no licence in {source}")
    place = root / "usr/share/doc" / name
    place.mkdir(parents=True, exist_ok=True)
    for file in texts:
        shutil.copyfile(file, place / file.name)
        (place / file.name).chmod(0o644)
    text = texts[0].read_text(encoding="utf-8", errors="replace")
    licence, extracted = licence_name(text), None
    if not licence:
        licence = "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]", "-", name)
        extracted = {"licenseId": licence, "name": f"the licence of {name}", "extractedText": text}
    files = [file_entry(root, "/" + str((place / file.name).relative_to(root))) for file in texts]
    purl = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:golang/{'stdlib' if std else name}@{version}"}
    return package_entry(name, version, licence, files, {"externalRefs": [purl]}), files, extracted


def main():
    root, module, name, version = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    programs = sorted(file for file in root.iterdir() if file.is_file())
    ours = [file_entry(root, "/" + str(file.relative_to(root))) for file in sorted(root.rglob("*")) if file.is_file()]
    packages, texts = [(package_entry(name, version, "Apache-2.0", ours, {}), ours)], []
    for path, its_version in modules(programs):
        entry, files, text = module_entry(root, module, path, its_version)
        packages.append((entry, files))
        texts += [text] if text else []
    print(document(name, version, packages, [file for _, its in packages for file in its], texts))


if __name__ == "__main__":
    main()
