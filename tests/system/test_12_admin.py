"""The administrator's side of the Java client."""

from rig.env import only


def test_topics(env):
    texts = env.client("admin_topics", topic=env.name("admin"))["texts"]
    for text in texts:
        for what, canary in env.cluster.canaries().items():
            assert env.direct or canary.decode("latin-1") not in text, f"{what}: {text}"


def test_configs(env):
    shown = env.client("admin_configs", topic=env.name("admin"))["broker"]
    if not env.direct:
        for what, canary in env.cluster.canaries().items():
            text = canary.decode("latin-1")
            leaks = [k for k, v in shown.items() if v and text in v]
            assert not leaks, f"{what} in configs of the broker: {leaks}"


def test_groups(env):
    env.client("admin_groups", topic=env.topic("admin"), group=env.name("group"))


def test_transactions(env):
    found = env.client("admin_transactions", topic=env.topic("admin"), producer=env.name("txn"))
    if not env.direct:
        assert found["coordinator"] < 1000, f"a broker's own id: {found}"


def test_cluster(env):
    seen = env.client("admin_cluster", topic=env.topic("admin"))
    assert seen["nodes"], seen
    if env.direct:
        return
    ids = {n["id"] for n in seen["nodes"]}
    assert ids == set(range(len(ids))), f"virtual brokers are 0..V-1: {ids}"
    assert {f"{n['host']}:{n['port']}" for n in seen["nodes"]} == {env.bootstrap}, seen["nodes"]
    assert all(n["rack"] is None for n in seen["nodes"]), seen["nodes"]
    assert seen["cluster_id"] != env.cluster.id
    assert seen["controller"] in ids, seen
    for p in seen["partitions"]:
        assert {p["leader"], *p["replicas"], *p["isr"]} <= ids, p
    for dirs in seen["dirs"].values():
        assert all(env.folder not in d["dir"] for d in dirs), f"a path of a broker: {dirs}"


@only(through_weir=True)
def test_operators_calls_are_refused(env):
    topic = env.topic("admin")
    errors = env.client("admin_refused", topic=topic)
    expected = {"ClusterAuthorizationException", "UnsupportedVersionException"}
    assert set(errors.values()) <= expected, errors
