"""TLS, mTLS, PROXY headers and IPv6 on weir's listeners, and new certificates by SIGHUP."""

import contextlib
import os
import shutil
import socket
import ssl
import struct

from rig import check, proc, wire
from rig.env import only
from rig.weir import Weir
from rig.workload import Group

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def _listener(name, host="127.0.0.1", **more):
    shown = f"[{host}]" if ":" in host else host
    return {"name": name, "address": f"{shown}:{proc.free_port(host)}", **more}


@contextlib.contextmanager
def _node(env, *listeners, name, **more):
    """A node with these listeners; gives it and their addresses."""
    node = Weir(env, config={}, name=name)
    node.write_config({
        "cluster": {"bootstrap": env.cluster.bootstrap()},
        "listeners": list(listeners),
        "admin": {"address": f"127.0.0.1:{node.admin_port}"},
        **more,
    })  # fmt: skip
    node.start()
    try:
        yield node, [row["address"] for row in listeners]
    finally:
        node.stop(2)


def _server(env, name="weir", folder=None):
    """Certificate and key files of a node, in a folder where a test may change them."""
    crt, key = env.ca.issue(name, ("127.0.0.1", "localhost"))
    folder = folder or env.path(name + "-tls")
    os.makedirs(folder, exist_ok=True)
    shutil.copy(crt, folder + "/node.crt")
    shutil.copy(key, folder + "/node.key")
    return {"certificate_file": folder + "/node.crt", "key_file": folder + "/node.key"}


def _context(env, cert=None):
    context = ssl.create_default_context(cafile=env.ca.cert)
    if cert:
        context.load_cert_chain(*cert)
    return context


def _open(env, address, context=None, first=b""):
    host, _, port = address.rpartition(":")
    wrap = None
    if context:
        wrap = lambda s: context.wrap_socket(s, server_hostname="127.0.0.1")  # noqa: E731
    return wire.Connection(host.strip("[]"), int(port), wrap=wrap, first=first)


def _round_trip(env, address, config=None):
    topic = env.topic("listener")
    config = config or {}
    task = env.begin(
        "produce", address, topic=[topic], producer="java", count=600, config=config
    )
    assert task.result()["failed"] == 0
    log = env.dump([topic])
    check.topic_holds(log, {"java": check.Writes(task.log)})
    group = Group(env, [topic], 1, bootstrap=address, config=config).wait_for(600)
    check.group_saw(log, group.stop())


def _java_tls(env, keystore=None):
    config = {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": env.ca.cert,
    }
    if keystore:
        config.update({"ssl.keystore.type": "PEM", "ssl.keystore.location": keystore})
    return config


@only(through_weir=True)
def test_tls(env):
    with _node(env, _listener("tls", tls=_server(env)), name="tls") as (node, [address]):
        _round_trip(env, address, _java_tls(env))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = _context(env)
            context.minimum_version = context.maximum_version = version
            with _open(env, address, context) as c:
                assert c.api_versions()
        context = _context(env)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            _open(env, address, context)
        except (ssl.SSLError, ConnectionResetError):
            pass
        else:
            raise AssertionError("TLS 1.1 is accepted")
        with _open(env, address) as c:  # Kafka in the clear on a TLS port
            try:
                c.api_versions()
            except (EOFError, ConnectionResetError, struct.error, AssertionError):
                pass
            else:
                raise AssertionError("plaintext is accepted on a TLS listener")
        # The client has an alert before its connection's end is counted.
        proc.wait_until(
            "both are counted", lambda: node.metric(r'closed_total\{.*reason="tls_error"') >= 2, 10
        )


@only(through_weir=True)
def test_mtls(env):
    tls = {**_server(env), "client_ca_file": env.ca.cert, "client_certificate": "required"}
    client = env.ca.issue("client", ("client",))
    with _node(env, _listener("mtls", tls=tls), name="mtls") as (_, [address]):
        _round_trip(env, address, _java_tls(env, env.ca.keystore("client")))
        with _open(env, address, _context(env, client)) as c:
            assert c.api_versions()
        try:
            with _open(env, address, _context(env)) as c:
                c.api_versions()
        except (ssl.SSLError, EOFError, ConnectionResetError):
            return
        raise AssertionError("a client without a certificate is served")


@only(through_weir=True)
def test_revoked_by_sighup(env):
    good, bad = (env.ca.issue(name, (name,)) for name in ("still-good", "revoked"))
    tls = {
        **_server(env), "client_ca_file": env.ca.cert, "client_certificate": "required",
        "client_crl_file": env.ca.revoke(),
    }  # fmt: skip

    def served(address, client):
        try:
            with _open(env, address, _context(env, client)) as c:
                return bool(c.api_versions())
        except (ssl.SSLError, EOFError, ConnectionResetError, BrokenPipeError):
            return False

    with _node(env, _listener("crl", tls=tls), name="crl") as (node, [address]):
        assert served(address, good) and served(address, bad)
        env.ca.revoke("revoked")
        node.hang_up()
        proc.wait_until("it is refused", lambda: not served(address, bad), 10)
        assert served(address, good)
        proc.wait_until("a line of it", lambda: "certificate revoked" in node.tail(10000), 10)


