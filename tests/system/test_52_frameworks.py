"""Frameworks, tools and other languages' clients on virtual clusters that have names in common.

With --direct there is one such cluster: the real one. What is counted differs from cluster to
cluster, so that a mix-up shows.
"""

import contextlib
import json
import os
import urllib.error
import urllib.request

import test_14_other_clients as other
from rig import check, kafka, proc
from rig.env import only
from rig.virtual import TOOLS, Virtual, rows, together, two_tenants
from rig.workload import Group, produced
from test_10_java import wait_for_fates

TOPICS = TOOLS + "TopicCommand"
GROUPS = TOOLS + "consumer.group.ConsumerGroupCommand"
PATIENT = ("--timeout", 60000)  # of each call; theirs is five seconds
CONFIGS = "kafka.admin.ConfigCommand"


@contextlib.contextmanager
def virtual_clusters(env):
    if env.direct:
        yield [Virtual(env, env.bootstrap)]
        return
    with two_tenants(env, env.name("fw")) as clusters:
        yield clusters


def topics_of(v):
    """What a client is shown, but for what brokers keep for themselves."""
    return set(v.tool(TOPICS, "--list", "--exclude-internal").split())


def sees_only(v, wanted, seen):
    """A tenant sees exactly its own; without one there is more to see."""
    assert seen == set(wanted) if v.tenant else seen >= set(wanted), f"{seen}, not {wanted}"


# Kafka Streams


def word_count(v, protocol):
    source, target, app = f"lines-{protocol}", f"counts-{protocol}", f"app-{protocol}"
    v.client("create", topic=[source, target], partitions=6)
    args = {"from": source, "to": target, "app": app, "protocol": protocol}
    first = v.client("wordcount", 240, state=v.path(app + "-1"), count=150 * v.number, **args)
    # Another machine: its state is what the changelog holds.
    v.client("wordcount", 240, state=v.path(app + "-2"), count=100, before=first["counts"], **args)
    topics = {t for t in topics_of(v) if t.startswith(app)}
    assert len(topics) == 2, f"a changelog and a repartition topic: {topics}"
    if protocol == "streams":
        assert set(first["described"]) == topics | {source}, first
    return topics


def streams_reset(v):
    """The first application's internal topics go; the groups stand at the beginning."""
    said = v.tool(
        TOOLS + "StreamsResetter", "--application-id", "app-classic",
        "--input-topics", "lines-classic", "--force",
    )  # fmt: skip
    assert "Done" in said, said
    proc.wait_until(  # brokers may learn of it after the controller has answered
        "its topics go", lambda: not any(t.startswith("app-classic") for t in topics_of(v))
    )
    proc.wait_until(  # those of a topic that has gone go after it
        "its groups stand at the beginning",
        lambda: set(offsets(v, "app-classic").values()) == {0},
    )


def test_streams(env):
    with virtual_clusters(env) as clusters:
        made = together(clusters, word_count, "classic")
        streams_reset(clusters[0])
        for v, topics in zip(clusters[1:], made[1:]):
            assert topics <= topics_of(v), f"{topics} have gone with another's"
            assert sum(offsets(v, "app-classic").values()) > 0


@only(kafka_from="4.2.0")
def test_streams_groups(env):
    with virtual_clusters(env) as clusters:
        together(clusters, word_count, "streams")
        for v in clusters:
            tool = TOOLS + "streams.StreamsGroupCommand"
            sees_only(v, ["app-streams"], set(v.tool(tool, "--list").split()))
            said = v.tool(tool, "--describe", "--group", "app-streams", "--state", *PATIENT)
            assert "Empty" in said, said
            said = v.tool(
                tool, "--reset-offsets", "--group", "app-streams", "--input-topic",
                "lines-streams", "--to-earliest", "--execute",
            )  # fmt: skip
            assert [o for o, in rows(said, "NEW-OFFSET")] == ["0"] * 6, said


# Kafka Connect


