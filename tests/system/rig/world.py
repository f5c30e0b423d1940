"""What one tenant has on the cluster, made by the protocol itself, with names that a search of
bytes finds; and a look at all of it, to tell whether anything has become different."""

import base64
import secrets
import uuid

from . import proc, records, schema
from .caller import UNHEARD

CLASSIC, CONSUMER, SHARE, STREAMS = KINDS = ("classic", "consumer", "share", "streams")
TOPIC, GROUP = 2, 32  # resource types
LONG_MS = 600000
HELLO = -1  # the epoch of a Fetch without a session


class World:
    """token is in every name that an intruder may guess, secret in what it never says: what is
    written, committed or described, and names beside those that it knows."""

    def __init__(self, token=None, secret=None):
        self.token = token or "t" + secrets.token_hex(6)
        self.secret = secret or "s" + secrets.token_hex(6)
        self.topics = [f"orders-{self.token}", f"bills-{self.token}"]
        self.hidden = f"vault-{self.secret}"
        self.groups = {kind: f"{kind}-{self.token}" for kind in KINDS}
        self.instance = f"instance-{self.token}"
        self.txns = [f"open-{self.token}", f"done-{self.token}"]
        self.client_id = f"client-{self.secret}"
        self.user = f"user-{self.token}"
        self.ids = {}  # by topic
        self.members = {}  # by kind of group
        self.epochs = {kind: 0 for kind in KINDS}
        self.producers = {None: (-1, -1)}  # by transactional id; None: (-1, -1)
        self.idle_producer = (-1, -1)
        self.session = 0  # of Fetch
        self.joinable = None  # a classic group without members

    @property
    def all_topics(self):
        return [*self.topics, self.hidden]

    def known_ids(self):
        return set(self.ids.values())

    def known_producers(self):
        return {p for p, _ in [*self.producers.values(), self.idle_producer]} - {-1}

    def batch(self, producer=(-1, -1), sequence=-1, transactional=False):
        rows = [(b"k", f"value-{self.secret}".encode(), [(b"h", self.secret.encode())])]
        return records.batch(rows, producer, sequence, transactional)


def _inside(what, version, value):
    """The consumer protocol: a version, then the message."""
    message = schema.load().messages["consumer_protocol_" + what]
    return version.to_bytes(2, "big") + message.encode(version, value)


def subscription(topics, user_data=None, version=1):
    value = {"topics": topics, "user_data": user_data, "owned_partitions": []}
    return _inside("subscription", version, value)


def assignment(topics, version=1):
    rows = [{"topic": t, "partitions": [0]} for t in topics]
    return _inside("assignment", version, {"assigned_partitions": rows})


def id_text(topic_id):
    """A topic id as Kafka prints it."""
    return base64.urlsafe_b64encode(topic_id).decode().rstrip("=")


# ---- making it ----


def build(caller, world, four=True):
    """Everything; four=False leaves out what came with Kafka 4. Its members live while beat() is
    called every half minute."""
    _topics(caller, world)
    _group_configs(caller, world, four)
    _produce(caller, world)
    _classic_group(caller, world)
    if four:
        _consumer_group(caller, world)
        _share_group(caller, world)
        _streams_group(caller, world)
    _transactions(caller, world)
    _fetch_session(caller, world)
    return world


def _topics(caller, world):
    rows = [
        {
            "name": name, "num_partitions": 2, "replication_factor": -1,
            "configs": [{"name": "retention.ms", "value": "86400777"}],
        }
        for name in world.all_topics
    ]  # fmt: skip
    made = caller.get("create_topics", 7, {"topics": rows, "timeout_ms": 15000})
    world.ids = {t["name"]: t["topic_id"] for t in made["topics"]}

    def known():
        reply = caller.ask("metadata", 12, {"topics": [{"name": n} for n in world.all_topics]})
        parts = [p for t in reply.value["topics"] for p in t["partitions"]]
        led = [p["leader_id"] >= 0 for p in parts]
        return not any(reply.errors()) and len(led) == 6 and all(led)

    proc.wait_until("the topics have leaders", known)


