"""Who may log in and what they may do: keys, identities and policies for a weir of a test."""

import json
import os
import secrets
import subprocess

OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
CLUSTER = "arn:aws:kafka:us-east-1:000000000000:{}/weir/00000000-0000-0000-0000-000000000000-1"


def arn(kind, name=None):
    """cluster, or topic, group, transactional-id with a name (or a pattern)."""
    return CLUSTER.format(kind) + (f"/{name}" if name is not None else "")


def statement(actions, resources, effect="Allow", **more):
    return {
        "Effect": effect,
        "Action": [f"kafka-cluster:{a}" for a in actions],
        "Resource": resources,
        **more,
    }


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


ALL = document(statement(["*"], ["*"]))


class Identities:
    """The files that the auth part of a configuration names."""

    def __init__(self, env, name="auth"):
        self.folder = env.path(name)
        self.weirctl = os.path.join(os.path.dirname(env.options.weir), "weirctl")
        self.policies = os.path.join(self.folder, "policies")
        self.keys = os.path.join(self.folder, "keys.json")
        self.master = os.path.join(self.folder, "master.key")
        self.file = os.path.join(self.folder, "identities.json")
        os.makedirs(self.policies)
        with open(self.master, "w", encoding="ascii") as f:
            f.write(secrets.token_hex(32) + "\n")
        with open(self.keys, "w", encoding="ascii") as f:
            f.write('{ "version": 1, "keys": [] }\n')
        for path in (self.master, self.keys):
            os.chmod(path, 0o600)
        self.known = {"users": {}, "roles": {}, "groups": {}, "subjects": {}, "certificates": {}}
        self.write()

    def write(self):
        with open(self.file, "w", encoding="utf-8") as f:
            json.dump(self.known, f, indent=2)

    def policy(self, name, doc):
        with open(os.path.join(self.policies, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(doc, f, indent=2)
        return name

    def add(self, kind, name, *docs, **more):
        """A user, role ... with these documents as its policies."""
        names = [self.policy(f"{kind}-{name}-{i}", doc) for i, doc in enumerate(docs)]
        self.known[kind][name] = {"policies": names, **more}
        self.write()

    def ctl(self, *args, code=0, env=None):
        done = subprocess.run(
            [self.weirctl, *args], capture_output=True, text=True, check=False, timeout=30,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        assert done.returncode == code, f"weirctl {args}: {done.returncode} {done.stderr}"
        return done.stdout

    def _files(self):
        return ["--keys-file", self.keys, "--master-key-file", self.master]

    def key(self, user):
        """(key id, secret), new."""
        made = json.loads(self.ctl("keys", "create", "--user", user, "--json", *self._files()))
        return made["AccessKeyId"], made["SecretAccessKey"]

    def user(self, name, *docs, **more):
        """A user with policies and a key."""
        self.add("users", name, *docs, **more)
        return self.key(name)

    def config(self, **more):
        return {
            "keys_file": self.keys,
            "master_key_file": self.master,
            "identities_file": self.file,
            "policies_dir": self.policies,
            **more,
        }


def jaas(module, **options):
    text = " ".join(f'{k}="{v}"' for k, v in options.items())
    return f"{module} required {text};".replace(" ;", ";")


def plain(key):
    """A Java client's properties for PLAIN."""
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": jaas(
            "org.apache.kafka.common.security.plain.PlainLoginModule",
            username=key[0], password=key[1],
        ),
    }  # fmt: skip


def scram(key, mechanism="SCRAM-SHA-512"):
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": jaas(
            "org.apache.kafka.common.security.scram.ScramLoginModule",
            username=key[0], password=key[1],
        ),
    }  # fmt: skip
