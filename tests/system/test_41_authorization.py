"""What a principal may do: Java clients with the rights of a use case, and with all of them but one."""

import contextlib

from rig import check, proc
from rig.driver import ScenarioFailed
from rig.env import only
from rig.identity import arn, document, plain, statement
from rig.workload import Group
from test_40_login import Raw, audited, secured

TOPIC, GROUP, TXN, CLUSTER = (
    f"{x}AuthorizationException" for x in ("Topic", "Group", "TransactionalId", "Cluster")
)
PRODUCE = {"DescribeTopic": TOPIC, "WriteData": TOPIC}
# AWS's "Common use cases for client authorization policy": the actions beside Connect, and what a
# client is told without each of them.
USES = {
    "produce": PRODUCE,
    "idempotent": {**PRODUCE, "WriteDataIdempotently": CLUSTER},
    "transact": {**PRODUCE, "DescribeTransactionalId": TXN, "AlterTransactionalId": TXN},
    "classic": {"DescribeTopic": TOPIC, "DescribeGroup": GROUP, "AlterGroup": GROUP, "ReadData": TOPIC},
    "consumer": {"DescribeTopic": TOPIC, "DescribeGroup": GROUP, "AlterGroup": GROUP, "ReadData": TOPIC},
    "create": {"CreateTopic": TOPIC},
    "delete": {"DeleteTopic": TOPIC},
}


def kind_of(action):
    if action in ("Connect", "WriteDataIdempotently"):
        return "cluster"
    if action.endswith("TransactionalId"):
        return "transactional-id"
    return "group" if action.endswith("Group") else "topic"


def on(action, name):
    kind = kind_of(action)
    return statement([action], [arn(kind, None if kind == "cluster" else name + "*")])


def rights(actions, name):
    """A document that allows them on what begins with that name only."""
    return document(*(on(action, name) for action in ["Connect", *actions]))


def use(env, node, case, topic, config):
    """Does it; the error as text, or None."""
    at = {"bootstrap": node.address, "topic": [topic], "config": config}
    try:
        if case in ("produce", "idempotent"):
            at["config"] = {**config, "enable.idempotence": str(case == "idempotent").lower()}
            result = env.client("produce", producer="java", count=6, **at)
            return result["error"] if result["failed"] else None
        if case == "transact":
            # What ends a transaction is an outcome; why stands in the log.
            task = env.begin("transact", producer=topic + "-txn", count=1, batch=6, **at)
            result = task.result()
            if result["outcomes"].get("committed"):
                return None
            with open(task.log, encoding="utf-8") as f:
                return result["error"] + f.read()
        if case in ("classic", "consumer"):
            env.client("consume", group=topic + "-group", protocol=case, count=6, **at)
            return None
        env.client("create" if case == "create" else "delete", **at)
        return None
    except ScenarioFailed as e:
        return str(e)


def fill(env, topic):
    assert env.operator("produce", topic=[topic], producer="op", count=6)["failed"] == 0


@only(through_weir=True, kafka_from="4.0.0")
def test_use_cases(env):
    """Each works with its rights, and is refused one step without any of them, by the right class."""
    with secured(env, "use-cases", mechanisms=["PLAIN"]) as (node, ids):
        runs = []
        for case, needs in USES.items():
            for missing in (None, *needs):
                topic = env.name(case)
                given = [a for a in needs if a != missing]
                # The scenario looks whether its topic has leaders.
                extra = ["DescribeTopic"] if case == "create" else []
                key = ids.user(f"{case}-{missing}", rights(given + extra, topic))
                runs.append((case, missing, topic, key, needs.get(missing)))
        node.start()
        wrong = []
        for case, missing, topic, key, error in runs:
            if case != "create":
                env.operator("create", topic=[topic], partitions=6)
                env.known(topic)
            if case in ("classic", "consumer"):
                fill(env, topic)
            said = use(env, node, case, topic, plain(key))
            if (error or "None") not in str(said):
                wrong.append(f"{case} without {missing}: {said}")
            who = f"/{case}-{missing}"
            mine = lambda w=who: {  # noqa: E731
                r["action"]
                for r in audited(node, event="request", outcome="denied")
                if r["principal"].endswith(w)
            }
            # The control thread writes it a moment after the client was told.
            with contextlib.suppress(proc.Timeout):
                proc.wait_until("the audit", lambda m=mine: not missing or m(), 5)
            mine = mine()
            if mine != ({missing} if missing else set()):
                wrong.append(f"{case} without {missing}: the audit has {mine}")
        assert not wrong, "\n".join(wrong)