def _group_configs(caller, world, four):
    keys = {CONSUMER: ("consumer.session.timeout.ms", "60000")} if four else {}
    if four:
        keys[SHARE] = ("share.auto.offset.reset", "earliest")
        keys[STREAMS] = ("streams.session.timeout.ms", "60000")
    rows = [
        {
            "resource_type": GROUP, "resource_name": world.groups[kind],
            "configs": [{"name": key, "config_operation": 0, "value": value}],
        }
        for kind, (key, value) in keys.items()
    ]  # fmt: skip
    if rows:
        caller.get("incremental_alter_configs", 1, {"resources": rows})


def _write(caller, topic, data, txn=None):
    rows = [{"name": topic, "partition_data": [{"index": 0, "records": data}]}]
    value = {"transactional_id": txn, "acks": -1, "timeout_ms": 15000, "topic_data": rows}
    caller.get("produce", 9, value, UNHEARD)


def _produce(caller, world):
    asked = {"transactional_id": None, "transaction_timeout_ms": 60000}
    made = caller.get("init_producer_id", 4, asked)
    world.idle_producer = (made["producer_id"], made["producer_epoch"])
    for topic in world.all_topics:
        _write(caller, topic, world.batch())
        _write(caller, topic, world.batch(world.idle_producer, 0))


def _commit(caller, world, kind, name):
    value = {
        "group_id": name,
        "generation_id_or_member_epoch": world.epochs[kind],
        "member_id": world.members[kind],
        "group_instance_id": world.instance if kind == CLASSIC else None,
        "topics": [_offset(world, t) for t in (world.topics[0], world.hidden)],
    }
    caller.get("offset_commit", 9, value)


def _offset(world, topic):
    note = f"note-{world.secret}"
    return {
        "name": topic,
        "partitions": [{"partition_index": 0, "committed_offset": 1, "committed_metadata": note}],
    }


def _classic_group(caller, world):
    name = world.groups[CLASSIC]
    topics, assignor = [world.topics[0], world.hidden], f"assignor-{world.secret}".encode()
    join = {
        "group_id": name, "session_timeout_ms": LONG_MS, "rebalance_timeout_ms": LONG_MS,
        "member_id": "", "group_instance_id": world.instance, "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": subscription(topics, assignor)}],
    }  # fmt: skip
    joined = caller.get("join_group", 7, join)
    world.members[CLASSIC] = joined["member_id"]
    world.epochs[CLASSIC] = joined["generation_id"]
    mine = {"member_id": joined["member_id"], "assignment": assignment(topics)}
    sync = {
        "group_id": name, "generation_id": joined["generation_id"], "assignments": [mine],
        "member_id": joined["member_id"], "group_instance_id": world.instance,
        "protocol_type": "consumer", "protocol_name": "range",
    }  # fmt: skip
    caller.get("sync_group", 5, sync)
    _commit(caller, world, CLASSIC, name)


def _heartbeats(caller, world, kind, first, again, done):
    """Until the member has what done() wants to see; keeps its epoch."""
    api = f"{kind}_group_heartbeat"
    version = max(caller.schema[api].each_version())
    world.members[kind] = first["member_id"]

    def step():
        epoch = world.epochs[kind]
        said = caller.get(api, version, {**(first if epoch == 0 else again), "member_epoch": epoch})
        world.epochs[kind] = said["member_epoch"]
        return done(said)

    proc.wait_until(f"the {kind} group's member is assigned", step, 30, 0.1)


def _assigned(said):
    return said["assignment"] and len(said["assignment"]["topic_partitions"]) == 2


def _consumer_group(caller, world):
    base = {"group_id": world.groups[CONSUMER], "member_id": str(uuid.uuid4())}
    first = {
        **base, "rebalance_timeout_ms": 60000, "topic_partitions": [],
        "subscribed_topic_names": [world.topics[0]],
        "subscribed_topic_regex": f"{world.hidden}.*", "rack_id": f"rack-{world.secret}",
    }  # fmt: skip
    _heartbeats(caller, world, CONSUMER, first, base, _assigned)
    _commit(caller, world, CONSUMER, world.groups[CONSUMER])


def _share_group(caller, world):
    name = world.groups[SHARE]
    base = {"group_id": name, "member_id": str(uuid.uuid4())}
    topics = [world.topics[0], world.hidden]
    _heartbeats(caller, world, SHARE, {**base, "subscribed_topic_names": topics}, base, _assigned)
    asked = [{"topic_name": t, "partitions": [0]} for t in topics]
    for topic in topics:
        _share_fetch(caller, world, base, topic)

    def begun():
        said = caller.get(
            "describe_share_group_offsets", 1, {"groups": [{"group_id": name, "topics": asked}]}
        )
        rows = [p for g in said["groups"] for t in g["topics"] for p in t["partitions"]]
        return len(rows) == 2 and all(p["start_offset"] >= 0 for p in rows)

    proc.wait_until("the share group has its offsets", begun, 30, 0.1)


