"""What an intruder tries in each field, and a world that does not exist to compare with."""

import copy
import secrets

from . import asking, kafka, schema
from .world import KINDS, World, assignment, id_text, subscription

INTERNAL = ("__consumer_offsets", "__transaction_state", "__share_group_state")
WILD = ("", "*", ".*", "..", "x)|(.*", "\0", "a/../b", "%s", "\N{FULLWIDTH FULL STOP}*", *INTERNAL)
EXPRESSIONS = (
    ".*", "^.*$", "x)|(.*", "x)|.*|(?:y", "\\E.*", "\\E.*\\Q", "(?i).*", "(?s).*", "(?-s:.)*",
    "|.*", ".*|", "\\Q", "\\A.*\\z", "(?U).*", "[^x]*", "[", "(", "x{1001}", "(?P<n>.*)", "\\pL.*",
    "", "\\C*", "(?:.*)\\E)|.*|(?:\\Q",
)  # fmt: skip
NAMES = ("topic", "group", "txn")
INSIDE = ("subscription", "assignment")
# Whole, but not as usual. (A broker never answers a JoinGroup whose subscription ends early.)
ODD_BYTES = (b"", subscription([]) + b"more", b"\x7f\xff" + subscription([], version=3)[2:])
BROKERS = (*kafka.IDS, 0, 1, 2**31 - 1)
KEYS = ("leader.replication.throttled.replicas", "advertised.listeners", "segment.bytes")
TYPES = {"resource_type", "resource_type_filter", "key_type", "endpoint_type", "match_type"}


def neighbour(name):
    """Another name that ends in a hexadecimal digit, beside it in any order."""
    return name[:-1] + format(int(name[-1], 16) ^ 1, "x")


def absent(world):
    """A world like this one, to the byte counts, of which nothing exists."""
    none = World(neighbour(world.token), neighbour(world.secret))
    for kind, member in world.members.items():
        other = member.replace(world.token, none.token).replace(world.secret, none.secret)
        none.members[kind] = neighbour(other)
    none.epochs = dict(world.epochs)
    for topic, other in zip(world.all_topics, none.all_topics):
        none.ids[other] = secrets.token_bytes(16)
    pairs = zip([None, *world.txns], [None, *none.txns])
    none.producers = {n: _other(world.producers.get(w, (-1, -1))) for w, n in pairs}
    none.idle_producer = _other(world.idle_producer)
    none.session = world.session ^ 0x1234567 if world.session else 0
    return none


def _other(producer):
    return (producer[0] + 500000, producer[1]) if producer[0] >= 0 else producer


def renamed(world, prefix):
    """The same world by its names with that prefix."""
    if not prefix:
        return world
    w = copy.copy(world)
    w.topics = [prefix + t for t in world.topics]
    w.hidden = prefix + world.hidden
    w.groups = {kind: prefix + g for kind, g in world.groups.items()}
    w.txns = [prefix + t for t in world.txns]
    w.ids = {prefix + t: i for t, i in world.ids.items()}
    w.producers = {t and prefix + t: p for t, p in world.producers.items()}
    return w


class Disguise:
    """Exchanges all that is one world's for the same of another, and back. tenants: the ids of
    the two, when these are names as well."""

    def __init__(self, real, none, tenants=None):
        pairs = list(zip(real.members.values(), none.members.values()))
        pairs += [(id_text(real.ids[t]), id_text(none.ids[n])) for t, n in _both(real, none)]
        pairs += [(real.token, none.token), (real.secret, none.secret)]
        pairs += [tenants] if tenants else []
        self.texts = pairs
        self.ids = {real.ids[t]: none.ids[n] for t, n in _both(real, none)}
        own = [*real.producers.values(), real.idle_producer]
        other = [*none.producers.values(), none.idle_producer]
        self.numbers = {a[0]: b[0] for a, b in zip(own, other) if a[0] >= 0}
        self.numbers[real.session] = none.session

    def hide(self, value):
        return _exchange(value, self.texts, self.ids, self.numbers)

    def show(self, value):
        texts = [(b, a) for a, b in self.texts]
        ids, numbers = ({v: k for k, v in d.items()} for d in (self.ids, self.numbers))
        return _exchange(value, texts, ids, numbers)


def is_number_of_ones_own(name):
    return name in asking.PRODUCERS or name.endswith("producer_id") or name == "session_id"


