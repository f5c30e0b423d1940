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
