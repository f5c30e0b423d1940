"""A real Kafka cluster: three KRaft nodes, each broker and controller, on loopback.

Ids, addresses and racks are chosen so that a leak of any of them is easy to see.
"""

import base64
import os
import signal
import uuid

from . import proc, wire

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
DEPS = os.path.join(ROOT, "build", "deps")

IDS = (1010101, 2020202, 3030303)
HOSTS = ("127.77.0.1", "127.77.0.2", "127.77.0.3")
RACKS = ("rack-north", "rack-east", "rack-west")
USER, SECRET = "weir", "weir-secret"
LIFETIME_MS = 10000  # of a login with SCRAM-SHA-512 at the listener SASL
LISTENERS = {
    "PLAINTEXT": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "SASL": "SASL_PLAINTEXT",
    "SSL": "SSL",
    "MTLS": "SSL",
    "SASLSSL": "SASL_SSL",
}

# Leaders move when a test moves them, not at some moment of the five minutes after a fault.
COMMON = """
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
num.partitions=6
default.replication.factor=3
min.insync.replicas=2
auto.create.topics.enable=true
auto.leader.rebalance.enable=false
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
transaction.state.log.num.partitions=6
transaction.state.log.min.isr=2
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=9000
broker.heartbeat.interval.ms=500
message.max.bytes=12582912
replica.fetch.max.bytes=12582912
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
log.segment.delete.delay.ms=1000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""

FOUR = """
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.num.partitions=3
share.coordinator.state.topic.min.isr=2
"""

SECURED = """
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.mtls.ssl.client.auth=required
listener.name.sasl.scram-sha-512.connections.max.reauth.ms={lifetime}
"""
JAAS = """
listener.name.{name}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{secret}";
listener.name.{name}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{name}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


# A broker's own counters, for Broker.mbeans().
JMX = (
    "-Dcom.sun.management.jmxremote.port={b.jmx_port}",
    "-Dcom.sun.management.jmxremote.rmi.port={b.jmx_port}",
    "-Dcom.sun.management.jmxremote.host={b.host}",
    "-Djava.rmi.server.hostname={b.host}",
    "-Dcom.sun.management.jmxremote.authenticate=false",
    "-Dcom.sun.management.jmxremote.ssl=false",
)


def classpath(version):
    folder = os.path.join(DEPS, "kafka-" + version)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Kafka {version} is missing: run tests/setup/setup.sh")
    return folder + "/*"


def java(version, heap="512m"):
    """The head of a command line that runs a class of that Kafka."""
    logging = (
        f"-Dlog4j.configuration=file:{HERE}/log4j.properties"
        if version.startswith("3.")
        else f"-Dlog4j2.configurationFile={HERE}/log4j2.properties"
    )
    return [
        "java", "-Xms64m", "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        logging, "-cp", classpath(version),
    ]  # fmt: skip


class Broker:
    def __init__(self, cluster, index):
        self.cluster, self.index = cluster, index
        self.id, self.host = IDS[index], HOSTS[index]
        self.ports = {name: proc.free_port(self.host) for name in cluster.listeners}
        self.folder = os.path.join(cluster.folder, f"broker{index + 1}")
        self.log = os.path.join(cluster.folder, f"broker{index + 1}.log")
        self.properties = os.path.join(cluster.folder, f"broker{index + 1}.properties")
        self.jmx_port = proc.free_port(self.host) if cluster.ca else None
        self.process = None

    def address(self, listener="PLAINTEXT"):
        return f"{self.host}:{self.ports[listener]}"

    def write_properties(self):
        c = self.cluster
        voters = ",".join(f"{b.id}@{b.address('CONTROLLER')}" for b in c.brokers)
        listeners = ",".join(f"{n}://{self.host}:{p}" for n, p in self.ports.items())
        protocols = ",".join(f"{n}:{LISTENERS[n]}" for n in self.ports)
        text = COMMON + (FOUR if not c.version.startswith("3.") else "")
        text += f"node.id={self.id}\nbroker.rack={RACKS[self.index]}\n"
        text += f"log.dirs={self.folder}\ncontroller.quorum.voters={voters}\n"
        text += f"listeners={listeners}\nlistener.security.protocol.map={protocols}\n"
        if c.ca:
            keystore = c.ca.keystore(f"broker{self.index + 1}")
            text += SECURED.format(
                keystore=keystore, ca=c.ca.cert, lifetime=LIFETIME_MS
            )
            for name in ("sasl", "saslssl"):
                text += JAAS.format(name=name, user=USER, secret=SECRET)
        with open(self.properties, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        argv = java(self.cluster.version, "1g")
        if self.jmx_port:
            argv[1:1] = [option.format(b=self) for option in JMX]
        self.process = proc.Process(
            f"broker{self.index + 1}", argv + ["kafka.Kafka", self.properties], self.log
        )

    def mbeans(self, name, attributes):
        """{attribute: the sum over all MBeans of that name}, as the broker counts."""
        tool = ["org.apache.kafka.tools.JmxTool", "--one-time", "--report-format", "properties"]
        url = f"service:jmx:rmi:///jndi/rmi://{self.host}:{self.jmx_port}/jmxrmi"
        tool += ["--jmx-url", url, "--object-name", name, "--attributes", ",".join(attributes)]
        code, out, err = proc.run("JmxTool", java("4.3.1") + tool, self.log)
        if code != 0:
            raise RuntimeError(f"JmxTool ended with {code}: {err[-800:]}")
        found = dict.fromkeys(attributes, 0.0)
        for line in out.splitlines():
            attribute, _, value = line.rpartition(":")[2].partition("=")
            if attribute in found:
                found[attribute] += float(value)
        return found

    def kill(self):
        self.process.kill()

    def pause(self):
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)


