"""weir itself: one node or several, and HAProxy in TCP mode in front of several."""

import json
import os
import re
import signal
import urllib.error
import urllib.request

from . import proc


class Weir:
    """One node. Flags only, or with config=DICT a file of its own."""

    count = 0

    def __init__(self, env, bootstrap=None, config=None, listen=None, advertise=None, name=None):
        Weir.count += 1
        self.name = name or f"weir{Weir.count}"
        self.binary = env.options.weir
        self.folder = env.folder
        self.host, self.port = "127.0.0.1", None
        if listen:
            host, _, port = listen.rpartition(":")
            self.host, self.port = host.strip("[]"), int(port)
        if not self.port:
            self.port = proc.free_port(self.host)
        self.admin_port = proc.free_port()
        self.log = os.path.join(self.folder, self.name + ".log")
        self.argv = [self.binary, "run"]
        self.config_file = None
        if config is not None:
            self.config_file = os.path.join(self.folder, self.name + ".json")
            self.write_config(config)
            self.argv += ["-c", self.config_file]
        else:
            shown = f"[{self.host}]" if ":" in self.host else self.host
            self.argv += ["--bootstrap", bootstrap or env.cluster.bootstrap()]
            self.argv += ["--listen", f"{shown}:{self.port}"]
            self.argv += ["--admin", f"127.0.0.1:{self.admin_port}"]
            if advertise:
                self.argv += ["--advertise", advertise]
        self.process = None
        self.environment = None

    def write_config(self, config):
        with open(self.config_file, "w", encoding="utf-8") as f:
            json.dump(config, f, indent=2)

    @property
    def address(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self, ready=True, seconds=20):
        if not os.access(self.binary, os.X_OK):
            raise RuntimeError(f"no weir at {self.binary}: run make")
        self.process = proc.Process(self.name, self.argv, self.log, self.environment)
        if ready:
            self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds=20):
        def check():
            if not self.process.alive():
                raise RuntimeError(
                    f"{self.name} ended with {self.process.popen.returncode}:\n" + self.tail()
                )
            return self.get("/readyz")[0] == 200

        try:
            proc.wait_until(f"{self.name} ready", check, seconds)
        except proc.Timeout as e:
            raise proc.Timeout(f"{e}\n{self.tail()}") from None

    def get(self, path):
        """(status, text) of a page of the admin listener; status 0 when nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.admin_port}{path}"
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ""

    def status(self):
        return json.loads(self.get("/status")[1])

    def ctl(self, *words):
        """What weirctl prints of it."""
        path = os.path.join(os.path.dirname(self.binary), "weirctl")
        argv = [path, *words, "--admin", f"127.0.0.1:{self.admin_port}"]
        code, out, err = proc.run("weirctl", argv, os.path.join(self.folder, "weirctl.log"), 20)
        assert code == 0, (code, err)
        return out

    def metrics(self):
        """{'name{labels}': value}"""
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            match = re.match(r"^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$", line)
            if match:
                found[match.group(1)] = float(match.group(2))
        return found

    def metric(self, pattern):
        """The sum of all series whose name and labels match."""
        return sum(v for k, v in self.metrics().items() if re.search(pattern, k))

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def alive(self):
        return self.process is not None and self.process.alive()

    def kill(self):
        self.process.kill()

    def hang_up(self):
        self.process.signal(signal.SIGHUP)

    def stop(self, seconds=15):
        return self.process.stop(seconds) if self.process else None

    def tail(self, lines=15):
        """The end of its log, or what a sanitizer has found."""
        if not self.process:
            return ""
        log = self.process.tail(10000)
        found = re.search(r"==\d+==ERROR: |runtime error: ", log)
        if found:
            return "\n".join(log[found.start() :].splitlines()[:lines])
        return "\n".join(log.splitlines()[-lines:])


HAPROXY = """
global
    maxconn 4000
defaults
    mode tcp
    timeout connect 1s
    timeout client 10m
    timeout server 10m
    option redispatch
    retries 3
frontend kafka
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance roundrobin
    default-server check inter 200ms fall 1 rise 1 on-marked-down shutdown-sessions
{servers}
"""


class HAProxy:
    """One TCP address for several nodes; a node's admin page tells whether it is well."""

    def __init__(self, env, port, nodes):
        self.port = port
        config = os.path.join(env.folder, "haproxy.cfg")
        servers = "".join(
            f"    server node{i} {n.host}:{n.port}\n" for i, n in enumerate(nodes)
        )
        with open(config, "w", encoding="ascii") as f:
            f.write(HAPROXY.format(port=port, servers=servers))
        self.argv = ["haproxy", "-db", "-f", config]
        self.log = os.path.join(env.folder, "haproxy.log")
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        self.process = proc.Process("haproxy", self.argv, self.log, env={"PATH": path})
        proc.wait_until(
            "haproxy listens", lambda: proc.can_connect("127.0.0.1", self.port), 10
        )
        return self

    def stop(self):
        if self.process:
            self.process.kill()


class Fleet:
    """Two nodes which advertise one HAProxy."""

    def __init__(self, env, nodes=2):
        port = proc.free_port()
        self.nodes = [
            Weir(env, advertise=f"127.0.0.1:{port}", name=f"fleet{i + 1}") for i in range(nodes)
        ]
        self.haproxy = HAProxy(env, port, self.nodes)

    @property
    def address(self):
        return self.haproxy.address

    def __enter__(self):
        for node in self.nodes:
            node.start()
        self.haproxy.start()
        return self

    def __exit__(self, *exc):
        self.haproxy.stop()
        for node in self.nodes:
            node.stop(2)