class ConnectCluster:
    """Two workers of one Connect cluster, asked as people ask them: over HTTP."""

    def __init__(self, v):
        self.v = v
        self.tasks = {}

    def begin(self):
        """One more worker; its address."""
        at = f"127.0.0.1:{proc.free_port()}"
        names = {f"{n}.storage.topic": f"connect-{n}s" for n in ("config", "offset")}
        self.tasks[at] = self.v.begin("connect", logged=False, settings={
            **names, "status.storage.topic": "connect-status", "group.id": "connect",
            "offset.storage.partitions": 3, "status.storage.partitions": 2,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "listeners": f"http://{at}", "exactly.once.source.support": "enabled",
            "scheduled.rebalance.max.delay.ms": 0, "offset.flush.interval.ms": 500,
            "plugin.discovery": "service_load", "consumer.isolation.level": "read_committed",
        })  # fmt: skip
        return at

    def end(self, at):
        self.tasks.pop(at).stop().result(60)

    def ask(self, method, path, body=None):
        """What a worker that is left answers; asked again while the cluster is being rebalanced."""
        at = next(iter(self.tasks))
        last = []

        def answered():
            request = urllib.request.Request(
                f"http://{at}{path}", None if body is None else json.dumps(body).encode(),
                {"Content-Type": "application/json"}, method=method,
            )  # fmt: skip
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    return [json.loads(reply.read() or b"null")]
            except urllib.error.HTTPError as e:
                last[:] = [f"{e.code} {e.read().decode()}"]
            except OSError as e:
                last[:] = [str(e)]
            return None

        try:
            return proc.wait_until(f"{method} {path}", answered, 60, 0.3)[0]
        except proc.Timeout as e:
            raise proc.Timeout(f"{e}: {last}") from None

    def put(self, name, kind, **config):
        config = {"connector.class": f"FileStream{kind}", "tasks.max": "1", **config}
        self.ask("PUT", f"/connectors/{name}/config", config)

    def workers(self, names):
        """Waits until all run; the workers that have a part of it."""
        def look():
            seen = [self.ask("GET", f"/connectors/{n}/status") for n in names]
            parts = [p for s in seen for p in [s["connector"], *s["tasks"]]]
            assert not [p for p in parts if p["state"] == "FAILED"], parts
            whole = len(parts) == 2 * len(names) and all(p["state"] == "RUNNING" for p in parts)
            return whole and {p["worker_id"] for p in parts}

        return proc.wait_until(f"{names} run", look, 60, 0.3)


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as f:
        return f.read().splitlines()


def connect(v):
    here = ConnectCluster(v)
    first = here.begin()
    source, sinks = v.path("source.txt"), [v.path("sink-a.txt"), v.path("sink-b.txt")]
    written = []

    def feed():
        more = [f"{v.number}:{len(written) + i}" for i in range(200 * v.number)]
        written.extend(more)
        with open(source, "a", encoding="ascii") as f:
            f.write("\n".join(more) + "\n")

    def arrive(sink, wanted):
        proc.wait_until(
            f"{len(wanted)} lines in {sink}", lambda: len(lines_of(sink)) >= len(wanted), 60
        )
        assert sorted(lines_of(sink)) == sorted(wanted), f"{sink} differs from the source"

    feed()
    here.put("source", "Source", file=source, topic="file-lines", **{
        "topic.creation.default.replication.factor": 3, "topic.creation.default.partitions": 3,
    })  # fmt: skip
    for n, sink in enumerate(sinks):
        here.put(f"sink-{n}", "Sink", file=sink, topics="file-lines")
    names = ["source", "sink-0", "sink-1"]
    assert here.workers(names) == {first}
    for sink in sinks:
        arrive(sink, written)
    second = here.begin()
    proc.wait_until(
        "both workers work", lambda: here.workers(names) == {first, second}, 60, 0.3
    )
    feed()
    for sink in sinks:
        arrive(sink, written)
    here.end(first)
    proc.wait_until("the other takes over", lambda: here.workers(names) == {second}, 60, 0.3)
    feed()
    for sink in sinks:
        arrive(sink, written)
    told = {}

    def committed():
        rows = here.ask("GET", "/connectors/sink-0/offsets")["offsets"]
        told.update((r["partition"]["kafka_partition"], r["offset"]["kafka_offset"]) for r in rows)
        assert {r["partition"]["kafka_topic"] for r in rows} <= {"file-lines"}, rows
        return told

    # Offsets of transactional topics count the markers too: so at least.
    proc.wait_until("committed offsets", lambda: sum(committed().values()) >= len(written), 30)
    here.ask("PUT", "/connectors/sink-0/stop")
    proc.wait_until(
        "stopped", lambda: not here.ask("GET", "/connectors/sink-0/status")["tasks"], 30, 0.3
    )
    here.ask("DELETE", "/connectors/sink-0/offsets")
    here.ask("PUT", "/connectors/sink-0/resume")
    arrive(sinks[0], written * 2)
    for name in names:
        here.ask("DELETE", f"/connectors/{name}")
    here.end(second)
    mine = {"connect-configs", "connect-offsets", "connect-status", "file-lines"}
    sees_only(v, mine, topics_of(v))


