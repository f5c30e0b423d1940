"""What a test gets: the cluster, weir in front of it, the Java driver, and helpers."""

import os
import re

from . import certs, check, driver, kafka, proc, weir
from .caller import Caller


def _knows(c, name):
    """Whether a broker knows the topic and answers for each partition that it leads."""
    asked = {"topics": [{"name": name}], "allow_auto_topic_creation": False}
    reply = c.ask("metadata", 5, asked)
    if reply.outcome or any(reply.errors()):
        return False
    here = (c.host, c.port)
    me = [b["node_id"] for b in reply.value["brokers"] if (b["host"], b["port"]) == here]
    mine = [
        {"partition_index": p["partition_index"], "timestamp": -1}
        for p in reply.value["topics"][0]["partitions"]
        if p["leader_id"] in me
    ]
    asked = {"replica_id": -1, "isolation_level": 0, "topics": [{"name": name, "partitions": mine}]}
    reply = c.ask("list_offsets", 2, asked)
    return reply.outcome is None and not any(reply.errors())


class Env:
    """bootstrap is weir's address, or the cluster's own with --direct."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.direct = options.direct
        self.ca = certs.CA(os.path.join(folder, "ca"))
        self.cluster = kafka.Cluster(options.kafka, os.path.join(folder, "kafka"), self.ca)
        self.driver = None
        self.weir = None
        self.names = 0
        self.jvms = 0

    def start(self):
        self.cluster.start()
        self.start_driver()
        self.start_weir()

    def start_driver(self):
        """A new JVM; the journals of the one before stay."""
        if self.driver:
            self.driver.end()
        self.jvms += 1
        self.driver = driver.Driver(os.path.join(self.folder, f"java{self.jvms}"))
        self.driver.call("features", bootstrap=self.cluster.bootstrap())

    def start_weir(self):
        if not self.direct:
            self.weir = weir.Weir(self).start()

    @property
    def bootstrap(self):
        return self.cluster.bootstrap() if self.direct else self.weir.address

    @property
    def host_port(self):
        host, _, port = self.bootstrap.split(",")[0].rpartition(":")
        return host, int(port)

    def name(self, what):
        """A name that no other test uses."""
        self.names += 1
        return f"{what}-{self.names}"

    def topic(self, what="topic", partitions=6):
        """A new topic, made directly on the cluster, with all its leaders there, and known to
        each broker: before Kafka 4.1 (KIP-1166) the last one learns of it half a second late."""
        name = self.name(what)
        self.operator("create", topic=[name], partitions=partitions)
        self.known(name)
        return name

    def known(self, name):
        """Waits until each broker knows the topic, and leads what it is to lead of it: it tells of
        a topic a little before it does."""
        for at in self.cluster.bootstrap().split(","):
            host, port = at.rsplit(":", 1)
            try:
                with Caller(host, int(port)) as c:
                    proc.wait_until(f"{at} to know {name}", lambda c=c: _knows(c, name))
            except ConnectionError:
                pass  # a broker that a test has stopped

    def operator(self, scenario, **args):
        """A scenario straight at the cluster."""
        return self.driver.call(scenario, bootstrap=self.cluster.bootstrap(), **args)

    def client(self, scenario, seconds=120, bootstrap=None, **args):
        """A scenario through the gateway, to its end."""
        return self.driver.call(
            scenario, seconds, bootstrap=bootstrap or self.bootstrap, **args
        )

    def begin(self, scenario, bootstrap=None, logged=True, **args):
        """A scenario through the gateway, left running."""
        return self.driver.start(
            scenario, logged, bootstrap=bootstrap or self.bootstrap, **args
        )

    def dump(self, topics, isolation="read_committed"):
        """What the cluster itself holds, read directly."""
        task = self.driver.start(
            "dump", True, bootstrap=self.cluster.bootstrap(), topic=topics, isolation=isolation
        )
        task.result()
        return check.Reads(task.log)

    def path(self, name):
        return os.path.join(self.folder, re.sub(r"[^\w.-]", "_", name))


def only(through_weir=None, kafka_from=None):
    """Marks a test that makes no sense in front of an older Kafka, or without weir."""

    def mark(test):
        test.through_weir = through_weir
        test.kafka_from = kafka_from
        return test

    return mark
