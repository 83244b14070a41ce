"""Shows that bench_load calls a call good only when it is: each row is a backend and what the report must say of it.
usage: selftest.py FOLDER-OF-TOOLS"""

import sys

from world import Tools, World

# Options of bench_echo hold for all later ports, so every row begins with these.
DEFAULTS = "--delay 0 --stream 1 --size 0 --status 0 --trailers 1 --early 0".split()

# what it shows, options of bench_echo, options of bench_load, outcome of all 50 calls
ROWS = [
    ("a good call", [], [], "ok"),
    ("an empty message", [], ["--payload", 0], "ok"),
    ("a large message", [], ["--payload", 300000], "ok"),
    ("three messages", ["--stream", 3, "--size", 1000], ["--expect", 1000, "--replies", 3], "ok"),
    ("early headers", ["--early", 1], [], "ok"),
    ("a gRPC status", ["--status", 14], [], "grpc_status"),
    ("no trailers", ["--trailers", 0], [], "no_trailers"),
    ("a message too many", ["--stream", 2], [], "body"),
    ("a message too few", [], ["--replies", 2], "body"),
    ("another message", ["--size", 100], [], "body"),
    ("no answer in time", ["--delay", 5000], ["--grace", 200], "lost"),
]
TLS_ROWS = [
    ("mutual TLS", True, [], 0),
    ("a client without a certificate", False, [], 3),
    ("a server of another name", True, ["--name", "elsewhere"], 3),
]


def judged(world, port, options):
    """Exit code and report of a short run."""
    load = world.load(port, "--closed", "--calls", 50, *options)
    line = load.process.stdout.readline()
    load.process.wait(30)
    return load.process.returncode, line


def calls_are_judged(world):
    ports = world.echo(*[DEFAULTS + list(map(str, echo)) for _, echo, _, _ in ROWS])
    failed = []
    for (name, _, options, outcome), port in zip(ROWS, ports):
        code, line = judged(world, port, options)
        wanted = '"ok": 50' if outcome == "ok" else f'"errors": {{"{outcome}": 50}}'
        if wanted not in line or code != (0 if outcome == "ok" else 1):
            failed.append(f"{name}: wanted {wanted}, got {code} {line}")
    return failed


def peers_are_verified(world):
    port, = world.echo(["--cert", world.path("b.crt"), "--key", world.path("b.key"), "--trust", world.path("ca.crt")])
    failed = []
    for name, certificate, options, wanted in TLS_ROWS:
        tls = world.client_tls() if certificate else world.client_tls()[:2]
        code, line = judged(world, port, [*tls, *options])
        if code != wanted:
            failed.append(f"{name}: wanted exit {wanted}, got {code} {line}")
    return failed


def latency_counts_from_the_intended_time(world):
    """100 calls at 200/s through one stream of 20 ms: the last waits about 1.5 s, whenever it was really sent."""
    port, = world.echo(["--delay", "20"])
    load = world.load(port, "--connections", 1, "--streams", 1, "--rate", 200, "--calls", 100)
    report = load.report()
    return [] if report["max_us"] > 1400000 and report["p50_us"] > 600000 else [f"queueing is not seen: {report}"]


def main():
    failed = []
    for test in (calls_are_judged, peers_are_verified, latency_counts_from_the_intended_time):
        with World(Tools(None, sys.argv[1])) as world:
            failed += test(world)
    print("\n".join(failed) or "all as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
