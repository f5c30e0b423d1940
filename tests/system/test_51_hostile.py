"""Tenant a plays every API and version of the schema against tenant b, whose things are real.

What it tries in a field follows from what the field means, so nobody has to extend this for a new
API; the control, which is asked the same where there are no tenants, tells when an API does not
show what it has. HOSTILE_SECONDS=600 tries more, HOSTILE_SEED=N the same again.
"""

import collections
import contextlib
import itertools
import os
import random
import secrets
import threading
import time

from rig import asking, intruder, scan, schema, world
from rig.caller import Caller
from rig.env import only
from rig.identity import ALL, Identities
from rig.login import secured
from rig.tenants import Folder

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "40"))
SEED = int(os.environ.get("HOSTILE_SEED", "20260101"))
LOGINS = (17, 36)  # what fails there ends the connection
# What passes: a topic that is not known everywhere yet, by name and by id; a coordinator that has
# moved (brokers give leaders back after a while) and loads: all its groups say so, there or not.
UNKNOWN, LOADS = {3, 100}, {14}
RUN = secrets.token_hex(3)  # a tenant's names outlive its run
A, B, C, D = (f"{x}-tenant-{RUN}" for x in "abcd")
NOBODY = intruder.neighbour(B)
# What fences, deletes or ends what is asked about goes last.
HARMFUL = ("delete", "leave", "alter", "end_", "init_", "elect", "create_p", "join", "heartbeat")


@contextlib.contextmanager
def gateway(env, name, users, tenants=True):
    """A node where each of the users is a tenant, or all are users of the cluster itself."""
    ids = Identities(env, name)
    folder = Folder(env.path(name + ".tenants.d"))
    keys = {user: ids.user(user, ALL) for user in users}
    for user, (key, _) in keys.items():
        folder.write(user, {"access_key": key})
    with secured(env, name, ids=ids, mechanisms=["PLAIN"], limits={}) as (node, _):
        if tenants:
            node.config["tenants_dir"] = folder.path
            node.write_config(node.config)
        yield node.start(), keys


def client(node, key, **more):
    return Caller(node.host, node.port, key, **more)


def offered(caller):
    """{(API, version)}"""
    rows = caller.get("api_versions", 2, {})["api_keys"]
    return {(r["api_key"], v) for r in rows for v in range(r["min_version"], r["max_version"] + 1)}


def harmful(api):
    return any(word in api.name for word in HARMFUL)


def all_requests():
    """(API, version), the harmful ones last."""
    order = sorted(schema.load().apis.values(), key=harmful)
    return [(api, version) for api in order for version in api.each_version()]


def tidy(caller, reply):
    """What a request has begun that would be in the way of all that follow."""
    if reply.api.name == "join_group" and reply.value and reply.value["member_id"]:
        gone = {"group_id": reply.request["group_id"], "member_id": reply.value["member_id"]}
        caller.ask("leave_group", 0, gone)
    elif reply.api.name.startswith("sasl_"):
        caller.close()  # it has begun another login


# ---- the intruder ----

# What is tried: fields of a's own request (tried), or, with a prefix, all of b's names with it.
Try = collections.namedtuple("Try", "api version case tried prefix")


def as_itself():
    """What a says without knowing of b: whatever shows b is a leak."""
    for api, version in all_requests():
        for case in asking.cases(api, version):
            yield Try(api, version, case, {}, None)


def blindly():
    """Nothing, all, wildcards, expressions, numbers."""
    for api, version in all_requests():
        for tried in intruder.blind(api, version):
            yield Try(api, version, own_case(api), tried, None)


def as_the_other():
    """All of b's names, ids, members and producers at once, in each API and version."""
    for api, version in all_requests():
        for case in asking.cases(api, version, True):
            for prefix in ("", B + ".", A + "."):
                yield Try(api, version, case, {}, prefix)


def by_name(victim):
    """What is b's in one field of a's own request."""
    for api, version in all_requests():
        for tried in intruder.named(api, version, victim, A + ".", B + "."):
            yield Try(api, version, own_case(api), tried, None)


