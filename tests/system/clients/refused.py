"""confluent-kafka at limits of groups and transactional ids: prints what it is told, as JSON.

    refused.py BOOTSTRAP TOPIC GROUP TXN
Ends when the consumer and the producer have each been told an error.
"""

import json
import sys
import time

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
    end = time.monotonic() + 60
    while True:
        try:
            p.init_transactions(5)
            return None
        except KafkaException as e:
            # It is answered when the brokers have been asked anew.
            if e.args[0].name() != "_TIMED_OUT" or time.monotonic() > end:
                return [e.args[0].name(), e.args[0].str()]


def main():
    bootstrap, topic, group, txn = sys.argv[1:]
    said = {"group": joining(bootstrap, topic, group), "txn": transacting(bootstrap, txn)}
    print(json.dumps(said))


main()
