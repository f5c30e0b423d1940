"""rig/schema.py against Kafka's own classes: random messages of every API and version."""

import glob
import os
import struct

from rig import kafka, proc, schema

WIRE = os.path.join(schema.ROOT, "tests", "wire")
MEMBERS = ("consumer_protocol_subscription", "consumer_protocol_assignment")


def _vectors(env, count, seed=20260101):
    """(message, version, bytes) as tests/wire/Golden.java writes them."""
    jars = kafka.classpath("4.3.1")
    classes, out = env.path("golden"), env.path("golden.bin")
    sources = [os.path.join(WIRE, name) for name in ("Golden.java", "Definitions.java")]
    for argv in (
        ["javac", "-cp", jars, "-d", classes, *sources],
        ["java", "-cp", f"{classes}:{jars}", "Golden", jars[:-2], str(count), str(seed), out],
    ):
        code, _, err = proc.run("golden", argv, env.path("golden.log"), 120)
        assert code == 0, err[-1500:]
    with open(out, "rb") as f:
        data = f.read()
    at = 12  # the magic and the seed
    known = schema.load()
    while at < len(data):
        kind, key, version, size = struct.unpack_from(">bhhi", data, at)
        at += 9
        if kind == 2:
            message = known.messages[MEMBERS[key]]
        else:
            api = known.by_key[key]
            message = api.response if kind else api.request
        yield message, version, data[at : at + size]
        at += size


def test_messages_are_as_kafkas_classes_write_them(env):
    """Decoded and encoded, each is the same bytes again; cut short, it is refused."""
    seen, count = set(), 0
    for message, version, data in _vectors(env, 2):
        value = message.decode(version, data)
        assert message.encode(version, value) == data, (message.name, version, value)
        if data:
            try:
                message.decode(version, data[:-1])
                raise AssertionError(f"{message.name} {version}: a byte less was taken")
            except schema.Malformed:
                pass
        seen.add((message.name, version))
        count += 1
    known = schema.load()
    each = [m for a in known.apis.values() for m in (a.request, a.response)]
    each += known.messages.values()
    lacking = {(m.name, v) for m in each for v in range(m.versions[0], m.versions[1] + 1)} - seen
    assert not lacking, f"no vector for {sorted(lacking)}"
    return f"{count} messages of {len(seen)} message versions"


def test_defaults_are_what_lacks(env):
    """An empty dict is a whole message, and comes back as its defaults."""
    for api in schema.load().apis.values():
        for message in (api.request, api.response):
            for version in api.each_version():
                value = message.decode(version, message.encode(version, {}))
                for f in message.fields:
                    if f.is_in(version):
                        assert value[f.name] == f.default(version), (message.name, version, f.name)


def test_schema_files_are_all_there(env):
    files = glob.glob(os.path.join(schema.FOLDER, "*.schema"))
    text = "".join(open(path, encoding="utf-8").read() for path in files)
    named = [line.split()[1] for line in text.splitlines() if line.startswith("api ")]
    assert sorted(named) == sorted(schema.load().apis) and len(named) >= 77
