"""Requests made of the schema: what somebody with a given world says in each field.

Fields are filled by what they mean (wire/meanings.def) and else by their name: a new API needs
nothing here unless a number of its own has to be sensible. Whether that is enough is judged by
the control of test_51_hostile.py: asked with a world that exists, every API shows it.
"""

import collections
import itertools

from . import records, schema
from .world import CLASSIC, CONSUMER, GROUP, HELLO, KINDS, SHARE, STREAMS, TOPIC
from .world import assignment, id_text, subscription

BROKER, TXN = 4, 5  # resource types

NUMBERS = {
    "acks": -1, "timeout_ms": 4000, "max_wait_ms": 10, "max_bytes": 1 << 20, "match_type": 0,
    "partition_max_bytes": 1 << 20, "session_timeout_ms": 6000, "rebalance_timeout_ms": 3000,
    "session_epoch": HELLO, "num_partitions": 1, "replication_factor": -1, "count": 3,
    "timestamp": -2, "transaction_timeout_ms": 60000, "committed": True, "max_records": 10,
    "batch_size": 10, "operation": 3, "permission_type": 3, "resource_type_filter": 1,
    "pattern_type_filter": 1, "offset": -1, "committed_offset": 1, "last_offset": 1,
    "current_leader_epoch": -1, "max_lifetime_ms": 1000, "value": 1000.0, "replica_id": -1,
    "endpoint_information_epoch": -1, "transaction_result": True, "iterations": 4096,
    "mechanism": 1,
}  # fmt: skip
WORDS = {
    "protocol_type": "consumer", "protocol_name": "range", "name": "range", "mechanism": "PLAIN",
    "entity_type": "user", "principal_type": "User", "owner_principal_type": "User",
    "subtopology_id": "0", "process_id": "process", "key": "producer_byte_rate",
    "feature": "metadata.version", "client_software_name": "intruder",
    "client_software_version": "1", "server_assignor": None,
}  # fmt: skip
# Left out (empty or null) unless a value inside is what is being tried: with them the request
# says something else, or must say much more to be understood.
OPTIONAL = {
    "assignments", "forgotten_topics_data", "acknowledgement_batches", "cursor", "user_endpoint",
    "repartition_source_topics", "repartition_sink_topics", "copartition_groups", "client_tags",
    "task_offsets", "task_end_offsets", "replica_state", "state_batches", "listeners",
    "source_topic_regex", "state_filters", "states_filter", "types_filter", "producer_id_filters",
    "active_tasks", "standby_tasks", "warmup_tasks", "renewers", "resource_types",
    "configuration_keys", "deletions", "acknowledge_types", "topology",
}  # fmt: skip
# ... but these are what these requests are about.
NEEDED = {("sync_group", "assignments"), ("share_acknowledge", "acknowledgement_batches")}
TASKS = ("active_tasks", "standby_tasks", "warmup_tasks")
# A topic is named or given by its id, not both.
EITHER = {"metadata": 10, "delete_topics": 6}
PRODUCERS = {"producer_id", "v3_and_below_producer_id", "producer_id_filters"}
EPOCHS = {"generation_id", "generation_id_or_member_epoch", "member_epoch"}
CONFIGS = {TOPIC: ("retention.ms", "86400778"), GROUP: ("consumer.session.timeout.ms", "50000")}


class Case:
    """Which of a world's things a request is about."""

    def __init__(self, kind=CLASSIC, key_type=0, resource=TOPIC, by_id=False, txn=0):
        self.kind, self.key_type, self.resource, self.by_id = kind, key_type, resource, by_id
        self.txn = txn

    def __repr__(self):
        return str(vars(self))


def own_kind(api):
    """The kind of group that an API is for."""
    for kind in (SHARE, STREAMS, CONSUMER):
        if kind in api.name:
            return kind
    return CLASSIC


