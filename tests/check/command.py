#!/usr/bin/env python3
"""`command.py OUTRIGGER` tries the command line: exit codes, one line for each mistake, what check and explain print, and that every sample in
config/ passes, with real certificates beside it. It starts no proxy."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "outrigger"
SMALLEST = '{ version: 1, inbound: [ { listen: "127.0.0.1:8080", tls: off, forward: "127.0.0.1:50051" } ] }\n'


def run(*argv, **more):
    """The finished command."""
    return subprocess.run([BINARY, *map(str, argv)], text=True, capture_output=True, check=False, timeout=60, **more)


def openssl(folder, *argv):
    subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True, timeout=60)


def make_certificates(folder):
    """An authority, a key pair that it signed, and another key."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", "-days", "2")
    (folder / "san").write_text("subjectAltName=URI:spiffe://shop.example/ns/shop/sa/order\n")
    openssl(folder, "req", "-new", *key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=order")
    openssl(folder, "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tls.crt",
            "-days", "2", "-extfile", "san")
    openssl(folder, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "other.key")


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text, name="f.yaml"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def wrong(self, *argv, says):
        """One line on stderr, nothing on stdout, exit code 2."""
        result = run(*argv)
        self.assertEqual((result.returncode, result.stdout), (2, ""), result)
        self.assertRegex(result.stderr, r"\Aoutrigger[^\n]*\n\Z")
        self.assertIn(says, result.stderr)


class CommandLine(Case):
    def test_mistakes_are_one_line(self):
        self.wrong(says="no command")
        self.wrong("chek", says="did you mean check?")
        self.wrong("serve", says='unknown command "serve"')
        self.wrong("check", says="-c FILE is missing")
        self.wrong("check", "-c", says="-c needs a value")
        self.wrong("check", "--config", says="--config needs a value")
        self.wrong("check", "--stric", "-c", "f", says="did you mean --strict?")
        self.wrong("check", "--strict=yes", "-c", "f", says="--strict takes no value")
        self.wrong("check", "-x", "-c", "f", says="unknown option -x")
        self.wrong("check", "f.yaml", says='unexpected argument "f.yaml"')
        self.wrong("check", "a\nb", says="unexpected argument")
        self.wrong("version", "--verbose", says="unknown option --verbose")
        self.wrong("run", says="-c FILE is missing")
        self.wrong("run", "--singl", says="did you mean --single?")
        self.wrong("explain", "-c", "f", says="--method pkg.Service/Method is missing")
        self.wrong("explain", "-c", "f", "--method", "Charge", says="expected pkg.Service/Method")
        self.wrong("explain", "-c", "f", "--method", "a.B/*", says="expected pkg.Service/Method")
        self.wrong("explain", "-c", "f", "--timeout", "2", says="expected a duration")
        self.wrong("explain", "-c", "f", "--metadata", "a", says="expected KEY=VALUE")
        self.wrong("explain", "-c", "f", "--identity", "me", says="expected a URI")
        self.wrong("explain", "-c", "f", "--admin", "nowhere", says="expected HOST:PORT or unix:PATH")
        self.wrong("inject", "--set", "image", says="expected KEY=VALUE")
        self.wrong("inject", "--set", "ports=70000", says="at most 16 port numbers")
        self.wrong("inject", "--set", "capture-inbound=50051,50051", says="none twice")
        self.wrong("explain", "-c", "f", "--original", "payment:50051", says="expected IP:PORT")
        self.wrong("inject", "--image", "a b", says="a name of letters")
        self.wrong("uninject", "x", says="unexpected")
        self.wrong("health", "--admin", "nowhere", says="expected IP:PORT or unix:PATH")
        self.wrong("webhook", says="--certificate FILE is missing")
        self.wrong("webhook", "--certificate", "a", says="--private-key FILE is missing")

    def test_help(self):
        for command in ("run", "check", "explain", "inject", "uninject", "webhook", "capture", "health", "version"):
            with self.subTest(command):
                result = run(command, "--help")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertTrue(result.stdout.startswith(f"usage: outrigger {command}"), result.stdout)
        self.assertIn("explain", run("--help").stdout)

    def test_version(self):
        lines = run("version").stdout.split("\n")
        self.assertRegex(lines[0], r"\Aoutrigger \d+\.\d+\.\d+\Z")
        for library in ("OpenSSL", "libevent", "c-ares", "protobuf-c", "libyaml", "jansson"):
            self.assertTrue(any(re.match(rf"{library} +\d", line) for line in lines), library)


class Capture(Case):
    """What needs no network namespace: mistakes, and the rules as text. tests/e2e applies them."""

    def test_mistakes(self):
        self.wrong("capture", says="nothing to capture")
        self.wrong("capture", "--inbound", "x", says="--inbound: found \"x\"")
        self.wrong("capture", "--inbound", "8000-9000", says="8443 is the listener")
        self.wrong("capture", "--to-outbound", "0", says="--to-outbound: found \"0\"")
        self.wrong("capture", "--uid", "nobody", says="--uid: found \"nobody\"")
        self.wrong("capture", "--tool", "pf", says="expected libnftables, nft or iptables")

    def test_print(self):
        result = run("capture", "--inbound", "50051", "--to-inbound", "9443", "--outbound", "50051,50052", "--uid", "7", "--print")
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        self.assertIn("tcp dport { 50051 } redirect to :9443", result.stdout)
        self.assertIn("meta skuid 7 return\n        tcp dport { 50051, 50052 } redirect to :15001", result.stdout)
        result = run("capture", "--remove", "--print")
        self.assertEqual(result.stdout, "table inet outrigger\ndelete table inet outrigger\n")
        result = run("capture", "--outbound", "50051", "--print", "--tool", "iptables")
        self.assertIn("-A OUTRIGGER_OUT -p tcp --dport 50051 -j REDIRECT --to-ports 15001", result.stdout)


class Check(Case):
    def test_forms_of_options(self):
        path = self.write(SMALLEST)
        for argv in (["-c", path], [f"-c{path}"], ["--config", path], [f"--config={path}"]):
            result = run("check", *argv)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"{path}: ok\n", ""))

    def test_errors_have_places(self):
        path = self.write("version: 1\nworkers: none\nnode:\n  zoen: a\n")
        result = run("check", "-c", path)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout.split("\n")[:2], [
            f'{path}:2:10: workers: found "none", expected a whole number from 1 to 1024',
            f'{path}:4:3: node.zoen: unknown key "zoen", did you mean "zone"?'])

    def test_a_file_that_cannot_be_read(self):
        result = run("check", "-c", self.folder / "none.yaml")
        self.assertEqual((result.returncode, result.stdout), (1, f"{self.folder}/none.yaml:1:1: cannot be read: No such file or directory\n"))
        self.assertEqual(run("check", "-c", self.folder).returncode, 1)

    def test_strict_fails_on_warnings(self):
        path = self.write("version: 1\n")
        self.assertEqual(run("check", "-c", path).returncode, 0)
        result = run("check", "--strict", "-c", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{path}:1:1: warning: ", result.stdout)

    def test_many_errors_are_counted(self):
        path = self.write("version: 1\n" + "".join(f"key{i}: 1\n" for i in range(150)))
        lines = run("check", "-c", path).stdout.rstrip("\n").split("\n")
        self.assertEqual((len(lines), lines[-1]), (101, "and 50 more errors"))

    def test_a_file_at_the_bound(self):
        for size, code in ((1 << 20, 0), ((1 << 20) + 1, 1)):
            path = self.write(SMALLEST + "#" * (size - len(SMALLEST)))
            self.assertEqual(run("check", "-c", path).returncode, code, size)

    def test_descriptors_are_read_unless_told_not_to(self):
        path = self.write('version: 1\ninbound: [ { listen: "127.0.0.1:80", tls: off, forward: "127.0.0.1:81", policy: p } ]\n'
                          'policies: { p: { descriptors: sub/p.binpb, retry: { max_attempts: 2, on: UNAVAILABLE } } }\n')
        result = run("check", "-c", path)
        self.assertEqual(result.stdout, f"{path}:3:31: policies.p.descriptors: {self.folder}/sub/p.binpb cannot be read: No such file or directory\n")
        self.assertEqual(result.returncode, 1)
        result = run("check", "--no-files", "--strict", "-c", path)
        self.assertEqual((result.returncode, result.stdout), (0, f"{path}: ok\n"))

    def test_paths_begin_at_the_file(self):
        path = self.write('version: 1\nidentity: { trust: sub/ca.crt }\noutbound: [ { listen: "127.0.0.1:80", routes: [ { service: a } ] } ]\n'
                          'services: { a: { endpoints: { static: [ "127.0.0.1:81" ] }, tls: server, peer: { dns: a } } }\n')
        result = run("check", "-c", path)
        self.assertEqual(result.stdout, f"{path}:2:20: identity.trust: {self.folder}/sub/ca.crt: No such file or directory\n")
        self.assertEqual(run("check", "--no-files", "-c", path).returncode, 0)


class PolicyFolder(Case):
    def check(self, files, main="", *argv):
        """What is said about SMALLEST with `policy_dir` and a folder of these files."""
        folder = self.folder / "policies"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        listener = 'inbound: [ { listen: "127.0.0.1:8080", tls: off, forward: "127.0.0.1:50051", policy: guard } ]'
        result = run("check", *argv, "-c", self.write(f"version: 1\npolicy_dir: policies\n{listener}\n{main}"))
        return result.returncode, result.stdout.replace(str(self.folder) + "/", "").splitlines()

    @staticmethod
    def policies(name, of="{ limits: { max_requests: 9 } }"):
        return f"policies:\n  {name}: {of}\n"

    def test_files_are_taken_by_their_ending(self):
        files = {"a.yaml": self.policies("other"), "z.yaml": self.policies("guard"), "b.yml": "no", ".c.yaml": "no"}
        code, lines = self.check(files, self.policies("third"))
        self.assertEqual((code, [line.partition(":")[0] for line in lines]), (0, ["policies/a.yaml", "f.yaml", "f.yaml"]))  # two are unused

    def test_a_name_that_stands_twice(self):
        code, lines = self.check({"a.yaml": self.policies("guard"), "b.yaml": self.policies("guard")}, self.policies("guard"))
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["policies/a.yaml:2:3: policies.guard: stands at f.yaml:5:3 too, expected it once",
                                 "policies/b.yaml:2:3: policies.guard: stands at f.yaml:5:3 too, expected it once"])

    def test_a_bad_file_is_named_once(self):
        _, lines = self.check({"a.yaml": self.policies("guard", "{ tiemout: 1s }")})
        self.assertEqual(len(lines), 1, lines)
        self.assertIn('policies/a.yaml:2:12: policies.guard.tiemout: unknown key "tiemout", did you mean "timeout"?', lines[0])
        self.assertIn("policies/a.yaml:1:1: services", self.check_again({"a.yaml": "services: {}\npolicies: {}\n"})[0])
        self.assertIn("policies/a.yaml:1:1: an empty file, expected", self.check_again({"a.yaml": ""})[0])
        self.assertIn("policies/a.yaml:", self.check_again({"a.yaml": "policies: [\n"})[0])
        self.assertIn("cannot be read", self.check_again({}, gone=True)[0])

    def check_again(self, files, gone=False):
        shutil.rmtree(self.folder / "policies")
        lines = self.check(files)[1]
        if gone:
            shutil.rmtree(self.folder / "policies")
            lines = run("check", "-c", self.folder / "f.yaml").stdout.splitlines()
        self.assertEqual(len(lines), 1, lines)
        return lines

    def test_files_at_the_bound(self):
        many = {f"{i:03}.yaml": self.policies(f"p{i}") for i in range(99)} | {"guard.yaml": self.policies("guard")}
        self.assertEqual(self.check(many)[0], 0)
        (self.folder / "policies" / "100.yaml").write_text(self.policies("more"))
        result = run("check", "-c", self.folder / "f.yaml")
        self.assertIn("f.yaml:2:13: policy_dir: 101 files, expected at most 100", result.stdout)

    def test_it_can_be_left_out(self):
        self.assertEqual(self.check({"a.yaml": "policies: ["}, "", "--no-files"), (0, ["f.yaml: ok"]))

    def test_paths_begin_at_their_file(self):
        code, lines = self.check({"a.yaml": self.policies("guard", "{ descriptors: x.binpb }")})
        self.assertEqual(code, 1)
        self.assertIn(str(self.folder / "policies" / "x.binpb"), lines[0].replace("policies/x", str(self.folder) + "/policies/x"))


