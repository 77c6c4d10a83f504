"""Who is timed when, and what a ratio is."""

from kakudai.bench import timing
from kakudai.bench.timing import Case, Facts, Timed, ratio, time_cases


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
    timed = time_cases(cases, 2, progress=lambda done, total: steps.append((done, total)))
    assert ran == ["b", "a", "a", "b", "b", "a"]
    assert [len(entry.seconds) for entry in timed] == [2, 2]
    assert [entry.network_seconds for entry in timed] == [(), (0.5, 0.5)]
    assert steps == [(number, 6) for number in range(1, 7)]


def test_a_quick_run_counts_the_first_round() -> None:
    ran: list[str] = []
    (timed,) = time_cases([case("a", ran)], 1, quick=True)
    assert ran == ["a"]
    assert len(timed.seconds) == 1


def test_a_ratio_is_taken_within_rounds() -> None:
    slow = Timed(Facts("network", "slow"), (2.0, 20.0, 3.0))
    fast = Timed(Facts("network", "fast", megapixels=4.0), (1.0, 10.0, 1.0))
    assert ratio(slow, fast) == 2.0
    assert fast.speed == 4.0


def test_a_case_is_named_by_all_that_makes_it_what_it_is() -> None:
    facts = Facts("network", "net", "ncnn", "int8", 2, tile=64, size="8x9", macs=1.0)
    assert str(facts) == "net, ncnn, int8, 2 threads, tile 64, 8x9"
    assert facts.key == Facts("network", "net", "ncnn", "int8", 2, tile=64, size="8x9").key