def _share_fetch(caller, world, base, topic):
    """A record is acquired, and let go at the session's end."""
    parts = [{"partition_index": 0}]
    fetch = {
        **base, "max_wait_ms": 200, "min_bytes": 1, "max_bytes": 1 << 20, "max_records": 1,
        "batch_size": 1, "topics": [{"topic_id": world.ids[topic], "partitions": parts}],
    }  # fmt: skip

    def got():
        said = caller.get("share_fetch", 1, {**fetch, "share_session_epoch": 0})
        caller.get("share_fetch", 1, {**fetch, "share_session_epoch": -1, "topics": []})
        return any(p["acquired_records"] for t in said["responses"] for p in t["partitions"])

    proc.wait_until("the share group reads", got, 30, 0.1)


def _streams_group(caller, world):
    name = world.groups[STREAMS]
    base = {
        "group_id": name, "member_id": str(uuid.uuid4()), "rebalance_timeout_ms": 60000,
        "process_id": f"process-{world.secret}",
        "active_tasks": [], "standby_tasks": [], "warmup_tasks": [],
    }  # fmt: skip
    changelog = {"name": f"{name}-store-changelog", "partitions": 0, "replication_factor": 0}
    part = {
        "subtopology_id": "0", "source_topics": [world.topics[0], world.hidden],
        "state_changelog_topics": [changelog],
    }  # fmt: skip
    first = {**base, "topology": {"epoch": 0, "subtopologies": [part]}}
    first["client_tags"] = [{"key": "k", "value": f"tag-{world.secret}"}]
    first["user_endpoint"] = {"host": f"host-{world.secret}", "port": 7777}
    _heartbeats(caller, world, STREAMS, first, base, lambda said: said["active_tasks"])


def _transactions(caller, world):
    """One that is open, in two topics and a group's offsets, and one that has been committed."""
    for txn in world.txns:
        asked = {"transactional_id": txn, "transaction_timeout_ms": LONG_MS}
        made = caller.get("init_producer_id", 4, asked)
        world.producers[txn] = (made["producer_id"], made["producer_epoch"])
        who = _who(world, txn)
        asked = {f"v3_and_below_{k}": v for k, v in who.items()}
        asked["v3_and_below_topics"] = [
            {"name": t, "partitions": [0]} for t in (world.topics[1], world.hidden)
        ]
        caller.get("add_partitions_to_txn", 3, asked, UNHEARD)
        for topic in (world.topics[1], world.hidden):
            _write(caller, topic, world.batch(world.producers[txn], 0, True), txn)
        caller.get("add_offsets_to_txn", 3, {**who, "group_id": world.groups[CLASSIC]})
        topics = [_offset(world, world.topics[1])]
        asked = {**who, "group_id": world.groups[CLASSIC], "topics": topics}
        asked |= {
            "generation_id": world.epochs[CLASSIC], "member_id": world.members[CLASSIC],
            "group_instance_id": world.instance,
        }  # fmt: skip
        if txn != world.txns[0]:
            caller.get("txn_offset_commit", 3, asked)
            caller.get("end_txn", 3, {**who, "committed": True})


def _who(world, txn):
    producer, epoch = world.producers[txn]
    return {"transactional_id": txn, "producer_id": producer, "producer_epoch": epoch}


