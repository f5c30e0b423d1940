"""confluent-kafka at limits of groups and transactional ids: prints what it is told, as JSON.

    refused.py BOOTSTRAP TOPIC GROUP TXN
Ends when the consumer and the producer have each been told an error.
"""

import json
import sys

from confluent_kafka import Consumer, KafkaException, Producer


def joining(bootstrap, topic, group):
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    c.subscribe([topic])
    try:
        while True:
            m = c.poll(1)
            if m is not None and m.error():
                return [m.error().name(), m.error().str()]
    finally:
        c.close()


def transacting(bootstrap, txn):
    p = Producer({"bootstrap.servers": bootstrap, "transactional.id": txn})
    try:
        p.init_transactions(5)
    except KafkaException as e:
        return [e.args[0].name(), e.args[0].str()]
    return None


def main():
    bootstrap, topic, group, txn = sys.argv[1:]
    said = {"group": joining(bootstrap, topic, group), "txn": transacting(bootstrap, txn)}
    print(json.dumps(said))


main()
