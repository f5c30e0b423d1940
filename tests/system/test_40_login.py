"""Logging in to weir in front of a plain cluster: mechanisms, refusals, renewal, reload, audit."""

import json
import struct
import time

from rig import check, proc, wire
from rig.driver import ScenarioFailed
from rig.env import only
from rig.identity import ALL, document, plain, scram, statement
from rig.login import (
    AUTHENTICATE, FAILED, HANDSHAKE, ILLEGAL_STATE, MECHANISMS, UNSUPPORTED_MECHANISM, Raw,
    audited, reload, secured, serves,
)  # fmt: skip


@only(through_weir=True)
def test_plain_and_scram(env):
    with secured(env, "passwords") as (node, ids):
        key = ids.user("alice", ALL)
        node.start()
        serves(env, node, plain(key), "plain")
        serves(env, node, scram(key, "SCRAM-SHA-256"), "scram256")
        serves(env, node, scram(key, "SCRAM-SHA-512"), "scram512")
        assert node.metric(r"^weir_logins_total") >= 6
        assert audited(node, event="login", outcome="allowed", mechanism="SCRAM-SHA-512")
    assert key[1] not in node.logged, "the secret is in the log"
    with open(node.audit, encoding="utf-8") as f:
        assert key[1] not in f.read(), "the secret is in the audit"


@only(through_weir=True)
def test_refusals_tell_nothing_apart(env):
    """A wrong secret, an unknown key, a disabled one, one without rights: the same words."""
    with secured(env, "refusals") as (node, ids):
        good = ids.user("alice", ALL)
        no_rights = ids.user("bob")
        disabled = ids.user("carol", ALL)
        ids.ctl("keys", "disable", disabled[0], *ids._files())
        node.start()
        said = set()
        for key in ((good[0], "x" * 40), ("WEIRAAAAAAAAAAAAAAAA", good[1]), no_rights, disabled):
            with Raw(node) as c:
                assert c.handshake("PLAIN") == (0, MECHANISMS)
                began = time.monotonic()
                error, text, _, _ = c.plain(key)
                assert time.monotonic() - began >= 0.09, "a refusal is not slowed"
                assert error == FAILED and c.closed()
                said.add(text.split("]")[1])
        assert said == {": Access denied"}, said
        node.metric(r"^weir_logins_total")  # what was told before is written when it answers
        reasons = [row["reason"] for row in audited(node, event="login", outcome="denied")]
        assert reasons == ["signature", "unknown_key", "not_allowed", "disabled"], reasons
        try:
            env.client(
                "produce", bootstrap=node.address, topic=[env.topic("refused")], producer="java",
                count=1, config=plain((good[0], "no")),
            )  # fmt: skip
            raise AssertionError("a wrong secret was let in")
        except ScenarioFailed as e:
            assert "SaslAuthenticationException" in str(e), e
        with Raw(node) as c:
            c.handshake("PLAIN")
            assert c.plain(good)[0] == 0