@only(through_weir=True)
def test_new_certificate_by_sighup(env):
    """New connections see the new one, those that are there go on; a bad one changes nothing."""
    tls = _server(env, "first", env.path("reload"))
    with _node(env, _listener("tls", tls=tls), name="reload") as (node, [address]):

        def name():
            with _open(env, address, _context(env)) as c:
                return dict(part[0] for part in c.sock.getpeercert()["subject"])["commonName"]

        with _open(env, address, _context(env)) as old:
            assert old.api_versions() and name() == "first"
            _server(env, "second", env.path("reload"))
            node.hang_up()
            proc.wait_until("the new certificate", lambda: name() == "second", 10)
            assert old.metadata([])["brokers"], "the old connection is gone"
            with open(tls["certificate_file"], "w", encoding="ascii") as f:
                f.write("no certificate")
            lines = len(node.tail(10000).splitlines())
            node.hang_up()
            proc.wait_until(
                "a line about it", lambda: len(node.tail(10000).splitlines()) > lines, 10
            )
            assert name() == "second", "a bad reload must change nothing"
            assert old.metadata([])["brokers"], "the old connection is gone"


def _v1(text="PROXY TCP4 192.0.2.7 192.0.2.1 40000 9092\r\n"):
    return text.encode()


def _v2(command=1, family=0x11):
    addresses = {
        0x11: socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1"),
        0x21: socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2,
        0x00: b"",
    }[family]
    ports = struct.pack(">HH", 40000, 9092) if addresses else b""
    tlv = b"\x04\x00\x03abc"
    body = addresses + ports + tlv
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(body)) + body


@only(through_weir=True)
def test_proxy_headers(env):
    row = _listener("proxy", proxy_protocol=True, proxy_sources=["127.0.0.0/8"])
    with _node(env, row, name="proxy") as (node, [address]):
        good = [
            _v1(),
            _v1("PROXY TCP6 2001:db8::7 2001:db8::1 40000 9092\r\n"),
            _v1("PROXY UNKNOWN\r\n"),
            _v2(),
            _v2(family=0x21),
            _v2(command=0, family=0x00),
        ]
        for header in good:
            with _open(env, address, first=header) as c:
                assert c.api_versions(), header
        bad = [b"", b"PROXY TCP4 nonsense\r\n", _v2()[:12] + b"\x31\x11\0\x0c" + b"\0" * 12]
        for header in bad:
            try:
                with _open(env, address, first=header) as c:
                    c.api_versions()
            except (EOFError, ConnectionResetError, BrokenPipeError):
                continue
            raise AssertionError(f"served after the header {header}")
        assert node.metric(r'closed_total\{.*reason="proxy_header"') >= len(bad)


def _refused(env, address, first=b""):
    try:
        with _open(env, address, first=first) as c:
            c.api_versions()
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return True
    return False


@only(through_weir=True)
def test_limits_of_an_address(env):
    """The address is the one in the PROXY header, where there is one."""
    rows = [
        _listener("direct"),
        _listener("proxy", proxy_protocol=True, proxy_sources=["127.0.0.0/8"]),
    ]
    header = "PROXY TCP4 192.0.2.{} 192.0.2.1 40000 9092\r\n"
    limits = {"source_connections_max": 3}
    with _node(env, *rows, name="sources", limits=limits) as (node, [direct, proxy]):
        with contextlib.ExitStack() as held:
            for address, first in ((direct, b""), (proxy, _v1(header.format(7)))):
                for _ in range(3):
                    assert held.enter_context(_open(env, address, first=first)).api_versions()
                assert _refused(env, address, first), address
            assert not _refused(env, proxy, _v1(header.format(8)))
            assert node.metric(r'closed_total\{.*reason="source_connections"') == 2
            assert node.metric("weir_connections_refused_total") == 2
        proc.wait_until("there is room again", lambda: not _refused(env, direct), 10)
        proc.wait_until(
            "and there", lambda: not _refused(env, proxy, _v1(header.format(7))), 10
        )


@only(through_weir=True)
def test_rate_of_an_address(env):
    limits = {"source_connection_rate": 5}
    with _node(env, _listener("rate"), name="rate", limits=limits) as (node, [address]):
        before = sum(_refused(env, address) for _ in range(60))
        assert 1 <= before <= 55, before
        assert node.metric(r'closed_total\{.*reason="source_rate"') == before
        proc.wait_until("time passes", lambda: not _refused(env, address), 10)


@only(through_weir=True)
def test_ipv6(env):
    with _node(env, _listener("six", "::1"), name="six") as (_, [address]):
        with _open(env, address) as c:
            seen = c.metadata([])["brokers"]
        assert [b["host"] for b in seen] == ["::1"], seen
        _round_trip(env, address)


@only(through_weir=True)
def test_several_listeners_name_their_own_address(env):
    rows = [_listener("one"), _listener("two", advertised="127.0.0.1:1")]
    with _node(env, *rows, name="several") as (_, [one, two]):
        with _open(env, one) as c:
            assert [f"{b['host']}:{b['port']}" for b in c.metadata([])["brokers"]] == [one]
        with _open(env, two) as c:
            assert [b["port"] for b in c.metadata([])["brokers"]] == [1]
