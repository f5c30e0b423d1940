"""The part of the tour that is about limits: a producer pressed against one, why, a second gateway
that shares it, and Redis killed and back."""

import json
import os
import subprocess
import threading
import time

from rig import proc, weir

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MB = 1000000


class Redis:
    """A redis-server without a disk's care."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, proc.free_port(), None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--dir", self.folder]  # fmt: skip
        self.process = proc.Process("redis", argv, os.path.join(self.folder, "redis.log"))
        proc.wait_until("redis", lambda: proc.can_connect("127.0.0.1", self.port), 10)
        return self


class Writer(threading.Thread):
    """kcat, fed as fast as it takes."""

    def __init__(self, tour, at, topic):
        super().__init__(daemon=True)
        self.kcat = proc.Process(
            "writer", ["kcat", "-F", tour.path("alice.kcat"), "-b", at, "-P", "-t", topic, "-X",
                       "queue.buffering.max.messages=2000", "-X", "batch.size=50000"],
            os.path.join(tour.folder, "writer.log"), stdin=subprocess.PIPE,
        )  # fmt: skip
        self.ending = False
        self.start()

    def run(self):
        line = b"x" * 999 + b"\n"
        try:
            while not self.ending:
                self.kcat.popen.stdin.write(line * 50)
        except (BrokenPipeError, ValueError):
            pass

    def stop(self):
        self.ending = True
        self.kcat.kill()
        self.join(10)


class Limits:
    def __init__(self, tour, say, show, topic):
        self.tour, self.say, self.show, self.topic = tour, say, show, topic
        self.nodes = [tour.weir]
        self.redis = tour.redis
        self.writers = []

    def run(self):
        try:
            self._run()
        finally:
            for writer in self.writers:
                writer.stop()
            for node in self.nodes[1:]:
                node.stop(5)

    def _run(self):
        say = self.say
        self.write_at(self.nodes[0])
        self.watch("  unlimited", 2)
        say("  The limit ingress_bytes becomes 1 MB/s, by a reload; no connection is closed:")
        self.limit(MB)
        self.watch("  limited to 1 MB/s", 4)
        say("  Why is it slow? The operator asks weir:")
        self.show([self.tour.weirctl(), "explain", "--admin", self.tour.admin()])
        say("  A second gateway joins, with a producer of its own. The limit is one number:")
        self.join()
        self.write_at(self.nodes[1])
        self.watch("  two gateways", 4)
        say("  kill -9 of Redis: each goes on with the share that it had")
        self.redis.process.kill()
        self.watch("  without Redis", 4)
        say("  Redis is back, empty:")
        self.redis.start()
        proc.wait_until("the nodes lease again", lambda: all(map(self.up, self.nodes)), 20)
        self.watch("  with Redis", 3)
        self.show([self.tour.weirctl(), "limits", "--admin", self.tour.admin()])

    def write_at(self, node):
        self.writers.append(Writer(self.tour, node.address, self.topic))

    def limit(self, value):
        for node in self.nodes:
            node.config["quota"]["limits"] = [{"dimension": "ingress_bytes", "value": value}]
            node.write_config(node.config)
            before = node.metric("^weir_reloads_total")
            node.hang_up()
            proc.wait_until("the reload", lambda n=node, b=before:
                            n.metric("^weir_reloads_total") > b, 10)  # fmt: skip

    def join(self):
        first = self.nodes[0]
        node = weir.Weir(self.tour.env, config={}, name="weir-2")
        node.config = json.loads(json.dumps(first.config))
        node.config["listeners"][0].update(address=node.address, advertised=node.address)
        node.config["auth"].pop("audit", None)
        node.config["admin"] = {"address": f"127.0.0.1:{node.admin_port}"}
        node.write_config(node.config)
        self.nodes.append(node.start())
        proc.wait_until(
            "both to know each other",
            lambda: all(self.store(n)["nodes"] == 2 for n in self.nodes), 20,
        )  # fmt: skip

    @staticmethod
    def store(node):
        return node.status()["store"]

    def up(self, node):
        return self.store(node)["up"]

    def watch(self, what, seconds):
        """What passes each second, at each gateway: by the bytes of its requests."""
        before = [self.bytes(n) for n in self.nodes]
        for _ in range(seconds):
            time.sleep(1)
            now = [self.bytes(n) for n in self.nodes]
            rates = [(b - a) / MB for a, b in zip(before, now)]
            before = now
            each = " + ".join(f"{r:.2f}" for r in rates)
            total = f" = {sum(rates):.2f}" if len(rates) > 1 else ""
            self.say(f"{what}: {each}{total} MB/s")

    @staticmethod
    def bytes(node):
        return node.metric('^weir_request_bytes_total{api="produce"}')
