#!/usr/bin/env python3
"""Makes the corpus entries that chance does not hit upon: certificates, keys and lists that OpenSSL writes, protobuf messages,
HTTP/2 frames. `seeds.py [FOLDER]` writes FOLDER/TARGET/NAME (default tests/fuzz/corpus); keys differ from run to run, so run
it only when an entry is added. It does not judge what it writes: reach.py does."""

import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DAYS = "2900000"  # to the year 9966: a corpus must not expire


def openssl(*args, folder, stdin=None):
    return subprocess.run(["openssl", *args], cwd=folder, input=stdin, check=True, capture_output=True).stdout


class Authority:
    """A root and what it signs, in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder
        self.root = self.make("root", "CA:TRUE", "URI:spiffe://shop.example")

    def make(self, name, basic, san, *extra, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), issuer=None):
        """(certificate, key) as PEM."""
        paths = [self.folder / f"{name}.{end}" for end in ("crt", "key")]
        kind, *options = key
        command = ["req", "-x509", "-newkey", kind, *options, "-nodes", "-subj", f"/CN={name}", "-days", DAYS]
        command += ["-addext", f"basicConstraints=critical,{basic}"]
        for line in ([f"subjectAltName={san}"] if san else []) + list(extra):
            command += ["-addext", line]
        if issuer:
            command += ["-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key"]
        openssl(*command, "-keyout", str(paths[1]), "-out", str(paths[0]), folder=self.folder)
        return paths[0].read_bytes(), paths[1].read_bytes()

    def der(self, pem):
        return openssl("x509", "-outform", "DER", folder=self.folder, stdin=pem)

    def ended(self, pem, year=b"2001"):
        """The certificate with an end in that year; its signature is not right any more."""
        der = re.sub(rb"\x18\x0f\d{4}", b"\x18\x0f" + year, self.der(pem))
        return openssl("x509", "-inform", "DER", folder=self.folder, stdin=der)

    def key_der(self, pem):
        return openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", folder=self.folder, stdin=pem)

    def revoked(self):
        """A revocation list of the root as PEM."""
        (self.folder / "index").write_text("V\t361124000000Z\t\t01\tunknown\t/CN=x\n")
        (self.folder / "crlnumber").write_text("01\n")
        (self.folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=crlnumber\ndefault_md=sha256\n")
        command = ["ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "root.key", "-cert", "root.crt", "-crldays", "20000"]
        return openssl(*command, folder=self.folder)


def pem_seeds(ca):
    """Certificate, key, roots, revocation list with NUL bytes between."""
    leaf, key = ca.make("leaf", "CA:FALSE", "URI:spiffe://shop.example/a", issuer="root")
    other, other_key = ca.make("other", "CA:FALSE", "DNS:a.example", issuer="root")
    weak, weak_key = ca.make("weak", "CA:FALSE", None, key=("rsa:1024",))
    old, old_key = ca.make("old", "CA:TRUE", None)
    old = ca.ended(old)
    locked = openssl("pkcs8", "-topk8", "-passout", "pass:a", folder=ca.folder, stdin=key)
    lists, root, broken = ca.revoked(), ca.root[0], leaf.replace(b"MII", b"MIJ", 1)
    parts = {
        "whole": (leaf, key, root, lists),
        "chain": (leaf + root, key, root + other, b""),
        "chain-broken": (leaf + broken, key, root, b""),
        "mismatch": (leaf, other_key, root, b""),
        "locked": (leaf, locked, root, b""),
        "no-key": (leaf, root, root, b""),
        "weak": (weak, weak_key, b"", b""),
        "expired": (old, old_key, b"", b""),
        "roots-expired": (leaf, key, old, b""),
        "roots-1969": (b"", b"", ca.ended(root, b"1969") + root, b""),
        "roots-broken": (b"", b"", root + broken, b""),
        "roots-twice": (b"", b"", root + root, lists + lists),
        "list-broken": (b"", b"", root, lists + lists.replace(b"MII", b"MIJ", 1)),
        "list-none": (b"", b"", root, leaf),
        "nothing": (b"-", b"", b"-", b"-"),
    }
    return {name: b"\0".join(part) for name, part in parts.items()}


def varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number, value):
    """A field of a protobuf message: a number, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def svid(spiffe_id, chain, key, bundle):
    return field(1, field(1, spiffe_id) + field(2, chain) + field(3, key) + field(4, bundle))


