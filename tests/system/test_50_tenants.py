"""Tenants as an operator has them: whose a client is, networks, suspending, a folder that nodes
share, faults. What a tenant sees of names is another test's."""

import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import time

from rig import certs, proc
from rig.driver import ScenarioFailed
from rig.env import only
from rig.identity import ALL, plain
from rig.issuer import Issuer
from rig.login import FAILED, Raw, audited, secured, told, trusting
from rig.tenants import Folder, shown
from rig.wire import Connection

WITHIN = 5  # seconds: how long a node may take to see a change of the folder


@contextlib.contextmanager
def node_with(env, name, folder, *listeners, **more):
    """A node that logs in with SASL, has these tenants, and these other listeners besides;
    gives it and its identities. node.at[name] is where a listener is."""
    with secured(env, name, **more) as (node, ids):
        node.config["tenants_dir"] = folder.path
        node.at = {"kafka": ("127.0.0.1", node.port)}
        for row in listeners:
            node.at[row["name"]] = ("127.0.0.1", proc.free_port())
            row["address"] = "%s:%d" % node.at[row["name"]]
            node.config["listeners"].append(row)
        node.write_config(node.config)
        yield node, ids


def log_in(node, key):
    """A raw client that has logged in with the key."""
    c = Raw(node)
    assert c.handshake("PLAIN")[0] == 0
    error, text, _, _ = c.plain(key)
    assert error == 0, text
    return c


def refusal(node, key):
    with Raw(node) as c:
        assert c.handshake("PLAIN")[0] == 0
        error, text, _, _ = c.plain(key)
        assert error == FAILED and c.closed(), (error, text)
        return text.split("]: ", 1)[1]


def belongs(c, node, tenant):
    """Whether the one session there is, is the tenant's, and sees the tenant's cluster."""
    seen = c.metadata([])["cluster_id"]
    sessions = [s for s in node.status()["sessions"] if s["tenant"]]
    assert [s["tenant"] for s in sessions] == [tenant], sessions
    assert seen == shown(node, tenant)["cluster_id"], seen
    assert shown(node, tenant)["sessions"] == 1
    c.sock.close()
    proc.wait_until("it is gone", lambda: shown(node, tenant)["sessions"] == 0, 10)


def closed(address, wrap=None, first=b""):
    """Whether a client without a login is sent away."""
    try:
        with Connection(*address, wrap=wrap, first=first) as c:
            return not c.metadata([])["brokers"]
    except (OSError, EOFError):
        return True


def server_name(env, name, version=ssl.TLSVersion.TLSv1_3, session=None):
    context = ssl.create_default_context(cafile=env.ca.cert)
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version
    return lambda sock: context.wrap_socket(sock, server_hostname=name, session=session), context


