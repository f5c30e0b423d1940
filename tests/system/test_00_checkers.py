"""The checkers themselves: each kind of damage must trip one, and good journals none."""

from rig import check
from rig.relay import leaks


def _reads(env, name, rows):
    path = env.path(name)
    with open(path, "w", encoding="utf-8") as f:
        for topic, partition, offset, value in rows:
            f.write(f"R {topic} {partition} {offset} {value}\n")
    return check.Reads(path)


def _writes(env, rows):
    path = env.path("made-up.writes")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(row + "\n" for row in rows)
    return check.Writes(path)


GOOD = [("t", 0, n, f"t/0/p/{n}/c") for n in range(5)]
ACKS = [f"A {n} t 0 {n}" for n in range(5)]


def _trips(word, run):
    try:
        run()
    except check.Anomalies as e:
        assert word in str(e), f"'{word}' expected: {e}"
        return
    raise AssertionError(f"nothing noticed: {word}")


def _topic(env, rows, acks):
    log = _reads(env, "made-up.log", rows)
    return lambda: check.topic_holds(log, {"p": _writes(env, acks)})


def test_good_journals_pass(env):
    _topic(env, GOOD, ACKS)()
    log = _reads(env, "made-up.log", GOOD)
    check.group_saw(log, _reads(env, "made-up.group", GOOD), exactly_once=True)


def test_damaged_topics_are_noticed(env):
    swapped = [GOOD[1][:2] + (0, GOOD[1][3]), GOOD[0][:2] + (1, GOOD[0][3])] + GOOD[2:]
    _trips("lost", _topic(env, GOOD[:4], ACKS))
    _trips("lost", _topic(env, [GOOD[0][:3] + ("t/0/p/9/c",)] + GOOD[1:], ACKS))
    _trips("duplicate", _topic(env, GOOD + [("t", 0, 5, "t/0/p/4/c")], ACKS))
    _trips("reordered", _topic(env, swapped, []))
    _trips("misrouted", _topic(env, [("t", 1, 9, "t/0/p/7/c")], []))
    _trips("misrouted", _topic(env, [("t", 0, 9, "u/0/p/7/c")], []))
    _trips("misrouted", _topic(env, [("t", 0, 9, "no mark")], []))
    _trips("aborted read", _topic(env, GOOD + [("t", 0, 5, "t/0/p/5/a")], ACKS))
    _trips("two values", _topic(env, GOOD + [("t", 0, 4, "t/0/p/9/c")], ACKS))


def test_damaged_transactions_are_noticed(env):
    acks = ["A 0 t 0 0 1", "A 1 t 0 1 1"]
    _trips("aborted read", _topic(env, GOOD[:2], acks + ["T 1 aborted"]))
    _trips("lost", _topic(env, [], acks + ["T 1 committed"]))
    _trips("half", _topic(env, GOOD[:1], acks + ["T 1 unknown"]))
    _topic(env, GOOD[:2], acks + ["T 1 unknown"])()
    _topic(env, [], acks + ["T 1 unknown"])()


def test_damaged_groups_are_noticed(env):
    log = _reads(env, "made-up.log", GOOD)

    def saw(rows, **args):
        return lambda: check.group_saw(log, _reads(env, "made-up.group", rows), **args)

    _trips("unseen", saw(GOOD[:4]))
    _trips("not there", saw(GOOD + [("t", 0, 7, "t/0/p/7/c")]))
    _trips("otherwise", saw(GOOD[:4] + [("t", 0, 4, "t/0/p/3/c")]))
    _trips("read twice", saw(GOOD + GOOD[:1], exactly_once=True))
    _reads(env, "made-up.member", GOOD[1:] + GOOD[:1])
    _trips("offset fell", lambda: check.offsets_ascend(env.path("made-up.member")))


def test_leaks_are_noticed(env):
    everywhere, ports = env.cluster.canaries(), env.cluster.port_canaries()
    for what, canary in {**everywhere, **ports}.items():
        found = leaks([(3, 9, b"ab" + canary + b"cd")], everywhere, ports)
        assert any(what in text for text in found), what
    assert not leaks([(3, 9, b"127.0.0.1")], everywhere, ports)