def test_connect(env):
    with virtual_clusters(env) as clusters:
        together(clusters, connect)


# MirrorMaker 2


def mirror(v):
    v.client("create", topic=["mirrored"], partitions=3)
    count = 300 * v.number
    produced(v, ["mirrored"], count=count, partitions=3)
    Group(v, ["mirrored"], 1, group="mirror-readers").wait_for(count).stop()
    every = {f"{k}.interval.seconds": 1 for k in (
        "refresh.topics", "refresh.groups", "sync.topic.configs", "sync.group.offsets",
        "emit.checkpoints", "emit.heartbeats",
    )}  # fmt: skip
    task = v.begin("mirror", logged=False, settings={
        **every, "src->dst.enabled": "true", "dst->src.enabled": "false",
        "dst->src.emit.heartbeats.enabled": "false", "topics": "mirrored",
        "heartbeats.replication.enabled": "false", "groups": "mirror-readers", "sync.group.offsets.enabled": "true",
        "tasks.max": 2, "offset.lag.max": 0, "replication.factor": 3,
        # The workers' own settings are the target's.
        "dst.offset.storage.partitions": 3, "dst.status.storage.partitions": 2,
        "dst.offset.flush.interval.ms": 500, "dst.plugin.discovery": "service_load",
    })  # fmt: skip
    task.wait_event("started")
    v.client("await_records", topic="src.mirrored", count=count)
    assert v.values("src.mirrored") == v.values("mirrored"), "the mirror differs"
    proc.wait_until(
        "offsets of the group", lambda: follows(v, "mirror-readers", count), 60, 0.3
    )
    v.client("await_records", topic="heartbeats")
    v.client("await_records", topic="src.checkpoints.internal")
    at = ("--entity-type", "topics", "--entity-name")
    v.tool(CONFIGS, *at, "mirrored", "--alter", "--add-config", "retention.ms=123456789")
    v.tool(TOPICS, "--alter", "--topic", "mirrored", "--partitions", 5)
    proc.wait_until(
        "a config is mirrored",
        lambda: "retention.ms=123456789" in v.tool(CONFIGS, *at, "src.mirrored", "--describe"),
        90,
    )
    proc.wait_until(
        "partitions are mirrored",
        lambda: "PartitionCount: 5" in v.tool(TOPICS, "--describe", "--topic", "src.mirrored"),
        90,
    )
    task.stop().result(60)
    mine = {f"mm2-{n}.src.internal" for n in ("configs", "offsets", "status")}
    mine |= {"mirrored", "src.mirrored", "heartbeats", "src.checkpoints.internal"}
    sees_only(v, mine | {"mm2-offset-syncs.dst.internal"}, topics_of(v))


def follows(v, group, count):
    """Whether the group's offsets in the mirror are where they are in the source."""
    at = offsets(v, group)
    there = {p: o for (t, p), o in at.items() if t == "src.mirrored"}
    source = {p: o for (t, p), o in at.items() if t == "mirrored"}
    assert sum(source.values()) == count, at
    return there == source


