"""Apache Kafka's Java clients: every kind of producer and consumer."""

from rig import check, proc
from rig.env import only
from rig.workload import Group, produced, round_trip


def test_classic_group(env):
    round_trip(env)


def test_one_reader_reads_each_record_once(env):
    round_trip(env, members=1)


@only(kafka_from="4.0.0")
def test_consumer_protocol_group(env):
    round_trip(env, group={"protocol": "consumer"})


def test_not_idempotent_producer(env):
    config = {"enable.idempotence": "false"}
    round_trip(env, members=1, producer={"config": config})


def test_batches_of_many_records(env):
    round_trip(env, members=1, count=20000, producer={"config": {"linger.ms": "20"}, "size": 1000})


def test_many_topics_in_one_producer(env):
    topics = [env.topic("many") for _ in range(5)]
    writes = produced(env, topics, count=3000)
    log = env.dump(topics)
    check.topic_holds(log, {"java": writes})
    group = Group(env, topics).wait_for(3000)
    check.group_saw(log, group.stop())


def test_regex_subscription_by_the_client(env):
    _regex(env, "classic")


@only(kafka_from="4.0.0")
def test_regex_subscription_by_the_broker(env):
    _regex(env, "consumer")


def _regex(env, protocol):
    stem = env.name("rx")
    topics = [f"{stem}-a", f"{stem}-b"]
    env.operator("create", topic=topics + [f"no-{stem}"], partitions=3)
    writes = produced(env, topics, count=600, partitions=3)
    log = env.dump(topics)
    check.topic_holds(log, {"java": writes})
    config = {"metadata.max.age.ms": "1000"}
    group = Group(env, topics, pattern=f"{stem}-.*", protocol=protocol, config=config)
    group.wait_for(600)
    if protocol == "classic":  # the broker looks for new topics every 10 s only
        env.operator("create", topic=[f"{stem}-c"], partitions=3)
        topics.append(f"{stem}-c")
        produced(env, [f"{stem}-c"], name="late", count=300, partitions=3)
        group.wait_for(900)
    check.group_saw(env.dump(topics), group.stop())


def test_static_members_come_back_without_a_rebalance(env):
    _static(env, "classic")


@only(kafka_from="4.0.0")
def test_static_members_of_the_consumer_protocol(env):
    _static(env, "consumer")


def _static(env, protocol):
    topic = env.topic()
    group = Group(env, [topic], 0, protocol=protocol)
    one = group.join(instance="one", stay=True)
    two = group.join(instance="two")
    for task in (one, two):
        task.wait_event("assigned", check=lambda e: len(e["partitions"]) == 3)
    produced(env, [topic], count=300)
    group.wait_for(300)
    one.stop().result()
    parts = next(e for e in reversed(one.events) if e["event"] == "assigned")["partitions"]
    again = group.join(instance="one")
    again.wait_event("assigned", check=lambda e: e["partitions"] == parts)
    produced(env, [topic], name="more", count=300)
    group.wait_for(600)
    seen = group.stop()
    rebalances = sum(1 for e in two.events if e["event"] == "assigned" and e["partitions"])
    assert rebalances <= 2, f"the other static member was assigned anew: {two.events}"
    check.group_saw(env.dump([topic]), seen)


def test_members_join_and_leave(env):
    topic = env.topic()
    feed = env.begin("produce", topic=[topic], producer="java", rate=500)
    group = Group(env, [topic], 1).wait_assigned()
    group.wait_for(100)
    group.join().wait_event("assigned")
    group.join().wait_event("assigned")
    group.wait_for(1000)
    group.tasks[0].stop().result()
    group.wait_for(group.distinct() + 500)
    feed.stop().result()
    log = env.dump([topic])
    check.topic_holds(log, {"java": check.Writes(feed.log)})
    group.wait_for(len(log.rows))
    check.group_saw(log, group.stop())


def test_transactions_and_aborts(env):
    name = "txn"
    topics = [env.topic("txn"), env.topic("txn")]
    task = env.begin("transact", topic=topics, producer=name, count=30)
    result = task.result()
    assert result["outcomes"] == {"committed": 20, "aborted": 10}, result
    log = env.dump(topics)
    check.topic_holds(log, {name: check.Writes(task.log)})
    assert len(log.rows) == 240, f"{len(log.rows)} records of 240"
    group = Group(env, topics).wait_for(240)
    check.group_saw(log, group.stop())
    all_of_them = Group(env, topics, 1, isolation="read_uncommitted").wait_for(360)
    all_of_them.stop()


def test_exactly_once_copy(env):
    source, target = env.topic("eos"), env.topic("eos")
    writes = env.begin("transact", topic=[source], producer="txn", count=30)
    writes.result()
    group = env.name("copy")
    tasks = [
        env.begin("copy", **{"from": source}, to=target, group=group, producer=f"{group}-{i}")
        for i in (0, 1)
    ]
    readers = Group(env, [target], 1).wait_for(240)
    for task in tasks:
        task.stop()
    for task in tasks:
        task.result()
    readers.stop()
    values = lambda topic: sorted(r[3] for r in env.dump([topic]).rows)  # noqa: E731
    assert values(source) == values(target), "the copy differs"


def test_records_keep_every_byte(env):
    topic = env.topic("records")
    for compression in ("none", "gzip", "snappy", "lz4", "zstd"):
        env.client("records", topic=topic, compression=compression)


def test_large_records(env):
    topic = env.topic("large", partitions=3)
    env.client("records", topic=topic, partitions=3, count=2, size=8 << 20)


def test_no_acknowledgement(env):
    env.client("acks0", topic=env.topic("acks0"))


@only(kafka_from="4.2.0")
def test_share_group(env):
    topic = env.topic("share")
    count = 1500
    writes = produced(env, [topic], count=count)
    log = env.dump([topic])
    check.topic_holds(log, {"java": writes})
    group = env.name("share")
    env.client("share_earliest", group=group)
    members = [env.begin("share", topic=[topic], group=group, member=f"s{i}") for i in (0, 1)]
    fates = wait_for_fates(members, count)
    for m in members:
        m.stop()
    errors = [e for m in members for e in m.result()["errors"]]
    assert not errors, errors[:3]
    for (t, p, o), deliveries in fates.items():
        value = log.by_place.get((t, p, o))
        ends = [fate for v, _, fate in deliveries if fate != "RELEASE"]
        assert all(v == value for v, _, _ in deliveries), f"{t}-{p}@{o}: {deliveries}"
        assert len(ends) == 1, f"{t}-{p}@{o} ended {len(ends)} times: {deliveries}"


def wait_for_fates(members, count):
    """{(topic, partition, offset): [(value, delivery, fate)]} once all are accepted or rejected."""
    def look():
        fates = {}
        for m in members:
            if m.done():
                m.result(0)
            for _, t, p, o, v, n, fate in (r for r in check.lines(m.log, "S") if len(r) == 7):
                fates.setdefault((t, int(p), int(o)), []).append((v, int(n), fate))
        ended = sum(1 for d in fates.values() if any(f != "RELEASE" for _, _, f in d))
        return fates if ended >= count else None

    return proc.wait_until(f"{count} shared records", look, 120, 0.3)


@only(kafka_from="4.2.0")
def test_share_reads_transactions(env):
    """Share groups read uncommitted by default: each record comes, whatever its fate."""
    topic = env.topic("share")
    env.begin("transact", topic=[topic], producer="txn", count=6).result()
    group = env.name("share")
    env.client("share_earliest", group=group)
    member = env.begin("share", topic=[topic], group=group)
    wait_for_fates([member], 72)
    assert not member.stop().result()["errors"]