@only(through_weir=True)
def test_whose_a_client_is(env):
    """By access key, token claim, certificate, listener and SNI; who is nobody's or two's is not
    let in, nor is one of another tenant's cluster."""
    issuer, ca = Issuer(env, "tenants-idp"), certs.CA(env.path("tenants-ca"))
    issuer.key("one")
    crt, key = env.ca.issue("tenants")
    tls = {"certificate_file": crt, "key_file": key}
    folder = Folder(env.path("tenants-who.d"))
    mtls = {**tls, "client_ca_file": ca.cert, "client_certificate": "required"}
    with node_with(
        env, "tenants-who", folder, {"name": "open"}, {"name": "tls", "tls": tls},
        {"name": "mtls", "tls": mtls, "auth": "certificate"},
        jwt=issuer.config(jwks_file=issuer.write_jwks(), tenant_claim="team"),
        certificates=[{"from": "cn", "pattern": "*", "name": "$1"}],
    ) as (node, ids):  # fmt: skip
        alice, bob, carol = (ids.user(name, ALL) for name in ("alice", "bob", "carol"))
        ids.add("subjects", "s", ALL)
        ids.add("certificates", "billing", ALL)
        folder.write("keys", {"access_key": alice[0]}, {"principal": "*:user/carol"})
        folder.write("also", {"principal": "*:user/ca*"})
        folder.write("claims", {"tenant_claim": "blue"})
        folder.write("certs", {"certificate": "bill*"})
        folder.write("opens", {"listener": "open"})
        folder.write("names", {"sni": "names.example.com", "listener": "tls"})
        node.start()
        belongs(log_in(node, alice), node, "keys")
        assert refusal(node, bob) == "Access denied"
        assert refusal(node, carol) == "Access denied"
        why = told(node, event="login", outcome="denied", reason="tenant", claimed=carol[0])
        assert "keys" in why["detail"] and "also" in why["detail"], why
        c = Raw(node)
        assert c.bearer(issuer.token("s", team="blue"))[0] == 0
        belongs(c, node, "claims")
        with Raw(node) as c:
            assert c.bearer(issuer.token("s", team="green"))[0] == FAILED
        for name, tenant in (("billing", "certs"), ("other", None)):
            made = ca.issue(name, ("client",))
            if tenant:
                belongs(Connection(*node.at["mtls"], wrap=trusting(env, made)), node, tenant)
            else:
                assert closed(node.at["mtls"], trusting(env, made)), "a stranger is served"
        belongs(Connection(*node.at["open"]), node, "opens")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            wrap, context = server_name(env, "Names.Example.com", version)
            c = Connection(*node.at["tls"], wrap=wrap)
            c.metadata([])
            session = c.sock.session
            belongs(c, node, "names")
            # A resumed session has the name of the first.
            c = Connection(*node.at["tls"], wrap=lambda s, x=context, t=session: x.wrap_socket(
                s, server_hostname="names.example.com", session=t))  # fmt: skip
            assert c.sock.session_reused
            belongs(c, node, "names")
        assert closed(node.at["tls"], server_name(env, "other.example.com")[0])
        assert closed(node.at["tls"], server_name(env, "127.0.0.1")[0]), "no server name at all"
        assert node.metric(r'^weir_login_failures_total\{reason="tenant"') >= 6
        assert node.metric(r'^weir_connections_closed_total\{reason="tenant"') >= 2
        assert node.metric(r"^weir_tenants$") == 6
    assert "keys" in node.logged and "it is a member of two tenants" in node.logged


def proxied(address, endpoint=None):
    """A PROXY header of version 2 with that client, and the endpoint as AWS's TLV."""
    addresses = socket.inet_aton(address) + socket.inet_aton("192.0.2.1")
    tlv = b""
    if endpoint:
        tlv = struct.pack(">BHB", 0xEA, len(endpoint) + 1, 1) + endpoint.encode()
    body = addresses + struct.pack(">HH", 40000, 9092) + tlv
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack(">BBH", 0x21, 0x11, len(body)) + body


@only(through_weir=True)
def test_networks(env):
    """Tenants of one listener, told apart by networks and VPC endpoints; a change is at once."""
    folder = Folder(env.path("tenants-networks.d"))
    listener = {"name": "lb", "proxy_protocol": True, "proxy_sources": ["127.0.0.1"]}
    with node_with(env, "tenants-networks", folder, listener) as (node, _):
        member = {"listener": "lb"}
        folder.write("cidr", member, networks={"cidrs": ["10.1.0.0/16"]})
        folder.write("vpc", member, networks={"vpc_endpoints": ["vpce-0a1b"]})
        node.start()
        at = node.at["lb"]
        belongs(Connection(*at, first=proxied("10.1.2.3")), node, "cidr")
        belongs(Connection(*at, first=proxied("10.9.2.3", "vpce-0a1b")), node, "vpc")
        for first in (
            proxied("10.9.2.3"), proxied("10.9.2.3", "vpce-0a1b2"), proxied("10.1.2.3", "vpce-0a1b"),
        ):  # fmt: skip
            assert closed(at, first=first)
        assert node.metric(r'^weir_login_failures_total\{reason="network"') == 2
        with Connection(*at, first=proxied("10.1.2.3")) as c:
            assert c.metadata([])["brokers"]
            folder.write("cidr", member, networks={"cidrs": ["10.2.0.0/16"]})
            proc.wait_until("it is disconnected", lambda: closed_now(c), WITHIN)
        told(node, event="session", outcome="ended", tenant="cidr")


def closed_now(c):
    c.sock.settimeout(0.05)
    try:
        return c.sock.recv(1) == b""
    except socket.timeout:
        return False
    except (OSError, ssl.SSLError):
        return True


def java_refused(env, node, key):
    """What a Java client says of its login."""
    try:
        env.client(
            "produce", bootstrap=node.address, topic=["t"], producer="java", count=1,
            config=plain(key),
        )  # fmt: skip
    except ScenarioFailed as e:
        return str(e)
    raise AssertionError("it was let in")