@only(through_weir=True)
def test_only_the_denied_is_refused(env):
    """One producer, two topics: the records of one arrive, the others are refused."""
    with secured(env, "two-topics", mechanisms=["PLAIN"]) as (node, ids):
        mine, other = env.topic("mine"), env.topic("other")
        key = ids.user(
            "alice",
            rights(["DescribeTopic", "WriteData", "WriteDataIdempotently"], mine),
            rights(["DescribeTopic"], other),
        )
        node.start()
        task = env.begin(
            "produce", node.address, topic=[mine, other], producer="java", count=600,
            config={**plain(key), "enable.idempotence": "false"},
        )  # fmt: skip
        result = task.result()
        assert (result["acked"], result["failed"]) == (300, 300), result
        assert "TopicAuthorizationException" in result["error"], result
        held = env.dump([mine, other])
        assert {topic for topic, _, _, _ in held.rows} == {mine}
        assert len(held.rows) == 300, len(held.rows)


@only(through_weir=True)
def test_hidden_topics(env):
    """What may not be described looks like what is not there, and is in no list."""
    with secured(env, "hidden", mechanisms=["PLAIN"]) as (node, ids):
        seen, hidden, none = env.topic("seen"), env.topic("hidden"), env.name("none")
        key = ids.user("alice", rights(["DescribeTopic"], seen))
        node.start()
        with Raw(node) as c:
            c.handshake("PLAIN")
            assert c.plain(key)[0] == 0
            assert [t["name"] for t in c.metadata()["topics"]] == [seen]
            answers = {t["name"]: t for t in c.metadata([seen, hidden, none])["topics"]}
            assert answers[seen]["error"] == 0 and len(answers[seen]["partitions"]) == 6
            for name in (hidden, none):
                assert answers[name]["error"] == 29 and not answers[name]["partitions"], answers


@only(through_weir=True)
def test_revoked_while_reading(env):
    """A reader's fetch session ends to bring records when its right is taken."""
    with secured(env, "revoked-reader", mechanisms=["PLAIN"]) as (node, ids):
        topic = env.topic("revoked")
        reads = ["DescribeTopic", "DescribeGroup", "AlterGroup", "ReadData"]
        key = ids.user("bob", rights(reads, topic))
        node.start()
        fill(env, topic)
        group = Group(
            env, [topic], 1, group=topic + "-group", bootstrap=node.address, config=plain(key)
        ).wait_for(6)
        ids.add("users", "bob", rights([a for a in reads if a != "ReadData"], topic))
        node.hang_up()
        task = group.tasks[0]
        proc.wait_until("the reader is refused", task.done, 20)
        try:
            task.result(0)
            raise AssertionError("it ended without an error")
        except ScenarioFailed as e:
            assert "TopicAuthorizationException" in str(e), e


@only(through_weir=True, kafka_from="4.2.0")
def test_copies_and_share_groups(env):
    """Exactly-once copies and share groups with exactly what they need; without ReadData neither."""
    group = ["DescribeGroup", "AlterGroup"]
    with secured(env, "copies", mechanisms=["PLAIN"]) as (node, ids):
        source, target = env.topic("copy-from"), env.topic("copy-to")
        fill(env, source)
        keys = {}
        for reads in (True, False):
            keys[reads] = ids.user(
                f"reads-{reads}",
                rights(["DescribeTopic", *(["ReadData"] if reads else [])], source),
                rights(["DescribeTopic", "WriteData"], target),
                rights([*group, "DescribeTransactionalId", "AlterTransactionalId"], "copier"),
            )
        node.start()

        def copy(key):
            return env.begin(
                "copy", node.address, **{"from": source}, to=target, group="copier",
                producer="copier-0", count=6, config=plain(key),
            )  # fmt: skip

        def share(key):
            return env.begin(
                "share", node.address, topic=[source], group="copier-share", member="s",
                config=plain(key),
            )  # fmt: skip

        for begin in (copy, share):
            try:
                begin(keys[False]).result(60)
                raise AssertionError(f"{begin.__name__} without ReadData")
            except ScenarioFailed as e:
                assert TOPIC in str(e), e
        copy(keys[True]).result(60)
        assert len(env.dump([target]).rows) == 6
        env.operator("share_earliest", group="copier-share")
        member = share(keys[True])
        fill(env, source)
        proc.wait_until(
            "the share group has read something",
            lambda: any(len(r) == 7 for r in check.lines(member.log, "S")), 60,
        )  # fmt: skip
        assert not member.stop().result()["errors"]
