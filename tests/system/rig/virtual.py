"""Clusters as clients see them: an address, a login, and names that may be others' too."""

import contextlib
import os
import threading

from . import check
from .identity import ALL, plain
from .login import secured
from .tenants import Folder

TOOLS = "org.apache.kafka.tools."
# What brokers make for themselves.
INTERNAL = {"__consumer_offsets", "__transaction_state", "__share_group_state"}


class Virtual:
    """Stands for the Env where a workload takes one (Group, produced): the same, but here.

    number tells those of one test from one another: 1, 2; what is counted is told apart by it.
    prefix: what the tenant's names begin with on the cluster itself; None without a tenant.
    config: a Java client's properties to log in with. login: the environment for other clients.
    """

    def __init__(self, env, address, number=1, config=None, login=None, prefix=None):
        self.env, self.address, self.number, self.prefix = env, address, number, prefix
        self.config, self.login = config or {}, login or {}
        self.tenant = prefix is not None
        self.driver = env.driver
        self.folder = env.path(env.name("virtual"))
        os.makedirs(self.folder)
        self.properties = self.path("client.properties")
        with open(self.properties, "w", encoding="ascii") as f:
            f.write("".join(f"{k}={v}\n" for k, v in self.config.items()))
        os.chmod(self.properties, 0o600)

    def path(self, name):
        return os.path.join(self.folder, name)

    def _here(self, args):
        more = args.pop("config", None) or {}
        args.pop("bootstrap", None)
        return {**args, "bootstrap": self.address, "config": {**self.config, **more}}

    def begin(self, scenario, logged=True, **args):
        return self.driver.start(scenario, logged, **self._here(args))

    def client(self, scenario, seconds=120, **args):
        return self.driver.call(scenario, seconds, **self._here(args))

    def dump(self, topics):
        """All that these topics hold, as read here."""
        task = self.begin("dump", topic=topics)
        task.result()
        return check.Reads(task.log)

    def values(self, topic):
        """{(partition, offset): value} of a topic."""
        return {(p, o): v for _, p, o, v in self.dump([topic]).rows}

    def tool(self, name, *args, text="", status=0, seconds=60):
        """Runs one of Kafka's command line tools in the driver; returns what it printed."""
        args = ["--bootstrap-server", self.address, "--command-config", self.properties, *map(str, args)]
        task = self.driver.start("tool", **{"class": name}, args=args, text=text)
        task.name = f"{name} {args}"
        done = task.result(seconds)
        with open(self.path("tools.log"), "a", encoding="utf-8") as f:
            f.write(f"$ {task.name}\n{done['said']}{done['errors']}")
        assert done["status"] == status, f"{name} {args} ended with {str(done)[:1500]}"
        return done["said"]


def together(clusters, scenario, *args):
    """Runs scenario(cluster, *args) for all of them at once, and gives what each returned."""
    results, faults = {}, {}

    def run(cluster):
        try:
            results[cluster] = scenario(cluster, *args)
        except Exception as e:  # pylint: disable=broad-except
            faults[cluster] = e

    threads = [threading.Thread(target=run, args=(c,), daemon=True) for c in clusters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cluster in clusters:
        if cluster in faults:
            raise faults[cluster]
    return [results[c] for c in clusters]


def rows(said, *columns):
    """The lines of a table that a tool has printed, by these columns."""
    lines = [line.split() for line in said.splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if set(columns) <= set(line)), None)
    if at is None:
        return []
    where = [lines[at].index(c) for c in columns]
    return [[line[i] for i in where] for line in lines[at + 1 :] if len(line) > max(where)]


def physical(env):
    """The names of topics, groups and transactional ids that the cluster itself has."""
    at = Virtual(env, env.cluster.bootstrap())
    names = {t["name"] for t in env.cluster.metadata()["topics"]} - INTERNAL
    names |= {g for g, in rows(at.tool(TOOLS + "GroupsCommand", "--list"), "GROUP")}
    listed = at.tool(TOOLS + "TransactionsCommand", "list")
    return names | {t for t, in rows(listed, "TransactionalId")}


@contextlib.contextmanager
def two_tenants(env, name):
    """A weir with two tenants, each with a user that may do all; neither has anything yet. At
    the end every new name on the cluster must be one of theirs."""
    before = physical(env)
    with secured(env, name, mechanisms=["PLAIN"]) as (node, ids):
        folder = Folder(os.path.join(ids.folder, "tenants"))
        node.config["tenants_dir"] = folder.path
        clusters = []
        for number, tenant in enumerate((f"{name}-blue", f"{name}-green"), 1):
            key = ids.user(tenant, ALL)
            folder.write(tenant, {"access_key": key[0]}, topics={"streams": True})
            login = {"LOGIN": "plain", "LOGIN_USER": key[0], "LOGIN_SECRET": key[1]}
            at = Virtual(env, node.address, number, plain(key), login, tenant + ".")
            clusters.append(at)
        node.write_config(node.config)
        node.start()
        yield clusters
        assert node.alive(), "weir has ended: " + node.tail()
    made = physical(env) - before
    astray = [n for n in made if not n.startswith(tuple(v.prefix for v in clusters))]
    assert not astray, f"names of no tenant: {astray}"
    for v in clusters:
        assert any(n.startswith(v.prefix) for n in made), f"nothing begins with {v.prefix}"
