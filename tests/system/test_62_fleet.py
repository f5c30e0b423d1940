"""A fleet: gateways which share limits in a Redis. What passes in all is never more than one limit
allows, however the load lies and whatever befalls Redis; how near to it, the notes say."""

import contextlib
import json
import time

from rig import proc
from rig.caller import Caller
from rig.clock import Clock
from rig.env import only
from rig.login import reload
from rig.press import SIZE, Presser, acked, release
from rig.redis import Cluster, Sentinels, Server
from rig.weir import Weir

MB = 1000000
LIMIT = 2 * MB


class Fleet:
    """Nodes of one Redis and prefix, and clients that press them."""

    def __init__(self, env, name, store, nodes, limits, **quota):
        self.env, self.redis = env, None
        self.store_config = {**store, "key_prefix": env.name("weir")}
        self.nodes = [self.node(f"{name}{n}", limits, quota) for n in range(nodes)]
        self.topic = env.topic(name, 3)
        self.clients = []

    def node(self, name, limits, quota):
        node = Weir(self.env, config={}, name=name)
        node.config = {
            "cluster": {"bootstrap": self.env.cluster.bootstrap()},
            "listeners": [{"address": node.address, "advertised": node.address}],
            "quota": {
                "limits": limits,
                "store": "redis",
                "redis": dict(self.store_config),
                **quota,
            },
            "workers": 1,
            "admin": {"address": f"127.0.0.1:{node.admin_port}"},
        }
        return node

    def start(self):
        for node in self.nodes:
            node.write_config(node.config)
            node.start()
        for node in self.nodes:
            self.joined(node)
        return self

    def joined(self, node):
        proc.wait_until(
            f"{node.name} to know the others",
            lambda: self.store(node)["up"]
            and self.store(node)["nodes"] == sum(n.alive() for n in self.nodes),
            20,
        )

    def store(self, node):
        return node.status()["store"]

    def press(self, weights):
        """Clients in those proportions, each as fast as it may."""
        for node, count in zip(self.nodes, weights):
            for _ in range(count):
                self.clients.append(Presser(node, self.topic))
        return self

    def release(self):
        clients, self.clients = self.clients, []
        return release(clients)

    def stop(self):
        self.release()
        for node in self.nodes:
            node.stop(2)

    def all_up(self):
        return all(self.store(n)["up"] for n in self.nodes)

    def acked(self, since=0.0, until=float("inf"), node=None):
        return acked([c for c in self.clients if node in (None, c.node)], since, until)

    def rate(self, seconds):
        """Bytes a second of the next so many seconds."""
        since = time.monotonic()
        time.sleep(seconds)
        until = time.monotonic()
        return self.acked(since, until) / (until - since)

    def reaches(self, part, seconds=3):
        """Waits until that part of the limit passes for so many seconds; bytes a second."""
        found = proc.wait_until(
            f"{part} of the limit for {seconds} s",
            lambda: [r for r in [self.rate(seconds)] if r >= part * LIMIT], 40, 0,
        )  # fmt: skip
        return found[0]

    def most(self, since, seconds):
        """The most in any so many seconds since then."""
        acks = sorted((at, n) for c in self.clients for at, n in list(c.acked) if at >= since)
        best = total = first = 0
        for at, n in acks:
            total += n
            while acks[first][0] < at - seconds:
                total -= acks[first][1]
                first += 1
            best = max(best, total)
        return best / seconds


@contextlib.contextmanager
def fleet(env, name, nodes=3, limits=None, **quota):
    redis = None if "store" in quota else Server(env)
    store = quota.pop("store", None) or {"addresses": [redis.address]}
    limits = limits or [{"dimension": "ingress_bytes", "value": LIMIT}]
    clocks = quota.pop("clocks", None)
    f = Fleet(env, name, store, nodes, limits, **quota)
    f.redis = redis
    for process, clock in zip([redis, *f.nodes], clocks or []):
        process.environment = clock.environment
    if redis:
        redis.start()
    try:
        yield f.start()
    finally:
        f.stop()
        if redis and redis.process.alive():
            redis.stop()


def holds(f, since, note):
    """Not more since then than the limit, its burst and a request a node."""
    took = time.monotonic() - since
    total = f.acked(since)
    allowed = 1.02 * LIMIT * took + LIMIT + len(f.nodes) * SIZE
    assert total <= allowed, f"{note}: {total} of at most {allowed:.0f} bytes in {took:.1f} s"
    return f"{note} {total / took / LIMIT:.3f}"


