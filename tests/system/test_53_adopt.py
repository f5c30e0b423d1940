"""Moving in: a tenant takes over topics and groups that were on the cluster before it was, as
`weirctl adopt plan` has said."""

import json
import os

from rig import proc, schema, wire
from rig.check import Reads
from rig.env import only
from rig.identity import ALL, document, plain, statement
from rig.login import Raw, audited, secured, told
from rig.workload import produced

RECORDS, READ = 600, 200
KNOWN = schema.load().apis


def anywhere(kind, name="*"):
    """Of whichever tenant's cluster."""
    return f"arn:aws:kafka:*:*:{kind}/*/*/{name}"


class Moving:
    """A node with a folder of tenants, in front of a cluster where things are already."""

    def __init__(self, env, node, ids, name):
        self.env, self.node, self.ids = env, node, ids
        self.base = env.name(name)
        self.folder = os.path.join(ids.folder, "tenants")
        os.makedirs(self.folder)
        node.config["tenants_dir"] = self.folder
        node.write_config(node.config)

    def topics(self, *names):
        made = [f"{self.base}.{name}" for name in names]
        self.env.operator("create", topic=made, partitions=6)
        for name in made:
            self.env.known(name)
        return made

    def start(self, topic):
        """The node, when it knows the topic."""
        self.node.start()
        proc.wait_until("the topic", lambda: topic in self.rows("nobody", "--topics", topic), 30)

    def file(self, tenant):
        return os.path.join(self.folder, tenant + ".json")

    def write(self, tenant, content):
        with open(self.file(tenant) + ".new", "w", encoding="utf-8") as f:
            json.dump(content, f)
        os.rename(self.file(tenant) + ".new", self.file(tenant))
        self.loaded(tenant, lambda t: len(t["members"]) == len(content["members"]))

    def loaded(self, tenant, check):
        """Waits until the node knows it so."""

        def there():
            code, text = self.node.get(f"/tenants?id={tenant}")
            return code == 200 and check(json.loads(text)["tenants"][0])

        proc.wait_until(f"tenant {tenant} is loaded", there, 10)

    def ctl(self, tenant, *args):
        return self.ids.ctl(
            "adopt", "plan", "-c", self.node.config_file, "--tenant", tenant, *args
        )

    def plan(self, tenant, *args):
        return json.loads(self.ctl(tenant, "--json", *args))

    def rows(self, tenant, *args):
        """{name on the cluster: (name for the tenant, state, why)}"""
        rows = self.plan(tenant, *args)["rows"]
        return {r["name"]: (r["as"], r["state"], r["why"]) for r in rows}

    def member(self, user):
        return {"principal": f"arn:aws:iam::000000000000:user/{user}"}


class Seen(Raw):
    """What one client is shown, over one connection."""

    def __init__(self, node, key):
        super().__init__(node)
        assert self.handshake("PLAIN")[0] == 0
        error, text, _, _ = self.plain(key)
        assert error == 0, text

    def ask(self, name, version, value):
        self.sock.sendall(KNOWN[name].ask(version, value, 1))
        return KNOWN[name].answer(version, wire.read_frame(self.sock))

    def topics(self):
        return {t["name"] for t in self.metadata()["topics"]}

    def groups(self):
        return {g["group_id"] for g in self.ask("list_groups", 4, {"states_filter": []})["groups"]}


def adopted(rows, *states):
    return {row[0] for row in rows.values() if row[1] in states}


def read_some(env, group, topic):
    """A group at the cluster itself that stops half way, with its offsets committed."""
    task = env.begin(
        "consume", env.cluster.bootstrap(), group=group, topic=[topic], count=READ,
        config={"max.poll.records": "50"},
    )  # fmt: skip
    task.result()
    return Reads(task.log).by_place


