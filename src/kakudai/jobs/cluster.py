"""Many machines: actors of Ray, each with its networks loaded, do the pictures of one command.

The driver, which is the process that was started, finds the pictures, keeps the manifest and gives tasks out. Whoever
gets one fetches the picture, enlarges it and brings the result to its place, which all machines must reach: a bucket or
a shared folder. Only what became of it comes back, a few hundred bytes. Parts of one picture: see `jobs/spreading.py`.

These are plain actors and not Ray Data: that wants blocks of rows and pyarrow, and would hold its own opinion on when a
row is begun, which is written down here before it is.

Nodes may come and go. An actor that dies has its tasks done again by others, for a picture may have nothing to do with
that: the third death over the same picture is its failure. Doing a picture twice harms nobody, because a result that is
there already is good where it is the very same bytes, see `deliver`.
"""

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO, TypeVar, cast

from kakudai.errors import KakudaiError, OutOfMemory, OutputError, RuntimeUnavailable, UsageError
from kakudai.jobs.actor import Duty, Enlarger
from kakudai.jobs.address import is_address
from kakudai.jobs.carrying import Task
from kakudai.jobs.requests import Request
from kakudai.jobs.roster import LOOK_SECONDS, START_SECONDS, Given, Patience, Place, Todo, Worker

logger = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")

NOT_THERE = "is kakudai installed on all machines, for the same Python?"

AT_ONCE = 2
"""Requests of an actor: one picture is fetched or delivered while another is enlarged."""

CONNECT_SECONDS = 10.0
"""How long a cluster may take to answer at all."""

