"""Clients that are not Java's: librdkafka (new, old, kcat), sarama, kafkajs."""

import os

from rig import check, kafka, proc

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = 3000


def run(env, name, argv, with_transactions=False, bootstrap=None, login=None, topic=None):
    """Each of these clients takes the same arguments and writes the same journals."""
    topic, group = topic or env.name(name), env.name(name + "-group")
    writes, reads = env.path(topic + ".writes"), env.path(topic + ".reads")
    args = [bootstrap or env.bootstrap, topic, group, COUNT, writes, reads]
    code, out, err = proc.run(name, argv + args, env.path("clients.log"), 150, env=login)
    assert code == 0, f"ended with {code}: {err[-1500:]}"
    log = env.dump([topic])
    writers = {name: check.Writes(writes)}
    if with_transactions:
        writers[name + "-txn"] = check.Writes(writes + ".txn")
    assert len(writers[name].acked) == COUNT, f"{len(writers[name].acked)} acknowledged"
    check.topic_holds(log, writers)
    check.group_saw(log, check.Reads(reads))
    return out.strip()


def test_librdkafka_new(env):
    python = os.path.join(kafka.DEPS, "venv/bin/python")
    return run(env, "confluent", [python, f"{HERE}/clients/confluent.py"], True)


def test_librdkafka_old(env):
    """2.8.0 takes all ids at one address for one broker: it must be shown a single one."""
    python = os.path.join(kafka.DEPS, "venv-old/bin/python")
    return run(env, "confluent", [python, f"{HERE}/clients/confluent.py"], True)


def test_sarama(env):
    return run(env, "sarama", [os.path.join(kafka.DEPS, "sarama")])


def test_kafkajs(env):
    modules = os.path.join(kafka.DEPS, "kafkajs/node_modules")
    return run(env, "kafkajs", ["node", f"{HERE}/clients/kafkajs/client.js", modules])


def kcat(env, *args, text=None, seconds=60):
    argv = ["kcat", "-b", env.bootstrap, *args]
    code, out, err = proc.run("kcat", argv, env.path("clients.log"), seconds, stdin_text=text)
    assert code == 0, f"kcat {args} ended with {code}: {err[-1500:]}"
    return out


def test_kcat(env):
    topic, group = env.topic("kcat"), env.name("kcat-group")
    listed = kcat(env, "-L", "-t", topic)
    assert f'topic "{topic}" with 6 partitions' in listed, listed
    if not env.direct:
        assert "1 brokers" in listed and env.bootstrap in listed, listed
    for partition in range(6):
        lines = [f"{topic}/{partition}/kcat{partition}/{i}/c" for i in range(300)]
        kcat(
            env, "-P", "-t", topic, "-p", str(partition), "-X", "enable.idempotence=true",
            "-X", "acks=all", text="\n".join(lines) + "\n",
        )  # fmt: skip
    log = env.dump([topic])
    check.topic_holds(log, {})
    assert len(log.rows) == 1800, f"{len(log.rows)} of 1800 acknowledged records"
    reads = env.path(topic + ".reads")
    out = kcat(
        env, "-G", group, "-X", "auto.offset.reset=earliest", "-f", "R %t %p %o %s\n",
        "-c", "1800", topic,
    )  # fmt: skip
    with open(reads, "w", encoding="utf-8") as f:
        f.write(out)
    check.group_saw(log, check.Reads(reads))
    offsets = kcat(env, "-Q", "-t", f"{topic}:0:-1")
    assert "offset 300" in offsets, offsets
