#!/usr/bin/env python3
"""A peer in another language, written from docs/tcp.md and docs/protocol.md and nothing else.

peer.py [listen] call|work PORT KEY: who calls has `mul` multiplied, `echo` return a long text, and asks what the queue
holds; who works answers one call of `swap`. What it prints is looked at by test_python.sh.
"""
import hashlib
import hmac
import os
import socket
import struct
import sys

HELLO, AUTH, WELCOME, ANNOUNCE, PUBLISH, SETTLE = 1, 2, 3, 4, 5, 6
PING, PONG, GOODBYE, ASK, ANSWER = 10, 11, 12, 13, 14
FIRST, MORE, PIECE = 1, 2, 65536


def mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def name(text):
    return bytes([len(text)]) + text


class Peer:
    def __init__(self, sock, listens, key, tasks):
        self.sock, self.listens, self.tasks, self.pieces = sock, listens, tasks, {}
        self.key = mac(mac(bytes(32), key), b"patio auth v1\x01")  # HKDF-SHA256, no salt

    def send(self, kind, number=0, body=b"", flags=0, channel=0):
        self.sock.sendall(struct.pack("<IBBHQ", len(body), kind, flags, channel, number) + body)

    def send_message(self, kind, number, head, envelope):
        if len(head + envelope) <= PIECE:
            return self.send(kind, number, head + envelope)
        self.send(kind, number, struct.pack("<I", len(envelope)) + head, FIRST | MORE, 1)
        for at in range(0, len(envelope), PIECE):
            self.send(kind, number, envelope[at:at + PIECE], MORE if at + PIECE < len(envelope) else 0, 1)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                sys.exit("closed by the peer")
            data += more
        return data

    def expect(self, wanted, tag=None):
        """The next whole message of this type, and with this number, if one is given."""
        while True:
            size, kind, flags, channel, number = struct.unpack("<IBBHQ", self.exactly(16))
            body = self.exactly(size)
            if kind == PING:
                self.send(PONG, number)
            if kind == GOODBYE:
                sys.exit("goodbye %d" % number)
            if channel != 0:
                self.pieces[channel] = body[4:] if flags & FIRST else self.pieces[channel] + body
                body = self.pieces[channel]
            if not flags & MORE and kind == wanted and tag in (None, number):
                return number, body

    def proof(self, side, connecting, listening):
        def part(text):
            return struct.pack("<I", len(text)) + text
        return mac(self.key, part(b"patio tcp %s side" % side) + part(connecting) + part(listening))

    def check(self, side, connecting, listening):
        if not hmac.compare_digest(self.expect(AUTH)[1], self.proof(side, connecting, listening)):
            sys.exit("it has another key")

    def open(self):
        nonce = os.urandom(32)
        which = bytes(4) if self.listens else mac(self.key, b"patio tcp which key" + nonce)[:4]
        self.incarnation = os.urandom(8)
        mine = struct.pack("<6s4BHI8s4s4s32s", b"PATIO1", 1, 2, 0 if self.listens else 1, 1, 0, 1 << 20,
                           self.incarnation, which, bytes(4), nonce)
        if self.listens:
            theirs = self.expect(HELLO)[1]
            self.send(HELLO, 0, mine)
            self.send(AUTH, 0, self.proof(b"listening", theirs, mine))
            self.check(b"connecting", theirs, mine)
            self.send(WELCOME)
        else:
            self.send(HELLO, 0, mine)
            theirs = self.expect(HELLO)[1]
            self.check(b"listening", mine, theirs)
            self.send(AUTH, 0, self.proof(b"connecting", mine, theirs))
            self.expect(WELCOME)
        names = b"".join(name(task) for task in self.tasks)
        queue = name(b"default") + struct.pack("<III", 1, len(self.tasks), len(names)) + names
        self.send(ANNOUNCE, 1, name(b"default") + struct.pack("<I", 1 if names else 0) + (queue if names else b""))

    def call(self, tag, task, values):
        uid = os.urandom(16)
        envelope = (field(2, 1) + field(3, uid) + field(4, task) + field(5, b"default") + field(6, 30000) +
                    field(100, values))
        head = struct.pack("<16sIIQQHHHBB", uid, 1, 1, 30000, 0, 4, 1, 0, 7, len(task)) + b"default" + task
        self.send_message(PUBLISH, tag, head, envelope)
        _, body = self.expect(SETTLE, tag)
        verdict, flags, _, cause, _ = struct.unpack_from("<BBHIQ", body)
        reply = fields(body[16 + cause:])
        if verdict != 1 or not flags & 1 or reply[2] != 3 or reply[3] != uid or 9 in reply:
            sys.exit("not a result: verdict %d, flags %d, %r" % (verdict, flags, reply))
        return fields(reply[100])

    def work(self):
        tag, body = self.expect(PUBLISH)
        queue, task = body[46], body[47]
        request = fields(body[48 + queue + task:])
        if body[48 + queue:48 + queue + task] != b"swap" or request[3] != body[:16]:
            sys.exit("not what was announced: %r" % body)
        numbers = read_ints(fields(request[100]))
        reply = field(2, 3) + field(3, request[3]) + field(100, ints([numbers[1] * 100 + numbers[0]]))
        self.send(SETTLE, tag, struct.pack("<BBHIQ", 1, 1, 0, 0, 0) + reply)

    def counts(self):
        self.send(ASK, 5, struct.pack("<4BIII8sQ16s", 2, 0, 0, 7, 0, 5000, 0, self.incarnation, 1, bytes(16)) +
                  b"default")
        _, body = self.expect(ANSWER, 5)
        what, flags, status, _, _, _, size = struct.unpack_from("<BBHI8sQI", body)
        if (what, flags, status, size) != (2, 1, 0, 48):
            sys.exit("not an answer: %r" % body)
        return struct.unpack_from("<6Q", body, 32)


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    n, shift = 0, 0
    while True:
        n, shift, at = n | (data[at] & 127) << shift, shift + 7, at + 1
        if data[at - 1] < 128:
            return n, at


