"""Limits at work on real brokers: what is slowed down, refused and closed, and what is not. How
exact a rate is, unit tests and the bench say; here no test waits for less than what a limit
that holds must take."""

import contextlib
import json
import os
import select
import subprocess
import time

import test_14_other_clients as others
from rig import kafka, proc
from rig.caller import Caller
from rig.env import only
from rig.identity import ALL
from rig.login import reload, secured
from rig.records import batch
from rig.weir import Weir
from rig.wire import read_frame
from rig.workload import Group
from test_10_java import wait_for_fates

THROTTLED, INVALID = 89, 42
# QUOTA_SECONDS=120 presses as long as anybody would want to see.
PRESSED = int(os.environ.get("QUOTA_SECONDS", "15"))
MB = 1000000


def limit(dimension, value, **more):
    return {"dimension": dimension, "value": value, **more}


@contextlib.contextmanager
def node_with(env, name, *limits, **quota):
    """A node without logins whose clients have these limits."""
    node = Weir(env, config={}, name=name)
    node.config = {
        "cluster": {"bootstrap": env.cluster.bootstrap()},
        "listeners": [{"address": node.address, "advertised": node.address}],
        "quota": {"limits": list(limits), **quota},
        "admin": {"address": f"127.0.0.1:{node.admin_port}"},
    }
    node.write_config(node.config)
    try:
        yield node.start()
    finally:
        node.stop(2)


def client(node, **more):
    return Caller(node.host, node.port, **more)


def rows(node, dimension, query=""):
    code, text = node.get("/limits" + query)
    assert code == 200, (code, text)
    return [r for r in json.loads(text)["limits"] if r["dimension"] == dimension]


def row(node, dimension, query=""):
    found = rows(node, dimension, query)
    assert len(found) == 1, found
    return found[0]


def records(size):
    return batch([(None, b"x" * size)])


def produce(topic, data, partition=0, acks=-1):
    return {
        "acks": acks,
        "timeout_ms": 30000,
        "topic_data": [
            {"name": topic, "partition_data": [{"index": partition, "records": data}]}
        ],
    }


def fetch(topic, offsets, max_bytes=50 * MB, max_wait_ms=500, min_bytes=1):
    return {
        "replica_id": -1,
        "max_wait_ms": max_wait_ms,
        "min_bytes": min_bytes,
        "max_bytes": max_bytes,
        "session_epoch": -1,
        "topics": [
            {
                "topic": topic,
                "partitions": [
                    {"partition": p, "fetch_offset": at, "partition_max_bytes": MB}
                    for p, at in offsets.items()
                ],
            }
        ],
    }


def produced(c, topic, count, size=100000, **more):
    """Sends them one after the other; seconds, and the throttle times told."""
    data = records(size)
    began, told = time.monotonic(), []
    for _ in range(count):
        reply = c.patient("produce", 9, produce(topic, data, **more))
        assert not any(reply.errors()), str(reply)
        told.append(reply.value["throttle_time_ms"])
    return time.monotonic() - began, told


@only(through_weir=True)
def test_produce_is_slowed_down(env):
    """A producer over ingress_bytes is told to wait, and not read meanwhile; nothing is lost."""
    topic = env.topic("ingress", 1)
    with node_with(env, "q-in", limit("ingress_bytes", MB)) as node, client(node) as c:
        took, told = produced(c, topic, 40)
        # 4 MB, of which the burst is 1 and the last one goes into debt; 2 % are allowed.
        assert took >= 2.9 * 0.98, took
        assert max(told) > 0 and told[0] == 0, told
        held = row(node, "ingress_bytes")["held_up"]
        assert held["times"] >= 3 and held["now"], held
        said = node.ctl("explain")
        assert "ingress_bytes of the tenant, 1000000 bytes a second" in said, said
        assert "clients without a login" in said, said
    assert len(env.dump(topic).rows) == 40
    return f"4 MB at 1 MB/s took {took:.2f} s; told at most {max(told)} ms"


