"""`kakudai upscale`."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.inputs import (
    STREAM,
    Assignment,
    Found,
    Naming,
    assign_targets,
    find_pictures,
)
from kakudai.cli.options import (
    AsJson,
    DryRun,
    Format,
    Inputs,
    OnExists,
    Output,
    Quality,
    Quiet,
    Recursive,
    Strip,
    Turns,
)
from kakudai.cli.report import ending_at_sigterm, explain, printable, report_failure, say
from kakudai.cli.streams import read_standard_input, standard_output
from kakudai.errors import KakudaiError, UsageError

if TYPE_CHECKING:
    from kakudai.engine.batch import FileOptions, FileResult, Job
    from kakudai.engine.estimate import Estimate
    from kakudai.engine.upscaler import Report, Upscaler

SCHEMA = 1
"""Version of the objects that --json prints; it rises when a key changes its meaning or goes."""


def upscale(
    inputs: Inputs,
    output: Output = None,
    scale: Annotated[
        float | None, typer.Option("-s", "--scale", help="Enlargement, 0.1 to 16; 2 if no size is given.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Width of the result in pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Height of the result in pixels.")] = None,
    fit: Annotated[str | None, typer.Option(metavar="WxH", help="Box that the result fits into.")] = None,
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            help="Name from `kakudai models list`, model of any program, folder of networks or of a run.",
        ),
    ] = "auto",
    denoise: Annotated[
        str,
        typer.Option(
            "-d",
            "--denoise",
            help="0 to 100, or auto by the looks of each picture; 25, 50, 75, 100 are waifu2x's levels 0-3.",
        ),
    ] = "auto",
    tile: Annotated[
        str, typer.Option(help="Side of the tiles in pixels, auto, or whole. Changes time and memory only.")
    ] = "auto",
    tta: Turns = 1,
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime, openvino or ncnn.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32, int8 (8-bit numbers), or auto: int8 where the runtime gains from it.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Processor threads; all if not given.")] = None,
    format: Format = None,  # noqa: A002 - the word of the command line
    quality: Quality = None,
    depth: Annotated[int | None, typer.Option(help="8, 10, 12 or 16 bits; else as the input.")] = None,
    dither: Annotated[
        bool | None,
        typer.Option(
            "--dither/--no-dither", help="Patterns for colours that a GIF lacks; else where bands would show."
        ),
    ] = None,
    still: Annotated[bool, typer.Option("--still", help="Take only the first frame of an animation.")] = False,
    strip: Strip = False,
    on_exists: OnExists = "error",
    recursive: Recursive = False,
    max_pixels: Annotated[
        int | None,
        typer.Option(help="Refuse larger inputs; 0 takes all; else 179 million, 1074 million where rows can be read."),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first picture that fails.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Enlarge pictures.

    The result lies beside its input as NAME_2x.EXT, or in the folder that -o names under its own name. Colour profile,
    EXIF, XMP, resolution, bit depth and transparency are kept where the format can hold them; what it cannot is said.

    Example: kakudai upscale photo.jpg holiday/ -s 4 -o large/
    """
    from kakudai.engine.batch import FileOptions
    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.formats import find_output_format

    kind = find_output_format(format).name if format else None
    options = FileOptions(kind, quality, depth, strip, max_pixels, dither, still)
    check_options(options, on_exists, as_json=as_json, output=output)
    with Upscaler(
        scale,
        width=width,
        height=height,
        fit=parse_fit(fit),
        model=model,
        denoise=parse_denoise(denoise),
        tile=parse_tile(tile),
        tta=tta,
        runtime=runtime,  # type: ignore[arg-type]  # open_session names what is accepted
        device=device,
        threads=threads,
        precision=precision,  # type: ignore[arg-type]  # likewise Machine
    ) as upscaler:
        label = size_label(scale, width, height, fit)
        naming = Naming(output, label, extension_of(options.format), writable_extensions(), on_exists)  # type: ignore[arg-type]
        batch = Batch(upscaler, options, as_json=as_json, quiet=quiet, fail_fast=fail_fast)
        batch.note(upscaler.notes)
        endings = readable_extensions() | {".cbz"}  # a .zip may be anything: it has to be named
        found = list(find_pictures(inputs, endings, recursive=recursive))
        assignments = [problem for problem in found if isinstance(problem, Assignment)]
        assignments += assign_targets([picture for picture in found if isinstance(picture, Found)], naming)
        batch.refuse(assignments)
        return batch.plan(assignments) if dry_run else batch.run(assignments)


