"""A Kafka Streams word count: state, changelog, repartition, exactly once."""

from rig.env import only


def _word_count(env, **args):
    source, target = env.topic("lines"), env.topic("counts")
    app = env.name("app")
    env.client(
        "wordcount", **{"from": source}, to=target, app=app, state=env.path(app), **args
    )
    made = {t["name"] for t in env.cluster.metadata()["topics"] if t["name"].startswith(app)}
    assert len(made) == 2, f"a changelog and a repartition topic: {made}"


def test_word_count(env):
    _word_count(env)


@only(kafka_from="4.2.0")
def test_word_count_with_the_streams_protocol(env):
    _word_count(env, protocol="streams")
