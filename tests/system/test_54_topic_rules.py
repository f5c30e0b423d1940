"""What a tenant may make of its topics: each rule's refusal with its text, and what is imposed, as
the brokers have it."""

import contextlib
import secrets
import uuid

from rig import proc
from rig.caller import Caller
from rig.env import only
from rig.identity import ALL, Identities
from rig.login import secured
from rig.tenants import Folder

TOPIC, GROUP = 2, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
INVALID_REQUEST, POLICY = 42, 44
UNKNOWN, LEADER = 3, 5
# Brokers have six partitions, three replicas and a min.insync.replicas of 2 (rig/kafka.py).
RULES = {
    "replication_factor": 2, "min_insync_replicas": 1, "partitions_max": 4,
    "name_pattern": "ord*", "auto_create": True,
}  # fmt: skip


@contextlib.contextmanager
def tenants(env, name, **rules):
    """Callers, each a tenant's with these rules for its topics: {tenant's id: ...}."""
    ids, folder = Identities(env, name), Folder(env.path(name + ".tenants.d"))
    keys = {}
    for tenant, topics in rules.items():
        tenant = f"{tenant}-{secrets.token_hex(3)}"  # its topics outlive its run
        keys[tenant] = ids.user(tenant, ALL)
        folder.write(tenant, {"access_key": keys[tenant][0]}, topics=topics)
    with secured(env, name, ids=ids, mechanisms=["PLAIN"]) as (node, _):
        node.config["tenants_dir"] = folder.path
        node.write_config(node.config)
        node.start()
        with contextlib.ExitStack() as stack:
            for tenant, key in keys.items():
                c = stack.enter_context(Caller(node.host, node.port, key))
                c.prefix = tenant + "."
                keys[tenant] = c
            yield list(keys.values())


def brokers(env):
    """A caller of the cluster itself."""
    host, port = env.cluster.bootstrap().split(",")[0].rsplit(":", 1)
    return Caller(host, int(port))


def create(c, name, version=7, partitions=1, factor=-1, places=(), **configs):
    """(error, text)"""
    topic = {
        "name": name, "num_partitions": -1 if places else partitions, "replication_factor": factor,
        "configs": [{"name": k, "value": v} for k, v in configs.items()],
        "assignments": [{"partition_index": i, "broker_ids": b} for i, b in enumerate(places)],
    }  # fmt: skip
    reply = c.patient("create_topics", version, {"topics": [topic], "timeout_ms": 15000})
    row = reply.value["topics"][0]
    return row["error_code"], row["error_message"]


def known(env, c, name):
    """Its physical name, when each broker knows it."""
    env.known(c.prefix + name)
    return c.prefix + name


def change(c, name, key, value, operation=SET):
    rows = [{"name": key, "config_operation": operation, "value": value}]
    row = {"resource_type": TOPIC, "resource_name": name, "configs": rows}
    reply = c.patient("incremental_alter_configs", 1, {"resources": [row]})
    row = reply.value["responses"][0]
    return row["error_code"], row["error_message"]


def replace(c, name, version=2, **configs):
    rows = [{"name": k, "value": v} for k, v in configs.items()]
    row = {"resource_type": TOPIC, "resource_name": name, "configs": rows}
    reply = c.patient("alter_configs", version, {"resources": [row]})
    assert [r["resource_name"] for r in reply.value["responses"]] == [name], reply
    return reply.value["responses"][0]["error_code"], reply.value["responses"][0]["error_message"]


def described(c, name):
    """{entry: its row}"""
    asked = {"resources": [{"resource_type": TOPIC, "resource_name": name,
                            "configuration_keys": None}], "include_synonyms": True}  # fmt: skip
    return {r["name"]: r for r in c.get("describe_configs", 4, asked)["results"][0]["configs"]}


def own(c, name):
    """What the topic's own entries are at the brokers."""
    return {k: r["value"] for k, r in described(c, name).items() if r["config_source"] == 1}


def shape(c, name):
    """(partitions, replicas) at the brokers."""
    asked = {"topics": [{"name": name}], "allow_auto_topic_creation": False}
    parts = c.get("metadata", 12, asked)["topics"][0]["partitions"]
    return len(parts), *{len(p["replica_nodes"]) for p in parts}


def expect(said, text, error=POLICY):
    assert said == (error, text), said


