"""Limits of what only brokers can count, on real brokers: groups of each kind, transactional ids,
partitions of compacted topics, sizes. What exists goes on; what would be new is refused. Tenants keep tests apart, since all share a
cluster. Nothing here waits for a time: what a census must show is asked for until it does."""

import contextlib
import json
import os
import threading
import time

from rig import kafka, proc, tenants, wire
from rig.caller import AGAIN, Caller
from rig.driver import ScenarioFailed
from rig.env import only
from rig.records import batch
from rig.redis import Server
from rig.weir import Weir
from rig.workload import Group
from test_60_quotas import MB, limit, produce, records

FULL, INVALID, POLICY, THROTTLED = 81, 42, 44, 89
NEW_GROUPS = "4.0.0"


@contextlib.contextmanager
def node_for(env, tenant, *limits, census_ms=30000, tenants_dir=None, rules=None, store=None):
    """A node whose clients are all of that tenant, without a login."""
    node = Weir(env, config={}, name=f"census-{env.name(tenant)}")
    node.folder_of_tenants = tenants.Folder(tenants_dir or env.path(node.name + "-tenants"))
    write(node, tenant, *limits, rules=rules)
    node.write_config(
        {
            "cluster": {"bootstrap": env.cluster.bootstrap()},
            "listeners": [{"address": node.address, "advertised": node.address}],
            "tenants_dir": node.folder_of_tenants.path,
            "quota": {"census_ms": census_ms, **(store or {})},
            "admin": {"address": f"127.0.0.1:{node.admin_port}"},
        }
    )
    try:
        yield certain(node.start())
    finally:
        node.stop(2)


def certain(node):
    """Waits for a census that all brokers answered: until then limits let pass what is new."""

    def whole():
        return node.metric("weir_censuses_total") > node.metric("weir_censuses_failed_total")

    proc.wait_until("a whole census", whole, 60)
    return node


def write(node, tenant, *limits, rules=None):
    quota = {"profile": "unlimited", "limits": list(limits)}
    more = {"topics": rules} if rules else {}
    node.folder_of_tenants.write(tenant, {"listener": "kafka"}, quota=quota, **more)


def client(node, **more):
    return Caller(node.host, node.port, **more)


def row(node, tenant, dimension):
    code, text = node.get(f"/limits?tenant={tenant}")
    assert code == 200, (code, text)
    found = [r for r in json.loads(text)["limits"] if r["dimension"] == dimension]
    return found[0] if found else {"use": None, "held_up": None}


def used(node, tenant, dimension, count, seconds=20):
    seen = []

    def there():
        use = row(node, tenant, dimension)["use"]
        if seen[-1:] != [use]:
            seen.append(use)
        return use == count

    try:
        proc.wait_until(f"{count} {dimension} of {tenant}", there, seconds)
    except proc.Timeout as e:
        raise proc.Timeout(f"{e}: {seen}, {node.metric('weir_censuses_total')} censuses") from None


def settled(c, name, version, value):
    """The answer, when the coordinator is there."""
    reply = c.patient(name, version, value, 30)
    assert reply.outcome is None and not AGAIN.intersection(reply.errors()), str(reply)
    return reply


def joining(group):
    return {
        "group_id": group,
        "session_timeout_ms": 30000,
        "rebalance_timeout_ms": 30000,
        "member_id": "",
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": b"\0\0\0\0\0\0\0\0\0\0"}],
    }


def join(c, group, version=3):
    return settled(c, "join_group", version, joining(group))


def beat(c, kind, group, member="m"):
    value = {"group_id": group, "member_id": member, "member_epoch": 0}
    if kind == "consumer":
        value.update(rebalance_timeout_ms=30000, subscribed_topic_names=["t"], topic_partitions=[])
        return settled(c, "consumer_group_heartbeat", 0, value)
    if kind == "share":
        return settled(c, "share_group_heartbeat", 1, {**value, "subscribed_topic_names": ["t"]})
    topology = {"epoch": 0, "subtopologies": [{"subtopology_id": "0", "source_topics": ["t"]}]}
    value.update(
        rebalance_timeout_ms=30000, topology=topology, active_tasks=[], standby_tasks=[],
        warmup_tasks=[], process_id="p", client_tags=[],
    )  # fmt: skip
    return settled(c, "streams_group_heartbeat", 0, value)


def commit(c, group, topic, version=8):
    partitions = [{"partition_index": 0, "committed_offset": 0}]
    return settled(
        c,
        "offset_commit",
        version,
        {
            "group_id": group,
            "generation_id_or_member_epoch": -1,
            "member_id": "",
            "topics": [{"name": topic, "partitions": partitions}],
        },
    )


