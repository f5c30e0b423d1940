"""weir's Redis client with real servers: logins, TLS, faults, Sentinels, a Cluster.

No broker and no weir is needed here; what gateways do with it are other tests.
"""

import os
import time

from rig import certs, proc
from rig.env import only
from rig.redis import Client, Cluster, Sentinels, Server

KEY = "weir:{t}:count"
# Where it is the server that is late; others wait longer, or a loaded machine were one.
QUICK = {"connect_ms": 300, "timeout_ms": 250}
# What quota/README.md says that a user needs, for a script that does INCR.
RIGHTS = ["~weir:*", "-@all", "+ping", "+evalsha", "+eval", "+incr"]
CLUSTER_RIGHTS = [*RIGHTS, "+cluster|slots", "+cluster|info", "+asking"]
SENTINEL_RIGHTS = [
    "-@all", "+ping", "+sentinel|get-master-addr-by-name", "+subscribe", "+unsubscribe",
    "resetchannels", "&+switch-master",
]  # fmt: skip


def secret(env, text):
    path = env.path(env.name("redis-secret"))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + "\n")
    os.chmod(path, 0o600)
    return path


@only(through_weir=True)
def test_one_server(env):
    server = Server(env).start()
    client = Client(env, addresses=[server.address], database=3).until_up()
    assert client.call(KEY, "SET", KEY, "1") == ("answered", "OK")
    assert server.cli("-n", "3", "GET", KEY) == "1"
    # The first one of a script carries it; after a flush the next one does.
    assert [client.count(KEY) for _ in range(3)] == [("answered", str(n)) for n in (2, 3, 4)]
    assert client.counters()["noscript"] == 1
    server.cli("SCRIPT", "FLUSH")
    assert client.count(KEY) == ("answered", "5")
    assert client.counters()["noscript"] == 2
    # Many at once are one round trip or few, and in order.
    before = client.counters()
    began = client.begin_many(500, "count", KEY)
    assert [client.end(n)[1] for n in began] == [str(n) for n in range(6, 506)]
    after = client.counters()
    trips = after["round_trips"] - before["round_trips"]
    assert after["commands"] - before["commands"] == 500 and trips < 250, trips
    outcome, text = client.call(KEY, "LPUSH", KEY, "x")
    assert outcome == "refused" and text.startswith("WRONGTYPE"), text
    client.finish()
    server.stop()
    return f"500 calls in {trips} round trips"


@only(through_weir=True)
def test_by_name_and_ipv6_and_unix_socket(env):
    server = Server(env).start()
    for address in (f"localhost:{server.port}", f"[::1]:{server.port}", server.path):
        client = Client(env, addresses=[address]).until_up()
        client.succeeds(KEY)
        assert client.state()[0][0] == address, client.state()
        client.finish()
    assert server.cli("GET", KEY) == "3"
    server.stop()


@only(through_weir=True)
def test_killed_and_back(env):
    server = Server(env).start()
    client = Client(env, addresses=[server.address]).until_up()
    client.succeeds(KEY)
    server.kill()
    client.until_down()
    assert client.count(KEY)[0] == "down"
    server.start()
    began = time.monotonic()
    assert client.succeeds(KEY) == 1  # it came back empty, also of scripts
    took = time.monotonic() - began
    assert client.counters()["reconnects"] == 1
    client.finish()
    server.stop()
    return f"answered {took * 1000:.0f} ms after its return"


@only(through_weir=True)
def test_hung(env):
    """A stopped server: calls fail in their time, and what it says later is nobody's."""
    server = Server(env).start()
    client = Client(env, addresses=[server.address], **QUICK).until_up()
    client.succeeds(KEY)
    server.pause()
    began = time.monotonic()
    first, second = client.begin("count", KEY), client.begin("call", KEY, "GET", KEY)
    outcomes = [client.end(first)[0], client.end(second)[0]]
    took = time.monotonic() - began
    assert outcomes == ["timed out", "lost"], outcomes
    client.until_down("in time")
    server.resume()
    # The stopped server did count when it went on; the answer went to a closed connection.
    assert client.succeeds(KEY) in (2, 3)
    assert client.call(KEY, "PING") == ("answered", "PONG")
    client.finish()
    server.stop()
    return f"noticed in {took * 1000:.0f} ms"


@only(through_weir=True)
def test_slow(env):
    """It is connected, and answers nobody for a while."""
    server = Server(env).start()
    client = Client(env, addresses=[server.address], **QUICK).until_up()
    client.succeeds(KEY)
    assert server.cli("CLIENT", "PAUSE", "3000", "ALL") == "OK"
    assert client.count(KEY)[0] == "timed out"
    client.until_down()
    server.cli("CLIENT", "UNPAUSE")
    client.succeeds(KEY)
    client.finish()
    server.stop()


