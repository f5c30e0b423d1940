"""Limits of scopes narrower than a tenant, and what principals get of a tenant's."""

import contextlib
import json
import time

from rig import proc
from rig.env import only
from rig.identity import ALL
from rig.login import secured
from rig.press import SIZE, Presser, acked, release

MB = 1000000


@contextlib.contextmanager
def node_for(env, name, limits, **quota):
    """A node, and the keys of alice and of bob."""
    with secured(env, name, mechanisms=["PLAIN"]) as (node, ids):
        keys = [ids.user(who, ALL) for who in ("alice", "bob")]
        node.config["quota"] = {"limits": limits, **quota}
        node.write_config(node.config)
        yield node.start(), *keys


def shown(node, query=""):
    code, text = node.get("/limits" + query)
    assert code == 200, (code, text)
    return json.loads(text)


def arn_of(node, who):
    found = [u["principal"] for u in shown(node)["users"] if u["principal"].endswith("/" + who)]
    assert len(found) == 1, found
    return found[0]


def rows(node, principal):
    return shown(node, f"?principal={principal}")["limits"]


def share(of, clients, seconds):
    """What part of all clients' bytes these had in the next so many seconds; and all's rate."""
    since = time.monotonic()
    time.sleep(seconds)
    took, total = time.monotonic() - since, acked(clients, since)
    return acked(of, since) / max(total, 1), total / took


@only(through_weir=True)
def test_equal_shares(env):
    """Ten connections of one principal, two of another: each has half, and all have the limit."""
    limits = [{"dimension": "ingress_bytes", "value": 2 * MB}]
    with node_for(env, "shares", limits) as (node, alice, bob):
        topic = env.topic("shares", 1)
        greedy = [Presser(node, topic, key=alice) for _ in range(10)]
        modest = [Presser(node, topic, key=bob) for _ in range(2)]
        clients, since = greedy + modest, time.monotonic()
        seen = []

        def fair():
            seen.append(share(modest, clients, 5))
            part, rate = seen[-1]
            return 0.45 <= part <= 0.55 and rate >= 0.95 * 2 * MB

        proc.wait_until("each to have half", fair, 60, 0)
        took, total = time.monotonic() - since, acked(clients, since)
        assert not release(clients)
        assert total <= 1.02 * 2 * MB * took + 2 * MB + SIZE, (total, took)
    return f"{seen[-1][0]:.3f} of {seen[-1][1] / 2 / MB:.3f} of the limit"


@only(through_weir=True)
def test_scopes(env):
    """A limit of each principal, a narrower one of a client id, and what is nobody's."""
    each, batch = 500000, 200000
    limits = [
        {"dimension": "ingress_bytes", "scope": "principal", "value": each},
        {"dimension": "ingress_bytes", "scope": "client", "client_id": "batch-*", "value": batch},
    ]
    with node_for(env, "scopes", limits) as (node, alice, bob):
        topic = env.topic("scopes", 1)
        since = time.monotonic()
        by_name = {
            "alice": [Presser(node, topic, key=alice) for _ in range(4)],
            "bob": [Presser(node, topic, key=bob, client_id="batch-1") for _ in range(4)],
        }
        most = {"alice": each, "bob": batch}
        clients = [c for those in by_name.values() for c in those]
        notes = []
        for who, those in by_name.items():
            proc.wait_until(
                f"{who} to have what is {who}'s",
                lambda t=those, m=most[who]: share(t, t, 3)[1] >= 0.95 * m, 60, 0,
            )  # fmt: skip
        took = time.monotonic() - since
        for who, scope in (("alice", "principal"), ("bob", "client")):
            found = [r for r in rows(node, arn_of(node, who)) if r["scope"] == scope]
            assert len(found) == 1 and found[0]["value"] == most[who], found
            assert found[0]["held_up"]["times"] > 0, found
            said = node.ctl("explain", "--principal", arn_of(node, who))
            assert f"ingress_bytes of the {scope}" in said, said
            assert f"{most[who]} bytes a second" in said, said
        assert not release(clients)
        for who, those in by_name.items():
            total = acked(those, since, since + took)
            assert total <= 1.02 * most[who] * took + most[who] + 4 * SIZE, (who, total, took)
            notes.append(f"{who} {total / took / most[who]:.3f}")
    return "of their limits: " + ", ".join(notes)