def own_case(api):
    return asking.Case(asking.own_kind(api))


def place(one):
    """The (API, field) that it tries something in."""
    return one.api.name, tuple(one.tried)


def by_chance(tries, dice):
    """(first, others), in no order. first: each field once, in the newest version that has it;
    others: each API's newest and oldest version before the others."""
    tries = list(tries)
    dice.shuffle(tries)
    first = {}
    for one in tries:
        if place(one) not in first or one.version > first[place(one)].version:
            first[place(one)] = one
    first, chosen = list(first.values()), {id(one) for one in first.values()}
    others = [one for one in tries if id(one) not in chosen]
    return first, sorted(others, key=lambda t: t.version not in t.api.versions)


class Play:
    """a's requests against b, each with a twin about what does not exist."""

    def __init__(self, env, node, keys, victim, own):
        self.victim, self.own = victim, own
        self.none = intruder.absent(victim)
        self.disguise = intruder.Disguise(victim, self.none, (B, NOBODY))
        canaries, ports = scan.of_cluster(env.cluster)
        canaries.update(scan.of_world(victim, B))
        canaries["its own prefix"] = f"{A}.".encode()
        canaries["b's key"] = keys[B][0].encode()
        self.scanner = scan.Scanner(canaries, victim.known_producers(), ports)
        self.caller = client(node, keys[A], client_id=own.client_id)
        self.caller.heard.append(self.scanner.hear)
        self.offered = offered(self.caller)
        self.told_apart, self.unanswered, self.places = [], {}, set()
        self.outcomes, self.pairs = collections.Counter(), 0
        self.took = collections.defaultdict(list)

    def run(self, tries, meanwhile, seconds=None, first=()):
        """How many were made of how many: all of the first, however long it takes, and of the
        others as many as there are seconds for; without seconds all."""
        tries = [*first, *tries]
        began = time.monotonic()
        done = 0
        for done, one in enumerate(tries, 1):
            meanwhile()
            self._play(one)
            self.places.add(place(one))
            if seconds and done >= len(first) and time.monotonic() > began + seconds:
                break
        return f"{done} of {len(tries)} in {time.monotonic() - began:.0f} s"

    def run_by_chance(self, tries, dice, meanwhile, seconds):
        """Leaves no field out."""
        tries = list(tries)
        self.places.clear()
        first, others = by_chance(tries, dice)
        note = self.run(others, meanwhile, seconds, first)
        missing = {place(one) for one in tries} - self.places
        assert not missing, f"not tried: {sorted(missing)[:10]} of {len(missing)}"
        return f"{note}, {len(self.places)} fields"

    def _play(self, one):
        world_of = self.own if one.prefix is None else intruder.renamed(self.victim, one.prefix)
        value = asking.Asker(world_of).fill(one.api, one.version, one.case, one.tried)
        other = self.disguise.hide(value)
        if other == value:
            self._ask(one, value)
            return
        for _ in range(15):
            real, told, none, none_told = self._pair(one, value, other)
            # Brokers learn of a's own topics one after the other; b's are there for long.
            errors = {*real.errors(), *none.errors()}
            if told == none_told or not (UNKNOWN | LOADS) & errors:
                break
            time.sleep(1 if LOADS & errors else 0.3)
        what = "/".join(path[-1] for path in one.tried) or one.case.by_id and "by id" or "all"
        self.took[one.api.name, what].append((real.took, none.took))
        if told != none_told:
            self.told_apart.append((one, list(world.differences(told, none_told))))

    def _pair(self, one, value, other):
        self.pairs += 1
        if self.pairs % 2:  # who comes first tells nothing
            return *self._ask(one, value), *self._ask(one, other)
        none = self._ask(one, other)
        return *self._ask(one, value), *none

    def _ask(self, one, value):
        reply = ask(self.caller, one.api, one.version, value)
        told = scan.in_order(self.disguise.show(scan.told(reply, self.scanner.said)))
        tidy(self.caller, reply)
        self.outcomes[reply.outcome or "answered"] += 1
        known = (one.api.key, one.version) in self.offered and one.api.key not in LOGINS
        if reply.outcome and known:
            self.unanswered.setdefault((one.api.name, one.version), str(reply)[:400])
        return reply, told

    def times(self, most=6):
        """How long answers took, about b's things and about nothing: decides nothing."""
        half = {}
        for what, pairs in self.took.items():
            if len(pairs) > 4:
                half[what] = [sorted(t[i] for t in pairs)[len(pairs) // 2] * 1000 for i in (0, 1)]
        apart = sorted(half, key=lambda w: abs(half[w][0] - half[w][1]), reverse=True)[:most]
        shown = (" ".join(w) + f" {half[w][0]:.1f}, {half[w][1]:.1f}" for w in apart)
        return "median ms, of b's and of none's: " + "; ".join(shown)

    def apart(self, most=15):
        """Sentences about what was told of b's things."""
        rows = {}
        for one, what in self.told_apart:
            rows.setdefault((one.api.name, one.version), []).append((one, what))
        lines = []
        for (name, version), found in list(rows.items())[:most]:
            one, what = found[0]
            which = {k[-1]: v for k, v in one.tried.items()} or f"all, '{one.prefix}' {one.case}"
            lines.append(f"{name} {version} ({len(found)} tries, as {which}): {what[:2]}"[:600])
        return [f"{len(self.told_apart)} times it was told what b has", *lines] if rows else []


class Beats:
    """b lives on: its members' heartbeats, when they are due."""

    def __init__(self, caller, victim):
        self.caller, self.victim, self.due = caller, victim, 0.0

    def __call__(self):
        if time.monotonic() > self.due:
            world.beat(self.caller, self.victim)
            self.due = time.monotonic() + 8


def settle(env, node, keys):
    """b with all its things, a with its own; and who sees the cluster as it is."""
    victim, own = world.World(), world.World()
    b = client(node, keys[B], client_id=victim.client_id)
    world.build(b, victim)
    with client(node, keys[A], client_id=own.client_id) as a:
        world.build(a, own)
    own.joinable = f"joined-{own.token}"
    return b, victim, own, Caller(*env.host_port, client_id="operator")


@only(through_weir=True, kafka_from="4.2.0")
def test_intruder(env):
    dice = random.Random(SEED)
    with gateway(env, "hostile", [A, B]) as (node, keys):
        b, victim, own, operator = settle(env, node, keys)
        beats = Beats(b, victim)
        before = [world.look(b, victim), world.look(operator, victim, B + ".")]
        names = world.names(operator)
        play = Play(env, node, keys, victim, own)
        share = SECONDS / 4
        notes = [
            f"as itself: {play.run(as_itself(), beats)}",
            f"blindly: {play.run_by_chance(blindly(), dice, beats, share)}",
        ]
        faults = play.scanner.summary()
        assert not faults, "without a word about b: " + "\n".join(faults)
        notes += [
            f"as the other: {play.run(as_the_other(), beats)}",
            f"by name: {play.run_by_chance(by_name(victim), dice, beats, 2 * share)}",
        ]
        faults = [*play.scanner.summary(), *play.apart()]
        faults += [f"{name}: no answer: {r}" for name, r in play.unanswered.items()]
        beats.due = 0
        beats()
        after = [world.look(b, victim), world.look(operator, victim, B + ".")]
        faults += list(world.differences(before, after))
        faults += strangers(names, world.names(operator), [A])
        world.finish(b, victim)
        stopped = node.metric("^weir_tenant_names_stopped_total")
        faults += [f"{stopped} names were stopped at the last moment"] if stopped else []
    assert not faults, "\n".join(faults)
    return "\n".join([f"seed {SEED}, {dict(play.outcomes)}", *notes, play.times()])


# ---- the control: where nothing is hidden, all of it is found ----

# APIs whose replies have a place for names but do not show any to who asks like this.
SHOW_NOTHING = {
    "describe_acls", "delete_acls",  # weir has no ACLs
    "list_partition_reassignments",  # always empty
    "alter_share_group_offsets", "delete_share_group_offsets",  # refused: the group has a member
}  # fmt: skip


# APIs that show what is never said in a request for it.
SHOW_SECRETS = {
    "fetch", "share_fetch", "metadata", "offset_fetch", "describe_groups", "describe_transactions",
    "consumer_group_describe", "share_group_describe", "streams_group_describe",
    "describe_log_dirs", "describe_share_group_offsets",
}  # fmt: skip
# ... whose replies tell what is there from what is not.
TELL_APART = {
    "fetch", "metadata", "offset_fetch", "describe_groups", "describe_transactions",
    "consumer_group_describe", "share_group_describe", "streams_group_describe",
    "describe_configs", "describe_producers",
}  # fmt: skip
SHOW_BROKERS = {
    "metadata": "cluster id, host, rack, a broker's id, a broker's port",
    "describe_cluster": "cluster id, host, rack, a broker's id, a broker's port",
    "find_coordinator": "host, a broker's id, a broker's port",
}  # fmt: skip


def may_show(api):
    """Whether its replies have a field for what can be somebody's."""
    fields = (f for v in api.each_version() for _, f in schema.leaves(api.response.fields, v))
    return any(
        f.meaning in (*intruder.NAMES, "topic_id", "coordinator", "resource", *intruder.INSIDE)
        for f in fields
    )


def ask(caller, api, version, value):
    """Between what has to be before, and what must not stay."""
    if api.name == "share_acknowledge":
        caller.ask("share_fetch", 1, asking.share_session(value))
    return caller.patient(api.name, version, value, 1)


def play_all(caller, victim, which, meanwhile):
    """Each of these requests as victim itself would make it, and about all that there is."""
    asker = asking.Asker(victim)
    for api, version in which:
        if not harmful(api):  # those end what would be kept alive
            meanwhile()
        every = [t for t in intruder.blind(api, version) if None in t.values() and not harmful(api)]
        for case, tried in itertools.product(asking.cases(api, version), [{}, *every]):
            tidy(caller, ask(caller, api, version, asker.fill(api, version, case, tried)))


@only(through_weir=True, kafka_from="4.2.0")
def test_control_finds_it_all(env):
    """Without tenants the same requests show names in every API that has a place for them."""
    with gateway(env, "hostile-control", [A, B], tenants=False) as (node, keys):
        victim = world.World()
        with client(node, keys[B], client_id=victim.client_id) as b:
            world.build(b, victim)
            beats = Beats(b, victim)
            play = Play(env, node, keys, victim, world.World())
            newest = [t for t in as_the_other() if t.version == t.api.versions[1]]
            play.run([t for t in newest if not t.prefix and not harmful(t.api)], beats)
            echoed = scan.Scanner(scan.of_world(victim), ignore_said=True)
            play.caller.heard.append(echoed.hear)
            which = [(x, v) for x, v in all_requests() if (x.key, v) in play.offered]
            play_all(play.caller, victim, which, beats)
    offered_keys = {key for key, _ in play.offered}
    places = {x.name for x in schema.load().apis.values() if x.key in offered_keys and may_show(x)}
    told = {t.api.name for t, _ in play.told_apart}
    for what, expected, found in (
        ("nothing", places - SHOW_NOTHING, set().union(*echoed.shown.values())),
        ("no secret", SHOW_SECRETS, play.scanner.shown["B's secrets"]),
        ("no difference", TELL_APART, told),
    ):
        missed = expected - found
        assert not missed, f"{what} was found in {sorted(missed)}"
    return f"told apart: {' '.join(sorted(told))}"


@only(through_weir=True, kafka_from="4.2.0")
def test_control_finds_brokers(env):
    """At a broker itself, what is of the cluster is found too."""
    canaries, ports = scan.of_cluster(env.cluster)
    finder = scan.Scanner(canaries, ports=ports)
    broker = env.cluster.brokers[0]
    with Caller(broker.host, broker.ports["PLAINTEXT"]) as direct:
        direct.heard.append(finder.hear)
        which = [r for r in all_requests() if r[0].name in SHOW_BROKERS]
        play_all(direct, world.World(), which, lambda: None)
    for api, kinds in SHOW_BROKERS.items():
        for kind in kinds.split(", "):
            seen = {w for w, apis in finder.shown.items() if api in apis and w.startswith(kind)}
            assert seen, f"{api}: no {kind} was found in {finder.shown}"


# ---- two at once, by chance ----


class Stranger(threading.Thread):
    """One of two tenants that use the same names, and try each other's ids and members."""

    def __init__(self, node, key, mine, theirs, tenants, cluster, seed):
        super().__init__(daemon=True)
        canaries, ports = cluster
        canaries = {**canaries, **scan.of_world(theirs, tenants[1], "the other")}
        del canaries["the other's names"]  # they are its own as well
        canaries["its own prefix"] = f"{tenants[0]}.".encode()
        self.scanner = scan.Scanner(canaries, theirs.known_producers(), ports)
        # Some of the nonsense a broker never answers.
        self.caller = client(node, key, client_id=mine.client_id, timeout=2.0)
        self.caller.heard.append(self.scanner.hear)
        self.dice = random.Random(seed)
        odd = intruder.odd_values(*(t + "." for t in tenants))
        self.asker = asking.Chance([mine, mine, theirs], self.dice, odd)
        self.until = time.monotonic() + SECONDS / 4
        self.fault = None

    def run(self):
        requests = all_requests()
        try:
            while time.monotonic() < self.until:
                api, version = self.dice.choice(requests)
                reply = self.caller.ask(api.name, version, self.asker.any(api, version))
                tidy(self.caller, reply)
        except Exception as e:  # pylint: disable=broad-except
            self.fault = f"{type(e).__name__}: {e}"


@only(through_weir=True, kafka_from="4.2.0")
def test_two_at_once(env):
    """Random valid requests of two tenants with the same names: neither ever meets the other."""
    with gateway(env, "hostile-two", [C, D]) as (node, keys):
        mine = world.World()
        theirs = world.World(token=mine.token)
        operator = Caller(*env.host_port, client_id="operator")
        for tenant, w in ((C, mine), (D, theirs)):
            with client(node, keys[tenant], client_id=w.client_id) as caller:
                world.build(caller, w)
            w.joinable = f"joined-{w.token}"
        names = world.names(operator)
        cluster = scan.of_cluster(env.cluster)
        two = [
            Stranger(node, keys[C], mine, theirs, (C, D), cluster, SEED),
            Stranger(node, keys[D], theirs, mine, (D, C), cluster, SEED + 1),
        ]
        for one in two:
            one.start()
        for one in two:
            one.join()
        faults = [f for one in two for f in (one.scanner.summary() or []) + [one.fault] if f]
        met = two[0].scanner.given & two[1].scanner.given
        faults += [f"both were given {sorted(met)[:5]}"] if met else []
        faults += strangers(names, world.names(operator), (C, D))
        stopped = node.metric("^weir_tenant_names_stopped_total")
        faults += [f"{stopped} names were stopped at the last moment"] if stopped else []
    assert not faults, "\n".join(faults)
    replies = sum(one.scanner.replies for one in two)
    assert replies > 100, f"only {replies} replies"
    return f"seed {SEED}, {replies} replies"


def strangers(before, after, tenants):
    """Sentences about names on the cluster which are new and no tenant's."""
    own = tuple(t + "." for t in tenants)
    for kind, names in after.items():
        new = [n for n in names - before[kind] if not n.split(":")[-1].startswith(own)]
        if new:
            yield f"a new {kind}: {sorted(new)}"
