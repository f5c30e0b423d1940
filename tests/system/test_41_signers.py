"""AWS's own login libraries, unmodified, with keys that weir issued."""

import json
import os

import test_14_other_clients as clients
from rig import kafka, proc
from rig.driver import ScenarioFailed
from rig.env import only
from rig.identity import ALL, OAUTH, jaas
from rig.login import audited, secured, serves

IAM = "software.amazon.msk.auth.iam."
REGION = "us-east-1"
# Java signs for the name it finds for the address it has dialled.
NAMES = ["localhost"]


def temporary(ids, role, ttl="1h"):
    """(key id, secret, session token) for a session of the role."""
    made = json.loads(
        ids.ctl(
            "credentials", "issue", "--role", role, "--ttl", ttl, "--format", "json",
            "--master-key-file", ids.master, "--identities-file", ids.file,
            "--policies-dir", ids.policies,
        )
    )  # fmt: skip
    return made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]


def profile(env, credentials):
    """The name under which AWS's Java library finds them."""
    env.profiles = getattr(env, "profiles", 0) + 1
    name = f"profile-{env.profiles}"
    env.driver.aws_profile(name, *credentials)
    return name


def msk_iam(env, credentials):
    """A Java client's properties for AWS_MSK_IAM."""
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "AWS_MSK_IAM",
        "sasl.jaas.config": jaas(IAM + "IAMLoginModule", awsProfileName=profile(env, credentials)),
        "sasl.client.callback.handler.class": IAM + "IAMClientCallbackHandler",
    }


def presigned(env, credentials):
    """The same library's token for OAUTHBEARER."""
    handler = IAM + "IAMOAuthBearerLoginCallbackHandler"
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.jaas.config": jaas(OAUTH, awsProfileName=profile(env, credentials)),
        "sasl.login.callback.handler.class": handler,
        "sasl.client.callback.handler.class": handler,
    }


def environment(credentials):
    """For the other clients."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {
        "LOGIN": "aws",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **dict(zip(names, credentials)),
    }


def both(ids):
    """A lasting key, and temporary credentials, which may do all."""
    key = ids.user("alice", ALL)
    ids.add("roles", "app", ALL)
    return key, temporary(ids, "app")


def seen(node, mechanism):
    """Who was let in: the kinds of principals, and what they call themselves."""
    rows = audited(node, event="login", outcome="allowed", mechanism=mechanism)
    kinds = {row["principal"].split(":")[-1].split("/")[0] for row in rows}
    return kinds, {row["user_agent"] for row in rows}


def not_told(node, *credentials):
    with open(node.audit, encoding="utf-8") as f:
        audit = f.read()
    for c in credentials:
        for secret in c[1:]:
            assert secret not in node.logged and secret not in audit, "a secret is in a log"


@only(through_weir=True)
def test_java_library(env):
    with secured(env, "msk-iam", hosts=NAMES) as (node, ids):
        key, session = both(ids)
        node.start()
        serves(env, node, msk_iam(env, key), "iam-key")
        serves(env, node, msk_iam(env, session), "iam-session")
        kinds, agents = seen(node, "AWS_MSK_IAM")
        assert kinds == {"user", "assumed-role"}, kinds
        assert all(a.startswith("aws-msk-iam-auth/") for a in agents), agents
    not_told(node, key, session)


@only(through_weir=True)
def test_java_library_presigned(env):
    with secured(env, "java-presigned") as (node, ids):
        key, session = both(ids)
        node.start()
        serves(env, node, presigned(env, key), "presigned-key")
        serves(env, node, presigned(env, session), "presigned-session")
        kinds, agents = seen(node, "OAUTHBEARER")
        assert kinds == {"user", "assumed-role"}, kinds
        assert all(a.startswith("aws-msk-iam-auth/") for a in agents), agents
    not_told(node, key, session)


@only(through_weir=True)
def test_java_library_is_refused(env):
    """A wrong secret, a key of nobody, a token of nobody: as any other failed login."""
    with secured(env, "msk-iam-refused", hosts=NAMES) as (node, ids):
        key, session = both(ids)
        node.start()
        wrong = [
            ((key[0], "x" * 40), "signature"),
            (("AKIDNOBODY", key[1]), "unknown_key"),
            ((session[0], session[1], session[2][:-8] + "AAAAAAAA"), "session_token"),
        ]
        for login in (msk_iam, presigned):
            for credentials, reason in wrong:
                config = login(env, credentials)
                try:
                    env.client(
                        "admin_topics", topic=env.name("refused"), bootstrap=node.address,
                        seconds=60, config=config,
                    )  # fmt: skip
                    raise AssertionError(f"let in: {reason}")
                except ScenarioFailed as e:
                    assert "SaslAuthenticationException" in str(e), e
                assert audited(
                    node, event="login", outcome="denied", reason=reason,
                    mechanism=config["sasl.mechanism"],
                ), f"{reason} is not in the audit"  # fmt: skip
    not_told(node, key, session)


def signer(env, name, argv, with_transactions=False):
    """A client with the signer of its language, once with each kind of credentials."""
    with secured(env, "signer-" + name) as (node, ids):
        made = both(ids)
        node.start()
        for credentials in made:
            clients.run(
                env, name, argv, with_transactions, node.address, environment(credentials)
            )
        kinds, agents = seen(node, "OAUTHBEARER")
        assert kinds == {"user", "assumed-role"}, kinds
        assert all(a.startswith("aws-msk-iam-sasl-signer-") for a in agents), agents
        code, _, err = proc.run(
            name, argv + [node.address, env.name("refused"), "g", 1, os.devnull, os.devnull],
            env.path("clients.log"), 60, env=environment((made[0][0], "x" * 40)),
        )  # fmt: skip
        assert code != 0, f"a wrong secret was let in: {err[-500:]}"
        assert audited(node, event="login", outcome="denied", reason="signature")
    not_told(node, *made)
    return ", ".join(sorted(agents))


@only(through_weir=True)
def test_python_signer(env):
    python = os.path.join(kafka.DEPS, "venv/bin/python")
    return signer(env, "confluent", [python, f"{clients.HERE}/clients/confluent.py"], True)


@only(through_weir=True)
def test_go_signer(env):
    return signer(env, "sarama", [os.path.join(kafka.DEPS, "sarama")])


@only(through_weir=True)
def test_javascript_signer(env):
    """kafkajs takes RFC 7628's refusal for a success and goes on, so it is hung up on."""
    modules = os.path.join(kafka.DEPS, "kafkajs/node_modules")
    return signer(env, "kafkajs", ["node", f"{clients.HERE}/clients/kafkajs/client.js", modules])