def _fetch_session(caller, world):
    parts = [{"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000}]
    topics = [{"topic": world.topics[0], "partitions": parts}]
    asked = {"max_wait_ms": 0, "min_bytes": 0, "session_epoch": 0, "topics": topics}
    world.session = caller.get("fetch", 11, asked)["session_id"]


# ---- living in it ----


def beat(caller, world):
    """All members are still members; a fence, or an epoch that moved, is an error."""
    for kind in world.members:
        group, member, epoch = world.groups[kind], world.members[kind], world.epochs[kind]
        if kind == CLASSIC:
            asked = {"group_id": group, "generation_id": epoch, "member_id": member}
            asked["group_instance_id"] = world.instance
            caller.get("heartbeat", 4, asked)
            continue
        api = f"{kind}_group_heartbeat"
        asked = {"group_id": group, "member_id": member, "member_epoch": epoch}
        said = caller.get(api, max(caller.schema[api].each_version()), asked)
        assert said["member_epoch"] == epoch, f"{group}: epoch {epoch} is now {said}"


def finish(caller, world):
    """The open transaction can still be committed."""
    caller.get("end_txn", 3, {**_who(world, world.txns[0]), "committed": True})


# ---- looking at it ----

# What changes by itself.
VOLATILE = {"throttle_time_ms", "leader_epoch", "session_id", "last_fetch_timestamp"}


def still(value):
    """Without what changes by itself, and in one order."""
    if isinstance(value, dict):
        return {k: still(v) for k, v in value.items() if k not in VOLATILE}
    return sorted(map(still, value), key=repr) if isinstance(value, list) else value


def look(caller, world, prefix="", four=True):
    """{what: what it is}; with a prefix, as who sees physical names."""
    topics = [prefix + t for t in world.all_topics]
    groups = {kind: prefix + g for kind, g in world.groups.items()}
    txns = [prefix + t for t in world.txns]
    parts = [{"name": t, "partition_indexes": [0, 1]} for t in topics]
    asked = {
        "topics": ("metadata", 12, {"topics": [{"name": t} for t in topics]}),
        "offset fetch": (
            "offset_fetch", 8,
            {"groups": [{"group_id": g, "topics": None} for g in groups.values()]},
        ),
        "producers": ("describe_producers", 0, {"topics": parts}),
        "transactions": ("describe_transactions", 0, {"transactional_ids": txns}),
        "classic": ("describe_groups", 5, {"groups": [groups[CLASSIC]]}),
    }  # fmt: skip
    for stamp, what in ((-2, "begins"), (-1, "ends")):
        ends = [{"partition_index": p, "timestamp": stamp} for p in (0, 1)]
        rows = [{"name": t, "partitions": ends} for t in topics]
        asked[what] = ("list_offsets", 7, {"replica_id": -1, "topics": rows})
    resources = [(TOPIC, t) for t in topics] + [(GROUP, g) for g in groups.values() if four]
    each = {"configuration_keys": None}
    rows = [{"resource_type": t, "resource_name": n, **each} for t, n in resources]
    asked["configs"] = ("describe_configs", 4, {"resources": rows})
    if four:
        asked["share offsets"] = (
            "describe_share_group_offsets", 1,
            {"groups": [{"group_id": groups[SHARE], "topics": None}]},
        )  # fmt: skip
        for kind in (CONSUMER, SHARE, STREAMS):
            api = f"{kind}_group_describe"
            newest = max(caller.schema[api].each_version())
            asked[kind] = (api, newest, {"group_ids": [groups[kind]]})
    seen = {what: still(caller.get(*question)) for what, question in asked.items()}
    for topic in topics:
        seen["records of " + topic] = _all_records(caller, topic)
    return seen


def _all_records(caller, topic):
    """Those of partition 0; the other has none, as its end shows."""
    part = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20}
    rows = [{"topic": topic, "partitions": [part]}]
    asked = {"max_wait_ms": 9000, "min_bytes": 1, "session_epoch": HELLO, "topics": rows}
    said = caller.get("fetch", 11, asked)
    return [p["records"] for t in said["responses"] for p in t["partitions"]]


def names(caller, four=True):
    """{kind: all names on the cluster}, for who sees them all."""
    found = {
        "topic": {t["name"] for t in caller.get("metadata", 12, {"topics": None})["topics"]},
        "group": {g["group_id"] for g in caller.get("list_groups", 4, {})["groups"]},
        "transactional id": {
            t["transactional_id"]
            for t in caller.get("list_transactions", 0, {})["transaction_states"]
        },
    }
    if four:
        rows = caller.get("list_config_resources", 1, {"resource_types": []})["config_resources"]
        found["config"] = {f"{r['resource_type']}:{r['resource_name']}" for r in rows}
    return found


def differences(before, after, path=""):
    """Sentences about what has become different."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}, key=str):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (one, other) in enumerate(zip(before, after)):
            yield from differences(one, other, f"{path}[{i}]")
    elif before != after:
        yield f"{path[1:]}: {before!r:.200} is now {after!r:.200}"
