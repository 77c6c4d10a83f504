"""All measurements of one run, block by block. What is compared with each other is in one block, see `timing.py`."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

from kakudai.bench.bare import Opened
from kakudai.bench.file_to_file import WAYS, engine_case, file_cases, open_upscaler
from kakudai.bench.peer_process import CHECKED, PeerProcess
from kakudai.bench.peers import PEERS, difference
from kakudai.bench.process import peak_memory, plain_cases, upscale_case, upscale_words
from kakudai.bench.record import Block, Measured
from kakudai.bench.roof import roof_cases
from kakudai.bench.subject import Subject, find_subjects, photograph, usual_names
from kakudai.bench.timing import REST, Case, Facts, reason_of, time_cases
from kakudai.bench.wish import Wish
from kakudai.engine.machine import Numbers
from kakudai.engine.runtimes import RuntimeName
from kakudai.errors import KakudaiError
from kakudai.image.files import write_image
from kakudai.image.picture import Picture, Pixels

Progress: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Called with the name of a block; what it gives is called with (runs done, runs in all) while that is measured."""

PROBED = 192
"""Side of the piece on which every network is tried in every runtime before anything is timed."""

STARTED, PEER, FILE = 1.5, 2.0, 1.3
"""For the estimate: seconds that a process needs to start, and how many times as long as the network another program
and a file take."""