@only(through_weir=True)
def test_one_number_for_all(env):
    """Load 34/33/33, 90/9/1 and wandering: the sum is the limit."""
    notes = []
    with fleet(env, "fleet") as f:
        for weights in (4, 4, 4), (10, 1, 0), (0, 0, 10), (10, 0, 0):
            since = time.monotonic()
            f.press(weights)
            time.sleep(2)
            rate = f.reaches(0.95, 4)
            notes.append(holds(f, since, str(weights)) + f", then {rate / LIMIT:.3f}")
            errors = f.release()
            assert not errors, errors[:5]
        calls = [f.store(node)["calls"] for node in f.nodes]
    return f"of the limit: {'; '.join(notes)}; calls {calls}"


@only(through_weir=True)
def test_nobody_presses(env):
    """A limit that nobody presses costs Redis nothing but heartbeats."""
    with fleet(env, "calm", limits=[{"dimension": "ingress_bytes", "value": 100 * MB}]) as f:
        # A bucket that begins is as full as its node is old, up to a second.
        for node in f.nodes:
            proc.wait_until(
                f"{node.name} to be two seconds old",
                lambda n=node: n.status()["uptime_seconds"] > 2, 20,
            )  # fmt: skip
        f.press((1, 1, 1))
        proc.wait_until("some records", lambda: f.acked() > 10 * SIZE)
        assert not f.release()
        assert all(f.store(node)["leases"] == 0 for node in f.nodes)


def shown(node, dimension):
    code, text = node.get("/limits")
    assert code == 200, (code, text)
    return next(r for r in json.loads(text)["limits"] if r["dimension"] == dimension)


@only(through_weir=True)
def test_each_node_shows_the_fleets_use(env):
    """A third of the load at each: all nodes say how much is used of the limit in all, and warn. Of
    connections that come at once some may be closed while nodes ask for room: they come again."""
    limits = [
        {"dimension": "ingress_bytes", "value": LIMIT},
        {"dimension": "connections", "value": 30},
    ]
    with fleet(env, "shown", limits=limits) as f:
        f.press((4, 4, 4))
        for node in f.nodes:
            proc.wait_until(
                f"{node.name} to show what all use",
                lambda n=node: shown(n, "ingress_bytes")["fleet"]
                and shown(n, "ingress_bytes")["use"] >= 0.9 * LIMIT
                and 0 < shown(n, "ingress_bytes")["here"] < 0.6 * LIMIT, 30,
            )  # fmt: skip

            def counts(n=node):
                row = shown(n, "connections")
                return row if row["fleet"] and row["here"] == 4 and row["use"] >= 12 else None

            row = proc.wait_until(f"{node.name} to count all connections", counts, 30)
            assert row["headroom"] == 30 - row["use"], row
            proc.wait_until(
                f"{node.name} to warn",
                lambda n=node: 'what="limit nearly reached"' in n.tail(1000), 30,
            )  # fmt: skip


@only(through_weir=True)
def test_a_node_is_killed(env):
    """kill -9: the others have its share."""
    with fleet(env, "killed") as f:
        since = time.monotonic()
        f.press((4, 4, 4))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 2 * LIMIT, 30)
        f.nodes[2].kill()
        proc.wait_until(
            "the others know", lambda: all(f.store(n)["nodes"] == 2 for n in f.nodes[:2]), 20
        )
        rate = f.reaches(0.95, 5)
        note = holds(f, since, "all in all")
        alive = f.clients[:8]
        assert not [e for c in alive for e in c.errors]
    return f"{note}; after it {rate / LIMIT:.3f} of the limit"


@only(through_weir=True)
def test_redis_is_killed_and_comes_back_empty(env):
    """Nobody is refused, nobody runs free, and all lease again when it is back."""
    with fleet(env, "lost") as f:
        since = time.monotonic()
        f.press((4, 2, 1))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 3 * LIMIT, 30)
        f.redis.kill()
        proc.wait_until("it is lost", lambda: not any(f.store(n)["up"] for n in f.nodes), 20)
        lost = f.reaches(0.9, 4)
        f.redis.start()
        proc.wait_until("it is back", lambda: all(f.store(n)["up"] for n in f.nodes), 20)
        back = time.monotonic()
        rate = f.reaches(0.95, 5)
        most = f.most(back, 5)
        note = holds(f, since, "all in all")
        assert not f.release()
        assert all(n.metric("weir_requests_refused_total") == 0 for n in f.nodes)
    return (
        f"{note}; without Redis {lost / LIMIT:.3f} of the limit, after it {rate / LIMIT:.3f}, "
        f"at most {most / LIMIT:.3f} in 5 s"
    )