@only(through_weir=True)
def test_suspended_on_every_node(env):
    """Two nodes share the folder: each ends the tenant's sessions, of all listeners, and says
    why to the client's people. A restart keeps it."""
    folder = Folder(env.path("tenants-suspend.d"))
    with node_with(env, "suspend-1", folder, {"name": "open"}) as (one, ids), node_with(
        env, "suspend-2", folder, {"name": "open"}, ids=ids
    ) as (two, _):
        two.audit = os.path.join(ids.folder, "audit-2.jsonl")
        two.config["auth"]["audit"]["file"] = two.audit
        two.write_config(two.config)
        blue, green = ids.user("blue", ALL), ids.user("green", ALL)
        text = '{ "members": [ {"access_key": "%s"}, {"listener": "open"} ],\n\t"region":"eu-1" }\n'
        folder.write_text("blue", text % blue[0])
        folder.write("green", {"access_key": green[0]})
        one.start()
        two.start()
        nodes = (one, two)
        blues = [log_in(n, blue) for n in nodes] + [Connection(*n.at["open"]) for n in nodes]
        greens = [log_in(n, green) for n in nodes]
        for c in blues + greens:
            assert c.metadata([])["brokers"]
        began = time.monotonic()
        ids.ctl("tenants", "suspend", "blue", "--reason", "bill unpaid", "-c", one.config_file)
        left = began + WITHIN - time.monotonic()
        proc.wait_until("all are disconnected", lambda: all([closed_now(c) for c in blues]), left)
        took = time.monotonic() - began
        for c in greens:
            assert c.metadata([])["brokers"], "another tenant's session has ended"
        for n in nodes:

            def ended(n=n):
                return audited(n, event="session", outcome="ended", tenant="blue")

            proc.wait_until("both ends in the audit", lambda: len(ended()) >= 2, 10)
            assert len(ended()) == 2
            assert told(n, event="suspend")["detail"] == "tenant blue: bill unpaid"
            assert refusal(n, blue) == "tenant blue is suspended: bill unpaid"
            assert refusal(n, (blue[0], "wrong")) == "Access denied"
            assert closed(n.at["open"])
            assert n.metric(r'^weir_login_failures_total\{reason="suspended"') == 2
            said = java_refused(env, n, blue)
            assert "SaslAuthenticationException" in said and "tenant blue is suspended: bill unpaid" in said, said
            assert shown(n, "blue")["suspended"] == "bill unpaid"
        two.stop()
        two.start()
        assert refusal(two, blue) == "tenant blue is suspended: bill unpaid"
        # Nothing else in the file has changed, and one node's admin address is enough.
        assert folder.read("blue") == "{\n  \"suspended\": \"bill unpaid\"," + (text % blue[0])[1:]
        ids.ctl("tenants", "resume", "blue", "--admin", f"127.0.0.1:{two.admin_port}")
        proc.wait_until("it is let in", lambda: shown(one, "blue")["suspended"] is None, WITHIN)
        for n in nodes:
            log_in(n, blue).sock.close()
        admins = [a for n in nodes for a in ("--admin", f"127.0.0.1:{n.admin_port}")]
        ids.ctl("tenants", "suspend", "blue", "--reason", "again", *admins)
        assert all(shown(n, "blue")["suspended"] == "again" for n in nodes)
        return f"sessions on both nodes ended after {took:.1f} s"


