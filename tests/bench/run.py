"""The measurements of scripts/bench: what a call, a connection and a stream cost in Outrigger, beside other proxies when
asked. Placement, meaning and limits of the figures: README.md in this folder."""

import argparse
import json
import statistics
import sys
import time

import gauge
import instructions
from world import LOAD_CPU, PEERS, PROXY_CPU, Tools, World, say, warn

# Bars of the gate; slack is for calls that fall outside the window.
SYSCALLS_MAX = {"read": 2, "write": 2, "epoll": 2}
SYSCALLS_SLACK = 1.02
IDLE_BYTES_MAX, STREAM_BYTES_MAX = 32 * 1024, 2 * 1024

# name: (modes from the backend outwards, backends, load options, calls a second: closed loop if 0)
SCENES = {
    "unary": (["in"], 1, ["--connections", 10, "--streams", 10], 8000),
    "lb3": (["lb"], 3, ["--connections", 10, "--streams", 10], 8000),
    "mtls": (["term", "out"], 1, ["--connections", 10, "--streams", 10], 6000),
    "packed": (["in"], 1, ["--connections", 10, "--streams", 10], 0),
    "serial": (["in"], 1, ["--connections", 1, "--streams", 1], 0),
}


class Subject:
    """One peer in one scene: its processes and a load generator on warm connections."""

    def __init__(self, world, peer, scene, backends, calls):
        modes, _, options, rate = SCENES[scene]
        self.processes, port = [], backends[0]
        targets = backends
        for mode in modes if peer != "direct" else []:
            process, port = world.proxy(peer, mode, targets)
            self.processes.append(process)
            targets = [port]
        pace = ["--rate", rate] if rate else ["--closed"]
        self.calls, self.rows = calls, []
        self.load = world.load(port, *options, *pace, "--calls", calls, "--rounds", 1000)
        self.load.report()

    def pids(self):
        return [p.pid for p in self.processes]

    def round(self):
        before, stolen = gauge.cpu_seconds(self.pids()), gauge.steal_seconds()
        self.load.again()
        row = self.load.report()
        row["cpu_us"] = (gauge.cpu_seconds(self.pids()) - before) * 1e6 / self.calls
        row["memory"] = gauge.private_bytes(self.pids())
        row["steal"] = (gauge.steal_seconds() - stolen) / max(row["seconds"], 0.01)
        row["lost"] = self.calls - row["ok"]
        self.rows.append(row)

    def summary(self):
        keys = ("cpu_us", "p50_us", "p99_us", "p999_us", "rate", "memory", "steal", "client_cpu_us_per_call")
        result = {key: statistics.median(row[key] for row in self.rows) for key in keys}
        result["lost"] = sum(row["lost"] for row in self.rows)
        result["errors"] = [row["errors"] for row in self.rows if row["errors"]]
        return result


def run_scene(tools, scene, peers, rounds, seconds):
    """All peers in one scene, round by round in turn, so that drift hits all alike."""
    _, count, _, rate = SCENES[scene]
    calls = int(rate * seconds) if rate else {"packed": 40000, "serial": 6000}[scene]
    with World(tools) as world:
        backends = world.echo(*[[] for _ in range(count)])
        subjects = {}
        for peer in peers:
            try:
                subjects[peer] = Subject(world, peer, scene, backends, calls)
            except (RuntimeError, OSError) as error:
                warn(f"{scene} {peer}: {error}")
        for _ in range(rounds):
            for subject in subjects.values():
                subject.round()
        return {peer: subject.summary() for peer, subject in subjects.items()}


def show_scene(scene, results):
    """A line a peer; ratios are against nghttpx, added latency against direct, both of this very run."""
    base, direct = results.get("nghttpx"), results.get("direct")
    for peer, r in results.items():
        text = f"{scene:7} {peer:10} cpu/call {r['cpu_us']:7.2f} us"
        if base and base["cpu_us"]:
            text += f" ({r['cpu_us'] / base['cpu_us']:5.2f} x nghttpx)"
        text += f"  p50 {r['p50_us']:7.0f} p99 {r['p99_us']:7.0f} p99.9 {r['p999_us']:7.0f} us"
        if direct and peer != "direct":
            text += f"  added p50 {r['p50_us'] - direct['p50_us']:+6.0f} p99 {r['p99_us'] - direct['p99_us']:+6.0f}"
        say(f"{text}  mem {r['memory'] / 2**20:5.1f} MiB  lost {r['lost']}" +
            (f"  steal {r['steal']:.0%}: discard" if r["steal"] > 0.05 else ""))


