"""Many machines: actors of Ray, each with its networks loaded, do the pictures of one command.

The driver, which is the process that was started, finds the pictures, keeps the manifest and gives tasks out. Whoever
gets one fetches the picture, enlarges it and brings the result to its place, which all machines must reach: a bucket or
a shared folder. Only what became of it comes back, a few hundred bytes.

These are plain actors and not Ray Data: that wants blocks of rows and pyarrow, and would hold its own opinion on when a
row is begun, which is written down here before it is.

Nodes may come and go. An actor that dies has its tasks done again by others, for a picture may have nothing to do with
that: the third death over the same picture is its failure. Doing a picture twice harms nobody, because a result that is
there already is good where it is the very same bytes, see `deliver`.
"""

import logging
import os
import platform
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, cast

from kakudai import __version__
from kakudai.errors import KakudaiError, OutOfMemory, RuntimeUnavailable, UsageError
from kakudai.jobs.address import is_address
from kakudai.jobs.carrying import Task
from kakudai.jobs.errand import Errand, failed_errand, run_errand
from kakudai.jobs.sides import Sides
from kakudai.jobs.staging import staging

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions

logger = logging.getLogger(__name__)

LOCAL = "local"
"""The address that starts a cluster of this machine alone, for as long as the command runs."""

AT_ONCE = 2
"""Tasks of an actor: one picture is fetched or delivered while another is enlarged."""

DEATHS = 3
"""Of actors, over one picture, until it has failed."""

START_SECONDS = 120.0
"""How long it may take until an actor is at work."""

LOOK_SECONDS = 2.0
"""From one look whether nodes have joined to the next."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
"""kakudai goes to no address that the user has not named."""


class WithoutRay:
    """Standard output without what threads of Ray print there: what is said on it belongs to the pictures.

    Args:
        stream: The real one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, unless a thread of Ray does."""
        if threading.current_thread().name.startswith("ray_"):
            logger.info("Ray says: %s", text)
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@dataclass(frozen=True, slots=True)
class Duty:
    """What an actor has to know.

    Args:
        wish: Arguments of `Upscaler`.
        options: How files are read and written.
        version: Of the driver's kakudai, which is that of all.
    """

    wish: dict[str, Any]
    options: "FileOptions"
    version: str = __version__


class Enlarger:
    """An actor: holds networks, and does tasks."""

    def __init__(self, duty: Duty) -> None:
        from kakudai.engine.upscaler import Upscaler

        self._problem: KakudaiError | None = None
        self._stack, self._options = ExitStack(), duty.options
        try:
            if duty.version != __version__:
                said = f"kakudai is {__version__} on {platform.node()}, and {duty.version} where it was started"
                raise RuntimeUnavailable(said, "install the same version on all machines")
            self._staging = self._stack.enter_context(staging())
            self._upscaler = self._stack.enter_context(Upscaler(**duty.wish))
        except KakudaiError as error:
            self._problem = error

    def problem(self) -> KakudaiError | None:
        """Say why it cannot work here, once everything is loaded; None if it can."""
        return self._problem

    def enlarge(self, task: Task, *, ours: bool) -> Errand:
        """Do a task, see `run_errand`."""
        sides = Sides(self._staging)  # which forgets what it knew of objects at the time of another task
        return run_errand(task, self._upscaler, self._options, sides, self._staging, ours=ours)


@dataclass(slots=True)
class Worker:
    """An actor, as the driver sees it.

    Args:
        actor: Its handle.
        place: Where it was put: a node and the processors, and GPUs, that it holds.
        doing: How many tasks it has.
    """

    actor: Any
    place: "Place"
    doing: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Room for one actor on one node."""

    node: str
    processors: int
    gpus: int = 0


@dataclass(slots=True)
class Given:
    """A task that an actor has, or that waits for one again.

    Args:
        task: Which.
        ours: See `run_errand`.
        deaths: Of actors that had it.
    """

    task: Task
    ours: bool
    deaths: int = 0
    worker: Worker | None = field(default=None, repr=False)


