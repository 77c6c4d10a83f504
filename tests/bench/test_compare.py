"""What got slower, and what did not."""

from dataclasses import replace

import pytest
from tests.bench.records import FILE, NETWORK, record

from kakudai.bench.compare import Change, compare_records, only_in, other_versions, quartiles, relative
from kakudai.bench.record import Block, Measured, Record
from kakudai.bench.timing import Timed
from kakudai.errors import UsageError


def with_network(base: Record, seconds: tuple[float, ...], peak: int | None = None) -> Record:
    """Let the network of the first block take other times."""
    first, *others = base.measured.blocks
    timed = tuple(
        replace(entry, seconds=seconds, peak_memory=peak) if entry.facts == NETWORK else entry for entry in first.timed
    )
    return replace(base, measured=Measured((Block(first.name, timed), *others)))


def change_of(changes: list[Change], facts: object = NETWORK) -> list[tuple[float, str]]:
    return [(round(change.change, 6), change.verdict) for change in changes if change.facts == facts]


def test_nothing_changed() -> None:
    changes = compare_records(record(), record("bbb"), 0.05)
    assert {change.verdict for change in changes} == {"same"}
    assert not [change for change in changes if change.facts.kind == "roof"]


def test_the_network_got_slower_and_so_did_all_that_runs_it() -> None:
    changes = compare_records(record(), record("bbb", slow=1.5), 0.05)
    slower = [change.facts.kind for change in changes if change.verdict == "slower"]
    assert slower == ["network", "engine", "network", "file"]
    assert change_of(changes) == [(0.5, "slower")]
    assert change_of(compare_records(record("bbb", slow=1.5), record(), 0.05)) == [(round(-1 / 3, 6), "faster")]


def test_a_busy_machine_is_no_slower_program() -> None:
    busy = record("bbb")
    blocks = tuple(
        Block(block.name, tuple(replace(e, seconds=tuple(3 * s for s in e.seconds)) for e in block.timed))
        for block in busy.measured.blocks
    )
    changes = compare_records(record(), replace(busy, measured=Measured(blocks)), 0.05)
    assert {change.verdict for change in changes} == {"same"}


def test_what_lies_within_the_noise_or_the_tolerance_does_not_count() -> None:
    noisy = with_network(record("bbb"), (9.0, 24.0, 12.0))  # 9, 12, 12 roofs; its middle half begins at 10.5
    assert change_of(compare_records(record(), noisy, 0.05)) == [(0.2, "slower")]
    wide = with_network(record("bbb"), (8.0, 24.0, 12.0))  # begins at 10, where the old one ends
    assert change_of(compare_records(record(), wide, 0.05)) == [(0.2, "same")]
    assert change_of(compare_records(record(), noisy, 0.25)) == [(0.2, "same")]


def test_memory_is_compared_in_bytes() -> None:
    times = 10.0, 20.0, 10.0
    more = with_network(record("bbb"), times, 120_000_000)
    assert change_of(compare_records(record(), more, 0.05)) == [(0.0, "same"), (0.2, "more memory")]
    assert change_of(compare_records(more, record(), 0.05))[1][1] == "less memory"
    assert change_of(compare_records(record(), with_network(record("bbb"), times), 0.05)) == [(0.0, "same")]


def test_a_process_is_compared_with_the_bare_import() -> None:
    processes = record().measured.blocks[2]
    assert relative(processes, processes.timed[1]) == [22.0, 22.0, 22.0]
    assert relative(processes, Timed(replace(FILE, threads=7), (1.0,))) == []


def test_records_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(UsageError, match=r"two machines: a-processor-r-7-.*-avx2-x2 and a-.*-x4"):
        compare_records(record(), replace(record(), processors=4), 0.05)
    with pytest.raises(UsageError, match="no case in common"):
        compare_records(record(), replace(record(), measured=Measured(())), 0.05)


def test_a_quick_run_or_a_single_round_says_nothing() -> None:
    with pytest.raises(UsageError, match="the record of bbb is of a quick run"):
        compare_records(record(), replace(record("bbb"), extent="quick"), 0.05)
    with pytest.raises(UsageError, match="a record has 2 of 3 rounds"):
        compare_records(with_network(record(), (10.0, 20.0)), record("bbb"), 0.05)


def test_what_is_in_one_record_alone_is_named() -> None:
    first, *others = record().measured.blocks
    fewer = Block(first.name, tuple(entry for entry in first.timed if entry.facts.kind not in ("network", "roof")))
    less = replace(record("bbb"), measured=Measured((fewer, *others)))
    assert only_in(record(), less) == [NETWORK]
    assert only_in(less, record()) == []


def test_packages_that_changed_are_named() -> None:
    newer = replace(record("bbb"), versions={"numpy": "2.5", "ncnn": "1"})
    assert other_versions(record(), newer) == ["ncnn none -> 1", "numpy 2.4 -> 2.5"]
    assert other_versions(record(), record("bbb")) == []


def test_quartiles() -> None:
    assert quartiles([3.0]) == (3.0, 3.0)
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