@only(through_weir=True)
def test_explained(env):
    """What weirctl limits and weirctl explain say: of the tenant, of one principal, of a partition,
    and who uses it most."""
    topic, hot = env.topic("explained", 1), env.topic("explained-hot", 1)
    with secured(env, "q-explained") as (node, ids):
        node.config["quota"] = {
            "close_ms": 100,
            "limits": [
                limit("ingress_bytes", 400000),
                limit("ingress_bytes", 300000, scope="principal"),
                limit("partition_ingress_bytes", 100000, topic=hot),
                limit("connections", 3),
            ],
        }
        node.write_config(node.config)
        keys = [ids.user(name, ALL) for name in ("alice", "bob")]
        node.start()
        alice, again = (client(node, key=keys[0]) for _ in range(2))
        bob, fourth = (client(node, key=keys[1]) for _ in range(2))
        produced(bob, topic, 1)
        produced(alice, hot, 3)
        assert not any(again.ask("metadata", 9, {"topics": []}).errors())
        # It is closed when it has been let in.
        assert fourth.ask("metadata", 9, {"topics": []}).outcome == "closed"
        both = [r["principal"] for r in rows(node, "ingress_bytes") if r["scope"] == "principal"]
        who = {arn.rsplit("/", 1)[1]: arn for arn in both}
        assert set(who) == {"alice", "bob"}, both

        ours = "ingress_bytes of the tenant, 400000 bytes a second"
        own = "ingress_bytes of the principal, 300000 bytes a second  "

        def told():
            """Alice alone owes by her own limit, with bob by the tenant's."""
            produced(bob, topic, 4)
            produced(alice, topic, 6)
            blocks = {}
            for line in node.ctl("explain").splitlines():
                if not line.startswith(" "):
                    block = blocks.setdefault(line, [])
                else:
                    block.append(line.strip())
            used = any(line.startswith(f"used by {who['alice']}: ") for line in blocks.get(ours, []))
            return blocks if used and own + who["alice"] in blocks else None

        blocks = said = proc.wait_until("what holds them up, and who uses it", told, 60)
        tenants = blocks[ours]
        assert any(line.startswith("held up ") for line in tenants), said
        assert any(line.startswith("now: ") and " in use" in line for line in tenants), said
        assert blocks["connections of the tenant, 3 connections"][-2:] == [
            f"used by {who['alice']}: 2 connections",
            f"used by {who['bob']}: 1 connections",
        ], said
        said = node.ctl("explain", "--principal", who["bob"])
        assert own + who["alice"] not in said and "of the tenant" in said, said
        said = node.ctl("limits", "--principal", who["bob"])
        assert who["bob"] in said and who["alice"] not in said, said

        said = node.ctl("limits")
        titles, *lines = said.splitlines()[1:]
        assert titles.split() == "LIMIT SCOPE MODE VALUE USE HERE HEADROOM PEAK".split(), said
        assert any(line.split()[:5] == "ingress_bytes tenant enforce 400 k".split()
                   for line in lines), said  # fmt: skip
        assert any(line.split()[:7] == "connections tenant enforce 3 3 3 0".split()
                   for line in lines), said  # fmt: skip

        def told_of_it(*words):
            produced(alice, topic, 1)
            said = node.ctl("explain", "--topic", hot, *words)
            return said if f"all topics are used by {who['alice']}: " in said else None

        for words in (), ("--partition", "0"):
            said = proc.wait_until("who uses the topic", lambda w=words: told_of_it(*w), 30)
            assert said.startswith(
                f"partition_ingress_bytes of the partition, 100000 bytes a second  partition 0 of {hot}"
            ), said
            assert "of the tenant" not in said, said
        said = node.ctl("limits", "--topic", hot, "--partition", "0")
        assert said.splitlines()[2].split()[:5] == (
            "partition_ingress_bytes partition enforce 100 k".split()
        ), said
        for c in alice, again, bob, fourth:
            c.close()


@only(through_weir=True)
def test_no_acks_are_slowed_down(env):
    """acks=0 has no reply that could say so: its connection is not read."""
    topic = env.topic("acks0", 1)
    with node_with(env, "q-acks0", limit("ingress_bytes", MB)) as node, client(node) as c:
        began = time.monotonic()
        c.get("metadata", 9, {"topics": [{"name": topic}]})
        api = c.schema["produce"]
        for n in range(40):
            c.sock.sendall(api.ask(9, produce(topic, records(100000), acks=0), 1000 + n, "c"))
        # Behind all of them.
        c.ask("metadata", 9, {"topics": [{"name": topic}]})
        took = time.monotonic() - began
        assert took >= 2.9 * 0.98, took
    return f"4 MB at 1 MB/s took {took:.2f} s"


@only(through_weir=True)
def test_coming_back_brings_nothing(env):
    """Who is over a limit and connects anew waits as long, over many connections too."""
    topic = env.topic("again", 1)
    with node_with(env, "q-again", limit("ingress_bytes", MB)) as node:
        began = time.monotonic()
        for _ in range(40):
            with client(node) as c:
                produced(c, topic, 1)
        took = time.monotonic() - began
        assert took >= 2.9 * 0.98, took
        callers = [client(node) for _ in range(20)]
        for c in callers:
            c._connect()
            c.sock.sendall(
                c.schema["produce"].ask(9, produce(topic, records(100000)), 7, "many")
            )
        for c in callers:
            c.sock.settimeout(20)
            assert c.sock.recv(1)
        many = time.monotonic() - began
        # All of them: 6 MB, of which the burst is 1 and the last one goes into debt.
        assert many >= 4.9 * 0.98, many
        for c in callers:
            c.close()
    return f"40 connections took {took:.2f} s, with 20 at once {many:.2f} s"


