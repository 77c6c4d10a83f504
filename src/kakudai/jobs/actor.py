"""One process of a cluster: it holds loaded networks and does errands, if it can promise the results of all others."""

import pickle
import platform
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kakudai import __version__
from kakudai.errors import KakudaiError, OutputError, RuntimeUnavailable
from kakudai.jobs.carrying import Task
from kakudai.jobs.errand import Errand, failed_errand, run_errand
from kakudai.jobs.fingerprint import Stamp, hash_bytes
from kakudai.jobs.requests import Piece
from kakudai.jobs.sides import Sides
from kakudai.jobs.staging import staging

if TYPE_CHECKING:
    from kakudai.engine.block import Block, Which
    from kakudai.engine.job import FileOptions

MACHINE = ("runtime", "threads", "device")
"""Words of a wish that say how networks are run; what they compute with is said with each block."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What has to be the same on all machines, for results to be the same.

    Args:
        runtime: Of the networks.
        numbers: What they compute with.
        networks: Names and hashes of all that pictures may be given.
        folder: Of the results, which all machines must reach; None where that is a bucket.
        version: Of kakudai.
    """

    runtime: str = ""
    numbers: str = ""
    networks: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Duty:
    """What an actor has to know.

    Args:
        wish: Arguments of `Upscaler`.
        options: How files are read and written.
        promise: What it must have in common with the driver.
        probe: A file in the folder of the results that it must see, and its content; see `Cluster`.
    """

    wish: dict[str, Any]
    options: "FileOptions"
    promise: Promise = Promise()
    probe: tuple[Path, str] | None = None


class Enlarger:
    """An actor: holds networks, and does tasks."""

    def __init__(self, duty: Duty) -> None:
        from kakudai.engine.block import BlockWorker
        from kakudai.engine.machine import Machine
        from kakudai.engine.upscaler import Upscaler

        self._problem: KakudaiError | None = None
        self._stack, self._options, self._turn = ExitStack(), duty.options, threading.Lock()
        try:
            self._compare("kakudai", duty.promise.version, __version__)
            if duty.probe is not None and not _reads(*duty.probe):
                said = f"{platform.node()} does not see {duty.probe[0].parent}, where results are to be"
                raise OutputError(said, "give all machines the same folder at the same place, or use a bucket")
            self._staging = self._stack.enter_context(staging())
            self._upscaler = self._stack.enter_context(Upscaler(**duty.wish))
            self._compare("the runtime", duty.promise.runtime, self._upscaler.runtime)
            self._compare("the precision", duty.promise.numbers, self._upscaler.numbers)
            networks = sorted((name, hash_bytes(data)) for name, data in self._upscaler.contents())
            self._compare("networks", str(duty.promise.networks), str(tuple(networks)))
            machine = Machine(**{word: duty.wish[word] for word in MACHINE if word in duty.wish})
            self._blocks = BlockWorker(machine, self._upscaler.networks)
        except KakudaiError as error:
            self._problem = error

    def _compare(self, what: str, wanted: str, found: str) -> None:
        """Make sure that something is what it is where the command was started."""
        if wanted != found:
            said = f"{what} is {found[:80]} on {platform.node()}, and {wanted[:80]} where the command was started"
            raise RuntimeUnavailable(said, "name a --runtime and --precision that all machines have, and one version")

    def problem(self) -> KakudaiError | None:
        """Say why it cannot work here, once everything is loaded; None if it can."""
        return self._problem

    def enlarge(self, task: Task, stamps: tuple[Stamp, ...]) -> Errand:
        """Do a task, see `run_errand`: one is enlarged at a time, while others are fetched or delivered."""
        sides = Sides(self._staging)  # which forgets what it knew of objects at the time of another task
        words = {"stamps": stamps, "turn": self._turn}
        errand = run_errand(task, self._upscaler, self._options, sides, self._staging, **words)  # type: ignore[arg-type]
        return _portable(errand)

    def enlarge_block(self, number: int, block: "Block", which: "Which", model: list[Any]) -> Piece:
        """Enlarge a part of a picture, see `BlockWorker`; the network is fetched once."""
        import ray

        try:
            return Piece(number, self._blocks.enlarge(block, which, lambda: ray.get(model[0])))
        except KakudaiError as error:
            return Piece(number, None, type(error)(f"on {platform.node()}: {error.message}", error.hint))
        except Exception as error:  # whatever a machine lacks; others may have it
            said = f"on {platform.node()}: {type(error).__name__}: {error}"
            return Piece(number, None, KakudaiError(said, "see what that machine says"))


def _reads(path: Path, content: str) -> bool:
    """Say whether a file is here, with that content."""
    try:
        return path.read_text(encoding="ascii") == content
    except (OSError, ValueError):
        return False


def _portable(errand: Errand) -> Errand:
    """Return what can be sent: some libraries' errors can be packed, and not unpacked."""
    try:
        pickle.loads(pickle.dumps(errand))
    except Exception as error:
        known = errand.result.error
        said = str(known or error).strip() or type(known or error).__name__
        return failed_errand(errand.task, KakudaiError(f"{type(known or error).__name__}: {said}"))
    return errand