def syscalls_per_call(tools, mode, *options, calls=2000):
    """System calls of one call on warm connections; what runs without calls is taken off."""
    with World(tools) as world:
        process, port = world.proxy("outrigger", mode, world.echo([]))
        tls = world.client_tls() if mode == "term" else []
        load = world.load(port, *options, "--calls", calls, "--rounds", 2, *tls)
        load.report()
        strace = gauge.Strace(process.pid, world.note("strace"))
        begun = time.monotonic()
        load.again()
        lost = calls - load.report()["ok"]
        took = time.monotonic() - begun
        busy = gauge.by_kind(strace.end())
        strace = gauge.Strace(process.pid, world.note("strace"))
        time.sleep(took)
        idle = gauge.by_kind(strace.end())
        load.close()
    result = {kind: (busy[kind] - idle[kind]) / calls for kind in SYSCALLS_MAX}
    result["other"] = {name: count / calls for name, count in busy["other"].items() if count > calls / 100}
    result["lost"] = lost
    return result


def allocations_per_call(tools, mode, calls=10000):
    """Heap allocations in a window of warm calls, split into OpenSSL's and all others."""
    with World(tools) as world:
        counter = gauge.Allocations(tools, world.note("allocations"))
        process, port = world.proxy("outrigger", mode, world.echo([]), counter.environment)
        tls = world.client_tls() if mode == "term" else []
        load = world.load(port, "--closed", "--calls", calls, "--rounds", 3, *tls)
        load.report()
        load.again()
        load.report()
        before = counter.read()
        load.again()
        lost = calls - load.report()["ok"]
        after = counter.read()
        where, own = gauge.growth(process.pid, before, after)
        load.close()
    worst = sorted(where.items(), key=lambda item: -item[1])[:20]
    return {"calls": calls, "own": own, "all": after["total"] - before["total"], "where": dict(worst), "lost": lost}


def idle_bytes(tools, few=200, many=1000):
    """Private memory of one more idle mTLS connection that has carried a call."""
    with World(tools) as world:
        process, port = world.proxy("outrigger", "term", world.echo([]))
        loads, sizes = [], []
        for count in (few, many - few):
            load = world.load(port, "--idle", count, *world.client_tls())
            load.report()
            loads.append(load)
            sizes.append(gauge.settled_bytes([process.pid], 3))
        for load in loads:
            load.close()
    return (sizes[1] - sizes[0]) / (many - few)


def stream_bytes(tools, mode, connections, few=2000, many=8000):
    """Private memory of one more open stream (headers both ways, no data), connections being equal."""
    sizes = []
    for count in (few, many):
        with World(tools) as world:
            backends = world.echo(["--early", "1"])
            process, port = world.proxy("outrigger", mode, backends,
                                        policy="limits: { max_requests: 100000, max_pending: 100000 }")
            load = world.load(port, "--hold", count, "--connections", connections, "--streams", 1000, "--timeout", 0)
            load.report()
            sizes.append(gauge.settled_bytes([process.pid], 1))
            load.close()
    return (sizes[1] - sizes[0]) / (many - few)


def run_gauges(tools):
    """Everything that is not a time: repeatable, and what the gate judges."""
    result = {}

    def note(name, function, *arguments):
        try:
            result[name] = function(tools, *arguments)
        except (RuntimeError, OSError) as error:
            warn(f"{name}: {error}")
            result[name] = None

    note("syscalls_clear", syscalls_per_call, "in", "--serial")
    note("syscalls_mtls", syscalls_per_call, "term", "--serial")
    note("syscalls_packed", syscalls_per_call, "in", "--closed")
    note("allocations_clear", allocations_per_call, "in")
    note("allocations_mtls", allocations_per_call, "term")
    note("idle_mtls_bytes", idle_bytes)
    note("stream_bytes_inbound", stream_bytes, "in", 80)
    note("stream_bytes_outbound", stream_bytes, "lb", 8)
    return result


def show_gauges(g):
    for name in ("clear", "mtls", "packed"):
        s = g[f"syscalls_{name}"]
        if s:
            other = ", ".join(f"{name} {count:.2f}" for name, count in s["other"].items())
            say(f"syscalls per call, {name}: read {s['read']:.3f}  write {s['write']:.3f}  epoll {s['epoll']:.3f}"
                f"  others: {other or 'none'}")
    for name in ("clear", "mtls"):
        a = g[f"allocations_{name}"]
        if a:
            say(f"allocations per call, {name}: own {a['own'] / a['calls']:.4f}, all {a['all'] / a['calls']:.4f}")
            for place, count in a["where"].items():
                say(f"    {count / a['calls']:9.4f}  {place}")
    for name, what in (("idle_mtls_bytes", "idle mTLS connection"), ("stream_bytes_inbound", "open stream, inbound"),
                       ("stream_bytes_outbound", "open stream, outbound")):
        if g[name] is not None:
            say(f"private memory per {what}: {g[name]:.0f} bytes")


