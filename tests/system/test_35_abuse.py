"""Memory and latency under abuse: inputs that would explode, floods, and who keeps connections busy with nothing."""

import os
import resource
import selectors
import socket
import struct
import threading
import time

from rig import proc, wire
from rig.env import only
from rig.weir import Weir

AMPLIFICATION = 8  # times the bytes received
SLACK_KIB = 8 << 10  # what the allocator keeps, whatever came


class Peak:
    """The most memory that a node had while this was open."""

    def __init__(self, node):
        self.node, self.before, self.most = node, node.rss_kib(), 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.over.wait(0.003):
            self.most = max(self.most, self.node.rss_kib())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()

    @property
    def growth_kib(self):
        return max(self.most - self.before, 0)


def _uvarint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def _put(address, data, seconds=60):
    """Sends all of it and reads what comes, until everything was sent and the other side is
    quiet or has closed. The bytes that were sent."""
    with socket.create_connection(address, 10) as s, selectors.DefaultSelector() as sel:
        s.setblocking(False)
        sel.register(s, selectors.EVENT_READ | selectors.EVENT_WRITE)
        sent, view, end = 0, memoryview(data), time.monotonic() + seconds
        while time.monotonic() < end:
            ready = sel.select(1.0 if sent < len(data) else 0.5)
            if not ready:
                break
            try:
                if ready[0][1] & selectors.EVENT_READ and not s.recv(1 << 20):
                    break
                if ready[0][1] & selectors.EVENT_WRITE:
                    sent += s.send(view[sent : sent + (1 << 20)])
            except BlockingIOError:
                continue
            except OSError:
                break
            if sent == len(data):
                sel.modify(s, selectors.EVENT_READ)
        return sent