@only(through_weir=True)
def test_fetch_is_held_and_heartbeats_are_not(env):
    """Over egress_bytes a Fetch is held, then answered empty with a throttle time; what else comes
    on its connection is answered at once."""
    topic = env.topic("egress", 1)
    with node_with(env, "q-out", limit("egress_bytes", MB)) as node, client(node) as c:
        produced(c, topic, 40)
        began, offset, empty, told = time.monotonic(), 0, 0, 0
        while offset < 40:
            reply = c.ask("fetch", 11, fetch(topic, {0: offset}))
            part = reply.value["responses"][0]["partitions"][0]
            assert part["error_code"] == 0, str(reply)
            offset += count_batches(part["records"])
            empty += not part["records"]
            told = max(told, reply.value["throttle_time_ms"])
            if not part["records"]:
                before = time.monotonic()
                assert not any(c.ask("metadata", 9, {"topics": []}).errors())
                assert time.monotonic() - before < 5
        took = time.monotonic() - began
        # The last answer is an eighth of a second's at most.
        assert took >= 2.87 * 0.98, took
        assert told > 0
        assert row(node, "egress_bytes")["held_up"]["times"] > 0
    return f"4 MB at 1 MB/s took {took:.2f} s; {empty} empty answers, told at most {told} ms"


def count_batches(data):
    at = n = 0
    while data and at + 12 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "big") + 12
        n += at + size <= len(data)
        at += size
    return n


@only(through_weir=True)
def test_a_hot_partition_slows_nobody_else(env):
    """A partition over its egress limit is left out, its neighbour on the same connection goes on;
    one over its ingress limit slows down who writes to it."""
    topic = env.topic("hot", 2)
    with node_with(env, "q-part", limit("partition_egress_bytes", MB)) as node:
        with client(node) as c:
            produced(c, topic, 40)
            produced(c, topic, 9, partition=1)
            began, at, when = time.monotonic(), {0: 0, 1: 0}, {}
            while len(when) < 2:
                reply = c.ask("fetch", 11, fetch(topic, at))
                for t in reply.value["responses"]:
                    for p in t["partitions"]:
                        assert p["error_code"] == 0, str(reply)
                        at[p["partition_index"]] += count_batches(p["records"])
                for p, most in ((0, 40), (1, 9)):
                    if at[p] >= most:
                        when.setdefault(p, time.monotonic() - began)
            assert when[0] >= 2, when
            assert when[1] < when[0], when
        found = rows(node, "partition_egress_bytes", f"?topic={topic}")
        assert [r["partition"] for r in found] == [0], found
    with node_with(env, "q-part2", limit("partition_ingress_bytes", MB)) as node:
        with client(node) as c, client(node) as other:
            took, told = produced(c, topic, 30)
            free, _ = produced(other, topic, 10, partition=1)
            assert took >= 1.8 and max(told) > 0, (took, told)
    return (
        f"4 MB of the hot one took {when[0]:.2f} s, 1 MB beside it {when[1]:.2f} s; "
        f"writing {took:.2f} s and {free:.2f} s"
    )


@only(through_weir=True)
def test_requests_are_slowed_down(env):
    """requests and topic_requests."""
    with node_with(env, "q-req", limit("requests", 20), limit("topic_requests", 2)) as node:
        with client(node) as c:
            began, told = time.monotonic(), []
            for _ in range(60):
                reply = c.ask("metadata", 9, {"topics": []})
                told.append(reply.value["throttle_time_ms"])
            took = time.monotonic() - began
            assert took >= 1.8, took
            assert max(told) > 0
            began = time.monotonic()
            for _ in range(6):
                c.ask("delete_topics", 4, {"topic_names": [], "timeout_ms": 1000})
            topics = time.monotonic() - began
            assert topics >= 1.4, topics
    return f"60 requests at 20 a second took {took:.2f} s, 6 at 2 a second {topics:.2f} s"


def creation(names, partitions, **more):
    return {
        "topics": [
            {"name": n, "num_partitions": partitions, "replication_factor": 1} for n in names
        ],
        "timeout_ms": 30000,
        **more,
    }


