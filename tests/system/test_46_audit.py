"""The audit in a topic of the cluster: nothing is missing there, and nothing secret is anywhere."""

import json

from rig import proc
from rig.env import only
from rig.identity import ALL, document, scram, statement
from rig.issuer import Issuer
from rig.login import Raw, audited, reload, secured, serves
from test_41_signers import NAMES, msk_iam, temporary
from test_42_iam import sign_in

LINES = 10


def in_topic(env, topic):
    return [value for _, _, _, value in env.dump([topic]).rows]


def in_file(node):
    with open(node.audit, encoding="utf-8") as f:
        return f.read().splitlines()


def refusals(node, key, words):
    """Logins that fail, each with a name of its own, so that each has a line."""
    for i in range(LINES):
        with Raw(node) as c:
            c.handshake("PLAIN")
            c.plain((f"{words}-{i}", "canary-of-a-stranger"))
    with Raw(node) as c:
        c.handshake("PLAIN")
        c.plain((key[0], "canary-wrong-secret"))


@only(through_weir=True)
def test_topic_and_secrets(env):
    topic = env.topic("audit", partitions=3)
    issuer = Issuer(env, "issuer-audit")
    issuer.key("first", "ES256")
    limits = {"login_failures_max": 1000}
    with secured(
        env, "audit", hosts=NAMES, log={"level": "debug"}, limits=limits,
        jwt=issuer.config(jwks_file=issuer.write_jwks()),
    ) as (node, ids):  # fmt: skip
        node.config["auth"]["audit"]["topic"] = topic
        node.write_config(node.config)
        key = ids.user("alice", ALL)
        ids.add("roles", "app", ALL)
        ids.add("subjects", "boss", document(statement(["Connect"], ["*"])))
        session = temporary(ids, "app")
        token, bad = issuer.token("boss"), issuer.token("boss", aud="canary")
        node.start()
        serves(env, node, scram(key), "audited", count=60)
        serves(env, node, msk_iam(env, session), "audited", count=60)
        with Raw(node) as c:
            c.handshake("PLAIN")
            assert c.plain(key)[0] == 0
        with Raw(node) as c:
            assert c.bearer(token)[0] == 0
            assert c.topic_error(topic) != 0
        with Raw(node) as c:
            c.bearer(bad)
            c.authenticate(b"\1")
        for form in ("aws_msk_iam", "oauthbearer"):
            for who in (key, session):
                with Raw(node) as c:
                    assert sign_in(ids, c, who, "localhost", form)[0] == 0
        with Raw(node) as c:
            c.handshake("AWS_MSK_IAM")
            c.authenticate(b'{"version":"2020_10_22","x-amz-security-token":"canary-in-bad-json"')
        refusals(node, key, "before")

        victim = env.cluster.leader(topic)
        victim.kill()
        try:
            refusals(node, key, "during")
        finally:
            victim.start()
        env.cluster.wait_whole()
        refusals(node, key, "after")
        reload(node)
        proc.wait_until("the reload's line", lambda: audited(node, event="reload"), 10)

        def missing():
            there = set(in_topic(env, topic))
            return [line for line in in_file(node) if line not in there]

        proc.wait_until("all lines are in the topic", lambda: not missing(), 90, 0.3)
        lines = in_topic(env, topic)
        for when in ("before", "during", "after"):
            names = {json.loads(line).get("claimed") for line in lines}
            assert {f"{when}-{i}" for i in range(LINES)} <= names, when
        assert not audited(node, event="audit", outcome="lost")
        mechanisms = {r.get("mechanism") for r in audited(node, outcome="allowed")}
        assert mechanisms == {
            "AWS_MSK_IAM", "OAUTHBEARER", "PLAIN", "SCRAM-SHA-512"
        }, mechanisms  # fmt: skip
        pages = "".join(node.get(p)[1] for p in ("/status", "/metrics"))
    with open(ids.master, encoding="ascii") as f:
        master = f.read().strip()
    secrets = {
        "a secret": key[1], "a temporary secret": session[1], "a session token": session[2],
        "a JWT": token, "a JWT's signature": token.split(".")[2], "a refused JWT": bad,
        "a wrong password": "canary-wrong-secret", "a stranger's": "canary-of-a-stranger",
        "bad JSON": "canary-in-bad-json", "the master key": master,
    }  # fmt: skip
    with open(node.audit, encoding="utf-8") as f:
        places = {
            "log": node.logged, "audit": f.read(), "topic": "\n".join(lines), "pages": pages
        }  # fmt: skip
    found = [f"{s} in the {p}" for s, v in secrets.items() for p, t in places.items() if v in t]
    assert not found, found
    return f"{len(lines)} lines"
