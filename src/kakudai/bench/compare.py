"""What got slower since another record of the same machine.

Seconds are not compared: the machine may have been busy in one of the two runs. Each time is first divided by that of a
fixed piece of work in the same round, a matrix product with as many threads, or, for processes, the bare import; what
is compared are these ratios. A change counts when it is larger than the tolerance and larger than the noise, that is,
when the middle halves of the rounds do not overlap.
"""

from dataclasses import dataclass
from statistics import median, quantiles
from typing import Literal, TypeAlias

from kakudai.bench.record import Block, Record
from kakudai.bench.timing import Facts, Timed
from kakudai.errors import UsageError

Verdict: TypeAlias = Literal["slower", "faster", "same", "more memory", "less memory"]

WORSE = ("slower", "more memory")

ENOUGH = 3
"""Rounds, at least: fewer have no middle half."""


@dataclass(frozen=True, slots=True)
class Change:
    """One case in two records.

    Args:
        facts: The case.
        change: Of its cost, as a share: 0.1 takes a tenth more than before.
        verdict: What that means.
    """

    facts: Facts
    change: float
    verdict: Verdict


def compare_records(old: Record, new: Record, tolerance: float) -> list[Change]:
    """Compare all cases that are in both records.

    Args:
        tolerance: The smallest share of its cost by which a case has to change.

    Raises:
        UsageError: They are of different machines, have no case in common, or too few rounds.
    """
    for record in (old, new):
        if record.extent == "quick":
            raise UsageError(
                f"the record of {record.commit or record.version} is of a quick run, which says nothing about speed",
                "measure without --quick",
            )
    if old.machine != new.machine:
        raise UsageError(
            f"the records are of two machines: {old.machine} and {new.machine}",
            "compare records of the same machine; its name is in front of the commit in the file's name",
        )
    fewest = min((len(e.seconds) for r in (old, new) for b in r.measured.blocks for e in b.timed), default=ENOUGH)
    if fewest < ENOUGH:
        hint = f"measure both with --rounds {ENOUGH} or more"
        raise UsageError(f"a record has {fewest} of {ENOUGH} rounds that tell a change from noise", hint)
    before = {(block.name, entry.facts.key): (block, entry) for block in old.measured.blocks for entry in block.timed}
    changes = []
    for block in new.measured.blocks:
        for entry in block.timed:
            if (block.name, entry.facts.key) in before and entry.facts.kind != "roof":
                old_block, old_entry = before[block.name, entry.facts.key]
                changes += _changes((old_block, old_entry), (block, entry), tolerance)
    if not changes:
        raise UsageError("the records have no case in common", "measure both with the same options")
    return changes


def only_in(record: Record, other: Record) -> list[Facts]:
    """Return the cases of a record that another has not: what failed there, or was not asked for."""
    there = {(block.name, entry.facts.key) for block in other.measured.blocks for entry in block.timed}
    return [
        entry.facts
        for block in record.measured.blocks
        for entry in block.timed
        if (block.name, entry.facts.key) not in there and entry.facts.kind != "roof"
    ]


def other_versions(old: Record, new: Record) -> list[str]:
    """Say which packages changed: a new ONNX Runtime does the fixed piece of work, too, in another time."""
    names = sorted({*old.versions, *new.versions})
    pairs = [(name, old.versions.get(name, "none"), new.versions.get(name, "none")) for name in names]
    return [f"{name} {before} -> {after}" for name, before, after in pairs if before != after]


def _changes(old: tuple[Block, Timed], new: tuple[Block, Timed], tolerance: float) -> list[Change]:
    """Compare the time of one case, and its memory where it was measured."""
    facts, changes = new[1].facts, []
    costs = relative(*old), relative(*new)
    if all(costs):
        change = median(costs[1]) / median(costs[0]) - 1
        verdict: Verdict = "same"
        if change > tolerance and quartiles(costs[1])[0] > quartiles(costs[0])[1]:
            verdict = "slower"
        elif 1 / (1 + change) - 1 > tolerance and quartiles(costs[1])[1] < quartiles(costs[0])[0]:
            verdict = "faster"
        changes.append(Change(facts, change, verdict))
    peaks = old[1].peak_memory, new[1].peak_memory
    if peaks[0] and peaks[1]:
        change = peaks[1] / peaks[0] - 1
        if change > tolerance:
            changes.append(Change(facts, change, "more memory"))
        elif 1 / (1 + change) - 1 > tolerance:
            changes.append(Change(facts, change, "less memory"))
    return changes


def relative(block: Block, timed: Timed) -> list[float]:
    """Return the time of each round, in those of the fixed piece of work; nothing for that itself, or without it."""
    reference = _reference(block, timed)
    if reference is None or reference.facts == timed.facts:
        return []
    return [own / fixed for own, fixed in zip(timed.seconds, reference.seconds, strict=True)]


def _reference(block: Block, timed: Timed) -> Timed | None:
    """Find the fixed piece of work: ONNX Runtime is everywhere, so it is always that one's."""
    if timed.facts.kind == "process":
        return next((entry for entry in block.of("process") if entry.facts.name == "bare import"), None)
    wanted = "onnxruntime", "float32", timed.facts.threads
    return next(
        (roof for roof in block.of("roof") if (roof.facts.runtime, roof.facts.precision, roof.facts.threads) == wanted),
        None,
    )


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return where the middle half of the values begins and ends."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, last = quantiles(values, n=4, method="inclusive")
    return first, last
