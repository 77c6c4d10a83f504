"""The queue of a device: who waits, who runs, and what becomes of them. Nothing here blocks."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from kakudai.serve.child import Child, Died
from kakudai.serve.cost import Estimator, check_header, check_result, output_size
from kakudai.serve.handover import read_answer
from kakudai.serve.header import Header
from kakudai.serve.jobs import Job, State
from kakudai.serve.measures import Measures
from kakudai.serve.problems import KINDS, Problem
from kakudai.serve.settings import Settings
from kakudai.serve.store import Store

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 20.0

CHOSEN = ("model", "strength", "precision", "reason")
"""What the engine says of its choice, before and after the work."""

PATIENCE = 10.0
"""Seconds in which a process has to heed that nobody wants its work; encoding cannot be interrupted."""


def order_for(job: Job, settings: Settings, *, analyse: bool) -> dict[str, Any]:
    """Return the order to decode the picture of a job."""
    limits = settings.limits
    return {
        "source": str(job.source),
        "folder": str(job.decoded),
        "pixels": limits.input_pixels,
        "seconds": limits.decode_seconds,
        "cpu_seconds": limits.decode_cpu_seconds,
        "bytes": limits.decode_bytes,
        "keep_gps": settings.keep_gps,
        "analyse": analyse,
    }


def problem_of(message: dict[str, Any], folder: Path | None = None) -> Problem:
    """Return the problem that a helping process reports, in its message or in a folder."""
    if "problem" not in message and folder is not None:
        message = read_answer(folder)
    name = message["problem"] if message.get("problem") in KINDS else "internal"
    return Problem(name, str(message.get("detail", ""))[:500])


class Dispatcher:
    """One device: its queue, its engine, and the decoder that works for it.

    Args:
        settings: Of the server.
        store: Where jobs and files are.
        estimator: Learns from what is done.
        measures: Counted here.
    """

    def __init__(self, settings: Settings, store: Store, estimator: Estimator, measures: Measures) -> None:
        self._settings, self._store, self._estimator, self._measures = settings, store, estimator, measures
        self._waiting: deque[Job] = deque()
        self._there = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._at_work: asyncio.Task[None] | None = None
        self._restarting: asyncio.Task[None] | None = None
        self.running: Job | None = None
        self.stopping = False
        died = measures.died
        self.engine = Child("kakudai.serve.engine_process", [json.dumps(settings.machine.arguments)],
                            lambda: died("engine"))  # fmt: skip
        self.decoder = Child("kakudai.serve.decoder_process", [], lambda: died("decoder"))

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._sweep())]

    @property
    def ready(self) -> bool:
        """Whether pictures are taken and the engine is there."""
        return self.engine.ready and not self.stopping

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def of_client(self, client: str) -> int:
        """Return how many pictures of a client wait or run."""
        jobs = [*self._waiting, *([self.running] if self.running else [])]
        return sum(job.client == client for job in jobs)

    def check_room(self, client: str) -> None:
        """Refuse a picture that has no place in the queue.

        Raises:
            Problem: The queue is full, the client has enough in it, or the server is stopping.
        """
        limits = self._settings.limits
        if self.stopping:
            raise Problem("stopping", "the server is stopping and takes no more pictures")
        if self.of_client(client) >= limits.per_client:
            raise Problem("too-many-requests", f"{limits.per_client} pictures of yours wait or run already")
        if len(self._waiting) >= limits.queue:
            raise Problem("queue-full", f"{limits.queue} pictures wait already", retry=min(60.0, self.ahead()))

    def ahead(self, job: Job | None = None) -> float:
        """Estimate the seconds until those before a job are done; None stands for the end of the queue."""
        seconds = self.running.seconds_left(0.0) if self.running else 0.0
        for other in self._waiting:
            if other is job:
                break
            seconds += other.estimate
        return seconds

    def submit(self, job: Job, patience: float | None = None) -> None:
        """Put a job into the queue.

        Args:
            job: One that nobody has seen yet.
            patience: Seconds after which it is given up.

        Raises:
            Problem: See `check_room`; or those before it alone take longer than its patience.
        """
        self.check_room(job.client)
        ahead = self.ahead()
        if patience is not None and ahead > patience:
            raise Problem("queue-full", f"those before it take about {ahead:.0f} seconds", retry=ahead - patience / 2)
        self._store.add(job)
        self._waiting.append(job)
        self._number()
        self._there.set()

    def cancel(self, job: Job) -> None:
        """Stop a job, whatever it is at; what runs stops at its next tile."""
        if job.is_final:
            return
        if job in self._waiting:
            self._waiting.remove(job)
            self._end(job, "cancelled")
            self._number()
        elif job is self.running and self._at_work is not None:
            job.change(state="cancelled", place=None)
            self._spawn(self._interrupt(self._at_work))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(lambda done: self._tasks.remove(done) if done in self._tasks else None)
        return task

    async def _interrupt(self, task: asyncio.Task[None]) -> None:
        """Stop what runs: gently if it heeds, else by ending its process."""
        if task.done():
            return
        await self.engine.cancel()
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        if not done:
            task.cancel()

    async def stop(self) -> None:
        """Take no more pictures, send those away that wait, and finish what runs."""
        self.stopping = True
        while self._waiting:
            self._end(self._waiting.popleft(), "failed", Problem("stopping", "the server stops before its turn"))
        if self._at_work is not None:
            await asyncio.wait({self._at_work})

    async def close(self) -> None:
        """End everything now."""
        self.stopping = True  # nothing is started again
        tasks = [*self._tasks, *([self._at_work] if self._at_work else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self.engine.close(), self.decoder.close())

    async def _work(self) -> None:
        """Do one job after the other, for ever."""
        while True:
            await self._start_children()
            while not self._waiting:
                self._there.clear()
                await self._there.wait()
            await self._start_children()
            if not self._waiting:
                continue
            job = self.running = self._waiting.popleft()
            self._number()
            self._at_work = asyncio.create_task(self._do(job))
            try:
                await asyncio.wait({self._at_work})
            finally:
                self._at_work.cancel()
                self.running = self._at_work = None

    async def _start_children(self) -> None:
        for child in (self.decoder, self.engine):
            try:
                await child.start()
            except (Died, OSError):
                logger.exception("a helping process does not start")

    async def _do(self, job: Job) -> None:
        """Do one job, and note how it ended."""
        job.change(state="running", started=time.monotonic())
        try:
            async with asyncio.timeout(self._settings.limits.job_seconds):
                await self._decode(job)
                await self._enlarge(job)
            self._end(job, "done" if job.state == "running" else job.state)
        except Problem as problem:
            self._end(job, "failed", problem)
        except TimeoutError:
            self._end(job, "failed", Problem("deadline", "the picture takes longer than any may"))
        except (Died, ValueError, KeyError, OSError) as error:
            logger.warning("a helping process has failed: %s %s", type(error).__name__, error)
            self._end(job, "failed", Problem("worker-died", "the process that worked on the picture has ended"))
        except Exception as error:  # else the job would run for ever: an answer that makes no sense, a mistake of ours
            logger.exception("a picture could not be done")
            self._end(job, "failed", Problem("internal", type(error).__name__))
        except asyncio.CancelledError:
            self._end(job, "cancelled")
            raise
        finally:
            self._restart()

    def _restart(self) -> None:
        """Start what has died, ahead of the next picture: also what died while it had nothing to do."""
        under_way = self._restarting is not None and not self._restarting.done()
        if not (self.stopping or under_way or (self.engine.ready and self.decoder.ready)):
            self._restarting = self._spawn(self._start_children())

    async def _decode(self, job: Job) -> None:
        """Let the picture be decoded, and look again whether it is too large."""
        job.decoded.mkdir(mode=0o700)
        message = await self.decoder.ask(order_for(job, self._settings, analyse=False))
        if message["event"] != "done":
            raise problem_of(message, job.decoded)
        answer = await asyncio.to_thread(read_answer, job.decoded)
        job.input_size = (int(answer["width"]), int(answer["height"]))
        check_header(Header(job.header.format, job.input_size), job.input_size, self._settings.limits)
        job.output_size = output_size(job.options, job.input_size, self._settings.limits)
        check_result(job.format, job.output_size)

    async def _enlarge(self, job: Job) -> None:
        if job.state != "running":
            return
        order = {
            "folder": str(job.decoded),
            "target": str(job.result),
            "format": job.format,
            "quality": job.options.quality,
            "strip": job.options.strip,
            "region": job.options.part,
            "wish": job.options.wish(),
        }
        message = await self.engine.ask(order, self._hears(job))
        if message["event"] == "failed":
            raise problem_of(message)
        if message["event"] == "cancelled":
            job.change(state="cancelled")
            return
        assert job.input_size is not None
        if job.options.part is None:
            work = job.options.tta * self._estimator.work_of(message["networks"], *job.input_size)
            self._estimator.learn(work, float(message["network_seconds"]))
        job.change(
            progress=1.0,
            output_size=tuple(message["output_size"]),
            notes=tuple(message["notes"]),
            bytes=int(message["bytes"]),
            **{name: message[name] for name in CHOSEN},
        )

    @staticmethod
    def _hears(job: Job) -> Callable[[dict[str, Any]], None]:
        def heard(message: dict[str, Any]) -> None:
            if message["event"] == "progress":
                job.change(progress=float(message["share"]))
            elif message["event"] == "chosen":
                job.change(**{name: message[name] for name in CHOSEN})

        return heard

    def _end(self, job: Job, state: State, problem: Problem | None = None) -> None:
        """Note how a job has ended, and delete what it needs no more."""
        if job.state == "cancelled":
            state, problem = "cancelled", None
        taken = None if job.started is None else time.monotonic() - job.started
        job.state = state
        self._store.clean(job)
        job.change(state=state, place=None, problem=problem, seconds=None if taken is None else round(taken, 3))
        self._measures.job_ended(job)
        if state == "cancelled":
            self._store.remove(job)
        self._store.sweep()

    def _number(self) -> None:
        """Tell all who wait their places."""
        for place, job in enumerate(self._waiting, 1):
            if job.place != place:
                job.change(place=place)
        if self.running is not None and self.running.place is not None:
            self.running.change(place=None)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self._settings.limits.life_seconds / 4))
            self._store.sweep()
            self._restart()