def grpc(message):
    return b"\0" + struct.pack(">I", len(message)) + message


def workload_seeds(ca):
    leaf, key = ca.make("svid", "CA:FALSE", "URI:spiffe://shop.example/a", issuer="root")
    two, two_key = ca.make("two", "CA:FALSE", "URI:spiffe://shop.example/a,URI:spiffe://shop.example/b", issuer="root")
    root, lists = ca.der(ca.root[0]), openssl("crl", "-outform", "DER", folder=ca.folder, stdin=ca.revoked())
    der, key_der, name = ca.der(leaf), ca.key_der(key), "spiffe://shop.example/a"
    whole = svid(name, der + root, key_der, root)
    bundle = lambda domain, roots: field(3, field(1, domain) + field(2, roots))  # noqa: E731
    messages = {
        "whole": whole,
        "federated": whole + field(2, lists) + bundle("spiffe://b.example", root) + bundle("shop.example", root),
        "federated-path": whole + bundle("spiffe://b.example/a", root),
        "federated-broken": whole + bundle("b.example", root[:-9]),
        "federated-many": whole + bundle("b", b"x") * 65,
        "lists-many": whole + field(2, b"x") * 65,
        "list-broken": whole + field(2, lists + b"x"),
        "other-id": svid("spiffe://shop.example/b", der, key_der, root),
        "two-ids": svid(name, ca.der(two), ca.key_der(two_key), root),
        "no-workload": svid("spiffe://shop.example", der, key_der, root),
        "key-broken": svid(name, der, key_der[:-9], root),
        "chain-broken": svid(name, der[:-9], key_der, root),
        "roots-broken": svid(name, der, key_der, root + b"x"),
        "no-key": svid(name, der, b"", root),
        "none": field(3, b""),
        "no-message": b"\xff\xff",
    }
    streams = {name: grpc(message) for name, message in messages.items()}
    return streams | {
        "two": grpc(whole) + grpc(field(3, b"")),
        "cut": grpc(whole)[:-7],
        "head": b"\0\0\0",
        "compressed": b"\1" + grpc(whole)[1:],
        "long": b"\0\xff\0\0\0x",
    }


def certificate_seeds(ca):
    """A leaf as DER."""
    usage = "extendedKeyUsage=serverAuth,clientAuth"
    long = ",".join(f"DNS:{'a' * 60}{i}.example" for i in range(120))
    makings = {
        "spiffe": ("CA:FALSE", "URI:spiffe://a/b", "keyUsage=critical,digitalSignature", usage),
        "spiffe-uncritical": ("CA:FALSE", "URI:spiffe://a/b", "keyUsage=digitalSignature"),
        "spiffe-signs": ("CA:FALSE", "URI:spiffe://a/b", "keyUsage=critical,digitalSignature,keyCertSign"),
        "spiffe-agrees": ("CA:FALSE", "URI:spiffe://a/b", "keyUsage=critical,keyAgreement"),
        "spiffe-one-way": ("CA:FALSE", "URI:spiffe://a/b", "extendedKeyUsage=clientAuth"),
        "spiffe-bad": ("CA:FALSE", "URI:spiffe://a/../b"),
        "spiffe-authority": ("CA:TRUE", "URI:spiffe://a/b"),
        "uris": ("CA:FALSE", "URI:spiffe://a/b,URI:spiffe://a/c"),
        "uri": ("CA:FALSE", "URI:https://a/b_c,DNS:a.example"),
        "dns": ("CA:FALSE", "DNS:a.example,DNS:*.b.example,IP:127.0.0.1"),
        "dns-long": ("CA:FALSE", long),
        "blank": ("CA:FALSE", "DNS:a b,email:a@b"),
        "many": ("CA:FALSE", ",".join(["IP:127.0.0.1"] * 257)),
        "nameless": ("CA:FALSE", None),
    }
    seeds = {name: ca.der(ca.make(f"c-{name}", *how)[0]) for name, how in makings.items()}
    seeds["uri-quoted"] = seeds["uri"].replace(b"b_c", b'b"c')
    seeds["san-broken"] = seeds["dns"].replace(b"a.example", b"a.exampl\0")
    return seeds | {"cut": seeds["spiffe"][:-20]}