class Cluster:
    """start() gives a cluster that is ready for clients."""

    def __init__(self, version, folder, ca=None):
        self.version, self.folder, self.ca = version, folder, ca
        os.makedirs(folder, exist_ok=True)
        self.id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.id = "W" + self.id[1:]
        self.listeners = ["PLAINTEXT", "CONTROLLER"]
        if ca:
            self.listeners += ["SASL", "SSL", "MTLS", "SASLSSL"]
            for i, host in enumerate(HOSTS):
                ca.issue(f"broker{i + 1}", (host,))
        self.brokers = [Broker(self, i) for i in range(3)]

    def bootstrap(self, listener="PLAINTEXT"):
        return ",".join(b.address(listener) for b in self.brokers)

    def start(self):
        self._format()
        for broker in self.brokers:
            broker.start()
        self.wait_whole(90)

    def stop(self):
        for broker in self.brokers:
            if broker.process:
                broker.process.kill()

    def _format(self):
        jobs = []
        for b in self.brokers:
            b.write_properties()
            argv = java(self.version) + ["kafka.tools.StorageTool", "format"]
            argv += ["--cluster-id", self.id, "--config", b.properties]
            if self.ca:
                for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                    argv += ["--add-scram", f"{mechanism}=[name={USER},password={SECRET}]"]
            jobs.append(proc.Process("format", argv, b.log))
        for job in jobs:
            if job.wait(60) != 0:
                raise RuntimeError("format failed:\n" + job.tail())
            job.stop()

    def metadata(self, topics=None):
        """Metadata as the first broker that answers sees it."""
        for b in self.brokers:
            try:
                with wire.Connection(b.host, b.ports["PLAINTEXT"], 3.0) as c:
                    return c.metadata(topics)
            except (OSError, EOFError):
                continue
        return None

    def is_whole(self):
        """Each broker sees three brokers, and each partition is in sync on all its replicas."""
        for b in self.brokers:
            if not b.process.alive():
                raise RuntimeError(f"broker {b.id} has died:\n" + b.process.tail())
            try:
                with wire.Connection(b.host, b.ports["PLAINTEXT"], 3.0) as c:
                    seen = c.metadata()
            except (OSError, EOFError):
                return False
            if len(seen["brokers"]) != 3:
                return False
            for topic in seen["topics"]:
                for p in topic["partitions"]:
                    if len(p["isr"]) != len(p["replicas"]) or p["leader"] < 0:
                        return False
        return True

    def wait_whole(self, seconds=180):
        proc.wait_until("the cluster is whole", self.is_whole, seconds, 0.2)

    def leader(self, topic, partition=0):
        """The broker that leads that partition."""
        seen = self.metadata([topic])
        for p in seen["topics"][0]["partitions"]:
            if p["index"] == partition:
                return next((b for b in self.brokers if b.id == p["leader"]), None)
        return None

    def canaries(self):
        """Bytes that no client of a gateway may ever be sent, by what they are."""
        found = {"cluster id": self.id.encode()}
        for b, rack in zip(self.brokers, RACKS):
            found[f"host of {b.id}"] = b.host.encode()
            found[rack] = rack.encode()
            found[f"id {b.id}"] = b.id.to_bytes(4, "big")
            found[f"id text {b.id}"] = str(b.id).encode()
            for name, port in b.ports.items():
                found[f"port text {name} {b.id}"] = f":{port}".encode()
        return found

    def port_canaries(self):
        """Ports as they stand in metadata; too short to look for in record bytes."""
        return {
            f"port {n} of {b.id}": p.to_bytes(4, "big")
            for b in self.brokers
            for n, p in b.ports.items()
        }