class Files(Case):
    """What check says about certificates and keys."""

    def setUp(self):
        super().setUp()
        make_certificates(self.folder / "tls")

    def check(self, **files):
        names = {"certificate": "tls/tls.crt", "private_key": "tls/tls.key", "trust": "tls/ca.crt"} | files
        identity = "".join(f"  {key}: {value}\n" for key, value in names.items())
        path = self.write(f'version: 1\nidentity:\n{identity}inbound: [ {{ listen: "127.0.0.1:80", forward: "127.0.0.1:81" }} ]\n')
        return run("check", "-c", path)

    def refused(self, line, key, **files):
        result = self.check(**files)
        self.assertEqual(result.returncode, 1, result)
        self.assertRegex(result.stdout, rf"\A[^\n]*/f\.yaml:{line}:\d+: identity\.{key}: [^\n]+\n\Z")

    def test_good_files(self):
        result = self.check()
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)

    def test_bad_files(self):
        (self.folder / "tls" / "text").write_text("no certificate\n")
        self.refused(3, "certificate", certificate="tls/none.crt")
        self.refused(3, "certificate", certificate="tls/text")
        self.refused(4, "private_key", private_key="tls/other.key")
        self.refused(5, "trust", trust="tls/text")
        self.refused(6, "revoked", revoked="tls/text")


