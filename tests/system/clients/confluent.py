"""confluent-kafka: topic, produce, consume in a group, transactions. Run in a venv of its own.

    confluent.py BOOTSTRAP TOPIC GROUP COUNT WRITES READS
WRITES and READS get one line an operation, as tests/system/rig/check.py reads them.
LOGIN=aws logs in with AWS's signer and the AWS_* variables, LOGIN=token with what TOKEN_FILE
holds, LOGIN=plain with LOGIN_USER and LOGIN_SECRET; CA_FILE means TLS.
"""

import os
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

PARTITIONS = 6


def await_result(futures):
    for future in futures.values():
        future.result(30)


def login():
    """How to log in, as the environment says."""
    ca = os.environ.get("CA_FILE")
    config = {"ssl.ca.location": ca, "security.protocol": "ssl"} if ca else {}
    if os.environ.get("LOGIN") == "plain":
        return {
            **config, "security.protocol": "sasl_ssl" if ca else "sasl_plaintext",
            "sasl.mechanism": "PLAIN", "sasl.username": os.environ["LOGIN_USER"],
            "sasl.password": os.environ["LOGIN_SECRET"],
        }  # fmt: skip
    way = {"aws": signed_token, "token": token_of_file}.get(os.environ.get("LOGIN"))
    if not way:
        return config
    return {
        **config, "security.protocol": "sasl_ssl" if ca else "sasl_plaintext",
        "sasl.mechanism": "OAUTHBEARER", "oauth_cb": way,
    }  # fmt: skip


def signed_token(_):
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

    value, expires_ms = MSKAuthTokenProvider.generate_auth_token(os.environ["AWS_REGION"])
    return value, expires_ms / 1000


def token_of_file(_):
    with open(os.environ["TOKEN_FILE"], encoding="ascii") as f:
        return f.read(), time.time() + 300


def administrate(config, topic):
    admin = AdminClient(config)
    await_result(admin.create_topics([NewTopic(topic, PARTITIONS, 3)]))
    end = time.monotonic() + 30
    while True:
        seen = admin.list_topics(topic, timeout=20).topics[topic]
        if len(seen.partitions) == PARTITIONS and all(
            p.leader >= 0 for p in seen.partitions.values()
        ):
            break
        assert time.monotonic() < end, "no leaders"
    resource = ConfigResource(ResourceType.TOPIC, topic)
    while True:  # the broker that is asked may learn of the topic later than its leaders
        try:
            shown = admin.describe_configs([resource])[resource].result(30)
            break
        except confluent_kafka.KafkaException as e:
            assert e.args[0].retriable() or "UNKNOWN" in e.args[0].name(), e
            assert time.monotonic() < end, e
            time.sleep(0.1)
    assert "retention.ms" in shown
    return admin


def produce(config, topic, name, count, writes):
    producer = Producer({**config, "enable.idempotence": True, "linger.ms": 5})
    for seq in range(count):
        partition = seq % PARTITIONS
        producer.produce(
            topic,
            f"{topic}/{partition}/{name}/{seq}/c",
            f"k{seq}",
            partition,
            on_delivery=note(writes, seq, topic, partition),
        )
        producer.poll(0)
    left = producer.flush(60)
    assert left == 0, f"{left} records not acknowledged"


def note(writes, seq, topic, partition, txn=""):
    def delivered(error, message):
        if error:
            print("E", seq, topic, partition, error.name(), txn, file=writes)
        else:
            print("A", seq, topic, partition, message.offset(), txn, file=writes)

    return delivered


def transact(config, topic, name, first, writes):
    producer = Producer({**config, "transactional.id": name + "-" + topic})
    producer.init_transactions(60)
    seq = first
    for txn in range(9):
        commit = txn % 3 != 2
        producer.begin_transaction()
        for _ in range(12):
            partition = seq % PARTITIONS
            value = f"{topic}/{partition}/{name}/{seq}/{'c' if commit else 'a'}"
            producer.produce(
                topic, value, None, partition,
                on_delivery=note(writes, seq, topic, partition, txn),
            )  # fmt: skip
            seq += 1
        if commit:
            producer.commit_transaction(60)
        else:
            producer.flush(60)
            producer.abort_transaction(60)
        print("T", txn, "committed" if commit else "aborted", file=writes)
    return 6 * 12


def consume(config, topic, group, expected, reads):
    members = []
    for _ in range(2):
        member = Consumer({
            **config, "group.id": group, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "isolation.level": "read_committed",
        })  # fmt: skip
        member.subscribe([topic])
        members.append(member)
    seen = set()
    end = time.monotonic() + 90
    while len(seen) < expected:
        assert time.monotonic() < end, f"{len(seen)} records of {expected}"
        for member in members:
            for m in member.consume(500, 0.1):
                if m.error():
                    if not m.error().retriable():
                        raise RuntimeError(m.error())
                    continue
                value = m.value().decode()
                print("R", m.topic(), m.partition(), m.offset(), value, file=reads)
                seen.add((m.partition(), m.offset()))
    for member in members:
        member.commit(asynchronous=False) if member.assignment() else None
        member.close()


def main():
    bootstrap, topic, group, count, writes_path, reads_path = sys.argv[1:]
    config = {"bootstrap.servers": bootstrap, "client.id": group, **login()}
    admin = administrate(config, topic)
    with open(writes_path, "w", encoding="utf-8") as writes:
        produce(config, topic, "confluent", int(count), writes)
    with open(writes_path + ".txn", "w", encoding="utf-8") as writes:
        in_transactions = transact(config, topic, "confluent-txn", 0, writes)
    with open(reads_path, "w", encoding="utf-8") as reads:
        consume(config, topic, group, int(count) + in_transactions, reads)
    groups = admin.list_consumer_groups().result(30).valid
    assert group in {g.group_id for g in groups}, "the group is not listed"
    await_result(admin.describe_consumer_groups([group]))
    asked = confluent_kafka.ConsumerGroupTopicPartitions(
        group, [TopicPartition(topic, p) for p in range(PARTITIONS)]
    )
    for future in admin.list_consumer_group_offsets([asked]).values():
        assert any(p.offset > 0 for p in future.result(30).topic_partitions)
    await_result(admin.delete_consumer_groups([group]))
    print(confluent_kafka.version(), confluent_kafka.libversion()[0])


main()