@only(through_weir=True)
def test_refusals(env):
    """Each rule's, with its text, by each API that it is about; nothing comes of what is refused."""
    words = {"configs": [{"name": "cleanup.policy", "values": ["delete"]},
                         {"name": "retention.ms", "min": 1000, "max": 5000}]}  # fmt: skip
    with tenants(
        env, "topic-refusals", strict=RULES, words=words, streams={"streams": True},
        only={"replication_factor": 2, "replication": "only"}, any={"profile": "any"},
    ) as (strict, worded, streams, alone, free):  # fmt: skip
        serverless = "topics.profile msk-serverless: "
        expect(create(strict, "orders", **{"segment.bytes": "1"}),
               serverless + "segment.bytes may not be set")  # fmt: skip
        most = serverless + "max.message.bytes may be at most 8388608"
        for value in ("8388609", " 104857600\t", "0" * 40 + "104857600"):
            expect(create(strict, "orders", **{"max.message.bytes": value}), most)
        expect(create(strict, "orders", **{"max.message.bytes": "\u0661\u0662"}),
               serverless + "max.message.bytes must be a whole number")  # fmt: skip
        expect(create(strict, "orders", **{"min.insync.replicas": "2"}),
               "topics.min_insync_replicas: min.insync.replicas may not be set")  # fmt: skip
        expect(create(strict, "orders", partitions=5),
               "topics.partitions_max: a topic may have at most 4 partitions, not 5")  # fmt: skip
        expect(create(strict, "orders", places=[[0]]),
               "topics.replication_factor: replicas are not placed by the client")  # fmt: skip
        expect(create(strict, "invoices"),
               "topics.name_pattern: the name must look like ord*")  # fmt: skip
        expect(create(alone, "orders", factor=3),
               "topics.replication_factor: it must be 2, not 3")  # fmt: skip
        expect(create(streams, "orders", **{"segment.bytes": "1048576"}),
               "topics.streams: segment.bytes must be at least 16777216")  # fmt: skip
        expect(create(free, "orders", **{"flush.messages": "1"}),
               "topics.profile any: flush.messages may not be set")  # fmt: skip
        words = "topics.configs: cleanup.policy may "
        expect(create(worded, "orders", **{"cleanup.policy": "compact"}), words + "not be that")
        expect(create(worded, "orders", **{"retention.ms": "5001"}),
               "topics.configs: retention.ms may be at most 5000")  # fmt: skip
        with brokers(env) as cluster:
            made = cluster.get("metadata", 12, {"topics": None})["topics"]
            prefixes = tuple(c.prefix for c in (strict, worded, streams, alone, free))
            assert not [t["name"] for t in made if t["name"].startswith(prefixes)]
        for c in (strict, worded):
            assert create(c, "orders")[0] == 0
            known(env, c, "orders")
        expect(change(strict, "orders", "cleanup.policy", "compact"),
               serverless + "cleanup.policy may be set only when the topic is created")  # fmt: skip
        expect(change(strict, "orders", "max.message.bytes", "104857600 "), most)
        expect(change(strict, "orders", "min.insync.replicas", None, DELETE),
               "topics.min_insync_replicas: min.insync.replicas may not be set")  # fmt: skip
        for operation in (APPEND, SUBTRACT):
            expect(change(worded, "orders", "cleanup.policy", "delete", operation),
                   words + "be set only as a whole")  # fmt: skip
        for version in (0, 2):
            expect(replace(strict, "orders", version, **{"segment.ms": "1"}),
                   serverless + "segment.ms may not be set")  # fmt: skip
        grown = {"topics": [{"name": "orders", "count": 5, "assignments": None}], "timeout_ms": 9000}
        said = strict.ask("create_partitions", 3, grown).value["results"][0]
        expect((said["error_code"], said["error_message"]),
               "topics.partitions_max: a topic may have at most 4 partitions, not 5")  # fmt: skip