@only(through_weir=True)
def test_before_login(env):
    limits = {"login_requests_max": 4, "login_ms": 4000}
    with secured(env, "before-login", limits=limits, mechanisms=["PLAIN"]) as (node, ids):
        key = ids.user("alice", ALL)
        node.start()
        with Raw(node) as c:
            assert HANDSHAKE in c.api_versions()
            c.sock.sendall(wire.request(wire.METADATA, 2, 9, body=struct.pack(">i", -1)))
            assert c.closed(), "Metadata before the login"
        with Raw(node) as c:
            for _ in range(4):
                c.api_versions()
            c.sock.sendall(wire.request(wire.API_VERSIONS, 0, 9))
            assert c.closed(), "more requests than login_requests_max"
        with Raw(node) as c:
            assert c.handshake("SCRAM-SHA-256") == (UNSUPPORTED_MECHANISM, ["PLAIN"])
            assert c.closed()
        with Raw(node) as c:
            c.api_versions()
            assert c.closed(10), "login_ms"
        with Raw(node) as c:
            c.sock.sendall(struct.pack(">i", 70000) + b"\0" * 70000)
            assert c.closed(), "a frame over frame_max_login"
        with Raw(node) as c:
            c.sock.sendall(wire.request(AUTHENTICATE, 1, 1, body=struct.pack(">i", 0)))
            frame = wire.Reader(wire.read_frame(c.sock))
            frame.take("i")
            assert frame.take("h") == ILLEGAL_STATE
        # Tokens without a header, as SaslHandshake v0 has it.
        with Raw(node) as c:
            assert c.handshake("PLAIN", 0)[0] == 0
            token = b"\0" + key[0].encode() + b"\0" + key[1].encode()
            c.sock.sendall(struct.pack(">i", len(token)) + token)
            assert wire.read_frame(c.sock) == b""
            assert c.metadata([])["brokers"], "logged in by a raw token"
        with Raw(node) as c:
            c.handshake("PLAIN", 0)
            token = b"\0" + key[0].encode() + b"\0wrong"
            c.sock.sendall(struct.pack(">i", len(token)) + token)
            assert c.closed(), "a wrong raw token"


@only(through_weir=True)
def test_renewed_and_expired(env):
    """KIP-368: clients renew within session_max_ms; who does not is closed."""
    with secured(env, "renewal", session_max_ms=3000, mechanisms=["PLAIN", "SCRAM-SHA-512"]) as (
        node,
        ids,
    ):
        alice, bob = ids.user("alice", ALL), ids.user("bob", ALL)
        node.start()
        topic = env.topic("renewal")
        task = env.begin(
            "produce", node.address, topic=[topic], producer="java", rate=100, config=scram(alice)
        )
        task.wait_event("first")
        with Raw(node) as c:
            c.handshake("PLAIN")
            began = time.monotonic()
            error, _, _, lifetime = c.plain(alice)
            assert error == 0 and 0 < lifetime <= 3000, lifetime
            refused = c.handshake("PLAIN")[0] == ILLEGAL_STATE
            assert refused or time.monotonic() - began > 1, "renewed within a second"
            proc.wait_until(
                "a renewal is taken", lambda: c.handshake("PLAIN")[0] == 0, 10
            )
            assert c.plain(alice)[0] == 0 and c.metadata([])["brokers"]
            proc.wait_until("the next one", lambda: c.handshake("PLAIN")[0] == 0, 10)
            assert c.plain(bob)[0] == FAILED, "the principal changed"
            assert c.closed()
        with Raw(node) as c:
            c.handshake("PLAIN")
            c.plain(alice)
            proc.wait_until(
                "another mechanism is refused", lambda: c.handshake("SCRAM-SHA-512")[0] != ILLEGAL_STATE, 10
            )
            assert c.closed()
        with Raw(node) as c:
            c.handshake("PLAIN")
            c.plain(alice)

            def closed():
                try:
                    c.metadata([])
                    return False
                except (EOFError, OSError):
                    return True

            proc.wait_until("the session is over", closed, 15)
        proc.wait_until(
            "the producer has renewed thrice", lambda: node.metric(r"^weir_logins_total") >= 8, 30
        )
        result = task.stop().result()
        assert result["failed"] == 0, result
        check.topic_holds(env.dump([topic]), {"java": check.Writes(task.log)})
        assert node.metric(r'closed_total\{reason="session_expired"') >= 1
        assert audited(node, outcome="denied", reason="principal_changed")