def check_options(options: "FileOptions", on_exists: str, *, as_json: bool, output: str | None) -> None:
    """Refuse values that no picture can make right, before any picture is read.

    Raises:
        UsageError: A value is not accepted, or two of them exclude each other.
    """
    if on_exists not in ("error", "skip", "overwrite", "rename"):
        raise UsageError(f"--on-exists is {on_exists!r}", "accepted are error, skip, overwrite and rename")
    if options.quality is not None and not 1 <= options.quality <= 100:
        raise UsageError(f"the quality is {options.quality}", "accepted are 1 to 100")
    if options.depth not in (None, 8, 10, 12, 16):
        raise UsageError(f"the depth is {options.depth}", "accepted are 8, 10, 12 and 16")
    if options.max_pixels is not None and options.max_pixels < 0:
        raise UsageError(f"--max-pixels is {options.max_pixels}", "accepted are whole numbers from 0")
    if as_json and output == STREAM:
        raise UsageError("--json and -o - both want standard output", "write the picture into a file")
    if options.format and output and output != STREAM and not Path(output).is_dir():
        ending, ours = Path(output).suffix.lower(), extensions_of(options.format)
        if ending in writable_extensions() - ours:
            hint = f"name it {Path(output).stem}{extension_of(options.format)}, or leave --format out"
            raise UsageError(f"--format {options.format} and -o {output} contradict each other", hint)


def parse_fit(text: str | None) -> tuple[int, int] | None:
    """Read "1920x1080"."""
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--fit is {text!r}", "accepted is WIDTHxHEIGHT, for example --fit 1920x1080")
    return int(parts[0]), int(parts[1])


def parse_denoise(text: str) -> Any:
    """Read "auto" or a number."""
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        hint = "accepted are auto, and 0 for none, to 100 for the most"
        raise UsageError(f"--denoise is {text!r}", hint) from None


def parse_tile(text: str) -> Any:
    """Read "auto", "whole" or a number."""
    if text in ("auto", "whole"):
        return "auto" if text == "auto" else 0
    if not text.isdecimal():
        raise UsageError(f"--tile is {text!r}", "accepted are auto, whole, and pixels from 32, for example --tile 192")
    return int(text)


def size_label(scale: float | None, width: int | None, height: int | None, fit: str | None) -> str:
    """Name a size for file names: 2x, 1.5x, 1920w, 1080h, 1920x1080; what keeps its size is clean."""
    if fit:
        return fit.lower()
    if width and height:
        return f"{width}x{height}"
    if width or height:
        return f"{width}w" if width else f"{height}h"
    return "clean" if scale == 1 else f"{scale or 2:g}x"


def readable_extensions() -> frozenset[str]:
    """Return the endings that pictures in folders have."""
    from kakudai.image.formats import FORMATS

    return frozenset(f".{extension}" for entry in FORMATS.values() for extension in entry.extensions)


def writable_extensions() -> frozenset[str]:
    """Return the endings of formats that can be written."""
    from kakudai.image.formats import DEEPZOOM, FORMATS

    formats = [entry for entry in FORMATS.values() if entry.saver]
    return frozenset(f".{extension}" for entry in (*formats, DEEPZOOM) for extension in entry.extensions)


def extension_of(format: str | None) -> str | None:  # noqa: A002
    """Return the ending of new files of a format."""
    from kakudai.image.formats import find_output_format

    return None if format is None else f".{find_output_format(format).extensions[0]}"


def extensions_of(format: str) -> frozenset[str]:  # noqa: A002
    """Return all endings that files of a format may have."""
    from kakudai.image.formats import find_output_format

    return frozenset(f".{extension}" for extension in find_output_format(format).extensions)


