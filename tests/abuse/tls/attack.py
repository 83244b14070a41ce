"""Does one thing to a TLS listener that an ordinary library does not do, and prints what came of it: `attack.py NAME PORT
CERTIFICATE KEY`. The words: "handshake", "alert NAME", "closed", "open", or what the attack itself has to say."""

import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import AlertDescription, ContentType
from tlslite.errors import TLSAbruptCloseError, TLSLocalAlert, TLSRemoteAlert
from tlslite.extensions import TLSExtension
from tlslite.messages import ClientHello, Finished

PORT, CERTIFICATE, KEY = int(sys.argv[2]), sys.argv[3], sys.argv[4]
PATIENCE = 10


class Wire(socket.socket):
    """A socket that remembers what was written, and can damage the last byte of a record before it goes."""

    def __init__(self):
        super().__init__()
        self.settimeout(PATIENCE)
        self.connect(("127.0.0.1", PORT))
        self.seen = b""
        self.damage = None

    def send(self, data, *flags):
        return super().send(self.pass_on(bytes(data)), *flags)

    def sendall(self, data, *flags):
        return super().sendall(self.pass_on(bytes(data)), *flags)

    def pass_on(self, data):
        self.seen += data
        if self.damage and self.damage(data):
            self.damage = None
            return data[:-1] + bytes([data[-1] ^ 1])
        return data


def settings(least=(3, 3), most=(3, 4), **more):
    s = HandshakeSettings()
    s.minVersion, s.maxVersion = least, most
    s.certificate_compression_send = s.certificate_compression_receive = []  # it would be sent without being asked for
    for name, value in more.items():
        setattr(s, name, value)
    return s


def shake(tls, with_settings=None, alpn=(b"h2",), certificate=True):
    """A handshake, and one byte of what the proxy says first: in 1.3 a refusal comes only then."""
    chain, key = None, None
    if certificate:
        with open(CERTIFICATE, encoding="ascii") as file:
            chain = X509CertChain()
            chain.parsePemList(file.read())
        with open(KEY, encoding="ascii") as file:
            key = parsePEMKey(file.read(), private=True)
    tls.handshakeClientCert(chain, key, settings=with_settings or settings(),
                            alpn=[bytearray(a) for a in alpn] if alpn else None)
    tls.read(min=9, max=9)  # the head of SETTINGS
    return tls


def rest(tls):
    """All that comes until the end."""
    tls.read(max=1 << 20, min=1 << 20)
    return "closed"


def outcome(do):
    try:
        return do() or "handshake"
    except TLSRemoteAlert as e:
        return "alert " + AlertDescription.toRepr(e.description)
    except TLSLocalAlert as e:
        return "we refuse: " + str(e)
    except (TLSAbruptCloseError, ConnectionError):
        return "closed"
    except socket.timeout:
        return "open"


def connect():
    return TLSConnection(Wire())


def raw(data, end=False):
    """Bytes instead of a handshake, and what is answered: the alert in the clear, or the type of the record."""
    wire = Wire()
    try:
        wire.sendall(data)
        if end:
            wire.shutdown(socket.SHUT_WR)
        head = wire.recv(7)
    except ConnectionError:
        return "closed"
    except socket.timeout:
        return "open"
    if not head:
        return "closed"
    if head[0] == ContentType.alert:
        return "alert " + AlertDescription.toRepr(head[6])
    return "record " + ContentType.toRepr(head[0])


def hello():
    """A ClientHello as the library writes it, with the head of its record."""
    written = []

    class Stop(Exception):
        pass

    class Recorder(socket.socket):
        def send(self, data, *_):
            written.append(bytes(data))
            raise Stop

        sendall = send

    try:
        TLSConnection(Recorder()).handshakeClientCert(settings=settings(), alpn=[bytearray(b"h2")])
    except Stop:
        pass
    return b"".join(written)


def with_hello(change, most=(3, 4)):
    """A handshake whose ClientHello is changed before it is written."""
    write = ClientHello.write

    def changed(self):
        change(self)
        return write(self)

    ClientHello.write = changed
    return outcome(lambda: shake(connect(), settings(most=most)) and None)


def old_versions():
    return outcome(lambda: shake(connect(), settings((3, 1), (3, 2))) and None)


def cbc():
    names = ["aes128", "aes256"]
    return outcome(lambda: shake(connect(), settings(most=(3, 3), cipherNames=names)) and None)


def static_rsa():
    return outcome(lambda: shake(connect(), settings(most=(3, 3), keyExchangeNames=["rsa"])) and None)