def _bombs():
    """name -> frames of a connection; what each tries is in its name."""
    half = 1 << 19
    array = lambda n: struct.pack(">i", n)  # noqa: E731
    compact = lambda n: _uvarint(n + 1)  # noqa: E731
    tags = struct.pack(">hhi", 18, 3, 7) + wire.string("tags") + _uvarint(30000)
    tags += b"".join(_uvarint(i) + b"\0" for i in range(30000)) + b"\x02a\x02b\0"
    names = b"\0\0" * half
    fetch = struct.pack(">iiiib", -1, 0, 1, 1 << 20, 0) + array(1) + wire.string("t")
    fetch += array(half // 8) + struct.pack(">iqi", 1, 0, 1) * (half // 8)
    many = lambda one, n: b"".join([one] * n)  # noqa: E731
    return {
        "H1 tags in a header": many(struct.pack(">i", len(tags)) + tags, 20),
        "H2 metadata, empty names": wire.request(3, 4, 1, body=array(half) + names + b"\0"),
        "H2 metadata, compact": wire.request(
            3, 9, 1, body=compact(half) + b"\x01\0" * half + b"\0\0\0\0", flexible=True
        ),
        "H2 metadata, short names": wire.request(
            3, 4, 1, body=array(half // 4) + b"".join(wire.string(f"{i:x}") for i in range(half // 4)) + b"\0"
        ),
        "H2 metadata, ids": wire.request(
            3, 12, 1, flexible=True,
            body=compact(half // 8) + (os.urandom(16) + b"\0\0") * (half // 8) + b"\0\0\0",
        ),
        "H2 coordinators": wire.request(
            10, 4, 1, body=b"\0" + compact(half) + b"\1" * half + b"\0", flexible=True
        ),
        "H2 fetch": wire.request(1, 4, 1, body=fetch),
        "H2 create topics": wire.request(
            19, 1, 1, body=array(half // 8) + (b"\0\0" + struct.pack(">ihii", 1, 1, 0, 0)) * (half // 8)
            + struct.pack(">ib", 1000, 1),
        ),
        "H2 nested arrays": wire.request(
            1, 4, 1, body=struct.pack(">iiiib", -1, 0, 1, 1, 0) + array(half // 4)
            + (b"\0\0" + array(0)) * (half // 4),
        ),
        "H2 arrays that lie": many(wire.request(3, 1, 1, body=array(2**31 - 1) + names), 1),
        "H3 a length and silence": struct.pack(">i", (100 << 20) - 1),
        "H4 long names": wire.request(3, 4, 1, body=array(32) + (wire.string("x" * 32767)) * 32 + b"\0"),
        "H9 empty arrays": many(wire.request(3, 1, 1, body=array(0)), 20000),
    }  # fmt: skip


@only(through_weir=True)
def test_memory_amplification(env):
    """S1: whatever is sent, memory grows by at most eight times the bytes."""
    said, over = [], []
    for name, data in _bombs().items():
        node = Weir(env, name="bombs").start()
        try:
            _put((node.host, node.port), wire.request(18, 0, 1) * 100)
            with Peak(node) as peak:
                threads, sent = [], []
                for _ in range(4):
                    put = lambda: sent.append(_put((node.host, node.port), data))  # noqa: E731, B023
                    threads.append(threading.Thread(target=put))
                    threads[-1].start()
                for t in threads:
                    t.join()
            assert node.alive(), f"{name}: " + node.tail()
            kib = sum(sent) / 1024
            said.append(f"{name}: {peak.growth_kib / max(kib, 1):.1f} of {kib:.0f} KiB")
            if peak.growth_kib > AMPLIFICATION * kib + SLACK_KIB:
                over.append(f"{said[-1]}, {peak.growth_kib} KiB")
            proc.wait_until("let go", lambda: node.metric("weir_buffered_bytes") < 4 << 20, 20)
        finally:
            node.stop(2)
    assert not over, over
    return "; ".join(said)


@only(through_weir=True)
def test_nobody_new_when_memory_is_full(env):
    """Over 95 % of buffered_max: who is there goes on, who comes is turned away."""
    limit = 16 << 20
    node = Weir(env, config={}, name="full")
    node.write_config({
        "cluster": {"bootstrap": env.cluster.bootstrap()},
        "listeners": [{"address": node.address}],
        "limits": {"frame_max": limit, "buffered_max": limit},
        "admin": {"address": f"127.0.0.1:{node.admin_port}"},
    })  # fmt: skip
    node.start()
    try:
        with wire.Connection(node.host, node.port) as old:
            assert old.api_versions()
            held = lambda: node.metric("^weir_buffered_bytes")  # noqa: E731
            with socket.create_connection((node.host, node.port), 10) as s:
                s.sendall(struct.pack(">i", int(limit * 0.97 - held())))
                proc.wait_until("the length is charged", lambda: held() > limit * 0.955, 10)
                with socket.create_connection((node.host, node.port), 10) as late:
                    late.settimeout(10)
                    try:
                        assert late.recv(1) == b"", "somebody new is served"
                    except ConnectionResetError:
                        pass
                assert node.metric(r'closed_total\{.*reason="memory"') == 1
                assert old.api_versions()
            proc.wait_until("there is room", lambda: held() < limit // 2, 10)
        with wire.Connection(node.host, node.port) as again:
            assert again.api_versions()
    finally:
        node.stop(2)


class Crowd:
    """Connections that send a byte each second, and new ones that send garbage, on a thread."""

    SLOW, GARBAGE_A_SECOND = 5000, 1000

    def __init__(self, address, tls_address):
        self.address, self.tls_address = address, tls_address
        self.slow, self.garbage, self.lost = [], 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for _ in range(self.SLOW):
            s = socket.create_connection(self.address, 10)
            s.setblocking(False)
            s.send(struct.pack(">i", 60000))
            self.slow.append(s)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()
        for s in self.slow:
            s.close()

    def _run(self):
        parts, turn = 20, 0
        while not self.over.is_set():
            begun = time.monotonic()
            for s in self.slow[turn % parts :: parts]:
                self._quietly(lambda s=s: s.send(b"x"))
            for i in range(self.GARBAGE_A_SECOND // parts):
                self._quietly(lambda i=i: self._throw(i))
            turn += 1
            self.over.wait(max(0, begun + 1 / parts - time.monotonic()))

    def _quietly(self, what):
        try:
            what()
        except OSError:
            self.lost += 1

    def _throw(self, i):
        """Half of them at the TLS port, of which some look like the beginning of a handshake."""
        with socket.socket() as s:
            s.connect(self.tls_address if i % 2 else self.address)
            s.send(b"\x16\x03\x01\x00\x80" + os.urandom(60) if i % 8 == 1 else os.urandom(64))
        self.garbage += 1


@only(through_weir=True)
def test_abuse_beside_a_producer(env):
    """S4: 5,000 slow connections and 1,000 new ones a second with garbage."""
    crt, key = env.ca.issue("abused", ("127.0.0.1",))
    node = Weir(env, config={}, name="abused")
    plain, tls = (("127.0.0.1", proc.free_port()) for _ in range(2))
    node.write_config({
        "cluster": {"bootstrap": env.cluster.bootstrap()},
        "listeners": [
            {"name": "plain", "address": "%s:%d" % plain},
            {
                "name": "tls", "address": "%s:%d" % tls,
                "tls": {"certificate_file": crt, "key_file": key},
            },
        ],
        "admin": {"address": f"127.0.0.1:{node.admin_port}"},
    })  # fmt: skip
    node.start()
    topic = env.topic("abused")

    def produce(seconds):
        task = env.begin(
            "produce", "%s:%d" % plain, topic=[topic], producer="p", rate=500, logged=False
        )
        task.wait_event("first")
        time.sleep(seconds)
        result = task.stop().result()
        assert result["failed"] == 0, result
        return result

    try:
        produce(3)
        alone = produce(5)
        with Peak(node) as peak, Crowd(plain, tls) as crowd:
            beside = produce(10)
        assert node.alive(), node.tail()
        assert crowd.garbage > 300, f"{crowd.garbage} connections with garbage only"
        assert peak.growth_kib < 256 << 10, f"{peak.growth_kib} KiB more"
        proc.wait_until("all have gone", lambda: node.metric("weir_sessions") == 0, 60)
        return (
            f"p99 {alone['p99_us']} us alone, {beside['p99_us']} beside {len(crowd.slow)} slow and "
            f"{crowd.garbage} with garbage; {peak.growth_kib >> 10} MiB more"
        )
    finally:
        node.stop(2)