class Batch:
    """All pictures of one command: done, planned or refused, and said."""

    def __init__(
        self, upscaler: "Upscaler", options: "FileOptions", *, as_json: bool, quiet: bool, fail_fast: bool
    ) -> None:
        self.upscaler, self.options = upscaler, options
        self.as_json, self.quiet, self.fail_fast = as_json, quiet, fail_fast
        self.failures: list[tuple[str, Exception]] = []
        self.pictures = 0

    def note(self, notes: Iterable[str]) -> None:
        """Say what holds for all pictures."""
        for note in notes if not self.quiet else ():
            say(f"note: {note}")

    def refuse(self, assignments: list[Assignment]) -> None:
        """Say what cannot even be begun."""
        self.pictures = len(assignments)
        for assignment in assignments:
            if assignment.error:
                self._fail(str(assignment.source), assignment.error)
            elif assignment.skipped:
                self._skip(assignment)
            elif assignment.note and not self.quiet:
                say(f"warning: {assignment.source}: {assignment.note}")

    def run(self, assignments: list[Assignment]) -> int:
        """Enlarge what has a target; return the exit code."""
        from kakudai.cli.progress import Progress
        from kakudai.engine.batch import upscale_files

        if self.fail_fast and self.failures:
            return self._finish()
        jobs = [job for job in self._jobs(assignments) if self._make_folder(job)]
        with ending_at_sigterm(), Progress(len(jobs), quiet=self.quiet) as progress:
            results = upscale_files(self.upscaler, jobs, self.options, progress=progress.advance)
            for result in results:
                progress.finish(result.job)
                self._say(result, progress.line)
                if result.error and self.fail_fast:
                    results.close()
                    break
        return self._finish()

    def plan(self, assignments: list[Assignment]) -> int:
        """Say what would be done; return the exit code."""
        from kakudai.engine.batch import estimate, new_notes, read
        from kakudai.image.animation import Animation

        for job in self._jobs(assignments):
            try:
                found = read(job, self.upscaler, self.options)
                if found is None:
                    self._plan_book(job)
                    continue
                picture = found.picture
                report = self.upscaler.plan_size(picture.height, picture.width, found.chosen)
                costs = estimate(job, found, self.upscaler, self.options)
            except KakudaiError as error:
                self._fail(job.name, error)
                continue
            plan = report.plan
            size, result = (picture.width, picture.height), (plan.size[1], plan.size[0])
            target = STREAM if not isinstance(job.target, Path) else str(job.target)
            steps = f"{plan.runs} x {how(report, size)}" if plan.runs else how(report, size)
            frames = picture.count if isinstance(picture, Animation) else 1
            fields = {
                "output": target,
                "input_size": size,
                "output_size": result,
                "frames": frames,
                "passes": plan.passes,
                "denoising": plan.denoising,
                "model": report.model,
                "networks": report.networks,
                "strength": report.strength,
                "reason": report.reason,
                "notes": new_notes(report, self.upscaler),
                "estimate": asdict(costs) if costs else None,
            }
            self._print(job.name, "planned", **fields)
            if not self.as_json:
                typer.echo(printable(f"{job.name} -> {target}  {sizes(size, result, frames)}  {steps}{costing(costs)}"))
        return self._finish()

    def _plan_book(self, job: "Job") -> None:
        """Say what would be done to a book."""
        from kakudai.engine.book import check_book_target
        from kakudai.image.archive import open_book

        check_book_target(job.target)
        with open_book(job.source) as book:
            pages, notes = len(book.pages), book.notes
        target = str(job.target) if isinstance(job.target, Path) else STREAM
        self._print(job.name, "planned", output=target, pages=pages, notes=notes)
        if not self.as_json:
            typer.echo(printable(f"{job.name} -> {target}  {pages} pages"))

    def _jobs(self, assignments: list[Assignment]) -> Iterator["Job"]:
        from kakudai.engine.batch import Job, lasting

        for assignment in assignments:
            if assignment.target is not None:
                source = read_standard_input() if assignment.source == Path(STREAM) else lasting(assignment.source)
                target = standard_output() if assignment.target == Path(STREAM) else assignment.target
                yield Job(source, target, str(assignment.source))

    def _make_folder(self, job: "Job") -> bool:
        """Make the folder of a target where it is missing; say whether there is one now."""
        from kakudai.errors import OutputError

        if not isinstance(job.target, Path):
            return True
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = OutputError(f"{job.target.parent} cannot be made: {error.strerror}", "choose another folder")
            self._fail(job.name, problem)
            return False
        return True

    def _say(self, result: "FileResult", line: Any) -> None:
        """Report one finished or failed picture."""
        if isinstance(result.error, BrokenPipeError):
            raise result.error  # whoever read standard output has gone: there is nobody to tell
        if result.error:
            self._fail(result.job.name, result.error, line, input_size=result.input_size)
            return
        if result.pages:
            self._say_book(result, line)
            return
        assert result.report is not None
        assert result.input_size is not None
        assert result.output_size is not None
        target = str(result.job.target) if isinstance(result.job.target, Path) else STREAM
        self._print(
            result.job.name,
            "done",
            output=target,
            input_size=result.input_size,
            output_size=result.output_size,
            frames=result.frames,
            seconds=round(result.seconds, 3),
            network_seconds=round(result.report.network_seconds, 3),
            passes=result.report.plan.passes,
            denoising=result.report.plan.denoising,
            tile=result.report.tile,
            model=result.report.model,
            networks=result.report.networks,
            strength=result.report.strength,
            reason=result.report.reason,
            runtime=self.upscaler.runtime,
            notes=result.notes,
        )
        if not self.quiet:
            for note in result.notes:
                line(f"warning: {result.job.name}: {note}")
            size = sizes(result.input_size, result.output_size, result.frames)
            done = how(result.report, result.input_size)
            line(f"{result.job.name} -> {target}  {size}  {done}  {result.seconds:.2f} s")

    def _say_book(self, result: "FileResult", line: Any) -> None:
        """Report a finished book; pages that stayed as they were count as failures."""
        target = str(result.job.target) if isinstance(result.job.target, Path) else STREAM
        failed = [
            {"page": page.name, "error": explain(page.error)[0], "kept": page.kept} for page in result.failed
        ]  # fmt: skip
        self._print(
            result.job.name, "done", output=target, pages=result.pages, failed_pages=failed,
            seconds=round(result.seconds, 3), networks=result.networks, runtime=self.upscaler.runtime,
            notes=result.notes,
        )  # fmt: skip
        for page in result.failed:
            self.failures.append((f"{result.job.name}: {page.name}", page.error))
            kept = "it stays as it was" if page.kept else "it is left out"
            line(f"error: {result.job.name}: {page.name}: {explain(page.error)[0]}; {kept}")
        if not self.quiet:
            for note in result.notes:
                line(f"warning: {result.job.name}: {note}")
            done = ", ".join(result.networks) or "resize"
            line(f"{result.job.name} -> {target}  {result.pages} pages  {done}  {result.seconds:.2f} s")

    def _fail(self, name: str, error: Exception, line: Any = say, **fields: Any) -> None:
        self.failures.append((name, error))
        message, hint = report_failure(name, error, line)
        self._print(name, "failed", error=message, hint=hint, kind=type(error).__name__, **fields)

    def _skip(self, assignment: Assignment) -> None:
        self._print(str(assignment.source), "skipped", reason=assignment.note)
        if not self.quiet:
            say(f"skipped: {assignment.source}: {assignment.note}")

    def _print(self, name: str, status: str, **fields: Any) -> None:
        if self.as_json:
            typer.echo(json.dumps({"schema": SCHEMA, "input": name, "status": status, **fields}))

    def _finish(self) -> int:
        """List the failures again where they may have scrolled away; return the exit code."""
        if self.failures and len(self.failures) + self.pictures > 2 and not self.quiet:
            from kakudai.cli.table import print_failures

            print_failures([(name, explain(error)[0]) for name, error in self.failures])
        return 1 if self.failures else 0


