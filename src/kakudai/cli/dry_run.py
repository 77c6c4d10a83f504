"""`--dry-run`: what would be done to each picture, and what it would cost."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from kakudai.cli.report import printable
from kakudai.cli.results import Results, costing, how, sizes, target_name
from kakudai.errors import KakudaiError

if TYPE_CHECKING:
    from kakudai.engine.intake import Read
    from kakudai.engine.job import FileOptions, Job
    from kakudai.engine.upscaler import Upscaler


def plan(
    job: "Job",
    upscaler: "Upscaler",
    options: "FileOptions",
    results: Results,
    *,
    target: str | None = None,
    notes: tuple[str, ...] = (),
) -> None:
    """Say what would be done to a picture, an animation or a book.

    Args:
        job: What is asked.
        upscaler: Would enlarge it.
        options: How files would be read and written.
        results: Says it.
        target: What its result is called, where that is not made in its place.
        notes: What else is to be said of it, if it can be done.
    """
    from kakudai.engine.intake import read

    try:
        found = read(job, upscaler, options)
        if found is None:
            _plan_book(job, results, target or target_name(job.target))
        else:
            named = target or target_name(job.target)
            _plan_picture(job, found, upscaler, options, results=results, target=named, notes=notes)
    except KakudaiError as error:
        results.fail(job.name, error)


def _plan_picture(
    job: "Job",
    found: "Read",
    upscaler: "Upscaler",
    options: "FileOptions",
    *,
    results: Results,
    target: str,
    notes: tuple[str, ...],
) -> None:
    from kakudai.engine.intake import estimate, new_notes
    from kakudai.image.animation import Animation

    picture = found.picture
    report = upscaler.plan_size(picture.height, picture.width, found.chosen)
    costs = estimate(job, found, upscaler, options)
    plan = report.plan
    result = (plan.size[1], plan.size[0])
    frames = picture.count if isinstance(picture, Animation) else 1
    results.print(
        job.name,
        "planned",
        output=target,
        input_size=found.size,
        output_size=result,
        frames=frames,
        passes=plan.passes,
        denoising=plan.denoising,
        model=report.model,
        networks=report.networks,
        precision=report.precision,
        strength=report.strength,
        reason=report.reason,
        notes=(*notes, *new_notes(report, upscaler)),
        estimate=asdict(costs) if costs else None,
    )
    results.warn(job.name, notes)
    if not results.as_json:
        done = how(report, found.size)
        steps = f"{plan.runs} x {done}" if plan.runs and len(set(report.networks)) == 1 else done
        size = sizes(found.size, result, frames)
        typer.echo(printable(f"{job.name} -> {target}  {size}  {steps}{costing(costs)}"))


def _plan_book(job: "Job", results: Results, target: str) -> None:
    from kakudai.engine.book import check_book_target
    from kakudai.image.archive import open_book

    check_book_target(job.target)
    with open_book(job.source) as book:
        pages, notes = len(book.pages), book.notes
    results.print(job.name, "planned", output=target, pages=pages, notes=notes)
    if not results.as_json:
        typer.echo(printable(f"{job.name} -> {target}  {pages} pages"))