def descriptor_seeds(_):
    """A FileDescriptorSet."""

    def method(name, *more):
        return field(2, field(1, name) + b"".join(more))

    def file(*services, package="shop"):
        body = b"".join(field(6, field(1, name) + b"".join(methods)) for name, *methods in services)
        return field(1, field(1, "a.proto") + (field(2, package) if package else b"") + body)

    def level(number):
        return field(4, field(34, number))

    stream = field(6, 1)
    return {
        "levels": file(("A", method("B", level(1)), method("C", level(2), stream), method("D", level(9)), method("E"))),
        "twice": file(("A", method("B", level(1)), method("B", level(2)), method("B", level(0)))) + file(("A", method("B", level(2)))),
        "twice-streams": file(("A", method("B", field(5, 1)), method("B", level(2)))),
        "no-package": file(("A", method("B")), ("AA", method("B"), method("BB")), package=None),
        "no-service": file(("", method("B"))),
        "bad-service": file(("a b", method("B"))),
        "no-method": file(("A", method(""))),
        "star": file(("A", method("*"))),
        "no-file": b"",
        "no-set": b"\x0a\xff",
        "empty": file(),
    }


def endpoints_seeds(_):
    good = "endpoints:\n  - { address: '127.0.0.1:1', weight: 3, priority: 1, zone: here }\n  - { address: '[::1]:2', zone: there }\n"
    return {
        "good": good.encode(),
        "unix": b"endpoints: [{ address: 'unix:/run/a' }, { address: 'unix:/run/b' }]\n",
        "twice": b"endpoints: [{ address: '127.0.0.1:1' }, { address: '127.0.0.1:2' }, { address: '127.0.0.1:1' }]\n",
        "unknown": b"endpoints: [{ address: '127.0.0.1:1', port: 1 }]\n",
        "name": b"endpoints: [{ address: 'a:1' }]\n",
        "none": b"endpoints: []\n",
        "list": b"- a\n",
        "empty": b"",
        "weight": b"endpoints: [{ address: '127.0.0.1:1', weight: 0 }]\n",
    }


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32


def literal(name, value):
    """A field of a block, never indexed, without Huffman codes."""
    size = lambda n: bytes([n]) if n < 127 else b"\x7f" + varint(n - 127)  # noqa: E731
    return b"\x10" + size(len(name)) + name + size(len(value)) + value


REQUEST = b"\x83\x86\x04\x06/a.B/C\x01\x01a"
ANSWER = b"\x88"


def request(stream, flags=END_HEADERS, more=b""):
    return frame(HEADERS, flags, stream, REQUEST + more)