def check_file(node):
    done = subprocess.run(
        [node.binary, "check", "-c", node.config_file],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def suspended_all_the_same(node, ids, folder, key, c):
    """While files have faults: by the file and by the admin address, and let in again."""
    folder.write("good", {"access_key": key[0]})
    ids.ctl("tenants", "suspend", "good", "--reason", "unpaid", "-c", node.config_file)
    proc.wait_until("it is disconnected", lambda: closed_now(c), WITHIN)
    assert refusal(node, key) == "tenant good is suspended: unpaid"
    assert shown(node, "good")["suspended"] == "unpaid" and list(shown(node)) == ["good"]
    for words in (["resume", "good"], ["suspend", "good", "--reason", "r"], ["resume", "good"]):
        ids.ctl("tenants", *words, "--admin", f"127.0.0.1:{node.admin_port}")
        assert bool(shown(node, "good")["suspended"]) == (words[0] == "suspend")


@only(through_weir=True)
def test_a_bad_file_changes_nothing(env):
    """All faults are told, by the log, weir check and a reload, and all but suspensions goes on
    as before."""
    folder = Folder(env.path("tenants-faults.d"))
    with node_with(env, "tenants-faults", folder) as (node, ids):
        key = ids.user("alice", ALL)
        folder.write("good", {"access_key": key[0]})
        node.start()
        assert check_file(node)[0] == 0
        failed = r"^weir_tenant_reloads_failed_total"
        with log_in(node, key) as c:
            folder.write("bad", {"listener": "nowhere"}, policies=["none"])
            folder.write("worse", namespace="own")
            folder.remove("good")
            proc.wait_until("it is told", lambda: node.metric(failed) >= 1, WITHIN)
            proc.wait_until("all of it is told", lambda: "worse.json" in node.tail(100), WITHIN)
            assert c.metadata([])["brokers"] and list(shown(node)) == ["good"]
            code, said = check_file(node)
            for text in ("there is no listener nowhere", "none.json", "must be one of prefixed|shared"):
                assert text in said and code == 1, said
            node.hang_up()
            told(node, event="reload", outcome="refused")
            suspended_all_the_same(node, ids, folder, key, c)
            folder.remove("good")
            ids.ctl("tenants", "suspend", "good", "--reason", "r", "--admin",
                    f"127.0.0.1:{node.admin_port}", code=1)  # fmt: skip
        with log_in(node, key) as c:
            before = node.metric(r"^weir_tenant_reloads_total")
            folder.write("good", {"access_key": key[0]})
            folder.remove("bad")
            folder.remove("worse")
            proc.wait_until("it is taken over",
                            lambda: node.metric(r"^weir_tenant_reloads_total") > before, WITHIN)  # fmt: skip
            assert c.metadata([])["brokers"]
            folder.write("other", {"access_key": key[0]})
            folder.remove("good")
            proc.wait_until("it is disconnected", lambda: closed_now(c), WITHIN)
        why = told(node, event="session", outcome="ended", tenant="good")["detail"]
        assert "tenant other" in why or "two tenants" in why, why


@only(through_weir=True)
def test_tenants_command(env):
    folder = Folder(env.path("tenants-command.d"))
    with node_with(env, "tenants-command", folder) as (node, ids):
        key = ids.user("alice")
        ids.policy("own", {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "kafka-cluster:*",
                          "Resource": "arn:aws:kafka:us-east-1:000000000000:*/shop/*"},
        })  # fmt: skip
        folder.write("shop", {"access_key": key[0]}, cluster_name="shop", policies=["own"])
        folder.write("other", {"principal": "*:user/bob"}, namespace="shared")
        node.start()
        at = ["--admin", f"127.0.0.1:{node.admin_port}"]
        with log_in(node, key) as c:
            assert c.metadata([])["brokers"]
            said = ids.ctl("tenants", "list", *at)
            assert [line.split()[:3] for line in said.splitlines()[1:]] == [
                ["other", "shared", "0"], ["shop", "prefixed", "1"],
            ], said  # fmt: skip
            said = json.loads(ids.ctl("tenants", "show", "shop", "--json", *at))
            assert said["sessions"] == 1 and said["policies"] == ["own"], said
            assert said["arn"].endswith(":cluster/shop/" + said["cluster_id"]), said
            assert said["arn"] in ids.ctl("tenants", "show", "shop", *at)
            assert c.metadata([])["cluster_id"] == said["cluster_id"]
        ids.ctl("tenants", "show", "nobody", *at, code=1)
        ids.ctl("tenants", "suspend", "nobody", "--reason", "x", *at, code=1)
        ids.ctl("tenants", "suspend", "shop", *at, code=2)
        ask = ["explain-access", "--principal", "user/alice", "--action", "WriteData", "--json"]
        ask += ["--resource", "topic/orders"]
        ids.ctl(*ask, *at, code=1)  # of a user alone no key is known
        said = json.loads(ids.ctl(*ask, "--tenant", "shop", *at))
        assert said["allowed"] and said["tenant"] == "shop" and said["policy"] == "own", said
        said = json.loads(ids.ctl(*ask, "--tenant", "other", "-c", node.config_file, code=1))
        assert not said["allowed"] and said["tenant"] == "other", said
        assert node.status()["tenants"] == 2
