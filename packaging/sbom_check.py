#!/usr/bin/env python3
"""Compares the software bill of materials of an image with the root that it describes: every file has its entry and checksum and
belongs to one package with a version and a licence, and there is nothing else in it. Usage: sbom_check.py ROOT SBOM"""

import hashlib
import json
import os
import sys
from pathlib import Path


def found_in(root, sbom):
    """Name to SHA-256 of every file but the list itself."""
    inside = {"./" + str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file() and not file.is_symlink()}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in inside.items() if not file.name == os.path.basename(sbom)}


def listed_in(document):
    return {file["fileName"]: next(sum["checksumValue"] for sum in file["checksums"] if sum["algorithm"] == "SHA256")
            for file in document["files"]}


def main():
    root, sbom = Path(sys.argv[1]), sys.argv[2]
    document = json.loads(Path(sbom).read_text(encoding="utf-8"))
    found, listed = found_in(root, sbom), listed_in(document)
    wrong = [f"not listed: {name}" for name in sorted(set(found) - set(listed))]
    wrong += [f"not there: {name}" for name in sorted(set(listed) - set(found))]
    wrong += [f"another checksum: {name}" for name in sorted(set(found) & set(listed)) if found[name] != listed[name]]
    packages = {package["SPDXID"]: package for package in document["packages"]}
    owners = {}
    for relation in document["relationships"]:
        if relation["relationshipType"] == "CONTAINS":
            owners.setdefault(relation["relatedSpdxElement"], []).append(packages[relation["spdxElementId"]])
    for file in document["files"]:
        its = owners.get(file["SPDXID"], [])
        if len(its) != 1 or not its[0]["versionInfo"] or its[0]["licenseDeclared"] in ("", "NOASSERTION"):
            wrong.append(f"without one package that has a version and a licence: {file['fileName']}")
    print("\n".join(wrong) or f"{len(listed)} files of {len(packages)} packages")
    return 1 if wrong or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