def judge(scenes, g):
    """What does not hold, as lines."""
    bad = [f"{name}: could not be measured" for name, value in g.items() if value is None]
    for name in ("syscalls_clear", "syscalls_mtls"):
        bad += [f"{name}: {kind} {g[name][kind]:.3f} per call, at most {most}"
                for kind, most in SYSCALLS_MAX.items() if g[name] and g[name][kind] > most * SYSCALLS_SLACK]
    for name in ("allocations_clear", "allocations_mtls"):
        if g[name] and g[name]["own"] > 0:
            bad.append(f"{name}: {g[name]['own']} in {g[name]['calls']} calls, must be 0")
    for name, most in (("idle_mtls_bytes", IDLE_BYTES_MAX), ("stream_bytes_inbound", STREAM_BYTES_MAX),
                       ("stream_bytes_outbound", STREAM_BYTES_MAX)):
        if g[name] is not None and g[name] > most:
            bad.append(f"{name}: {g[name]:.0f}, at most {most}")
    lost = {name: value["lost"] for name, value in g.items() if isinstance(value, dict)}
    lost |= {f"{scene} {peer}": peers[peer]["lost"] for scene, peers in scenes.items()
             for peer in ("outrigger", "policies") if peer in peers}
    return bad + [f"{name}: {count} calls lost" for name, count in lost.items() if count]


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also nghttpx, haproxy, and a plain relay of bytes")
    parser.add_argument("--policies", action="store_true", help="also Outrigger with every policy on")
    parser.add_argument("--only", help="the proxies of the timed part, for example direct,outrigger,nghttpx")
    parser.add_argument("--scenes", default=",".join(SCENES), help="timed scenes (default: %(default)s); none: skip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="length of a round at a fixed rate")
    parser.add_argument("--no-gauges", action="store_true", help="only the timed part")
    parser.add_argument("--instructions", action="store_true", help="also count instructions per call with callgrind")
    parser.add_argument("--store", action="store_true", help="with --instructions: keep the counts as the new bar")
    parser.add_argument("--callgrind", metavar="FILE", help="with --instructions: leave callgrind's output there")
    parser.add_argument("--gate", action="store_true", help="exit 1 when a figure that is not a time misses its bar")
    parser.add_argument("--json", metavar="FILE", help="also write everything there")
    parser.add_argument("--proxy", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only is None:
        arguments.only = "direct,outrigger" + (",policies" if arguments.policies else "") + (",nghttpx,haproxy,relay" if arguments.peers else "")
    unknown = set(arguments.only.split(",")) - set(PEERS) - {"direct"}
    scenes = [] if arguments.scenes == "none" else arguments.scenes.split(",")
    if unknown or set(scenes) - set(SCENES):
        parser.error(f"unknown: {', '.join(unknown | (set(scenes) - set(SCENES)))}")
    return arguments, scenes


def main():
    arguments, scenes = parse()
    tools = Tools(arguments.proxy, arguments.tools)
    say(f"proxy on CPU {PROXY_CPU}, load and backend on CPU {LOAD_CPU}; only ratios within this run mean anything")
    timed = {}
    for scene in scenes:
        timed[scene] = run_scene(tools, scene, arguments.only.split(","), arguments.rounds, arguments.seconds)
        show_scene(scene, timed[scene])
    gauges, counted, bad = None, None, []
    if not arguments.no_gauges:
        gauges = run_gauges(tools)
        show_gauges(gauges)
        bad = judge(timed, gauges)
    if arguments.instructions:
        counted = instructions.measure(tools, keep=arguments.callgrind)
        if arguments.store:
            instructions.store(counted)
        bad += instructions.judge(counted)
    for line in bad:
        say(f"MISSED {line}")
    if arguments.json:
        with open(arguments.json, "w") as f:
            json.dump({"scenes": timed, "gauges": gauges, "instructions": counted, "missed": bad}, f, indent=1)
    return 1 if arguments.gate and bad else 0


if __name__ == "__main__":
    sys.exit(main())