@only(through_weir=True)
def test_on_store_loss(env):
    """open: nothing limits while Redis is away, and all does after it; closed: nothing passes."""
    with fleet(env, "open", nodes=2, on_store_loss="open", throttle_max_ms=2000) as f:
        f.press((3, 3))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 2 * LIMIT, 30)
        f.redis.kill()
        proc.wait_until("more passes", lambda: f.rate(1) > 1.3 * LIMIT, 30, 0)
        f.redis.start()
        proc.wait_until("it is back", f.all_up, 20)
        proc.wait_until("no more than the limit", lambda: f.rate(2) < 1.05 * LIMIT, 30, 0)
        since = time.monotonic()
        f.reaches(0.95)
        note = holds(f, since, "after open")
        assert not f.release()
    with fleet(env, "closed", nodes=2, on_store_loss="closed", throttle_max_ms=2000) as f:
        f.press((3, 3))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 2 * LIMIT, 30)
        f.redis.kill()
        proc.wait_until("nothing passes", lambda: f.rate(1) == 0, 30, 0)
        f.redis.start()
        proc.wait_until("it is back", f.all_up, 20)
        since = time.monotonic()
        f.reaches(0.95)
        note += ", " + holds(f, since, "after closed")
        f.release()  # who waited too long is told that the request timed out
    return note


@only(through_weir=True)
def test_redis_hangs(env):
    """SIGSTOP, then SIGCONT."""
    with fleet(env, "hung") as f:
        since = time.monotonic()
        f.press((3, 2, 1))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 3 * LIMIT, 30)
        f.redis.pause()
        proc.wait_until("it is lost", lambda: not any(f.store(n)["up"] for n in f.nodes), 20)
        hung = f.reaches(0.9, 3)
        f.redis.resume()
        proc.wait_until("it is back", lambda: all(f.store(n)["up"] for n in f.nodes), 20)
        rate = f.reaches(0.95, 5)
        note = holds(f, since, "all in all")
        assert not f.release()
    return f"{note}; hung {hung / LIMIT:.3f} of the limit, after it {rate / LIMIT:.3f}"


@only(through_weir=True)
def test_live_change_of_a_fleet(env):
    """A limit that is raised, or lowered, acts on all nodes, and closes no connection."""

    def change(to):
        for node in f.nodes:
            node.config["quota"]["limits"][0]["value"] = to
            node.write_config(node.config)
            reload(node)
        return time.monotonic()

    with fleet(env, "raise") as f:
        f.press((2, 2, 2))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 2 * LIMIT, 30)
        began = change(2 * LIMIT)
        proc.wait_until("more passes", lambda: f.rate(1) > 1.5 * LIMIT, 30)
        raised = time.monotonic() - began
        rate = f.reaches(1.9, 5)
        began = change(LIMIT)
        proc.wait_until("less passes", lambda: f.rate(1) < 1.1 * LIMIT, 30)
        lowered = time.monotonic() - began
        since = time.monotonic()
        f.reaches(0.95)
        note = holds(f, since, "lowered")
        assert not f.release()
    return (
        f"raised within {raised:.1f} s, then {rate / LIMIT / 2:.3f} of it; "
        f"within {lowered:.1f} s {note}"
    )


@only(through_weir=True)
def test_on_store_loss_changes_while_redis_is_lost(env):
    """A reload is enough, and what nothing limited is owed by nobody when Redis is back."""

    def change(to):
        for node in f.nodes:
            node.config["quota"]["on_store_loss"] = to
            node.write_config(node.config)
            reload(node)

    waits = {"throttle_max_ms": 1000, "hold_max_ms": 1000}
    with fleet(env, "live", nodes=2, **waits) as f:
        f.press((4, 4))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 2 * LIMIT, 30)
        f.redis.kill()
        proc.wait_until("it is lost", lambda: not any(f.store(n)["up"] for n in f.nodes), 20)
        change("open")
        proc.wait_until("nothing is limited", lambda: f.rate(1) > 1.5 * LIMIT, 30)
        opened = f.rate(3)
        change("closed")
        proc.wait_until("nothing passes", lambda: f.rate(1) == 0, 30)
        change("open")
        proc.wait_until("nothing is limited", lambda: f.rate(1) > 1.5 * LIMIT, 30)
        f.redis.start()
        proc.wait_until("it is back", f.all_up, 20)
        proc.wait_until("it limits", lambda: f.rate(1) < 1.2 * LIMIT, 30)
        rate = f.rate(5)
        assert rate > 0.5 * LIMIT, f"{rate / LIMIT:.3f} of the limit"
    return f"open {opened / LIMIT:.1f} times the limit; after it {rate / LIMIT:.3f}"