def cases(api, version, all_kinds=False):
    """Each thing that this request can be about."""
    leaves = list(schema.leaves(api.request.fields, version))
    meanings = {f.meaning for _, f in leaves}
    some_kinds = all_kinds or api.name in ("find_coordinator", "delete_groups")
    kinds = KINDS if some_kinds and meanings & {"group", "coordinator"} else [own_kind(api)]
    keys = (0, 1, 2) if any(f.name == "key_type" for _, f in leaves) else (0,)
    types = (TOPIC, GROUP, BROKER) if "resource" in meanings else (TOPIC,)
    ids = (False, True) if version >= EITHER.get(api.name, 99) else (False,)
    txns = (0, 1) if "txn" in meanings and all_kinds else (0,)
    made = itertools.product(kinds, keys, types, ids, txns)
    return [Case(*one) for one in made]


EMPTY = object()  # in the place of an array's element: there is none


def joining(spot):
    """Whether this is the first heartbeat of a member: what is tried in one is so."""
    return bool(spot.tried) and spot.api.name.endswith("group_heartbeat")


def share_session(request):
    """The ShareFetch that begins the session which a ShareAcknowledge goes on with."""
    who = {name: request[name] for name in ("group_id", "member_id")}
    return {**who, "share_session_epoch": 0, "max_wait_ms": 0, "max_bytes": 1000, "topics": []}


Spot = collections.namedtuple("Spot", "api version field case tried path")


class Asker:
    """Fills requests with what a world has."""

    def __init__(self, world):
        self.world = world

    def fill(self, api, version, case, tried=None):
        """tried: {path of names: a value} that goes there instead."""
        spot = Spot(api, version, None, case, tried or {}, ())
        return self._struct(spot, api.request.fields)

    def _struct(self, spot, fields):
        value = {}
        for f in fields:
            if f.is_in(spot.version):
                here = spot._replace(field=f, path=spot.path + (f.name,))
                value[f.name] = self._field(here)
        return value

    def _field(self, spot):
        f, path = spot.field, spot.path
        within = any(p[: len(path)] == path for p in spot.tried)
        joins = joining(spot) and f.name in ("topology", *TASKS)
        if path in spot.tried:
            one = spot.tried[path]
            if one is EMPTY:
                return []
        elif joins and f.name in TASKS and not within:
            return []
        elif f.name in OPTIONAL and not (within or joins or (spot.api.name, f.name) in NEEDED):
            return None if f.may_be_null(spot.version) else f.default(spot.version)
        elif spot.api.name == "consumer_group_heartbeat" and f.type == "struct" and not within:
            return []  # what the member owns: nothing yet
        else:
            one = self._struct(spot, f.fields) if f.type == "struct" else self._leaf(spot)
        return [one] if f.array and one is not None else one

    def _leaf(self, spot):
        f = spot.field
        if f.meaning in (None, "broker", "number", "port"):
            return self._number(spot)
        rule = getattr(self, "_" + f.meaning, None)
        if rule:
            return rule(spot)
        if f.may_be_null(spot.version):
            return None
        return {"bytes": b"x", "uuid": bytes(16), "records": b""}.get(f.type, "x")

    def _number(self, spot):
        w, f, case = self.world, spot.field, spot.case
        if f.type == "records":
            return records.batch([(b"k", b"tried")])
        if f.name in PRODUCERS:
            return w.producers.get(w.txns[case.txn], (-1, -1))[0]
        if f.name.endswith("producer_epoch"):
            return w.producers.get(w.txns[case.txn], (-1, -1))[1]
        if f.name in EPOCHS:
            return 0 if joining(spot) else w.epochs[case.kind]
        if f.name == "share_session_epoch" and spot.api.name == "share_acknowledge":
            return 1  # after a ShareFetch, see share_session()
        if f.name in ("key_type", "resource_type"):
            return case.key_type if f.name == "key_type" else case.resource
        default = f.default(0) if not f.array and f.default_text not in (None, "null") else 0
        return NUMBERS.get(f.name, default)

    # By meaning

    def _topic(self, spot):
        by_id = spot.case.by_id or spot.path[:-1] + ("topic_id",) in spot.tried
        if "state_changelog_topics" in spot.path:
            return f"{self.world.groups[STREAMS]}-store-changelog"
        if by_id and spot.version >= EITHER.get(spot.api.name, 99):
            return None
        return self.world.topics[0]

    def _topic_id(self, spot):
        if spot.version >= EITHER.get(spot.api.name, 99) and not spot.case.by_id:
            return bytes(16)
        return self.world.ids.get(self.world.topics[0], bytes(16))

    def _group(self, spot):
        if spot.api.name == "join_group" and self.world.joinable:
            return self.world.joinable
        return self.world.groups[spot.case.kind]

    def _txn(self, spot):
        return None if spot.api.name == "produce" else self.world.txns[spot.case.txn]

    def _coordinator(self, spot):
        w = self.world
        share = f"{w.groups[SHARE]}:{id_text(w.ids.get(w.topics[0], bytes(16)))}:0"
        return [w.groups[spot.case.kind], w.txns[0], share][spot.case.key_type]

    def _member(self, spot):
        if spot.api.name == "join_group" and self.world.joinable:
            return ""
        return self.world.members.get(spot.case.kind, "")

    def _resource(self, spot):
        w = self.world
        return {TOPIC: w.topics[0], GROUP: w.groups[spot.case.kind]}.get(spot.case.resource, "0")

    def _subscription(self, _spot):
        return subscription([self.world.topics[0]])

    def _assignment(self, _spot):
        return assignment([self.world.topics[0]])

    def _config_key(self, spot):
        return CONFIGS.get(spot.case.resource, CONFIGS[TOPIC])[0]

    def _config_value(self, spot):
        return CONFIGS.get(spot.case.resource, CONFIGS[TOPIC])[1]

    def _principal(self, _spot):
        return self.world.user

    def _quota_entity(self, _spot):
        return self.world.user

    def _plain(self, spot):
        return WORDS.get(spot.field.name, "")


