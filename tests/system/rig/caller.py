"""A client that asks for any API in any version, by the schema, and keeps what came back."""

import itertools
import socket
import time

from . import schema, wire

LEFT_OUT, CLOSED, SILENT = "left out", "closed", "silent"
# What any client asks again for: the answer says nothing yet.
AGAIN = frozenset({5, 6, 7, 14, 15, 16, 27, 51})
# Also that a leader has not heard of its topic yet, or cannot verify a transaction.
UNHEARD = AGAIN | {3, 19, 100}


class Refused(Exception):
    """An answer that set-up cannot go on with."""


class Reply:
    """What came: a value and the frame it was in, or only an outcome (CLOSED, SILENT)."""

    def __init__(self, asked, value=None, frame=b"", outcome=None, took=0.0):
        self.api, self.version, self.request = asked
        self.value, self.frame, self.outcome, self.took = value, frame, outcome, took

    def errors(self):
        """Every error code in it."""
        found = []
        if self.value is not None:
            for f, _, v, _ in schema.walk(self.api.response.fields, self.version, self.value):
                if f.type == "int16" and f.name.endswith("error_code"):
                    found.append(v)
        return found

    def __str__(self):
        said = self.value if self.outcome is None else self.outcome
        return f"{self.api.name} {self.version} {self.request} -> {said}"


class Caller:
    """One connection at a time; a new one when the last was closed."""

    names = itertools.count(1)

    def __init__(self, host, port, key=None, client_id="caller", timeout=15.0):
        self.host, self.port, self.key, self.client_id = host, port, key, client_id
        self.timeout = timeout
        self.sock, self.correlation = None, 0
        self.schema = schema.load()
        self.heard = []  # called with each reply

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def _connect(self):
        self.sock = socket.create_connection((self.host, self.port), max(self.timeout, 15))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.key:
            said = self._exchange("sasl_handshake", 1, {"mechanism": "PLAIN"})
            secret = b"\0" + self.key[0].encode() + b"\0" + self.key[1].encode()
            said = self._exchange("sasl_authenticate", 2, {"auth_bytes": secret})
            if said.value is None or said.value["error_code"]:
                raise Refused(str(said))
        self.sock.settimeout(self.timeout)

    def _exchange(self, name, version, value):
        api = self.schema[name]
        asked = (api, version, value)
        self.correlation += 1
        frame = api.ask(version, value, self.correlation, self.client_id)
        began = time.monotonic()
        try:
            self.sock.sendall(frame)
            data = wire.read_frame(self.sock)
        except socket.timeout:
            self.close()
            return Reply(asked, outcome=SILENT)
        except (EOFError, OSError):
            self.close()
            return Reply(asked, outcome=CLOSED)
        took = time.monotonic() - began
        if int.from_bytes(data[:4], "big") != self.correlation:
            raise AssertionError(f"{name} {version}: the reply is to another request")
        return Reply(asked, api.answer(version, data), data, took=took)

    def ask(self, name, version, value):
        """A Reply, whatever it says."""
        if self.sock is None:
            self._connect()
        reply = self._exchange(name, version, value)
        for told in self.heard:
            told(reply)
        return reply

    def patient(self, name, version, value, seconds=20, again=AGAIN):
        """Asks until the answer is not one of those that mean: again."""
        end = time.monotonic() + seconds
        while True:
            reply = self.ask(name, version, value)
            if not again & set(reply.errors()) or time.monotonic() > end:
                return reply
            time.sleep(0.02)

    def get(self, name, version, value, again=AGAIN):
        """The value of an answer without any error."""
        reply = self.patient(name, version, value, again=again)
        if reply.outcome or any(reply.errors()):
            raise Refused(str(reply))
        return reply.value
