"""weir in front of brokers that ask for TLS, certificates or a login."""

from rig import check, kafka, proc
from rig.env import only
from rig.weir import Weir
from rig.workload import Group


def _secret_file(env, text=kafka.SECRET):
    path = env.path("secret")
    with open(path, "w", encoding="ascii") as f:
        f.write(text + "\n")
    return path


def _config(env, node, listener, security, sasl=None, tls=None):
    cluster = {"bootstrap": env.cluster.bootstrap(listener), "security": security}
    if sasl:
        cluster["sasl"] = sasl
    if tls:
        cluster["tls"] = tls
    return {
        "cluster": cluster,
        "listeners": [{"name": "kafka", "address": node.address}],
        "admin": {"address": f"127.0.0.1:{node.admin_port}"},
    }


def _serves(env, listener, security, sasl=None, tls=None):
    node = Weir(env, config={}, name=f"to-{listener}-{(sasl or {}).get('mechanism')}")
    node.write_config(_config(env, node, listener, security, sasl, tls))
    node.start()
    try:
        topic = env.topic("secured")
        task = env.begin("produce", node.address, topic=[topic], producer="java", count=600)
        assert task.result()["failed"] == 0
        log = env.dump([topic])
        check.topic_holds(log, {"java": check.Writes(task.log)})
        group = Group(env, [topic], 1, bootstrap=node.address).wait_for(600)
        check.group_saw(log, group.stop())
        with open(node.log, encoding="utf-8") as f:
            assert kafka.SECRET not in f.read(), "the password is in the log"
    finally:
        node.stop(2)


def _login(env, mechanism):
    return {
        "mechanism": mechanism,
        "username": kafka.USER,
        "password_file": _secret_file(env),
    }


@only(through_weir=True)
def test_sasl_plain(env):
    _serves(env, "SASL", "sasl_plaintext", _login(env, "plain"))


@only(through_weir=True)
def test_scram_sha_256(env):
    _serves(env, "SASL", "sasl_plaintext", _login(env, "scram_sha_256"))


@only(through_weir=True)
def test_scram_sha_512_over_tls(env):
    _serves(env, "SASLSSL", "sasl_tls", _login(env, "scram_sha_512"), {"ca_file": env.ca.cert})


REAUTHENTICATED = "successful-reauthentication-total"
KILLED = "expired-connections-killed-count"


def _logins(env):
    """What the brokers have counted at the listener SASL since they started."""
    counts = [
        b.mbeans(
            "kafka.server:type=socket-server-metrics,listener=SASL,networkProcessor=*",
            [REAUTHENTICATED, KILLED],
        )
        for b in env.cluster.brokers
    ]
    return {name: sum(c[name] for c in counts) for name in (REAUTHENTICATED, KILLED)}


@only(through_weir=True)
def test_login_that_ends(env):
    """Logins of a few seconds (KIP-368): connections in use log in again, idle ones are
    closed before their time, and brokers have none to end."""
    node = Weir(env, config={}, name="short-login")
    sasl = _login(env, "scram_sha_512")
    node.write_config(_config(env, node, "SASL", "sasl_plaintext", sasl))
    before, lifetimes = _logins(env), 3
    node.start()
    try:
        topic, at = env.topic("renewed"), {"bootstrap": node.address}
        task = env.begin("produce", topic=[topic], producer="java", rate=200, **at)
        group = Group(env, [topic], 1, **at)
        # A share session keeps its connection for as long as its client does.
        share = None
        if not env.options.kafka.startswith("3."):
            share = env.begin("share", topic=[topic], group=env.name("share"), **at)
        group.wait_for(200 * lifetimes * kafka.LIFETIME_MS // 1000)
        result = task.stop().result()
        assert result["failed"] == 0, f"refused: {result}"
        log = env.dump([topic])
        check.topic_holds(log, {"java": check.Writes(task.log)})
        group.wait_for(len(log.rows))
        check.group_saw(log, group.stop())
        if share:
            assert not share.stop().result()["errors"], share.result()["errors"][:3]
        after = _logins(env)
        assert after[KILLED] == before[KILLED], f"brokers ended connections: {after}"
        renewed = after[REAUTHENTICATED] - before[REAUTHENTICATED]
        assert not share or renewed >= lifetimes - 1, f"renewed {renewed} times"
        opened = node.metric("weir_upstreams_opened_total")
        assert opened >= lifetimes, f"{opened} connections: did no login end?"
        assert node.metric("weir_upstreams_failed_total") == 0
        with open(node.log, encoding="utf-8") as f:
            assert "broker did not answer" not in f.read(), node.tail()
        return f"{renewed:.0f} logins renewed, {opened:.0f} connections opened, none ended by brokers"
    finally:
        node.stop(2)


@only(through_weir=True)
def test_tls(env):
    _serves(env, "SSL", "tls", tls={"ca_file": env.ca.cert})


@only(through_weir=True)
def test_mtls(env):
    crt, key = env.ca.issue("weir-client", ("weir",))
    files = {"ca_file": env.ca.cert, "certificate_file": crt, "key_file": key}
    _serves(env, "MTLS", "tls", tls=files)


@only(through_weir=True)
def test_wrong_password_is_said_and_survived(env):
    node = Weir(env, config={}, name="wrong-password")
    sasl = {**_login(env, "scram_sha_256"), "password_file": _secret_file(env, "not-that")}
    node.write_config(_config(env, node, "SASL", "sasl_plaintext", sasl))
    node.start(ready=False)
    try:
        proc.wait_until("it lives", lambda: node.get("/healthz")[0] == 200, 10)
        words = ("login", "authentication", "sasl")
        proc.wait_until(
            "a line about the login", lambda: any(w in node.tail().lower() for w in words), 15
        )
        assert node.get("/readyz")[0] != 200 and node.alive()
        assert "not-that" not in node.tail(1000), "the password is in the log"
    finally:
        node.stop(2)


@only(through_weir=True)
def test_untrusted_broker_is_refused(env):
    node = Weir(env, config={}, name="untrusted")
    other = type(env.ca)(env.path("other-ca"))
    node.write_config(_config(env, node, "SSL", "tls", tls={"ca_file": other.cert}))
    node.start(ready=False)
    try:
        proc.wait_until("it lives", lambda: node.get("/healthz")[0] == 200, 10)
        proc.wait_until(
            "a failed connection", lambda: node.metric("weir_upstreams_failed_total") >= 1, 15
        )
        assert node.get("/readyz")[0] != 200 and node.alive()
    finally:
        node.stop(2)
