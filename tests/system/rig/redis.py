"""Redis: one server, a master with replicas and Sentinels, a Cluster; and weir's client of one,
line by line (clients/redis_driver.c)."""

import json
import os
import signal
import subprocess
import threading

from . import proc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class Server:
    """A redis-server of its own folder, on loopback, without a disk's care."""

    made = 0

    def __init__(self, env, conf="", port=None, tls=None, sentinel=False):
        """tls: (CA file, certificate, key); then there is no plain port."""
        Server.made += 1
        self.name = f"redis{Server.made}"
        self.folder = env.path(self.name)
        os.makedirs(self.folder)
        self.host, self.port = "127.0.0.1", port or proc.free_port()
        self.path = os.path.join(self.folder, "s")
        self.tls, self.sentinel, self.password = tls, sentinel, None
        self.conf = os.path.join(self.folder, "redis.conf")
        self.log = os.path.join(env.folder, self.name + ".log")
        lines = ["bind 127.0.0.1 ::1", f"dir {self.folder}", "daemonize no", "protected-mode no"]
        if tls:
            ca, crt, key = tls
            lines += [
                "port 0", f"tls-port {self.port}", f"tls-ca-cert-file {ca}",
                f"tls-cert-file {crt}", f"tls-key-file {key}", "tls-replication yes",
            ]  # fmt: skip
        else:
            lines.append(f"port {self.port}")
        if not sentinel:
            lines += ['save ""', "appendonly no", f"unixsocket {self.path}"]
            lines += ["repl-diskless-sync-delay 0", "repl-ping-replica-period 1"]
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n" + conf + "\n")
        self.process = None
        self.environment = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self, ready=True):
        argv = ["redis-server", self.conf] + (["--sentinel"] if self.sentinel else [])
        self.process = proc.Process(self.name, argv, self.log, self.environment)
        if ready:
            proc.wait_until(f"{self.name} to answer", self.answers, pause=0.02)
        return self

    def argv(self, *words):
        argv = ["redis-cli", "-h", self.host, "-p", str(self.port)]
        if self.tls:
            ca, crt, key = self.tls
            argv += ["--tls", "--cacert", ca, "--cert", crt, "--key", key]
        if self.password:
            argv += ["--no-auth-warning", "-a", self.password]
        return argv + [str(w) for w in words]

    def cli(self, *words):
        """What redis-cli says; it does not say which of them are errors."""
        done = subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip()

    def answers(self):
        return "PONG" in self.cli("PING")

    def info(self, field):
        for line in self.cli("INFO").splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1].strip()
        return None

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()

    def pause(self):
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)


class Sentinels:
    """A master named weir, replicas of it, and Sentinels that agree within a second or two."""

    def __init__(self, env, replicas=1, sentinels=3, password=None, tls=None):
        self.servers = [Server(env, tls=tls).start()]
        first = self.servers[0]
        for _ in range(replicas):
            self.servers.append(Server(env, f"replicaof {first.host} {first.port}", tls=tls).start())
        for replica in self.servers[1:]:
            proc.wait_until(
                f"{replica.name} to follow", lambda r=replica: r.info("master_link_status") == "up"
            )
        quorum = sentinels // 2 + 1
        conf = [
            f"sentinel monitor weir {first.host} {first.port} {quorum}",
            "sentinel down-after-milliseconds weir 1000",
            "sentinel failover-timeout weir 2000",
        ]
        if password:
            conf += [f'requirepass "{password}"', f'sentinel sentinel-pass "{password}"']
        self.sentinels = []
        for _ in range(sentinels):
            sentinel = Server(env, "\n".join(conf), sentinel=True, tls=tls)
            sentinel.password = password
            self.sentinels.append(sentinel.start())
        for sentinel in self.sentinels:
            proc.wait_until(
                "Sentinels to know all", lambda s=sentinel: self.knows_all(s, replicas, sentinels)
            )

    @staticmethod
    def knows_all(sentinel, replicas, sentinels):
        words = sentinel.cli("SENTINEL", "MASTER", "weir").splitlines()
        known = dict(zip(words[::2], words[1::2]))
        return (known.get("num-slaves"), known.get("num-other-sentinels")) == (
            str(replicas),
            str(sentinels - 1),
        )

    @property
    def addresses(self):
        return [s.address for s in self.sentinels]

    def master(self):
        """The server that says it is one, if it is alone in that."""
        masters = [s for s in self.servers if s.process.alive() and s.info("role") == "master"]
        return masters[0] if len(masters) == 1 else None

    def kill_all(self):
        for server in self.sentinels + self.servers:
            server.kill()


