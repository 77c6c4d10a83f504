"""All measurements of one run, block by block. What is compared with each other is in one block, see `timing.py`."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np

from kakudai.bench.bare import Opened
from kakudai.bench.file_to_file import engine_case, file_cases, open_upscaler
from kakudai.bench.peers import PEERS, Peer, difference
from kakudai.bench.process import peak_memory, plain_cases, upscale_case, upscale_words
from kakudai.bench.record import Block, Measured
from kakudai.bench.roof import roof_cases
from kakudai.bench.subject import Subject, find_subjects, photograph
from kakudai.bench.timing import Case, Facts, Timed, time_cases
from kakudai.bench.wish import Wish
from kakudai.engine.runtimes import RuntimeName
from kakudai.errors import KakudaiError
from kakudai.image.files import write_image
from kakudai.image.picture import Picture, Pixels

Progress: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Called with the name of a block; what it gives is called with (runs done, runs in all) while that is measured."""

CHECKED = 96
"""Side of the piece on which results of other programs are compared with ours."""


def measure(wish: Wish, progress: Progress) -> Measured:
    """Measure everything.

    Raises:
        UsageError: A number is out of range, or a runtime has no such name.
        ModelError: A network cannot be found or used.
        RuntimeUnavailable: A runtime that was named is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(wish, Path(folder), progress)
        blocks = []
        for subjects in bench.groups:
            blocks += [bench.networks(subjects), bench.files(subjects)]
        blocks.append(bench.processes())
        return Measured(tuple(blocks), tuple(bench.missing.items()))


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
        self.groups = find_subjects(wish.models)
        self._pictures: list[tuple[Pixels, Path]] = []
        for width, height in wish.sizes:
            image, path = photograph(width, height), folder / f"{width}x{height}.jpg"
            write_image(Picture(image), path)
            self._pictures.append((image, path))
        self._png, self._array = folder / "small.png", folder / "small.npy"
        write_image(Picture(self._pictures[0][0]), self._png)
        np.save(self._array, self._pictures[0][0])
        self.missing: dict[str, str] = {}
        self._known: dict[tuple[str, str], bool] = {}

    def networks(self, subjects: Sequence[Subject]) -> Block:
        """Time networks alone, with all tiles and threads, beside the roofs, our engine, and other programs."""
        image = self._pictures[0][0]
        with ExitStack() as stack:
            cases = roof_cases(self._runtimes, self._threads, self._side, stack)
            commands: dict[Facts, list[str]] = {}
            for subject, opened in self._opened(subjects, self._threads, stack):
                for tile in self._tiles:
                    case = opened.case(image, tile)
                    if case.facts not in commands:  # for a small picture, several wishes are the same tile
                        commands[case.facts] = self._command(subject, case.facts)
                        cases.append(case)
                upscaler = open_upscaler(subject, opened.runtime, opened.threads, stack)
                cases.append(engine_case(subject, upscaler, image, opened.threads))
            for threads in self._threads:
                for facts, peer, case in self._peer_cases(subjects[0], threads, stack):
                    words = [peer.name, subjects[0].source, str(threads), str(self._array)]
                    commands[facts] = [sys.executable, "-m", "kakudai.bench.peers", *words]
                    cases.append(case)
            block = self._time(f"networks: {subjects[0].name}", cases)
        return self._with_memory(block, commands)

    def files(self, subjects: Sequence[Subject]) -> Block:
        """Time files that become files, each beside the bare network on the same pixels."""
        threads = self._threads[-1]
        with ExitStack() as stack:
            cases = roof_cases(["onnxruntime"], [threads], self._side, stack)
            for subject, opened in self._opened(subjects, [threads], stack):
                upscaler = open_upscaler(subject, opened.runtime, threads, stack)
                for image, path in self._pictures:
                    cases.append(opened.case(image, None))
                    cases += file_cases(subject, upscaler, image, path, threads)
            return self._time(f"files: {subjects[0].name}", cases)

    def processes(self) -> Block:
        """Time whole processes: what has to be loaded at least, and one small picture with each network."""
        cases, threads = plain_cases(), self._threads[-1]
        for subject in (subject for subjects in self.groups for subject in subjects):
            for runtime in self._runtimes:
                if self._runs(subject, runtime):
                    cases.append(upscale_case(subject, runtime, self._pictures[0][0], self._png, threads))
        return self._time("processes", cases)

    def _opened(
        self, subjects: Sequence[Subject], threads: Sequence[int], stack: ExitStack
    ) -> list[tuple[Subject, Opened]]:
        return [
            (subject, Opened(subject, runtime, count, stack))
            for subject, runtime in product(subjects, self._runtimes)
            if self._runs(subject, runtime)
            for count in threads
        ]

    def _runs(self, subject: Subject, runtime: RuntimeName) -> bool:
        """Say whether a runtime runs a network at all, and remember why not."""
        key = subject.source, runtime
        if key not in self._known:
            try:
                with ExitStack() as stack:
                    Opened(subject, runtime, 1, stack).case(self._pictures[0][0][:32, :32], None).run()
                self._known[key] = True
            except KakudaiError as error:
                self._known[key] = False
                self.missing[f"{subject.model.name} with {runtime}"] = error.message
        return self._known[key]

    def _peer_cases(self, subject: Subject, threads: int, stack: ExitStack) -> list[tuple[Facts, Peer, Case]]:
        """Prepare other programs to do the work of a network: those that are here and that give its picture."""
        if not self._peers:
            return []
        image, cases = self._pictures[0][0], []
        piece = image[:CHECKED, :CHECKED]
        ours = open_upscaler(subject, "onnxruntime", threads, stack).upscale(piece)
        for peer in self._peers:
            reason = peer.missing(subject)
            if not reason:
                try:
                    enlarge = peer.open(subject, threads)
                    reason = difference(peer, ours, enlarge(piece))
                except Exception as error:  # whatever another program raises
                    reason = (str(error).splitlines() or [type(error).__name__])[0]
            if reason:
                self.missing[f"{peer.name} beside {subject.name}"] = reason
                continue

            def run(enlarge: Callable[[Pixels], Pixels] = enlarge) -> None:
                enlarge(image)

            facts = Facts(
                "peer", peer.name, threads=threads, size=f"{image.shape[1]}x{image.shape[0]}", way=subject.name,
                megapixels=subject.megapixels(image), macs=subject.macs(image) if peer.same else 0.0,
            )  # fmt: skip
            cases.append((facts, peer, Case(facts, run)))
        return cases

    def _time(self, name: str, cases: Sequence[Case]) -> Block:
        with self._progress(name) as step:
            return Block(name, tuple(time_cases(cases, self._rounds, quick=self._quick, progress=step)))

    def _command(self, subject: Subject, facts: Facts) -> list[str]:
        """Return the command that enlarges the small picture in the way of a case."""
        target = self._png.with_name("memory.png")
        return upscale_words(subject, facts.runtime, self._png, target, threads=facts.threads, tile=facts.tile)

    def _with_memory(self, block: Block, commands: dict[Facts, list[str]]) -> Block:
        """Measure the memory of networks and other programs, each in a process of its own."""
        timed: list[Timed] = []
        with self._progress(block.name.replace("networks", "memory")) as step:
            for number, entry in enumerate(block.timed, 1):
                words = commands.get(entry.facts)
                timed.append(replace(entry, peak_memory=peak_memory(words)) if words else entry)
                step(number, len(block.timed))
        return Block(block.name, tuple(timed))