def no_alpn():
    return outcome(lambda: shake(connect(), alpn=None) and None)


def other_alpn():
    return outcome(lambda: shake(connect(), alpn=(b"http/1.1",)) and None)


def wrong_finished(most):
    write = Finished.write

    def wrong(self):
        self.verify_data[-1] ^= 1
        data = write(self)
        self.verify_data[-1] ^= 1
        return data

    Finished.write = wrong
    return outcome(lambda: shake(connect(), settings(most=most)) and None)


def damaged_record():
    tls = connect()
    tls.sock.socket.damage = lambda data: b"\x17\x03\x03" in data
    return outcome(lambda: shake(tls) and None)


def damaged_data():
    tls = shake(connect())
    tls.sock.socket.damage = lambda data: True
    return outcome(lambda: tls.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") or rest(tls))


def truncated_hello():
    return raw(hello()[:100], end=True)


def oversized_record():
    return raw(b"\x16\x03\x01\x48\x01" + bytes(0x4801))


def empty_fragments():
    return raw(b"\x16\x03\x01\x00\x00" * 1000)


def tiny_records():
    data = hello()
    return raw(b"".join(data[:3] + b"\x00\x01" + data[i:i + 1] for i in range(5, len(data))))


def heartbeat():
    tls = connect()
    shake(tls)
    if tls.heartbeat_supported or tls.heartbeat_can_send:
        return "negotiated"

    class Beat:
        contentType = ContentType.heartbeat

        @staticmethod
        def write():
            return bytearray(b"\x01\x40\x00" + bytes(16))

    return outcome(lambda: list(tls._sendMsg(Beat())) and None or rest(tls))


def renegotiation():
    """The first one is refused with a warning; an insistent peer is cut."""
    tls = shake(connect(), settings(most=(3, 3)))
    again = ClientHello().create((3, 3), bytearray(32), bytearray(0), [0xC02B, 0xC02F])
    try:
        for _ in tls._sendMsg(again):
            pass
        tls.read(max=1 << 20, min=1 << 20)
    except TLSRemoteAlert as e:
        return "alert " + AlertDescription.toRepr(e.description)
    except (TLSAbruptCloseError, ConnectionError):
        return "closed"
    except TLSLocalAlert as e:
        return "answered: " + str(e)
    return "open"


def tickets():
    for most in ((3, 3), (3, 4)):
        tls = shake(connect(), settings(most=most))
        tls.sock.settimeout(0.5)  # nothing else is sent to a silent caller
        try:
            tls.read(max=1 << 20, min=1 << 20)
        except socket.timeout:
            pass
        if tls.tickets or tls.tls_1_0_tickets or (tls.session.sessionID and most == (3, 3)):
            return "tickets"
    return "none"


def early_data():
    return with_hello(lambda h: h.extensions.append(TLSExtension(extType=42).create(bytearray())))


def compression(most):
    return with_hello(lambda h: setattr(h, "compression_methods", [1, 0]), most)


def no_certificate():
    return outcome(lambda: shake(connect(), certificate=False) and None)


def key_updates():
    tls = shake(connect(), settings(least=(3, 4)))

    def flood():
        for _ in range(2000):
            for _ in tls.send_keyupdate_request(0):
                pass
        return rest(tls)

    return outcome(flood)


ATTACKS = {
    "OldVersions": old_versions,
    "CBC": cbc,
    "StaticRSA": static_rsa,
    "NoALPN": no_alpn,
    "OtherALPN": other_alpn,
    "WrongFinished12": lambda: wrong_finished((3, 3)),
    "WrongFinished13": lambda: wrong_finished((3, 4)),
    "DamagedRecord": damaged_record,
    "DamagedData": damaged_data,
    "TruncatedHello": truncated_hello,
    "OversizedRecord": oversized_record,
    "EmptyFragments": empty_fragments,
    "TinyRecords": tiny_records,
    "Heartbeat": heartbeat,
    "Renegotiation": renegotiation,
    "Tickets": tickets,
    "EarlyData": early_data,
    "Compression12": lambda: compression((3, 3)),
    "Compression13": lambda: compression((3, 4)),
    "NoCertificate": no_certificate,
    "KeyUpdates": key_updates,
    "Honest12": lambda: outcome(lambda: shake(connect(), settings(most=(3, 3))) and None),
    "Honest13": lambda: outcome(lambda: shake(connect()) and None),
}

print(ATTACKS[sys.argv[1]]())
