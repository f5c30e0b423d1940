"""Just enough of Kafka's wire protocol for readiness checks, probes and bad input."""

import socket
import struct

METADATA, API_VERSIONS = 3, 18


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, fmt):
        values = struct.unpack_from(">" + fmt, self.data, self.at)
        self.at += struct.calcsize(">" + fmt)
        return values[0]

    def string(self):
        n = self.take("h")
        if n < 0:
            return None
        self.at += n
        return self.data[self.at - n : self.at].decode()

    def array(self, item):
        return [item() for _ in range(max(0, self.take("i")))]


def string(text):
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def request(api, version, correlation, client_id="raw", body=b"", flexible=False):
    """A whole frame: length, header (v1, or v2 when flexible), body."""
    head = struct.pack(">hhi", api, version, correlation) + string(client_id)
    if flexible:
        head += b"\0"
    return struct.pack(">i", len(head) + len(body)) + head + body


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError("connection closed")
        data += more
    return data


def read_frame(sock):
    return read_exactly(sock, struct.unpack(">i", read_exactly(sock, 4))[0])


class Connection:
    """One raw client connection."""

    def __init__(self, host, port, timeout=10.0, wrap=None, first=b""):
        self.sock = socket.create_connection((host, port), timeout)
        if first:
            self.sock.sendall(first)
        if wrap:
            self.sock = wrap(self.sock)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def call(self, api, version, body=b"", flexible=False):
        """Sends a request; returns a reader of the reply after its correlation id."""
        self.correlation += 1
        self.sock.sendall(
            request(api, version, self.correlation, body=body, flexible=flexible)
        )
        reply = Reader(read_frame(self.sock))
        got = reply.take("i")
        if got != self.correlation:
            raise AssertionError(f"reply to {got}, not to {self.correlation}")
        return reply

    def api_versions(self):
        """{api: (min, max)}"""
        r = self.call(API_VERSIONS, 0)
        error = r.take("h")
        if error:
            raise AssertionError(f"ApiVersions: error {error}")
        rows = r.array(lambda: (r.take("h"), r.take("h"), r.take("h")))
        return {key: (low, high) for key, low, high in rows}

    def metadata(self, topics=None):
        """Metadata v2: topics None means all; [] none."""
        if topics is None:
            body = struct.pack(">i", -1)
        else:
            body = struct.pack(">i", len(topics)) + b"".join(string(t) for t in topics)
        r = self.call(METADATA, 2, body)

        def broker():
            return {
                "id": r.take("i"),
                "host": r.string(),
                "port": r.take("i"),
                "rack": r.string(),
            }

        def partition():
            return {
                "error": r.take("h"),
                "index": r.take("i"),
                "leader": r.take("i"),
                "replicas": r.array(lambda: r.take("i")),
                "isr": r.array(lambda: r.take("i")),
            }

        def topic():
            return {
                "error": r.take("h"),
                "name": r.string(),
                "internal": r.take("b"),
                "partitions": r.array(partition),
            }

        return {
            "brokers": r.array(broker),
            "cluster_id": r.string(),
            "controller": r.take("i"),
            "topics": r.array(topic),
        }


def alive(host, port):
    """Whether a Kafka server answers ApiVersions there."""
    try:
        with Connection(host, port, 2.0) as c:
            return bool(c.api_versions())
    except (OSError, EOFError, AssertionError):
        return False