@only(through_weir=True)
def test_connections_of_a_fleet(env):
    """As many as the limit on all nodes together; a killed node's are free again."""
    limits = [{"dimension": "connections", "value": 6}]
    with fleet(env, "conns", limits=limits, close_ms=100) as f:
        callers = []

        def connects(node):
            c = Caller(node.host, node.port)
            if c.ask("metadata", 9, {"topics": []}).outcome is not None:
                return False
            callers.append(c)
            return True

        def fill():
            return sum(connects(n) for _ in range(6) for n in f.nodes)

        proc.wait_until("one at the node that is killed", lambda: connects(f.nodes[2]), 20)
        proc.wait_until("all that there is room for", lambda: fill() >= 0 and len(callers) >= 6, 20)
        fill()

        def most():
            """An answer that was lost leaves a node to guess what others have."""
            return 6 if not sum(f.store(n)["losses"] for n in f.nodes if n.alive()) else 8

        assert 6 <= len(callers) <= most(), len(callers)
        gone = [c for c in callers if c.port == f.nodes[2].port]
        f.nodes[2].kill()
        for c in gone:
            c.close()
        left = [c for c in callers if c not in gone]
        callers[:] = left
        assert gone
        began = time.monotonic()
        proc.wait_until("its room is free", lambda: connects(f.nodes[0]), 20)
        took = time.monotonic() - began
        assert len(callers) <= most(), len(callers)
        for c in callers:
            c.close()
    return f"{len(gone)} of 6 were the killed node's; there was room after {took:.1f} s"


@only(through_weir=True)
def test_redis_forgets_and_refuses(env):
    """Scripts flushed, all flushed, a pause of two seconds, full, a master that became a replica."""
    with fleet(env, "faults") as f:
        since = time.monotonic()
        f.press((3, 2, 1))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 3 * LIMIT, 30)
        notes = []
        for words in (("SCRIPT", "FLUSH"), ("FLUSHALL",), ("CLIENT", "PAUSE", 2000, "ALL")):
            assert f.redis.cli(*words) == "OK"
            rate = f.rate(4)
            proc.wait_until("it is up", f.all_up, 20)
            notes.append(f"{' '.join(map(str, words))} {rate / LIMIT:.3f}")

        def lost():
            proc.wait_until("it is lost", lambda: not any(f.store(n)["up"] for n in f.nodes), 20)
            return f.reaches(0.9)

        f.redis.cli("CONFIG", "SET", "maxmemory", 1)
        notes.append(f"full {lost() / LIMIT:.3f}")
        f.redis.cli("CONFIG", "SET", "maxmemory", 0)
        proc.wait_until("there is room", f.all_up, 20)
        f.reaches(0.95)
        other = Server(env).start()
        f.redis.cli("REPLICAOF", other.host, other.port)
        notes.append(f"READONLY {lost() / LIMIT:.3f}")
        f.redis.cli("REPLICAOF", "NO", "ONE")
        proc.wait_until("it is back", f.all_up, 20)
        f.reaches(0.95)
        other.stop()
        note = holds(f, since, "all in all")
        assert not f.release()
    return f"{note}; in 4 s of each: {', '.join(notes)}"


