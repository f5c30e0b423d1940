"""Limits of what only brokers can count, on real brokers: groups of each kind, transactional ids.
What exists goes on; what would be new is refused. Tenants keep tests apart, since all share a
cluster. Nothing here waits for a time: what a census must show is asked for until it does."""

import contextlib
import json
import os

from rig import kafka, proc, tenants, wire
from rig.caller import AGAIN, Caller
from rig.driver import ScenarioFailed
from rig.env import only
from rig.weir import Weir
from rig.workload import Group
from test_60_quotas import limit

FULL, INVALID, POLICY = 81, 42, 44
NEW_GROUPS = "4.0.0"


@contextlib.contextmanager
def node_for(env, tenant, *limits, census_ms=30000, tenants_dir=None):
    """A node whose clients are all of that tenant, without a login."""
    node = Weir(env, config={}, name=f"census-{env.name(tenant)}")
    node.folder_of_tenants = tenants.Folder(tenants_dir or env.path(node.name + "-tenants"))
    write(node, tenant, *limits)
    node.write_config(
        {
            "cluster": {"bootstrap": env.cluster.bootstrap()},
            "listeners": [{"address": node.address, "advertised": node.address}],
            "tenants_dir": node.folder_of_tenants.path,
            "quota": {"census_ms": census_ms},
            "admin": {"address": f"127.0.0.1:{node.admin_port}"},
        }
    )
    try:
        yield node.start()
    finally:
        node.stop(2)


def write(node, tenant, *limits):
    quota = {"profile": "unlimited", "limits": list(limits)}
    node.folder_of_tenants.write(tenant, {"listener": "kafka"}, quota=quota)


def client(node, **more):
    return Caller(node.host, node.port, **more)


def row(node, tenant, dimension):
    code, text = node.get(f"/limits?tenant={tenant}")
    assert code == 200, (code, text)
    found = [r for r in json.loads(text)["limits"] if r["dimension"] == dimension]
    return found[0] if found else {"use": None, "held_up": None}


def used(node, tenant, dimension, count, seconds=20):
    proc.wait_until(
        f"{count} {dimension} of {tenant}",
        lambda: row(node, tenant, dimension)["use"] == count,
        seconds,
    )


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
