#!/usr/bin/env python3
"""A tour of weir with a real Kafka cluster behind it. Called by `make demo`.

Starts three Kafka brokers and weir, gives two users keys and policies, shows what a client
sees, who is refused and why, that work goes on while a broker is killed, and a limit that two
gateways share; then stays up until Ctrl-C (with ONCE=1 in the environment it ends after the tour). Every process that it
starts ends with it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
sys.dont_write_bytecode = True

import limits  # noqa: E402
from rig import identity, kafka, proc, weir  # noqa: E402

TOPIC, GROUP, PARTITIONS = "river", "readers", 6
IAM = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;
sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler
"""
SCRAM = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-512
sasl.username={}
sasl.password={}
"""


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def show(command, lines=None):
    """Runs a client command and prints it with what it says."""
    say(f"  $ {' '.join(command)}")
    code, out, err = proc.run(command[0], command, os.devnull, 60)
    if code != 0:
        raise RuntimeError(f"{command[0]} ended with {code}: {err or out}")
    for line in out.splitlines()[:lines]:
        say(f"    {line}")
    return out


def prepare():
    for command in (["tests/setup/setup.sh", "demo"], ["make", "--no-print-directory"]):
        if subprocess.call(command, cwd=ROOT, stdout=sys.stderr) != 0:
            raise RuntimeError(f"{' '.join(command)} failed")


class Tour:
    def __init__(self, folder):
        self.folder = folder
        self.cluster = kafka.Cluster("4.3.1", os.path.join(folder, "kafka"))
        options = types.SimpleNamespace(weir=os.path.join(ROOT, "build", "weir"))
        self.env = types.SimpleNamespace(
            options=options, folder=folder, cluster=self.cluster, path=self.path
        )
        self.redis = limits.Redis(folder)
        self.weir = None
        self.ids = None
        self.keys = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self):
        step("Three Kafka brokers are started (about 15 seconds) ...")
        self.cluster.start()
        for broker in self.cluster.brokers:
            say(f"  broker {broker.id} at {broker.address()}")

        step("Two users get a key and a policy each:")
        self.admit_users()

        step("weir is started in front of the brokers:")
        self.start_weir()
        at = self.weir.address

        step("A client sees one address. The brokers, their ids and addresses stay hidden:")
        self.kcat("alice", "-L", lines=3)

        step("alice makes a topic, with AWS's own IAM library for Java:")
        self.tool(
            "alice", "org.apache.kafka.tools.TopicCommand", "--command-config", "--create",
            "--topic", TOPIC, "--partitions", str(PARTITIONS),
        )  # fmt: skip
        self.settle()
        self.kcat("alice", "-L", "-t", TOPIC, lines=4)

        step("Records go in with her AWS signature, and come out of a consumer group:")
        self.produce_and_read()

        step("bob may read, and no more. He tries to write:")
        self.deny()

        step("A broker is killed with -9 while a producer and a group go on:")
        self.survive(at)

        step("A producer is pressed against a limit, which two gateways share:")
        limits.Limits(self, say, show, TOPIC).run()

        step("What the operator sees:")
        proc.wait_until("weir to see the broker again",
                        lambda: '"broker_count": 3' in self.weir.get("/status")[1], 30)  # fmt: skip
        show([self.weirctl(), "status", "--admin", self.admin()])

    def admin(self):
        return f"127.0.0.1:{self.weir.admin_port}"

    def weirctl(self):
        return os.path.relpath(os.path.join(ROOT, "build", "weirctl"), os.getcwd())

    def admit_users(self):
        self.ids = identity.Identities(self.env, "auth")
        topics, groups = identity.arn("topic", TOPIC), identity.arn("group", "*")
        connect = identity.statement(["Connect"], [identity.arn("cluster")])
        read = identity.statement(["DescribeTopic", "ReadData"], [topics])
        join = identity.statement(["DescribeGroup", "AlterGroup"], [groups])
        documents = {
            "alice": identity.document(
                connect, join,
                identity.statement(["*Topic*", "ReadData", "WriteData"], [topics]),
                identity.statement(["WriteDataIdempotently"], [identity.arn("cluster")]),
            ),
            "bob": identity.document(connect, join, read),
        }  # fmt: skip
        for name, document in documents.items():
            say(f"  $ weirctl keys create --user {name}")
            key = self.keys[name] = self.ids.user(name, document)
            say(f"    key id {key[0]}, secret {key[1][:4]}...")
            actions = [a.split(":")[1] for s in document["Statement"] for a in s["Action"]]
            say(f"    {name}'s policy allows {', '.join(actions)}")
            self.write(f"{name}.kcat", SCRAM.format(*key))
        self.write("alice.properties", IAM)
        # Without it he would be refused for WriteDataIdempotently, before any topic is looked at.
        self.write("bob.properties", IAM + "enable.idempotence=false\n")

    def write(self, name, text):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(text)

    def start_weir(self):
        listen = "127.0.0.1:9092"
        if proc.can_connect("127.0.0.1", 9092):
            listen = f"127.0.0.1:{proc.free_port()}"
        self.weir = weir.Weir(self.env, config={}, listen=listen, name="weir")
        self.redis.start()
        self.weir.config = {
            "cluster": {"bootstrap": self.cluster.bootstrap()},
            "listeners": [{
                "address": listen, "advertised": listen, "auth": "sasl",
                "mechanisms": ["AWS_MSK_IAM", "SCRAM-SHA-512"],
            }],
            "auth": self.ids.config(audit={"file": self.path("audit.jsonl")}),
            "quota": {"store": "redis", "redis": {"addresses": [self.redis.address]}},
            "admin": {"address": self.admin()},
        }  # fmt: skip
        self.weir.write_config(self.weir.config)
        shown = [os.path.relpath(self.weir.argv[0], ROOT), *self.weir.argv[1:]]
        say("  $ " + " ".join(shown))
        self.weir.start()

    def kcat(self, user, *args, lines=None):
        return show(["kcat", "-b", self.weir.address, "-F", self.path(f"{user}.kcat"), *args], lines)

    def tool(self, user, name, config, *args, text=None, refused=None):
        """One of Kafka's own tools, logged in by AWS's library with the user's key."""
        argv = kafka.java("4.3.1", "256m")
        argv[-1] += f":{kafka.DEPS}/msk-iam/*"
        command = ["--bootstrap-server", self.weir.address, config, self.path(f"{user}.properties"), *args]
        known = {"TopicCommand": "topics", "ConsoleProducer": "console-producer",
                 "ConsoleConsumer": "console-consumer"}  # fmt: skip
        say(f"  {user}$ kafka-{known[name.rsplit('.', 1)[1]]}.sh {' '.join(command)}")
        key = self.keys[user]
        code, out, err = proc.run(
            name, argv + [name, *command], self.path("tools.log"), 90, stdin_text=text,
            env={"AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1],
                 "AWS_REGION": "us-east-1"},
        )  # fmt: skip
        if refused is None and code != 0:
            raise RuntimeError(f"{name} ended with {code}: {err or out}")
        if refused is not None and refused not in out + err:
            raise RuntimeError(f"{name} was not refused: {err or out}")
        return out, err

    def deny(self):
        producer = "org.apache.kafka.tools.ConsoleProducer"
        out, err = self.tool(
            "bob", producer, "--command-config", "--topic", TOPIC, text="mine\n",
            refused="TopicAuthorizationException",
        )  # fmt: skip
        for line in (out + err).splitlines():
            if "TopicAuthorizationException" in line:
                say("    " + line.split("ERROR ")[-1][:110])
                break
        say("  Why? The operator asks weir:")
        command = [
            self.weirctl(), "explain-access", "--admin", self.admin(), "--principal", "user/bob",
            "--action", "WriteData", "--resource", f"topic/{TOPIC}",
        ]  # fmt: skip
        say(f"  $ {' '.join(command)}")
        _, out, _ = proc.run("weirctl", command, os.devnull, 30)
        if not out.startswith("denied"):
            raise RuntimeError(f"explain-access said {out}")
        for line in out.splitlines():
            say("    " + line)
        with open(self.path("audit.jsonl"), encoding="utf-8") as f:
            denied = [line for line in map(json.loads, f) if line["event"] == "request"]
        say("  The audit has: " + json.dumps(denied[-1])[:300])

    def settle(self):
        def whole():
            topic = self.cluster.metadata([TOPIC])["topics"][0]
            return len(topic["partitions"]) == PARTITIONS and all(
                p["leader"] >= 0 for p in topic["partitions"]
            )

        proc.wait_until("the topic's leaders", whole, 30)

    def produce_and_read(self):
        lines = "".join(f"record {i}\n" for i in range(1000))
        self.tool(
            "alice", "org.apache.kafka.tools.ConsoleProducer", "--command-config", "--topic", TOPIC,
            text=lines,
        )  # fmt: skip
        out, _ = self.tool(
            "alice", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--command-config",
            "--topic", TOPIC, "--group", GROUP, "--from-beginning", "--max-messages", "1000",
            "--timeout-ms", "60000",
        )  # fmt: skip
        read = sorted(line for line in out.splitlines() if line.startswith("record "))
        if read != sorted(lines.splitlines()):
            raise RuntimeError(f"{len(read)} records came back of 1000")
        say("    1000 records written, the same 1000 read")

    def survive(self, at):
        """One record each 10 ms through the kill; every acknowledged one must be read."""
        reads, login = self.path("reads.txt"), ["-F", self.path("alice.kcat")]
        with open(reads, "wb") as out:
            reader = proc.Process(
                "reader", ["kcat", "-u", *login, "-b", at, "-G", GROUP + "-2", "-X",
                           "auto.offset.reset=latest", TOPIC],
                os.path.join(self.folder, "reader.log"), stdout=out,
            )  # fmt: skip
        proc.wait_until(
            "the group's assignment",
            lambda: "assigned" in reader.tail(), 60,
        )  # fmt: skip
        writer = proc.Process(
            "writer", ["kcat", *login, "-b", at, "-P", "-t", TOPIC, "-X", "enable.idempotence=true",
                       "-X", "linger.ms=1"],
            os.path.join(self.folder, "writer.log"), stdin=subprocess.PIPE,
        )  # fmt: skip
        victim = self.cluster.leader(TOPIC)
        sent, killed = 0, None
        for sent in range(1, 1501):
            writer.popen.stdin.write(b"during %d\n" % sent)
            writer.popen.stdin.flush()
            time.sleep(0.01)
            if sent == 400:
                victim.kill()
                killed = time.monotonic()
                say(f"  kill -9 of broker {victim.id}, which led partition 0")
        writer.popen.stdin.close()
        if writer.wait(60) != 0:
            raise RuntimeError("the producer failed:\n" + writer.tail())

        def all_read():
            with open(reads, "rb") as f:
                return len({line for line in f if line.startswith(b"during")}) == sent

        proc.wait_until("all records to be read", all_read, 60)
        with open(reads, "rb") as f:
            lines = [line for line in f if line.startswith(b"during")]
        reader.stop()
        say(f"  {sent} records written, {len(set(lines))} read, {len(lines) - len(set(lines))}"
            " of them twice, no error at either client")  # fmt: skip
        victim.start()
        self.cluster.wait_whole()
        say(f"  the broker is back {time.monotonic() - killed:.0f} s after its end")

    def stay(self):
        at = self.weir.address
        step("weir stays up. Try it:")
        kcat = f"kcat -b {at} -F {self.path('alice.kcat')}"
        say(f"  {kcat} -L")
        say(f"  echo hello | {kcat} -P -t {TOPIC}")
        say(f"  {kcat} -C -t {TOPIC} -o -5 -e")
        say("A Java client with AWS's IAM library takes " + self.path("alice.properties"))
        say("  and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION=us-east-1 of a key, such as")
        say(f"  build/weirctl keys create --user alice -c {self.weir.config_file}   (then reload)")
        say(f"  build/weirctl reload --admin {self.admin()}")
        say(f"  tail -f {self.path('audit.jsonl')}")
        say(f"  build/weirctl status --admin {self.admin()}")
        say(f"  curl http://{self.admin()}/metrics")
        say(f"Any Kafka client works: its bootstrap server is {at}")
        say("Ctrl-C stops weir and the brokers, and leaves nothing behind.")
        while True:
            time.sleep(1)
            if not self.weir.alive():
                raise RuntimeError("weir has ended:\n" + self.weir.tail())


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    folder = tempfile.mkdtemp(prefix="weir-demo-")
    tour = None
    try:
        prepare()
        tour = Tour(folder)
        tour.run()
        if os.environ.get("ONCE") == "1":
            step("That was the tour.")
            return 0
        tour.stay()
    except KeyboardInterrupt:
        say("\nstopping ...")
        return 0
    except (RuntimeError, proc.Timeout) as e:
        print(f"\nThe tour ended early: {e}", file=sys.stderr)
        if tour and tour.weir:
            print("weir's log ends with:\n" + tour.weir.tail(), file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        proc.kill_all()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