DEATHS = 3
"""Of actors, over one picture, until it has failed."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
"""kakudai goes to no address that the user has not named."""


class Say(Protocol):
    """Tells the user something; what does not matter is left out where little is to be said."""

    def __call__(self, text: str, *, matters: bool) -> None:
        """See there."""


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
        if not address.strip():
            hint = "accepted are HOST:PORT, auto for the cluster here, and local for a new one of this machine"
            raise UsageError("the address of the cluster is empty", hint)
        if most is not None and most < 1:
            raise UsageError(f"actors is {most}", "accepted are whole numbers from 1")
        self._address, self._duty, self._threads, self._most = address, duty, threads, most
        self._coming: dict[Any, Worker] = {}
        self._working: list[Worker] = []
        self._given_up: Counter[Place] = Counter()
        self._failed: Counter[Place] = Counter()
        self._refusal: KakudaiError | None = None
        self._patience = Patience()
        self._stdout = sys.stdout

    def __enter__(self) -> "Cluster":
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import ray

        sys.stdout = cast(TextIO, WithoutRay(self._stdout))
        at_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            self._lay_probe()
            _check_reachable(self._address)
            self._patience = Patience()
            ray.init(address=self._address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            self._fill()
        except BaseException as error:
            self.__exit__(None, None, None)
            if not isinstance(error, ConnectionError | RuntimeError | ValueError | ray.exceptions.RayError):
                raise
            hint = "accepted are HOST:PORT of a cluster that this machine belongs to, auto for the one here, and local"
            said = f"the cluster at {self._address} cannot be used: {_first_line(error)}"
            raise RuntimeUnavailable(said, hint) from error
        finally:  # which Ray takes for itself, with another exit code than ours
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, at_sigterm)
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
        if self._duty.probe is not None:
            self._duty.probe[0].unlink(missing_ok=True)

    def _lay_probe(self) -> None:
        """Put a file where results are to be, which each actor must see there: else they would be lost on its disk.

        Raises:
            OutputError: That cannot be done.
        """
        folder = self._duty.promise.folder
        if folder is None:
            return
        path, content = folder / f".kakudai-{secrets.token_hex(8)}", secrets.token_hex(8)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="ascii")
        except OSError as error:
            raise OutputError(f"{folder} cannot be written: {error.strerror}", "choose another folder") from error
        self._duty = replace(self._duty, probe=(path, content))

    @property
    def size(self) -> int:
        """How many actors are at work."""
        return len(self._working)

    def run(
        self,
        requests: Iterator[Request[Outcome]],
        say: Say,
        *,
        has_room: Callable[[], bool] = lambda: True,
        enough: threading.Event | None = None,
    ) -> Generator[Outcome, None, None]:
        """Have requests done, and yield what became of them as they end.

        Args:
            requests: They are asked for when an actor has room.
            say: Told when actors come and go.
            has_room: Says whether the outcome of one more can be taken; asked before a new one is begun.
            enough: Another thread sets it when it wants no more; looked at every `LOOK_SECONDS`.

        Raises:
            KakudaiError: No actor can work: why the last that was asked cannot.
            RuntimeUnavailable: None has come, or come back, for `START_SECONDS`.
        """
        todo, patience = Todo(requests, has_room), self._patience
        if not patience.is_over or self._working:  # a cluster where nobody was is not waited for again
            patience.restart()
        try:
            while not (enough is not None and enough.is_set()):
                self._give_out(todo)
                if todo.is_over and not todo.given and not todo.again:
                    return
                reference = _first_ready([*todo.given, *self._coming])
                if reference in self._coming:
                    self._arrived(reference, say)
                elif reference is not None:
                    one = todo.given.pop(reference)
                    if self._ended(reference, one, say):
                        yield one.outcome
                        patience.restart()  # whoever takes outcomes may have taken its time
                    else:
                        todo.again.append(one)
                if patience.wants_a_look():
                    self._fill()
                if self._working:
                    patience.see_somebody()
                elif patience.is_over or (self._refusal and not self._coming and not patience.has_seen):
                    raise self._refusal or _no_room()
        finally:  # of what is not waited for any longer
            for one in todo.given.values():
                assert one.worker is not None
                one.worker.doing, one.worker.is_alone = one.worker.doing - 1, False

    def _give_out(self, todo: "Todo") -> None:
        """Give actors what they have room for."""
        while (one := todo.first()) is not None and (worker := self._free(one)) is not None:
            todo.begin(one.request.ask(worker.actor), one)
            one.worker, worker.doing, worker.is_alone = worker, worker.doing + 1, one.deaths > 0

    def _free(self, one: Given) -> Worker | None:
        """Return the actor that has least to do, if it has room for a request.

        Args:
            one: The request: for one over which an actor has died an idle one, and where an actor could not do it,
                another, if there is one.
        """
        most = 0 if one.deaths else AT_ONCE - 1
        able = self._others(one) or self._working
        free = [worker for worker in able if worker.doing <= most and not worker.is_alone]
        return min(free, key=lambda worker: worker.doing, default=None)

    def _others(self, one: Given) -> list[Worker]:
        """Return the actors that have not yet refused a request."""
        refused = {id(worker) for worker in one.refused_by}
        return [worker for worker in self._working if id(worker) not in refused]

    def _ended(self, reference: Any, one: Given, say: Say) -> bool:
        """Note what became of a request; return whether it has ended, rather than being for another actor."""
        import ray
        from ray.exceptions import RayActorError, RayError, RaySystemError, RayTaskError

        worker, request = one.worker, one.request
        assert worker is not None
        worker.doing, worker.is_alone = worker.doing - 1, False
        try:
            one.outcome = ray.get(reference)
        except RayTaskError as error:  # a fault of ours, in that actor
            one.outcome = request.failed(error.cause if isinstance(error.cause, Exception) else error)
        except RaySystemError as error:
            one.outcome = request.failed(error)
        except RayError as error:
            if isinstance(error, RayActorError) and worker in self._working:  # else another request has told already
                self._working.remove(worker)
                ray.kill(worker.actor)
                say(f"an actor has died, and others do its work: {_first_line(error)}", matters=True)
                self._fill()
            one.deaths += 1
            if one.deaths < DEATHS:
                return False
            hint = "it may need more memory than an actor has: fewer --actors, or a smaller --tile"
            said = f"it was lost with {DEATHS} actors: {_first_line(error)}"
            one.outcome = request.failed(OutOfMemory(said, hint), is_final=True)
            return True
        if not request.is_refused(one.outcome):
            return True
        one.refused_by.append(worker)
        return len(one.refused_by) >= DEATHS or not (self._others(one) or self._coming)

    def _arrived(self, reference: Any, say: Say) -> None:
        """Take an actor in that has loaded its networks, or note why it cannot work."""
        import ray
        from ray.exceptions import RayError

        worker = self._coming.pop(reference)
        try:
            self._refusal = ray.get(reference)
        except RayError as error:  # its node is gone, say, or kakudai is not there: it is tried again, not for ever
            self._failed[worker.place] += 1
            if self._failed[worker.place] == 1:
                say(f"warning: an actor could not start: {_first_line(error)}", matters=True)
            elif self._failed[worker.place] == DEATHS:
                self._given_up[worker.place] += 1
                self._refusal = RuntimeUnavailable(f"actors do not start: {_first_line(error)}", NOT_THERE)
        else:
            if self._refusal is None:
                self._working.append(worker)
                say(f"actors at work: {len(self._working)}", matters=False)
            else:
                say(f"warning: an actor cannot work: {self._refusal.message}", matters=True)
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
            wanted = min(self._threads or processors, max(1, processors // max(1, gpus)))
            if processors:
                count = gpus or processors // wanted
                found += [Place(node["NodeID"], wanted, min(1, gpus))] * count
        return found


def _check_reachable(address: str) -> None:
    """Make sure that somebody answers at HOST:PORT: Ray itself tries for minutes, and names another address.

    Raises:
        ConnectionError: Nobody does.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()) or "//" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nobody answers at {address}: {error}") from error


def _first_ready(waited: list[Any]) -> Any:
    """Wait for a while, and return a reference that is there; None where none is."""
    import ray

    if not waited:
        time.sleep(LOOK_SECONDS / 4)
        return None
    ready = ray.wait(waited, num_returns=1, timeout=LOOK_SECONDS)[0]
    return ready[0] if ready else None


def _no_room() -> RuntimeUnavailable:
    hint = "let its machines have free processors, or ask for fewer --threads; is kakudai installed on all of them?"
    return RuntimeUnavailable(f"no actor has come to work in the cluster for {START_SECONDS:.0f} seconds", hint)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def everywhere(task: Task) -> Task:
    """Return a task whose paths mean the same on every machine that has the same folders."""
    source, target = (name if is_address(name) else str(Path(name).absolute()) for name in (task.source, task.target))
    return Task(source, target, task.replaces)