def test_mirror_maker(env):
    with virtual_clusters(env) as clusters:
        together(clusters, mirror)


# kafka-consumer-groups


def offsets(v, group, tool=GROUPS, column="CURRENT-OFFSET"):
    """{(topic, partition): committed offset}"""
    more = PATIENT if tool == GROUPS else ()
    said = v.tool(tool, "--describe", "--group", group, "--offsets", *more)
    found = rows(said, "TOPIC", "PARTITION", column)
    return {(t, int(p)): int(o) for t, p, o in found if o.isdigit()}


def reset(v, *how, group="resets"):
    """{(topic, partition): new offset} as the tool says."""
    of = ("--group", group) if group else ()
    said = v.tool(GROUPS, "--reset-offsets", *of, *how, *PATIENT)
    found = rows(said, "TOPIC", "PARTITION", "NEW-OFFSET")
    assert found, said
    return {(t, int(p)): int(o) for t, p, o in found}


def reset_offsets(v):
    n = 10 * v.number  # records in a partition
    topics = ["reset-a", "reset-b"]
    v.client("create", topic=topics, partitions=3)
    produced(v, topics, count=n * 6, partitions=3)
    for group in ("resets", "resets-too"):
        Group(v, topics, 1, group=group).wait_for(n * 6).stop()
    sees_only(v, ["resets", "resets-too"], set(v.tool(GROUPS, "--list").split()))
    places = [(t, p) for t in topics for p in range(3)]
    now = dict.fromkeys(places, n)

    def expect(changed, *how):
        assert reset(v, *how) == changed, how
        if "--execute" in how:
            now.update(changed)
        assert offsets(v, "resets") == now, how

    def all_at(offset):
        return dict.fromkeys(places, offset)

    every, a, execute = "--all-topics", ("--topic", "reset-a"), "--execute"
    assert offsets(v, "resets") == now
    expect(all_at(0), "--to-earliest", every, "--dry-run")
    expect(all_at(0), "--to-earliest", every)
    expect(all_at(0), "--to-earliest", every, execute)
    expect({("reset-a", p): n for p in range(3)}, "--to-latest", *a, execute)
    two = {("reset-a", 0): 3, ("reset-a", 1): 3}
    expect(two, "--to-offset", 3, "--topic", "reset-a:0,1", execute)
    expect({("reset-a", 0): 5}, "--shift-by", 2, "--topic", "reset-a:0", execute)
    expect({("reset-a", 0): 4}, "--shift-by", -1, "--topic", "reset-a:0", execute)
    expect(all_at(n), "--by-duration", "PT0S", every, execute)
    expect(all_at(0), "--to-datetime", "2000-01-01T00:00:00.000", every, execute)
    expect(all_at(n), "--to-datetime", "2100-01-01T00:00:00.000", every)
    expect(all_at(0), "--to-current", every, execute)
    plan = v.path("plan.csv")
    said = v.tool(
        GROUPS, "--reset-offsets", "--group", "resets", "--to-current", every, "--export"
    )
    exported = sorted(line.strip() for line in said.splitlines() if "," in line)
    assert exported == sorted(f"{t},{p},0" for t, p in places), said
    with open(plan, "w", encoding="ascii") as f:
        f.write(f"reset-a,2,{n - 1}\nreset-b,1,{n - 2}\n")
    planned = {("reset-a", 2): n - 1, ("reset-b", 1): n - 2}
    expect(planned, "--from-file", plan, execute)
    v.tool(GROUPS, "--delete-offsets", "--group", "resets", "--topic", "reset-b")
    assert offsets(v, "resets") == {k: o for k, o in now.items() if k[0] == "reset-a"}
    assert offsets(v, "resets-too") == all_at(n)
    if v.tenant:  # elsewhere there are groups of others
        v.tool(GROUPS, "--reset-offsets", "--all-groups", every, "--to-offset", 1, execute)
        assert offsets(v, "resets-too") == all_at(1)
        assert offsets(v, "resets") == {("reset-a", p): 1 for p in range(3)}
    v.tool(GROUPS, "--delete", "--group", "resets-too")
    sees_only(v, ["resets"], set(v.tool(GROUPS, "--list").split()) - {"resets-too"})