def fields(data):
    """Those of one message: numbers, and what has a length."""
    at, found = 0, {}
    while at < len(data):
        tag, at = read_varint(data, at)
        size, at = read_varint(data, at)
        if tag & 7 == 2:
            found[tag >> 3], at = data[at:at + size], at + size
        else:
            found[tag >> 3] = size
    return found


def ints(numbers):
    zigzag = b"".join(varint(n * 2 if n >= 0 else -n * 2 - 1) for n in numbers)
    return field(1, b"\x03" * len(numbers)) + field(2, zigzag) + field(7, len(numbers))


def read_ints(values):
    at, numbers = 0, []
    while at < len(values[2]):
        n, at = read_varint(values[2], at)
        numbers.append(n >> 1 ^ -(n & 1))
    return numbers


def main():
    listens = sys.argv[1] == "listen"
    role, port, key = sys.argv[2 if listens else 1:]
    if listens:
        server = socket.create_server(("127.0.0.1", int(port)))
        print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
        sock = server.accept()[0]
    else:
        sock = socket.create_connection(("127.0.0.1", int(port)))
    peer = Peer(sock, listens, key.encode(), [b"swap"] if role == "work" else [])
    peer.open()
    if role == "work":
        return peer.work()
    while name(b"mul") not in peer.expect(ANNOUNCE)[1]:
        pass
    print(*read_ints(peer.call(1, b"mul", ints([6, 7]))))
    long = b"long text " * 30000
    echoed = peer.call(2, b"echo", field(1, b"\x06") + field(5, long) + field(7, 1))
    print("echoed" if echoed[5] == long else "echoed something else", *peer.counts()[:4])
    peer.send(GOODBYE)


main()
