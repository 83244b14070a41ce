"""Instructions that one unary call takes in user space, counted by callgrind: a run of N calls and a run of 2N differ by
N calls exactly, so start, handshake and end cancel out. In the real binary, one stream at a time on one connection; and
in bench_codec, the HTTP/2 work of the proxy alone, with 1 and with 32 calls a turn.

The figures depend on compiler and libraries, therefore instructions.txt keeps them for each system."""

import os
import platform
import re
import subprocess
import tempfile

from world import World, say

STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.txt")
TOLERANCE = 0.02
# name: (mode, over mTLS)
PATHS = {"clear": ("in", False), "mtls": ("term", True)}
# name: calls a turn
CODECS = {"codec1": 1, "codec32": 32}


def system():
    """What the figure depends on, for example debian-12-x86_64."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', '0')}-{platform.machine()}"


def total(tools, mode, tls, calls, keep=None):
    """Instructions of the whole life of a proxy that carried so many calls."""
    with World(tools) as world:
        out = keep or world.note("callgrind")
        wrap = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"]
        process, port = world.proxy("outrigger", mode, world.echo([]), wrap=wrap, options=["--single", "--sandbox=off"])  # valgrind makes calls of its own
        load = world.load(port, "--serial", "--calls", calls, "--timeout", 60000000,
                          *(world.client_tls() if tls else []))
        if load.report()["ok"] != calls:
            raise RuntimeError(f"calls were lost under callgrind ({mode})")
        load.process.wait(30)
        world.stop(process, 60)
        return read_total(out)


def read_total(path):
    """The sum of a callgrind file."""
    found = re.search(r"^(?:totals|summary): (\d+)", open(path).read(), re.MULTILINE)
    if not found:
        raise RuntimeError(f"no total in {path}")
    return int(found.group(1))


def per_call(tools, name, calls, keep=None):
    mode, tls = PATHS[name]
    few = total(tools, mode, tls, calls)
    return (total(tools, mode, tls, 2 * calls, keep) - few) / calls


def codec_total(tools, turns, streams):
    """Instructions inside bench_codec's proxy_turn over so many turns."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out.name}",
                        "--toggle-collect=proxy_turn*", tools.codec, str(turns), str(streams)],
                       check=True, capture_output=True)
        return read_total(out.name)


def codec_per_call(tools, streams, turns=200):
    return (codec_total(tools, 2 * turns, streams) - codec_total(tools, turns, streams)) / turns / streams


def stored():
    """{(system, path): instructions} of instructions.txt."""
    found = {}
    if os.path.exists(STORED):
        for line in open(STORED):
            if line.strip() and not line.startswith("#"):
                where, name, value = line.split()
                found[where, name] = int(value)
    return found


def measure(tools, calls=2000, keep=None):
    """{path: instructions a call}; tells each as it comes. `keep` names a file for callgrind_annotate (clear path)."""
    result = {}
    for name in [*CODECS, *PATHS]:
        if name in CODECS:
            result[name] = codec_per_call(tools, CODECS[name])
        else:
            result[name] = per_call(tools, name, calls, keep if name == "clear" else None)
        known = stored().get((system(), name))
        change = f"{result[name] / known - 1:+.2%} against {known}" if known else "none is stored for this system"
        say(f"instructions per call, {name}: {result[name]:.0f} ({change})")
    return result


def judge(figures):
    """What is off by more than the tolerance, either way: a gain is stored too, or it is lost again unseen."""
    bad, known = [], stored()
    for name, value in figures.items():
        want = known.get((system(), name))
        if want and abs(value / want - 1) > TOLERANCE:
            bad.append(f"instructions per call, {name}: {value:.0f}, stored {want} +- {TOLERANCE:.0%}")
    return bad


def store(figures):
    """Writes the figures of this system into instructions.txt, leaving others'."""
    known = stored()
    known.update({(system(), name): round(value) for name, value in figures.items()})
    with open(STORED, "w") as f:
        f.write("# Instructions per unary call: system, path, figure. Written by `scripts/bench --instructions --store`.\n")
        f.writelines(f"{where} {name} {value}\n" for (where, name), value in sorted(known.items()))
