"""Searches replies for what is not for who got them, and compares two that must tell the same."""

from . import kafka, schema
from .intruder import is_number_of_ones_own
from .world import id_text

SHORTEST = 8  # of what is said and may stand in a sentence
HOLDERS = ("subscription", "assignment")


class Scanner:
    """The search over all that one client is answered.

    What the client itself has said may come back, whole (ignore_said: not even that); all other
    canaries are leaks, wherever in the frame they stand."""

    def __init__(self, canaries, numbers=(), ports=(), ignore_said=False):
        self.canaries = dict(canaries)  # what it is: bytes
        self.numbers = set(numbers)  # producers' ids of others
        self.ports = set(ports)
        self.ignore_said = ignore_said
        self.said = set()
        self.said_numbers = set()
        self.leaks = []
        self.shown = {}  # what: the APIs whose replies had it
        self.replies = 0
        self.given = set()  # topics' ids and members which it had not said

    def hear(self, reply):
        """For Caller.heard."""
        for f, _, v, _ in schema.walk(reply.api.request.fields, reply.version, reply.request):
            if f.type in ("string", "bytes", "uuid") and v is not None:
                self.said.add(_bytes(v))
            elif is_number_of_ones_own(f.name):
                self.said_numbers.add(v)
        if reply.value is not None:
            self.replies += 1
            self._search(reply)

    def _search(self, reply):
        found = [(what, c) for what, c in self.canaries.items() if c in reply.frame]
        walked = list(schema.walk(reply.api.response.fields, reply.version, reply.value))
        for f, path, v, _ in walked:
            if f.meaning in ("topic_id", "member") and v and any(_bytes(v)):
                if _bytes(v) not in self.said:
                    self.given.add(_bytes(v))
            elif f.type in ("int16", "int32", "int64", "uint16"):
                self._number(reply, f, path, v)
        for what, canary in found:
            self._bytes(reply, what, canary, walked)

    def _number(self, reply, f, path, v):
        if f.name.endswith("producer_id") and v in self.numbers and v not in self.said_numbers:
            self._leak(reply, "a producer's id", path)
        if f.meaning == "broker" and v in kafka.IDS:
            self._leak(reply, "a broker's id", path)
        if f.meaning == "port" and v in self.ports:
            self._leak(reply, "a broker's port", path)

    def _bytes(self, reply, what, canary, walked):
        times, where = reply.frame.count(canary), "the frame"
        for f, path, v, _ in walked:
            if f.type not in ("string", "bytes", "uuid", "records") or not v:
                continue
            data = _bytes(v)
            n = data.count(canary)
            if n and self._was_said(f, data):
                times -= n
            elif n:
                where = path
        if times > 0:
            self._leak(reply, what, where)

    def _was_said(self, f, data):
        """Whole; member's bytes are written anew, so name by name, and so are sentences."""
        if self.ignore_said or data in self.said:
            return not self.ignore_said
        if f.meaning in ("error_text", "member"):  # an id may begin as the instance does
            words = {w for w in self.said if len(w) >= SHORTEST and w in data}
            for word in sorted(words, key=len, reverse=True):
                data = data.replace(word, b"")
            return not any(c in data for c in self.canaries.values())
        if f.meaning not in HOLDERS:
            return False
        message = schema.load().messages["consumer_protocol_" + f.meaning]
        version = min(int.from_bytes(data[:2], "big"), message.versions[1])
        try:
            value = message.decode(version, data[2:])
        except schema.Malformed:
            return False
        inside = schema.walk(message.fields, version, value)
        return all(not _text(f) or v is None or _bytes(v) in self.said for f, _, v, _ in inside)

    def _leak(self, reply, what, where):
        self.shown.setdefault(what, set()).add(reply.api.name)
        if len(self.leaks) < 2000:
            self.leaks.append(Leak(reply, what, where))

    def summary(self, most=25):
        """Leaks, one line for each (what, API, place) with its versions."""
        rows = {}
        for leak in self.leaks:
            where = "".join(c for c in leak.where if not c.isdigit())
            rows.setdefault((leak.reply.api.name, where, leak.what), []).append(leak)
        lines = []
        for (api, where, what), leaks in list(rows.items())[:most]:
            versions = sorted({leak.reply.version for leak in leaks})
            lines.append(f"{api} {versions}: {what} in {where}: {_short(leaks[0].reply)}")
        return [f"{len(self.leaks)} leaks of {len(rows)} kinds", *lines] if rows else []


class Leak:
    def __init__(self, reply, what, where):
        self.reply, self.what, self.where = reply, what, where


def _short(reply):
    return f"{str(reply.request)[:300]} -> {str(reply.value)[:500]}"


def _text(f):
    return f.type in ("string", "bytes", "uuid")


def _bytes(v):
    return v.encode("utf-8", "surrogateescape") if isinstance(v, str) else bytes(v)


def of_cluster(cluster):
    """What no client may ever see of the cluster behind: (canaries, ports)."""
    ports = {p for b in cluster.brokers for p in b.ports.values()}
    return cluster.canaries(), ports


def of_world(world, tenant=None, whose="B"):
    """What shows somebody's world."""
    found = {
        f"{whose}'s names": world.token.encode(),
        f"{whose}'s secrets": world.secret.encode(),
    }
    if tenant:
        found[f"{whose}'s tenant"] = tenant.encode()
    for topic, topic_id in world.ids.items():
        found[f"{whose}'s id of {topic.split('-')[0]}"] = topic_id
        found[f"{whose}'s id of {topic.split('-')[0]} in text"] = id_text(topic_id).encode()
    for kind, member in world.members.items():
        found[f"{whose}'s {kind} member"] = member.encode()
    return found


# ---- what two replies tell ----

# What a member is assigned follows from who else is there; whose it is the search tells.
CHANGING = {"throttle_time_ms", "assignment", "active_tasks", "partitions_by_user_endpoint"}
SIZES = ("offset", "timestamp", "time_ms", "watermark", "_size", "_epoch", "bytes", "lag", "_count")


def told(reply, said):
    """What a reply tells to who asked, without what differs from one asking to the next."""
    if reply.value is None:
        return reply.outcome
    return _told(reply.api.response.fields, reply.version, reply.value, said)


def _told(fields, version, value, said):
    out = {}
    for f in fields:
        if not f.is_in(version) or f.name in CHANGING:
            continue
        v = value[f.name]
        if f.array and v is not None:
            out[f.name] = [_one(f, version, x, said) for x in v]
        else:
            out[f.name] = _one(f, version, v, said)
    return out


def _one(f, version, v, said):
    if f.type == "struct":
        return v if v is None else _told(f.fields, version, v, said)
    if f.type == "records":
        return bool(v)
    if f.meaning in ("member", "topic_id") and v and any(_bytes(v)) and _bytes(v) not in said:
        return f.meaning
    if f.name.endswith("producer_id") or f.name == "session_id":
        return v > 0
    if f.type in ("int16", "int32", "int64") and f.name.endswith((*SIZES, "generation_id")):
        return v >= 0
    return v


def in_order(told_value):
    """Lists that were sorted by names, sorted anew when the names have changed."""
    if isinstance(told_value, dict):
        return {k: in_order(v) for k, v in told_value.items()}
    if isinstance(told_value, list):
        return sorted(map(in_order, told_value), key=repr)
    return told_value