class Cluster:
    """Masters without replicas; a lost one takes its own keys along only."""

    def __init__(self, env, masters=3, tls=None):
        conf = (
            "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 1000\n"
            "cluster-require-full-coverage no\ncluster-port "
        )
        if tls:
            conf = "tls-cluster yes\n" + conf
        self.nodes = [
            Server(env, conf + str(proc.free_port()), tls=tls).start() for _ in range(masters)
        ]
        create = ["--cluster", "create", *self.addresses, "--cluster-yes"]
        status, out, err = proc.run(
            "redis-cli --cluster create", self.nodes[0].argv(*create), self.nodes[0].log
        )
        if status != 0:
            raise RuntimeError(f"redis-cli --cluster create: {out}{err}")
        for node in self.nodes:
            proc.wait_until("the Cluster to be whole", lambda n=node: self.is_whole(n))

    def is_whole(self, node):
        info = node.cli("CLUSTER", "INFO")
        known = f"cluster_known_nodes:{len(self.nodes)}"
        return "cluster_state:ok" in info and "slots_ok:16384" in info and known in info

    @property
    def addresses(self):
        return [n.address for n in self.nodes]

    def node_of(self, key):
        """(node, slot) as the Cluster itself has it."""
        slot = int(self.nodes[0].cli("CLUSTER", "KEYSLOT", key))
        for node in self.nodes:
            for line in node.cli("CLUSTER", "NODES").splitlines():
                if "myself" not in line:
                    continue
                for part in line.split()[8:]:
                    ends = part.split("-")
                    if "[" not in part and int(ends[0]) <= slot <= int(ends[-1]):
                        return node, slot
        raise RuntimeError(f"nobody has slot {slot}")

    def keys(self):
        """A key of each node, in the order of nodes."""
        found, n = {}, 0
        while len(found) < len(self.nodes):
            key = f"weir:{{tenant{n}}}:x"
            found.setdefault(self.node_of(key)[0].name, key)
            n += 1
        return [found[node.name] for node in self.nodes]

    def id_of(self, node):
        return node.cli("CLUSTER", "MYID")

    def kill_all(self):
        for node in self.nodes:
            node.kill()


class Client:
    """weir's client of a deployment, on the configuration that an operator would write."""

    made = 0
    flavour = os.environ.get("REDIS_DRIVER", "obj")  # or asan, when that was made

    def __init__(self, env, **redis):
        Client.made += 1
        binary = os.path.join(ROOT, "build", Client.flavour, "system", "redis_driver")
        config = {
            "cluster": {"bootstrap": "127.0.0.1:1"},
            "listeners": [{"address": "127.0.0.1:0"}],
            "quota": {"store": "redis", "redis": {"timeout_ms": 2000, **redis}},
        }
        path = env.path(f"redis-client{Client.made}.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.ids, self.told, self.other = 0, {}, []
        self.wake = threading.Condition()
        self.log = path[:-5] + ".log"
        self.process = proc.Process(
            f"redis client {Client.made}", [binary, path], self.log,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for raw in self.process.popen.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            with self.wake:
                if line.startswith("told "):
                    _, number, rest = line.split(" ", 2)
                    self.told.setdefault(int(number), []).append(rest)
                elif line != "changed":
                    self.other.append(line)
                self.wake.notify_all()

    def _say(self, line):
        self.process.popen.stdin.write((line + "\n").encode())
        self.process.popen.stdin.flush()

    def _wait(self, what, check):
        with self.wake:
            if not self.wake.wait_for(check, 30):
                raise proc.Timeout(f"{what}: not within 30 s; {self.process.tail(5)}")

    def begin(self, verb, *words):
        """Starts a call; the number is for end()."""
        return self.begin_many(1, verb, *words)[0]

    def begin_many(self, count, verb, *words):
        """So many of that call at once; their numbers."""
        numbers = range(self.ids + 1, self.ids + count + 1)
        self.ids += count
        self._say("\n".join(" ".join([verb, str(n), *map(str, words)]) for n in numbers))
        return numbers

    def end(self, number):
        """(outcome, text) of it."""
        self._wait("an answer", lambda: number in self.told)
        assert len(self.told[number]) == 1, self.told[number]
        text = self.told[number][0]
        for outcome in ("answered", "refused", "timed out", "lost", "down", "freed"):
            if text.startswith(outcome + " "):
                return outcome, text[len(outcome) + 1 :]
        raise RuntimeError(text)

    def call(self, key, *words):
        return self.end(self.begin("call", key, *words))

    def count(self, key):
        return self.end(self.begin("count", key))

    def succeeds(self, key):
        """Waits until a count of that key is answered; the number."""

        def attempt():
            outcome, text = self.count(key)
            return text if outcome == "answered" else None

        return int(proc.wait_until(f"an answer about {key}", attempt, pause=0.02))

    def state(self):
        """[(address, up, error)]"""
        with self.wake:
            self.other = []
        self._say("state")
        self._wait("the state", lambda: "end" in self.other)
        shards = [line.split(" ", 3)[1:] for line in self.other if line.startswith("shard ")]
        return [(address, up == "up", error) for address, up, error in shards]

    def counters(self):
        with self.wake:
            self.other = []
        self._say("counters")
        self._wait("the counters", lambda: any(o.startswith("counters") for o in self.other))
        line = next(o for o in self.other if o.startswith("counters"))
        return {k: int(v) for k, v in (word.split("=") for word in line.split()[1:])}

    def is_up(self):
        return all(up for _, up, _ in self.state())

    def until_up(self):
        proc.wait_until("all shards up", self.is_up, pause=0.02)
        return self

    def until_down(self, text=""):
        """Waits until a shard is down for a reason with that text."""
        proc.wait_until(
            f"a shard down: {text}",
            lambda: any(not up and text in error for _, up, error in self.state()), pause=0.02,
        )  # fmt: skip

    def finish(self):
        """It ends with its input; nothing may be left untold, no sanitizer may complain."""
        self.process.popen.stdin.close()
        status = self.process.wait(20)
        assert status == 0, f"the client has ended with {status}: {self.process.tail(5)}"
        untold = [n for n in range(1, self.ids + 1) if len(self.told.get(n, [])) != 1]
        assert not untold, f"calls that were not told once: {untold}"