def server_frames():
    words = b"".join(literal(b"a%d" % i, b"b") for i in range(5))
    reset = frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
    small = frame(DATA, 0, 1, b"a")
    return {
        "fields": request(1, more=words) + request(3, END_HEADERS | END_STREAM, words),
        "fields-flood": request(1, more=words * 8),
        "bytes": request(1, more=literal(b"a", b"b" * 1000)) + request(3, END_HEADERS | END_STREAM),
        "bytes-flood": request(1, more=literal(b"a", b"b" * 4096)),
        "continuations": frame(HEADERS, 0, 1, REQUEST) + frame(CONTINUATION, 0, 1, words) * 2 + frame(CONTINUATION, 4, 1),
        "continued": frame(HEADERS, 0, 1, REQUEST) + frame(CONTINUATION, 0, 1, words[:8]) + frame(CONTINUATION, 4, 1, words[8:]),
        "empty": request(1) + frame(DATA, 0, 1) * 3,
        "padding": request(1) + frame(DATA, PADDED, 1, b"\2\0\0") * 3,
        "padded": request(1) + frame(DATA, PADDED, 1, b"\2ab\0\0") + frame(DATA, PADDED | END_STREAM, 1, b"\3abcde\0\0\0"),
        "small": request(1) + small * 6,
        "messages": request(1) + frame(DATA, 0, 1, b"\0\0\0\0\1a") * 6,
        "unknown": frame(0x20, 0, 1, b"a") * 6,
        "pings": frame(PING, 0, 0, b"a" * 8) * 6 + frame(PING, ACK, 0, b"a" * 8) * 6,
        "settings": frame(SETTINGS, 0, 0) * 6,
        "settings-entries": frame(SETTINGS, 0, 0, b"\0\x20\0\0\0\1" * 9),
        "settings-acks": frame(SETTINGS, ACK, 0) * 8,
        "priorities": frame(PRIORITY, 0, 1, b"\0\0\0\0\1") * 4,
        "updates": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 104,
        "resets": b"".join(request(i) + frame(RST_STREAM, 0, i, b"\0\0\0\x08") for i in (1, 3, 5, 7, 9, 11)),
        "streams": b"".join(request(i) for i in (1, 3, 5, 7, 9, 11)),
        "streams-acked": frame(SETTINGS, ACK, 0) + b"".join(request(i) for i in (1, 3, 5, 7, 9, 11, 13, 15, 17, 19)),
        "ids": b"".join(request(i, END_HEADERS | END_STREAM) for i in (1, 9, 11)),
        "malformed": b"".join(frame(HEADERS, 5, i, b"\x83") for i in (1, 3, 5, 7, 9, 11)),
        "length": request(1, more=b"\x0f\x0d\x015") + frame(DATA, END_STREAM, 1, b"abc"),
        "length-end": request(1, END_HEADERS | END_STREAM, b"\x0f\x0d\x015"),
        "length-long": request(1, more=b"\x0f\x0d\x015") + frame(DATA, 0, 1, b"abcdef"),
        "length-huge": request(1, more=b"\x0f\x0d\x14" + b"9" * 20),
        "late": request(1) + reset + small * 3 + request(1) * 8,
        "late-data": request(1, END_HEADERS | END_STREAM) + small,
        "late-block": request(1, END_HEADERS | END_STREAM) + request(1),
        "after-end": request(1, END_HEADERS | END_STREAM) + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
        "trailers": request(1) + frame(HEADERS, 5, 1, literal(b"a", b"b")),
        "trailers-open": request(1) + frame(HEADERS, 4, 1, literal(b"a", b"b")),
        "trailers-pseudo": request(1) + frame(HEADERS, 5, 1, ANSWER),
        "stalled": frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + request(1) + frame(DATA, 0, 1, b"a" * 99) + request(3) + frame(DATA, 0, 3, b"a" * 9) + frame(PING, 0, 0, b"a" * 8) * 3,
        "released": frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + request(1) + frame(DATA, END_STREAM, 1, b"a" * 99) + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x09") + frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"),
        "window": request(1) + frame(DATA, 0, 1, b"a" * 16384) * 2,
        "goaways": frame(GOAWAY, 0, 0, b"\0" * 8) * 6,
        "compression": frame(HEADERS, 4, 1, b"\xff\xff"),
        "priority": frame(HEADERS, HAS_PRIORITY | PADDED | END_HEADERS, 1, b"\2\0\0\0\0\1" + REQUEST + b"\0\0") + frame(HEADERS, HAS_PRIORITY | 4, 3, b"\0\0\0\3\1"),
        "even": request(2),
        "zero": frame(HEADERS, 4, 0, REQUEST),
        "push": frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2" + REQUEST),
        "large": b"\0\x40\1\0\0\0\0\0\1",
        "interleaved": frame(HEADERS, 0, 1, REQUEST) + frame(PING, 0, 0, b"a" * 8),
    }


