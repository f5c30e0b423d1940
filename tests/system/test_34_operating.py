"""What an operator does: look, check, reload, drain."""

import json
import os
import signal
import struct
import time

from rig import proc, wire
from rig.env import only
from rig.weir import Weir


def _weirctl(env, *args):
    weirctl = os.path.join(os.path.dirname(env.options.weir), "weirctl")
    return proc.run("weirctl", [weirctl, *args], env.path("weirctl.log"), 20)


@only(through_weir=True)
def test_status(env):
    at = ("--admin", f"127.0.0.1:{env.weir.admin_port}")
    code, out, err = _weirctl(env, "status", *at)
    assert code == 0 and out.strip(), err
    code, out, err = _weirctl(env, "status", "--json", *at)
    assert code == 0, err
    assert isinstance(json.loads(out), dict)


@only(through_weir=True)
def test_status_of_nobody(env):
    code, _, err = _weirctl(env, "status", "--admin", f"127.0.0.1:{proc.free_port()}")
    assert code != 0 and err.strip(), "a failure must be said"


@only(through_weir=True)
def test_metrics_are_prometheus(env):
    with wire.Connection(*env.host_port) as c:
        c.metadata([])
    status, text = env.weir.get("/metrics")
    assert status == 200
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    values = env.weir.metrics()
    assert values and all(
        any(name.startswith(n) for n in named) for name in values
    ), "a series without its type"
    for line in text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2, line
    assert env.weir.metric(r"^weir_requests_total\{.*[Mm]etadata") >= 1


@only(through_weir=True)
def test_not_ready_without_a_cluster(env):
    node = Weir(env, f"127.0.0.1:{proc.free_port()}", name="alone").start(ready=False)
    try:
        proc.wait_until("it lives", lambda: node.get("/healthz")[0] == 200, 10)
        assert node.get("/readyz")[0] == 503
    finally:
        assert node.stop() == 0, "SIGTERM ends it with 0"


@only(through_weir=True)
def test_check_names_faults(env):
    path = env.path("faulty.json")
    config = {"cluster": {"bootstrap": "127.0.0.1:9092"}, "listeners": [{"address": 7}], "x": 1}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    code, out, err = proc.run("check", [env.options.weir, "check", "-c", path], env.path("x.log"), 20)
    said = out + err
    assert code != 0 and "listeners" in said and "address" in said and "x" in said, said
    config["listeners"] = [{"address": "127.0.0.1:0"}]
    del config["x"]
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    code, out, err = proc.run("check", [env.options.weir, "check", "-c", path], env.path("x.log"), 20)
    assert code == 0, out + err


@only(through_weir=True)
def test_sigterm_lets_requests_finish(env):
    """A long poll under way gets its reply, then the connection and the process end."""
    node = Weir(env, name="drained").start()
    topic = env.topic("drain", partitions=1)
    fetch = (
        struct.pack(">iiiib", -1, 8000, 1, 1 << 20, 0)
        + struct.pack(">i", 1) + wire.string(topic) + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
    )  # fmt: skip
    with wire.Connection(node.host, node.port) as c:
        assert c.metadata([topic])["topics"][0]["error"] == 0
        c.sock.sendall(wire.request(1, 4, 77, body=fetch))
        proc.wait_until(
            "the fetch is under way", lambda: node.metric("weir_requests_in_flight") >= 1, 10
        )
        node.process.signal(signal.SIGTERM)
        assert wire.Reader(wire.read_frame(c.sock)).take("i") == 77
        assert c.sock.recv(1) == b"", "the connection goes on"
    assert node.process.wait(20) == 0
    node.stop()


@only(through_weir=True)
def test_stopped_process_goes_on(env):
    """Stopped for longer than the watchdog lets a turn take, while it is busy: no hang."""
    node = Weir(env, name="stopped").start()
    topic = env.topic("stopped")
    try:
        task = env.begin(
            "produce", node.address, topic=[topic], producer="p", rate=2000, logged=False
        )
        task.wait_event("first")
        node.process.signal(signal.SIGSTOP)
        time.sleep(8)
        node.process.signal(signal.SIGCONT)
        proc.wait_until("it serves", lambda: node.get("/readyz")[0] == 200, 10)
        time.sleep(1)
        assert task.stop().result()["failed"] == 0
        assert node.alive(), node.tail()
    finally:
        node.stop(2)