# Numbers that cost time or space, and acks 0, which has no answer: as they are above.
STEADY = {n for n, v in NUMBERS.items() if v > 100} | {"acks", "num_partitions", "count"}


class Chance(Asker):
    """Valid requests by chance: whose names they are, how many, whether there are any."""

    def __init__(self, worlds, dice, odd):
        super().__init__(worlds[0])
        self.worlds, self.dice = worlds, dice
        self.odd = odd  # (field, world): what else may be in it

    def any(self, api, version):
        d = self.dice
        case = Case(d.choice(KINDS), d.randrange(3), d.choice((TOPIC, GROUP, BROKER, TXN)))
        case.by_id = d.random() < 0.5
        return self.fill(api, version, case)

    def _field(self, spot):
        f, d = spot.field, self.dice
        if f.may_be_null(spot.version) and f.type != "records" and d.random() < 0.15:
            return None
        if f.name in OPTIONAL and d.random() < 0.6:
            return f.default(spot.version)
        if not f.array:
            return self._one(spot)
        made = [self._one(spot) for _ in range(d.choice((0, 1, 1, 1, 2, 3)))]
        return [one for one in made if one is not None]

    def _one(self, spot):
        f, d = spot.field, self.dice
        self.world = d.choice(self.worlds)
        if f.type == "struct":
            return self._struct(spot, f.fields)
        others = self.odd(f, self.world) if d.random() < 0.3 else ()
        if not others and d.random() < 0.3 and f.type.startswith("int") and f.name not in STEADY:
            others = (-1, 0, 1, 2)
        value = d.choice(others) if others else self._leaf(spot)
        if value is None and not f.may_be_null(spot.version) and not f.array:
            return f.default(spot.version)
        return value
