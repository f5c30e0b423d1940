"""Workloads of the Java driver as tests use them: producers, groups, and their checks."""

from . import check, proc


def produced(env, topics, name="java", **args):
    """Runs a producer to its end; every record must be acknowledged."""
    task = env.begin("produce", topic=topics, producer=name, **args)
    result = task.result()
    assert result["failed"] == 0, f"refused: {result}"
    return check.Writes(task.log)


class Group:
    """Members of one group, in the driver's JVM."""

    def __init__(self, env, topics, members=2, group=None, bootstrap=None, **args):
        self.env = env
        self.name = group or env.name("group")
        self.args = dict(args, topic=topics, bootstrap=bootstrap)
        self.tasks = []
        self.places = set()
        self.read_to = {}
        for _ in range(members):
            self.join()

    def join(self, **more):
        """One more member."""
        task = self.env.begin(
            "consume",
            group=self.name,
            member=f"{self.name}-m{len(self.tasks)}",
            **{**self.args, **more},
        )
        self.tasks.append(task)
        return task

    def wait_assigned(self, seconds=60):
        for task in self.tasks:
            task.wait_event("assigned", seconds)
        return self

    def wait_all_assigned(self, partitions, seconds=60):
        """Until the only member has them all. A KIP-848 group that is made just after its topic
        may begin with none: its coordinator hears of a topic later than Metadata tells it."""
        self.tasks[0].wait_event("assigned", seconds, lambda e: len(e["partitions"]) == partitions)
        return self

    def assignments(self):
        """What the first member was given, one after the other."""
        return [e["partitions"] for e in self.tasks[0].events if e["event"] == "assigned"]

    def distinct(self):
        """How many different records have come so far."""
        for task in self.tasks:
            if task.done():
                task.result(0)
            try:
                with open(task.log, "rb") as f:
                    f.seek(self.read_to.get(task.log, 0))
                    data = f.read()
            except FileNotFoundError:
                continue
            data = data[: data.rfind(b"\n") + 1]
            self.read_to[task.log] = self.read_to.get(task.log, 0) + len(data)
            for line in data.splitlines():
                if line.startswith(b"R "):
                    self.places.add(tuple(line.split(b" ")[1:4]))
        return len(self.places)

    def wait_for(self, count, seconds=90):
        try:
            proc.wait_until(
                f"{count} records in {self.name}", lambda: self.distinct() >= count, seconds, 0.1
            )
        except proc.Timeout as e:
            raise proc.Timeout(f"{e} (there are {self.distinct()})") from None
        return self

    def stop(self):
        """Members leave; returns what they have seen."""
        for task in self.tasks:
            task.stop()
        for task in self.tasks:
            task.result(60)
        for task in self.tasks:
            check.offsets_ascend(task.log)
        return check.Reads(*(t.log for t in self.tasks))

    def longest_gap_ms(self):
        return max(t.result(0)["longest_gap_ms"] for t in self.tasks)


def round_trip(env, members=2, count=3000, producer=None, group=None, partitions=6, expect=None):
    """Produce, read in a group, compare all of it with what the cluster holds."""
    topic = env.topic(partitions=partitions)
    writes = produced(env, [topic], count=count, partitions=partitions, **(producer or {}))
    log = env.dump([topic])
    check.topic_holds(log, {"java": writes})
    assert len(log.rows) == count, f"{len(log.rows)} records of {count}"
    readers = Group(env, [topic], members, **(group or {}))
    readers.wait_for(expect or count)
    check.group_saw(log, readers.stop(), exactly_once=members == 1)
    return topic, readers


class Load:
    """Producers, transactions, copies and groups that go on while things break."""

    def __init__(self, env, bootstrap=None, config=None):
        self.env = env
        self.bootstrap = bootstrap or env.bootstrap
        self.config = config or {}
        self.topic, self.txn_topic, self.copied = (env.topic("load") for _ in range(3))
        at = {"bootstrap": self.bootstrap, "config": self.config}
        self.groups = [Group(env, [self.topic], 2, **at)]
        if not env.options.kafka.startswith("3."):
            self.groups.append(Group(env, [self.topic], 1, protocol="consumer", **at))
        self.copies = Group(env, [self.copied], 1, **at)
        for group in [*self.groups, self.copies]:
            group.wait_assigned()
        self.producers = {
            name: env.begin("produce", topic=[self.topic], producer=name, rate=200, **at)
            for name in ("p0", "p1")
        }
        self.txn = env.begin("transact", topic=[self.txn_topic], producer="txn", pause_ms=20, **at)
        self.copy = env.begin(
            "copy", **{"from": self.txn_topic}, to=self.copied, group=env.name("copy"),
            producer=env.name("copier"), **at,
        )  # fmt: skip
        self.progress("the start", 300)

    def progress(self, after, records=1000, seconds=60):
        """Each part must get on again."""
        readers = [(g, g.distinct() + records) for g in self.groups]
        readers.append((self.copies, self.copies.distinct() + records // 20))
        for group, wanted in readers:
            try:
                group.wait_for(wanted, seconds)
            except proc.Timeout as e:
                raise proc.Timeout(f"after {after}: {e}") from None

    def finish(self):
        """Ends all, waits until everything has been read, and looks for anomalies."""
        for task in [*self.producers.values(), self.txn]:
            task.stop()
        self.results = {n: t.result(90) for n, t in self.producers.items()}
        txn = self.txn.result(90)
        writers = {n: check.Writes(t.log) for n, t in self.producers.items()}
        log = self.env.dump([self.topic])
        check.topic_holds(log, writers)
        failed = {n: r for n, r in self.results.items() if r["failed"]}
        assert not failed, f"errors that clients saw: {failed}"
        for group in self.groups:
            group.wait_for(len(log.rows))
            check.group_saw(log, group.stop())
        in_txns = self.env.dump([self.txn_topic])
        check.topic_holds(in_txns, {"txn": check.Writes(self.txn.log)})
        self.copies.wait_for(len(in_txns.rows))
        self.copy.stop().result(90)
        self.copies.stop()
        copied = sorted(r[3] for r in self.env.dump([self.copied]).rows)
        if copied != sorted(r[3] for r in in_txns.rows):
            raise check.Anomalies(f"copied {len(copied)} of {len(in_txns.rows)}, not the same")
        unknown = txn["outcomes"].get("unknown", 0)
        note = f"{len(log.rows)} + {len(in_txns.rows)} records, transactions {txn['outcomes']}"
        return note + (f", {unknown} unknown" if unknown else "")

    def gap_ms(self):
        """The longest that a partition was not written to."""
        return max(r["longest_gap_ms"] for r in self.results.values())


class Pair:
    """A plain producer and reader at the cluster itself, to measure the same fault by."""

    def __init__(self, env):
        self.env, self.topic = env, env.topic("direct")
        at = {"bootstrap": env.cluster.bootstrap()}
        self.group = Group(env, [self.topic], 1, **at).wait_assigned()
        self.task = env.begin("produce", topic=[self.topic], producer="p", rate=200, **at)
        self.group.wait_for(100)

    def finish(self):
        self.task.stop()
        gap = self.task.result(90)["longest_gap_ms"]
        self.group.stop()
        return gap
