"""Peers that do not speak Kafka, or not as they should. Others go on undisturbed."""

import os
import select
import socket
import struct
import threading
import time

from rig import check, proc, wire
from rig.env import only
from rig.workload import produced


class Bystander:
    """A client which must not notice anything."""

    def __init__(self, env):
        self.env, self.topic = env, env.topic("bystander")
        self.task = env.begin("produce", topic=[self.topic], producer="bystander", rate=100)
        self.task.wait_event("first")

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        result = self.task.stop().result()
        if kind is None:
            assert result["failed"] == 0, result
            log = self.env.dump([self.topic])
            check.topic_holds(log, {"bystander": check.Writes(self.task.log)})
            assert result["longest_gap_ms"] < 20000, result


def _connect(env):
    return socket.create_connection(env.host_port, 10)


def _closed(sock, seconds=20):
    """Everything that still comes, once the other side has closed."""
    sock.settimeout(seconds)
    said = b""
    try:
        while True:
            data = sock.recv(65536)
            if not data:
                return said
            said += data
    except ConnectionResetError:
        return said
    except socket.timeout:
        raise proc.Timeout(f"not closed within {seconds} s") from None


def _count(env, reason=""):
    """How many connections were closed so far, for that reason or any."""
    return env.weir.metric(rf'^weir_connections_closed_total\{{.*reason="{reason}')


def _expect_close(env, data, reason, seconds=20):
    before = _count(env, reason)
    with _connect(env) as s:
        s.sendall(data)
        _closed(s, seconds)
    proc.wait_until(f"{reason} counted", lambda: _count(env, reason) > before, 10)


@only(through_weir=True)
def test_lengths_that_lie(env):
    with Bystander(env):
        for length in (-1, 0, -(2**31), 2**31 - 1, 101 << 20):
            _expect_close(env, struct.pack(">i", length) + b"x" * 64, "frame_length")


@only(through_weir=True)
def test_other_protocols(env):
    hello = bytes.fromhex("160301013b010001370303") + os.urandom(200)
    with Bystander(env):
        _expect_close(env, hello, "tls_on_plain")
        _expect_close(env, b"GET / HTTP/1.1\r\nHost: weir\r\n\r\n", "http")
        _expect_close(env, b"POST /metrics HTTP/1.1\r\nHost: weir\r\n\r\n", "http")


@only(through_weir=True)
def test_garbage(env):
    with Bystander(env):
        before = _count(env)
        for size in (5, 20, 200, 3000):
            data = b"\x7f" + os.urandom(size - 1)  # no API
            with _connect(env) as s:
                s.sendall(struct.pack(">i", size) + data)
                _closed(s)
        proc.wait_until("counted", lambda: _count(env) >= before + 4, 10)


@only(through_weir=True)
def test_truncated_bodies(env):
    """A frame that ends in the middle of what it announces."""
    with Bystander(env):
        body = struct.pack(">i", 1000) + wire.string("topic")
        _expect_close(env, wire.request(3, 1, 1, body=body), "bad_request")
        explode = struct.pack(">i", 2**31 - 1)
        _expect_close(env, wire.request(3, 1, 1, body=explode), "bad_request")
        nested = b"\xff\xff\xff\xff\x07" * 4
        _expect_close(env, wire.request(3, 12, 1, body=nested, flexible=True), "bad_request")


@only(through_weir=True)
def test_apis_that_are_not_offered(env):
    with Bystander(env):
        for api, version in ((4, 7), (52, 2), (999, 0), (3, 99), (-1, 0)):
            _expect_close(env, wire.request(api, version, 1), "unsupported_version")


@only(through_weir=True)
def test_version_of_api_versions_too_new(env):
    """Answered in version 0 with the ranges, and the connection goes on (KIP-511)."""
    with wire.Connection(*env.host_port) as c:
        reply = c.call(wire.API_VERSIONS, 99, flexible=True)
        assert reply.take("h") == 35
        rows = reply.array(lambda: (reply.take("h"), reply.take("h"), reply.take("h")))
        assert 18 in {row[0] for row in rows}, rows
        assert reply.at == len(reply.data), "more than version 0 has"
        offered = c.api_versions()
        assert offered[0][0] == 0, "Produce from 0, else librdkafka does not compress"
        assert offered[24][1] <= 3, "AddPartitionsToTxn 4 and up is for brokers"
        denied = {27, 34, 38, 39, 40, 41, 43, 45, 50, 51, 55, 57, 64, 71, 72, 80, 81, 83, 84}
        assert not denied & set(offered), f"offered: {sorted(denied & set(offered))}"


@only(through_weir=True)
def test_many_tagged_fields(env):
    """30,000 unknown tags in a header: dropped and counted, or refused; never a lasting cost."""
    with Bystander(env):
        count = 30000
        tags = _uvarint(count) + b"".join(_uvarint(i) + b"\0" for i in range(count))
        head = struct.pack(">hhi", 18, 3, 7) + wire.string("tags") + tags
        frame = head + b"\x02a\x02b\0"
        before = env.weir.rss_kib()
        for _ in range(20):
            with _connect(env) as s:
                s.sendall(struct.pack(">i", len(frame)) + frame)
                s.settimeout(20)
                try:
                    wire.read_frame(s)
                except (EOFError, ConnectionResetError):
                    pass
        assert env.weir.rss_kib() < before + (32 << 10), "memory grew"


def _uvarint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