@only(through_weir=True)
def test_full(env):
    server = Server(env, "maxmemory-policy noeviction").start()
    client = Client(env, addresses=[server.address]).until_up()
    client.succeeds(KEY)
    server.cli("CONFIG", "SET", "maxmemory", "1")
    outcome, text = client.call(KEY, "SET", KEY, "1")
    assert outcome == "refused" and text.startswith("OOM"), text
    assert client.is_up()
    server.cli("CONFIG", "SET", "maxmemory", "0")
    assert client.count(KEY)[0] == "answered"
    client.finish()
    server.stop()


@only(through_weir=True)
def test_loading(env):
    """It is up when it has its data, not before."""
    server = Server(env, "dbfilename dump.rdb\nloading-process-events-interval-bytes 1024").start()
    server.cli("DEBUG", "JMAP")
    server.cli("EVAL", "for i = 1, 3000 do redis.call('SET', 'k' .. i, i) end", "0")
    server.cli("SAVE")
    server.kill()
    with open(server.conf, "a", encoding="utf-8") as f:
        f.write("key-load-delay 2000\n")
    server.start(ready=False)
    client = Client(env, addresses=[server.address])
    client.until_down("LOADING")
    assert client.count(KEY)[0] == "down"
    client.succeeds(KEY)
    assert client.counters()["loading"] > 0
    assert server.cli("GET", "k3000") == "3000"
    client.finish()
    server.stop()


@only(through_weir=True)
def test_acl_user(env):
    """The user of quota/README.md, and what it may not."""
    server = Server(env).start()
    server.cli("ACL", "SETUSER", "default", "on", ">for the test")
    server.password = "for the test"
    server.cli("ACL", "SETUSER", "weir", "on", ">open sesame", *RIGHTS)
    login = {"username": "weir", "password_file": secret(env, "open sesame")}
    client = Client(env, addresses=[server.address], **login).until_up()
    assert client.count(KEY) == ("answered", "1")
    outcome, text = client.count("other")
    assert outcome == "refused" and "NOPERM" in text or "no permissions" in text, text
    outcome, text = client.call(KEY, "GET", KEY)
    assert outcome == "refused" and text.startswith("NOPERM"), text
    assert client.is_up()
    # Another password: who is logged in stays; who comes anew is kept out and told why.
    server.cli("ACL", "SETUSER", "weir", "resetpass", ">other")
    assert client.count(KEY) == ("answered", "2")
    server.cli("CLIENT", "KILL", "TYPE", "normal")
    client.until_down("WRONGPASS")
    server.cli("ACL", "SETUSER", "weir", ">open sesame")
    client.succeeds(KEY)
    server.cli("ACL", "DELUSER", "weir")
    client.until_down("WRONGPASS")
    client.finish()
    for who in ({}, {"password_file": secret(env, "wrong")}):
        client = Client(env, addresses=[server.address], **who)
        client.until_down("WRONGPASS" if who else "NOAUTH")
        client.finish()
        with open(client.log, encoding="utf-8") as f:
            text = f.read()
        assert "Redis cannot be reached" in text and "sesame" not in text, text
    server.stop()


@only(through_weir=True)
def test_tls(env):
    ca = certs.CA(env.path("redis-ca"))
    crt, key = ca.issue("redis", ("127.0.0.1", "localhost"))
    server = Server(env, "tls-auth-clients no", tls=(ca.cert, crt, key)).start()
    tls = {"security": "tls", "tls": {"ca_file": ca.cert}}
    for host in ("127.0.0.1", "localhost"):
        client = Client(env, addresses=[f"{host}:{server.port}"], **tls).until_up()
        client.succeeds(KEY)
        assert all(
            client.end(n)[0] == "answered" for n in client.begin_many(200, "count", KEY)
        )
        server.pause()
        assert client.count(KEY)[0] == "timed out"
        server.resume()
        client.succeeds(KEY)
        client.finish()
    # Plain to a TLS port, and TLS to who does not speak it.
    client = Client(env, addresses=[server.address])
    client.until_down()
    client.finish()
    plain = Server(env).start()
    client = Client(env, addresses=[plain.address], **tls)
    client.until_down()
    client.finish()
    plain.stop()
    server.stop()


