#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How exactly a limit holds: connections, sizes and kinds, pressed as hard as load.c can.

For each row a weir of its own in front of three real brokers has one limit. What passes is read from
its metrics ten times a second (bytes of requests and replies, requests: counted where replies leave,
not where limits are), and shown as the least and the most that passed in any 10 seconds and in any
single one, of the limit. The first three seconds, with the burst, are left out.

Then the same of fleets: three gateways which share the limit in a redis-server, with that many
connections at each; "wanders" moves all of them to the next one each five seconds.

    tests/bench/exact.py [--only PATTERN] [--seconds N]
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

from rig import kafka, proc  # noqa: E402
from rig.redis import Server  # noqa: E402

KB, MB = 1000, 1000000
LOAD = os.path.join(ROOT, "build", "obj", "bench", "load")
WEIR = os.path.join(ROOT, "build", "weir")
NAMED = ["-n", "apache-kafka-java", "-v", "4.3.1"]
COUNTED = {
    "ingress_bytes": r'^weir_request_bytes_total\{api="produce"\} (\S+)',
    "egress_bytes": r'^weir_response_bytes_total\{api="fetch"\} (\S+)',
    "requests": r'^weir_requests_total\{api="produce"\} (\S+)',
}

# What, its limit, connections a broker, bytes of a request's records.
ROWS = [
    ("ingress_bytes", 1 * MB, 1, 100),
    ("ingress_bytes", 1 * MB, 20, 100),
    ("ingress_bytes", 1 * MB, 300, 100),
    ("ingress_bytes", 5 * MB, 1, 10 * KB),
    ("ingress_bytes", 5 * MB, 20, 10 * KB),
    ("ingress_bytes", 5 * MB, 300, 10 * KB),
    ("ingress_bytes", 20 * MB, 1, 1000 * KB),
    ("ingress_bytes", 20 * MB, 20, 1000 * KB),
    ("ingress_bytes", 20 * MB, 60, 1000 * KB),
    ("ingress_bytes", 20 * MB, 4, 8000 * KB),
    ("requests", 200, 1, 100),
    ("requests", 200, 20, 100),
    ("requests", 2000, 300, 100),
    ("egress_bytes", 5 * MB, 1, 10 * KB),
    ("egress_bytes", 5 * MB, 10, 10 * KB),
    ("egress_bytes", 20 * MB, 10, 1000 * KB),
]

# Of fleets: lanes (connections a broker) at each gateway, or how the load goes round.
FLEETS = [
    ("ingress_bytes", 5 * MB, (4, 4, 4), 10 * KB),
    ("ingress_bytes", 5 * MB, (18, 2, 1), 10 * KB),
    ("ingress_bytes", 5 * MB, (10, 0, 0), 10 * KB),
    ("ingress_bytes", 5 * MB, "wanders", 10 * KB),
    ("egress_bytes", 5 * MB, (4, 4, 4), 10 * KB),
    ("egress_bytes", 5 * MB, (9, 2, 1), 10 * KB),
    ("requests", 300, (4, 4, 4), 100),
]


class Sample:
    """Of one gateway or several together."""

    def __init__(self, admins, pattern):
        self.urls = [f"http://{admin}/metrics" for admin in admins]
        self.pattern, self.points = pattern, []

    def take(self):
        total = 0.0
        for url in self.urls:
            with urllib.request.urlopen(url, timeout=10) as reply:
                found = re.search(self.pattern, reply.read().decode(), re.M)
            total += float(found.group(1)) if found else 0.0
        self.points.append((time.monotonic(), total))

    def windows(self, seconds, skip):
        """The least and the most a second in any window of so many seconds."""
        start = self.points[0][0] + skip
        points = [p for p in self.points if p[0] >= start]
        rates, j = [], 0
        for i, (at, value) in enumerate(points):
            while j < len(points) and points[j][0] < at + seconds:
                j += 1
            if j == len(points):
                break
            rates.append((points[j][1] - value) / (points[j][0] - at))
        return (min(rates), max(rates)) if rates else (0, 0)