@only(through_weir=True)
def test_one_byte_at_a_time(env):
    """Slow, but whole: it is answered."""
    with Bystander(env):
        with _connect(env) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in wire.request(wire.API_VERSIONS, 0, 5) * 2:
                s.sendall(bytes([byte]))
                time.sleep(0.005)
            for _ in range(2):
                assert wire.Reader(wire.read_frame(s)).take("i") == 5


@only(through_weir=True)
def test_never_ending_request(env):
    """A byte a second, for a frame of 60 KB: closed in its time."""
    with Bystander(env):
        before = _count(env, "frame_timeout")
        with _connect(env) as s:
            s.sendall(struct.pack(">i", 60000))
            end = time.monotonic() + 90
            while not select.select([s], [], [], 1.0)[0]:
                assert time.monotonic() < end, "still open after 90 s"
                try:
                    s.sendall(b"\0")
                except OSError:
                    break
        proc.wait_until("counted", lambda: _count(env, "frame_timeout") > before, 10)


@only(through_weir=True)
def test_client_that_never_reads(env):
    """It asks for the same records again and again and takes nothing: weir stops reading it."""
    topic = env.topic("greedy", partitions=1)
    produced(env, [topic], count=2000, size=10000, partitions=1)
    with Bystander(env):
        before = env.weir.rss_kib()
        one = (
            struct.pack(">iiiib", -1, 100, 1, 50 << 20, 0)
            + struct.pack(">i", 1) + wire.string(topic)
            + struct.pack(">iiqi", 1, 0, 0, 16 << 20)
        )  # fmt: skip
        with _connect(env) as s:
            s.setblocking(False)
            sent, peak = 0, 0
            quiet = time.monotonic()
            while time.monotonic() < quiet + 3 and sent < 100_000_000:
                try:
                    sent += s.send(wire.request(1, 4, 1, body=one) * 50)
                    quiet = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.02)
                peak = max(peak, env.weir.rss_kib())
            assert sent < 100_000_000, "weir reads without end"
            assert peak < before + (192 << 10), f"{peak - before} KiB for one client"
        return f"{(peak - before) >> 10} MiB at most"


@only(through_weir=True)
def test_many_pipelined_requests(env):
    """H7: 100,000 requests at once on a connection, and correlation ids that come again and
    again: all answered, in order."""
    count = 100000
    ids = [i * 7919 % 97 for i in range(count)]
    data = b"".join(wire.request(wire.API_VERSIONS, 0, i) for i in ids)
    with Bystander(env):
        before = env.weir.rss_kib()
        with _connect(env) as s:
            s.settimeout(60)
            sender = threading.Thread(target=s.sendall, args=(data,))
            sender.start()
            with s.makefile("rb", 1 << 20) as replies:
                for i, expected in enumerate(ids):
                    (size,) = struct.unpack(">i", replies.read(4))
                    (got,) = struct.unpack(">i", replies.read(size)[:4])
                    assert got == expected, f"reply {i} is to {got} instead of {expected}"
            sender.join()
        assert env.weir.rss_kib() < before + (32 << 10), "memory grew"


def _crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _batch(value):
    """One record in a batch of magic 2."""
    body = b"\0\0\0\1" + _zigzag(len(value)) + value + b"\0"
    record = _zigzag(len(body)) + body
    rest = struct.pack(">hiqqqhii", 0, 0, 0, 0, -1, -1, -1, 1) + record
    head = struct.pack(">iBI", -1, 2, _crc32c(rest)) + rest
    return struct.pack(">qi", 0, len(head)) + head


def _zigzag(n):
    return _uvarint(n << 1)


def _produce(topic, acks, batch):
    body = struct.pack(">hhii", -1, acks, 30000, 1) + wire.string(topic)
    body += struct.pack(">iii", 1, 0, len(batch)) + batch
    return wire.request(0, 3, 1, body=body)


@only(through_weir=True)
def test_flood_without_acks(env):
    """H8: as many Produce requests with acks=0 as fit: all are written, none is answered."""
    topic, count = env.topic("flood", partitions=1), 50000
    frame = _produce(topic, 0, _batch(b"v" * 60))
    with Bystander(env):
        before, peak = env.weir.rss_kib(), 0
        with _connect(env) as s:
            s.settimeout(60)
            for _ in range(count // 1000):
                s.sendall(frame * 1000)
                peak = max(peak, env.weir.rss_kib())
            s.sendall(wire.request(wire.API_VERSIONS, 0, 42))
            assert wire.Reader(wire.read_frame(s)).take("i") == 42, "something else is answered"
        assert peak < before + (64 << 10), f"{peak - before} KiB more"
        # Brokers may have much to do yet.
        with wire.Connection(*env.host_port, timeout=60) as c:
            ask = struct.pack(">ii", -1, 1) + wire.string(topic) + struct.pack(">iiq", 1, 0, -1)

            def end():
                reply = c.call(2, 1, ask)
                reply.array(lambda: (reply.string(), reply.array(lambda: found.append(
                    [reply.take("i"), reply.take("h"), reply.take("q"), reply.take("q")][3]
                ))))  # fmt: skip
                return found[-1]

            found = []
            proc.wait_until("all are there", lambda: end() >= count, 60)
            assert end() == count, found[-1]


@only(through_weir=True)
def test_flood_without_acks_that_fails(env):
    """Of a topic that does not exist: the connection ends, for that is the only way to tell."""
    frame = _produce("never-made", 0, _batch(b"v"))
    with Bystander(env):
        before = _count(env)
        for _ in range(20):
            with _connect(env) as s:
                try:
                    s.sendall(frame * 5000)
                except OSError:
                    pass
                _closed(s, 60)
        proc.wait_until("counted", lambda: _count(env) >= before + 20, 10)
