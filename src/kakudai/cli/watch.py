"""`kakudai watch`."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.assigning import Naming, assign_targets
from kakudai.cli.batch import Batch
from kakudai.cli.endings import extension_of, readable_extensions, writable_extensions
from kakudai.cli.inputs import Assignment, Found, find_pictures
from kakudai.cli.keeping import Again, keeping, manifest_path
from kakudai.cli.options import (
    AsJson,
    Denoise,
    Depth,
    Dither,
    Exclude,
    Fit,
    Format,
    Height,
    Include,
    LargestInput,
    ManifestFile,
    ModelName,
    Name,
    NumberFormat,
    OnExists,
    Quality,
    Quiet,
    Recursive,
    RetryFailed,
    Runtime,
    Scale,
    Still,
    Strip,
    Threads,
    Tile,
    Turns,
    Width,
)
from kakudai.cli.order import Order
from kakudai.cli.patterns import Patterns
from kakudai.cli.report import ending_at_sigterm, say
from kakudai.cli.results import Results
from kakudai.cli.wishes import check_options
from kakudai.errors import PictureNotFound, UsageError
from kakudai.jobs.address import refuse_addresses
from kakudai.jobs.arrivals import Arrivals

if TYPE_CHECKING:
    from kakudai.jobs.keeper import Keeper

LOOK_SECONDS = 0.5
"""Between two looks into the folder; fewer where files settle sooner, more where a look takes longer."""


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder where pictures arrive.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder of the results.")],
    once: Annotated[bool, typer.Option("--once", help="Do what is there, and end.")] = False,
    settle: Annotated[float, typer.Option(help="Seconds for which a file has to stay as it is to be whole.")] = 2.0,
    scale: Scale = None,
    width: Width = None,
    height: Height = None,
    fit: Fit = None,
    model: ModelName = "auto",
    denoise: Denoise = "auto",
    tile: Tile = "auto",
    tta: Turns = 1,
    runtime: Runtime = "auto",
    precision: NumberFormat = "auto",
    threads: Threads = None,
    format: Format = None,  # noqa: A002 - the word of the command line
    quality: Quality = None,
    depth: Depth = None,
    dither: Dither = None,
    still: Still = False,
    strip: Strip = False,
    on_exists: OnExists = "error",
    recursive: Recursive = False,
    include: Include = None,
    exclude: Exclude = None,
    name: Name = None,
    manifest: ManifestFile = None,
    retry_failed: RetryFailed = False,
    max_pixels: LargestInput = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Enlarge pictures as they arrive in a folder, until Ctrl-C.

    What was done before, by `kakudai upscale` too, is known by kakudai-manifest.jsonl in the output folder, and is not
    done again. What cannot be done now is tried again after a minute, then two, then four.

    Example: kakudai watch scans/ -o large/
    """
    from kakudai.engine.job import FileOptions
    from kakudai.image.formats import find_output_format

    refuse_addresses("watch", folder, output, manifest)
    check_folder(folder, settle)
    kind = find_output_format(format).name if format else None
    options = FileOptions(kind, quality, depth, strip, max_pixels, dither, still)
    check_options(options, on_exists, as_json=as_json, output=f"{output}/")
    order = Order(
        scale, width, height, fit, model, denoise, tile=tile, tta=tta, runtime=runtime, precision=precision,
        threads=threads,
    )  # fmt: skip
    naming = Naming(
        f"{output}/", order.label, extension_of(kind), writable_extensions(), on_exists, order.template(name, format)  # type: ignore[arg-type]
    )  # fmt: skip
    patterns = Patterns(tuple(include or ()), tuple(exclude or ()))
    with order.open() as upscaler:
        results = Results(as_json=as_json, quiet=quiet)
        results.note(upscaler.notes)
        path = manifest_path(manifest, [Found(folder / "any", folder)], naming, is_off=False)
        with ending_at_sigterm(), keeping(path, order, upscaler, options) as keeper:
            assert keeper is not None
            again = Again(failed=retry_failed)
            batch = Batch(upscaler, options, results, fail_fast=False, keeper=keeper, again=again)
            batch.warn_of_damage()
            arrivals = Arrivals(settle)
            look = Look(folder, arrivals, patterns, naming, keeper, recursive=recursive)
            if not quiet and not once:
                say(f"watching {folder}; Ctrl-C ends it")
            while True:
                started = time.monotonic()
                arrived = look.arrived(batch)
                seconds = time.monotonic() - started
                put_off = batch.take(arrived) if arrived else []
                if once and arrivals.are_all_given:
                    return results.finish()
                arrivals.put_off([] if once else put_off)
                time.sleep(max(min(LOOK_SECONDS, settle / 4), seconds))


def check_folder(folder: Path, settle: float) -> None:
    """Refuse what can never be watched.

    Raises:
        PictureNotFound: It is no folder.
        UsageError: No time, or no sensible one, is given to files to become whole.
    """
    if not folder.is_dir():
        raise PictureNotFound(f"{folder} is not a folder", "name the folder where pictures arrive")
    if not (math.isfinite(settle) and settle > 0):
        raise UsageError(f"--settle is {settle:g}", "accepted are seconds above 0, for example --settle 5")


@dataclass(frozen=True, slots=True)
class Look:
    """A look into the folder.

    Args:
        folder: That is watched.
        arrivals: What is whole in it.
        patterns: Which pictures are taken.
        naming: How results are called.
        keeper: Knows what is done.
        recursive: Look into folders below.
    """

    folder: Path
    arrivals: Arrivals
    patterns: Patterns
    naming: Naming
    keeper: "Keeper"
    recursive: bool

    def arrived(self, batch: Batch) -> list[Assignment]:
        """Return what has become whole since the last look; say what cannot be looked into."""
        if not self.folder.is_dir():
            error = PictureNotFound(f"{self.folder} is not there any more", "it is looked for again all the time")
            batch.complain([Assignment(self.folder, None, error)])
            return []
        endings = readable_extensions() | {".cbz"}
        entries = list(find_pictures([str(self.folder)], endings, recursive=self.recursive, patterns=self.patterns))
        batch.complain([one for one in entries if isinstance(one, Assignment) and _is_trouble(one)])
        found = [one for one in entries if isinstance(one, Found)]
        whole = set(self.arrivals.settled(picture.path for picture in found))
        if not whole:
            return []
        # Of all pictures, so that no result takes the place of an input or of another's result.
        assignments = assign_targets(found, self.naming, self.keeper.ledger, self.keeper.path)
        return [assignment for assignment in assignments if assignment.source in whole]


def _is_trouble(problem: Assignment) -> bool:
    """Say whether it is more than that there is no picture yet."""
    return problem.error is not None and not isinstance(problem.error, PictureNotFound)
