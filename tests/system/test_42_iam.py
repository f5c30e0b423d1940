"""What keys and temporary credentials may do: principals side by side, hosts, session policies."""

import json
import os

import test_14_other_clients as clients
from rig import driver, kafka, proc
from rig.driver import ScenarioFailed
from rig.env import only
from rig.identity import ALL, arn, document, statement
from rig.login import FAILED, Raw, audited, reload, secured, serves, told
from test_41_signers import NAMES, REGION, environment, msk_iam, profile, temporary

TOPIC_DENIED = 29


def denied(env, node, config, topic):
    """A producer that may not write to the topic: Kafka's own exception, and an audit line."""
    try:
        result = env.client(
            "produce", bootstrap=node.address, topic=[topic], producer="java", count=1,
            config=config,
        )  # fmt: skip
        who = audited(node, event="login")
        raise AssertionError(f"{topic} was written to: {result} by one of {who}")
    except ScenarioFailed as e:
        assert "TopicAuthorizationException" in str(e), e
    return told(node, event="request", outcome="denied", resource=topic)


def refused(env, node, config, reason, at=None, java=None):
    try:
        (java or env.driver).call(
            "admin_topics", 60, bootstrap=at or node.address, topic=env.name("no"), config=config
        )
        raise AssertionError(f"let in, in spite of {reason}")
    except ScenarioFailed as e:
        assert "SaslAuthenticationException" in str(e), e
    return told(node, event="login", outcome="denied", reason=reason)


@only(through_weir=True)
def test_principals_in_one_jvm(env):
    """Each is who its profile says, at the same time, and may do what its policies say."""
    topics = {who: env.topic(who) for who in ("alice", "bob")}
    with secured(env, "side-by-side", hosts=NAMES) as (node, ids):
        ours = [
            statement(["Connect", "WriteDataIdempotently", "DescribeClusterDynamicConfiguration"], ["*"]),
            statement(
                ["DescribeTopic", "WriteData", "ReadData"],
                [arn("topic", "${aws:username}-*")],
            ),
            statement(["DescribeGroup", "AlterGroup"], [arn("group", "*")]),
        ]
        config = {
            who: msk_iam(env, ids.user(who, document(*ours))) for who in topics
        }
        config["root"] = msk_iam(env, ids.user("root", ALL))
        node.start()
        running = [
            env.begin(
                "produce", node.address, topic=[topics[who]], producer=who, rate=200,
                config=config[who],
            )
            for who in topics
        ]  # fmt: skip
        admin = [
            env.begin("admin_topics", node.address, topic=env.name("by-root"), config=config["root"]),
            env.begin(
                "admin_groups", node.address, topic=topics["alice"], group=env.name("by-root"),
                groups=3, config=config["root"],
            ),
        ]  # fmt: skip
        for who, other in (("alice", "bob"), ("bob", "alice")):
            row = denied(env, node, config[who], topics[other])
            assert row["principal"].endswith(f"user/{who}"), row
        for task in admin:
            task.result()
        for task in running:
            assert task.stop().result()["failed"] == 0
        serves(env, node, config["bob"], topic=env.topic("bob"))
        try:
            env.client(
                "create", bootstrap=node.address, topic=[env.name("alice")], config=config["alice"]
            )
            raise AssertionError("alice has made a topic")
        except ScenarioFailed as e:
            assert "AuthorizationException" in str(e), e
        whose = {row["principal"].split("/")[-1] for row in audited(node, event="login")}
        assert whose == {"alice", "bob", "root"}, whose


@only(through_weir=True)
def test_host(env):
    """A login that was made for another host is none here: what was overheard is of no use."""
    with secured(env, "hosts") as (node, ids):
        # On a loopback address of its own it would be known as localhost too.
        node.config["listeners"][0]["advertised"] = f"gw.example.com:{node.port}"
        node.write_config(node.config)
        key = ids.user("alice", ALL)
        node.start()
        row = refused(env, node, msk_iam(env, key), "host")
        assert "localhost" in row["detail"] and row["claimed"] == key[0], row
        assert signed(ids, node, key, "gw.example.com")[0] == 0
        assert signed(ids, node, key, "GW.Example.Com")[0] == 0
        assert signed(ids, node, key, "gw.example.com.evil.example")[0] == FAILED
        assert signed(ids, node, key, "kafka.us-east-1.amazonaws.com")[0] == FAILED
        assert signed(ids, node, key, mechanism="oauthbearer")[0] == 0
        assert signed(ids, node, key, "gw.example.com", region="eu-west-1")[0] == FAILED
        told(node, event="login", outcome="denied", reason="scope")


def signed(ids, node, key, host=None, mechanism="aws_msk_iam", region=REGION):
    """Logs in with what weirctl token prints: (error, text, bytes, lifetime in ms)."""
    with Raw(node) as c:
        return sign_in(ids, c, key, host, mechanism, region)


def sign_in(ids, c, key, host=None, mechanism="aws_msk_iam", region=REGION):
    args = ["token", "--region", region, "--mechanism", mechanism]
    args += ["--host", host] if host else []
    token = ids.ctl(*args, env=environment(key)).strip()
    if mechanism == "oauthbearer":
        return c.bearer(token)
    assert c.handshake("AWS_MSK_IAM")[0] == 0
    answer = c.authenticate(token.encode())
    if answer[0] == 0:
        said = json.loads(answer[2])
        assert set(said) == {"version", "request-id"}, said
        assert c.serves()
    return answer