def share_offsets(group, topic):
    partitions = [{"partition_index": 0, "start_offset": 0}]
    return {"group_id": group, "topics": [{"topic_name": topic, "partitions": partitions}]}


def topic_of(env, tenant, what="t", partitions=1):
    """A topic of the tenant's; what it calls it."""
    name = env.name(what)
    env.operator("create", topic=[f"{tenant}.{name}"], partitions=partitions)
    env.known(f"{tenant}.{name}")
    return name


def refused(env, node, scenario, **args):
    """What a Java client's scenario ends with."""
    try:
        env.client(scenario, bootstrap=node.address, **args)
    except ScenarioFailed as e:
        return str(e)
    raise AssertionError(f"{scenario} was not refused")


def says(reply, *words):
    text = reply.value["error_message"]
    assert all(word in text for word in words), text


@only(through_weir=True, kafka_from=NEW_GROUPS)
def test_groups_of_each_kind(env):
    """Groups of all kinds count; the one too many is refused whatever makes it, in the words that
    its clients take as final; those that are there go on, and one that is deleted makes room."""
    tenant = "kinds"
    with node_for(env, tenant, limit("groups", 4)) as node, client(node) as c:
        topic = topic_of(env, tenant)
        assert join(c, "classic").errors() == [0]
        for kind in "consumer", "share", "streams":
            reply = beat(c, kind, kind)
            assert reply.value["error_code"] == 0, str(reply)
        used(node, tenant, "groups", 4)
        assert join(c, "late", version=3).errors() == [INVALID]
        assert join(c, "late", version=5).errors() == [FULL]
        for kind in "consumer", "share", "streams":
            reply = beat(c, kind, "late")
            assert reply.value["error_code"] == FULL, str(reply)
            says(reply, "groups of this tenant: 4 groups")
        assert commit(c, "late", topic).errors() == [FULL]
        reply = settled(c, "alter_share_group_offsets", 0, share_offsets("late", topic))
        assert reply.value["error_code"] == FULL, str(reply)
        says(reply, "groups of this tenant: 4 groups")
        assert commit(c, "late", topic, version=6).errors() == [INVALID]
        # Another member of one that is there.
        for kind in "consumer", "share":
            assert beat(c, kind, kind, "other").value["error_code"] == 0
        held = row(node, tenant, "groups")
        assert held["held_up"]["times"] == 8 and held["headroom"] == 0, held
        assert "refused by a limit" in node.tail(1000)
        reply = commit(c, "classic", topic)
        assert FULL not in reply.errors(), str(reply)
        with client(node) as other:
            leave(other, "share")
            deleted(other, "share")
        used(node, tenant, "groups", 3)
        assert commit(c, "simple", topic).errors() == [0]
        used(node, tenant, "groups", 4)
        assert node.metric("weir_census_unsure_total") == 0
    return f"{node.name} was content"


def as_a_fleet(stack, env, tenant, *limits):
    """Three nodes of it."""
    redis = Server(env).start()
    stack.callback(redis.stop)
    shared = env.path(f"{tenant}-tenants")
    addresses = {"addresses": [redis.address], "key_prefix": env.name("weir")}
    store = {"store": "redis", "redis": addresses}
    nodes = [
        stack.enter_context(
            node_for(env, tenant, *limits, census_ms=600000, tenants_dir=shared, store=store)
        )
        for _ in range(3)
    ]
    for node in nodes:
        proc.wait_until(
            f"{node.name} to know the others",
            lambda n=node: n.status()["store"]["nodes"] == 3, 20,
        )  # fmt: skip
    return nodes


def heard(node):
    """How often it was told that others had made something."""
    return node.status()["store"]["news"]


