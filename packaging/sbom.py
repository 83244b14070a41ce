#!/usr/bin/env python3
"""Prints the software bill of materials (SPDX 2.3, JSON) of an image's root: our version, and for each other file the Debian
package that it comes from, with version, licence and checksums. Asks dpkg of the system that the files were copied from.
SOURCE_DATE_EPOCH is the time of creation. Usage: sbom.py ROOT VERSION"""

import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

OURS = "outrigger"
# Files that dpkg does not know: written when their package was installed.
WRITTEN_BY = {"/etc/ssl/certs/ca-certificates.crt": "ca-certificates"}
COMMON = "/usr/share/common-licenses/"
# Debian's short names of licences, as SPDX calls them.
SPDX = {"apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "expat": "MIT", "mit": "MIT",
        "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later", "gpl-3": "GPL-3.0-only", "gpl-3+": "GPL-3.0-or-later",
        "isc": "ISC", "lgpl-2+": "LGPL-2.0-or-later", "lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later",
        "lgpl-3+": "LGPL-3.0-or-later", "mpl-2.0": "MPL-2.0", "zlib": "Zlib"}


def query(*args):
    return subprocess.run(["dpkg-query", *args], text=True, capture_output=True, check=False).stdout


def owners(paths):
    """Path to package. dpkg knows libraries by their place below /usr, whatever link leads there."""
    known = {}
    for line in query("-S", *paths, *("/usr" + path for path in paths)).splitlines():
        names, _, path = line.partition(": ")
        if not names.startswith("diversion "):
            known[path] = names.split(",")[0].split(":")[0]
    return {path: WRITTEN_BY.get(path) or known.get(path) or known.get("/usr" + path) for path in paths}


def licences(text):
    """(of the package as a whole, of all its parts) in the short names of a machine-readable copyright file; "" without one."""
    whole, parts = "", set()
    if not text.startswith("Format:"):
        return whole, parts
    for paragraph in re.split(r"\n\s*\n", text):
        name = re.search(r"^License:[ \t]*(\S.*)$", paragraph, re.M)
        if name and re.search(r"^Files:", paragraph, re.M):
            parts.add(name[1].strip())
            if re.search(r"^Files:\s*\*\s*$", paragraph, re.M):
                whole = name[1].strip()
    return whole, parts


def expression(whole):
    """What SPDX writes for it; None when one of its names has no place in SPDX."""
    words = [word if word in ("or", "and") else SPDX.get(word.lower(), "") for word in whole.split()]
    return " ".join(word.upper() if word in ("or", "and") else word for word in words) if words and all(words) else None


def sha(path, kind):
    return hashlib.new(kind, path.read_bytes()).hexdigest()


def file_entry(root, path):
    name = re.sub(r"[^A-Za-z0-9.]", "-", path.strip("/"))
    return {"fileName": "." + path, "SPDXID": "SPDXRef-File-" + name, "copyrightText": "NOASSERTION", "licenseConcluded": "NOASSERTION",
            "checksums": [{"algorithm": kind.upper(), "checksumValue": sha(root / path[1:], kind)} for kind in ("sha1", "sha256")]}


def verification_code(files):
    sums = sorted(file["checksums"][0]["checksumValue"] for file in files)
    return hashlib.sha1("".join(sums).encode()).hexdigest()


def package_entry(name, version, licence, files, more):
    return {"name": name, "SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.]", "-", name), "versionInfo": version,
            "downloadLocation": "NOASSERTION", "licenseConcluded": "NOASSERTION", "licenseDeclared": licence,
            "copyrightText": "NOASSERTION", "filesAnalyzed": True,
            "packageVerificationCode": {"packageVerificationCodeValue": verification_code(files)}, **more}


def debian_entry(name, files):
    """The entry, and the text of its licence where that has no name in SPDX."""
    version, arch, source = query("-W", "-f", "${Version}\t${Architecture}\t${source:Package}@${source:Version}\n", name).splitlines()[0].split("\t")
    place = f"/usr/share/doc/{name}/copyright"
    text = Path(place).read_text(encoding="utf-8", errors="replace")
    whole, parts = licences(text)
    licence, extracted = expression(whole), None
    if not licence:
        licence = "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]", "-", name)
        extracted = {"licenseId": licence, "name": whole or f"the copyright file of {name}", "extractedText": text}
    comment = f"{place} of the image" + (f"; its parts: {', '.join(sorted(parts))}" if parts else "")
    more = {"supplier": "Organization: Debian", "sourceInfo": f"built by Debian from {source}", "licenseComments": comment,
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={arch}"}]}
    return package_entry(name, version, licence, files, more), extracted


def by_package(root):
    """Package to the entries of its files; everything in the image belongs somewhere."""
    paths = sorted("/" + str(file.relative_to(root)) for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    found = {}
    for path, owner in owners(paths).items():
        if path == "/usr/bin/outrigger" or path.startswith("/usr/share/doc/outrigger/"):
            owner = OURS
        elif not owner and path.startswith(COMMON):
            owner = "base-files"
        if not owner:
            sys.exit(f"sbom.py: no package knows {path}")
        found.setdefault(owner, []).append(file_entry(root, path))
    return found


def document(name, version, packages, files, texts):
    """The whole text. `packages` are pairs of an entry and the entries of its files, the one that is described first."""
    created = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    entries, first = [entry for entry, _ in packages], packages[0][0]["SPDXID"]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", first)]
    relations += [(first, "DEPENDS_ON", entry["SPDXID"]) for entry in entries[1:]]
    relations += [(entry["SPDXID"], "CONTAINS", file["SPDXID"]) for entry, its in packages for file in its]
    content = hashlib.sha256(json.dumps([entries, files]).encode()).hexdigest()
    return json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{name}-{version}",
        "documentNamespace": f"https://example.org/{name}/spdx/{version}-{content[:32]}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": [f"Tool: outrigger-sbom-{version}"]},
        "packages": entries, "files": files, "hasExtractedLicensingInfos": texts,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations]}, indent=1)


def main():
    root, version = Path(sys.argv[1]), sys.argv[2]
    files, packages, texts = by_package(root), [], []
    for name in sorted(files, key=lambda name: (name != OURS, name)):
        if name == OURS:
            entry, text = package_entry(OURS, version, "Apache-2.0", files[name], {"supplier": "NOASSERTION"}), None
        else:
            entry, text = debian_entry(name, files[name])
        packages.append((entry, files[name]))
        texts += [text] if text else []
    print(document(OURS, version, packages, [file for _, its in packages for file in its], texts))


if __name__ == "__main__":
    main()