@only(through_weir=True)
def test_partition_changes(env):
    """Refused with THROTTLING_QUOTA_EXCEEDED where the version knows it, else held, and not for
    ever; deleting counts as well, and validating does not."""
    names = [env.name(f"changes-{n}") for n in range(4)]
    with node_with(env, "q-chg", limit("partition_changes", 10, burst=10)) as node:
        with client(node) as c:
            ask = creation(names[:1], 8)
            for _ in range(3):
                assert not any(c.ask("create_topics", 7, {**ask, "validate_only": True}).errors())
            # After a start there is no burst: one is let in.
            assert not any(c.ask("create_topics", 7, ask).errors())
            reply = c.ask("create_topics", 7, creation(names[2:3], 1))
            said = reply.value["topics"][0]
            assert said["error_code"] == THROTTLED, str(reply)
            assert "partition_changes of this tenant: 10 partitions" in said["error_message"]
            assert reply.value["throttle_time_ms"] > 0
            reply = c.ask("delete_topics", 5, {"topic_names": names[:1], "timeout_ms": 1000})
            assert reply.value["responses"][0]["error_code"] == THROTTLED, str(reply)
        # 8 of 10 in five minutes are four minutes of debt.
        node.config["quota"]["hold_max_ms"] = 500
        node.write_config(node.config)
        reload(node)
        with client(node) as c:
            began = time.monotonic()
            reply = c.ask("create_topics", 4, creation(names[3:], 1))
            took = time.monotonic() - began
            assert reply.value["topics"][0]["error_code"] == 7, str(reply)
            assert took >= 0.45, took
            with client(node) as other:
                assert not any(other.ask("metadata", 9, {"topics": []}).errors())
    return f"the old version waited {took:.2f} s"