@only(through_weir=True)
def test_groups_of_a_fleet(env):
    """What one gateway has made the others know of, though their censuses are ten minutes apart;
    and all at once make as many groups as there is room for, but for a few."""
    tenant, most, first = "fgroups", 12, 6
    with contextlib.ExitStack() as stack:
        nodes = as_a_fleet(stack, env, tenant, limit("groups", most))
        callers = [stack.enter_context(client(n)) for n in nodes]
        topic = topic_of(env, tenant)
        for k in range(first):
            assert commit(callers[k % 2], f"first-{k}", topic).errors() == [0]
        for node in nodes:
            used(node, tenant, "groups", first)
        said = []

        def press(n):
            with client(nodes[n]) as c:
                said.extend(commit(c, f"more-{n}-{k}", topic).errors() for k in range(most))

        threads = [threading.Thread(target=press, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(said) == 3 * most and all(e in ([0], [FULL]) for e in said), said
        total = first + said.count([0])
        # Two may have made their part of what was left before they heard of the third one's.
        assert most <= total <= most + 2 * ((most - first) // 3), total
        for node, c in zip(nodes, callers):
            used(node, tenant, "groups", total)
            assert commit(c, "late", topic).errors() == [FULL]
            assert commit(c, "first-0", topic).errors() == [0]
        # Room that one node makes another uses.
        for k in range(total - most + 1):
            deleted(callers[0], f"first-{k}")
        for node in nodes:
            used(node, tenant, "groups", most - 1)
        assert commit(callers[2], "late", topic).errors() == [0]
    return f"{total} of {most} groups"


@only(through_weir=True)
def test_partitions_of_a_fleet(env):
    """Topics that one gateway has made count at the others, which are told."""
    tenant = "fparts"
    with contextlib.ExitStack() as stack:
        nodes = as_a_fleet(stack, env, tenant, limit("partitions", 10))
        callers = [stack.enter_context(client(n)) for n in nodes]
        before = [heard(node) for node in nodes]
        assert made(callers[0], "one", 6)["error_code"] == 0
        for node, news in zip(nodes[1:], before[1:]):
            proc.wait_until("news", lambda n=node, b=news: heard(n) > b, 20)
        for node in nodes:
            used(node, tenant, "partitions", 6)
        for c in callers[1:]:
            assert made(c, "two", 5)["error_code"] == INVALID
        assert made(callers[2], "two", 4)["error_code"] == 0
        for node in nodes:
            used(node, tenant, "partitions", 10)


@only(through_weir=True)
def test_java_groups(env):
    """The Java consumer ends with an error that says what it is about; a group that is there goes
    on, with more members and after a restart of weir."""
    tenant, count = "jgroups", 300
    with node_for(env, tenant, limit("groups", 1)) as node:
        topic = topic_of(env, tenant, partitions=3)
        at = {"bootstrap": node.address}
        group = Group(env, [topic], 1, **at)
        group.wait_assigned()
        said = refused(env, node, "consume", topic=[topic], group="jlate")
        assert "GroupMaxSizeReachedException" in said, said
        if not env.options.kafka.startswith("3."):
            said = refused(env, node, "consume", topic=[topic], group="jlate", protocol="consumer")
            assert "GroupMaxSizeReachedException: over the limit groups of this" in said, said
            assert "tenant: 1 groups" in said, said
        group.join()
        env.client("produce", topic=[topic], producer="p", count=count, partitions=3, **at)
        group.wait_for(count)
        node.stop()
        node.start()
        env.client("produce", topic=[topic], producer="q", count=count, partitions=3, **at)
        group.wait_for(2 * count)
        used(node, tenant, "groups", 1)
        group.stop()
        write(node, tenant, limit("groups", 2))
        proc.wait_until("the new limit", lambda: row(node, tenant, "groups")["value"] == 2, 10)
        Group(env, [topic], 1, **at).wait_assigned().stop()
    return said


@only(through_weir=True)
def test_java_transactions(env):
    """A transactional id too many is a fatal error, at once; one that is there goes on, as does a
    producer without."""
    tenant = "jtxns"
    with node_for(env, tenant, limit("transactional_ids", 1)) as node:
        topic = topic_of(env, tenant)
        args = {"topic": [topic], "partitions": 1, "count": 3}
        at = {"bootstrap": node.address}
        env.client("transact", producer="tx1", **args, **at)
        said = refused(env, node, "transact", producer="tx2", **args)
        assert "do not satisfy the configured policy" in said, said
        result = env.client("transact", producer="tx1", **args, **at)
        assert result["outcomes"] == {"committed": 2, "aborted": 1}, result
        env.client("produce", producer="p", **args, **at)
        used(node, tenant, "transactional_ids", 1)
        assert row(node, tenant, "transactional_ids")["held_up"]["times"] == 1
    return said


@only(through_weir=True)
def test_librdkafka(env):
    """It tells its application, and tries again."""
    tenant = "rdkafka"
    with node_for(env, tenant, limit("groups", 0), limit("transactional_ids", 0)) as node:
        topic = topic_of(env, tenant)
        python = os.path.join(kafka.DEPS, "venv/bin/python")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients/refused.py")
        code, out, err = proc.run(
            "refused", [python, script, node.address, topic, "g", "tx"],
            env.path("clients.log"), 90,
        )  # fmt: skip
        assert code == 0, err[-1500:]
        said = json.loads(out)
        assert said["group"][0] == "GROUP_MAX_SIZE_REACHED", said
        assert said["txn"][0] == "POLICY_VIOLATION", said
    return f"{said}"


@only(through_weir=True)
def test_a_burst(env):
    """Fifty at once over ten connections: no more than there may be, and nobody waits in vain."""
    tenant = "burst"
    with node_for(env, tenant, limit("groups", 21), limit("transactional_ids", 7)) as node:
        callers = [client(node) for _ in range(10)]
        for c in callers:
            settled(c, "init_producer_id", 4, producer_id(None))
        join(callers[0], "first")
        for n in range(5):
            for i, c in enumerate(callers):
                c.sock.sendall(
                    c.schema["join_group"].ask(3, joining(f"b{n}-{i}"), 100 + n, "burst")
                )
        codes = [wire_code(c, "join_group", 3) for c in callers for _ in range(5)]
        assert sorted(set(codes)) == [0, INVALID], codes
        assert codes.count(0) == 20, codes
        for i, c in enumerate(callers):
            reply = settled(c, "init_producer_id", 4, producer_id(f"tx{i}"))
            assert reply.errors() == [0 if i < 7 else POLICY], str(reply)
            c.close()
        used(node, tenant, "groups", 21)


def producer_id(txn):
    return {"transactional_id": txn, "transaction_timeout_ms": 60000}


def wire_code(c, name, version):
    data = wire.read_frame(c.sock)
    return c.schema[name].answer(version, data)["error_code"]


def leave(c, group):
    for member in "m", "other":
        value = {"group_id": group, "member_id": member, "member_epoch": -1}
        settled(c, "share_group_heartbeat", 1, value)


def deleted(c, *groups):
    reply = settled(c, "delete_groups", 2, {"groups_names": list(groups)})
    assert not any(reply.errors()), str(reply)


def creation(name, partitions, policy=None):
    configs = [{"name": "cleanup.policy", "value": policy}] if policy else []
    topic = {
        "name": name, "num_partitions": partitions, "replication_factor": 1, "configs": configs,
    }  # fmt: skip
    return {"topics": [topic], "timeout_ms": 30000}


def made(c, *args):
    reply = c.ask("create_topics", 7, creation(*args))
    return reply.value["topics"][0]


def altered(c, topic, value):
    config = {"name": "cleanup.policy", "config_operation": 0, "value": value}
    resource = {"resource_type": 2, "resource_name": topic, "configs": [config]}
    reply = c.ask("incremental_alter_configs", 1, {"resources": [resource]})
    return reply.value["responses"][0]


@only(through_weir=True)
def test_compacted_partitions(env):
    """Partitions of compacted topics are counted apart, whoever made them, however they became
    compacted."""
    tenant = "compacted"
    old = topic_of(env, tenant, "old", 2)
    with client_of_cluster(env) as direct:
        assert altered(direct, f"{tenant}.{old}", "compact")["error_code"] == 0
    limits = limit("compacted_partitions", 6), limit("partitions", 5)
    # A broker may learn late of what was altered at another one.
    rules = {"profile": "any"}
    with node_for(env, tenant, *limits, census_ms=1000, rules=rules) as node, client(node) as c:
        used(node, tenant, "compacted_partitions", 2)
        assert made(c, "a", 3, "compact,delete")["error_code"] == 0
        said = made(c, "b", 2, "compact")
        assert said["error_code"] == INVALID, said
        assert "compacted_partitions of this tenant: 6 partitions" in said["error_message"], said
        assert made(c, "b", 4, "delete")["error_code"] == 0
        said = made(c, "d", 2)
        assert said["error_code"] == INVALID, said
        assert "over the limit partitions of this tenant: 5 partitions" in said["error_message"]
        assert made(c, "d", 1)["error_code"] == 0
        used(node, tenant, "compacted_partitions", 5)
        used(node, tenant, "partitions", 5)
        said = altered(c, "b", "compact")
        assert said["error_code"] == INVALID, said
        assert altered(c, "d", "compact")["error_code"] == 0
        used(node, tenant, "compacted_partitions", 6)
        used(node, tenant, "partitions", 4)
        more = {"topics": [{"name": old, "count": 3, "assignments": None}], "timeout_ms": 30000}
        said = c.ask("create_partitions", 3, more).value["results"][0]
        assert said["error_code"] == INVALID, said
        c.get("delete_topics", 5, {"topic_names": ["a"], "timeout_ms": 30000})
        used(node, tenant, "compacted_partitions", 3)

        def has_room():
            return c.ask("create_partitions", 3, more).value["results"][0]["error_code"] == 0

        proc.wait_until("there is room", has_room, 20)


def client_of_cluster(env):
    host, port = env.cluster.bootstrap().split(",")[0].rsplit(":", 1)
    return Caller(host, int(port))


def written(c, topic, size, partition=0, version=9):
    value = produce(topic, records(size), partition)
    reply = c.patient("produce", version, value)
    return reply.value, reply.value["responses"][0]["partition_responses"][0]


def fill(c, topic, partition=0, seconds=20):
    """Writes until it is refused; what was said, and how often it was not."""
    n, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        value, said = written(c, topic, 100000, partition)
        if said["error_code"]:
            return value, said, n
        n += 1
    raise AssertionError(f"{n} batches were taken in {seconds} s")


@only(through_weir=True)
def test_storage(env):
    """Over storage_bytes nothing more is written; reading goes on, and when something is deleted
    writing does too. Java's producer waits for that."""
    tenant = "storage"
    with node_for(env, tenant, limit("storage_bytes", 2 * MB), census_ms=300) as node:
        big, small = (topic_of(env, tenant, what) for what in ("big", "small"))
        with client(node) as c:
            value, said, before = fill(c, big)
            assert said["error_code"] == THROTTLED, said
            says_in(said, "storage_bytes of this tenant: 2000000 bytes")
            assert value["throttle_time_ms"] >= 1000, value
            assert before >= 20, before
            _, said = written(c, small, 100, version=8)
            assert said["error_code"] == POLICY, said
            says_in(said, "storage_bytes of this tenant")
            assert row(node, tenant, "storage_bytes")["use"] > 2 * MB
            task = env.begin("produce", topic=[small], producer="p", count=10, partitions=1,
                             bootstrap=node.address)  # fmt: skip
            times = row(node, tenant, "storage_bytes")["held_up"]["times"]
            proc.wait_until(
                "the producer is refused",
                lambda: row(node, tenant, "storage_bytes")["held_up"]["times"] > times + 1,
                30,
            )
            assert not task.done()
            c.get("delete_topics", 5, {"topic_names": [big], "timeout_ms": 30000})
            assert task.result(60)["failed"] == 0
            used_less(node, tenant, "storage_bytes", 2 * MB)
            _, said = written(c, small, 100, version=8)
            assert said["error_code"] == 0, said
    return f"{before} batches of 100 kB were taken"


def says_in(said, text):
    assert text in said["error_message"], said


def used_less(node, tenant, dimension, most):
    proc.wait_until(
        f"less than {most} {dimension}",
        lambda: row(node, tenant, dimension)["use"] < most,
        20,
    )


@only(through_weir=True)
def test_compacted_partition_bytes(env):
    """A compacted partition that is too large is not written to; its neighbours, and topics that
    are not compacted, are."""
    tenant = "large"
    limits = [limit("compacted_partition_bytes", MB)]
    with node_for(env, tenant, *limits, census_ms=300) as node, client(node) as c:
        assert made(c, "table", 2, "compact")["error_code"] == 0
        plain = topic_of(env, tenant, "plain")
        keyed(c, "table", 1, 0)
        for _ in range(15):
            assert written(c, plain, 100000)[1]["error_code"] == 0
        taken = late = 0

        def full():
            nonlocal taken, late
            known = row(node, tenant, "compacted_partition_bytes")["use"] > MB
            code = keyed(c, "table", 0, 100000)["error_code"]
            taken += code == 0
            late += known and code == 0
            return code == THROTTLED

        proc.wait_until("it is full", full, 30)
        # A worker may hear of a census a moment after it is shown.
        assert late <= 2, late
        said = keyed(c, "table", 0, 10)
        assert said["error_code"] == THROTTLED, said
        says_in(said, "compacted_partition_bytes of this tenant: 1000000 bytes")
        assert keyed(c, "table", 1, 100000)["error_code"] == 0
        assert written(c, plain, 100000)[1]["error_code"] == 0
        found = row(node, tenant, "compacted_partition_bytes")
        assert MB < found["use"] <= (taken + 1) * 101000, (found, taken)


def keyed(c, topic, partition, size):
    value = produce(topic, batch([(b"k", b"x" * size)]), partition)
    reply = c.patient("produce", 9, value)
    return reply.value["responses"][0]["partition_responses"][0]