def _exchange(value, texts, ids, numbers, name=""):
    if isinstance(value, dict):
        return {k: _exchange(v, texts, ids, numbers, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_exchange(v, texts, ids, numbers, name) for v in value]
    if isinstance(value, str):
        for was, now in texts:
            value = value.replace(was, now)
    elif isinstance(value, bytes):
        for was, now in ids.items():
            value = value.replace(was, now)
        for was, now in texts:
            value = value.replace(was.encode(), now.encode())
    elif is_number_of_ones_own(name):
        return numbers.get(value, value)
    return value


def _both(real, none):
    return zip(real.ids, none.ids)


# ---- tries that say nothing of anybody's ----


def arrays(fields, version, path=()):
    """(path, field) of each array and each struct that may be null."""
    for f in fields:
        if f.is_in(version):
            here = path + (f.name,)
            # Null records are left out: a broker never answers them.
            if f.array or f.may_be_null(version) and f.type != "records":
                yield here, f
            if f.type == "struct":
                yield from arrays(f.fields, version, here)


def blind(api, version):
    """{path: value} for one field each: null, nothing, wildcards, expressions."""
    for path, f in arrays(api.request.fields, version):
        if f.may_be_null(version):
            yield {path: None}
        if f.array:
            yield {path: asking.EMPTY}
    for path, f in schema.leaves(api.request.fields, version):
        for value in _blind_values(f):
            yield {path: value}


def _blind_values(f):
    m = f.meaning
    if m in ("topic_regex", "txn_regex"):
        return EXPRESSIONS
    if m in NAMES:
        return WILD
    if m == "coordinator":
        return (*WILD, ":", "::", "a:AAAAAAAAAAAAAAAAAAAAAA:0", ":AAAAAAAAAAAAAAAAAAAAAQ:0")
    if m == "resource":
        return (*WILD, "0", "1", "-1", *map(str, kafka.IDS), "default")
    if m == "topic_id":
        return (bytes(16), bytes(15) + b"\1", bytes([255] * 16))
    if m == "broker":
        return BROKERS
    if m == "config_key":
        return KEYS
    if m in INSIDE:
        return ODD_BYTES
    if m in ("principal", "quota_entity", "member", "instance", "client_host", "user_data"):
        return ("", "*", "User:*") if f.type == "string" else (b"",)
    if m == "rack":
        return ("", "anywhere")
    if f.name in TYPES:
        return (0, 1, 2, 3, 4, 5, 8, 16, 32, 127)
    if f.name in asking.PRODUCERS or f.name in asking.EPOCHS:
        return (0, -1, 1)
    return ()


# ---- tries with what is somebody's ----


def named(api, version, real, own_prefix, other_prefix):
    """{path: value}: in one field each, what is the other's."""
    for path, f in schema.leaves(api.request.fields, version):
        for value in _named_values(f, real, own_prefix, other_prefix):
            yield {path: value}


def _forms(names, *prefixes):
    return [p + n for n in names for p in ("", *prefixes)]


def _named_values(f, w, own, other):
    m = f.meaning
    if m == "topic":
        return [*_forms(w.topics[:1], own, other), other, other + "*", w.topics[1]]
    if m == "group":
        return [*_forms([w.groups[k] for k in KINDS], other), own + w.groups[KINDS[0]], other]
    if m == "txn":
        return [*_forms(w.txns, other), own + w.txns[0], other]
    if m in ("topic_regex", "txn_regex"):
        names = w.topics if m == "topic_regex" else w.txns
        tails = [f"x)|({other}.*", f"{other}.*", f"\\E{other}.*", f"(?i){other.upper()}.*"]
        return [*_forms(names[:1], own, other), f".*{w.token}.*", *tails]
    if m == "topic_id":
        return list(w.ids.values())
    if m == "coordinator":
        share = [f"{g}:{id_text(i)}:0" for g in w.groups.values() for i in list(w.ids.values())[:1]]
        return _forms([*w.groups.values(), *w.txns, *share], own, other)
    if m == "resource":
        return _forms([w.topics[0], *w.groups.values(), w.txns[0], w.user], own, other)
    if m == "member":
        return list(w.members.values())
    if m in INSIDE:
        make = subscription if m == "subscription" else assignment
        topics = _forms(w.topics[:1], own, other)
        return [make(topics, version=v) for v in (0, 1, 3)]
    if m in ("principal", "quota_entity"):
        return [w.user, "User:" + w.user]
    if m in ("instance", "client_id", "user_data", "text", "plain", "endpoint", "config_value"):
        value = w.instance if m == "instance" else other + w.topics[0]
        return [value if f.type == "string" else value.encode()]
    if f.name in asking.PRODUCERS:
        return sorted(w.known_producers())
    return [w.session] if f.name == "session_id" else []


def odd_values(own, other):
    """For Chance: what else may be in a field."""
    return lambda f, w: [*_blind_values(f), *_named_values(f, w, own, other)]