def test_reset_offsets(env):
    with virtual_clusters(env) as clusters:
        together(clusters, reset_offsets)


# Transactions, and what the tools say of them


def transactions(v):
    txns, lines = 4 + 3 * v.number, 20 * v.number
    v.client("create", topic=["ledger", "ledger-copy", "typed"], partitions=6)
    task = v.begin("transact", topic=["ledger"], producer="teller", count=txns)
    task.result()
    held = v.dump(["ledger"])
    check.topic_holds(held, {"teller": check.Writes(task.log)})
    assert len(held.rows) == 12 * (txns - txns // 3), f"{len(held.rows)} of {txns}"
    copy = v.begin(
        "copy", **{"from": "ledger"}, to="ledger-copy", group="copier", producer="copier",
        count=len(held.rows),
    )  # fmt: skip
    copy.result()
    assert sorted(v.values("ledger-copy").values()) == sorted(v.values("ledger").values())
    v.tool(
        TOOLS + "ConsoleProducer", "--topic", "typed", "--command-property", "acks=all",
        text="".join(f"{v.number}:{i}\n" for i in range(lines)),
    )  # fmt: skip
    # The console producer knows no transactions; this tool does.
    v.tool(
        TOOLS + "ProducerPerformance", "--topic", "typed", "--num-records", lines,
        "--throughput", -1, "--payload-monotonic", "--transactional-id", "typist",
    )  # fmt: skip
    said = v.tool(
        TOOLS + "consumer.ConsoleConsumer", "--topic", "typed", "--from-beginning",
        "--isolation-level", "read_committed", "--group", "typed", "--max-messages", 2 * lines,
    )  # fmt: skip
    wanted = [f"{v.number}:{i}" for i in range(lines)] + [str(i) for i in range(lines)]
    assert sorted(said.split()) == sorted(wanted), said
    command = TOOLS + "TransactionsCommand"
    seen = rows(v.tool(command, "list"), "TransactionalId")
    sees_only(v, ["teller", "copier", "typist"], {name for name, in seen})
    said = v.tool(command, "describe", "--transactional-id", "teller")
    assert "CompleteAbort" in said or "CompleteCommit" in said, said


def test_transactions(env):
    with virtual_clusters(env) as clusters:
        together(clusters, transactions)


# Groups of every kind, and regular expressions

PATTERNS = {
    "^orders-.*": ["orders-new", "orders-old"],
    "orders|payments": ["orders", "payments"],
    ".*": ["orders", "orders-new", "orders-old", "payments"],
}


def regexes(v, kinds):
    topics = PATTERNS[".*"]
    v.client("create", topic=topics, partitions=2)
    count = 30 * v.number
    produced(v, topics, count=count * len(topics), partitions=2)
    groups = []
    for protocol, matched in kinds:
        for pattern, wanted in PATTERNS.items():
            if pattern == ".*" and not v.tenant:
                pattern = "(orders|payments).*"
            group = Group(
                v, topics, 1, group=f"{protocol}-{matched}-{len(groups)}", pattern=pattern,
                protocol=protocol, matched=matched,
            )  # fmt: skip
            groups.append((group, wanted))
    for group, wanted in groups:
        group.wait_for(count * len(wanted))
    for group, wanted in groups:
        check.group_saw(v.dump(wanted), group.stop(), exactly_once=True)


def test_regular_expressions(env):
    kinds = [("classic", "client")]
    if not env.options.kafka.startswith("3."):
        kinds += [("consumer", "client"), ("consumer", "broker")]
    with virtual_clusters(env) as clusters:
        together(clusters, regexes, kinds)


def groups(v, kinds):
    """Two members each, of each kind, that share the work."""
    v.client("create", topic=["shared-work"], partitions=6)
    count = 300 * v.number
    produced(v, ["shared-work"], count=count)
    held = v.dump(["shared-work"])
    assert len(held.rows) == count
    readers = [Group(v, ["shared-work"], 2, group=f"{k}-readers", protocol=k) for k in kinds]
    for group in readers:
        group.wait_for(count)
        check.group_saw(held, group.stop())
    if "consumer" in kinds:
        said = v.tool(GROUPS, "--describe", "--group", "consumer-readers", "--state", *PATIENT)
        assert "Empty" in said, said


def share(v):
    v.client("create", topic=["handed-out"], partitions=3)
    count = 150 * v.number
    produced(v, ["handed-out"], count=count, partitions=3)
    v.client("share_earliest", group="hands")
    members = [
        v.begin("share", topic=["handed-out"], group="hands", member=f"h{i}") for i in (0, 1)
    ]
    fates = wait_for_fates(members, count)
    for m in members:
        m.stop()
    errors = [e for m in members for e in m.result()["errors"]]
    assert not errors, errors[:3]
    held = v.dump(["handed-out"]).by_place
    assert {p: d[0][0] for p, d in fates.items()} == held
    tool = TOOLS + "consumer.group.ShareGroupCommand"
    sees_only(v, ["hands"], set(v.tool(tool, "--list").split()))
    proc.wait_until(
        "the share group is empty",
        lambda: "Empty" in v.tool(tool, "--describe", "--group", "hands", "--state"),
    )
    v.tool(
        tool, "--reset-offsets", "--group", "hands", "--topic", "handed-out", "--to-earliest",
        "--execute",
    )  # fmt: skip
    stand = offsets(v, "hands", tool, "START-OFFSET")
    assert stand == {("handed-out", p): 0 for p in range(3)}, stand
    said = v.tool(
        TOOLS + "consumer.ConsoleShareConsumer", "--topic", "handed-out", "--group", "hands",
        "--max-messages", count,
    )  # fmt: skip
    assert sum(x.startswith("handed-out/") for x in said.splitlines()) == count
    v.tool(tool, "--delete-offsets", "--group", "hands", "--topic", "handed-out")
    assert not offsets(v, "hands", tool, "START-OFFSET")
    v.tool(tool, "--delete", "--group", "hands")


def test_groups(env):
    kinds = ["classic"] if env.options.kafka.startswith("3.") else ["classic", "consumer"]
    with virtual_clusters(env) as clusters:
        together(clusters, groups, kinds)


@only(kafka_from="4.2.0")
def test_share_groups(env):
    with virtual_clusters(env) as clusters:
        together(clusters, share)


# Clients that are not Java's


def test_other_clients(env):
    clients = {
        "confluent": [f"{kafka.DEPS}/venv/bin/python", f"{other.HERE}/clients/confluent.py"],
        "old": [f"{kafka.DEPS}/venv-old/bin/python", f"{other.HERE}/clients/confluent.py"],
        "sarama": [os.path.join(kafka.DEPS, "sarama")],
        "kafkajs": [
            "node", f"{other.HERE}/clients/kafkajs/client.js", f"{kafka.DEPS}/kafkajs/node_modules",
        ],
    }  # fmt: skip
    with virtual_clusters(env) as clusters:
        begun = []
        for name, argv in clients.items():
            for v in clusters:
                files = [v.path(f"{name}.{kind}") for kind in ("writes", "reads")]
                args = [v.address, f"by-{name}", f"{name}-group", 600 * v.number, *files]
                log = v.path(name + ".log")
                process = proc.Process(name, argv + args, log, env=v.login)
                begun.append((v, name, process, files))
        for v, name, process, (writes, reads) in begun:
            assert process.wait(120) == 0, f"{name} for {v.number}: {process.tail(8)}"
            process.stop()
            held = v.dump([f"by-{name}"])
            who = name if name != "old" else "confluent"
            writers = {who: check.Writes(writes)}
            if os.path.exists(writes + ".txn"):
                writers[who + "-txn"] = check.Writes(writes + ".txn")
            assert len(writers[who].acked) == 600 * v.number
            check.topic_holds(held, writers)
            check.group_saw(held, check.Reads(reads))
        for v in clusters:
            sees_only(v, [f"by-{name}" for name in clients], topics_of(v))