@only(through_weir=True)
def test_a_group_goes_on(env):
    with secured(env, "moving-in") as (node, ids):
        m = Moving(env, node, ids, "legacy")
        key = ids.user("alice", ALL)
        orders, events, other = *m.topics("orders", "events"), env.topic("elsewhere")
        group = m.base + ".readers"
        produced(env, [orders], "before", bootstrap=env.cluster.bootstrap(), count=RECORDS)
        before = read_some(env, group, orders)
        assert READ <= len(before) < RECORDS, len(before)
        m.start(events)

        # Nothing is written, and the plan is told.
        patterns = ["--topics", m.base + ".*", "--as", "old-*"]
        text = m.ctl("moved", *patterns)
        for line in (orders, "old-orders", "tenant moved has no file yet", f'"{m.base}.*"'):
            assert line in text, text
        assert other not in text and not os.path.exists(m.file("moved"))

        # A file that lets nobody in until its members are filled in.
        text = m.ctl("moved", *patterns, "--write")
        assert "lets nobody in until" in text, text
        m.loaded("moved", lambda t: t["adopted"]["topics"] == 1)
        with Raw(node) as c:
            assert c.handshake("PLAIN")[0] == 0 and c.plain(key)[0] != 0
        with open(m.file("moved"), encoding="utf-8") as f:
            content = json.load(f)
        m.write("moved", {**content, "members": [m.member("alice")]})

        # Who is connected meanwhile sees what the plan says, without connecting anew.
        with Seen(node, key) as c:
            topics = m.rows("moved", "--topics", "*")
            assert c.topics() == adopted(topics, "seen") == {"old-orders", "old-events"}
            assert c.groups() == set()
            groups = m.rows("moved", "--groups", m.base + ".*", "--as", "old-*", "--write")
            assert groups == {group: ("old-readers", "adopt", "")}
            m.loaded("moved", lambda t: t["adopted"]["groups"] == 1)
            proc.wait_until("the group", lambda: c.groups() == {"old-readers"}, 10)
            assert m.rows("moved", "--groups", "*")[group] == (
                "old-readers", "seen", "it has it already",
            )  # fmt: skip
            assert told(node, event="adopt")["detail"] == "tenant moved"

        # The group goes on where it was, under the tenant's names.
        config = plain(key)
        task = env.begin(
            "consume", node.address, group="old-readers", topic=["old-orders"],
            count=RECORDS - len(before), config=config,
        )  # fmt: skip
        task.result()
        after = {(orders, p, o) for _, p, o in Reads(task.log).by_place}
        assert not after & set(before), "read again what was committed"
        assert len(after) + len(before) == RECORDS

        # What it writes stands in the old topic.
        produced(env, ["old-orders"], "after", bootstrap=node.address, count=100, config=config)
        values = [v for _, _, _, v in env.dump([orders]).rows]
        assert sum(v.split("/")[2] == "after" for v in values) == 100, len(values)
        assert len(values) == RECORDS + 100


@only(through_weir=True)
def test_two_that_read_one(env):
    read = document(
        statement(["Connect", "DescribeCluster", "WriteDataIdempotently"], ["*"]),
        statement(["DescribeTopic", "ReadData"], [anywhere("topic")]),
        statement(["DescribeGroup", "AlterGroup"], [anywhere("group")]),
    )
    with secured(env, "moving-two") as (node, ids):
        m = Moving(env, node, ids, "common")
        keys = {name: ids.user(name, read) for name in ("ann", "ben")}
        (prices,) = m.topics("prices")
        produced(env, [prices], bootstrap=env.cluster.bootstrap(), count=100)
        m.start(prices)
        for tenant, user in (("first", "ann"), ("second", "ben")):
            m.write(tenant, {"members": [m.member(user)]})
            rows = m.rows(tenant, "--topics", prices, "--write")
            m.loaded(tenant, lambda t: t["adopted"]["topics"] == 1)
        assert rows == {prices: (prices, "adopt", "tenant first has adopted it, too")}
        held = env.dump([prices]).by_place
        for key in keys.values():
            with Seen(node, key) as c:
                assert c.topics() == {prices}, c.topics()
            task = env.begin("dump", node.address, topic=[prices], config=plain(key))
            task.result()
            assert Reads(task.log).by_place == held
            refused = env.client(
                "produce", bootstrap=node.address, topic=[prices], producer="java", count=1,
                config=plain(key),
            )  # fmt: skip
            assert refused["acked"] == 0, refused
            assert "TopicAuthorizationException" in refused["error"], refused


@only(through_weir=True)
def test_a_shared_tenant(env):
    """Names are as they are; policies say which, and prefixed tenants' are not among them."""
    with secured(env, "moving-shared") as (node, ids):
        m = Moving(env, node, ids, "open")
        mine, yours = m.topics("mine", "yours")
        mine_only = document(
            statement(["Connect", "DescribeCluster"], ["*"]),
            statement(["DescribeTopic", "ReadData"], [anywhere("topic", mine)]),
        )
        narrow, wide = ids.user("cleo", mine_only), ids.user("dan", ALL)
        maker = ids.user("eve", ALL)
        m.start(yours)
        m.write("shared", {"namespace": "shared", "members": [m.member("cleo"), m.member("dan")]})
        m.write("owner", {"members": [m.member("eve")]})
        env.client("create", bootstrap=node.address, topic=["secret"], partitions=1, config=plain(maker))
        env.known("owner.secret")
        with Seen(node, wide) as c:
            proc.wait_until("its topics", lambda: {mine, yours} <= c.topics(), 10)
            assert not any("secret" in t for t in c.topics())
        with Seen(node, narrow) as c:
            assert c.topics() == {mine}, c.topics()
        with Seen(node, maker) as c:
            proc.wait_until("its own topic", lambda: c.topics() == {"secret"}, 10)
        rows = m.rows("shared", "--topics", "*", "--write")
        assert rows[yours] == (yours, "seen", "as far as its policies let it")
        assert rows["owner.secret"][1:] == ("blocked", "it belongs to the prefixed tenant owner")
        assert not audited(node, event="adopt"), "there was nothing to write"