class Samples(Case):
    def test_every_sample_passes(self):
        shutil.copytree(ROOT / "config", self.folder / "config")
        make_certificates(self.folder / "config" / "tls")
        samples = sorted((self.folder / "config").glob("*.yaml"))
        self.assertGreaterEqual(len(samples), 6)
        for sample in samples:
            with self.subTest(sample.name):
                result = run("check", "--strict", "-c", sample)
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"{sample}: ok\n", ""))

    def test_every_sample_begins_with_a_comment(self):
        for sample in (ROOT / "config").glob("*.yaml"):
            self.assertTrue(sample.read_text().startswith("# "), sample)


class Explain(Case):
    def explain(self, name, *argv):
        path = ROOT / "config" / name
        text = run("explain", "-c", path, *argv)
        self.assertEqual((text.returncode, text.stderr), (0, ""), text)
        parsed = json.loads(run("explain", "-c", path, "--json", *argv).stdout)
        return path, text.stdout, parsed

    def line(self, path, text):
        """FILE:LINE of the first line that contains the text."""
        lines = path.read_text().split("\n")
        return f"{path}:{next(i for i, line in enumerate(lines, 1) if text in line)}"

    def test_values_and_their_places(self):
        path, text, parsed = self.explain("methods.yaml", "--method", "payment.v1.Payment/Charge", "--timeout", "3s")
        values = parsed["listeners"][0]["targets"][0]["values"]
        charge = self.line(path, "Payment/Charge: {")
        self.assertEqual(values["timeout"], {"value": "1s", "from": charge})
        self.assertEqual(values["deadline"], {"value": "1s", "from": charge})
        self.assertEqual(values["idle_timeout"], {"value": "1m", "from": self.line(path, "idle_timeout: 1m")})
        self.assertEqual(values["limits.max_requests"], {"value": "1024", "from": "default"})
        self.assertEqual(values["retry"]["value"], "off")
        self.assertIn("any of 2 endpoints by least_request", text)
        self.assertIn(charge, text)

    def test_wider_sections(self):
        path, _, parsed = self.explain("methods.yaml", "--method", "payment.v1.Payment/Refund", "--timeout", "3s")
        values = parsed["listeners"][0]["targets"][0]["values"]
        self.assertEqual(values["timeout"]["from"], self.line(path, "Payment/*: {"))
        self.assertEqual(values["deadline"], {"value": "3s", "from": "caller"})
        _, _, parsed = self.explain("methods.yaml", "--method", "payment.v1.Payment/Watch")
        values = parsed["listeners"][0]["targets"][0]["values"]
        self.assertEqual((values["timeout"]["value"], values["deadline"]["value"]), ("off", "none"))
        self.assertIn("written so", values["timeout"]["why"])

    def test_routes(self):
        path, text, parsed = self.explain("split.yaml", "--method", "a.B/C", "--authority", "Payment:8443")
        listener = parsed["listeners"][0]
        self.assertEqual([(t["service"], t["weight"]) for t in listener["targets"]], [("payment", 90), ("payment-v2", 10)])
        self.assertEqual(listener["passed_over"], [{"route": self.line(path, "x-canary: \"1\""), "why": "the metadata it asks for is not there"}])
        self.assertIn("90 of 100 calls", text)
        _, _, parsed = self.explain("split.yaml", "--method", "a.B/C", "--authority", "payment", "--metadata", "X-Canary=1")
        self.assertEqual([t["service"] for t in parsed["listeners"][0]["targets"]], ["payment-v2"])
        _, _, parsed = self.explain("split.yaml", "--method", "/ledger.v1.Ledger/Get")
        self.assertEqual([t["service"] for t in parsed["listeners"][0]["targets"]], ["ledger"])

    def test_original_destination(self):
        path, text, parsed = self.explain("capture.yaml", "--method", "a.B/C", "--authority", "x", "--original", "10.0.0.9:50052")
        listener = parsed["listeners"][0]
        self.assertEqual([t["service"] for t in listener["targets"]], ["legacy"])
        self.assertIn("the captured connection of the call brings it", text)
        _, _, parsed = self.explain("capture.yaml", "--method", "a.B/C", "--authority", "x", "--original", "[fd00::9]:50051")
        listener = parsed["listeners"][0]
        self.assertEqual([t["service"] for t in listener["targets"]], ["original/127.0.0.1:15001"])
        self.assertEqual(listener["passed_over"][1]["why"], "the original destination is not among its addresses")
        _, _, parsed = self.explain("capture.yaml", "--method", "a.B/C", "--authority", "payment")
        self.assertEqual([t["service"] for t in parsed["listeners"][0]["targets"]], ["payment"])
        _, _, parsed = self.explain("capture.yaml", "--method", "a.B/C", "--inbound")
        self.assertEqual([t["service"] for t in parsed["listeners"][0]["targets"]], ["inbound/[::]:8443"])

    def test_attempts(self):
        path, text, parsed = self.explain("retries.yaml", "--method", "payment.v1.Payment/GetPayment", "--timeout", "1s")
        target = parsed["listeners"][0]["targets"][0]
        self.assertEqual(target["attempts"], [{"attempt": 1, "earliest_ms": 0.0, "latest_ms": 0.0},
                                              {"attempt": 2, "earliest_ms": 20.0, "latest_ms": 530.0},
                                              {"attempt": 3, "earliest_ms": 60.0, "latest_ms": None}])
        self.assertEqual(target["values"]["retry"]["from"], self.line(path, "    retry:"))
        self.assertEqual(target["values"]["idempotent"]["from"], self.line(path, "descriptors: payment.binpb"))
        self.assertIn("NO_SIDE_EFFECTS", text)

    def test_why_there_is_no_retry(self):
        path, text, parsed = self.explain("retries.yaml", "--method", "payment.v1.Payment/Charge")
        target = parsed["listeners"][0]["targets"][0]
        self.assertEqual((target["values"]["retry"]["value"], target["values"]["retry"]["from"]), ("off", self.line(path, "    retry:")))
        self.assertEqual(len(target["attempts"]), 1)
        self.assertIn("not known to be idempotent", text)
        _, text, _ = self.explain("retries.yaml", "--method", "payment.v1.Payment/WatchCharges")
        self.assertIn("this method streams", text)

    def test_no_route(self):
        _, text, parsed = self.explain("split.yaml", "--method", "a.B/C")
        self.assertFalse(parsed["listeners"][0]["routed"])
        self.assertEqual(len(parsed["listeners"][0]["passed_over"]), 3)
        self.assertIn("NO_ROUTE", text)

    def test_inbound(self):
        _, text, parsed = self.explain("sidecar.yaml", "--method", "order.v1.Order/Place", "--inbound", "--identity", "spiffe://shop.example/a")
        target = parsed["listeners"][0]["targets"][0]
        self.assertEqual((target["service"], target["endpoints"]), ("inbound/0.0.0.0:8443", ["127.0.0.1:50051"]))
        self.assertEqual(target["values"]["limits.max_requests"]["value"], "200")
        self.assertIn("spiffe://shop.example/a", text)

    def test_a_bad_file(self):
        path = self.write("version: 2\n")
        result = run("explain", "-c", path, "--method", "a.B/C")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn(f"{path}:1:10: version: ", result.stderr)


if __name__ == "__main__":
    unittest.main()
