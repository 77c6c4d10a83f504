"""Requests that wait for their answer: `POST /v1/upscale`, waifu2x's `POST /api`, and `POST /v1/analyse`."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from kakudai.models.shipped import STYLES, restores
from kakudai.serve.child import Died
from kakudai.serve.dispatch import order_for, problem_of
from kakudai.serve.handover import read_answer
from kakudai.serve.jobs import Job
from kakudai.serve.options import Options
from kakudai.serve.problems import Problem
from kakudai.serve.service import Service, service_of
from kakudai.serve.uploads import Gone
from kakudai.serve.waifu2x import read_form

Found = TypeVar("Found")

ANALYSES = 16
"""Pictures that may wait to be looked at."""

SCHEMA = 1
"""Of the objects that `kakudai analyse --json` prints."""


async def upscale(request: Request) -> Response:
    """Enlarge a picture and answer with it."""
    service = service_of(request)
    job = await service.receive(request, service.options)
    return await answer(request, service, job)


async def waifu2x(request: Request) -> Response:
    """Enlarge a picture, asked for in the words of waifu2x's server."""
    service = service_of(request)
    notes: list[str] = []

    def options(given: list[tuple[str, str]]) -> Options:
        form = read_form(given, restores={style: restores(style) for style in STYLES}, words=service.words)
        notes.extend(form.notes)
        return service.options(form.options)

    job = await service.receive(request, options)
    return await answer(request, service, job, notes)


async def answer(request: Request, service: Service, job: Job, notes: list[str] | None = None) -> Response:
    """Queue a job, wait for it, and answer with its result.

    Raises:
        Problem: It failed, or is not done by the deadline.
        Gone: The client has left.
    """
    deadline = service.settings.limits.deadline_seconds
    try:
        service.check_cost(job, deadline)
        service.dispatcher.submit(job, patience=deadline)
        await _unless_gone(request, _finish(job), deadline)
    except BaseException:
        service.dispatcher.cancel(job)
        service.store.remove(job)
        raise
    job.change(fetched=True, notes=(*job.notes, *(notes or ())))
    return FileResponse(job.result, headers=job.headers(), background=BackgroundTask(service.store.remove, job))


async def _finish(job: Job) -> None:
    """Wait until a job is done.

    Raises:
        Problem: It has failed.
    """
    await job.finished()
    if job.problem is not None:
        raise job.problem
    if job.state != "done":
        raise Problem("stopping", "the picture was given up")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Found], seconds: float) -> Found:
    """Return what some work gives; it is cancelled when the client leaves or the deadline comes.

    Raises:
        Gone: The client has left.
        Problem: The deadline has come.
    """
    gone, done = asyncio.create_task(_gone(request)), asyncio.create_task(work)
    try:
        await asyncio.wait({gone, done}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            return done.result()
        if gone.done():
            raise Gone
        raise Problem("deadline", f"it was not done in {seconds:g} seconds")
    finally:
        for task in (gone, done):
            task.cancel()
        await asyncio.gather(gone, done, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Wait until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def analyse(request: Request) -> Response:
    """Say what a picture is, as `kakudai analyse --json` does."""
    service = service_of(request)
    if service.dispatcher.stopping:
        raise Problem("stopping", "the server is stopping and takes no more pictures")
    if service.analyses >= ANALYSES:
        raise Problem("queue-full", f"{ANALYSES} pictures wait to be looked at already", retry=5)
    service.analyses += 1
    try:
        job = await service.receive(request, no_options, queued=False)
        try:
            found = await _unless_gone(request, _look(service, job), service.settings.limits.deadline_seconds)
        finally:
            service.store.remove(job)
    finally:
        service.analyses -= 1
    return JSONResponse({"schema": SCHEMA, "input": job.name, "status": "done", **found})


def no_options(given: list[tuple[str, str]]) -> Options:
    """Refuse all options: a picture is all that is wanted.

    Raises:
        Problem: There is one.
    """
    if given:
        raise Problem("unknown-option", f"there is no option {given[0][0][:60]!r} here", "send the picture alone")
    return Options()


async def _look(service: Service, job: Job) -> dict[str, object]:
    """Let a picture be decoded and looked at."""
    job.decoded.mkdir(mode=0o700)
    try:
        message = await service.analyser.ask(order_for(job, service.settings, analyse=True))
        if message["event"] != "done":
            raise problem_of(message, job.decoded)
        found = await asyncio.to_thread(read_answer, job.decoded)
    except (Died, ValueError, OSError):
        raise Problem("worker-died", "the process that looked at the picture has ended") from None
    return {name: _finite(value) for name, value in found.items()}


def _finite(value: object) -> object:
    """Return a value that JSON can hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