@only(through_weir=True)
def test_host_of_each_virtual_broker(env):
    """{id} in the advertised host: whichever virtual broker is dialled, its host is known."""
    with secured(env, "templates", listener={"mechanisms": ["AWS_MSK_IAM"]}) as (node, ids):
        node.config["listeners"][0]["advertised"] = f"b{{id}}.gw.test:{node.port}"
        node.config["auth"]["hosts"] = ["gw.test"]
        node.write_config(node.config)
        key = ids.user("alice", ALL)
        node.start()
        for host, code in (("b0.gw.test", 0), ("b17.gw.test", 0), ("bx.gw.test", FAILED),
                           ("b.gw.test", FAILED), ("0.gw.test", FAILED), ("gw.test", 0)):  # fmt: skip
            assert signed(ids, node, key, host)[0] == code, host
        # A JVM that can look these names up.
        names = env.path("names")
        with open(names, "w", encoding="ascii") as f:
            f.write("".join(f"127.0.0.1 {h}\n" for h in ["gw.test"] + [f"b{i}.gw.test" for i in range(3)]))
        java = driver.Driver(env.path("java-names"), [f"-Djdk.net.hosts.file={names}"])
        try:
            java.aws_profile("alice", *key)
            at, topic = f"gw.test:{node.port}", env.topic("templates")
            config = {**msk_iam(env, key), "sasl.jaas.config": NAMED}
            sent = java.call("produce", bootstrap=at, topic=[topic], count=300, config=config)
            assert sent["acked"] == 300 and sent["failed"] == 0, sent
            assert java.call("dump", bootstrap=at, topic=[topic], config=config)["records"] == 300
            seen = java.call("admin_cluster", bootstrap=at, topic=topic, config=config)
            assert {n["host"] for n in seen["nodes"]} == {f"b{i}.gw.test" for i in range(3)}, seen
        finally:
            java.end()


NAMED = 'software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName="alice";'


def process_profile(env, ids, name, *args):
    """A profile which has AWS's SDKs call weirctl for temporary credentials."""
    command = [
        ids.weirctl, "credentials", "issue", *args, "--master-key-file", ids.master,
        "--identities-file", ids.file, "--policies-dir", ids.policies,
    ]  # fmt: skip
    with open(env.driver.aws_credentials, "a", encoding="ascii") as f:
        f.write(f"[{name}]\ncredential_process = {' '.join(command)}\n")
    os.chmod(env.driver.aws_credentials, 0o600)
    return name


@only(through_weir=True)
def test_credential_process(env):
    """SDKs fetch credentials of a role by themselves; a session policy takes rights away."""
    with secured(env, "process", hosts=NAMES) as (node, ids):
        ids.user("alice")
        ids.add("roles", "app", ALL)
        ends = Raw(node.start())
        short = temporary(ids, "app", "15s")
        error, _, _, lifetime = sign_in(ids, ends, short, "localhost")
        assert error == 0 and 0 < lifetime <= 15000, lifetime

        narrow = os.path.join(ids.folder, "narrow.json")
        with open(narrow, "w", encoding="utf-8") as f:
            json.dump(document(
                statement(["*"], [arn("cluster"), arn("group", "*"), arn("topic", "narrow-*"),
                                  arn("transactional-id", "*")]),
            ), f)  # fmt: skip
        # botocore gets new ones from 15 minutes before their end on, at each look at them.
        args = ["--role", "app", "--ttl", "20m", "--session", "nightly"]
        process_profile(env, ids, "process-wide", *args)
        process_profile(env, ids, "process-narrow", *args, "--policy", narrow)
        wide, less = (by_profile(env, n) for n in ("process-wide", "process-narrow"))
        serves(env, node, wide, "broad")
        serves(env, node, less, "narrow")
        row = denied(env, node, less, env.topic("broad"))
        assert row["reason"] == "the session policy does not allow it", row
        assert row["principal"].endswith(":assumed-role/app/nightly"), row

        python = [os.path.join(kafka.DEPS, "venv/bin/python"), f"{clients.HERE}/clients/confluent.py"]
        login = {
            "LOGIN": "aws", "AWS_REGION": REGION, "AWS_PROFILE": "process-narrow",
            "AWS_SHARED_CREDENTIALS_FILE": env.driver.aws_credentials,
            "AWS_CONFIG_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        topic = env.name("narrow")
        clients.run(env, "confluent", python, True, node.address, login, topic)
        code, _, err = proc.run(
            "confluent", python + [node.address, env.name("broad"), "g", 1, os.devnull, os.devnull],
            env.path("clients.log"), 60, env=login,
        )  # fmt: skip
        assert code != 0 and "AUTHORIZATION" in err.upper(), err[-500:]

        proc.wait_until("the session has ended", lambda: not ends.serves(), 30)
        ends.sock.close()
        # The client may see its end before it is counted.
        expired = r'closed_total\{reason="session_expired"'
        proc.wait_until("it to be counted", lambda: node.metric(expired) > 0, 10)
        assert node.metric(expired) == 1, node.metric(expired)
        assert signed(ids, node, short, "localhost")[0] == FAILED
        # A role that is taken away: its sessions end with it.
        with Raw(node) as c:
            assert sign_in(ids, c, temporary(ids, "app"), "localhost")[0] == 0
            del ids.known["roles"]["app"]
            ids.write()
            reload(node)
            assert c.closed(5)


def by_profile(env, name):
    config = msk_iam(env, ("unused", "unused"))
    config["sasl.jaas.config"] = NAMED.replace("alice", name)
    return config
