"""Logging in by a client certificate: rules, policies, refusals, revocation."""

import ssl
import time

from rig import certs, proc
from rig.env import only
from rig.identity import ALL, arn, document, statement
from rig.login import Raw, audited, reload, secured, serves, told, trusting
from test_42_iam import denied

TOPIC_DENIED = 29
RULES = [
    {"from": "uri", "pattern": "spiffe://acme/ns/*/sa/*", "name": "$1.$2", "group": "team-$1"},
    {"from": "dns", "pattern": "*.clients.example.com", "name": "host-$1"},
    {"from": "subject", "pattern": "CN=svc-old*", "name": "deny"},
    {"from": "cn", "pattern": "svc-*", "name": "$1"},
]
WHO = {
    "any-shop": ["spiffe://acme/ns/shop/sa/cart"],
    "any-dns": ["other.example.org", "db1.clients.example.com"],
    "svc-billing": ["client"],
    "svc-old-billing": ["client"],
    "somebody": ["client", "spiffe://evil/ns/shop/sa/cart"],
}


def listener(env, ca, crl):
    crt, key = env.ca.issue("gateway-certificates")
    return {
        "auth": "certificate",
        "mechanisms": [],
        "tls": {
            "certificate_file": crt, "key_file": key, "client_ca_file": ca.cert,
            "client_crl_file": crl, "client_certificate": "required",
        },
    }  # fmt: skip


def java(env, ca, name):
    return {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM", "ssl.truststore.location": env.ca.cert,
        "ssl.keystore.type": "PEM", "ssl.keystore.location": ca.keystore(name),
    }  # fmt: skip


def kept_out(node, wrap):
    """Whether nothing is answered: it ends in the handshake or at the first request."""
    try:
        with Raw(node, wrap) as c:
            return not c.serves()
    except (ssl.SSLError, OSError):
        return True


def named(node):
    return {r["principal"].split(":")[-1] for r in audited(node, outcome="allowed")}


def may_use(pattern):
    return document(
        statement(["Connect", "WriteDataIdempotently"], [arn("cluster")]),
        statement(["DescribeTopic", "ReadData", "WriteData"], [arn("topic", pattern)]),
        statement(["DescribeGroup", "AlterGroup"], [arn("group", "*")]),
    )


@only(through_weir=True)
def test_rules_policies_and_revocation(env):
    ca = certs.CA(env.path("clients-ca"))
    made = {name: ca.issue(name, hosts) for name, hosts in WHO.items()}
    crl = ca.revoke()
    bills, shop, open_to = env.topic("bills"), env.topic("shop"), env.topic("open")
    with secured(
        env, "certificates", listener=listener(env, ca, crl), certificates=RULES,
        plain_without_tls=False,
    ) as (node, ids):  # fmt: skip
        ids.add("certificates", "billing", may_use("bills-*"))
        ids.add("groups", "team-shop", may_use("shop-*"))
        ids.add("certificates", "host-db1", ALL)
        node.start()
        wrap = {name: trusting(env, pair) for name, pair in made.items()}
        allowed = {"svc-billing": bills, "any-shop": shop, "any-dns": open_to}
        live = {name: Raw(node, wrap[name]) for name in allowed}
        for name, topic in allowed.items():
            assert live[name].topic_error(topic) == 0, name
        for name in ("svc-billing", "any-shop"):
            assert live[name].topic_error(open_to) == TOPIC_DENIED, name
        want = {f"certificate/{n}" for n in ("billing", "shop.cart", "host-db1")}
        proc.wait_until("all three in the audit", lambda: named(node) == want, 10)

        for name in ("somebody", "svc-old-billing"):
            assert kept_out(node, wrap[name]), f"{name} was let in"
            told(node, outcome="denied", reason="certificate", claimed=f"CN={name}")
        assert kept_out(node, trusting(env)), "without a certificate"
        stranger = certs.CA(env.path("strangers-ca")).issue("svc-billing", ("client",))
        assert kept_out(node, trusting(env, stranger)), "of another authority"

        billing = java(env, ca, "svc-billing")
        serves(env, node, billing, topic=bills)
        row = denied(env, node, billing, shop)
        assert row["principal"].endswith("certificate/billing"), row
        serves(env, node, java(env, ca, "any-shop"), topic=shop)

        ca.revoke("svc-billing")
        began = time.monotonic()
        reload(node)
        assert live["svc-billing"].closed(5)
        assert time.monotonic() - began < 5
        told(node, event="session", outcome="ended")
        assert live["any-shop"].serves() and live["any-dns"].serves(), "the others go on"
        assert kept_out(node, wrap["svc-billing"]), "revoked"
        # A group's policy goes: so does what its members may do, without a new login.
        ids.add("groups", "team-shop", may_use("none-*"))
        reload(node)
        assert live["any-shop"].topic_error(shop) == TOPIC_DENIED
        for c in live.values():
            c.sock.close()
