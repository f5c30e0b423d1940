"""No client learns anything about the cluster behind: ids, hosts, ports, racks, cluster id."""

import os

from rig import kafka, proc, wire
from rig.env import only
from rig.relay import Relay, leaks
from rig.weir import Weir
from rig.workload import Group

HERE = os.path.dirname(os.path.abspath(__file__))


@only(through_weir=True)
def test_metadata_names_one_address(env):
    with wire.Connection(*env.host_port) as c:
        seen = c.metadata()
    assert [(b["id"], f"{b['host']}:{b['port']}") for b in seen["brokers"]] == [
        (0, env.bootstrap)
    ], f"a client without a name sees one broker: {seen['brokers']}"
    assert seen["brokers"][0]["rack"] is None and seen["controller"] == 0, seen
    for topic in seen["topics"]:
        for p in topic["partitions"]:
            assert p["leader"] in (0, -1) and set(p["replicas"] + p["isr"]) <= {0}, topic


@only(through_weir=True)
def test_nothing_leaks_in_any_reply(env):
    """Java clients, the console tools' admin and librdkafka through a recording relay."""
    port = proc.free_port()
    node = Weir(env, advertise=f"127.0.0.1:{port}", name="recorded").start()
    at = f"127.0.0.1:{port}"
    try:
        with Relay(port, node.host, node.port) as relay:
            _exercise(env, at)
            canaries = env.cluster.canaries(), env.cluster.port_canaries()
            found = leaks(relay.replies, *canaries)
            apis = {api for api, _, _ in relay.replies}
    finally:
        node.stop(2)
    assert not found, f"{len(found)} leaks: " + "; ".join(found[:12])
    assert {0, 1, 3, 10, 11, 14, 18, 22, 60} <= apis, f"recorded too little: {sorted(apis)}"
    return f"{len(relay.replies)} replies of {len(apis)} APIs"


def _exercise(env, at):
    topic = env.topic("leak")
    group = Group(env, [topic], 2, bootstrap=at).wait_assigned()
    writer = env.begin("produce", at, topic=[topic], producer="java", rate=300)
    group.wait_for(300)
    env.operator("move_leaders", topic=topic)  # replies then carry CurrentLeader and endpoints
    group.wait_for(900)
    writer.stop().result()
    group.stop()
    # A reader in a broker's rack: it must not be sent to that broker. (In a group its own
    # rack would come back to it in the members' subscriptions.)
    env.client("records", bootstrap=at, topic=env.topic("rack"))
    env.begin("transact", at, topic=[topic], producer=env.name("txn"), count=3).result()
    env.client("admin_cluster", bootstrap=at, topic=topic)
    env.client("admin_topics", bootstrap=at, topic=env.name("admin"))
    env.client("admin_configs", bootstrap=at, topic=env.name("admin"))
    env.client("admin_groups", bootstrap=at, topic=topic, group=env.name("group"))
    env.client("admin_transactions", bootstrap=at, topic=topic, producer=env.name("txn"))
    env.client("admin_refused", bootstrap=at, topic=topic)
    if not env.options.kafka.startswith("3."):
        Group(env, [topic], 1, bootstrap=at, protocol="consumer").wait_for(300).stop()
        name = env.name("share")
        env.client("share_earliest", bootstrap=at, group=name)
        member = env.begin("share", at, topic=[topic], group=name, count=100)
        member.result(60)
    python = os.path.join(kafka.DEPS, "venv/bin/python")
    args = [at, env.name("leak"), env.name("leak"), 600, env.path("w"), env.path("r")]
    code, _, err = proc.run(
        "confluent", [python, f"{HERE}/clients/confluent.py", *args], env.path("clients.log"), 120
    )
    assert code == 0, err[-1500:]


@only(through_weir=True)
def test_cluster_id_is_weirs_own_and_stays(env):
    with wire.Connection(*env.host_port) as c:
        first = c.metadata([])["cluster_id"]
    other = Weir(env, name="same-cluster").start()
    try:
        with wire.Connection(other.host, other.port) as c:
            again = c.metadata([])["cluster_id"]
    finally:
        other.stop(2)
    assert first and first == again, f"two nodes, two cluster ids: {first}, {again}"
    assert first != env.cluster.id
