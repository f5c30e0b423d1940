#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What weir costs, next to a TCP relay that reads nothing and to no proxy at all.

Three real brokers; load.c as the client, the same for each way there:

    direct   at the brokers' own addresses
    haproxy  HAProxy in TCP mode, a listener a broker, on an advertised listener of its own
    weir     one address, seen as three virtual brokers
    weir/1   the same, seen as one, by a client that does not say its name

At the end, on a cluster with the topics and groups of 1,000 tenants:

    none     a weir without tenants
    tenant   one with 1,000 tenants, as one of them

And beside each other, before that:

    unlimited  a weir without limits
    limited    one with every limit at every scope, none of which is reached

    alone      a tenant whose neighbour is silent
    beside     the same while its neighbour presses a limit from 60 connections

The ways take turns in each round; the table has medians over the rounds, and ratios to HAProxy's.
CPU is the proxy's own, user and system time of its threads. A busy machine widens everything: look at
the ratios, and at the spread that --all shows.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

from rig import certs, kafka, proc  # noqa: E402

THREADS = 2
IDLE, IDLE_MANY = 2000, 9500
CLIENTS, TOPICS = 1000, 1000
BULK_RECORDS, BULK_SIZE = 1000, 1024
NAMED = ["-n", "apache-kafka-java", "-v", "4.3.1"]
WAYS = ("direct", "haproxy", "weir", "weir/1")
TENANTS, TENANT, TENANTS_WAYS = 1000, "team-500", ("none", "tenant")
LIMITS_WAYS = ("unlimited", "limited")
NEIGHBOUR_WAYS, NEIGHBOUR_LIMIT = ("alone", "beside"), 2000000
TEAM_TOPICS, TEAM_GROUPS = 10, 5  # of each, as load.c makes them
GOAL = 1.3

HAPROXY = """
global
    nbthread {threads}
    maxconn 6000
defaults
    mode tcp
    timeout connect 5s
    timeout client 10m
    timeout server 10m
"""
HAPROXY_LISTEN = """
listen broker{i}
    bind 127.0.0.1:{port}
    server broker{i} {address}
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--weir", default=os.path.join(ROOT, "build", "weir"))
    p.add_argument("--load", default=os.path.join(ROOT, "build", "obj", "bench", "load"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--megabytes", type=int, default=300, help="produced and consumed a turn")
    p.add_argument("--small", type=int, default=20000, help="small requests a turn")
    p.add_argument("--single", type=int, default=2000, help="requests one by one a turn")
    p.add_argument("--only", default=".", help="regular expression over: bulk small single idle metadata limits neighbours tenants")
    p.add_argument("--all", action="store_true", help="show each round's figures too")
    p.add_argument("--check", action="store_true", help=f"fail when a ratio is over {GOAL}")
    p.add_argument("--perf", metavar="FILE", help="perf record -g of weir during the turns")
    return p.parse_args()


class BenchBroker(kafka.Broker):
    """A broker with one more listener, which it advertises at HAProxy's port."""

    def write_properties(self):
        super().write_properties()
        shown = f"PLAINTEXT://{self.address()},VIA://127.0.0.1:{self.cluster.via[self.index]}"
        with open(self.properties, "a", encoding="utf-8") as f:
            f.write(f"advertised.listeners={shown}\n")


class BenchCluster(kafka.Cluster):
    def __init__(self, folder):
        super().__init__("4.3.1", folder)
        kafka.LISTENERS["VIA"] = "PLAINTEXT"
        self.listeners = ["PLAINTEXT", "CONTROLLER", "VIA"]
        self.via = [proc.free_port() for _ in range(3)]
        self.brokers = [BenchBroker(self, i) for i in range(3)]


