"""The processes that a measurement needs: certificates, the echo backend, proxies, the load generator. Knows how to start
and end them and where they run; what is measured, and how, is in gauge.py and run.py."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROXY_CPU, LOAD_CPU = 0, 1
AGENT = {"a": "spiffe://bench.local/ns/default/sa/a", "b": "spiffe://bench.local/ns/default/sa/b"}


class Tools:
    """Where the binaries are."""

    def __init__(self, proxy, folder):
        self.proxy = proxy
        self.echo = os.path.join(folder, "bench_echo")
        self.load = os.path.join(folder, "bench_load")
        self.codec = os.path.join(folder, "bench_codec")
        self.allocations = os.path.join(folder, "bench_allocations.so")


def pinned(cpu, argv):
    """The command, bound to a CPU when this machine has it."""
    return ["taskset", "-c", str(cpu)] + argv if cpu < (os.cpu_count() or 1) else argv


def free_port():
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    """A temporary folder and everything started in it; ends all of it on exit."""

    def __init__(self, tools):
        self.tools = tools
        self.folder = tempfile.mkdtemp(prefix="outrigger-bench-")
        self.notes = os.path.join(self.folder, "notes")
        os.mkdir(self.notes)
        self.running = []
        self._certificates()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for process in list(self.running):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        """A file that proxies read: certificates, configuration. They watch this folder."""
        return os.path.join(self.folder, name)

    def note(self, name):
        """A file written while proxies run, apart from what they watch."""
        return os.path.join(self.notes, name)

    def _openssl(self, *argv):
        subprocess.run(["openssl", *argv], cwd=self.folder, check=True, capture_output=True)

    def _certificates(self):
        """A root and two leaves, a and b, P-256."""
        for name in ("ca", "a", "b"):
            self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        self._openssl("req", "-x509", "-new", "-key", "ca.key", "-days", "2", "-subj", "/CN=bench", "-out", "ca.crt")
        for name, uri in AGENT.items():
            with open(self.path(f"{name}.ext"), "w") as f:
                f.write(f"subjectAltName=DNS:localhost,URI:{uri}\nextendedKeyUsage=serverAuth,clientAuth\n")
            self._openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
            self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                          "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
            with open(self.path(f"{name}.pem"), "w") as f:
                f.write(open(self.path(f"{name}.crt")).read() + open(self.path(f"{name}.key")).read())

    def start(self, argv, cpu, environment=None, **streams):
        """Starts a command in a session of its own; its stderr goes to a log that stop() leaves readable."""
        log = open(self.note(f"log{time.monotonic_ns()}"), "w+")
        streams.setdefault("stdout", log)
        process = subprocess.Popen(pinned(cpu, argv), cwd=self.folder, stderr=log, start_new_session=True,
                                   env={**os.environ, **(environment or {})}, **streams)
        process.log = log
        self.running.append(process)
        return process

    def stop(self, process, wait=3):
        """TERM, then KILL, for the whole session of the process."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(wait)
                break
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                process.wait()
                break
        if process in self.running:
            self.running.remove(process)

    def complain(self, process, what):
        process.log.flush()
        process.log.seek(0)
        raise RuntimeError(f"{what}: {process.log.read()[-2000:]}")

    def wait_port(self, process, port, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                self.complain(process, f"ended with {process.returncode} before it listened")
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                time.sleep(0.02)
        self.complain(process, f"port {port} never opened")

    def echo(self, *options):
        """A backend for each list of options (see bench_echo --help), all in one process; their ports."""
        argv = [self.tools.echo]
        for group in options:
            argv += [*group, "--port", "0"]
        process = self.start(argv, LOAD_CPU, stdout=subprocess.PIPE, text=True)
        ports = [int(process.stdout.readline() or self.complain(process, "bench_echo")) for _ in options]
        return ports

    def proxy(self, peer, mode, backends, environment=None, policy=None, wrap=(), options=()):
        """Starts a peer, under the command `wrap` and with more options of its own; returns its process and port."""
        port = free_port()
        argv = [*wrap, *PEERS[peer](self, mode, port, backends, policy), *options]
        process = self.start(argv, PROXY_CPU, environment)
        self.wait_port(process, port, 60 if wrap else 15)
        return process, port

    def client_tls(self):
        return ["--trust", self.path("ca.crt"), "--cert", self.path("a.crt"), "--key", self.path("a.key")]

    def load(self, port, *options):
        return Load(self, port, options)


class Load:
    """A running bench_load; each report is one line of JSON."""

    def __init__(self, world, port, options):
        argv = [world.tools.load, "--to", f"127.0.0.1:{port}", *map(str, options)]
        self.world = world
        self.process = world.start(argv, LOAD_CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def report(self):
        """Waits for the next report."""
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.world.complain(self.process, "bench_load")
        return json.loads(line)

    def again(self):
        """Lets the next round begin."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        self.world.stop(self.process)


# ---- Peers. Each returns the command of a proxy that listens on `port`.
# Modes: in    h2c to h2c, one or several backends
#        out   h2c to mTLS, identity a
#        term  mTLS to h2c, identity b

LIMITS = "limits: { max_requests: 100000, max_pending: 100000 }"
EVERYTHING = (f'timeout: 5s, {LIMITS}, idempotent: ["bench.Echo/*"], '
              "retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 1s }, "
              "retry_budget: { max_tokens: 100, token_ratio: 0.2 }, circuit_breaker: { consecutive_failures: 5, "
              "failure_rate: { threshold: 50% }, slow_calls: { longer_than: 1s } }")


def outrigger(world, mode, port, backends, policy, balance=""):
    policy = policy or f"timeout: 5s, {LIMITS}"
    identity = lambda n: (f"identity: {{ certificate: {world.path(n + '.crt')}, private_key: {world.path(n + '.key')}, "
                          f"trust: {world.path('ca.crt')} }}\n")
    endpoints = ", ".join(f'"127.0.0.1:{b}"' for b in backends)
    service = lambda tls: (f'outbound:\n  - {{ listen: "127.0.0.1:{port}", routes: [ {{ service: b }} ] }}\n'
                           f"services:\n  b: {{ endpoints: {{ static: [{endpoints}] }}, tls: {tls}{balance}, policy: p }}\n")
    inbound = lambda tls: (f'inbound:\n  - {{ listen: "127.0.0.1:{port}", tls: {tls}, '
                           f'forward: "127.0.0.1:{backends[0]}", policy: p }}\n')
    if mode == "out":
        body = identity("a") + service(f'mutual, peer: {{ identity: "{AGENT["b"]}" }}')
    elif mode == "term":
        body = identity("b") + inbound("mutual")
    elif mode == "in":
        body = inbound("off")
    else:
        body = service("off")
    path = world.path(f"outrigger{port}.yaml")
    with open(path, "w") as f:
        f.write(f"version: 1\nworkers: 1\ndrain: {{ window: off }}\n{body}policies:\n  p: {{ {policy} }}\n")
    check = subprocess.run([world.tools.proxy, "check", "-c", path], capture_output=True, text=True)
    if check.returncode != 0:
        raise RuntimeError(f"outrigger check: {check.stdout}{check.stderr}")
    return [world.tools.proxy, "run", "-c", path]


def policies(world, mode, port, backends, policy):
    """Outrigger with every policy on that a call can meet."""
    return outrigger(world, mode, port, backends, policy or EVERYTHING, ", balance: peak_ewma")


def nghttpx(world, mode, port, backends, unused_policy):
    argv = ["nghttpx", "--conf=/dev/null", "--no-ocsp", "-n1", "--single-process", "--accesslog-file=/dev/null",
            "--errorlog-file=/dev/null", "--no-via", "--frontend-http2-max-concurrent-streams=10000",
            "--backend-http2-max-concurrent-streams=10000", "--no-http2-cipher-block-list"]
    argv += [f"-f127.0.0.1,{port}" + ("" if mode == "term" else ";no-tls")]
    tls = ";tls;sni=localhost" if mode == "out" else ""
    argv += [f"-b127.0.0.1,{b};;proto=h2{tls}" for b in backends]
    if mode == "out":
        argv += [f"--cacert={world.path('ca.crt')}", f"--client-cert-file={world.path('a.crt')}",
                 f"--client-private-key-file={world.path('a.key')}"]
    if mode == "term":
        argv += ["--verify-client", f"--verify-client-cacert={world.path('ca.crt')}", world.path("b.key"),
                 world.path("b.crt")]
    return argv


def haproxy(world, mode, port, backends, unused_policy):
    front = f"ssl crt {world.path('b.pem')} ca-file {world.path('ca.crt')} verify required alpn h2"
    back = (f"ssl crt {world.path('a.pem')} ca-file {world.path('ca.crt')} verify required alpn h2 "
            "sni str(localhost)")
    servers = "".join(f"  server s{i} 127.0.0.1:{b} {back if mode == 'out' else 'proto h2'}\n"
                      for i, b in enumerate(backends))
    path = world.path(f"haproxy{port}.cfg")
    with open(path, "w") as f:
        f.write("global\n  nbthread 1\n  tune.h2.max-concurrent-streams 10000\n"
                "defaults\n  mode http\n  timeout client 60s\n  timeout server 5s\n  timeout connect 1s\n"
                f"frontend f\n  bind 127.0.0.1:{port} {front if mode == 'term' else 'proto h2'}\n  default_backend b\n"
                f"backend b\n  balance leastconn\n  http-reuse always\n{servers}")
    return ["haproxy", "-db", "-f", path]


def relay(world, unused_mode, port, backends, unused_policy):
    """haproxy moving bytes without looking at them, never encrypted: what no HTTP/2 proxy can undercut."""
    servers = "".join(f"  server s{i} 127.0.0.1:{b}\n" for i, b in enumerate(backends))
    path = world.path(f"relay{port}.cfg")
    with open(path, "w") as f:
        f.write("global\n  nbthread 1\n"
                "defaults\n  mode tcp\n  timeout client 60s\n  timeout server 60s\n  timeout connect 1s\n"
                f"listen f\n  bind 127.0.0.1:{port}\n  balance leastconn\n{servers}")
    return ["haproxy", "-db", "-f", path]


PEERS = {"outrigger": outrigger, "policies": policies, "nghttpx": nghttpx, "haproxy": haproxy, "relay": relay}


def say(text):
    print(text, flush=True)


def warn(text):
    print(text, file=sys.stderr, flush=True)