@only(through_weir=True)
def test_imposed(env):
    """Replicas, min.insync.replicas and the most partitions, as the brokers have them; and what of
    its entries the tenant sees, and keeps when it replaces them."""
    with tenants(env, "topic-imposed", strict=RULES) as (c,), brokers(env) as cluster:
        # Whatever the client asks for, also when that is left to the brokers.
        for name, partitions, factor, most in (("orders", 3, 3, 3), ("ordered", -1, -1, 4)):
            assert create(c, name, 7, partitions, factor, **{"cleanup.policy": "compact"})[0] == 0
            physical = known(env, c, name)
            assert shape(cluster, physical) == (most, 2), shape(cluster, physical)
            kept = {"cleanup.policy": "compact", "min.insync.replicas": "1"}
            assert own(cluster, physical) == kept
        rows = described(c, "orders")
        for name, row in rows.items():
            writable = name in ("compression.type", "max.message.bytes", "retention.bytes",
                                "retention.ms", "message.timestamp.type",
                                "message.timestamp.difference.max.ms")  # fmt: skip
            assert row["read_only"] != writable, row
            # 1: the topic's own, 5: whatever the cluster's is.
            assert {row["config_source"], *(s["source"] for s in row["synonyms"])} <= {1, 5}, row
        assert rows["retention.ms"]["read_only"] is False
        assert rows["cleanup.policy"]["value"] == "compact"
        # AlterConfigs takes back what is not given, and only what may be.
        physical = c.prefix + "orders"
        for version, configs in (
            (0, {"retention.ms": "1000", "compression.type": "zstd"}), (2, {"retention.ms": "2000"}),
            (2, {}),
        ):  # fmt: skip
            assert replace(c, "orders", version, **configs) == (0, None)
            proc.wait_until("it is so", lambda x=configs: own(cluster, physical) == {**kept, **x}, 10)


@only(through_weir=True)
def test_made_by_asking(env):
    """A topic that comes into being because a client asks about it breaks no rule, nor does one
    whose partitions the brokers would choose."""
    with tenants(env, "topic-asking", strict=RULES, plain={"auto_create": True}) as (
        strict, plain,
    ), brokers(env) as cluster:  # fmt: skip

        def ask(c, name):
            reply = c.ask("metadata", 12, {"topics": [{"name": name}]})
            return reply.value["topics"][0]["error_code"]

        for c, sizes, entries in (
            (strict, (4, 2), {"min.insync.replicas": "1"}), (plain, (6, 3), {}),
        ):  # fmt: skip
            assert ask(c, "orders") in (UNKNOWN, LEADER)
            proc.wait_until("it is made", lambda c=c: ask(c, "orders") == 0, 20)
            physical = known(env, c, "orders")
            assert shape(cluster, physical) == sizes, shape(cluster, physical)
            assert own(cluster, physical) == entries
        # By one that is asked for at once with it, so it has had its time.
        reply = strict.ask("metadata", 12, {"topics": [{"name": "invoices"}, {"name": "ordinary"}]})
        assert reply.value["topics"][0]["error_code"] == UNKNOWN
        known(env, strict, "ordinary")
        assert ask(strict, "invoices") == UNKNOWN
        reply = cluster.ask("metadata", 12, {"topics": [{"name": strict.prefix + "invoices"}],
                                             "allow_auto_topic_creation": False})  # fmt: skip
        assert UNKNOWN in reply.errors(), reply


@only(through_weir=True, kafka_from="4.2.0")
def test_streams_topics(env):
    """What brokers make for a streams group."""
    rules = {**RULES, "streams": True, "name_pattern": "ord*"}
    with tenants(env, "topic-streams", strict=rules) as (c,), brokers(env) as cluster:
        assert create(c, "orders", partitions=2)[0] == 0
        known(env, c, "orders")

        def beat(store, member):
            changelog = {"name": store, "partitions": 0, "replication_factor": 0,
                         "topic_configs": [{"key": "cleanup.policy", "value": "compact"}]}  # fmt: skip
            part = {"subtopology_id": "0", "source_topics": ["orders"],
                    "state_changelog_topics": [changelog]}  # fmt: skip
            return c.patient("streams_group_heartbeat", 0, {
                "group_id": store, "member_id": member, "rebalance_timeout_ms": 60000,
                "process_id": "p", "active_tasks": [], "standby_tasks": [], "warmup_tasks": [],
                "topology": {"epoch": 0, "subtopologies": [part]},
            }).value  # fmt: skip

        said = beat("bills-changelog", str(uuid.uuid4()))
        expect((said["error_code"], said["error_message"]),
               "topics.name_pattern: the name must look like ord*")  # fmt: skip
        said = beat("orders-changelog", str(uuid.uuid4()))
        assert said["error_code"] == 0, said
        physical = known(env, c, "orders-changelog")
        assert shape(cluster, physical) == (2, 2), shape(cluster, physical)
        assert own(cluster, physical)["min.insync.replicas"] == "1"
        said = cluster.ask("metadata", 12, {"topics": [{"name": c.prefix + "bills-changelog"}],
                                            "allow_auto_topic_creation": False})  # fmt: skip
        assert UNKNOWN in said.errors(), said