class Cluster:
    """The actors of one command.

    Args:
        address: Of a cluster, "auto" for the one that this machine belongs to, or "local".
        duty: What each actor has to know.
        threads: Processors of each; all of its node if None.
        most: Actors at most; as many as there is room for if None.

    Raises:
        RuntimeUnavailable: Ray is not installed, the cluster does not answer, or no actor can work.
    """

    def __init__(self, address: str, duty: Duty, *, threads: int | None = None, most: int | None = None) -> None:
        if find_spec("ray") is None:
            raise RuntimeUnavailable("ray is not installed", "pip install 'kakudai[ray]'")
        if most is not None and most < 1:
            raise UsageError(f"actors is {most}", "accepted are whole numbers from 1")
        self._address, self._duty, self._threads, self._most = address, duty, threads, most
        self._coming: dict[Any, Worker] = {}
        self._working: list[Worker] = []
        self._given_up: Counter[Place] = Counter()
        self._refusal: KakudaiError | None = None
        self._stdout = sys.stdout

    def __enter__(self) -> "Cluster":
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import ray

        where = None if self._address == LOCAL else self._address
        sys.stdout = cast(TextIO, WithoutRay(self._stdout))
        at_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or ["no answer"])[0]
            hint = "check the address, or start one: ray start --head"
            sys.stdout = self._stdout
            raise RuntimeUnavailable(f"the cluster at {self._address} cannot be used: {reason}", hint) from error
        finally:  # which Ray takes for itself, with another exit code than ours
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, at_sigterm)
        self._fill()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import ray

        for worker in (*self._working, *self._coming.values()):
            ray.kill(worker.actor)
        self._working, self._coming = [], {}
        ray.shutdown()
        sys.stdout = self._stdout

    def run(self, tasks: Iterator[tuple[Task, bool]], say: Callable[[str], None]) -> Generator[Errand, None, None]:
        """Have tasks done, and yield what became of them as they end.

        Args:
            tasks: With each, whether what is at its target is an earlier result of ours. They are asked for when an
                actor has room.
            say: Told when actors come and go.

        Raises:
            KakudaiError: No actor can work: why the last that was asked cannot.
            RuntimeUnavailable: None has come, or come back, for `START_SECONDS`.
        """
        import ray

        again: deque[Given] = deque()
        given: dict[Any, Given] = {}
        is_over, looked = False, time.monotonic()
        last_seen = looked
        while True:
            while not (is_over and not again) and (worker := self._free()) is not None:
                one = again.popleft() if again else next((Given(*each) for each in tasks), None)
                if one is None:
                    is_over = True
                    break
                one.worker, worker.doing = worker, worker.doing + 1
                given[worker.actor.enlarge.remote(one.task, ours=one.ours)] = one
            if is_over and not given and not again:
                return
            waited = [*given, *self._coming]
            ready = ray.wait(waited, num_returns=1, timeout=LOOK_SECONDS)[0] if waited else []
            if not waited:
                time.sleep(LOOK_SECONDS / 4)
            if ready and ready[0] in given:
                one = given.pop(ready[0])
                errand = self._ended(ready[0], one, say)
                if errand is None:
                    again.append(one)
                else:
                    yield errand
            elif ready:
                self._arrived(ready[0], say)
            if time.monotonic() > looked + LOOK_SECONDS:
                self._fill()
                looked = time.monotonic()
            if self._working:
                last_seen = time.monotonic()
            elif (self._refusal and not self._coming) or time.monotonic() > last_seen + START_SECONDS:
                raise self._refusal or _no_room()

    def _free(self) -> Worker | None:
        """Return the actor that has least to do, if it has room for a task."""
        worker = min(self._working, key=lambda one: one.doing, default=None)
        return worker if worker is not None and worker.doing < AT_ONCE else None

    def _ended(self, reference: Any, one: Given, say: Callable[[str], None]) -> Errand | None:
        """Return what became of a task; None where its actor has died and another is to do it."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        worker = one.worker
        assert worker is not None
        worker.doing -= 1
        try:
            errand: Errand = ray.get(reference)
        except RayTaskError as error:  # a fault of ours, in that actor
            return failed_errand(one.task, error.cause if isinstance(error.cause, Exception) else error)
        except RayError as error:
            if worker in self._working:  # else another of its tasks has told already
                self._working.remove(worker)
                say(f"an actor has died, and others do its pictures: {_first_line(error)}")
                self._fill()
            one.deaths += 1
            if one.deaths < DEATHS:
                return None
            hint = "it may need more memory than an actor has: fewer --actors, or a smaller --tile"
            said = f"{DEATHS} actors have died over it: {_first_line(error)}"
            return failed_errand(one.task, OutOfMemory(said, hint))
        return errand

    def _arrived(self, reference: Any, say: Callable[[str], None]) -> None:
        """Take an actor in that has loaded its networks, or note why it cannot work."""
        import ray
        from ray.exceptions import RayError

        worker = self._coming.pop(reference)
        try:
            self._refusal = ray.get(reference)
        except RayError as error:  # its node is gone, say; it is tried again
            logger.info("an actor could not start: %s", _first_line(error))
        else:
            if self._refusal is None:
                self._working.append(worker)
                say(f"{len(self._working)} actors at work")
            else:
                say(f"warning: an actor cannot work: {self._refusal.message}")
                self._given_up[worker.place] += 1

    def _fill(self) -> None:
        """Have actors started wherever there is room: at first, after a death, and on nodes that have joined."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = [*self._working, *self._coming.values()]
        taken = Counter(worker.place for worker in there) + self._given_up
        missing = Counter(self._places()) - taken
        for place in list(missing.elements())[: None if self._most is None else max(0, self._most - len(there))]:
            remote: Any = ray.remote(Enlarger)
            actor = remote.options(
                num_cpus=place.processors, num_gpus=place.gpus, max_concurrency=AT_ONCE,
                scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
                runtime_env={"env_vars": QUIET},
            ).remote(self._duty)  # fmt: skip
            self._coming[actor.problem.remote()] = Worker(actor, place)

    def _places(self) -> list[Place]:
        """Return the room for actors: one for each GPU, or for so many processors, of each node that lives."""
        import ray

        found = []
        for node in ray.nodes():  # type: ignore[no-untyped-call]
            room = node["Resources"] if node["Alive"] else {}
            on_gpus = self._duty.wish.get("device") == "cuda"
            processors, gpus = int(room.get("CPU", 0)), int(room.get("GPU", 0)) if on_gpus else 0
            wanted = min(self._threads or max(1, processors // max(1, gpus)), processors)
            if processors:
                count = gpus or processors // wanted
                found += [Place(node["NodeID"], wanted, min(1, gpus))] * count
        return found


def _no_room() -> RuntimeUnavailable:
    hint = "let its machines have free processors, or ask for fewer --threads; is kakudai installed on all of them?"
    return RuntimeUnavailable(f"no actor has come to work in the cluster for {START_SECONDS:.0f} seconds", hint)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def everywhere(task: Task) -> Task:
    """Return a task whose paths mean the same on every machine that has the same folders."""
    source, target = (name if is_address(name) else str(Path(name).absolute()) for name in (task.source, task.target))
    return Task(source, target, task.replaces)