class Proxy:
    """HAProxy or weir, to be started afresh."""

    def __init__(self, name, argv, log, ports):
        self.name, self.argv, self.log, self.ports = name, argv, log, ports
        self.process = None

    @property
    def addresses(self):
        return ",".join(f"127.0.0.1:{p}" for p in self.ports)

    def start(self):
        self.process = proc.Process(self.name, self.argv, self.log)
        for port in self.ports:
            proc.wait_until(
                f"{self.name} listens", lambda p=port: proc.can_connect("127.0.0.1", p), 20
            )
        time.sleep(0.5)
        return self

    def stop(self):
        self.process.kill()
        self.process = None

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def cpu_seconds(pid):
    """Of a process whose threads live as long as it does: exact where the kernel counts it."""
    total = 0
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    except OSError:
        return cpu_ticks(pid)
    return total / 1e9


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.cluster = BenchCluster(os.path.join(folder, "kafka"))
        self.haproxy, self.weir = self.make_haproxy(), self.make_weir()
        self.figures = {}  # measure -> way -> values
        self.topics = 0
        self.with_tenants = {}  # way -> Proxy
        self.with_limits = {}

    # ---- what runs ----

    def make_haproxy(self):
        text = HAPROXY.format(threads=THREADS)
        for i, b in enumerate(self.cluster.brokers):
            text += HAPROXY_LISTEN.format(i=i, port=self.cluster.via[i], address=b.address("VIA"))
        config = os.path.join(self.folder, "haproxy.cfg")
        with open(config, "w", encoding="ascii") as f:
            f.write(text)
        tool = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        if not tool:
            raise SystemExit("bench: haproxy is missing (apt-get install haproxy)")
        log = os.path.join(self.folder, "haproxy.log")
        return Proxy("haproxy", [tool, "-db", "-f", config], log, self.cluster.via)

    def weir_with(self, name, ports, listeners, admin=None, **more):
        """A weir of that configuration; ports are where its clients come."""
        config = {
            "cluster": {"bootstrap": self.cluster.bootstrap()},
            "listeners": listeners,
            "admin": {"address": f"127.0.0.1:{admin or proc.free_port()}"},
            "workers": THREADS,
            **more,
        }
        path = os.path.join(self.folder, name + ".json")
        with open(path, "w", encoding="ascii") as f:
            json.dump(config, f)
        log = os.path.join(self.folder, name + ".log")
        return Proxy(name, [self.options.weir, "run", "-c", path], log, ports)

    def make_weir(self):
        port, self.tls_port, self.admin = (proc.free_port() for _ in range(3))
        crt, key = certs.CA(os.path.join(self.folder, "ca")).issue("weir")
        listeners = [
            {"address": f"127.0.0.1:{port}"},
            {
                "name": "tls", "address": f"127.0.0.1:{self.tls_port}",
                "tls": {"certificate_file": crt, "key_file": key},
            },
        ]  # fmt: skip
        limits = {"handshake_rate": 0}
        return self.weir_with("weir", [port], listeners, self.admin, limits=limits)

    def proxy(self, way):
        ways = {"haproxy": self.haproxy, "direct": None, **self.with_tenants, **self.with_limits}
        return ways.get(way, self.weir)

    def make_tenants(self, way):
        """A weir in front of everything, without tenants or with all of them; its clients are
        those of one."""
        port, admin = proc.free_port(), proc.free_port()
        more = {}
        if way == "tenant":
            more["tenants_dir"] = os.path.join(self.folder, "tenants.d")
            os.mkdir(more["tenants_dir"])
            for i in range(TENANTS):
                name = f"team-{i}"
                user = f"arn:aws:iam::000000000000:user/{name}"
                member = {"listener": "bench"} if name == TENANT else {"principal": user}
                path = os.path.join(more["tenants_dir"], name + ".json")
                with open(path, "w", encoding="ascii") as f:
                    json.dump({"members": [member]}, f)
        listeners = [{"name": "bench", "address": f"127.0.0.1:{port}"}]
        weir = self.weir_with(way, [port], listeners, admin, **more)
        weir.admin = f"http://127.0.0.1:{admin}"
        return weir

    def make_limits(self, way):
        port, more = proc.free_port(), {}
        if way == "limited":
            many = [
                {"dimension": d, "scope": scope, "value": "900GB"}
                for d in (
                    "ingress_bytes", "egress_bytes", "requests", "topic_requests",
                    "partition_changes", "connections", "connection_attempts",
                ) for scope in ("tenant", "principal", "client", "node")
            ]  # fmt: skip
            many += [{"dimension": f"partition_{way}_bytes", "value": "900GB"}
                     for way in ("ingress", "egress")]  # fmt: skip
            many += [{"dimension": "message_bytes", "value": "8MiB"}]
            more["quota"] = {"limits": many}
        listeners = [{"name": "bench", "address": f"127.0.0.1:{port}"}]
        return self.weir_with(way, [port], listeners, **more)

    def load(self, way, mode, count, *flags):
        boot = self.proxy(way).addresses if way != "direct" else self.cluster.bootstrap()
        named = [] if way == "weir/1" else NAMED
        argv = [self.options.load, *named, *flags, boot, mode, str(count)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"bench: {way}: {' '.join(argv)}\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout else {}

    def measured(self, way, mode, count, *flags):
        """The load's report, with the proxy's CPU seconds."""
        proxy = self.proxy(way)
        before = proxy.cpu() if proxy else 0
        report = self.load(way, mode, count, *flags)
        report["cpu"] = proxy.cpu() - before if proxy else None
        return report

    def note(self, measure, way, value):
        if value is not None:
            self.figures.setdefault(measure, {}).setdefault(way, []).append(value)

    def new_topic(self, partitions=3):
        self.topics += 1
        name = f"bench{self.topics}-"
        self.load("direct", "create", 0 if partitions == 3 else 1, "-t", name)
        name = name if partitions == 3 else name + "0"
        proc.wait_until("the topic is everywhere", lambda: self.writable(name), 30, 0.2)
        return name

    def writable(self, topic):
        argv = [self.options.load, "-t", topic, self.cluster.bootstrap(), "produce", "6"]
        return subprocess.run(argv, capture_output=True).returncode == 0

    # ---- the measures ----

    def bulk(self, way):
        count = self.options.megabytes * 1000000 // (BULK_RECORDS * BULK_SIZE)
        # As many requests in flight, over one connection or three.
        flags = ["-s", BULK_SIZE, "-r", BULK_RECORDS, "-d", 6 if way == "weir/1" else 2]
        flags = [str(f) for f in flags] + ["-t", self.new_topic()]
        made = self.measured(way, "produce", count, *flags)
        read = self.measured(way, "consume", (made["bytes"] >> 20) - 8, *flags)
        for measure, report in (("bulk_produce", made), ("bulk_consume", read)):
            gigabytes = report["bytes"] / 1e9
            if report["cpu"] is not None:
                self.note(measure, way, report["cpu"] / gigabytes)
            self.note(measure + "_rate", way, gigabytes * 1000 / report["seconds"])
        self.load("direct", "delete", 0, "-t", flags[-1])

    def small(self, way):
        lanes = 12 if way == "weir/1" else 4
        report = self.measured(
            way, "produce", self.options.small, "-l", str(lanes), "-t", self.small_topic
        )
        if report["cpu"] is not None:
            self.note("small", way, report["cpu"] * 1e6 / report["requests"])
        self.note("small_rate", way, report["requests"] / report["seconds"])

    def single(self, way):
        report = self.measured(way, "produce", self.options.single, "-t", self.single_topic)
        self.note("single_p50", way, report["p50"])
        self.note("single_p99", way, report["p99"])
        if report["cpu"] is not None:
            self.note("single", way, report["cpu"] * 1e6 / report["requests"])

    def idle(self, way):
        """Start-up memory too: the proxy is a new one each time."""
        proxy = self.proxy(way)
        proxy.stop()
        proxy.start()
        before = proxy.rss_kib()
        self.note("start_rss", way, before / 1024)
        argv = [self.options.load, *NAMED, proxy.addresses, "idle", str(IDLE)]
        load = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        load.stdout.readline()
        time.sleep(0.5)
        self.note("idle", way, (proxy.rss_kib() - before) / IDLE)
        load.stdin.close()
        load.wait()
        proxy.stop()
        proxy.start()

    def idle_many(self, way):
        """Many more, in the clear and over TLS, of a weir that is a new one each time."""
        for measure, flags, port in (
            ("idle_plain", [], self.weir.ports[0]), ("idle_tls", ["-T"], self.tls_port),
        ):  # fmt: skip
            self.weir.stop()
            self.weir.start()
            before = self.weir.rss_kib()
            argv = [self.options.load, *NAMED, *flags, f"127.0.0.1:{port}", "idle", str(IDLE_MANY)]
            load = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if not load.stdout.readline():
                raise SystemExit(f"bench: {' '.join(argv)} has failed")
            time.sleep(0.5)
            self.note(measure, way, (self.weir.rss_kib() - before) / IDLE_MANY)
            load.stdin.close()
            load.wait()
        self.weir.stop()
        self.weir.start()

    def metadata(self, way):
        before = sum(cpu_ticks(b.process.pid) for b in self.cluster.brokers)
        asked = self.refreshes()
        report = self.load(way, "metadata", CLIENTS)
        after = sum(cpu_ticks(b.process.pid) for b in self.cluster.brokers)
        self.note("storm_cpu", way, after - before)
        self.note("storm_p99", way, report["p99"] / 1000)
        at_brokers = self.refreshes() - asked if way.startswith("weir") else report["requests"]
        self.note("storm_asked", way, at_brokers)

    def team_topic(self, way):
        return "topic-0" if way == "tenant" else TENANT + ".topic-0"

    def fill(self):
        """The cluster with what all tenants have."""
        self.load("direct", "tenants", TENANTS)
        weir = self.with_tenants["none"].start()
        everything = TENANTS * TEAM_TOPICS

        def there():
            seen = json.loads(page(weir.admin + "/status"))["cluster"]
            return seen["topics"] >= everything and seen["leaderless"] == 0

        proc.wait_until("all topics have leaders", there, 120, 0.5)
        proc.wait_until("coordinators are there", lambda: self.works("none", "commit", 20), 60, 0.5)
        self.load("none", "commit", TENANTS, "-l", "50")
        weir.stop()

    def tenants_start(self, way):
        weir = self.proxy(way)
        begun = time.monotonic()
        weir.process = proc.Process(weir.name, weir.argv, weir.log)
        proc.wait_until(f"{way} is ready", lambda: page(weir.admin + "/readyz"), 30, 0.01)
        self.note("tenants_start", way, (time.monotonic() - begun) * 1000)
        self.note("tenants_rss", way, weir.rss_kib() / 1024)
        for _ in range(5):
            begun = time.monotonic()
            assert '"reloaded": true' in page(weir.admin + "/reload", b"")
            self.note("tenants_reload", way, (time.monotonic() - begun) * 1000)
        topic = self.team_topic(way)
        proc.wait_until("it can be written", lambda: self.works(way, "produce", 6, "-t", topic), 30)

    def works(self, way, mode, count, *flags):
        argv = [self.options.load, *flags, self.proxy(way).addresses, mode, str(count)]
        return subprocess.run(argv, capture_output=True).returncode == 0

    def tenants(self, way):
        topic = ["-t", self.team_topic(way)]
        report = self.measured(way, "produce", self.options.single // 2, *topic)
        self.note("tenants_single", way, report["p50"])
        report = self.measured(way, "produce", self.options.small // 2, "-l", "12", *topic)
        self.note("tenants_small", way, report["cpu"] * 1e6 / report["requests"])
        for what, count in (("topics", 500 if way == "tenant" else 50), ("groups", 50)):
            report = self.measured(way, what, count)
            self.note(f"tenants_{what}", way, report["p50"])
            self.note(f"tenants_{what}_cpu", way, report["cpu"] * 1e6 / report["requests"])
            self.note(f"tenants_{what}_bytes", way, report["bytes"] / report["requests"] / 1024)

    def all_tenants(self):
        if not re.search(self.options.only, "tenants"):
            return
        self.with_tenants = {way: self.make_tenants(way) for way in TENANTS_WAYS}
        begun = time.monotonic()
        self.fill()
        print(f"  tenants' topics and groups: {time.monotonic() - begun:.0f} s", flush=True)
        for way in TENANTS_WAYS:
            self.tenants_start(way)
        self.turns("tenants", TENANTS_WAYS, self.tenants, 2 * self.options.rounds)
        for way in TENANTS_WAYS:
            self.note("tenants_rss_end", way, self.proxy(way).rss_kib() / 1024)

    def limits(self, way):
        """The rows of bulk, small and single, of a weir with limits and one without."""
        self.bulk(way)
        self.small(way)
        self.single(way)

    def all_limits(self):
        if not re.search(self.options.only, "limits"):
            return
        self.with_limits = {way: self.make_limits(way) for way in LIMITS_WAYS}
        for proxy in self.with_limits.values():
            proxy.start()
        self.turns("limits", LIMITS_WAYS, self.limits, 2 * self.options.rounds)

    def make_neighbours(self):
        """A weir of two tenants, each with a port of its own, as a way; "noisy" may write little."""
        ports, listeners = [proc.free_port(), proc.free_port()], []
        directory = os.path.join(self.folder, "neighbours.d")
        os.mkdir(directory)
        for name, port in zip(("noisy", "quiet"), ports):
            listeners.append({"name": name, "address": f"127.0.0.1:{port}"})
            tenant = {"members": [{"listener": name}]}
            if name == "noisy":
                limit = {"dimension": "ingress_bytes", "value": NEIGHBOUR_LIMIT}
                tenant["quota"] = {"limits": [limit]}
            with open(os.path.join(directory, name + ".json"), "w", encoding="ascii") as f:
                json.dump(tenant, f)
        weir = self.weir_with("neighbours", ports[1:], listeners, tenants_dir=directory)
        noisy = Proxy("noisy", weir.argv, weir.log, ports[:1])
        self.with_limits.update({"noisy": noisy, **dict.fromkeys(NEIGHBOUR_WAYS, weir)})
        weir.start()

    def neighbours(self, way):
        noise = None
        if way == "beside":
            flags = ["-t", "noise", "-l", "20", "-s", "1000", "-r", "10"]
            argv = [self.options.load, *NAMED, *flags, self.proxy("noisy").addresses]
            argv += ["produce", "100000000"]
            noise = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(2)  # the burst
        try:
            report = self.measured(way, "produce", self.options.single, "-t", "quiet")
        finally:
            if noise:
                noise.kill()
                noise.wait()
        if noise and noise.returncode != -9:
            raise SystemExit("bench: the noisy tenant's load ended by itself")
        for what in ("p50", "p99"):
            self.note("neighbour_" + what, way, report[what])

    def all_neighbours(self):
        if not re.search(self.options.only, "neighbours"):
            return
        self.make_neighbours()
        for way, topic in (("noisy", "noise"), ("alone", "quiet")):
            self.load(way, "create", 0, "-t", topic)
            proc.wait_until(
                f"{topic} can be written",
                lambda w=way, t=topic: self.works(w, "produce", 6, "-t", t), 30, 0.2,
            )  # fmt: skip
        self.turns("neighbours", NEIGHBOUR_WAYS, self.neighbours, 4 * self.options.rounds)

    def refreshes(self):
        with os.popen(f"curl -s http://127.0.0.1:{self.admin}/metrics") as f:
            found = re.search(r"^weir_refreshes_total (\d+)", f.read(), re.M)
        return int(found.group(1)) if found else 0

    # ---- all of it ----

    def turns(self, name, ways, measure, rounds=None):
        if not re.search(self.options.only, name):
            return
        begun = time.monotonic()
        for _ in range(rounds or self.options.rounds):
            for way in ways:
                measure(way)
        print(f"  {name}: {time.monotonic() - begun:.0f} s", flush=True)

    def run(self):
        self.cluster.start()
        self.haproxy.start()
        self.weir.start()
        self.small_topic, self.single_topic = self.new_topic(), self.new_topic(1)
        self.load("direct", "produce", 2000, "-t", self.small_topic)
        self.load("direct", "produce", 1000, "-t", self.single_topic)
        self.turns("idle", ("haproxy", "weir"), self.idle)
        self.turns("idle_many", ("weir",), self.idle_many, 1)
        recorder = self.record()
        self.turns("bulk", WAYS, self.bulk)
        self.turns("small", WAYS, self.small)
        # Short turns and many: whatever else the machine does must hit all ways alike.
        self.turns("single", ("direct", "haproxy", "weir"), self.single, 4 * self.options.rounds)
        if re.search(self.options.only, "metadata"):
            self.load("direct", "create", TOPICS, "-t", "storm")
            time.sleep(4)
        self.turns("metadata", ("direct", "weir"), self.metadata)
        if recorder:
            recorder.send_signal(2)
            recorder.wait()
        self.all_limits()
        self.all_neighbours()
        self.all_tenants()

    def record(self):
        if not self.options.perf:
            return None
        argv = ["perf", "record", "-q", "-g", "-F", "997", "-p", str(self.weir.process.pid)]
        return subprocess.Popen(argv + ["-o", self.options.perf])

    def stop(self):
        for thing in (self.weir, self.haproxy, *self.with_tenants.values(),
                      *self.with_limits.values()):  # fmt: skip
            if thing.process:
                thing.stop()
        self.cluster.stop()


ROWS = (
    ("bulk_produce", "CPU s/GB produced (1 KB records, 1 MB batches)", "{:.3f}", True),
    ("bulk_consume", "CPU s/GB consumed", "{:.3f}", True),
    ("small", "CPU us/request (100-byte records, one a request)", "{:.1f}", True),
    ("single", "CPU us/request, one in flight", "{:.1f}", True),
    ("single_p50", "p50 us, one record, one in flight", "{:.0f}", "added"),
    ("single_p99", "p99 us", "{:.0f}", "added"),
    ("idle", f"KiB/idle connection ({IDLE})", "{:.2f}", True),
    ("idle_plain", f"KiB/idle connection ({IDLE_MANY}; goal 16)", "{:.2f}", False),
    ("idle_tls", f"KiB/idle TLS connection ({IDLE_MANY}; goal 64)", "{:.2f}", False),
    ("start_rss", "MiB RSS at start", "{:.1f}", True),
    ("bulk_produce_rate", "MB/s produced", "{:.0f}", False),
    ("bulk_consume_rate", "MB/s consumed", "{:.0f}", False),
    ("small_rate", "requests/s, small", "{:.0f}", False),
    ("storm_cpu", f"brokers' CPU s: {CLIENTS} clients ask for {TOPICS} topics", "{:.2f}", False),
    ("storm_asked", "Metadata requests at the brokers", "{:.0f}", False),
    ("storm_p99", "p99 ms of that", "{:.0f}", False),
)

TENANTS_ROWS = (
    ("tenants_single", "p50 us of a Produce, one in flight", "{:.0f}"),
    ("tenants_small", "CPU us/Produce (100-byte records, one a request)", "{:.1f}"),
    ("tenants_topics", "p50 us of Metadata of all topics", "{:.0f}"),
    ("tenants_topics_cpu", "CPU us of it", "{:.0f}"),
    ("tenants_topics_bytes", "KiB of it", "{:.1f}"),
    ("tenants_groups", "p50 us of ListGroups", "{:.0f}"),
    ("tenants_groups_cpu", "CPU us of it", "{:.0f}"),
    ("tenants_groups_bytes", "KiB of it", "{:.1f}"),
    ("tenants_rss", "MiB RSS at start", "{:.1f}"),
    ("tenants_rss_end", "MiB RSS after all that", "{:.1f}"),
    ("tenants_start", "ms from start to ready", "{:.0f}"),
    ("tenants_reload", "ms of a reload", "{:.1f}"),
)


def ratio(kind, medians, way):
    """To HAProxy's; of latencies, what was added to direct's."""
    base = medians.get("haproxy")
    value = medians.get(way)
    if not kind or base is None or value is None:
        return None
    if kind == "added":
        direct = medians["direct"]
        base, value = base - direct, value - direct
    return value / base if base > 0 else None


def show(figures, everything):
    head = f"{'':54}" + "".join(f"{w:>10}{'':8}" for w in WAYS)
    print("\n" + head.rstrip())
    over = []
    for measure, text, form, kind in ROWS:
        if not set(WAYS).intersection(figures.get(measure, {})):
            continue
        medians = {w: statistics.median(v) for w, v in figures[measure].items()}
        line = f"{text:54}"
        for way in WAYS:
            r = ratio(kind, medians, way) if way.startswith("weir") else None
            shown = form.format(medians[way]) if way in medians else ""
            line += f"{shown:>10}" + (f" x{r:<6.2f}" if r is not None else " " * 8)
            if r is not None and r > GOAL:
                over.append(f"{text} ({way}): x{r:.2f}")
        print(line.rstrip())
        if everything:
            show_each(figures[measure], WAYS, form)
    return over


def show_each(values, ways, form):
    for way in ways:
        print(f"{'':10}{way:10}" + " ".join(form.format(v) for v in values.get(way, [])))


def show_tenants(figures, everything):
    if "tenants_rss" not in figures:
        return
    head = f"{TENANTS} tenants, {TENANTS * TEAM_TOPICS} topics, {TENANTS * TEAM_GROUPS} groups"
    print(f"\n{head:54}" + "".join(f"{w:>10}{'':8}" for w in (*TENANTS_WAYS, "added")).rstrip())
    for measure, text, form in TENANTS_ROWS:
        if measure not in figures:
            continue
        none, tenant = (statistics.median(figures[measure][w]) for w in TENANTS_WAYS)
        line = "".join(f"{form.format(v):>10}{'':8}" for v in (none, tenant, tenant - none))
        print(f"{text:54}{line}".rstrip())
        if everything:
            show_each(figures[measure], TENANTS_WAYS, form)


def show_limits(figures, everything):
    if "limited" not in figures.get("small", {}):
        return
    head = f"{'all limits on, none reached':54}"
    print("\n" + head + "".join(f"{w:>10}{'':8}" for w in (*LIMITS_WAYS, "ratio")).rstrip())
    for measure, text, form, _ in ROWS:
        values = figures.get(measure, {})
        if "limited" not in values:
            continue
        off, on = (statistics.median(values[w]) for w in LIMITS_WAYS)
        line = "".join(f"{form.format(v):>10}{'':8}" for v in (off, on))
        print(f"{text:54}{line}{on / off:>10.3f}")
        if everything:
            show_each(values, LIMITS_WAYS, form)


def show_neighbours(figures, everything):
    if "neighbour_p99" not in figures:
        return
    head = "a tenant beside one that presses its limit"
    print(f"\n{head:54}" + "".join(f"{w:>10}{'':8}" for w in (*NEIGHBOUR_WAYS, "ratio")).rstrip())
    for what in ("p50", "p99"):
        values = figures["neighbour_" + what]
        alone, beside = (statistics.median(values[w]) for w in NEIGHBOUR_WAYS)
        line = f"{alone:>10.0f}{'':8}{beside:>10.0f}{'':8}{beside / alone:>10.3f}"
        print(f"{what + ' us of a Produce, one in flight':54}{line}")
        if everything:
            show_each(values, NEIGHBOUR_WAYS, "{:.0f}")


def page(url, posted=None):
    """The text there, or None when nobody answers (well)."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, posted), timeout=10) as reply:
            return reply.read().decode()
    except OSError:
        return None


def facts():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    print(
        f"bench: {os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), "
        f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}, {THREADS} threads a proxy",
        flush=True,
    )


def main():
    options = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    facts()
    begun = time.monotonic()
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    bench = Bench(options, folder)
    try:
        bench.run()
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    over = show(bench.figures, options.all)
    show_limits(bench.figures, options.all)
    show_neighbours(bench.figures, options.all)
    show_tenants(bench.figures, options.all)
    print(f"\nbench: {time.monotonic() - begun:.0f} s")
    for line in over:
        print(f"over {GOAL}: {line}")
    return 1 if over and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