def measure(wish: Wish, progress: Progress, say: Callable[[str], None]) -> Measured:
    """Measure everything.

    Args:
        wish: What is to be measured.
        progress: See there.
        say: Told, once, how long it will take.

    Raises:
        UsageError: A number is out of range, or a runtime has no such name.
        ModelError: A network cannot be found or used.
        RuntimeUnavailable: A runtime that was named is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(wish, Path(folder), progress)
        groups = bench.try_all()
        say(f"this takes about {duration(bench.forecast())}")
        blocks = []
        for subjects in groups:
            blocks += [bench.networks(subjects), bench.files(subjects)]
        if groups:
            blocks.append(bench.processes())
        return Measured(tuple(blocks), tuple(bench.missing.items()), bench.failed(blocks))


def duration(seconds: float) -> str:
    """Say a time in the unit that suits it."""
    minutes = round(seconds / 60)
    return f"{max(10, round(seconds, -1)):.0f} seconds" if minutes < 2 else f"{minutes} minutes"


class Bench:
    """One run: the networks, the pictures, and what turned out to be impossible.

    Args:
        wish: What is to be measured.
        folder: For pictures and results; somebody else empties it.
        progress: See `Progress`.
    """

    def __init__(self, wish: Wish, folder: Path, progress: Progress) -> None:
        self._rounds, self._quick = wish.chosen_rounds(), wish.quick
        self._tiles, self._threads, self._runtimes = wish.chosen_tiles(), wish.chosen_threads(), wish.chosen_runtimes()
        self._side, self._peers, self._progress = wish.side, PEERS if wish.peers else (), progress
        self._files_everywhere = wish.files_everywhere
        groups = find_subjects(wish.models or usual_names(full=wish.full))
        self._groups = [[subject for subject in group if any(map(subject.runs_in, self._runtimes))] for group in groups]
        self._pictures: list[tuple[Pixels, Path]] = []
        for width, height in wish.sizes:
            image, path = photograph(width, height), folder / f"{width}x{height}.jpg"
            write_image(Picture(image), path)
            self._pictures.append((image, path))
        self._png = folder / "small.png"
        write_image(Picture(self._pictures[0][0]), self._png)
        self.missing: dict[str, str] = {}
        self._costs: dict[tuple[str, Numbers, RuntimeName], float] = {}

    def try_all(self) -> list[list[Subject]]:
        """Let every network enlarge a piece in every runtime; return those that can, in their groups.

        What is wrong with the others is remembered, also a result that the engine does not let pass.
        """
        pairs = [
            (subject, runtime)
            for subject, runtime in product([subject for group in self._groups for subject in group], self._runtimes)
            if subject.runs_in(runtime)
        ]
        with self._progress("what runs") as step:
            for number, (subject, runtime) in enumerate(pairs, 1):
                try:
                    self._costs[subject.source, subject.numbers, runtime] = self._cost(subject, runtime)
                except Exception as error:  # whatever a runtime raises
                    self.missing[f"{subject.model.name} with {runtime}, {subject.numbers}"] = reason_of(error)
                step(number, len(pairs))
        running = [[subject for subject in group if self._running(subject)] for group in self._groups]
        return [group for group in running if group]

    def _cost(self, subject: Subject, runtime: RuntimeName) -> float:
        """Return the seconds that our engine needs for an input pixel, roughly."""
        piece = self._pictures[0][0][:PROBED, :PROBED]
        with ExitStack() as stack:
            upscaler = open_upscaler(subject, runtime, self._threads[-1], stack)
            upscaler.upscale(piece)
            started = time.perf_counter()
            upscaler.upscale(piece)
            return (time.perf_counter() - started) / float(piece.shape[0] * piece.shape[1])

    def _cost_of(self, subject: Subject, runtime: RuntimeName) -> float:
        return self._costs[subject.source, subject.numbers, runtime]

    def _running(self, subject: Subject) -> list[RuntimeName]:
        return [runtime for runtime in self._runtimes if (subject.source, subject.numbers, runtime) in self._costs]

    def _for_files(self, subject: Subject) -> list[RuntimeName]:
        """Return the runtimes in which files are measured: the first is the one that `auto` takes."""
        return self._running(subject)[: None if self._files_everywhere else 1]

    def forecast(self) -> float:
        """Return about how many seconds everything will take that runs at all."""
        small, large = (image.shape[0] * image.shape[1] for image, _ in self._pictures)
        turns, rest = (1, 0.0) if self._quick else (self._rounds + 1, REST)
        slowness = [self._threads[-1] / count for count in self._threads]
        total = 0.0
        for group in self._groups:
            known = [self._cost_of(subject, runtime) for subject in group for runtime in self._running(subject)]
            for cost in known:
                total += turns * (len(self._tiles) + 1) * sum(cost * small * slow + rest for slow in slowness)
                total += len(self._tiles) * sum(STARTED + cost * small * slow for slow in slowness)
                total += turns * (STARTED + cost * small + rest)
            for subject in group:
                costs = [self._cost_of(subject, runtime) for runtime in self._for_files(subject)]
                total += turns * (1 + len(WAYS)) * sum(FILE * cost * (small + large) + 2 * rest for cost in costs)
            if known:
                peer = min(known) * PEER * small
                total += len(self._peers) * sum(2 * STARTED + (turns + 1) * (peer * slow + rest) for slow in slowness)
        return total

    def failed(self, blocks: Sequence[Block]) -> tuple[str, ...]:
        """Return the networks of which our engine has no time."""
        timed = {(entry.facts.name, entry.facts.precision) for block in blocks for entry in block.of("engine")}
        subjects = [subject for group in self._groups for subject in group]
        return tuple(subject.model.name for subject in subjects if (subject.name, subject.numbers) not in timed)

    def networks(self, subjects: Sequence[Subject]) -> Block:
        """Time networks alone, with all tiles and threads, beside the roofs, our engine, and other programs."""
        image = self._pictures[0][0]
        with ExitStack() as stack:
            cases = roof_cases(self._runtimes, self._threads, self._side, stack)
            peaks: dict[Facts, int | None] = {}
            commands: dict[Facts, list[str]] = {}
            for subject in subjects:
                for runtime, threads in product(self._running(subject), self._threads):
                    opened = Opened(subject, runtime, threads, stack)
                    for tile in self._tiles:
                        case = opened.case(image, tile)
                        if case.facts not in commands:  # for a small picture, several wishes are the same tile
                            commands[case.facts] = self._command(subject, case.facts)
                            cases.append(case)
                    upscaler = open_upscaler(subject, runtime, threads, stack)
                    cases.append(engine_case(subject, upscaler, image, threads))
            for threads in self._threads:
                for case, peak in self._peer_cases(subjects[0], threads, stack):
                    cases.append(case)
                    peaks[case.facts] = peak
            block = self._time(f"networks: {subjects[0].name}", cases)
        peaks |= self._memory(subjects[0].name, commands)
        return Block(block.name, tuple(replace(entry, peak_memory=peaks.get(entry.facts)) for entry in block.timed))

    def files(self, subjects: Sequence[Subject]) -> Block:
        """Time files that become files, each beside the bare network on the same pixels."""
        threads = self._threads[-1]
        with ExitStack() as stack:
            cases = roof_cases(["onnxruntime"], [threads], self._side, stack)
            for subject in subjects:
                for runtime in self._for_files(subject):
                    opened = Opened(subject, runtime, threads, stack)
                    upscaler = open_upscaler(subject, runtime, threads, stack)
                    for image, path in self._pictures:
                        cases.append(opened.case(image, None))
                        cases += file_cases(subject, upscaler, image, path, threads)
            return self._time(f"files: {subjects[0].name}", cases)

    def processes(self) -> Block:
        """Time whole processes: what has to be loaded at least, and one small picture with each network."""
        image, threads = self._pictures[0][0], self._threads[-1]
        subjects = [subject for group in self._groups for subject in group]
        cases = [
            upscale_case(subject, runtime, image, self._png, threads)
            for subject in subjects
            for runtime in self._running(subject)
        ]
        return self._time("processes", [*plain_cases(), *cases])

    def _peer_cases(self, subject: Subject, threads: int, stack: ExitStack) -> list[tuple[Case, int | None]]:
        """Start other programs that do the work of a network: those that are here and that give its picture.

        Returns:
            Each with the most memory that it held for one picture.
        """
        image, found = self._pictures[0][0], []
        with ExitStack() as ending:
            ours = open_upscaler(subject, self._running(subject)[0], threads, ending).upscale(image[:CHECKED, :CHECKED])
        for peer in self._peers:
            reason = peer.missing(subject)
            if not reason:
                try:
                    with ExitStack() as starting:
                        process = PeerProcess(peer, subject, threads, image, starting)
                        reason = difference(peer, ours, process.piece)
                        if not reason:
                            stack.enter_context(starting.pop_all())
                except KakudaiError as error:
                    reason = error.message
            if reason:
                self.missing[f"{peer.name} beside {subject.name}"] = reason
                continue
            facts = Facts(
                "peer", peer.name, threads=threads, size=f"{image.shape[1]}x{image.shape[0]}", way=subject.name,
                megapixels=subject.megapixels(image), macs=subject.macs(image) if peer.same else 0.0,
            )  # fmt: skip
            found.append((Case(facts, process.run), process.peak_memory))
        return found

    def _time(self, name: str, cases: Sequence[Case]) -> Block:
        with self._progress(name) as step:
            timed, failed = time_cases(cases, self._rounds, quick=self._quick, progress=step)
        for facts, reason in failed:
            self.missing[f"{facts.kind} {facts}"] = reason
        return Block(name, tuple(timed))

    def _command(self, subject: Subject, facts: Facts) -> list[str]:
        """Return what enlarges the small picture in the way of a case, see `upscale_words`."""
        target = self._png.with_name("memory.png")
        return upscale_words(subject, facts.runtime, self._png, target, threads=facts.threads, tile=facts.tile)

    def _memory(self, name: str, commands: dict[Facts, list[str]]) -> dict[Facts, int | None]:
        """Measure the memory of networks, each in a process of its own."""
        peaks: dict[Facts, int | None] = {}
        with self._progress(f"memory: {name}") as step:
            for number, (facts, words) in enumerate(commands.items(), 1):
                try:
                    peaks[facts] = peak_memory(words)
                except KakudaiError as error:
                    self.missing[f"memory of {facts}"] = error.message
                step(number, len(commands))
        return peaks
