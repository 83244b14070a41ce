"""Reads what a running process tree has used, from outside: CPU time, private memory, system calls, heap allocations."""

import os
import re
import signal
import struct
import subprocess
import time

READS = {"read", "readv", "recvfrom", "recvmsg", "recvmmsg"}
WRITES = {"write", "writev", "sendto", "sendmsg", "sendmmsg"}
POLLS = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
OPENSSL = ("libssl", "libcrypto")


def tree(pid):
    """The process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += [int(child) for child in open(f"/proc/{pid}/task/{task}/children").read().split()]
        except OSError:
            pass
    return found


def cpu_seconds(pids):
    """CPU time of all threads of these trees so far, from the scheduler's nanoseconds."""
    total = 0
    for root in pids:
        for pid in tree(root):
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    total += int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
            except OSError:
                pass
    return total / 1e9


def private_bytes(pids):
    """Private dirty memory of these trees: what it costs to have them, whatever libraries they share."""
    total = 0
    for root in pids:
        for pid in tree(root):
            try:
                for line in open(f"/proc/{pid}/smaps_rollup"):
                    if line.startswith("Private_Dirty:"):
                        total += int(line.split()[1]) * 1024
            except OSError:
                pass
    return total


def settled_bytes(pids, seconds):
    """Private memory after the tree was left alone so long, and for as long again as it still shrinks or grows."""
    time.sleep(seconds)
    before = private_bytes(pids)
    for _ in range(20):
        time.sleep(0.5)
        now = private_bytes(pids)
        if abs(now - before) <= 8192:
            return now
        before = now
    return before


def steal_seconds():
    """CPU time that the host took from this machine so far."""
    return int(open("/proc/stat").readline().split()[8]) / os.sysconf("SC_CLK_TCK")


class Strace:
    """Counts the system calls of a process tree between begin() and end()."""

    def __init__(self, pid, path):
        self.path = path
        pids = [argument for p in tree(pid) for argument in ("-p", str(p))]
        self.process = subprocess.Popen(["strace", "-f", "-c", "-o", path, *pids], stderr=subprocess.PIPE, text=True)
        threads = sum(len(os.listdir(f"/proc/{p}/task")) for p in tree(pid))
        attached = 0
        while attached < threads:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError("strace cannot attach: is ptrace allowed here?")
            found = re.search(r"attached(?: with (\d+) threads)?", line)
            attached += int(found.group(1) or 1) if found else 0

    def end(self):
        """Detaches; how often each system call was made."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        calls = {}
        for line in open(self.path):
            parts = line.split()
            if len(parts) >= 5 and parts[3].isdigit() and parts[-1] != "total":
                calls[parts[-1]] = int(parts[3])
        return calls


def by_kind(calls):
    """System calls summed up as read, write, epoll and the rest by name."""
    kinds = {"read": 0, "write": 0, "epoll": 0, "other": {}}
    for name, count in calls.items():
        for kind, names in (("read", READS), ("write", WRITES), ("epoll", POLLS)):
            if name in names:
                kinds[kind] += count
                break
        else:
            kinds["other"][name] = count
    return kinds


class Allocations:
    """The counter file of allocations.c."""

    SITES = 4096

    def __init__(self, tools, path):
        self.path = path
        self.environment = {"LD_PRELOAD": tools.allocations, "BENCH_ALLOCATIONS": path}

    def read(self):
        """Counts by calling address, right now."""
        data = open(self.path, "rb").read()
        cells = struct.unpack_from(f"{2 * self.SITES}Q", data, 16)
        return {"total": struct.unpack_from("Q", data)[0],
                "sites": {cells[i]: cells[i + 1] for i in range(0, 2 * self.SITES, 2) if cells[i]}}


def mappings(pid):
    """Executable mappings of a process: start, end, file offset, file."""
    found = []
    for line in open(f"/proc/{pid}/maps"):
        parts = line.split(None, 5)
        if len(parts) == 6 and "x" in parts[1]:
            start, end = (int(x, 16) for x in parts[0].split("-"))
            found.append((start, end, int(parts[2], 16), parts[5].strip()))
    return found


def symbol(path, offset):
    """Function and line of a return address in a file, as well as debug information allows."""
    try:
        out = subprocess.run(["addr2line", "-f", "-s", "-e", path, hex(offset - 1)], capture_output=True, text=True)
        name, place = (out.stdout.split("\n") + ["", ""])[:2]
        return f"{name} {place}"
    except OSError:
        return hex(offset)


def growth(pid, before, after):
    """What was allocated between two readings, as {where: count}, and how many of these OpenSSL did not ask for."""
    maps = [m for p in tree(pid) for m in mappings(p)]
    where, own = {}, after["total"] - before["total"]
    for address, count in after["sites"].items():
        count -= before["sites"].get(address, 0)
        if count == 0:
            continue
        for start, end, offset, path in maps:
            if start <= address < end:
                name = f"{os.path.basename(path)}: {symbol(path, address - start + offset)}"
                if os.path.basename(path).startswith(OPENSSL):
                    own -= count
                break
        else:
            name = hex(address)
        where[name] = where.get(name, 0) + count
    return where, own