@only(through_weir=True)
def test_reload_reaches_live_sessions(env):
    """A disabled key and a changed policy end or change sessions within five seconds."""
    with secured(env, "revoked", mechanisms=["PLAIN"]) as (node, ids):
        alice, bob = ids.user("alice", ALL), ids.user("bob", ALL)
        node.start()
        with Raw(node) as a, Raw(node) as b:
            for c, key in ((a, alice), (b, bob)):
                c.handshake("PLAIN")
                assert c.plain(key)[0] == 0
            ids.ctl("keys", "disable", alice[0], *ids._files())
            began = time.monotonic()
            reload(node)
            assert a.closed(5)
            assert time.monotonic() - began < 5
            assert b.metadata([])["brokers"], "the other one goes on"
            topic = env.topic("revoked")
            assert b.metadata([topic])["topics"][0]["error"] == 0
            ids.add("users", "bob", document(statement(["Connect"], ["*"])))
            reload(node)
            proc.wait_until(
                "the topic is denied", lambda: b.metadata([topic])["topics"][0]["error"] == 29, 5
            )
            # A fault: all goes on as before.
            ids.policy("users-bob-0", {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]})
            failed = node.metric(r"^weir_reloads_failed_total")
            node.hang_up()
            proc.wait_until(
                "a refused reload", lambda: node.metric(r"^weir_reloads_failed_total") > failed, 10
            )
            assert b.metadata([])["brokers"]
        assert audited(node, event="session", outcome="ended")
        assert audited(node, event="reload", outcome="refused")


@only(through_weir=True)
def test_explain_access(env):
    with secured(env, "explain") as (node, ids):
        doc = document(
            statement(["*"], ["*"]),
            statement(["WriteData"], ["arn:aws:kafka:*:*:topic/weir/*/secret-*"], "Deny", Sid="NoSecrets"),
        )
        ids.user("alice", doc)
        node.start()
        at = ["--admin", f"127.0.0.1:{node.admin_port}"]
        ask = ["explain-access", "--principal", "user/alice", "--action", "WriteData", "--json"]
        said = json.loads(ids.ctl(*ask, "--resource", "topic/open", *at))
        assert said["allowed"] is True, said
        said = json.loads(ids.ctl(*ask, "--resource", "topic/secret-plan", *at, code=1))
        assert said["allowed"] is False and said["sid"] == "NoSecrets", said
        said = json.loads(ids.ctl(*ask, "--resource", "topic/secret-plan", "-c", node.config_file, code=1))
        assert said["sid"] == "NoSecrets", said
        ids.ctl("explain-access", "--principal", "user/alice", code=2)
        ids.ctl(*ask[:-1], "--resource", "group/g", *at, code=1)


@only(through_weir=True)
def test_configuration_faults(env):
    """weir check names what does not fit together."""
    with secured(env, "auth-faults") as (node, ids):
        ids.user("alice", ALL)
        faults = [
            ({"plain_without_tls": False}, {}, "listeners[0].mechanisms"),
            ({"keys_file": None}, {}, "auth.keys_file"),
            ({"master_key_file": None}, {}, "auth.master_key"),
            ({"jwt": {"jwks_file": ids.file}}, {}, "issuer"),
            ({}, {"mechanisms": []}, "is required with auth sasl"),
            ({}, {"auth": "certificate", "mechanisms": []}, "must be required"),
            ({"keys_file": ids.file + ".none"}, {}, "cannot be opened"),
            ({"policies_dir": ids.folder + "/none"}, {}, "policies"),
        ]
        for auth, listener, text in faults:
            config = json.loads(json.dumps(node.config))
            config["auth"].update(auth)
            config["listeners"][0].update(listener)
            node.write_config(config)
            code, out, err = proc.run(
                "check", [env.options.weir, "check", "-c", node.config_file], env.path("x.log"), 20
            )
            assert code == 1 and text in out + err, (auth, listener, out + err)
        # And weir run tells all of them at once, too.
        config = json.loads(json.dumps(node.config))
        config["auth"].update(keys_file=ids.file + ".none", audit={"file": "/nowhere/audit"})
        config["auth"]["policies_dir"] = ids.folder + "/none"
        node.write_config(config)
        code, out, err = proc.run("run", [env.options.weir, "run", "-c", node.config_file], env.path("x.log"), 20)
        assert code == 1 and "cannot start" in out + err, out + err
        for text in (ids.file + ".none", "auth.audit.file", "policies"):
            assert text in out + err, (text, out + err)
