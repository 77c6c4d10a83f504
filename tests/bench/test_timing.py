"""Who is timed when, and what a ratio is."""

import gc
from collections.abc import Callable

import pytest

from kakudai.bench import timing
from kakudai.bench.timing import Case, Facts, Timed, ratio, time_cases
from kakudai.errors import WrongResult


def case(name: str, ran: list[str], network: float | None = None) -> Case:
    def run() -> float | None:
        ran.append(name)
        return network

    return Case(Facts("network", name), run)


def test_every_case_runs_once_per_round_and_every_second_round_backwards(monkeypatch) -> None:
    ran: list[str] = []
    steps: list[tuple[int, int]] = []
    cases = [case("a", ran), case("b", ran, 0.5)]
    monkeypatch.setattr(timing, "REST", 0.0)
    timed, failed = time_cases(cases, 2, progress=lambda done, total: steps.append((done, total)))
    assert ran == ["b", "a", "a", "b", "b", "a"]
    assert [len(entry.seconds) for entry in timed] == [2, 2]
    assert [entry.network_seconds for entry in timed] == [(), (0.5, 0.5)]
    assert failed == []
    assert steps == [(number, 6) for number in range(1, 7)]


def test_a_quick_run_counts_the_first_round() -> None:
    ran: list[str] = []
    (timed,), _ = time_cases([case("a", ran)], 1, quick=True)
    assert ran == ["a"]
    assert len(timed.seconds) == 1


class Clock:
    """Time that passes while something works or sleeps, and at no other time."""

    def __init__(self) -> None:
        self.now, self.rests = 100.0, 0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests += 1
        self.now += seconds

    def work(self, *seconds: float) -> Callable[[], None]:
        left = list(seconds)

        def run() -> None:
            self.now += left.pop(0)

        return run


def test_times_are_those_of_the_case_alone_without_the_rest_and_the_first_round(monkeypatch) -> None:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    cases = [Case(Facts("network", "a"), clock.work(50, 1, 2)), Case(Facts("network", "b"), clock.work(90, 10, 20))]
    (a, b), _ = time_cases(cases, 2)
    assert a.seconds == pytest.approx((1, 2))
    assert b.seconds == pytest.approx((10, 20))
    assert clock.rests == 6


def test_garbage_is_not_collected_while_a_case_runs() -> None:
    seen: list[bool] = []
    time_cases([Case(Facts("network", "a"), lambda: seen.append(gc.isenabled()))], 1, quick=True)
    assert seen == [False]
    assert gc.isenabled()


def test_what_fails_is_told_and_the_others_go_on(monkeypatch) -> None:
    def bad(error: Exception, left: int) -> Callable[[], None]:
        turns = iter(range(left))

        def run() -> None:
            if next(turns, None) is None:
                ran.append("bad")
                raise error

        return run

    ran: list[str] = []
    monkeypatch.setattr(timing, "REST", 0.0)
    late = Case(Facts("engine", "late"), bad(WrongResult("it is black", "x"), 2))
    early = Case(Facts("network", "early"), bad(MemoryError("no room\nfor it"), 0))
    timed, failed = time_cases([late, case("good", []), early], 3)
    assert [(entry.facts.name, len(entry.seconds)) for entry in timed] == [("good", 3)]
    assert [(facts.name, reason) for facts, reason in failed] == [
        ("early", "MemoryError: no room"), ("late", "it is black"),
    ]  # fmt: skip
    assert ran == ["bad", "bad"]
    with pytest.raises(KeyboardInterrupt):
        time_cases([Case(Facts("network", "a"), interrupt)], 1, quick=True)
    assert gc.isenabled()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_ratio_is_taken_within_rounds() -> None:
    slow = Timed(Facts("network", "slow"), (2.0, 20.0, 3.0))
    fast = Timed(Facts("network", "fast", megapixels=4.0), (1.0, 10.0, 1.0))
    assert ratio(slow, fast) == 2.0
    assert fast.speed == 4.0


def test_a_case_is_named_by_all_that_makes_it_what_it_is() -> None:
    facts = Facts("network", "net", "ncnn", "int8", 2, tile=64, size="8x9", macs=1.0)
    assert str(facts) == "net, ncnn, int8, 2 threads, tile 64, 8x9"
    assert facts.key == Facts("network", "net", "ncnn", "int8", 2, tile=64, size="8x9").key
