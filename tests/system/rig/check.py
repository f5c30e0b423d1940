"""Checkers: from what clients saw and what the cluster holds, was anything wrong?

Clients write one line an operation:
    A seq topic partition offset [txn]    a record was acknowledged there
    E seq topic partition error [txn]     a record was refused
    T txn committed|aborted|unknown       a transaction ended so
    R topic partition offset value        a record was read
and each value says topic/partition/producer/sequence/fate, fate being c or a (its
transaction is meant to be aborted). A partition of '-' was left to the client.
"""

import os
from collections import Counter, defaultdict


class Anomalies(AssertionError):
    pass


def lines(path, kinds):
    if not os.path.exists(path):  # its client has not begun yet
        return
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line[0] in kinds:
                yield line.rstrip("\n").split(" ")


class Reads:
    """What one reader saw, in its order: [(topic, partition, offset, value)]"""

    def __init__(self, *paths):
        self.rows = [
            (t, int(p), int(o), " ".join(v)) for path in paths for _, t, p, o, *v in lines(path, "R")
        ]
        self.by_place = {}
        self.repeated = 0
        self.conflicts = []
        for t, p, o, v in self.rows:
            before = self.by_place.setdefault((t, p, o), v)
            if before != v:
                self.conflicts.append(f"{t}-{p}@{o}: {before} and {v}")
        self.repeated = len(self.rows) - len(self.by_place)


class Writes:
    """What one producer was told."""

    def __init__(self, path):
        self.acked = {}
        self.failed = set()
        self.outcomes = {}
        self.txn_of = {}
        for row in lines(path, "AET"):
            if row[0] == "T":
                self.outcomes[row[1]] = row[2]
                continue
            seq = int(row[1])
            if len(row) > 5:
                self.txn_of[seq] = row[5]
            if row[0] == "A":
                self.acked[seq] = (row[2], int(row[3]), int(row[4]))
            else:
                self.failed.add(seq)

    def outcome(self, seq):
        return self.outcomes.get(self.txn_of.get(seq), "committed")


def _fail(found):
    if found:
        counts = Counter(kind for kind, _ in found)
        shown = defaultdict(list)
        for kind, what in found:
            if len(shown[kind]) < 3:
                shown[kind].append(what)
        raise Anomalies("; ".join(f"{k} {n}: {', '.join(shown[k])}" for k, n in counts.items()))


def misrouted(reads):
    for t, p, o, v in reads.rows:
        parts = v.split("/")
        if len(parts) < 5 or parts[0] != t or parts[1] not in ("-", str(p)):
            yield "misrouted", f"{v} at {t}-{p}@{o}"


def topic_holds(log, writers, idempotent=True, refused_may_stand=True):
    """The cluster's own content (a Reads of a committed dump) against what producers were told."""
    found = list(misrouted(log))
    found += [("two values at one offset", c) for c in log.conflicts]
    seen = defaultdict(list)  # (topic, partition, producer) -> sequences in offset order
    times = Counter()
    for t, p, o, v in sorted(log.rows, key=lambda r: (r[0], r[1], r[2])):
        parts = v.split("/")
        if len(parts) < 5:
            continue  # nobody's: misrouted
        producer, seq, fate = parts[2:5]
        seen[t, p, producer].append(int(seq))
        times[producer, t, int(seq)] += 1
        if fate == "a":
            found.append(("aborted read", f"{v} at {t}-{p}@{o}"))
    if idempotent:
        found += [("duplicate", f"{k} {n} times") for k, n in times.items() if n > 1]
        for key, sequences in seen.items():
            if sequences != sorted(sequences):
                at = next(i for i in range(1, len(sequences)) if sequences[i] < sequences[i - 1])
                found.append(("reordered", f"{key}: {sequences[at - 1 : at + 1]}"))
    for name, w in writers.items():
        for seq, (t, p, o) in w.acked.items():
            outcome = w.outcome(seq)
            value = log.by_place.get((t, p, o))
            mine = value is not None and value.split("/")[2:4] == [name, str(seq)]
            if outcome == "committed" and o >= 0 and not mine:
                found.append(("lost", f"{name} {seq} at {t}-{p}@{o} (there: {value})"))
            if outcome == "aborted" and mine:
                found.append(("aborted read", f"{name} {seq} at {t}-{p}@{o}"))
        if w.outcomes:
            found += _half_transactions(name, w, times)
        elif not refused_may_stand:
            found += [("refused but there", f"{name} {s}") for s in w.failed if _there(times, name, s)]
    _fail(found)


def _there(times, name, seq):
    return any(p == name and s == seq for p, _, s in times)


def _half_transactions(name, w, times):
    """A transaction of unknown end must be there whole or not at all."""
    there = {(p, s) for p, _, s in times}
    by_txn = defaultdict(list)
    for seq, txn in w.txn_of.items():
        if w.outcomes.get(txn) == "unknown":
            by_txn[txn].append((name, seq) in there)
    return [("half a transaction", f"{name} {txn}") for txn, l in by_txn.items() if len(set(l)) > 1]


def group_saw(log, members, exactly_once=False):
    """All that the topic holds came to some member, and nothing else did."""
    found = list(misrouted(members))
    found += [("two values at one offset", c) for c in members.conflicts]
    for place, value in members.by_place.items():
        t, p, o = place
        if place not in log.by_place:
            found.append(("read but not there", f"{value} at {t}-{p}@{o}"))
        elif log.by_place[place] != value:
            found.append(("read otherwise", f"{value} for {log.by_place[place]} at {t}-{p}@{o}"))
    for place in log.by_place:
        if place not in members.by_place:
            found.append(("unseen", f"{place[0]}-{place[1]}@{place[2]}"))
    if exactly_once and members.repeated:
        found.append(("read twice", str(members.repeated)))
    _fail(found)


def offsets_ascend(path):
    """One member never sees a partition's offsets fall, but after a rebalance."""
    last = {}
    found = []
    for row in lines(path, "R+-"):
        if row[0] != "R":
            last.clear()
            continue
        key, offset = (row[1], row[2]), int(row[3])
        if offset <= last.get(key, -1):
            found.append(("offset fell", f"{key} {last[key]} -> {offset}"))
        last[key] = offset
    _fail(found)
