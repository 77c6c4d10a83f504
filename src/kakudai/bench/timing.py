"""Times that can be compared: every case once per round, in turn, after a warm-up that does not count.

A machine that does other things is slow for seconds or minutes at a time. Whatever is compared is therefore run in the
same round, ratios are taken within rounds, and the median over the rounds is the figure. Every second round goes
backwards, so that no case always follows the same one. Garbage is collected between two cases, never while one runs.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

from kakudai.errors import KakudaiError

Kind: TypeAlias = Literal["roof", "network", "engine", "peer", "file", "process"]

REST = 0.25
"""Seconds between two cases: threads of OpenMP wait actively for 0.2 s after their work, at the next one's cost."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is timed.

    Args:
        kind: A bare matrix product, a bare network, our engine or another program from array to array, a file that
            becomes a file, a process.
        name: Of the network, or of whatever else it is.
        runtime: What runs it; empty where that is in the name.
        precision: Of its numbers.
        threads: Processor threads that it may use.
        tile: Side of its tiles in input pixels; 0 where there are none.
        size: Of the input, as "750x469".
        way: From which format to which.
        megapixels: Of the output, in millions.
        macs: Multiply-adds of one run; 0 where nobody has counted.
    """

    kind: Kind
    name: str
    runtime: str = ""
    precision: str = "float32"
    threads: int = 1
    tile: int = 0
    size: str = ""
    way: str = ""
    megapixels: float = 0.0
    macs: float = 0.0

    @property
    def key(self) -> tuple[str | int, ...]:
        """What makes it the same case in another record."""
        return (
            self.kind, self.name, self.runtime, self.precision, self.threads, self.tile, self.size, self.way,
        )  # fmt: skip

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        tile = f"tile {self.tile}" if self.tile else ""
        return ", ".join(filter(None, (self.name, self.runtime, self.precision, threads, tile, self.size, self.way)))


@dataclass(frozen=True, slots=True)
class Case:
    """Something that can be run again and again.

    Args:
        facts: What it is.
        run: Does it once; returns how many seconds of that were the network's, where it knows, else None.
    """

    facts: Facts
    run: Callable[[], float | None]


@dataclass(frozen=True, slots=True)
class Timed:
    """A case with its times.

    Args:
        facts: What was timed.
        seconds: Wall time of each round.
        network_seconds: What the case itself says that its network took, in each round; empty where it does not.
        peak_memory: Most bytes that a process held that did this alone; None where it was not measured.
    """

    facts: Facts
    seconds: tuple[float, ...]
    network_seconds: tuple[float, ...] = ()
    peak_memory: int | None = None

    @property
    def median(self) -> float:
        """Seconds: the median over the rounds."""
        return median(self.seconds)

    @property
    def speed(self) -> float:
        """Megapixels of output per second."""
        return self.facts.megapixels / self.median


def time_cases(
    cases: Sequence[Case],
    rounds: int,
    *,
    quick: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Timed], list[tuple[Facts, str]]]:
    """Time some cases together. One that fails is not run again and has no times; the others go on.

    Args:
        cases: In the order in which they are run, and returned.
        rounds: How often each is run, after once that does not count.
        quick: No rest between two cases, and no run that does not count.
        progress: Called with (runs done, runs in all).

    Returns:
        The times, and what failed with the reason.
    """
    seconds: list[list[float]] = [[] for _ in cases]
    networks: list[list[float]] = [[] for _ in cases]
    failed: dict[int, str] = {}
    turns = range(1 if quick else 0, rounds + 1)
    done, total = 0, len(cases) * len(turns)
    for turn in turns:
        order = range(len(cases)) if turn % 2 else reversed(range(len(cases)))
        for number in order:
            if number not in failed:
                try:
                    taken, network = _once(cases[number], 0.0 if quick else REST)
                except Exception as error:  # whatever a runtime or another program raises: the others go on
                    failed[number] = reason_of(error)
                else:
                    if turn:
                        seconds[number].append(taken)
                        networks[number] += [] if network is None else [network]
            done += 1
            if progress:
                progress(done, total)
    timed = [
        Timed(case.facts, tuple(seconds[number]), tuple(networks[number]))
        for number, case in enumerate(cases)
        if number not in failed
    ]
    return timed, [(cases[number].facts, reason) for number, reason in failed.items()]


def _once(case: Case, rest: float) -> tuple[float, float | None]:
    """Run a case after a rest; return how long it took, and what it says about its network."""
    gc.collect()
    time.sleep(rest)
    collecting = gc.isenabled()
    gc.disable()
    try:
        started = time.perf_counter()
        network = case.run()
        return time.perf_counter() - started, network
    finally:
        if collecting:
            gc.enable()


def reason_of(error: Exception) -> str:
    """Say in a line why something cannot be measured."""
    if isinstance(error, KakudaiError):
        return error.message
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def ratio(over: Timed, under: Timed) -> float:
    """Divide the times of two cases of the same rounds: the median of what each round says."""
    return median(a / b for a, b in zip(over.seconds, under.seconds, strict=True))