def how(report: "Report", size: tuple[int, int]) -> str:
    """Write "photo-x2, strength 35: photograph, JPEG quality 61, 4:2:0"; without a network "resize" or "unchanged".

    Args:
        report: What was done or will be.
        size: Of the input, (width, height).
    """
    plan = report.plan
    done = report.model if plan.runs else "unchanged" if plan.size == size[::-1] else "resize"
    return f"{done}: {report.reason}" if report.reason else done


def costing(costs: "Estimate | None") -> str:
    """Write "  about 5 min, 420 MB of memory, 2.1 GB of disk"."""
    if costs is None:
        return ""
    seconds = f"{costs.seconds:.0f} s" if costs.seconds < 90 else f"{costs.seconds / 60:.0f} min"
    return f"  about {seconds}, {in_bytes(costs.memory)} of memory, {in_bytes(costs.disk + costs.spool)} of disk"


def in_bytes(size: int) -> str:
    """Write 420 MB, 2.1 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{math.ceil(size / 1e6)} MB"


def sizes(before: tuple[int, int], after: tuple[int, int], frames: int = 1) -> str:
    """Write "750x469 -> 1500x938"; of animations "300x200 -> 600x400, 24 frames"."""
    return f"{before[0]}x{before[1]} -> {after[0]}x{after[1]}" + (f", {frames} frames" if frames > 1 else "")