def client_frames():
    interim = frame(HEADERS, 4, 1, b"\x08\x03103")
    answer, end = frame(HEADERS, 4, 1, ANSWER), frame(HEADERS, 5, 1, literal(b"grpc-status", b"0"))
    words = b"".join(literal(b"a%d" % i, b"b") for i in range(9))
    return {
        "answer": answer + frame(DATA, 0, 1, b"\0\0\0\0\3abc") + end + frame(HEADERS, 5, 3, ANSWER),
        "interim": interim + answer + end,
        "interim-flood": interim * 4,
        "interim-end": frame(HEADERS, 5, 1, b"\x08\x03103"),
        "status": frame(HEADERS, 5, 1, b"\x08\x03099") + frame(HEADERS, 5, 3, REQUEST),
        "fields": frame(HEADERS, 4, 1, ANSWER + words) + frame(HEADERS, 5, 1, words),
        "length": frame(HEADERS, 5, 1, ANSWER + b"\x0f\x0d\x015"),
        "data-first": frame(DATA, 0, 1, b"a"),
        "after-end": frame(HEADERS, 5, 3, ANSWER) + frame(DATA, 0, 3, b"a") + frame(HEADERS, 5, 3, ANSWER),
        "idle": frame(HEADERS, 4, 99, ANSWER),
        "goaway": answer + frame(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0") + end,
        "reset": frame(RST_STREAM, 0, 1, b"\0\0\0\7") + frame(RST_STREAM, 0, 3, b"\0\0\0\2") + answer,
        "limit": frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1\0\5\0\1\0\0\0\1\0\0\0\0") + answer,
        "pong": frame(PING, ACK, 0, b"outriggr"),
    }


def bounds_seeds(_):
    """A peer of session_bounds: its two first bytes, then frames."""
    seeds = {}
    for name, data in server_frames().items():
        seeds[f"server-{name}"] = b"\0\x01" + data
        seeds[f"server-{name}-slowly"] = b"\x09\x35" + data
    for name in ("streams", "padded", "pings", "stalled", "messages"):
        seeds[f"server-{name}-unread"] = b"\x28\x03" + server_frames()[name]
        seeds[f"server-{name}-words"] = b"\0\x1b" + server_frames()[name]
    for name, data in client_frames().items():
        seeds[f"client-{name}"] = b"\0\0" + data
        seeds[f"client-{name}-words"] = b"\x09\x0c" + data
    return seeds


def grpc_seeds(_):
    """A path, a status, a timeout: one text that is tried as each."""
    texts = ["/a.B/C", "/a/b/C", "/a", "/a/", "//C", "/a/../C", "/./C", "/a.B/C?x", "/a%2fB/C", "a.B/C", "16", "007", "99999999S", "1H"]
    texts += ["application/grpc", "application/grpc+proto", "application/grpcx"]
    seeds = {f"text-{i}": text.encode() for i, text in enumerate(texts)}
    return seeds | {"te": b"\x28te" + b"trailers", "host": b"\x41hosta", "xfcc": b"\xf0" + b"x-forwarded-cli"}


def resolv_seeds(_):
    domains = b" ".join(b"%c.example" % c for c in b"abcdefghijklmnopqr")
    return {
        "many": b"search " + domains + b"\noptions ndots:99 ndots:-1\n",
        "bound": b"domain " + b"a" * 255 + b"\n",
    }


def review_seeds(_):
    ports = ",".join(str(8000 + i) for i in range(16))
    pod = {"metadata": {"annotations": {"outrigger.dev/ports": ports}}, "spec": {"containers": []}}
    request = {"uid": "1", "kind": {"kind": "Pod"}, "object": pod}
    return {"ports": json.dumps({"apiVersion": "admission.k8s.io/v1", "request": request}).encode()}


def proxy_seeds(_):
    """A play: act() in proxy.c tells what each byte does."""
    plays = {
        "whole": "2004 60 7000 8000",
        "upload": "2000 4000 4000 4001 60 8000",
        "echo": "2002 4000 60 7000 4001 7000 8005",
        "retried": "2004 900e c3 910e c3 9200",
        "retried-out": "2004 900e c3 910e c3 920e c3",
        "pushback": "2004 908e c0 910e c8",
        "refused": "2004 a007 c3 61 8100",
        "reset": "2004 60 a008 c3",
        "cancelled": "2004 5008 900e",
        "cancelled-late": "2002 60 7000 5008 8000",
        "late": "200c c5 9000 c9",
        "goaway": "2004 2104 b0 9000 c3 9000",
        "breaker": "2006 9002 2106 910e 2206 920e 2306 930e 2406 cb 2506 9000",
        "lost": "2004 d2 c3 2104 9000 d2 c9",
        "gone": "2004 60 7000 d1 c3 f0 2004 9000",
        "no-endpoint": "d6 2004 cb d8 2104 9000 c9",
        "unread": "e1 2002 60 7000 7000 7000 ca e1 8000",
        "window": "2002 60 e2 e6 7001 c9",
        "raw": "2004 0900000406000000000100 1a000000070000000000",
    }
    return {name: bytes.fromhex(play) for name, play in plays.items()}


SEEDS = {
    "proxy": proxy_seeds,
    "resolv_conf": resolv_seeds,
    "review": review_seeds,
    "grpc": grpc_seeds,
    "session_bounds": bounds_seeds,
    "pem": pem_seeds,
    "workload": workload_seeds,
    "certificate": certificate_seeds,
    "descriptors": descriptor_seeds,
    "endpoints_file": endpoints_seeds,
}


def main():
    to = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "corpus"
    with tempfile.TemporaryDirectory() as folder:
        ca = Authority(pathlib.Path(folder))
        for target, make in SEEDS.items():
            (to / target).mkdir(parents=True, exist_ok=True)
            for name, data in make(ca).items():
                (to / target / name).write_bytes(data)
                print(f"{target}/{name} {len(data)}")


if __name__ == "__main__":
    main()
