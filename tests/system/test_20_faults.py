"""Things break while idempotent and transactional producers, copies and groups go on.

Nothing may be lost, doubled, reordered, misrouted or read before its commit, and no
client may see an error that it cannot go on from. Recovery times are printed, paired
with a client at the cluster itself; they do not decide.
"""

import signal

from rig import check, proc, wire
from rig.env import only
from rig.weir import Fleet
from rig.workload import Group, Load, Pair, produced


def _figures(what, load, pair):
    return f"{what}; longest stall of a partition {load.gap_ms()} ms, direct {pair} ms"


def test_broker_killed(env):
    pair, load = Pair(env), Load(env)
    victim = env.cluster.leader(load.topic)
    victim.kill()
    load.progress("kill -9 of a broker")
    victim.start()
    env.cluster.wait_whole()
    load.progress("its return")
    direct = pair.finish()
    return _figures(load.finish(), load, direct)


def test_broker_stopped_and_continued(env):
    pair, load = Pair(env), Load(env)
    victim = env.cluster.leader(load.topic)
    victim.pause()
    try:
        proc.wait_until(
            "another leader", lambda: moved(env, load.topic, victim), 30
        )
    finally:
        victim.resume()
    load.progress("SIGSTOP and SIGCONT of a broker")
    env.cluster.wait_whole()
    direct = pair.finish()
    return _figures(load.finish(), load, direct)


def test_broker_hangs(env):
    """It stays stopped: who waits for it must not wait longer than the cluster does."""
    pair, load = Pair(env), Load(env)
    victim = env.cluster.leader(load.topic)
    victim.pause()
    try:
        load.progress("SIGSTOP of a broker")
    finally:
        victim.resume()
    env.cluster.wait_whole()
    load.progress("its return")
    direct = pair.finish()
    return _figures(load.finish(), load, direct)


def moved(env, topic, victim):
    """Whether the brokers that are well see another leader than the stopped one."""
    other = next(b for b in env.cluster.brokers if b is not victim)
    try:
        with wire.Connection(other.host, other.ports["PLAINTEXT"], 3.0) as c:
            partitions = c.metadata([topic])["topics"][0]["partitions"]
    except (OSError, EOFError):
        return False
    return all(p["leader"] not in (victim.id, -1) for p in partitions)


def test_leaders_moved(env):
    pair, load = Pair(env), Load(env)
    for _ in range(3):
        for topic in (load.topic, load.txn_topic, pair.topic):
            env.operator("move_leaders", topic=topic)
        load.progress("moved leaders", 600)
    direct = pair.finish()
    return _figures(load.finish(), load, direct)


def test_coordinators_moved(env):
    load = Load(env)
    for topic in ("__consumer_offsets", "__transaction_state"):
        env.operator("move_leaders", topic=topic)
        load.progress(f"moved leaders of {topic}")
    return load.finish()


def test_topic_deleted_and_made_again(env):
    load = Load(env)
    topic = env.topic("again")
    writer = env.begin("produce", topic=[topic], producer="before", rate=100)
    reader = Group(env, [topic], 1, config={"metadata.max.age.ms": "1000"}).wait_for(100)
    for _ in range(2):
        env.operator("delete", topic=[topic])
        remake(env, topic)
    writer.stop()
    try:
        writer.result(150)
    except Exception as e:  # pylint: disable=broad-except
        raise AssertionError(f"the producer did not get over it: {e}") from None
    writes = produced(env, [topic], name="after", count=1200)
    log = env.dump([topic])
    check.topic_holds(log, {"after": writes}, idempotent=False)
    fresh = Group(env, [topic], 1).wait_for(len(log.rows))
    check.group_saw(log, fresh.stop())
    for task in reader.tasks:
        task.stop()
        task.result()
    assert not list(check.misrouted(check.Reads(reader.tasks[0].log)))
    load.progress("a topic made again")
    return load.finish()


def remake(env, topic):
    """The producer's Metadata request may have made it again already, with the same shape."""

    def there():
        seen = env.cluster.metadata([topic])["topics"][0]
        if seen["error"] == 3:
            try:
                env.operator("create", topic=[topic])
            except Exception as e:  # pylint: disable=broad-except
                if "TopicExists" not in str(e):
                    raise
            return False
        return seen["partitions"] and all(p["leader"] >= 0 for p in seen["partitions"])

    proc.wait_until(f"{topic} is there again", there, 30)


@only(through_weir=True)
def test_gateway_killed(env):
    with Fleet(env) as fleet:
        load = Load(env, fleet.address)
        for node in fleet.nodes:
            node.kill()
            load.progress(f"kill -9 of {node.name}")
            node.start()
        what = load.finish()
        return f"{what}; longest stall of a partition {load.gap_ms()} ms"


@only(through_weir=True)
def test_gateway_drained(env):
    with Fleet(env) as fleet:
        load = Load(env, fleet.address)
        for node in fleet.nodes:
            node.process.signal(signal.SIGTERM)
            status = node.process.wait(60)
            assert status == 0, f"{node.name} ended with {status}: {node.tail()}"
            load.progress(f"the drain of {node.name}")
            node.start()
        what = load.finish()
        return f"{what}; longest stall of a partition {load.gap_ms()} ms"
