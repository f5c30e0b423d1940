"""Clients that press a limit: each as fast as it may, over a connection of its own."""

import threading
import time

from .caller import Caller
from .records import batch

SIZE = 20000
LEADER_GONE = {5, 6}


class Presser(threading.Thread):
    """Produces, the next when the last was answered."""

    def __init__(self, node, topic, **more):
        super().__init__(daemon=True)
        self.node, self.topic, self.more = node, topic, more
        self.acked, self.errors, self.ending = [], [], False
        self.patience = 20
        self.start()

    def run(self):
        data = batch([(None, b"x" * (SIZE - 150))])
        ask = {
            "acks": 1,
            "timeout_ms": 30000,
            "topic_data": [
                {"name": self.topic, "partition_data": [{"index": 0, "records": data}]}
            ],
        }
        with Caller(self.node.host, self.node.port, timeout=60, **self.more) as c:
            while not self.ending:
                try:
                    reply = c.ask("produce", 9, ask)
                except ConnectionError as e:
                    if not self.ending and self.node.alive():
                        self.errors.append(str(e))
                    time.sleep(0.05)
                    continue
                if reply.outcome:
                    if not self.ending and self.node.alive():
                        self.errors.append(str(reply.outcome))
                    time.sleep(0.05)
                elif LEADER_GONE & set(reply.errors()) and self.patience:
                    self.patience -= 1  # a broker that is starved may lose its leaders
                    time.sleep(0.2)
                elif any(reply.errors()):
                    self.errors.append(str(reply))
                else:
                    self.acked.append((time.monotonic(), SIZE))

    def stop(self):
        self.ending = True
        self.join(60)


def acked(clients, since=0.0, until=float("inf")):
    """Bytes that were acknowledged then."""
    return sum(n for c in clients for at, n in list(c.acked) if since <= at < until)


def release(clients):
    """Ends them; what went wrong."""
    for client in clients:
        client.stop()
    return [e for c in clients for e in c.errors]
