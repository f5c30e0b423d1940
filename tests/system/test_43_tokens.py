"""OAUTHBEARER with JWTs of an identity provider: keys of a file and of a URL, claims, clients."""

import json
import os
import time

import test_14_other_clients as clients
from rig import kafka, proc
from rig.env import only
from rig.identity import ALL, OAUTH, arn, document, jaas, statement
from rig.issuer import Issuer, Key, b64, thumbprint
from rig.login import FAILED, Raw, audited, reload, secured, serves, told, trusting

BEARER = ["OAUTHBEARER"]
TOPIC_DENIED = 29
TEAM = document(
    statement(["Connect"], ["*"]),
    statement(["DescribeTopic", "ReadData", "WriteData"], [arn("topic", "orders-*")]),
)


def good(c, token):
    error, _, said, _ = c.bearer(token)
    return (error, said) == (0, b"")


def refused(node, token, reason):
    """RFC 7628's two steps: why in JSON, which the client acknowledges, and then the end."""
    before = failures(node, reason)
    with Raw(node) as c:
        error, text, said, _ = c.bearer(token)
        assert error == 0 and not text, (reason, error, text)
        assert json.loads(said)["status"] == "invalid_token", said
        error, text, said, _ = c.authenticate(b"\1")
        assert error == FAILED and text.endswith("Access denied") and said == b"", (error, text)
        assert c.closed(), "a refused client is left connected"
    assert failures(node, reason) == before + 1, f"not refused because of {reason}: {node.tail(2)}"


def failures(node, reason):
    return node.metric(rf'^weir_login_failures_total\{{reason="{reason}"')


def forged(issuer, header, signature=b""):
    """The first key's token, with another header and signature."""
    _, claims, _ = issuer.token("mallory").split(".")
    return f"{b64(json.dumps(header).encode())}.{claims}.{b64(signature)}"


@only(through_weir=True)
def test_keys_of_a_file(env):
    issuer = Issuer(env, "issuer-file")
    rsa, ec = issuer.key("first"), issuer.key("second", "ES256")
    orders, other = env.topic("orders"), env.topic("other")
    with secured(
        env, "jwt-file", mechanisms=BEARER,
        jwt=issuer.config(jwks_file=issuer.write_jwks(), groups_claim="realm.groups", skew_s=1),
    ) as (node, ids):  # fmt: skip
        ids.add("groups", "team-a", TEAM)
        ids.add("subjects", "boss", ALL)
        node.start()
        for key in (rsa, ec):
            with Raw(node) as c:
                token = issuer.token("carol", key, realm={"groups": ["team-a"]})
                error, _, said, lifetime = c.bearer(token)
                assert (error, said) == (0, b"") and 0 < lifetime <= 301000, (error, lifetime)
                assert c.topic_error(orders) == 0
                assert c.topic_error(other) == TOPIC_DENIED, "the group's policy says nothing of it"
        with Raw(node) as c:
            assert good(c, issuer.token("boss", aud=["x", "kafka"]))
            assert c.topic_error(other) == 0
        stranger = Key(issuer.folder, "stranger", "RS256")
        impostor = Key(issuer.folder, "impostor", "RS256")
        impostor.kid = rsa.kid
        for token, reason in (
            (issuer.token("boss", aud="payments"), "audience"),
            (issuer.token("boss", aud=None), "claim"),
            (issuer.token("boss", iss="https://evil.example.com"), "issuer"),
            (issuer.token("boss", life_s=-60, iat=1700000000), "expired"),
            (issuer.token("boss", exp=None), "claim"),
            (issuer.token("boss", nbf=4000000000), "not_yet"),
            (issuer.token("boss", stranger), "unknown_kid"),
            (issuer.token("boss", impostor), "signature"),
            (issuer.token("boss", realm={"groups": [7]}), "claim"),
            (issuer.token("boss", cnf={"jkt": "abc"}), "claim"),
            (issuer.token("boss", header={"crit": ["exp"]}), "malformed"),
            (issuer.token("boss", header={"alg": "ES256"}), "algorithm"),
            (forged(issuer, {"alg": "none", "typ": "JWT"}), "malformed"),
            (forged(issuer, {"alg": "none", "typ": "JWT", "kid": "first"}, b"x"), "algorithm"),
            (forged(issuer, {"alg": "HS256", "typ": "JWT", "kid": "first"}, b"x" * 32), "algorithm"),
        ):
            refused(node, token, reason)
        # Nobody is told apart who may not connect.
        with Raw(node) as c:
            assert c.bearer(issuer.token("nobody"))[0] == FAILED and c.closed()
        told(node, outcome="denied", reason="not_allowed")
        # A session ends with its token, and the skew.
        short = Raw(node)
        error, _, said, lifetime = short.bearer(issuer.token("boss", life_s=3))
        assert (error, said) == (0, b"") and 0 < lifetime <= 4000, lifetime
        # A key leaves the file: its tokens are good no more.
        issuer.keys = [ec]
        issuer.write_jwks()
        reload(node)
        refused(node, issuer.token("boss", rsa), "unknown_kid")
        with Raw(node) as c:
            assert good(c, issuer.token("boss", ec))
        proc.wait_until("the token's session has ended", lambda: not short.serves(), 15)
        short.sock.close()