@only(through_weir=True)
def test_redis_is_away_for_one_node(env):
    """A node that Redis does not let in goes on with its share; the others lease."""
    users = "\n".join(f"user node{n} on >pw{n} ~* +@all" for n in range(3))
    redis = Server(env, users).start()
    f = Fleet(env, "apart", {"addresses": [redis.address]}, 3,
              [{"dimension": "ingress_bytes", "value": LIMIT}])  # fmt: skip
    try:
        for n, node in enumerate(f.nodes):
            path = env.path(f"apart-pw{n}")
            with open(path, "w", encoding="ascii") as out:
                out.write(f"pw{n}\n")
            node.config["quota"]["redis"].update(username=f"node{n}", password_file=path)
        f.start()
        f.press((3, 3, 3))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 3 * LIMIT, 30)
        second = time.monotonic() - 1
        part = f.acked(second, node=f.nodes[2]) / max(f.acked(second), 1)
        redis.cli("ACL", "SETUSER", "node2", "off")
        redis.cli("CLIENT", "KILL", "USER", "node2")
        proc.wait_until("one is apart", lambda: not f.store(f.nodes[2])["up"], 20)
        apart = f.rate(5)
        proc.wait_until("the others lease", lambda: all(f.store(n)["up"] for n in f.nodes[:2]), 20)
        redis.cli("ACL", "SETUSER", "node2", "on")
        proc.wait_until("all are together", f.all_up, 20)
        rate = f.reaches(0.95, 5)
        assert not f.release()
        # What the others do not know of is at most its share, which is what it had last.
        assert apart <= 1.02 * LIMIT * (1 + max(1 / 3, part)) + LIMIT / 5, (apart, part)
    finally:
        f.stop()
        redis.stop()
    return f"apart {apart / LIMIT:.3f} of the limit, together {rate / LIMIT:.3f}"


@only(through_weir=True)
def test_sentinel_failover(env):
    """kill -9 of the master: another one takes over, and the limit holds."""
    redis = Sentinels(env)
    store = {"mode": "sentinel", "master_name": "weir", "addresses": redis.addresses}
    try:
        with fleet(env, "sentinel", store=store) as f:
            since = time.monotonic()
            f.press((3, 2, 1))
            proc.wait_until("the limit is pressed", lambda: f.acked() > 3 * LIMIT, 30)
            before = [f.store(n)["losses"] for n in f.nodes]
            redis.master().kill()
            # It may be back before anybody looks.
            proc.wait_until(
                "it is lost",
                lambda: all(f.store(n)["losses"] > b for n, b in zip(f.nodes, before)), 20,
            )  # fmt: skip
            lost = f.rate(2)
            proc.wait_until("the next master", f.all_up, 40)
            rate = f.reaches(0.95, 5)
            note = holds(f, since, "all in all")
            assert not f.release()
    finally:
        redis.kill_all()
    return f"{note}; without a master {lost / LIMIT:.3f} of the limit, after it {rate / LIMIT:.3f}"


@only(through_weir=True)
def test_a_cluster_of_redis(env):
    """Keys of a tenant are together, on whichever shard."""
    redis = Cluster(env)
    try:
        with fleet(env, "cluster", store={"mode": "cluster", "addresses": redis.addresses}) as f:
            since = time.monotonic()
            f.press((4, 2, 1))
            proc.wait_until("the limit is pressed", lambda: f.acked() > 3 * LIMIT, 30)
            rate = f.reaches(0.95, 5)
            note = holds(f, since, "all in all")
            assert not f.release()
            assert len(f.store(f.nodes[0])["shards"]) == 3
    finally:
        redis.kill_all()
    return f"{note}; {rate / LIMIT:.3f} of the limit"


@only(through_weir=True)
def test_clocks_jump(env):
    """Nodes whose clocks are an hour apart and jump, and a Redis whose clock does: time that was
    not brings nobody a byte."""
    clocks = [Clock(env, f"clock{n}") for n in range(3)]
    clocks[1].move(3600)
    clocks[2].move(-3600)
    notes = []
    with fleet(env, "clocks", nodes=2, clocks=clocks) as f:
        since = time.monotonic()
        f.press((3, 1))
        proc.wait_until("the limit is pressed", lambda: f.acked() > 2 * LIMIT, 30)
        for which, off, note in ([1, 2], 0, "nodes"), ([0], 3600, "forward"), ([0], -3600, "back"):
            for n in which:
                clocks[n].move(off)
            shown = int(f.redis.cli("TIME").split()[0])
            assert abs(shown - time.time() - off) < 60, (note, shown)
            before = time.monotonic()
            rate = f.rate(5)
            notes.append(f"{note} {rate / LIMIT:.3f}, at most {f.most(before, 2) / LIMIT:.3f} in 2 s")
            holds(f, since, note)
        assert not f.release()
        assert all(n.metric("weir_requests_refused_total") == 0 for n in f.nodes)
    return "of the limit: " + "; ".join(notes)
