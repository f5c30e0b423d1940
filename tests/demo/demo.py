#!/usr/bin/env python3
"""A tour of weir with a real Kafka cluster behind it. Called by `make demo`.

Starts three Kafka brokers and weir, shows what a client sees and that it goes on while a
broker is killed, then stays up until Ctrl-C (with ONCE=1 in the environment it ends after
the tour). Every process that it starts ends with it.
"""

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

from rig import kafka, proc, weir  # noqa: E402

TOPIC, GROUP, PARTITIONS = "river", "readers", 6


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
        self.env = types.SimpleNamespace(options=options, folder=folder, cluster=self.cluster)
        self.weir = None

    def run(self):
        step("Three Kafka brokers are started (about 15 seconds) ...")
        self.cluster.start()
        for broker in self.cluster.brokers:
            say(f"  broker {broker.id} at {broker.address()}")

        listen = "127.0.0.1:9092"
        if proc.can_connect("127.0.0.1", 9092):
            listen = f"127.0.0.1:{proc.free_port()}"
        self.weir = weir.Weir(self.env, listen=listen, name="weir")
        step("weir is started in front of them:")
        shown = [os.path.relpath(self.weir.argv[0], ROOT), *self.weir.argv[1:]]
        say("  $ " + " ".join(shown))
        self.weir.start()
        at = self.weir.address

        step("A client sees one address. The brokers, their ids and addresses stay hidden:")
        show(["kcat", "-b", at, "-L"], 3)

        step(f"A topic with {PARTITIONS} partitions and three replicas, made through weir:")
        self.tool("TopicCommand", "--create", "--topic", TOPIC, "--partitions", str(PARTITIONS))
        self.settle()
        show(["kcat", "-b", at, "-L", "-t", TOPIC], 4)

        step("Records go in and come out of a consumer group:")
        self.produce_and_read(at)

        step("A broker is killed with -9 while a producer and a group go on:")
        self.survive(at)

        step("What the operator sees:")
        proc.wait_until("weir to see the broker again",
                        lambda: '"broker_count": 3' in self.weir.get("/status")[1], 30)  # fmt: skip
        show([os.path.join(ROOT, "build", "weirctl"), "status", "--admin", self.admin()])

    def admin(self):
        return f"127.0.0.1:{self.weir.admin_port}"

    def tool(self, name, *args):
        argv = kafka.java("4.3.1", "256m") + [f"org.apache.kafka.tools.{name}"]
        command = ["--bootstrap-server", self.weir.address, *args]
        say(f"  $ kafka-topics.sh {' '.join(command)}")
        code, out, err = proc.run(name, argv + command, os.devnull, 60)
        if code != 0:
            raise RuntimeError(f"{name} ended with {code}: {err or out}")
        for line in out.splitlines():
            say(f"    {line}")

    def settle(self):
        def whole():
            topic = self.cluster.metadata([TOPIC])["topics"][0]
            return len(topic["partitions"]) == PARTITIONS and all(
                p["leader"] >= 0 for p in topic["partitions"]
            )

        proc.wait_until("the topic's leaders", whole, 30)

    def produce_and_read(self, at):
        lines = "".join(f"record {i}\n" for i in range(1000))
        say(f"  $ seq -f 'record %g' 0 999 | kcat -b {at} -P -t {TOPIC} -X acks=all")
        code, _, err = proc.run(
            "kcat", ["kcat", "-b", at, "-P", "-t", TOPIC, "-X", "acks=all"], os.devnull, 60,
            stdin_text=lines,
        )  # fmt: skip
        if code != 0:
            raise RuntimeError(f"kcat: {err}")
        say(f"  $ kcat -b {at} -G {GROUP} -X auto.offset.reset=earliest -c 1000 {TOPIC}")
        code, out, err = proc.run(
            "kcat", ["kcat", "-b", at, "-G", GROUP, "-X", "auto.offset.reset=earliest",
                     "-c", "1000", TOPIC], os.devnull, 90,
        )  # fmt: skip
        read = sorted(out.splitlines())
        if code != 0 or read != sorted(lines.splitlines()):
            raise RuntimeError(f"{len(read)} records came back of 1000: {err}")
        say("    1000 records written, the same 1000 read")

    def survive(self, at):
        """One record each 10 ms through the kill; every acknowledged one must be read."""
        reads = os.path.join(self.folder, "reads.txt")
        with open(reads, "wb") as out:
            reader = proc.Process(
                "reader", ["kcat", "-u", "-b", at, "-G", GROUP + "-2", "-X",
                           "auto.offset.reset=latest", TOPIC],
                os.path.join(self.folder, "reader.log"), stdout=out,
            )  # fmt: skip
        proc.wait_until(
            "the group's assignment",
            lambda: "assigned" in reader.tail(), 60,
        )  # fmt: skip
        writer = proc.Process(
            "writer", ["kcat", "-b", at, "-P", "-t", TOPIC, "-X", "enable.idempotence=true",
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
        say(f"  kcat -b {at} -L")
        say(f"  echo hello | kcat -b {at} -P -t {TOPIC}")
        say(f"  kcat -b {at} -C -t {TOPIC} -o -5 -e")
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
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        proc.kill_all()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
