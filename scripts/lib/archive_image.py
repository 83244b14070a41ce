#!/usr/bin/env python3
"""Packs a folder as a container image of one layer, in the format of `docker save`: no registry and no builder is needed.
usage: archive_image.py NAME:TAG FOLDER OUT.tar [--entrypoint PATH] [--user UID:GID]"""

import argparse
import hashlib
import io
import json
import platform
import tarfile

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer_of(folder):
    """The folder as a tar whose bytes depend on names, modes and contents alone."""

    def plain(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, arcname=".", filter=plain)
    return out.getvalue()


def add(tar, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--entrypoint")
    parser.add_argument("--user", default="")
    args = parser.parse_args()
    layer = layer_of(args.folder)
    config = {"User": args.user, "Env": ["PATH=/usr/bin:/bin"], "WorkingDir": "/"}
    if args.entrypoint:
        config["Entrypoint"] = [args.entrypoint]
    diff = "sha256:" + hashlib.sha256(layer).hexdigest()
    image = {"architecture": MACHINES[platform.machine()], "os": "linux", "config": config,
             "rootfs": {"type": "layers", "diff_ids": [diff]}}
    text = json.dumps(image).encode()
    file = hashlib.sha256(text).hexdigest() + ".json"
    with tarfile.open(args.out, "w") as tar:
        add(tar, "layer.tar", layer)
        add(tar, file, text)
        add(tar, "manifest.json", json.dumps([{"Config": file, "RepoTags": [args.name], "Layers": ["layer.tar"]}]).encode())


if __name__ == "__main__":
    main()