@only(through_weir=True)
def test_tls_refusals(env):
    """Another's certificate, another authority's; and a server that asks for ours."""
    ca, other = certs.CA(env.path("redis-ca2")), certs.CA(env.path("redis-ca3"))
    crt, key = ca.issue("redis", ("localhost",))
    server = Server(env, "tls-auth-clients yes", tls=(ca.cert, crt, key)).start()
    mine = dict(zip(("certificate_file", "key_file"), ca.issue("weir", ("gateway",))))
    address = [f"localhost:{server.port}"]

    def refused(addresses, text, **tls):
        client = Client(env, addresses=addresses, security="tls", tls=tls)
        client.until_down(text)
        client.finish()

    refused([server.address], "IP address mismatch", ca_file=ca.cert, **mine)
    refused(address, "certificate", ca_file=other.cert, **mine)
    refused(address, "", ca_file=ca.cert)
    for tls, where in (
        ({"ca_file": ca.cert, **mine}, address),
        ({"ca_file": ca.cert, "verify_name": False, **mine}, [server.address]),
    ):
        client = Client(env, addresses=where, security="tls", tls=tls).until_up()
        client.succeeds(KEY)
        client.finish()
    server.stop()


@only(through_weir=True)
def test_replica_is_no_store(env):
    master = Server(env).start()
    replica = Server(env, f"replicaof {master.host} {master.port}").start()
    client = Client(env, addresses=[replica.address])
    client.until_down("it is a replica")
    replica.cli("REPLICAOF", "NO", "ONE")
    client.succeeds(KEY)
    # A user that may not ask for the role finds out at a write.
    replica.cli("ACL", "SETUSER", "default", "-role")
    replica.cli("REPLICAOF", master.host, master.port)
    lost = proc.wait_until("a write to be lost", lambda: "READONLY" in client.count(KEY)[1])
    assert lost and client.counters()["readonly"] > 0
    client.finish()
    replica.stop()
    master.stop()


def follows(client, fleet):
    """Whether it is where the master is. Sentinels that are in a hurry may elect twice."""
    master = fleet.master()
    return master and client.state()[0][:2] == (master.address, True)


@only(through_weir=True)
def test_sentinel_failover(env):
    """kill -9 of the master, while the Sentinel that is asked first has hung up too."""
    fleet = Sentinels(env, password="for sentinels")
    client = Client(
        env, mode="sentinel", master_name="weir", addresses=fleet.addresses,
        sentinel_password_file=secret(env, "for sentinels"),
    ).until_up()  # fmt: skip
    client.succeeds(KEY)
    old = fleet.master()
    assert client.state()[0][0] == old.address
    fleet.sentinels[0].kill()
    old.kill()
    began = time.monotonic()
    # It may be back before anybody looks.
    proc.wait_until(
        "it is noticed",
        lambda: not client.is_up() or client.counters()["failovers"], pause=0.02,
    )  # fmt: skip
    noticed = time.monotonic() - began
    proc.wait_until("another master", fleet.master, 60)
    elected = time.monotonic() - began
    client.succeeds(KEY)
    took = time.monotonic() - began
    proc.wait_until("both to be of one mind", lambda: follows(client, fleet))
    assert client.counters()["failovers"] >= 1
    # None of them is needed while the master is well.
    for sentinel in fleet.sentinels[1:]:
        sentinel.kill()
    client.succeeds(KEY)
    client.finish()
    fleet.kill_all()
    return (
        f"noticed {noticed * 1000:.0f} ms, elected {elected * 1000:.0f} ms, "
        f"answered {took * 1000:.0f} ms after kill -9"
    )


@only(through_weir=True)
def test_sentinel_master_hung(env):
    """A master that is connected and says nothing; nobody goes back to it when it goes on."""
    fleet = Sentinels(env)
    client = Client(
        env, mode="sentinel", master_name="weir", addresses=fleet.addresses, timeout_ms=250
    ).until_up()
    old = fleet.master()
    client.succeeds(KEY)
    old.pause()
    assert client.count(KEY)[0] == "timed out"
    client.succeeds(KEY)
    new = next(s for s in fleet.servers if s is not old)
    assert client.state()[0][0] == new.address, client.state()
    old.resume()
    for _ in range(10):
        client.succeeds(KEY)
    # Unless the new one was starved and voted out.
    assert client.state()[0][0] == new.address or fleet.master() is old, client.state()
    client.finish()
    fleet.kill_all()


@only(through_weir=True)
def test_sentinel_does_not_know(env):
    """Until it does; as a user of the Sentinel with no more rights than it takes."""
    fleet = Sentinels(env, replicas=0, sentinels=1)
    said = fleet.sentinels[0].cli("ACL", "SETUSER", "weir", "on", ">sesame", *SENTINEL_RIGHTS)
    assert said == "OK", said
    client = Client(
        env, mode="sentinel", master_name="other", addresses=fleet.addresses,
        sentinel_username="weir", sentinel_password_file=secret(env, "sesame"),
    )  # fmt: skip
    client.until_down('knows no master "other"')
    first = fleet.servers[0]
    fleet.sentinels[0].cli("SENTINEL", "MONITOR", "other", first.host, first.port, "1")
    client.succeeds(KEY)
    # It listens, so it had the right to.
    clients = fleet.sentinels[0].cli("CLIENT", "LIST").splitlines()
    ours = [c for c in clients if " user=weir " in c]
    assert len(ours) == 1 and " sub=1 " in ours[0], clients
    client.finish()
    fleet.kill_all()


