"""Kafka's own command line tools, each a process of its own."""

from rig import kafka, proc
from rig.env import only

TOOLS = "org.apache.kafka.tools."


def tool(env, name, *args, text=None, status=0, seconds=60):
    """Runs a tool; returns all that it printed."""
    argv = kafka.java("4.3.1", "256m") + [name, *args]
    code, out, err = proc.run(name, argv, env.path("tools.log"), seconds, stdin_text=text)
    lines = [line for line in err.splitlines() if " WARN " not in line]
    said = out + "\n".join(lines)
    assert code == status, f"{name} ended with {code}: {said[-1500:]}"
    return said


def has(said, *words):
    for word in words:
        assert str(word) in said, f"no {word!r} in: {said[-1500:]}"


def test_topics_and_records(env):
    at = ("--bootstrap-server", env.bootstrap)
    topic = env.name("console")
    topics = TOOLS + "TopicCommand"
    said = tool(env, topics, *at, "--create", "--topic", topic, "--partitions", "3")
    has(said, f"Created topic {topic}")
    has(tool(env, topics, *at, "--list"), topic)
    has(tool(env, topics, *at, "--describe", "--topic", topic), "PartitionCount: 3")
    lines = [f"key{i}:value{i}" for i in range(200)]
    tool(
        env, TOOLS + "ConsoleProducer", *at, "--topic", topic,
        "--reader-property", "parse.key=true", "--reader-property", "key.separator=:",
        text="\n".join(lines) + "\n",
    )  # fmt: skip
    group = env.name("group")
    said = tool(
        env, TOOLS + "consumer.ConsoleConsumer", *at, "--topic", topic, "--from-beginning",
        "--group", group, "--max-messages", "200",
        "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:",
    )  # fmt: skip
    assert sorted(x for x in said.splitlines() if x.startswith("key")) == sorted(lines)
    groups = TOOLS + "consumer.group.ConsumerGroupCommand"
    has(tool(env, groups, *at, "--list"), group)
    said = tool(env, groups, *at, "--describe", "--group", group)
    ends = [r.split()[3:6] for r in said.splitlines() if r.startswith(group)]
    assert len(ends) == 3 and all(c == e and lag == "0" for c, e, lag in ends), said
    said = tool(env, TOOLS + "GetOffsetShell", *at, "--topic", topic)
    assert sum(int(x.split(":")[2]) for x in said.splitlines() if x.startswith(topic)) == 200
    plan = env.path("delete.json")
    with open(plan, "w", encoding="ascii") as f:
        f.write('{"partitions":[{"topic":"%s","partition":0,"offset":5}],"version":1}' % topic)
    has(
        tool(env, TOOLS + "DeleteRecordsCommand", *at, "--offset-json-file", plan),
        "low_watermark: 5",
    )
    tool(env, topics, *at, "--delete", "--topic", topic)


def test_configs(env):
    at = ("--bootstrap-server", env.bootstrap, "--entity-type", "topics", "--entity-name")
    topic = env.topic("console")
    configs = "kafka.admin.ConfigCommand"
    tool(env, configs, *at, topic, "--alter", "--add-config", "retention.ms=123456")
    has(tool(env, configs, *at, topic, "--describe"), "retention.ms=123456")


def test_producer_performance(env):
    said = tool(
        env, TOOLS + "ProducerPerformance", "--topic", env.topic("perf"),
        "--num-records", "50000", "--record-size", "1000", "--throughput", "-1",
        "--bootstrap-server", env.bootstrap,
    )  # fmt: skip
    has(said, "50000 records sent")
    return said.strip().splitlines()[-1]


def test_transactions(env):
    at = ("--bootstrap-server", env.bootstrap)
    topic, name = env.topic("console"), env.name("txn")
    env.begin("transact", topic=[topic], producer=name, count=2).result()
    transactions = TOOLS + "TransactionsCommand"
    has(tool(env, transactions, *at, "list"), name)
    has(
        tool(env, transactions, *at, "describe", "--transactional-id", name),
        "CompleteCommit",
    )
    said = tool(
        env, transactions, *at, "describe-producers", "--topic", topic, "--partition", "0"
    )
    has(said, "ProducerId")


@only(kafka_from="4.2.0")
def test_share_groups(env):
    at = ("--bootstrap-server", env.bootstrap)
    topic, group = env.topic("console"), env.name("share")
    env.client("share_earliest", group=group)
    env.begin("produce", topic=[topic], count=60).result()
    said = tool(
        env, TOOLS + "consumer.ConsoleShareConsumer", *at, "--topic", topic,
        "--group", group, "--max-messages", "60",
    )  # fmt: skip
    assert sum(x.startswith(topic + "/") for x in said.splitlines()) == 60, said[-1500:]
    groups = TOOLS + "consumer.group.ShareGroupCommand"
    has(tool(env, groups, *at, "--list"), group)
    has(tool(env, groups, *at, "--describe", "--group", group), topic)
    has(tool(env, TOOLS + "GroupsCommand", *at, "--list"), group, "Share")


def test_versions_and_log_dirs(env):
    at = ("--bootstrap-server", env.bootstrap)
    topic = env.topic("console")
    said = tool(env, TOOLS + "BrokerApiVersionsCommand", *at)
    has(said, "Produce(0): 0 to", "ApiVersions(18)")
    said = tool(env, TOOLS + "LogDirsCommand", *at, "--describe", "--topic-list", topic)
    has(said, topic)
    if not env.direct:
        assert env.folder not in said, "a path of a broker"
