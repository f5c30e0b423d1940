"""weir in front of weir: it logs in at brokers with a signature, or with a token that it renews."""

import contextlib

from rig import check, proc
from rig.env import only
from rig.identity import ALL
from rig.issuer import Issuer
from rig.login import audited, secured, told
from rig.weir import Weir
from rig.workload import Group

SECRET = "of-the-second-weir/+%"
LIFE_S = 10
LIVES = 3


@contextlib.contextmanager
def second(env, name, first, sasl, secret):
    """A weir whose brokers are another one."""
    node = Weir(env, config={}, name=name)
    path = env.path(name + ".secret")
    with open(path, "w", encoding="ascii") as f:
        f.write(secret + "\n")
    node.write_config(
        {
            "cluster": {
                "bootstrap": first.address, "security": "sasl_plaintext",
                "sasl": {**sasl, "password_file": path},
            },
            "listeners": [{"name": "kafka", "address": node.address}],
            "admin": {"address": f"127.0.0.1:{node.admin_port}"},
            "log": {"level": "debug"},
        }
    )  # fmt: skip
    try:
        yield node.start()
    finally:
        node.stop(2)
        node.logged = node.tail(100000)


def begin(env, node, name):
    topic = env.topic(name)
    task = env.begin("produce", node.address, topic=[topic], producer="java", rate=200)
    return topic, task, Group(env, [topic], 1, bootstrap=node.address)


def finish(env, topic, task, group):
    """No request has failed, and all that was written is read."""
    result = task.stop().result()
    assert result["failed"] == 0, result
    log = env.dump([topic])
    check.topic_holds(log, {"java": check.Writes(task.log)})
    check.group_saw(log, group.wait_for(len(log.rows)).stop())
    return len(log.rows)


@only(through_weir=True)
def test_signed_and_by_tokens(env):
    with Issuer(env, "issuer-upstream") as issuer:
        issuer.key("first", "ES256")
        issuer.life_s = LIFE_S
        issuer.clients["weir b"] = (SECRET, "weir-b")
        url = issuer.serve()
        with secured(
            env, "first", hosts=["127.0.0.1"], session_max_ms=6000,
            jwt=issuer.config(jwks_url=url + "/jwks", jwks_ca_file=env.ca.cert),
        ) as (first, ids):  # fmt: skip
            key = ids.user("weir-b", ALL)
            ids.add("subjects", "weir-b", ALL)
            first.start()
            proc.wait_until(
                "the issuer's keys are there",
                lambda: "the issuer's keys have changed" in first.tail(1000), 15,
            )  # fmt: skip
            signs = {"mechanism": "aws_msk_iam", "username": key[0], "region": "us-east-1"}
            asks = {
                "mechanism": "oauthbearer", "username": "weir b", "token_url": url + "/token",
                "token_ca_file": env.ca.cert,
            }  # fmt: skip
            with second(env, "signs", first, signs, key[1]) as a, second(
                env, "asks", first, asks, SECRET
            ) as b:
                load = [begin(env, a, "signs"), begin(env, b, "asks")]
                wanted = LIVES + 1
                proc.wait_until(
                    "tokens for several lives",
                    lambda: issuer.asked.count("/token 200") >= wanted, 4 * LIFE_S * LIVES,
                )  # fmt: skip
                count = sum(finish(env, *one) for one in load)
                rows = [r for r in audited(first, event="login") if r["outcome"] != "allowed"]
                assert not rows, rows
                whose = {r["principal"].split(":")[-1] for r in audited(first, event="login")}
                assert whose == {"user/weir-b", "federated-user/weir-b"}, whose
                assert told(first, mechanism="AWS_MSK_IAM")["claimed"] == key[0]
                lost = [n.metric(r"^weir_legs_failed_total") for n in (a, b)]
                assert lost == [0, 0], lost
            for node in (a, b):
                assert key[1] not in node.logged and SECRET not in node.logged
        tokens = issuer.asked.count("/token 200")
    return f"{count} records, {tokens} tokens of {LIFE_S} s each"


@only(through_weir=True)
def test_wrong_secret_upstream(env):
    """Said in the log and survived; right again without a restart."""
    with Issuer(env, "issuer-wrong") as issuer:
        issuer.key("first", "ES256")
        url = issuer.serve()
        jwt = issuer.config(jwks_url=url + "/jwks", jwks_ca_file=env.ca.cert)
        with secured(env, "first-strict", mechanisms=["OAUTHBEARER"], jwt=jwt) as (first, ids):
            ids.add("subjects", "weir-b", ALL)
            first.start()
            node = Weir(env, config={}, name="wrong-upstream")
            path = env.path("wrong-upstream.secret")
            with open(path, "w", encoding="ascii") as f:
                f.write(SECRET + "\n")
            sasl = {
                "mechanism": "oauthbearer", "username": "weir b", "token_url": url + "/token",
                "token_ca_file": env.ca.cert, "password_file": path,
            }  # fmt: skip
            node.write_config(
                {
                    "cluster": {
                        "bootstrap": first.address, "security": "sasl_plaintext", "sasl": sasl,
                    },
                    "listeners": [{"name": "kafka", "address": node.address}],
                    "admin": {"address": f"127.0.0.1:{node.admin_port}"},
                }
            )  # fmt: skip
            node.start(ready=False)
            try:
                proc.wait_until("it is refused", lambda: "/token 401" in issuer.asked, 10)
                proc.wait_until("it says so", lambda: "invalid_client" in node.tail(1000), 10)
                assert node.alive() and node.get("/readyz")[0] == 503
                issuer.clients["weir b"] = (SECRET, "weir-b")
                node.wait_ready()
                assert SECRET not in node.tail(1000)
            finally:
                node.stop(2)