@only(through_weir=True)
def test_keys_of_a_url_rotate(env):
    """A kid that nobody knows: the keys are fetched once, however many ask, and then it is known."""
    with Issuer(env, "issuer-url") as issuer:
        old = issuer.key("old")
        url = issuer.serve()
        jwt = issuer.config(jwks_url=url + "/jwks", jwks_ca_file=env.ca.cert)
        with secured(env, "jwt-url", mechanisms=BEARER, jwt=jwt) as (node, ids):
            ids.add("subjects", "boss", ALL)
            began = time.monotonic()
            node.start()
            token = issuer.token("boss")
            live = Raw(node)

            def comes_in(token):
                with Raw(node) as c:
                    return good(c, token)

            proc.wait_until("the keys are there", lambda: comes_in(token), 10)
            assert good(live, token) and live.serves()
            assert issuer.asked == ["/jwks"], issuer.asked
            new = Key(issuer.folder, "new", "ES256")
            issuer.keys = [new]
            after = issuer.token("boss")
            for _ in range(5):
                if time.monotonic() - began > 2.5:
                    break  # four seconds after the first look they are fetched anew
                refused(node, after, "unknown_kid")
            proc.wait_until("the new key is known", lambda: comes_in(after), 15, 0.3)
            assert issuer.asked == ["/jwks"] * 2, issuer.asked
            refused(node, issuer.token("boss", old), "unknown_kid")
            assert live.serves(), "who is in stays in"
            live.sock.close()


@only(through_weir=True)
def test_bound_to_a_certificate(env):
    """RFC 8705: who has stolen the token has not stolen the certificate's key."""
    issuer = Issuer(env, "issuer-bound")
    issuer.key("first")
    ours, theirs = (env.ca.issue(name, ("client",)) for name in ("bound", "unbound"))
    crt, key = env.ca.issue("gateway-jwt")
    tls = {
        "certificate_file": crt, "key_file": key, "client_ca_file": env.ca.cert,
        "client_certificate": "optional",
    }  # fmt: skip
    with secured(
        env, "jwt-bound", mechanisms=BEARER, listener={"tls": tls}, plain_without_tls=False,
        jwt=issuer.config(jwks_file=issuer.write_jwks()),
    ) as (node, ids):  # fmt: skip
        ids.add("subjects", "boss", ALL)
        node.start()
        token = issuer.token("boss", cnf={"x5t#S256": thumbprint(ours[0])})
        with Raw(node, trusting(env, ours)) as c:
            assert good(c, token) and c.serves()
        for certificate in (theirs, None):
            with Raw(node, trusting(env, certificate)) as c:
                assert b"invalid_token" in c.bearer(token)[2]
                assert c.authenticate(b"\1")[0] == FAILED
        told(node, outcome="denied", reason="certificate")
        with Raw(node, trusting(env)) as c:
            assert good(c, issuer.token("boss")), "not bound"


@only(through_weir=True)
def test_clients(env):
    """librdkafka by oauth_cb, Java by its own retriever of a file; a token that is renewed."""
    issuer = Issuer(env, "issuer-clients")
    issuer.key("first", "ES256")
    with secured(
        env, "jwt-clients", mechanisms=BEARER, session_max_ms=3000,
        jwt=issuer.config(jwks_file=issuer.write_jwks()),
    ) as (node, ids):  # fmt: skip
        ids.add("subjects", "boss", ALL)
        node.start()
        with open(env.driver.token_file, "w", encoding="ascii") as f:
            f.write(issuer.token("boss"))
        package = "org.apache.kafka.common.security.oauthbearer."
        java = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.jaas.config": jaas(OAUTH),
            "sasl.login.callback.handler.class": package + "OAuthBearerLoginCallbackHandler",
            "sasl.oauthbearer.jwt.retriever.class": package + "FileJwtRetriever",
            "sasl.oauthbearer.token.endpoint.url": "file://" + env.driver.token_file,
        }
        long = env.topic("java-jwt")
        task = env.begin(
            "produce", node.address, topic=[long], producer="java", rate=100, config=java
        )
        serves(env, node, java, "java-jwt")
        python = os.path.join(kafka.DEPS, "venv/bin/python")
        login = {"LOGIN": "token", "TOKEN_FILE": env.driver.token_file}
        clients.run(
            env, "confluent", [python, f"{clients.HERE}/clients/confluent.py"], True,
            node.address, login,
        )  # fmt: skip
        result = task.stop().result()
        assert result["failed"] == 0, result
        assert node.metric(r"^weir_login_failures_total") == 0
        whose = {row["principal"].split(":")[-1] for row in audited(node, event="login")}
        assert whose == {"federated-user/boss"}, whose