@only(through_weir=True)
def test_cluster(env):
    """Each key at its master; one master lost and back."""
    cluster = Cluster(env)
    keys = cluster.keys()
    client = Client(env, mode="cluster", addresses=cluster.addresses[:2])
    proc.wait_until("three shards", lambda: len(client.state()) == 3)
    client.until_up()
    assert [client.count(k) for k in keys] == [("answered", "1")] * 3
    assert client.counters()["moved"] == 0
    cluster.nodes[2].kill()
    client.until_down()
    for _ in range(20):
        assert [client.count(k)[0] for k in keys[:2]] == ["answered"] * 2
    assert client.count(keys[2])[0] == "down"
    cluster.nodes[2].start()
    began = time.monotonic()
    assert client.succeeds(keys[2]) == 1
    took = time.monotonic() - began
    client.until_up()
    client.finish()
    cluster.kill_all()
    return f"answered {took * 1000:.0f} ms after a master's return"


@only(through_weir=True)
def test_cluster_slot_moves(env):
    """A slot goes from one master to another, key by key, while it is counted in."""
    cluster = Cluster(env)
    key, other = cluster.keys()[0], cluster.keys()[1]
    source, slot = cluster.node_of(key)
    target, _ = cluster.node_of(other)
    for node in cluster.nodes:
        said = node.cli("ACL", "SETUSER", "weir", "on", ">sesame", *CLUSTER_RIGHTS)
        assert said == "OK", said
    client = Client(
        env, mode="cluster", addresses=cluster.addresses,
        username="weir", password_file=secret(env, "sesame"),
    )  # fmt: skip
    proc.wait_until("three shards", lambda: len(client.state()) == 3)
    client.until_up()
    assert client.count(key) == ("answered", "1")
    target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.id_of(source))
    source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.id_of(target))
    assert client.count(key) == ("answered", "2")
    assert client.counters()["ask"] == 0
    source.cli("MIGRATE", target.host, target.port, key, "0", "5000")
    # Its key is there already, the slot is not; nor has the target heard of the script.
    target.cli("SCRIPT", "FLUSH")
    assert client.count(key) == ("answered", "3")
    assert client.counters()["ask"] > 0
    for node in (target, source):
        node.cli("CLUSTER", "SETSLOT", slot, "NODE", cluster.id_of(target))
    # Who has not heard of it would send the client back.
    third = next(n for n in cluster.nodes if n not in (source, target))
    proc.wait_until("the third one to know", lambda: target.address in third.cli("GET", key))
    assert client.count(key) == ("answered", "4")
    assert client.counters()["moved"] == 1
    assert client.count(key) == ("answered", "5")
    after = client.counters()
    assert after["moved"] == 1 and after["lost"] == 0, after
    client.finish()
    cluster.kill_all()


@only(through_weir=True)
def test_cluster_whole_or_not_at_all(env):
    """With cluster-require-full-coverage all keys are lost with one master, and come back."""
    cluster = Cluster(env)
    for node in cluster.nodes:
        node.cli("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    keys = cluster.keys()
    client = Client(env, mode="cluster", addresses=cluster.addresses)
    for key in keys:
        client.succeeds(key)
    cluster.nodes[1].kill()
    proc.wait_until("CLUSTERDOWN", lambda: "CLUSTERDOWN" in client.count(keys[0])[1], pause=0.02)
    client.until_down("not complete")
    cluster.nodes[1].start()
    for key in keys:
        client.succeeds(key)
    client.finish()
    cluster.kill_all()


@only(through_weir=True)
def test_sentinel_and_cluster_with_tls(env):
    """They tell addresses and ports where TLS is spoken, and certificates have those in them."""
    ca = certs.CA(env.path("redis-ca4"))
    files = (ca.cert, *ca.issue("redis", ("127.0.0.1",)))
    fleet = Sentinels(env, sentinels=1, tls=files)
    mine = {
        "security": "tls",
        "tls": {"ca_file": ca.cert, "certificate_file": files[1], "key_file": files[2]},
    }
    client = Client(env, mode="sentinel", master_name="weir", addresses=fleet.addresses, **mine)
    client.succeeds(KEY)
    client.finish()
    fleet.kill_all()
    cluster = Cluster(env, tls=files)
    client = Client(env, mode="cluster", addresses=cluster.addresses[:1], **mine)
    for key in cluster.keys():
        client.succeeds(key)
    client.until_up()
    assert len(client.state()) == 3
    client.finish()
    cluster.kill_all()
