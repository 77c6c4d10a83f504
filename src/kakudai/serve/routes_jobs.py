"""Jobs: pictures that are sent now and fetched later, by programs and by browsers without scripts."""

import asyncio
import html
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from kakudai.serve.answers import page, wants_page
from kakudai.serve.jobs import Job
from kakudai.serve.problems import Problem
from kakudai.serve.service import Service, service_of

BETWEEN = 0.2
"""Seconds between two events of one stream, at least."""

HEARTBEAT = 10.0

AGAIN = 2
"""Seconds after which the page of a job asks again."""

FRESH = {"Cache-Control": "no-store"}


async def submit(request: Request) -> Response:
    """Queue a picture; answer with the job's address."""
    service = service_of(request)
    job = await service.receive(request, service.options)
    try:
        service.check_cost(job, service.settings.limits.job_seconds)
        service.dispatcher.submit(job)
    except Problem:
        service.store.remove(job)
        raise
    if wants_page(request.headers):
        return RedirectResponse(f"/jobs/{job.id}", 303)
    address = f"/v1/jobs/{job.id}"
    return JSONResponse({"id": job.id, "address": address}, 202, headers={"Location": address, **FRESH})


def _job(request: Request) -> tuple[Service, Job]:
    service = service_of(request)
    return service, service.store.find(request.path_params["id"])


def _state(service: Service, job: Job) -> dict[str, object]:
    return job.as_json(service.dispatcher.ahead(job) if job.state == "waiting" else 0.0)


async def state(request: Request) -> Response:
    """Say how far a job is."""
    return JSONResponse(_state(*_job(request)), headers=FRESH)


async def events(request: Request) -> Response:
    """Say how far a job is, again and again, until it has ended."""
    service, job = _job(request)
    if service.streams >= service.settings.limits.streams:
        raise Problem("too-many-streams", f"{service.streams} are open", f"ask /v1/jobs/{job.id} now and then")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(service, job), media_type="text/event-stream", headers=headers)


async def _events(service: Service, job: Job) -> AsyncIterator[bytes]:
    service.streams += 1
    try:
        while True:
            version, final = job.version, job.is_final
            yield f"event: state\ndata: {json.dumps(_state(service, job))}\n\n".encode()
            if final:
                return
            await asyncio.sleep(BETWEEN)
            while job.version <= version:
                try:
                    await asyncio.wait_for(job.changed(version), HEARTBEAT)
                except TimeoutError:
                    yield b": still there\n\n"
    finally:
        service.streams -= 1


async def result(request: Request) -> Response:
    """Answer with the result of a job."""
    _, job = _job(request)
    inline = request.query_params.get("inline", "") not in ("", "0", "false")
    if job.problem is not None:
        raise job.problem
    if job.state != "done":
        raise Problem("no-result", f"the job is {job.state}")
    job.fetched = True
    return FileResponse(job.result, headers=job.headers(inline=inline))


async def cancel(request: Request) -> Response:
    """Cancel a job and delete all that there is of it."""
    _remove(*_job(request))
    return Response(status_code=204)


def _remove(service: Service, job: Job) -> None:
    service.dispatcher.cancel(job)
    service.store.remove(job)


async def cancel_page(request: Request) -> Response:
    """Cancel a job for a browser without scripts, and show the start page."""
    _remove(*_job(request))
    return RedirectResponse("/", 303)


async def job_page(request: Request) -> Response:
    """Show a job to a browser without scripts; the page asks again by itself until the job has ended."""
    service, job = _job(request)
    return HTMLResponse(
        page(f"{job.name}: {job.state}", _markup(service, job), refresh=None if job.is_final else AGAIN), headers=FRESH
    )


def _markup(service: Service, job: Job) -> str:
    said = _state(service, job)
    lines = [f"<h1>{html.escape(job.name)}</h1>", f'<p role="status">{html.escape(_words(job, said))}</p>']
    if job.problem is not None:
        lines.append(f"<p>{html.escape(job.problem.detail)}</p><p>{html.escape(job.problem.hint)}</p>")
    if job.state == "done":
        address = f"/v1/jobs/{job.id}/result"
        lines.append(f'<p><a href="{address}">Save {html.escape(job.file_name)}</a></p>')
        lines += [f"<p>{html.escape(note)}</p>" for note in job.notes]
        lines.append(f'<p><img src="{address}?inline=1" alt="the enlarged picture"></p>')
    button = "Delete it now" if job.is_final else "Cancel"
    lines.append(f'<form method="post" action="/jobs/{job.id}/cancel"><button>{button}</button></form>')
    lines.append('<p><a href="/">Another picture</a></p>')
    return "".join(lines)


def _words(job: Job, said: dict[str, object]) -> str:
    """Say in a line how far a job is."""
    if job.state == "waiting":
        return f"Waiting: number {job.place} in the queue, about {said['seconds_left']:.0f} seconds."
    if job.state == "running":
        return f"Running: {100 * job.progress:.0f} %, about {said['seconds_left']:.0f} seconds left."
    if job.state == "done":
        size = " x ".join(map(str, job.output_size or ()))
        reason = f" ({job.reason})" if job.reason else ""
        return f"Done: {size} pixels, {job.model}{reason}."
    return f"It has {job.state}." if job.state == "failed" else "It was cancelled."