@only(through_weir=True, kafka_from="4.2.0")
def test_share_fetch_is_held(env):
    """A share group over egress_bytes gets each record once, and no faster; what else its tenant
    asks is answered."""
    topic, group, count = env.topic("shared", 3), env.name("shared"), 4000

    def sent(node):
        return node.metric(r'^weir_response_bytes_total\{api="share_fetch"\}')

    env.client("share_earliest", group=group)
    limits = limit("egress_bytes", MB), limit("partition_egress_bytes", MB // 2)
    with node_with(env, "q-share", *limits) as node, client(node) as c:
        env.begin(
            "produce", topic=[topic], producer="sharing", count=count, partitions=3, size=1000,
            bootstrap=node.address,
        ).result(60)  # fmt: skip
        member = env.begin("share", node.address, topic=[topic], group=group)
        proc.wait_until("the first records", lambda: sent(node) > 0, 60, 0.02)
        began, asked = time.monotonic(), []
        while time.monotonic() - began < 2 or len(asked) < 5:
            before = time.monotonic()
            assert not any(c.ask("metadata", 9, {"topics": []}).errors())
            asked.append(time.monotonic() - before)
        fates = wait_for_fates([member], count)
        took, total = time.monotonic() - began, sent(node)
        assert not member.stop().result()["errors"]
        assert all(len([1 for *_, f in d if f != "RELEASE"]) == 1 for d in fates.values())
        # The burst, and an answer of each connection.
        assert total <= 1.02 * MB * (took + 0.1) + MB + 750000, (total, took)
        # One may have waited for the machine, not all.
        asked.sort()
        assert asked[len(asked) // 2] < 0.5, asked
        assert row(node, "egress_bytes")["held_up"]["times"] > 0
    return (
        f"{total / MB:.2f} MB at 1 MB/s, of which 1 at once, took {took:.2f} s; "
        f"Metadata {asked[-1] * 1000:.0f} ms at most"
    )


def counted(node, c):
    """How many partitions there are, when it is known which are compacted: those count apart."""
    topics = c.get("metadata", 9, {"topics": None})["topics"]
    asked = [
        {"resource_type": 2, "resource_name": t["name"], "configuration_keys": ["cleanup.policy"]}
        for t in topics
    ]
    said = c.get("describe_configs", 1, {"resources": asked, "include_synonyms": False})
    plain = {
        r["resource_name"] for r in said["results"]
        if "compact" not in r["configs"][0]["value"]
    }  # fmt: skip
    count = sum(len(t["partitions"]) for t in topics if t["name"] in plain)
    proc.wait_until(f"{count} are counted", lambda: row(node, "partitions")["use"] == count, 30)
    return count


@only(through_weir=True)
def test_partitions_in_one_request(env):
    """A request's topics count together."""
    names = [env.name(f"together-{n}") for n in range(20)]
    plenty = limit("partitions", 10 ** 6)
    with node_with(env, "q-together", plenty) as node, client(node) as c:
        have = counted(node, c)
        node.config["quota"]["limits"] = [limit("partitions", have + 35)]
        node.write_config(node.config)
        reload(node)
        said = c.ask("create_topics", 7, creation(names, 10)).value["topics"]
        codes = [t["error_code"] for t in said]
        assert sorted(codes) == [0] * 3 + [INVALID] * 17, codes


@only(through_weir=True)
def test_partitions(env):
    """No more partitions than the limit, whoever makes them."""
    name = env.name("parts")
    with node_with(env, "q-count", limit("partitions", 10 ** 6)) as node, client(node) as c:
        have = counted(node, c)
        node.config["quota"]["limits"] = [limit("partitions", have + 4)]
        node.write_config(node.config)
        reload(node)
        reply = c.ask("create_topics", 7, creation([name], 5))
        said = reply.value["topics"][0]
        assert said["error_code"] == INVALID, str(reply)
        assert f"partitions of this tenant: {have + 4} partitions" in said["error_message"]
        assert not any(c.ask("create_topics", 7, creation([name], 4)).errors())

        def full():
            more = {"topics": [{"name": name, "count": 5, "assignments": None}], "timeout_ms": 30000}
            said = c.ask("create_partitions", 3, more).value["results"][0]
            assert said["error_code"] in (INVALID, 3), said
            return said["error_code"] == INVALID

        proc.wait_until("the new topic is known", full, 10)


@only(through_weir=True)
def test_sizes(env):
    """A batch over message_bytes, a Fetch over fetch_bytes: INVALID_REQUEST, and the reason."""
    topic = env.topic("sizes", 2)
    sizes = limit("message_bytes", 50000), limit("fetch_bytes", 5 * MB)
    with node_with(env, "q-size", *sizes) as node, client(node) as c:
        reply = c.ask("produce", 9, produce(topic, records(60000)))
        said = reply.value["responses"][0]["partition_responses"][0]
        assert said["error_code"] == INVALID, str(reply)
        assert "message_bytes of this tenant: 50000 bytes" in said["error_message"], said
        assert not any(c.ask("produce", 9, produce(topic, records(40000))).errors())
        reply = c.ask("fetch", 11, fetch(topic, {0: 0}, max_bytes=5 * MB + 1))
        assert reply.value["error_code"] == INVALID, str(reply)
        reply = c.ask("fetch", 11, fetch(topic, {0: 0}, max_bytes=5 * MB))
        assert not any(reply.errors()), str(reply)
        assert row(node, "fetch_bytes")["held_up"]["times"] == 1


@only(through_weir=True)
def test_connections(env):
    """The connection over the limit is held, then closed, and says why; one that ends makes room."""
    limits = limit("connections", 2), limit("connection_attempts", 5, burst=5)
    with node_with(env, "q-conn", *limits, close_ms=500) as node:
        first, second, third = (client(node) for _ in range(3))
        for c in first, second:
            c.get("metadata", 9, {"topics": []})
        began = time.monotonic()
        reply = third.ask("metadata", 9, {"topics": []})
        assert reply.outcome == "closed" and time.monotonic() - began >= 0.45, str(reply)
        log = node.tail(1000)
        assert "reason=quota_connections" in log, log
        assert "connections of this tenant: 2 connections" in log, log
        first.close()

        def room():
            return third.ask("metadata", 9, {"topics": []}).outcome is None

        proc.wait_until("there is room", room, 20)
        for c in second, third:
            c.close()

        def refused():
            with client(node) as c:
                return c.ask("metadata", 9, {"topics": []}).outcome == "closed"

        proc.wait_until(
            "too many attempts",
            lambda: refused() and "reason=quota_connection_rate" in node.tail(1000),
            20,
        )


@only(through_weir=True)
def test_a_muted_client_goes(env):
    """It is muted for many minutes, and its place is free as soon as it has gone."""
    topic = env.topic("goes", 1)
    limits = limit("ingress_bytes", 1000), limit("connections", 1)
    with node_with(env, "q-goes", *limits, throttle_max_ms=600000) as node:
        with client(node) as c:
            _, told = produced(c, topic, 1, size=500000)
            assert told[0] > 300000, told
            assert row(node, "connections")["use"] == 1
        proc.wait_until("its place to be free", lambda: row(node, "connections")["use"] == 0, 30)
        with client(node) as c:
            assert not any(c.ask("metadata", 9, {"topics": []}).errors())


@only(through_weir=True)
def test_shadow(env):
    """What it would have done is told, and nobody is slowed down."""
    topic = env.topic("shadow", 1)
    limits = [limit("ingress_bytes", 100000, mode="shadow")]
    limits += [limit("message_bytes", 1000, mode="shadow")]
    with node_with(env, "q-shadow", *limits) as node, client(node) as c:
        _, told = produced(c, topic, 30)
        assert max(told) == 0, told
        held = row(node, "ingress_bytes")["held_up"]
        # Nobody waits; what comes while the limit is in debt would have.
        assert held["times"] >= 20 and held["over"] > 2 * MB, held
        assert row(node, "message_bytes")["held_up"]["times"] >= 30
        assert node.metric("weir_requests_held_total") == 0


@only(through_weir=True)
def test_live_change(env):
    """A raised limit frees who waits, and closes no connection."""
    topic = env.topic("raised", 1)
    with node_with(env, "q-live", limit("ingress_bytes", 20000)) as node, client(node) as c:
        produced(c, topic, 1, size=400000)
        sock = c.sock
        began = time.monotonic()
        c.sock.sendall(c.schema["produce"].ask(9, produce(topic, records(1000)), 99, "c"))
        node.config["quota"]["limits"] = [limit("ingress_bytes", 50 * MB)]
        node.write_config(node.config)
        reload(node)
        c.sock.settimeout(15)
        assert c.sock.recv(4) and c.sock is sock
        took = time.monotonic() - began
    return f"19 s of waiting ended after {took:.2f} s"


@only(through_weir=True)
def test_topics_that_brokers_make(env):
    """A Metadata request that makes topics is charged for them, and makes none without budget."""
    names = [env.name(f"auto-{n}") for n in range(3)]
    with node_with(env, "q-auto", limit("partition_changes", 1, burst=1)) as node:
        with client(node) as c:
            ask = {"topics": [{"name": n} for n in names[:2]], "allow_auto_topic_creation": True}
            c.ask("metadata", 9, ask)
            c.patient("metadata", 9, {"topics": [{"name": names[0]}]})
            more = {"topics": [{"name": names[2]}], "allow_auto_topic_creation": True}
            reply = c.ask("metadata", 9, more)
            assert reply.value["topics"][0]["error_code"] == 3, str(reply)
            assert reply.value["throttle_time_ms"] > 0, str(reply)
    for name in names[:2]:
        env.known(name)
    known = {t["name"] for t in env.cluster.metadata(None)["topics"]}
    assert names[2] not in known, known


def held_to(rate, c, name, version, ask):
    """Asks for 400 kB in all: how long it took, which is as long as that rate needs."""
    size = len(c.ask(name, version, ask).frame)
    began, sent = time.monotonic(), 0
    while sent < 400000:
        sent += len(c.ask(name, version, ask).frame)
    took = time.monotonic() - began
    # A burst, the first reply, the last one into debt.
    assert took >= (sent - rate - 2 * size) / rate, (took, sent, size)
    return took


@only(through_weir=True)
def test_every_byte_counts(env):
    """Metadata, which does not wait for limits of bytes, waits when it is more than one by itself;
    so does what describes configurations."""
    topics = [env.name(f"wide-{n}") for n in range(20)]
    with node_with(env, "q-bytes", limit("egress_bytes", 100000)) as node, client(node) as c:
        assert not any(c.ask("create_topics", 7, creation(topics, 20)).errors())
        ask = {"topics": [{"name": n} for n in topics]}
        # Before Kafka 4.1 brokers learn of topics one after the other.
        proc.wait_until("all topics", lambda: not any(c.ask("metadata", 9, ask).errors()), 30)
        took = held_to(100000, c, "metadata", 9, ask)
        # Heartbeats are answered all the same.
        beat = {"group_id": "g", "generation_id": 1, "member_id": "m"}
        before = time.monotonic()
        c2 = client(node)
        c2.ask("heartbeat", 4, beat)
        heart = time.monotonic() - before
        c2.close()
    with node_with(env, "q-bytes2", limit("egress_bytes", 100000)) as node, client(node) as c:
        ask = {"resources": [{"resource_type": 2, "resource_name": n} for n in topics]}
        began, sent = time.monotonic(), 0
        while sent < 400000:
            reply = c.ask("describe_configs", 4, ask)
            sent += len(reply.frame)
        configs = time.monotonic() - began
        assert configs >= (sent - 100000 - 2 * len(reply.frame)) / 100000, (configs, sent)
    return (
        f"at 100 kB/s 400 kB of Metadata took {took:.2f} s (a heartbeat {heart * 1000:.0f} ms), "
        f"of configurations {configs:.2f} s"
    )


def commits(group, topic, partitions, size):
    """A commit by no member, with so much text for each partition."""
    text = "x" * size
    return {
        "group_id": group,
        "topics": [
            {
                "name": topic,
                "partitions": [
                    {"partition_index": p, "committed_offset": 0, "committed_metadata": text}
                    for p in range(partitions)
                ],
            }
        ],
    }


@only(through_weir=True)
def test_bytes_of_groups_count(env):
    """What groups ask for does not wait for bytes of others, and waits when it is more than a limit
    by itself; heartbeats are answered meanwhile, and Metadata."""
    topic, group, rate = env.topic("offsets", 20), env.name("offsets"), 100000
    ask = {"group_id": group, "topics": None}
    beat = {"group_id": group, "generation_id": 1, "member_id": "m"}
    with node_with(env, "q-offsets", limit("egress_bytes", rate)) as node:
        with client(node) as c, client(node) as other:
            c.get("offset_commit", 7, commits(group, topic, 20, 3000))
            other.ask("metadata", 9, {"topics": []})
            size = len(c.patient("offset_fetch", 7, ask).frame)
            assert size > 60000, size
            began, sent, beside = time.monotonic(), 0, 0
            while sent < 400000:
                c.sock.sendall(c.schema["offset_fetch"].ask(7, ask, 7, "c"))
                assert other.ask("heartbeat", 4, beat).outcome is None
                assert not any(other.ask("metadata", 9, {"topics": []}).errors())
                # They were answered while it waited.
                beside += not select.select([c.sock], [], [], 0)[0]
                sent += len(read_frame(c.sock))
            took = time.monotonic() - began
            # A burst, the first reply, the last one into debt.
            assert took >= (sent - rate - 2 * size) / rate, (took, sent, size)
            assert beside > 0
            held = row(node, "egress_bytes")["held_up"]
            assert held["times"] > 0, held
    with node_with(env, "q-commits", limit("ingress_bytes", rate)) as node, client(node) as c:
        began, sent = time.monotonic(), 0
        while sent < 400000:
            assert not any(c.ask("offset_commit", 7, commits(group, topic, 20, 3000)).errors())
            sent += 60000
        writing = time.monotonic() - began
        assert writing >= (sent - rate - 60000 * 1.1) / rate, (writing, sent)
    return (
        f"at 100 kB/s {sent // 1000} kB of offsets read took {took:.2f} s ({beside} heartbeats "
        f"went before them), written {writing:.2f} s"
    )


@only(through_weir=True)
def test_a_principals_bytes_count(env):
    """A limit of bytes of each principal holds what does not wait for bytes of others too."""
    topics, rate = [env.name(f"broad-{n}") for n in range(20)], 100000
    limits = limit("egress_bytes", rate, scope="principal")
    with node_with(env, "q-own", limits) as node, client(node) as c:
        assert not any(c.ask("create_topics", 7, creation(topics, 20)).errors())
        ask = {"topics": [{"name": n} for n in topics]}
        proc.wait_until("all topics", lambda: not any(c.ask("metadata", 9, ask).errors()), 30)
        took = held_to(rate, c, "metadata", 9, ask)
    return f"at 100 kB/s 400 kB of Metadata took {took:.2f} s"


@only(through_weir=True)
def test_many_long_polls(env):
    """Any number of Fetches wait, and what they get together is within the limit."""
    topic = env.topic("polls", 1)
    with node_with(env, "q-polls", limit("egress_bytes", MB)) as node:
        with client(node) as c:
            produced(c, topic, 20)
        callers = [client(node) for _ in range(30)]
        for c in callers:
            c._connect()
        began, total = time.monotonic(), 0
        while total < 4 * MB:
            for c in callers:
                c.sock.sendall(c.schema["fetch"].ask(11, fetch(topic, {0: 0}, max_wait_ms=200), 5, "c"))
            for c in callers:
                total += len(read_frame(c.sock))
        took = time.monotonic() - began
        # The burst, and an answer a worker.
        assert total <= 1.02 * MB * took + MB + 600000, (total, took)
        for c in callers:
            c.close()
    return f"30 at once: {total / took / MB:.3f} of the limit"


@only(through_weir=True)
def test_java_clients_at_their_limits(env):
    """A producer that presses as hard as it can, and groups that read it at as little: no error, no
    timeout, no rebalance because of a limit."""
    topic, count = env.topic("pressed", 3), PRESSED * 1000
    limits = limit("ingress_bytes", MB), limit("egress_bytes", MB), limit("requests", 200)
    with node_with(env, "q-java", *limits) as node:
        at = {"bootstrap": node.address}
        groups = [Group(env, [topic], 1, **at)]
        if not env.options.kafka.startswith("3."):
            groups.append(Group(env, [topic], 1, protocol="consumer", **at))
        for group in groups:
            group.wait_all_assigned(3)
        before = [group.assignments() for group in groups]
        task = env.begin(
            "produce", topic=[topic], producer="pressing", count=count, partitions=3, size=1000,
            config={"buffer.memory": 4 * MB}, **at,
        )  # fmt: skip
        result = task.result(PRESSED * 4 + 60)
        assert result["failed"] == 0, result
        for group, first in zip(groups, before):
            group.wait_for(count, PRESSED * 6 + 60)
            assert group.assignments() == first, (first, group.assignments())
            group.stop()
        held = {d: row(node, d)["held_up"] for d in ("ingress_bytes", "egress_bytes")}
        assert all(h and h["times"] > 0 for h in held.values()), held
        refused = node.metric("weir_requests_refused_total")
        assert refused == 0, refused
    return (
        f"{count / 1000:.0f} MB at 1 MB/s in {result['ms'] / 1000:.1f} s; held up "
        + ", ".join(f"{d} {h['times']} times" for d, h in held.items())
    )


def other_client(env, name, argv, **more):
    limits = limit("ingress_bytes", 60000), limit("egress_bytes", 60000)
    with node_with(env, "q-" + name, *limits) as node:
        others.run(env, name, argv, bootstrap=node.address, **more)
        held = [r["held_up"]["times"] for d in ("ingress_bytes", "egress_bytes")
                for r in rows(node, d) if r["held_up"]]  # fmt: skip
        assert sum(held) > 0 and node.metric("weir_requests_refused_total") == 0
    return f"held up {sum(held)} times"


@only(through_weir=True)
def test_librdkafka_at_its_limits(env):
    """It does not heed throttle times: only the mute holds it."""
    python = os.path.join(kafka.DEPS, "venv/bin/python")
    return other_client(env, "confluent", [python, f"{others.HERE}/clients/confluent.py"],
                        with_transactions=True)  # fmt: skip


def kcat(env, name, node, *words, **pipes):
    argv = ["kcat", "-b", node.address, *words]
    return proc.Process(name, argv, env.path(f"{name}.log"), **pipes)


@only(through_weir=True)
def test_kcat_presses(env):
    """librdkafka writes as fast as it can, and a group of it reads at as little: no error, no
    timeout, no rebalance."""
    topic = env.topic("kcat-pressed", 3)
    limits = limit("ingress_bytes", MB), limit("egress_bytes", MB)
    line = b"x" * 999 + b"\n"
    with node_with(env, "q-kcat", *limits) as node:
        reads = env.path("kcat-pressed.reads")
        with open(reads, "wb") as out:
            reader = kcat(env, "kcat-reads", node, "-u", "-G", env.name("pressed"), "-X",
                          "auto.offset.reset=earliest", "-f", "%o\n", topic, stdout=out)  # fmt: skip
        writer = kcat(env, "kcat-writes", node, "-P", "-t", topic, "-X", "acks=all", "-X",
                      "queue.buffering.max.messages=2000", stdin=subprocess.PIPE)  # fmt: skip
        end, sent = time.monotonic() + PRESSED, 0
        while time.monotonic() < end:
            writer.popen.stdin.write(line * 100)
            sent += 100
        writer.popen.stdin.close()
        assert writer.wait(120) == 0, writer.tail()

        def all_read():
            with open(reads, "rb") as f:
                return sum(1 for _ in f) >= sent

        proc.wait_until("all records to be read", all_read, PRESSED + 120)
        told = reader.tail(1000)
        reader.stop()
        assert told.count("assigned") == 1, told
        for word in ("timed out", "ERROR", "FAIL"):
            assert word not in told + writer.tail(1000), told + writer.tail(1000)
        held = row(node, "ingress_bytes")["held_up"]
        assert held["times"] > 0 and node.metric("weir_requests_refused_total") == 0, held
    return f"{sent / 1000:.1f} MB in {PRESSED} s at 1 MB/s; held up {held['times']} times"


@only(through_weir=True)
def test_old_librdkafka_at_its_limits(env):
    """One virtual broker: heartbeats, fetches and produces on few connections."""
    python = os.path.join(kafka.DEPS, "venv-old/bin/python")
    return other_client(env, "confluent", [python, f"{others.HERE}/clients/confluent.py"],
                        with_transactions=True)  # fmt: skip


@only(through_weir=True)
def test_sarama_at_its_limits(env):
    return other_client(env, "sarama", [os.path.join(kafka.DEPS, "sarama")])


@only(through_weir=True)
def test_kafkajs_at_its_limits(env):
    modules = os.path.join(kafka.DEPS, "kafkajs/node_modules")
    return other_client(env, "kafkajs", ["node", f"{others.HERE}/clients/kafkajs/client.js", modules])