class Bench:
    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds
        self.cluster = kafka.Cluster("4.3.1", os.path.join(folder, "kafka"))
        self.count = 0

    def path(self, what):
        return os.path.join(self.folder, what)

    def weir(self, limit, name="weir", store=None):
        port, admin = proc.free_port(), proc.free_port()
        path = os.path.join(self.folder, name + ".json")
        config = {
            "cluster": {"bootstrap": self.cluster.bootstrap()},
            "listeners": [{"address": f"127.0.0.1:{port}"}],
            "quota": {"limits": [limit], **(store or {})},
            "admin": {"address": f"127.0.0.1:{admin}"},
            "workers": 1 if store else 2,
        }
        with open(path, "w", encoding="ascii") as f:
            json.dump(config, f)
        log = os.path.join(self.folder, name + ".log")
        process = proc.Process(name, [WEIR, "run", "-c", path], log)
        try:
            proc.wait_until("weir", lambda: self.ready(f"127.0.0.1:{admin}"), 20)
        except proc.Timeout:
            raise SystemExit("exact: weir does not start:\n" + process.tail()) from None
        return process, f"127.0.0.1:{port}", f"127.0.0.1:{admin}"

    @staticmethod
    def ready(admin):
        try:
            with urllib.request.urlopen(f"http://{admin}/readyz", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False

    def load(self, boot, mode, count, *flags):
        argv = [LOAD, *NAMED, *map(str, flags), boot, mode, str(count)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def direct(self, *args):
        load = self.load(self.cluster.bootstrap(), *args)
        _, err = load.communicate(timeout=300)
        if load.returncode != 0:
            raise SystemExit(f"exact: {args}: {err}")

    def shape(self, size):
        """Records of 1 KB at most."""
        each = min(size, KB)
        return ["-s", each, "-r", max(1, size // each)]

    def topic(self, what, size, count):
        """load.c's flags for a new one; with so many requests in it, when it is to be read."""
        self.count += 1
        flags = ["-t", f"exact{self.count}-", *self.shape(size)]
        self.direct("create", 0, *flags)
        writes = [LOAD, *NAMED, *map(str, flags), self.cluster.bootstrap(), "produce", "6"]
        proc.wait_until(
            "the topic is everywhere",
            lambda: subprocess.run(writes, capture_output=True, check=False).returncode == 0, 30, 0.2,
        )  # fmt: skip
        if what == "egress_bytes":
            self.direct("produce", count, *flags, "-l", 4)
        return flags

    def loads(self, what, boot, lanes, flags, count):
        """Those of one gateway: consumers of so many bytes each, or a producer of requests."""
        if what == "egress_bytes":
            return [self.load(boot, "consume", count >> 20, *flags) for _ in range(lanes)]
        return [self.load(boot, "produce", count, *flags, "-l", lanes)] if lanes else []

    @staticmethod
    def kill(loads):
        for load in loads:
            status = load.poll()
            load.kill()
            _, err = load.communicate()
            if status:
                raise SystemExit(f"exact: a load has ended with {status}: {err}")

    def row(self, what, limit, lanes, size):
        total = limit * (self.seconds + 4)
        flags = self.topic(what, size, total // min(lanes, 4) // size)
        process, boot, admin = self.weir({"dimension": what, "value": limit})
        sample = Sample([admin], COUNTED[what])
        count = {"egress_bytes": total // lanes, "requests": total}.get(what, total // size)
        loads = self.loads(what, boot, lanes, flags, count)
        end = time.monotonic() + self.seconds + 3
        while time.monotonic() < end and any(load.poll() is None for load in loads):
            sample.take()
            time.sleep(0.1)
        self.kill(loads)
        process.stop(5)
        self.show(what, limit, lanes * (1 if what == "egress_bytes" else 3), size, sample)

    @staticmethod
    def show(what, limit, who, size, sample):
        ten, one = sample.windows(10, 3), sample.windows(1, 3)
        print(
            f"{what:14} {limit:>9} {who:>9} {size:>8}  "
            f"{ten[0] / limit:.3f} {ten[1] / limit:.3f}  {one[0] / limit:.3f} {one[1] / limit:.3f}",
            flush=True,
        )

    def fleet(self, what, limit, lanes, size):
        total = limit * (self.seconds + 10)
        flags = self.topic(what, size, total // 4 // size)
        redis = Server(self).start()
        store = {
            "store": "redis",
            "redis": {"addresses": [redis.address], "key_prefix": f"exact{self.count}"},
        }
        limited = {"dimension": what, "value": limit}
        nodes = [self.weir(limited, f"weir{n}", store) for n in range(3)]
        time.sleep(2)  # they hear of each other
        sample = Sample([admin for _, _, admin in nodes], COUNTED[what])
        moves = lanes == "wanders"
        parts, at = (4, 0, 0) if moves else lanes, 0
        loads, gone, moved = [], [], time.monotonic()
        for (_, boot, _), n in zip(nodes, parts):
            loads += self.loads(what, boot, n, flags, total)
        end = time.monotonic() + self.seconds + 3
        while time.monotonic() < end:
            sample.take()
            time.sleep(0.1)
            if moves and time.monotonic() > moved + 5:
                # The last ones go when the next ones press: nothing is saved up between.
                at, moved, gone = (at + 1) % 3, time.monotonic(), loads
                loads = self.loads(what, nodes[at][1], 4, flags, total)
            elif gone and time.monotonic() > moved + 1:
                self.kill(gone)
                gone = []
        self.kill(loads + gone)
        for process, _, _ in nodes:
            process.stop(5)
        redis.stop()
        self.show(what, limit, lanes if moves else "/".join(map(str, lanes)), size, sample)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=int, default=15)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="weir-exact-")
    bench = Bench(folder, options.seconds)
    try:
        bench.cluster.start()
        print(f"{'limit':14} {'value':>9} {'conns':>9} {'size':>8}  {'10 s':11}  1 s", flush=True)
        for row in ROWS:
            if re.search(options.only, " ".join(map(str, row))):
                bench.row(*row)
        for row in FLEETS:
            if re.search(options.only, " ".join(map(str, ("fleet", *row)))):
                bench.fleet(*row)
    finally:
        proc.kill_all()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
