"""A weir that clients log in to, and what a test does with it."""

import contextlib
import json
import os
import socket
import ssl
import struct

from . import check, proc, wire
from .identity import Identities
from .weir import Weir
from .workload import Group

HANDSHAKE, AUTHENTICATE = 17, 36
UNSUPPORTED_MECHANISM, ILLEGAL_STATE, FAILED = 33, 34, 58
MECHANISMS = ["AWS_MSK_IAM", "OAUTHBEARER", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@contextlib.contextmanager
def secured(env, name, ids=None, limits=None, mechanisms=None, listener=None, log=None, **auth):
    """A node with a login; gives it and its identities."""
    ids = ids or Identities(env, name)
    node = Weir(env, config={}, name=name)
    node.audit = os.path.join(ids.folder, "audit.jsonl")
    node.config = {
        "cluster": {"bootstrap": env.cluster.bootstrap()},
        "listeners": [
            {
                "name": "kafka",
                "address": node.address,
                "auth": "sasl",
                "mechanisms": mechanisms or MECHANISMS,
                **(listener or {}),
            }
        ],
        "auth": ids.config(
            **{"plain_without_tls": True, "audit": {"file": node.audit}, **auth}
        ),
        "limits": limits or {},
        "admin": {"address": f"127.0.0.1:{node.admin_port}"},
        "log": log or {},
    }
    node.write_config(node.config)
    try:
        yield node, ids
    finally:
        node.stop(2)
        node.logged = node.tail(100000)


def audited(node, **want):
    """The audit's lines that have these members."""
    with open(node.audit, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f if line.endswith("\n")]
    return [row for row in lines if all(row.get(k) == v for k, v in want.items())]


def told(node, **want):
    """Waits for such a line, and gives the last."""
    rows = proc.wait_until(f"audited: {want}", lambda: audited(node, **want), 10)
    return rows[-1]


def reload(node):
    before = node.metric(r"^weir_reloads_total")
    node.hang_up()
    proc.wait_until("the reload", lambda: node.metric(r"^weir_reloads_total") > before, 10)


def serves(env, node, config, what="login", topic=None, count=600):
    """A Java client produces and a group reads it all."""
    topic = topic or env.topic(what)
    task = env.begin(
        "produce", node.address, topic=[topic], producer="java", count=count, config=config
    )
    result = task.result()
    assert result["failed"] == 0, result
    log = env.dump([topic])
    check.topic_holds(log, {"java": check.Writes(task.log)})
    group = Group(env, [topic], 1, bootstrap=node.address, config=config).wait_for(count)
    check.group_saw(log, group.stop())
    return topic


def trusting(env, certificate=None):
    """Wraps a socket in TLS, with (certificate file, key file) when given."""
    context = ssl.create_default_context(cafile=env.ca.cert)
    if certificate:
        context.load_cert_chain(*certificate)
    return lambda sock: context.wrap_socket(sock, server_hostname="127.0.0.1")


class Raw(wire.Connection):
    """Speaks SASL by hand."""

    def __init__(self, node, wrap=None):
        super().__init__(node.host, node.port, wrap=wrap)

    def handshake(self, mechanism, version=1):
        r = self.call(HANDSHAKE, version, wire.string(mechanism))
        return r.take("h"), r.array(r.string)

    def authenticate(self, data):
        """(error, text, bytes, lifetime in ms)"""
        r = self.call(AUTHENTICATE, 1, struct.pack(">i", len(data)) + data)
        error, text = r.take("h"), r.string()
        n = r.take("i")
        r.at += max(n, 0)
        return error, text, r.data[r.at - max(n, 0) : r.at], r.take("q")

    def plain(self, key):
        return self.authenticate(b"\0" + key[0].encode() + b"\0" + key[1].encode())

    def bearer(self, token, **extensions):
        """RFC 7628's first message, after the handshake."""
        assert self.handshake("OAUTHBEARER")[0] == 0
        pairs = {"auth": f"Bearer {token}", **extensions}
        text = "".join(f"{k}={v}\1" for k, v in pairs.items())
        return self.authenticate(f"n,,\1{text}\1".encode())

    def closed(self, seconds=20):
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b""
        except (ConnectionResetError, ssl.SSLError):
            return True
        except socket.timeout:
            raise proc.Timeout(f"not closed within {seconds} s") from None

    def serves(self):
        """Whether it is let do anything; False: it was closed."""
        try:
            return bool(self.metadata([])["brokers"])
        except (EOFError, OSError):
            return False

    def topic_error(self, name):
        return self.metadata([name])["topics"][0]["error"]
